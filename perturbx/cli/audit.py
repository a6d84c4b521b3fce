"""``perturbx audit``: what a model says about groups in a labelled data set."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, cast

import typer

from perturbx.cli.api_options import (
    BaseUrlOption,
    CacheOption,
    ConcurrencyOption,
    LabelsOption,
    MaxCallsOption,
    MaxCostOption,
    MaxNewTokensOption,
    MaxTokensOption,
    MethodOption,
    PricesOption,
    PromptTemplateOption,
    RequestsPerMinuteOption,
    SamplesOption,
    SystemOption,
    TokensPerMinuteOption,
    chosen_model,
)
from perturbx.cli.messages import FAILED, reporting, say
from perturbx.cli.options import (
    HOW,
    RESULTS,
    WHAT,
    BatchTokensOption,
    DeviceOption,
    EstimateOption,
    QuietOption,
    SeedOption,
    number_or_name,
)
from perturbx.cli.outputs import check_results, is_written
from perturbx.cli.python_model import is_python_model, load_python_model

if TYPE_CHECKING:
    from perturbx.fairness import FairnessReport, Gate

GATE_CLOSED = 3
"""The exit code where a condition of ``--fail-if`` is met."""

AuditFormat: TypeAlias = Literal["terminal", "html", "json", "markdown"]

_FORMAT_OF_SUFFIX: dict[str, AuditFormat] = {
    ".html": "html",
    ".htm": "html",
    ".json": "json",
    ".md": "markdown",
}

EXAMPLES = """
Examples:

    perturbx audit reviews.csv --text comment --label stars --group gender --model ./my-classifier
    perturbx audit posts.parquet --text post --lexicon all -m ./toxic -o report.html -o report.json
    perturbx audit posts.csv --group race --fail-if "equal_opportunity_difference > 0.1" --confident
    perturbx audit posts.csv --group race -m python:my_package.models:pipeline
"""


def audit(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A .csv, .tsv, .jsonl or .parquet file; it is read in pieces.",
            show_default=False,
        ),
    ],
    text: Annotated[
        str, typer.Option(metavar="NAME", help="The column of the texts.", rich_help_panel=WHAT)
    ] = "text",
    label: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The column of the labels, if any.", rich_help_panel=WHAT
        ),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A column that says which group a text is about or from; give it again for more.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    lexicon: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME-OR-FILE",
            help="A word list by which groups are found in the texts: 'gender', 'religion', ..., "
            "'all', or a CSV file of your own; give it again for more.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A column of what texts have in common (author, template): such texts are not "
            "independent.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="PATH-OR-NAME",
            help="A transformers classifier, a model behind an API (see 'perturbx explain'), or "
            "'python:MODULE:OBJECT', a function or estimator of your own.",
            rich_help_panel=WHAT,
        ),
    ] = "default",
    positive: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="The output whose decisions are audited; give it again for more.",
            show_default="the last of two, each of more",
            rich_help_panel=WHAT,
        ),
    ] = None,
    positive_label: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL",
            help="The label that is this output, where it has another name.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="The score from which on the model decides for it.",
            show_default="0.5",
            rich_help_panel=HOW,
        ),
    ] = None,
    task: Annotated[
        Literal["auto", "classification", "regression"],
        typer.Option(help="What the model does.", rich_help_panel=HOW),
    ] = "auto",
    intersections: Annotated[
        bool,
        typer.Option(
            "--intersections", help="Audit pairs of attributes, too.", rich_help_panel=HOW
        ),
    ] = False,
    compare: Annotated[
        str,
        typer.Option(
            metavar="[auto|pairs|all|GROUP]",
            help="Which groups are held against which.",
            rich_help_panel=HOW,
        ),
    ] = "auto",
    explained: Annotated[
        int,
        typer.Option(
            metavar="INTEGER", help="Texts explained word by word; 0: none.", rich_help_panel=HOW
        ),
    ] = 300,
    swaps: Annotated[
        int,
        typer.Option(
            metavar="INTEGER",
            help="Texts with swapped identity terms, at most; 0: none.",
            rich_help_panel=HOW,
        ),
    ] = 2000,
    min_group_size: Annotated[
        int,
        typer.Option(
            metavar="INTEGER",
            help="With fewer texts a cell says 'too few'.",
            rich_help_panel=HOW,
        ),
    ] = 10,
    level: Annotated[
        float,
        typer.Option(metavar="NUMBER", help="Confidence of intervals.", rich_help_panel=HOW),
    ] = 0.95,
    output_file: Annotated[
        list[Path] | None,
        typer.Option(
            "--output-file",
            "-o",
            metavar="PATH",
            help="Write the report: .html, .json or .md; give it again for more.",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    output: Annotated[
        AuditFormat,
        typer.Option(help="What is printed.", rich_help_panel=RESULTS),
    ] = "terminal",
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help='End with exit code 3 where a gap meets it: "equal_opportunity_difference > 0.1", '
            '"gender: demographic_parity_ratio < 0.8"; give it again for more.',
            rich_help_panel=RESULTS,
        ),
    ] = None,
    confident: Annotated[
        bool,
        typer.Option(
            "--confident",
            help="Only where its whole interval meets the condition.",
            rich_help_panel=RESULTS,
        ),
    ] = False,
    seed: SeedOption = None,
    estimate: EstimateOption = False,
    device: DeviceOption = None,
    batch_tokens: BatchTokensOption = "auto",
    quiet: QuietOption = False,
    base_url: BaseUrlOption = None,
    labels: LabelsOption = None,
    prompt_template: PromptTemplateOption = None,
    system: SystemOption = None,
    method: MethodOption = "auto",
    samples: SamplesOption = None,
    max_new_tokens: MaxNewTokensOption = None,
    max_calls: MaxCallsOption = None,
    max_tokens: MaxTokensOption = None,
    max_cost: MaxCostOption = None,
    prices: PricesOption = None,
    concurrency: ConcurrencyOption = None,
    requests_per_minute: RequestsPerMinuteOption = None,
    tokens_per_minute: TokensPerMinuteOption = None,
    cache: CacheOption = None,
) -> None:
    """Audit a model for differences between groups: by how much, how sure, and by which words.

    Texts that a model refuses are left out and told. The verdicts go to standard output;
    progress, notes and warnings to standard error. The exit code is 0 where all went well, 1
    after an error, 2 for a wrong option, 3 where a condition of --fail-if is met, 130 after Ctrl-C.
    """
    most_tokens = number_or_name("--batch-tokens", batch_tokens, ("auto",))
    with reporting():
        if not data.is_file():
            raise typer.BadParameter(f"there is no file {data}", param_hint="DATA")
        paths = output_file or []
        for path in paths:
            if path.suffix.lower() not in _FORMAT_OF_SUFFIX:
                raise typer.BadParameter(
                    f"expected a name that ends in .html, .json or .md; got {path}",
                    param_hint="--output-file",
                )
            check_results(path)
        if not paths:
            check_results(None)
        if not group and not lexicon:
            raise typer.BadParameter(
                "say which groups: a column (--group NAME), or words in the texts "
                "(--lexicon gender, --lexicon all)",
                param_hint="--group",
            )
        # It takes seconds to import: `--help` and a wrong option need not wait for it.
        from perturbx.fairness import FairnessAudit, Gate

        if confident and not fail_if:
            raise typer.BadParameter("is about a --fail-if; give one", param_hint="--confident")
        gates = [Gate.read(condition) for condition in fail_if or []]
        _check_attributes(gates, group or (), lexicon or (), crossed=intersections)
        # Of an object of the user's own, too, it refuses options that have no meaning for it.
        asked = chosen_model(
            model,
            base_url=base_url,
            labels=labels,
            template_file=prompt_template,
            system=system,
            method=method,
            n_samples=samples,
            max_new_tokens=max_new_tokens,
            max_calls=max_calls,
            max_tokens=max_tokens,
            max_cost=max_cost,
            prices=prices,
            concurrency=concurrency,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            cache=cache,
        )
        if is_python_model(model):
            asked = load_python_model(model)
        chosen = FairnessAudit(
            asked,
            groups=lexicon or None,
            positive=None if not positive else positive[0] if len(positive) == 1 else positive,
            positive_label=positive_label,
            threshold=threshold,
            task=task,
            intersections=intersections,
            compare=compare,
            min_group_size=min_group_size,
            level=level,
            n_explained=explained,
            n_swaps=swaps,
            random_state=seed,
            device=device,
            batch_tokens=cast("Any", most_tokens),
            progress=not quiet and sys.stderr.isatty(),
        )
        columns: dict[str, Any] = {
            "text": text,
            "label": label,
            "groups": group or (),
            "cluster": cluster,
        }
        if estimate:
            typer.echo(str(chosen.estimate_cost_of_file(data, **columns)))
            return
        report = chosen.fit_file(data, **columns).report_
        done = [path for path in paths if _is_written(report, path)]
        _print(report, output)
        lines = _closed(gates, report, confident)
    if not quiet:
        for path in done:
            say(f"wrote {path}")
    for line in lines:
        say(line)
    if len(done) < len(paths):
        raise typer.Exit(FAILED)
    if lines:
        raise typer.Exit(GATE_CLOSED)


def _check_attributes(
    gates: Sequence[Gate], columns: Sequence[str], lexicons: Sequence[str], *, crossed: bool
) -> None:
    """Raise a usage error, before anything is paid for, for gates on what is not audited."""
    from perturbx.fairness.grouping import CROSSED
    from perturbx.lexicons import as_lexicons

    wanted = [gate.attribute for gate in gates if gate.attribute is not None]
    if not wanted:
        return
    in_texts = [own.attribute for own in as_lexicons(lexicons)] if lexicons else []
    known = list(dict.fromkeys([*columns, *in_texts]))
    for name in wanted:
        parts = name.split(CROSSED) if crossed else [name]
        if name not in known and not (len(parts) == 2 and set(parts) <= set(known)):
            raise typer.BadParameter(
                f"{name!r} is not audited; expected one of {', '.join(map(repr, known))}",
                param_hint="--fail-if",
            )


def _closed(gates: list[Gate], report: FairnessReport, confident: bool) -> list[str]:
    """Return a line for each gap that meets a condition."""
    return [
        f"failed: {line}" for gate in gates for line in gate.failures(report, confident=confident)
    ]


def _is_written(report: FairnessReport, path: Path) -> bool:
    content = _RENDERERS[_FORMAT_OF_SUFFIX[path.suffix.lower()]](report)
    return is_written(lambda: path.write_text(content, "utf-8"), "--output-file")


def _print(report: FairnessReport, output: AuditFormat) -> None:
    if output != "terminal":
        typer.echo(_RENDERERS[output](report))
        return
    from rich.console import Console

    from perturbx.reports.audit_terminal import print_audit

    print_audit(report, Console())


_RENDERERS: dict[str, Any] = {
    "html": lambda report: report.to_html(),
    "json": lambda report: report.to_json(),
    "markdown": lambda report: report.to_markdown(),
}
