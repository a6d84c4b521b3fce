"""``perturbx explain``: what a model makes of some texts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from perturbx.cli.inputs import DEFAULT_COLUMN, read_texts
from perturbx.cli.messages import reporting, say
from perturbx.cli.outputs import Format, check_folder_of, choose_format, write_results
from perturbx.cli.tables import load_tables, prepare_tables, save_tables
from perturbx.exceptions import Interrupted, ScoringError
from perturbx.typing import Link

if TYPE_CHECKING:
    from perturbx.explainers.base import BaseExplainer
    from perturbx.explanations import Explanations
    from perturbx.score_table import ScoreTable

ExplainerName: TypeAlias = Literal["shapley", "partition", "lime", "lasso", "occlusion"]
UnitsName: TypeAlias = Literal["words", "characters", "sentences", "paragraphs"]
MaskerName: TypeAlias = Literal["auto", "mask", "unk", "delete"]

BUDGETS = ("auto", "fast", "normal", "high")

EXAMPLES = """
Examples:

    perturbx explain "the plot is thin, but the acting is superb"
    perturbx explain --units sentences < letter.txt
    perturbx explain --input reviews.csv --column comment -o reviews.html
    perturbx explain --model ./my-classifier --explainer lime --seed 0 "so so"
    perturbx explain --input reviews.txt --output json --save-table tables/
    perturbx explain --input reviews.txt --tolerance 0.05 --resume tables/
    perturbx explain --input reviews.txt --estimate
"""

WHAT, HOW, RESULTS, RUN = "What is explained", "How", "Results", "The run"


def explain(
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT",
            help="A text each. '-', or no TEXT and a pipe: all of standard input is one text.",
            show_default=False,
        ),
    ] = None,
    input_file: Annotated[
        Path | None,
        typer.Option(
            "--input",
            "-i",
            metavar="FILE",
            help="Read the texts from a .csv, .tsv or .jsonl file, or from a .txt file or '-' "
            "(standard input) with a text a line.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The column (of .jsonl: the key) of --input that holds the text.",
            show_default=DEFAULT_COLUMN,
            rich_help_panel=WHAT,
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="PATH-OR-NAME",
            help="A transformers classifier: a folder or a name on the Hugging Face hub. "
            "'default' is the small English sentiment model that perturbx ships.",
            rich_help_panel=WHAT,
        ),
    ] = "default",
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="The outputs (classes) to explain: 'all', 'predicted' (the highest score), or "
            "a name; give it again for more names.",
            show_default="predicted",
            rich_help_panel=WHAT,
        ),
    ] = None,
    explainer: Annotated[
        ExplainerName, typer.Option(help="The method.", rich_help_panel=HOW)
    ] = "shapley",
    units: Annotated[
        UnitsName, typer.Option(help="What is kept or removed as one.", rich_help_panel=HOW)
    ] = "words",
    masker: Annotated[
        MaskerName,
        typer.Option(
            help="What a removed unit looks like. 'auto': the model's mask token, or nothing "
            "where it has none.",
            rich_help_panel=HOW,
        ),
    ] = "auto",
    budget: Annotated[
        str,
        typer.Option(
            metavar=f"[{'|'.join(BUDGETS)}|INTEGER]",
            help="Calls to the model for each text. 'fast': 5 a unit, 'normal': 10, 'high': 20. "
            "'auto': as many as --tolerance takes, 3 to 20 a unit (methods without such errors: "
            "10).",
            rich_help_panel=HOW,
        ),
    ] = "auto",
    tolerance: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="The error bars at which --budget auto stops, in parts of the largest value.",
            show_default="0.1",
            rich_help_panel=HOW,
        ),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            metavar="INTEGER",
            help="Let --budget auto stop, too, when so many largest values stand apart from the "
            "rest.",
            show_default=False,
            rich_help_panel=HOW,
        ),
    ] = None,
    link: Annotated[
        Link,
        typer.Option(
            help="The scale. 'identity': the model's own numbers.",
            rich_help_panel=HOW,
        ),
    ] = "identity",
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="INTEGER",
            help="Makes runs equal; without it, every run draws its own masks.",
            show_default=False,
            rich_help_panel=HOW,
        ),
    ] = None,
    output: Annotated[
        Format | None,
        typer.Option(
            help="The form of the results. 'json': an object a line and text. 'html': one page. "
            "'csv': a row per text, unit and output.",
            show_default="by the name of --output-file, else terminal",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    output_file: Annotated[
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
    ] = None,
    save_table: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Save every score, also those of a run that fails or is interrupted: of one "
            "text to PATH where it ends in .npz, else of each text to a file in the folder PATH.",
            show_default=False,
            rich_help_panel=RESULTS,
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Buy only the scores that an earlier run of the same texts lacks: PATH is what "
            "--save-table wrote, or --output json.",
            show_default=False,
            rich_help_panel=RUN,
        ),
    ] = None,
    estimate: Annotated[
        bool,
        typer.Option(
            "--estimate",
            help="Print how many calls and tokens it would take, and call nothing.",
            rich_help_panel=RUN,
        ),
    ] = False,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Where the model runs: 'cpu', 'cuda', 'cuda:1', 'mps'.",
            show_default="the best there is",
            rich_help_panel=RUN,
        ),
    ] = None,
    batch_tokens: Annotated[
        str,
        typer.Option(
            metavar="[auto|INTEGER]",
            help="The most tokens in one batch. 'auto' finds the fastest size.",
            rich_help_panel=RUN,
        ),
    ] = "auto",
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            help="Show no progress and no notes; warnings and errors still appear.",
            rich_help_panel=RUN,
        ),
    ] = False,
) -> None:
    """Explain what a model makes of a text, unit by unit.

    Results go to standard output; progress, notes and warnings to standard error. The exit code
    is 0 where all went well, 1 after an error, 2 for a wrong option, 130 after Ctrl-C.
    """
    calls = _number_or_name("--budget", budget, BUDGETS)
    rule = {"tolerance": tolerance, "top_k": top_k}
    most_tokens = _number_or_name("--batch-tokens", batch_tokens, ("auto",))
    with reporting():
        given = read_texts(texts or [], input_file, column)
        if output_file is not None:
            check_folder_of(output_file, "--output-file")
        if save_table is not None and not estimate:
            prepare_tables(save_table, len(given))
        paid = None if resume is None else load_tables(resume, given)
        # It takes seconds to import: `--help` and a wrong option need not wait for it.
        from perturbx.explainers import make_explainer

        chosen = make_explainer(
            explainer,
            model,
            units=units,
            masker=masker,
            budget=calls,
            outputs=_outputs(outputs),
            link=link,
            random_state=seed,
            device=device,
            batch_tokens=most_tokens,
            progress=not quiet and sys.stderr.isatty(),
            **{name: value for name, value in rule.items() if value is not None},
        )
        if estimate:
            typer.echo(str(chosen.estimate_cost(given)))
            return
        results = _explain_and_save(chosen, given, paid, save_table)
        write_results(results, choose_format(output, output_file), output_file)
    if not quiet:
        for path in filter(None, (output_file, save_table)):
            say(f"wrote {path}")


def _number_or_name(option: str, value: str, names: tuple[str, ...]) -> int | str:
    if value in names:
        return value
    if value.isdecimal() and int(value) > 0:
        return int(value)
    raise typer.BadParameter(
        f"expected {', '.join(names)} or a positive whole number; got {value!r}", param_hint=option
    )


def _outputs(names: list[str] | None) -> str | list[str]:
    if not names:
        return "predicted"
    return names[0] if names in (["all"], ["predicted"]) else names


def _explain_and_save(
    explainer: BaseExplainer,
    texts: list[str],
    paid: list[ScoreTable] | None,
    save_table: Path | None,
) -> Explanations:
    try:
        explanations = explainer.explain(texts, tables=paid)
    except (ScoringError, Interrupted) as failure:
        n_scored = sum(len(table) for table in failure.tables)
        if save_table is not None and n_scored:
            save_tables(failure.tables, save_table)
            say(f"saved the {n_scored} scores of the unfinished run to {save_table}")
        raise
    if save_table is not None:
        save_tables(explanations.tables, save_table)
    return explanations
