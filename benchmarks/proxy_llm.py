"""A real pair: a language model behind llama.cpp, paid for, and others as its proxy.

    python tests/servers/llama_server.py model.gguf --python PYTHON-WITH-LLAMA-CPP
    python benchmarks/proxy_llm.py --url http://127.0.0.1:8011/v1 --model FOLDER-OR-GGUF

The paid model is asked about all masks of short reviews (log-odds of " positive" against
" negative" behind a prompt; the answers are kept in the file --cache). The proxies are the same
weights in transformers with another prompt, with their last layers cut off, and the classifier that
perturbx ships. Errors are relative and squared, at equal paid calls, the mean over reviews and
seeds: of odd_gp alone and with each proxy.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch

import perturbx as px
from perturbx.coalitions import OddPairs, PlayerCount
from perturbx.maskers.variants import Variants
from perturbx.score_table import ScoreTable
from perturbx.scorers.api.openai import OpenAICompletions
from perturbx.scorers.causal_lm import CausalLM
from perturbx.scorers.continuations import Continued
from perturbx.scorers.language_models import as_language_model
from perturbx.surrogates import ExactShapley, OddGP, WithProxy

REVIEWS = (
    "thin plot but truly superb acting and music",
    "never dull though far too long and loud",
    "not bad at all and often rather funny",
    "a lovely start and then an awful end",
    "hardly a laugh in this so called comedy",
    "the cast is great but everything else fails",
)
PROMPT = "Review: {}\nSentiment:"
OTHER_PROMPT = 'A critic wrote: "{}" That is a judgement that is'
LABELS = (" positive", " negative")
BUDGETS = (2, 3, 5, 10)

NEGLIGIBLE = 1e-6
"""Variance that the bounds on what does not show may leave."""


class ManyTokens(OpenAICompletions):
    """llama.cpp shows as many of the likeliest tokens as one likes: labels are among 20,000."""

    most_top_log_probs = (20_000,)


def variants_of(review: str) -> tuple[np.ndarray, list[str]]:
    """Return all masks of a review's words, and its text under each."""
    words = review.split()
    masks = ((np.arange(2 ** len(words))[:, None] >> np.arange(len(words))) & 1).astype(bool)
    texts = [" ".join(w for w, kept in zip(words, mask, strict=True) if kept) for mask in masks]
    return masks, texts


def paid_log_odds(scorer: px.ApiScorer, texts: list[str]) -> np.ndarray:
    """Return the log-odds that the server's model gives."""
    scores = scorer.score(Variants(texts=texts))
    assert scores.variances is not None
    assert scores.variances.max() < NEGLIGIBLE, "a label does not show"
    return scores.values[:, 0] - scores.values[:, 1]


def hosted_log_odds(model: Any, prompt: str, texts: list[str]) -> np.ndarray:
    """Return those of a model at hand."""
    tokens = [np.array(model.tokenizer(["x"], [label])["input_ids"][0][-1:]) for label in LABELS]
    prompts = [np.array(model.tokenizer([prompt.format(t)])["input_ids"][0]) for t in texts]
    questions = [Continued(own, tuple(tokens)) for own in prompts]
    found = {i: answers for part in model.log_probs(questions) for i, answers in part}
    return np.array([float(found[i][0].sum() - found[i][1].sum()) for i in range(len(texts))])


def without_last_layers(model: CausalLM, n_layers: int) -> CausalLM:
    """Return the model with its last layers cut off."""
    inner = model.model
    inner.model.layers = inner.model.layers[:-n_layers]
    inner.config.num_hidden_layers -= n_layers
    if getattr(inner.config, "layer_types", None):
        inner.config.layer_types = inner.config.layer_types[:-n_layers]
    return CausalLM(inner, model.tokenizer.wrapped)


def pipeline_of_shipped() -> Any:
    """Return the shipped classifier as a function from texts to logits."""
    scorer: Any = px.as_scorer("default")

    def logits(texts: list[str]) -> np.ndarray:
        encoded = scorer.tokenizer(texts, padding=True, return_tensors="pt")
        with torch.inference_mode():
            values: np.ndarray = scorer.model(**encoded).logits.numpy()
        return values

    return logits


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--cache")
    parser.add_argument("--reviews", type=int, default=len(REVIEWS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--cut", type=int, default=2, help="layers cut off")
    options = parser.parse_args()
    paid_model = px.ApiModel(
        ManyTokens("local", base_url=options.url), concurrency=2, cache=options.cache
    )
    scorer = px.ApiScorer(
        paid_model,
        labels=LABELS,
        prompt_template=PROMPT.format("{text}"),
        method="label_log_probs",
    )
    games = [variants_of(review) for review in REVIEWS[: options.reviews]]
    paid = [paid_log_odds(scorer, texts) for _, texts in games]
    print(paid_model.spending, flush=True)
    hosted: Any = as_language_model(options.model)
    shipped = pipeline_of_shipped()
    proxies = {
        "same weights": [hosted_log_odds(hosted, PROMPT, texts) for _, texts in games],
        "another prompt": [hosted_log_odds(hosted, OTHER_PROMPT, texts) for _, texts in games],
        "shipped classifier": [np.diff(shipped(texts), axis=1).ravel() for _, texts in games],
    }
    cut: Any = without_last_layers(hosted, options.cut)
    name = f"{options.cut} layers cut off"
    proxies[name] = [hosted_log_odds(cut, PROMPT, texts) for _, texts in games]
    for proxy, values in proxies.items():
        alike = np.mean([np.corrcoef(v, p)[0, 1] for v, p in zip(values, paid, strict=True)])
        print(f"correlation with the paid scores, {proxy}: {alike:.2f}")
    print(f"{'calls a unit':22s}" + "".join(f"{b:>9d}" for b in BUDGETS))
    torch.set_num_threads(1)
    for proxy in (None, *proxies):
        row = []
        for per_unit in BUDGETS:
            errors = []
            for number, ((masks, _), values) in enumerate(zip(games, paid, strict=True)):
                other = None if proxy is None else proxies[proxy][number]
                errors += _errors(masks, values, other, per_unit, options.seeds)
            row.append(float(np.mean(errors)))
        print(f"{proxy or 'odd_gp alone':22s}" + "".join(f"{e:9.4f}" for e in row), flush=True)


def _errors(
    masks: np.ndarray, values: np.ndarray, proxy: np.ndarray | None, per_unit: int, n_seeds: int
) -> list[float]:
    n_units = masks.shape[1]
    whole = ScoreTable(masks, values[:, None], ("y",))
    truth = ExactShapley().fit([whole])[0].values
    surrogate: Any = OddGP()
    if proxy is not None:
        surrogate = WithProxy(ScoreTable(masks, proxy[:, None], ("y",)))
    tables = []
    for seed in range(n_seeds):
        drawn = OddPairs().sample(
            PlayerCount(n_units), per_unit * n_units + 2, torch.Generator().manual_seed(seed)
        )
        tables.append(whole.rows(drawn.masks.numpy() @ (1 << np.arange(n_units))))
    fits = surrogate.fit(tables)
    return [float(((fit.values - truth) ** 2).sum() / (truth**2).sum()) for fit in fits]


if __name__ == "__main__":
    main()
