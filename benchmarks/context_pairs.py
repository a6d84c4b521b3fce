"""Sources of answers: the default beside ContextCite's lasso, on contexts whose source is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.linear_model import Lasso
from sklearn.preprocessing import StandardScaler

import perturbx as px
from perturbx.explainers.responses import read_out
from perturbx.jobs import Job, Result
from perturbx.runner import Runner

PAIRS = Path(__file__).resolve().parents[1] / "datasets" / "context_questions.jsonl"
BUDGETS = (32, 64, 128)
TOP = (1, 3, 5)
HELD_OUT = 48
PENALTY = 0.01
METHODS = ("perturbx (odd_gp)", "its Banzhaf line", "ContextCite's lasso")


@dataclass(frozen=True)
class Question:
    """A question, its context with another one beside it, and the sentences that answer it."""

    documents: tuple[str, ...]
    query: str
    answer: str
    sources: tuple[str, ...]


def read_questions(language: str = "en") -> list[Question]:
    """Return the questions of a language, each with the context of the next one as a distractor."""
    lines = PAIRS.read_text(encoding="utf-8").splitlines()
    records = [r for r in map(json.loads, lines) if r["language"] == language]
    questions = []
    for i, record in enumerate(records):
        other = records[(i + 1) % len(records)]["context"]
        both = (record["context"], other) if i % 2 else (other, record["context"])
        questions.append(
            Question(both, record["question"], record["answer"], tuple(record["sources"]))
        )
    return questions


class Game:
    """One question as a set function of its sentences: log-odds of its answer."""

    def __init__(self, model: Any, question: Question, seed: int) -> None:
        self.explainer = px.ContextExplainer(
            model, link="log_odds", random_state=seed, progress=False
        )
        self.question = question
        self.arguments = ([list(question.documents)], question.query, [f" {question.answer}"])
        self.scorer, _, (self.encoding,) = self.explainer._ready(
            self.explainer._prompts(*self.arguments[:2]), self.arguments[2], None
        )
        self.units = self.encoding.units
        self.sources = {
            unit
            for unit, piece in enumerate(self.units.pieces)
            if piece.strip() in question.sources
        }

    def log_prob(self, masks: np.ndarray) -> np.ndarray:
        """Return the log-probability of the answer for each row of masks."""
        return self.read(masks).scores[:, 0]

    def read(self, masks: np.ndarray) -> Result:
        """Return the log-probabilities of the answer for rows of masks, with their summands."""
        job = Job(self.encoding, torch.from_numpy(masks))
        outcome = Runner(self.scorer, progress=False).run([job])
        if outcome.failure is not None:
            raise outcome.failure
        return read_out(outcome.results[0], self.encoding)

    def is_answered(self) -> bool:
        """Say whether the model's own answer holds the right one."""
        model = self.explainer._language_model()
        prompt = self.units.text[: self.units.segments[0][1]]
        (said,) = model.generate([prompt], max_new_tokens=12, stop=["\n"])
        return self.question.answer.casefold() in said.casefold()


def answered_by(model: Any, question: Question, n_tokens: int) -> Question:
    """Return a question with what the model says to it, in at most so many tokens."""
    game = Game(model, question, 0)
    prompt = game.units.text[: game.units.segments[0][1]]
    (said,) = game.explainer._language_model().generate([prompt], max_new_tokens=n_tokens)
    return replace(question, answer=said.strip())


def log_odds(log_prob: np.ndarray) -> np.ndarray:
    """Return log p - log(1 - p)."""
    return log_prob - np.log(-np.expm1(np.minimum(log_prob, -1e-300)))


def lasso_line(masks: np.ndarray, scores: np.ndarray, n_tokens: int) -> np.ndarray:
    """Return ContextCite's weights: a lasso over standardised masks, per token of the answer."""
    scaler = StandardScaler()
    line = Lasso(alpha=PENALTY).fit(scaler.fit_transform(masks), scores / n_tokens)
    return line.coef_ / scaler.scale_ * n_tokens


def measure(model: Any, question: Question, seed: int) -> dict[str, Any]:
    """Return every figure of one question: by method, budget and what is measured."""
    game = Game(model, question, seed)
    n = game.units.n_units
    draw = np.random.default_rng(seed)
    drawn = draw.random((max(BUDGETS), n)) < 0.5
    held_out = draw.random((HELD_OUT, n)) < 0.5
    whole = np.ones((1, n), dtype=bool)
    known = game.log_prob(np.concatenate([drawn, held_out, whole]))
    lasso_scores, truth = log_odds(known[: len(drawn)]), log_odds(known[len(drawn) : -1])
    full = known[-1]
    values: dict[tuple[str, int], np.ndarray] = {}
    expected: dict[int, np.ndarray] = {}
    tables = None
    for budget in BUDGETS:
        game.explainer.set_params(budget=budget)
        (found,) = game.explainer.explain(*game.arguments, tables=tables)
        tables = [found.table]
        values[METHODS[0], budget] = found.values[:, 0]
        values[METHODS[1], budget] = found.refit("banzhaf_gp").values[:, 0]
        expected[budget] = found.predict(held_out)[:, 0]
        values[METHODS[2], budget] = lasso_line(
            drawn[:budget], lasso_scores[:budget], len(game.encoding.readout)
        )
    without = {
        (*key, k): _without_largest(own, k) for key, own in values.items() for k in TOP if k < n
    }
    drops = full - game.log_prob(np.array(list(without.values())))
    figures: dict[str, Any] = {"n": n, "answered": game.is_answered()}
    for (method, budget), own in values.items():
        guess = expected[budget] if method == METHODS[0] else held_out @ own
        figures[f"{method}|{budget}|LDS"] = float(spearmanr(guess, truth).statistic)
        top = np.argsort(-own)[:3]
        figures[f"{method}|{budget}|found"] = float(bool(game.sources & set(top.tolist())))
    for (method, budget, k), drop in zip(without, drops, strict=True):
        figures[f"{method}|{budget}|top-{k} drop"] = float(drop)
    return figures


def _without_largest(values: np.ndarray, k: int) -> np.ndarray:
    mask = np.ones(len(values), dtype=bool)
    mask[np.argsort(-values)[:k]] = False
    return mask


def print_table(results: Sequence[dict[str, Any]], seed: int = 0) -> None:
    """Print the means over questions, with the difference from the lasso and its interval."""
    answered = [r for r in results if r["answered"]]
    print(
        f"\n{len(results)} questions, {results[0]['n']} sentences in the first, the model answers "
        f"{len(answered)}; in brackets the 95% interval of the difference from the lasso "
        f"(bootstrap over questions)"
    )
    for measure_name in ("LDS", *(f"top-{k} drop" for k in TOP), "found"):
        rows = answered if measure_name == "found" else results
        title = "marked source in the top 3" if measure_name == "found" else measure_name
        print(f"\n{title:28}" + "".join(f"{budget:>26} calls" for budget in BUDGETS))
        for method in METHODS:
            cells = []
            for budget in BUDGETS:
                own = np.array([r[f"{method}|{budget}|{measure_name}"] for r in rows])
                peer = np.array([r[f"{METHODS[2]}|{budget}|{measure_name}"] for r in rows])
                cell = f"{own.mean():.3f}"
                if method != METHODS[2]:
                    low, high = _interval(own - peer, seed)
                    cell += f" [{low:+.3f}, {high:+.3f}]"
                cells.append(f"{cell:>32}")
            print(f"{method:28}" + "".join(cells))


def _interval(differences: np.ndarray, seed: int) -> tuple[float, float]:
    draw = np.random.default_rng(seed)
    means = differences[draw.integers(len(differences), size=(4000, len(differences)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
