"""What goes to standard error: errors, warnings and notes, one line each."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import typer

from perturbx.exceptions import PerturbxError

FAILED = 1
INTERRUPTED = 130
"""The exit code of whatever Ctrl-C ends, by the convention of shells (128 + SIGINT)."""


def say(message: str) -> None:
    """Print a message on standard error, on one line."""
    from perturbx.reports.safe_text import one_line

    print(one_line(message), file=sys.stderr)


@contextmanager
def reporting() -> Iterator[None]:
    """Report what goes wrong inside in one line each, and leave with the exit code for it.

    A closed pipe goes on to typer, which ends the program without a word.

    Raises
    ------
    typer.Exit
        With 1 after an error of perturbx or of the file system, with 130 after Ctrl-C.
    """
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            yield
        except BrokenPipeError:
            raise
        except (PerturbxError, OSError) as error:
            say(f"error: {error}")
            raise typer.Exit(FAILED) from error
        except KeyboardInterrupt as interrupt:
            say("interrupted")
            raise typer.Exit(INTERRUPTED) from interrupt


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    say(f"warning: {message}")
