"""Reports of audits, made by hand: any groups, outcomes and names."""

from itertools import combinations

import numpy as np
import pytest

from perturbx.fairness.frames import FRAMES, frame
from perturbx.fairness.report import FairnessReport

MEASURES = ("selection_rate", "base_rate", "tpr", "fpr", "fnr", "accuracy", "mean_score")
GAPS = {"demographic_parity": "selection_rate", "equal_opportunity": "tpr"}
GAPS |= {name: name for name in ("fpr", "fnr", "accuracy", "mean_score")}
WORDS = (("women", "gender"), ("she", "gender"), ("awful", "other words"), ("(base value)",) * 2)


def _interval(value, half):
    return {"low": value - half, "high": value + half}


def _attribute(rows, name, groups, outcomes, rng, few):
    sizes = dict(zip(groups, rng.integers(200, 2000, len(groups)), strict=True))
    for group, n in sizes.items():
        own = {"attribute": name, "group": group}
        rows["groups"].append(own | {"origin": "text", "n": n, "n_labelled": n - 5})
    for outcome in outcomes:
        about, levels = {"attribute": name, "outcome": outcome}, {}
        for metric in MEASURES:
            for group in (*groups, "(all)"):
                value = levels[metric, group] = float(rng.uniform(0.05, 0.6))
                cell = about | {"metric": metric, "group": group, "n": 100, "note": ""}
                cell |= {"value": value} | _interval(value, 0.04)
                if group in few:
                    nothing = dict.fromkeys(("value", "low", "high"))
                    cell |= nothing | {"n": 3, "note": "too few"}
                rows["metrics"].append(cell)
        rows["metrics"].append(
            about
            | {"metric": "fped", "group": "(all)", "value": 0.3, "low": 0.2, "high": 0.4}
            | {"n": 900, "note": ""}
        )
        pairs = list(combinations(groups, 2)) if len(groups) < 7 else [(g, "(all)") for g in groups]
        for a, b in pairs:
            pair = about | {"group_a": a, "group_b": b}
            for metric, measure in GAPS.items():
                found = {"value": levels[measure, a] - levels[measure, b], "note": ""}
                found |= _interval(found["value"], 0.06) | {"detectable": 0.12}
                p = max(0.0005, 1 - 8 * abs(found["value"]))
                found |= {"p_value": p, "p_unadjusted": p / 3}
                if {a, b} & set(few):
                    found = dict.fromkeys(found) | {"note": "too few"}
                n = {"n_a": 100, "n_b": 120}
                rows["gaps"].append(pair | {"metric": metric, "kind": "difference"} | found | n)
                ratio = found | {"value": 1.3, "low": 1.1, "high": 1.6, "detectable": None}
                rows["gaps"].append(pair | {"metric": metric, "kind": "ratio"} | ratio | n)
            for place, (word, category) in enumerate(WORDS):
                value = 0.06 / (1 + place) * (-1) ** place
                own = pair | {"word": word, "category": category, "contribution": value}
                own |= _interval(value, 0.01) | {"n_a": 20, "n_b": 3}
                rows["words"].append(own)
                if not word.startswith("("):
                    rows["false_positives"].append(own)
            total = levels["mean_score", a] - levels["mean_score", b]
            for category, part in (("gender", 1.2), ("other words", -0.3), ("(base value)", 0.1)):
                value = part * total
                own = {"category": category, "contribution": value}
                rows["categories"].append(pair | own | _interval(value, 0.01))
            _swaps(rows, pair, rng)
        everyone = {"group_a": "(all)", "group_b": "(all)"}
        rows["counterfactual"].append(about | everyone | _flips("(all)", "(all)", 400, 0.21))
        for group in (*groups, "(all)"):
            own = {"word": "she", "category": "gender", "group": group, "attribution": 0.1, "n": 30}
            rows["identity_terms"].append(about | own | _interval(0.1, 0.02))
            for label in ("positive", "negative"):
                if group != "(all)":
                    own = {"group": group, "label": label, "weight": 1.2, "n": 30}
                    rows["reweighing"].append(about | own)
        _advice(rows, about)


def _flips(term, replacement, n, rate):
    return {
        **{"term": term, "replacement": replacement, "kind": "symmetric", "n": n},
        **{"flip_rate": rate, "flip_low": rate / 2, "flip_high": min(1.0, 2 * rate)},
        **{"mean_shift": 0.12, "low": 0.1, "high": 0.14, "mean_absolute_shift": 0.13},
    }


def _swaps(rows, pair, rng):
    rows["counterfactual"].append(pair | _flips("(all)", "(all)", 40, 0.2))
    rows["counterfactual"].append(pair | _flips("she", "he", 30, 0.25))
    rows["worst_cases"].append(
        pair
        | {"term": "she", "replacement": "he", "kind": "symmetric", "row": 7, "flipped": True}
        | {"text": "I think she is awful.", "swapped_text": "I think he is awful."}
        | {"score": 0.71, "swapped_score": 0.42, "shift": -0.29}
    )


def _advice(rows, about):
    own = {"metric": "demographic_parity", "gap_before": 0.2, "accuracy_before": 0.8, "n": 500}
    rows["advice"].append(
        about
        | own
        | {"remedy": "identity terms masked", "basis": "the model asked", "detail": "9 changes"}
        | {"gap_after": 0.05, "gap_low": 0.01, "gap_high": 0.09}
        | {"accuracy_after": 0.79, "accuracy_low": 0.77, "accuracy_high": 0.81}
    )
    nothing = ("gap_after", "gap_low", "gap_high")
    nothing += ("accuracy_after", "accuracy_low", "accuracy_high")
    rows["advice"].append(
        about
        | own
        | dict.fromkeys(nothing)
        | {"remedy": "a threshold for each group", "basis": "halves", "detail": "several groups"}
    )


def make(
    groups=("women", "men", "nonbinary"),
    *,
    attributes=("gender",),
    outcomes=("toxic",),
    few=(),
    facts=None,
    without=(),
):
    rng = np.random.default_rng(0)
    rows = {name: [] for name in FRAMES}
    for name in attributes:
        _attribute(rows, name, groups, outcomes, rng, few)
    for outcome in outcomes:
        rows["representatives"].append(
            {"outcome": outcome, "row": 3, "text": "She is awful.", "score": 0.9}
            | {"groups": "gender: women", "words": "awful +0.3"}
        )
    known = {
        **{"model": "toxicity.pkl", "dataset": "comments.csv", "n_texts": 4210, "level": 0.95},
        **{"n_labelled": 4200, "n_calls": 91234, "task": "classification", "min_group_size": 20},
        **{"n_resamples": 1000, "n_permutations": 2000, "compare": "auto", "clusters": "author"},
        **{"n_clusters": 1999, "lexicons": ["en: gender"], "n_explained": 300, "seed": 0},
        **{"n_swapped_texts": 400, "explainer": "ShapleyExplainer", "masker": "delete"},
        **{"perturbx": "0.1", "time": "2025-01-02T03:04:05+00:00", "seconds": 71.5},
        "notes": ["12 texts are longer than the model reads; only their beginnings were judged."],
        "outcomes": [
            {"name": name, "threshold": 0.5, "link": "probability", "is_probability": True}
            | {"positive_labels": [1]}
            for name in outcomes
        ],
    }
    tables = {name: frame(name, [] if name in without else rows[name]) for name in FRAMES}
    return FairnessReport(known if facts is None else facts, tables)


@pytest.fixture(scope="session")
def audit_report():
    return make
