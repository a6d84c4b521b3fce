"""Options for a model behind an API."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

from perturbx.cli.outputs import check_writable
from perturbx.exceptions import ArgumentError

PANEL = "A model behind an API"

ApiMethod: TypeAlias = Literal[
    "auto", "label_log_probs", "prompt_log_probs", "votes", "confidence", "similarity"
]


def _option(help_text: str, metavar: str | None = None, default: str | bool = False) -> Any:
    return typer.Option(
        help=help_text, metavar=metavar, show_default=default, rich_help_panel=PANEL
    )


BaseUrlOption: TypeAlias = Annotated[
    str | None,
    _option("The address of a server that speaks the same language.", "URL"),
]
LabelsOption: TypeAlias = Annotated[
    str | None,
    _option("What the model may answer: each label's probability is explained.", "LABEL,LABEL"),
]
PromptTemplateOption: TypeAlias = Annotated[
    Path | None,
    _option("The whole prompt, with {text} in it.", "FILE", "asks for one of the labels"),
]
SystemOption: TypeAlias = Annotated[str | None, _option("The system message of a chat.", "TEXT")]
MethodOption: TypeAlias = Annotated[
    ApiMethod,
    _option("Where the numbers come from. 'auto': the best that the server can do.", None, "auto"),
]
SamplesOption: TypeAlias = Annotated[
    int | None,
    _option("Answers sampled for each variant by --method votes.", "INTEGER", "1"),
]
MaxNewTokensOption: TypeAlias = Annotated[
    int | None,
    _option(
        "Where answers in words are cut off; models that think first need more.", "INTEGER", "16"
    ),
]
MaxCallsOption: TypeAlias = Annotated[
    int | None,
    _option("Stop before there are more answered requests, with what is known then.", "INTEGER"),
]
MaxTokensOption: TypeAlias = Annotated[
    int | None, _option("The same for tokens of prompts and answers.", "INTEGER")
]
MaxCostOption: TypeAlias = Annotated[
    float | None, _option("The same for money; needs --prices.", "NUMBER")
]
PricesOption: TypeAlias = Annotated[
    str | None,
    _option("What a million tokens of prompts and of answers cost.", "PROMPT,ANSWER"),
]
ConcurrencyOption: TypeAlias = Annotated[
    int | None, _option("The most calls at the same time.", "INTEGER", "16")
]
RequestsPerMinuteOption: TypeAlias = Annotated[
    int | None, _option("The account's limit, which is kept.", "INTEGER")
]
TokensPerMinuteOption: TypeAlias = Annotated[
    int | None, _option("The account's limit, which is kept.", "INTEGER")
]
CacheOption: TypeAlias = Annotated[
    Path | None,
    _option(
        "Keep every answer in this SQLite file, and ask nothing that is in it: a run that was "
        "cut off goes on where it was.",
        "PATH",
    ),
]

RecordOption: TypeAlias = Annotated[
    Path | None,
    _option(
        "Write what an audit needs: parameters, the model's version, every raw answer. 'perturbx "
        "replay' makes the explanation anew from it.",
        "FILE",
    ),
]
RecordPromptsOption: TypeAlias = Annotated[
    bool, _option("Write the texts and prompts into the record, too, not only hashes.")
]
BatchOutOption: TypeAlias = Annotated[
    Path | None,
    _option("Write the requests to a file for the provider's batch API, and ask nothing.", "FILE"),
]
BatchInOption: TypeAlias = Annotated[
    Path | None,
    _option("Read the answer file of a batch into --cache first.", "FILE"),
]

ProxyOption: TypeAlias = Annotated[
    str | None,
    _option(
        "A cheap local classifier that scores the same masks, so that less has to be bought; "
        "'default' is the one that is shipped. For --explainer shapley.",
        "PATH-OR-NAME",
    ),
]


def check_api_files(
    scorer: Any,
    *,
    record: Path | None,
    with_prompts: bool,
    batch_out: Path | None,
    batch_in: Path | None,
    cache: Path | None,
    output_file: Path | None,
    save_table: Path | None,
) -> None:
    """Raise a usage error for files that have no meaning, or that need another option."""
    if with_prompts and record is None:
        raise typer.BadParameter("needs a --record to write into", param_hint="--record-prompts")
    results = {"--record": record, "--output-file": output_file, "--save-table": save_table}
    for option, file in results.items():
        if file is not None and batch_out is not None:
            raise typer.BadParameter(
                "nothing is explained yet with --batch-out; leave one of them out",
                param_hint=option,
            )
    for option, file in (("record", record), ("batch-out", batch_out), ("batch-in", batch_in)):
        if file is None:
            continue
        if isinstance(scorer, str):
            raise typer.BadParameter("is for a model behind an API", param_hint=f"--{option}")
        if option != "record" and cache is None:
            raise typer.BadParameter("needs a --cache for the answers", param_hint=f"--{option}")
        if option != "batch-in":
            check_writable(file, f"--{option}")
        elif not file.is_file():
            raise typer.BadParameter(f"there is no file {file}", param_hint="--batch-in")


def chosen_model(name: str, *, about: Mapping[str, Any] | None = None, **options: Any) -> Any:
    """Return the model's name, or a scorer where it is one behind an API.

    Parameters
    ----------
    name : str
        What ``--model`` says.
    about : mapping, optional
        Further options of `ApiScorer`, which other models have, too.
    **options
        The options of this file by the names that `ApiScorer` has for them, None where they were
        not given; ``template_file`` and ``prices`` as they were typed.

    Raises
    ------
    typer.BadParameter
        If options for an API are given with another model, or one of them cannot be read.
    ArgumentError
        If they do not go together.
    """
    from perturbx.scorers.api import ApiScorer, names_api_model

    given = {key: value for key, value in options.items() if value not in (None, "auto")}
    if not names_api_model(name):
        if given:
            option = {"template_file": "prompt-template", "n_samples": "samples"}
            first = next(iter(given))
            raise typer.BadParameter(
                f"is for a model behind an API (openai:NAME, anthropic:NAME, ...), and {name!r} "
                f"is none",
                param_hint=f"--{option.get(first, first).replace('_', '-')}",
            )
        return name
    if "max_cost" in given and "prices" not in given:
        raise typer.BadParameter("needs --prices", param_hint="--max-cost")
    template = given.pop("template_file", None)
    if template is not None:
        given["prompt_template"] = read_template(template, "--prompt-template")
    if "labels" in given:
        given["labels"] = labels_of(given["labels"])
    if "prices" in given:
        given["prices"] = _prices(given["prices"])
    return ApiScorer(name, **(about or {}), **given)


def labels_of(labels: str) -> list[str]:
    """Return labels that were typed with commas between them.

    White space is a part of a label only where all of them begin with it.
    """
    parts = labels.split(",")
    if all(part[:1].isspace() for part in parts):
        return parts
    return [part.strip() for part in parts]


def read_template(path: Path, option: str) -> str:
    """Return the text of a template file; the line end at its own end is no part of it.

    Raises
    ------
    typer.BadParameter
        There is no such file.
    ArgumentError
        It is not a text.
    """
    if not path.is_file():
        raise typer.BadParameter(f"there is no file {path}", param_hint=option)
    try:
        return path.read_text(encoding="utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ArgumentError(f"{option}: {path} is not a text in UTF-8") from None


def _prices(typed: str) -> list[float]:
    try:
        prices = [float(part) for part in typed.split(",")]
    except ValueError:
        prices = []
    if len(prices) != 2:
        raise typer.BadParameter(
            f"expected two numbers with a comma between them; got {typed!r}", param_hint="--prices"
        )
    return prices
