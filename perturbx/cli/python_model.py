"""``--model python:MODULE:OBJECT``: a model that is made in the user's own code."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, Final

from perturbx.exceptions import ArgumentError

PREFIX: Final = "python:"


def is_python_model(name: str) -> bool:
    """Say whether a name is that of an object in a module."""
    return name.startswith(PREFIX)


def load_python_model(name: str) -> Any:
    """Return the object that ``python:MODULE:OBJECT`` names; the folder at hand is looked in, too.

    Raises
    ------
    ArgumentError
        There is no such module or object.
    """
    module, colon, path = name.removeprefix(PREFIX).partition(":")
    if not (module and colon and path):
        raise ArgumentError(f"--model: expected python:MODULE:OBJECT; got {name!r}")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module)
    except ImportError as error:
        raise ArgumentError(f"--model: cannot import {module!r} ({error})") from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise ArgumentError(f"--model: {module!r} has no {path!r}")
        found = getattr(found, part)
    return found
