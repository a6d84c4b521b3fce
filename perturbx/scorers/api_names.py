"""How models behind an API are named."""

from __future__ import annotations

from typing import Any

PREFIXES = ("openai", "openai-completions", "anthropic")
"""Before the colon of ``"openai:NAME"``."""

FORMS = f"{', '.join(f'{own}:NAME' for own in PREFIXES)} or http://ADDRESS/v1#NAME"


def names_api_model(model: Any) -> bool:
    """Say whether a string names a model behind an API.

    Examples
    --------
    >>> names_api_model("openai:small"), names_api_model("http://localhost:8000/v1#small")
    (True, True)
    >>> names_api_model("hf:small"), names_api_model("./openai")
    (False, False)
    """
    if not isinstance(model, str):
        return False
    name, _, rest = model.partition(":")
    return name in PREFIXES or (name in ("http", "https") and "#" in rest)
