"""``perturbx replay``: explanations made anew from a record, without any network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perturbx.cli.inputs import DEFAULT_COLUMN, read_texts
from perturbx.cli.messages import FAILED, reporting, say
from perturbx.cli.options import OutputFileOption, OutputOption, QuietOption
from perturbx.cli.outputs import check_results, write_results

EXAMPLES = """
Examples:

    perturbx explain -m openai:gpt-x --labels yes,no --record run.jsonl "so so"
    perturbx replay run.jsonl "so so"
"""


def replay(
    record: Annotated[
        Path, typer.Argument(metavar="RECORD", help="What --record wrote.", show_default=False)
    ],
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT",
            help="What was explained, where the record holds only hashes of it.",
            show_default=False,
        ),
    ] = None,
    input_file: Annotated[
        Path | None,
        typer.Option("--input", "-i", metavar="FILE", help="The same in a file; see explain."),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Its column.", show_default=DEFAULT_COLUMN),
    ] = None,
    output: OutputOption = None,
    output_file: OutputFileOption = None,
    quiet: QuietOption = False,
) -> None:
    """Make the explanations of a record anew, out of its raw answers, and check that they agree."""
    with reporting():
        if not record.is_file():
            raise typer.BadParameter(f"there is no file {record}", param_hint="RECORD")
        check_results(output_file)
        given = read_texts(texts or [], input_file, column) if texts or input_file else None
        from perturbx.explainers.api_record import replay_record

        results = replay_record(record, *([] if given is None else [given]))
        is_out = write_results(results, output, output_file)
    if not quiet:
        say("the values of the record follow from its answers")
        if output_file is not None and is_out:
            say(f"wrote {output_file}")
    if not is_out:
        raise typer.Exit(FAILED)
