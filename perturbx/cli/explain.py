"""``perturbx explain``: what a model makes of some texts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from perturbx.cli.api_options import (
    BaseUrlOption,
    BatchInOption,
    BatchOutOption,
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
    ProxyOption,
    RecordOption,
    RecordPromptsOption,
    RequestsPerMinuteOption,
    SamplesOption,
    SystemOption,
    TokensPerMinuteOption,
    check_api_files,
    chosen_model,
)
from perturbx.cli.inputs import DEFAULT_COLUMN, read_texts
from perturbx.cli.messages import FAILED, reporting, say
from perturbx.cli.options import (
    BUDGETS,
    HOW,
    WHAT,
    BatchTokensOption,
    BudgetOption,
    DeviceOption,
    EstimateOption,
    OutputFileOption,
    OutputOption,
    QuietOption,
    ResumeOption,
    SaveTableOption,
    SeedOption,
    ToleranceOption,
    TopKOption,
    number_or_name,
    outputs_of,
)
from perturbx.cli.outputs import check_results, is_written, write_results
from perturbx.cli.tables import explain_and_save, load_tables, prepare_tables
from perturbx.exceptions import TableError
from perturbx.typing import Link

ExplainerName: TypeAlias = Literal["shapley", "partition", "lime", "lasso", "occlusion"]
UnitsName: TypeAlias = Literal["words", "characters", "sentences", "paragraphs"]
MaskerName: TypeAlias = Literal["auto", "mask", "unk", "delete"]

EXAMPLES = """
Examples:

    perturbx explain "the plot is thin, but the acting is superb"
    perturbx explain --units sentences < letter.txt
    perturbx explain --input reviews.csv --column comment -o reviews.html
    perturbx explain --model ./my-classifier --explainer lime --seed 0 "so so"
    perturbx explain --input reviews.txt --output json --save-table tables/
    perturbx explain --input reviews.txt --tolerance 0.05 --resume tables/
    perturbx explain --input reviews.txt --estimate
    perturbx explain -m openai:gpt-x --labels positive,negative --max-calls 500 "so so"
"""


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
            help="A transformers classifier: a folder or a name on the Hugging Face hub; or a "
            "model behind an API: 'openai:NAME', 'openai-completions:NAME', 'anthropic:NAME'. "
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
    budget: BudgetOption = "auto",
    tolerance: ToleranceOption = None,
    top_k: TopKOption = None,
    link: Annotated[
        Link,
        typer.Option(
            help="The scale. 'identity': the model's own numbers.",
            rich_help_panel=HOW,
        ),
    ] = "identity",
    seed: SeedOption = None,
    output: OutputOption = None,
    output_file: OutputFileOption = None,
    save_table: SaveTableOption = None,
    resume: ResumeOption = None,
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
    proxy: ProxyOption = None,
    record: RecordOption = None,
    record_prompts: RecordPromptsOption = False,
    batch_out: BatchOutOption = None,
    batch_in: BatchInOption = None,
) -> None:
    """Explain what a model makes of a text, unit by unit.

    Results go to standard output; progress, notes and warnings to standard error. The exit code
    is 0 where all went well, 1 after an error, 2 for a wrong option, 130 after Ctrl-C.
    """
    calls = number_or_name("--budget", budget, BUDGETS)
    rule = {"tolerance": tolerance, "top_k": top_k, "proxy": proxy}
    most_tokens = number_or_name("--batch-tokens", batch_tokens, ("auto",))
    with reporting():
        given = read_texts(texts or [], input_file, column)
        check_results(output_file)
        if save_table is not None and not (estimate or batch_out):
            prepare_tables(save_table, len(given))
        paid = None if resume is None else load_tables(resume, given)
        # It takes seconds to import: `--help` and a wrong option need not wait for it.
        from perturbx.explainers import make_explainer
        from perturbx.scorers.api_names import names_api_model

        if labels is None and names_api_model(model):
            raise typer.BadParameter(
                "are needed: what the model may answer to a text (what it says to a prompt by "
                "itself is explained by 'perturbx explain-prompt')",
                param_hint="--labels",
            )
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
        check_api_files(
            asked,
            record=record,
            with_prompts=record_prompts,
            batch_out=batch_out,
            batch_in=batch_in,
            cache=cache,
            output_file=output_file,
            save_table=save_table,
        )
        if batch_in is not None:
            from perturbx.explainers.api_batch import read_batch

            try:
                say(str(read_batch(batch_in, asked.model)))
            except TableError as error:
                raise TableError(f"--batch-in: {str(error).removeprefix('path: ')}") from error
        chosen = make_explainer(
            explainer,
            asked,
            units=units,
            masker=masker,
            budget=calls,
            outputs=outputs_of(outputs),
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
        if batch_out is not None:
            from perturbx.explainers.api_batch import write_batch

            say(f"{write_batch(batch_out, chosen, given):,} requests in {batch_out}")
            return
        results, is_saved = explain_and_save(lambda: chosen.explain(given, tables=paid), save_table)
        is_recorded = True
        if (to := record) is not None:
            from perturbx.explainers.api_record import write_record

            is_recorded = is_written(
                lambda: write_record(to, chosen, results, given, with_prompts=record_prompts),
                "--record",
            )
        is_out = write_results(results, output, output_file)
    if not quiet:
        done = ((output_file, is_out), (save_table, is_saved), (record, is_recorded))
        for path in (path for path, was_written in done if path and was_written):
            say(f"wrote {path}")
        if not isinstance(asked, str):
            say(str(asked.model.spending))
    if not (is_out and is_saved and is_recorded):
        raise typer.Exit(FAILED)
