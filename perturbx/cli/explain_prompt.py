"""``perturbx explain-prompt``: which parts of a prompt made a language model say that."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

from perturbx.cli.api_options import (
    BaseUrlOption,
    CacheOption,
    ConcurrencyOption,
    MaxCallsOption,
    MaxCostOption,
    MaxTokensOption,
    MethodOption,
    PricesOption,
    RequestsPerMinuteOption,
    SamplesOption,
    TokensPerMinuteOption,
    chosen_model,
    read_template,
)
from perturbx.cli.inputs import read_records
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
)
from perturbx.cli.outputs import check_results, write_results
from perturbx.cli.tables import explain_and_save, load_tables, prepare_tables
from perturbx.exceptions import ArgumentError

PromptLink: TypeAlias = Literal["log_prob", "log_odds", "probability"]
PromptUnits: TypeAlias = Literal["sentences", "words", "paragraphs", "characters"]
Assembly: TypeAlias = Literal["tokens", "retokenize"]
Estimator: TypeAlias = Literal[
    "auto", "exact", "odd_gp", "leverage", "kernel", "permutation", "lasso"
]

RESPONSE, ALTERNATIVE, MESSAGES, PROMPT = "response", "alternative", "messages", "prompt"

NAMED, OF_LABELS = ("auto", "response", "sentences", "tokens"), ("auto", "all", "predicted")
"""What `--outputs` may ask of a response, and of labels, beside a part or a label itself."""

EXAMPLES = """
Examples:

    perturbx explain-prompt -m ./my-llm "The sky is" --response " blue"
    perturbx explain-prompt -m ./my-llm --template rag.txt --fields context -i rag.jsonl -o rag.html
    perturbx explain-prompt -m my-llm.gguf -i reviews.jsonl --labels " positive, negative"

A line of --input is an object: the values of the template's fields, or "prompt", or "messages"
(of a chat); and "response" if it was said before, with "alternative" beside it for a contrast
(or the value of a field of such a name).
"""


def explain_prompt(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="PATH-OR-NAME",
            help="A language model: a folder, a name on the Hugging Face hub, or a .gguf file; or "
            "one behind an API: 'openai:NAME', 'openai-completions:NAME', 'anthropic:NAME'.",
            rich_help_panel=WHAT,
        ),
    ],
    prompts: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="A prompt each.", show_default=False),
    ] = None,
    input_file: Annotated[
        Path | None,
        typer.Option(
            "--input",
            "-i",
            metavar="FILE",
            help="Read the prompts from a .jsonl file; '-' is standard input.",
            show_default=False,
            rich_help_panel=WHAT,
        ),
    ] = None,
    template: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The prompt as a text with {named} fields, which the records fill.",
            show_default=False,
            rich_help_panel=WHAT,
        ),
    ] = None,
    fields: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME",
            help="The fields that are played with; the others are frozen.",
            show_default="all",
            rich_help_panel=WHAT,
        ),
    ] = None,
    chat_template_kwargs: Annotated[
        str | None,
        typer.Option(
            metavar="JSON",
            help="What the model's chat template is told beside the messages, "
            "such as '{\"enable_thinking\": false}'.",
            show_default=False,
            rich_help_panel=WHAT,
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL,LABEL",
            help="Explain the probability of each of these behind the prompt, to the character: "
            "with the space before it where the prompt does not end in one.",
            show_default=False,
            rich_help_panel=WHAT,
        ),
    ] = None,
    response: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What was said to the one PROMPT, to the character.",
            show_default="what the model says",
            rich_help_panel=WHAT,
        ),
    ] = None,
    outputs: Annotated[
        str,
        typer.Option(
            metavar="[auto|response|sentences|tokens|all|predicted|NAME]",
            help="What is explained: the response, its sentences or tokens, a part that stands "
            "in it; or all labels, the predicted one, or one of them.",
            rich_help_panel=WHAT,
        ),
    ] = "auto",
    max_new_tokens: Annotated[
        int,
        typer.Option(
            metavar="INTEGER",
            min=1,
            help="Where a response that the model makes itself is cut off, or an answer in words "
            "of a model behind an API.",
            rich_help_panel=WHAT,
        ),
    ] = 64,
    stop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="It ends before this; give it again for more.",
            show_default=False,
            rich_help_panel=WHAT,
        ),
    ] = None,
    estimator: Annotated[
        Estimator, typer.Option(help="The method; 'lasso' is ContextCite's.", rich_help_panel=HOW)
    ] = "auto",
    units: Annotated[
        PromptUnits, typer.Option(help="What is kept or removed as one.", rich_help_panel=HOW)
    ] = "sentences",
    assembly: Annotated[
        Assembly,
        typer.Option(
            help="'tokens': a variant is those of the prompt's tokens that stay; 'retokenize': "
            "the edited string is tokenized anew.",
            rich_help_panel=HOW,
        ),
    ] = "tokens",
    budget: BudgetOption = "auto",
    tolerance: ToleranceOption = None,
    top_k: TopKOption = None,
    link: Annotated[PromptLink, typer.Option(help="The scale.", rich_help_panel=HOW)] = "log_prob",
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
    method: MethodOption = "auto",
    samples: SamplesOption = None,
    max_calls: MaxCallsOption = None,
    max_tokens: MaxTokensOption = None,
    max_cost: MaxCostOption = None,
    prices: PricesOption = None,
    concurrency: ConcurrencyOption = None,
    requests_per_minute: RequestsPerMinuteOption = None,
    tokens_per_minute: TokensPerMinuteOption = None,
    cache: CacheOption = None,
) -> None:
    """Explain which parts of a prompt made a language model say what it says.

    Results go to standard output; progress, notes and warnings to standard error. The exit code
    is 0 where all went well, 1 after an error, 2 for a wrong option, 130 after Ctrl-C.
    """
    calls = number_or_name("--budget", budget, BUDGETS)
    most_tokens = number_or_name("--batch-tokens", batch_tokens, ("auto",))
    rule: dict[str, Any] = {"tolerance": tolerance, "top_k": top_k}
    with reporting():
        given = _records(prompts or [], input_file, response)
        made = None if template is None else read_template(template, "--template")
        check_results(output_file)
        if save_table is not None and not estimate:
            prepare_tables(save_table, len(given))
        paid = None if resume is None else load_tables(resume, None)
        # It takes seconds to import: `--help` and a wrong option need not wait for it.
        from perturbx.explainers.prompt import PromptExplainer
        from perturbx.units.template import Template

        by_name = None if labels is None else labels.split(",")
        asked_of = chosen_model(
            model,
            base_url=base_url,
            method=method,
            n_samples=samples,
            max_calls=max_calls,
            max_tokens=max_tokens,
            max_cost=max_cost,
            prices=prices,
            concurrency=concurrency,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            cache=cache,
            about={"labels": by_name},
        )
        explainer = PromptExplainer(
            asked_of,
            labels=by_name,
            estimator=estimator,
            units=units,
            template=made,
            fields=None if fields is None else [name.strip() for name in fields.split(",")],
            chat_template_kwargs=_json_object("--chat-template-kwargs", chat_template_kwargs),
            assembly=assembly,
            budget=calls,
            outputs=outputs if outputs in (NAMED if by_name is None else OF_LABELS) else [outputs],
            link=link,
            max_new_tokens=max_new_tokens,
            stop=stop or (),
            random_state=seed,
            device=device,
            batch_tokens=most_tokens,  # type: ignore[arg-type]
            progress=not quiet and sys.stderr.isatty(),
            **{name: value for name, value in rule.items() if value is not None},
        )
        in_template = () if made is None else Template(made).fields
        asked = [_prompt(number, own, in_template) for number, own in enumerate(given, 1)]
        said = {
            f"{key}s": None if key in in_template else _column(given, key)
            for key in (RESPONSE, ALTERNATIVE)
        }
        if estimate:
            typer.echo(str(explainer.estimate_cost(asked, **said)))
            return
        results, is_saved = explain_and_save(
            lambda: explainer.explain(asked, tables=paid, **said), save_table
        )
        is_out = write_results(results, output, output_file)
    if not quiet:
        done = ((output_file, is_out), (save_table, is_saved))
        for path in (path for path, was_written in done if path and was_written):
            say(f"wrote {path}")
        if not isinstance(asked_of, str):
            say(str(asked_of.model.spending))
    if not (is_out and is_saved):
        raise typer.Exit(FAILED)


def _records(
    prompts: Sequence[str], file: Path | None, response: str | None
) -> list[dict[str, Any]]:
    if (file is None) == (not prompts):
        raise typer.BadParameter("give a PROMPT, or a file with --input", param_hint="PROMPT")
    if response is not None and len(prompts) != 1:
        raise typer.BadParameter(
            "is for one PROMPT; in a file it is the key 'response'", param_hint="--response"
        )
    if file is not None:
        return read_records(file)
    said = {} if response is None else {RESPONSE: response}
    return [{PROMPT: prompt, **said} for prompt in prompts]


def _json_object(option: str, typed: str | None) -> dict[str, Any] | None:
    if typed is None:
        return None
    try:
        found = json.loads(typed)
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"is no JSON ({error})", param_hint=option) from error
    if not isinstance(found, dict):
        raise typer.BadParameter(f"expected a JSON object, got {typed!r:.80}", param_hint=option)
    return found


def _prompt(number: int, record: Mapping[str, Any], fields: Sequence[str]) -> Any:
    """Return what a record asks: the messages of a chat, a text, or the values of fields."""
    # A template may have a field of such a name, beside others.
    fills = len(fields) > 1 and {*fields} <= {*record}
    keys = [] if fills else [key for key in (MESSAGES, PROMPT) if key in record]
    if len(keys) > 1:
        raise ArgumentError(f"--input: record {number} has {MESSAGES!r} and {PROMPT!r}; give one")
    if keys == [MESSAGES] and isinstance(record[MESSAGES], str):
        raise ArgumentError(
            f"--input: record {number}: {MESSAGES!r} is a list of messages; a text is a {PROMPT!r}"
        )
    if keys:
        return record[keys[0]]
    kept = {*fields} | {*record} - {RESPONSE, ALTERNATIVE}
    return {key: value for key, value in record.items() if key in kept}


def _column(records: Sequence[Mapping[str, Any]], key: str) -> list[str] | None:
    """Return what every record has under a key, None where none has it."""
    having = [record for record in records if key in record]
    if not having:
        return None
    if len(having) < len(records):
        missing = next(i for i, record in enumerate(records) if key not in record)
        raise ArgumentError(
            f"--input: record {missing + 1} has no {key!r} and others do; give it to all or none"
        )
    return [record[key] for record in records]
