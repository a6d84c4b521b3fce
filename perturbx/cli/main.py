"""The command ``perturbx``."""

from __future__ import annotations

import sys
from io import BytesIO, TextIOWrapper
from typing import Annotated

import typer

from perturbx._version import __version__
from perturbx.cli import audit as audits
from perturbx.cli import cache
from perturbx.cli import compare as comparisons
from perturbx.cli import explain_prompt as prompts
from perturbx.cli import replay as records
from perturbx.cli.explain import EXAMPLES, explain

# Rich's tracebacks fold away the very lines that a bug report needs.
app = typer.Typer(
    name="perturbx",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"perturbx {__version__}")
        raise typer.Exit


@app.callback()
def perturbx(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Explain any text model by asking it about perturbed inputs."""


app.command("explain", epilog=EXAMPLES)(explain)
app.command("audit", epilog=audits.EXAMPLES)(audits.audit)
app.command("compare", epilog=comparisons.EXAMPLES)(comparisons.compare)
app.command("replay", epilog=records.EXAMPLES)(records.replay)
app.add_typer(cache.app)
app.command("explain-prompt", epilog=prompts.EXAMPLES)(prompts.explain_prompt)


def main() -> None:
    """Run the command line: the entry point."""
    # The shell may have closed any of them; that results have a place is for `check_results`.
    sys.stdin = sys.stdin or TextIOWrapper(BytesIO())
    sys.stderr = sys.stderr or TextIOWrapper(BytesIO())
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal that lacks a character shows "?" for it instead of losing the results.
        sys.stdout.reconfigure(errors="replace")
    app(prog_name="perturbx")
