"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from perturbx.cli.outputs import Format

BUDGETS = ("auto", "fast", "normal", "high")

WHAT, HOW, RESULTS, RUN = "What is explained", "How", "Results", "The run"

BudgetOption: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar=f"[{'|'.join(BUDGETS)}|INTEGER]",
        help="Calls to the model for each text. 'fast': 5 a unit, 'normal': 10, 'high': 20. "
        "'auto': as many as --tolerance takes, 3 to 20 a unit (methods without such errors: "
        "10).",
        rich_help_panel=HOW,
    ),
]

ToleranceOption: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        help="The error bars at which --budget auto stops, in parts of the largest value.",
        show_default="0.1",
        rich_help_panel=HOW,
    ),
]

TopKOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="INTEGER",
        help="Let --budget auto stop, too, when so many largest values stand apart from the rest.",
        show_default=False,
        rich_help_panel=HOW,
    ),
]

SeedOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="INTEGER",
        help="Makes runs equal; without it, every run draws its own masks.",
        show_default=False,
        rich_help_panel=HOW,
    ),
]

OutputOption: TypeAlias = Annotated[
    Format | None,
    typer.Option(
        help="The form of the results. 'json': an object a line and text. 'html': one page. "
        "'csv': a row per text, unit and output.",
        show_default="by the name of --output-file, else terminal",
        rich_help_panel=RESULTS,
    ),
]

OutputFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--output-file",
        "-o",
        metavar="PATH",
        dir_okay=False,
        writable=True,
        help="Where they go.",
        show_default="standard output",
        rich_help_panel=RESULTS,
    ),
]

SaveTableOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="Save every score, also those of a run that fails or is interrupted: of one "
        "text to PATH where it ends in .npz, else of each text to a file in the folder PATH.",
        show_default=False,
        rich_help_panel=RESULTS,
    ),
]

ResumeOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="Buy only the scores that an earlier run of the same texts lacks: PATH is what "
        "--save-table wrote, or --output json.",
        show_default=False,
        rich_help_panel=RUN,
    ),
]

EstimateOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--estimate",
        "--dry-run",
        help="Print how many calls and tokens it would take, those already paid for among them, "
        "and call nothing.",
        rich_help_panel=RUN,
    ),
]

DeviceOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Where the model runs: 'cpu', 'cuda', 'cuda:1', 'mps'.",
        show_default="the best there is",
        rich_help_panel=RUN,
    ),
]

BatchTokensOption: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="[auto|INTEGER]",
        help="The most tokens in one batch. 'auto' finds the fastest size.",
        rich_help_panel=RUN,
    ),
]

QuietOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Show no progress and no notes; warnings and errors still appear.",
        rich_help_panel=RUN,
    ),
]


def number_or_name(option: str, value: str, names: tuple[str, ...]) -> int | str:
    """Return a number, or one of the names; raise a usage error for anything else."""
    if value in names:
        return value
    if value.isdecimal() and int(value) > 0:
        return int(value)
    raise typer.BadParameter(
        f"expected {', '.join(names)} or a positive whole number; got {value!r}", param_hint=option
    )


def outputs_of(names: list[str] | None) -> str | list[str]:
    """Return which outputs are explained, by default the predicted one."""
    if not names:
        return "predicted"
    return names[0] if names in (["all"], ["predicted"]) else names
