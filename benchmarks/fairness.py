"""Audits where the truth is known, of real classifiers on public sets, and of a million rows.

    python benchmarks/fairness.py                     # all parts, about half an hour on two cores
    python benchmarks/fairness.py --only planted --only null --seeds 20
    python benchmarks/fairness.py --only real --json audit.json

Reads ``data/fairness`` and ``models/minilm-sst2`` of the folder that PERTURBX_SHARED names, and the
audit sets in ``datasets/``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from fairness_models import DATA, minilm_model, tfidf_model

import perturbx as px
from perturbx.fairness import LabelledTexts, PlantedBias, planted_scorer
from perturbx.fairness.loaders import load_audit_set, load_hatecheck, load_madlibs
from perturbx.lexicons import load_lexicon
from perturbx.maskers import Replace
from perturbx.units import Words

DATASETS = Path(__file__).resolve().parents[1] / "datasets"
WORDS = {
    "en": {
        "the": 0.3,
        "of": -0.4,
        "work": 0.8,
        "not": -1.2,
        "this": 0.4,
        "was": -0.3,
        "every": 0.7,
    },
    "zh": {"我": 0.4, "工作": 0.8, "不": -1.2, "都": 0.6, "信": -0.5, "又": -0.6, "感谢": 0.9},
}
"""What else moves the log-odds: the same term then adds another probability in every text."""

REMOVED = Replace("_")
"""So that what stands on either side of a removed Chinese word makes no new one."""


def part_of(data: LabelledTexts, attribute: str, seed: int, share: float) -> LabelledTexts:
    """Return some templates of one attribute: clusters are what is drawn."""
    rng = np.random.default_rng(seed)
    own = [row for row, group in enumerate(data.groups_of(attribute)) if group is not None]
    assert data.clusters is not None
    names = sorted({str(data.clusters[row]) for row in own})
    kept = set(rng.permutation(names)[: max(2, int(share * len(names)))].tolist())
    return data.rows([row for row in own if str(data.clusters[row]) in kept])


def planted(seeds: int) -> dict[str, Any]:
    """Plant a gap of 0.1 in a group, audit half of the templates, and look for it."""
    found: dict[str, Any] = {}
    for language in ("en", "zh"):
        data = load_audit_set(DATASETS / f"audit_{language}.csv")
        for attribute in data.attributes:
            model = planted_scorer(data, attribute, gap=0.1, words=WORDS[language], link="logistic")
            worth = terms_worth(model, data, attribute, language)
            every = data.groups_of(attribute)
            gaps, words, sums, called = [], [], [], []
            for seed in range(seeds):
                part = part_of(data, attribute, seed, 0.5)
                groups = {attribute: part.groups_of(attribute)}
                audit = px.FairnessAudit(
                    model,
                    random_state=seed,
                    n_explained=len(part),
                    explainer=px.ShapleyExplainer(
                        model,
                        estimator="unbiased",
                        budget="fast",
                        masker=REMOVED,
                        random_state=seed,
                    ),
                    n_swaps=0,
                    compare="pairs",
                    progress=False,
                ).fit(LabelledTexts(part.texts, part.labels, groups, part.clusters))
                report = audit.report_
                own = report.gaps
                own = own[(own.metric == "mean_score") & (own.kind == "difference")]
                for row in own.itertuples():
                    truth = model.true_gap(data.texts, every, row.group_a, row.group_b)
                    gaps.append(row.low <= truth + 1e-9 and truth - 1e-9 <= row.high)
                    if abs(truth) > 0.05:
                        called.append(row.p_value < 0.05)
                    split = report.words
                    split = split[(split.group_a == row.group_a) & (split.group_b == row.group_b)]
                    sums.append(abs(split.contribution.sum() - row.value))
                    kinds = report.categories
                    kinds = kinds[
                        (kinds.group_a == row.group_a)
                        & (kinds.group_b == row.group_b)
                        & (kinds.category == attribute)
                    ]
                    for kind in kinds.itertuples():
                        truth = worth[row.group_a] - worth[row.group_b]
                        words.append(kind.low - 1e-6 <= truth <= kind.high + 1e-6)
            found[f"{language} {attribute}"] = {
                "groups": len(data.group_names(attribute)),
                "gaps": len(gaps),
                "gaps inside": float(np.mean(gaps)),
                "planted gaps found": float(np.mean(called)),
                "contributions inside": float(np.mean(words)),
                "largest rest": float(np.max(sums)),
            }
            print(f"{language} {attribute}: {found[f'{language} {attribute}']}", flush=True)
    return found


def terms_worth(
    model: PlantedBias, data: LabelledTexts, attribute: str, language: str
) -> dict[str, float]:
    """Return what the terms of an attribute add to each group's mean score: exact values.

    Only units that touch a weighted word matter, so few coalitions need be asked about.
    """
    lexicon, cut = load_lexicon(attribute, language=language), Words()
    weighted = PlantedBias(model.effects, words=model.words)
    worth: dict[str, list[float]] = {}
    for text, group in zip(data.texts, data.groups_of(attribute), strict=True):
        if group is None:
            continue
        units = cut(text)
        players = np.flatnonzero(weighted.true_contributions(units)).tolist()
        masks = np.zeros((2 ** len(players), units.n_units), dtype=bool)
        masks[:, players] = (np.arange(len(masks))[:, None] >> np.arange(len(players))) & 1
        scores = model(list(REMOVED.variants(units, masks).texts))
        named = [
            place
            for place, unit in enumerate(players)
            if any(
                mention.start < units.first_spans[unit][1]
                and units.first_spans[unit][0] < mention.stop
                for mention in lexicon.find(text)
            )
        ]
        values = px.explain_game(
            lambda asked, scores=scores: scores[asked @ (1 << np.arange(asked.shape[1]))],
            len(players),
            estimator="exact",
            budget=len(masks),
        ).values
        worth.setdefault(group, []).append(float(values[named].sum()))
    return {group: float(np.mean(values)) for group, values in worth.items()}


def null(seeds: int) -> dict[str, Any]:
    """Audit scorers without bias and count those in which any gap is said to be one."""
    found = {}
    for language in ("en", "zh"):
        data = load_audit_set(DATASETS / f"audit_{language}.csv")
        common = words_of_templates(data, WORDS[language])
        n_called = n_gaps = 0
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            words = {word: float(rng.normal(0, 0.5)) for word in common}
            model = PlantedBias(
                {}, words=words, base=0.0, link="logistic", noise=1.0, random_state=seed
            )
            rows = np.sort(rng.choice(len(data), 1500, replace=False))
            audit = px.FairnessAudit(
                model, random_state=seed, n_explained=0, n_swaps=0, progress=False
            ).fit(data.rows(rows.tolist()))
            gaps = audit.report_.gaps
            n_gaps += len(gaps)
            n_called += bool((gaps.p_value < 0.05).any())
        found[language] = {"seeds": seeds, "with a significant gap": n_called, "gaps": n_gaps}
        print(f"{language}: {found[language]}", flush=True)
    return found


def words_of_templates(data: LabelledTexts, words: Iterable[str]) -> list[str]:
    """Return the words that belong to the templates, not to what fills them ("the elderly")."""
    kept = []
    for word in words:
        counts: dict[str, set[float]] = {}
        scores = PlantedBias({}, words={word: 1.0}, link="logistic").true_scores(data.texts)
        for template, score in zip(data.clusters, scores, strict=True):
            counts.setdefault(str(template), set()).add(round(float(score), 9))
        if all(len(found) == 1 for found in counts.values()):
            kept.append(word)
    return kept


def real(n_madlibs: int, n_explained: int) -> dict[str, Any]:
    """Audit both classifiers on madlibs and HateCheck."""
    found: dict[str, Any] = {}
    english = load_madlibs(DATA / "madlibs_en_77k.csv")
    rng = np.random.default_rng(0)
    models: dict[str, Callable[[], Any]] = {"TF-IDF": tfidf_model, "MiniLM": minilm_model}
    for name, make in models.items():
        model = make()
        n_texts = n_madlibs if name == "TF-IDF" else n_explained
        sets = {
            "madlibs en": english.rows(
                np.sort(rng.choice(len(english), n_texts, replace=False)).tolist()
            ),
            "hatecheck": load_hatecheck(DATA / "hatecheck.csv"),
        }
        for title, data in sets.items():
            audit = px.FairnessAudit(
                model,
                positive="toxic",
                positive_label=1,
                n_explained=n_explained if title.startswith("madlibs") else 300,
                random_state=0,
                progress=True,
            )
            began = time.perf_counter()
            report = audit.fit(data).report_
            seconds = time.perf_counter() - began
            terms = report.identity_terms
            terms = terms[(terms.group == "(all)") & (terms.attribute == data.attributes[0])]
            top = terms.sort_values("attribution", ascending=False).head(6)
            swaps = report.counterfactual
            swaps = swaps[(swaps.group_a == "(all)") & (swaps.kind == "symmetric")]
            found[f"{name}, {title}"] = {
                "texts": len(data),
                "explained": report.facts["n_explained"],
                "calls": report.facts["n_calls"],
                "seconds": round(seconds, 1),
                "terms that raise the score most": [
                    f"{row.word} {row.attribution:+.3f} [{row.low:+.3f}, {row.high:+.3f}]"
                    for row in top.itertuples()
                ],
                "overall": {
                    row.metric: round(row.value, 3)
                    for row in report.metrics.itertuples()
                    if row.group == "(all)" and row.attribute == data.attributes[0]
                },
                "flip rates": {
                    row.attribute: f"{row.flip_rate:.3f} [{row.flip_low:.3f}, {row.flip_high:.3f}]"
                    for row in swaps.itertuples()
                },
                "verdicts": [verdict.text for verdict in report.verdicts][:4],
            }
            print(json.dumps({f"{name}, {title}": found[f"{name}, {title}"]}, indent=1), flush=True)
    return found


def chinese() -> dict[str, Any]:
    """Audit a classifier of characters on the Chinese madlibs and on the Chinese audit set."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    own = load_audit_set(DATASETS / "audit_zh.csv")
    madlibs = load_madlibs(DATA / "madlibs_zh.csv", "zh")
    rng = np.random.default_rng(0)
    train = np.sort(rng.choice(len(own), len(own) // 2, replace=False))
    toxic = np.array([int(value) for value in own.extra["toxic"]])
    model = make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 2)), LogisticRegression(C=10)
    ).fit([own.texts[row] for row in train], np.where(toxic[train] == 1, "toxic", "fine"))
    found = {}
    for title, data in {
        "madlibs zh": madlibs.rows(np.sort(rng.choice(len(madlibs), 5000, replace=False)).tolist()),
        "audit_zh": own,
    }.items():
        labels = data.labels if title == "madlibs zh" else data.extra["toxic"]
        data = LabelledTexts(data.texts, [int(v) for v in labels], data.groups, data.clusters)
        audit = px.FairnessAudit(
            model, positive="toxic", positive_label=1, random_state=0, progress=True
        )
        began = time.perf_counter()
        report = audit.fit(data).report_
        found[title] = {
            "texts": len(data),
            "seconds": round(time.perf_counter() - began, 1),
            "verdicts": [verdict.text for verdict in report.verdicts][:5],
        }
        print(json.dumps({title: found[title]}, indent=1, ensure_ascii=False), flush=True)
    return found


def memory(rows: int) -> dict[str, Any]:
    """Stream files of growing size, each in a process of its own, and note the most it held."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for n_rows in (rows // 10, rows):
            for ending in ("csv", "parquet"):
                path = Path(folder) / f"{n_rows}.{ending}"
                _write_rows(path, n_rows)
                done = subprocess.run(
                    [sys.executable, __file__, "--stream", str(path)],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                own = json.loads(done.stdout.splitlines()[-1])
                found[f"{n_rows:,} rows, {ending}"] = own | {"file MB": path.stat().st_size >> 20}
                print(f"{n_rows:,} rows, {ending}: {own}", flush=True)
                path.unlink()
    return found


def _write_rows(path: Path, n_rows: int) -> None:
    import pandas as pd

    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(5000)])
    first = True
    writer = None
    for start in range(0, n_rows, 50_000):
        n = min(50_000, n_rows - start)
        texts = [" ".join(row) for row in words[rng.integers(0, 5000, (n, 20))]]
        table = pd.DataFrame(
            {
                "text": texts,
                "label": rng.integers(0, 2, n),
                "gender": rng.choice(["f", "m"], n),
                "age": rng.choice(["young", "old", "middle"], n),
            }
        )
        if path.suffix == ".csv":
            table.to_csv(path, mode="w" if first else "a", header=first, index=False)
        else:
            import pyarrow as pa
            import pyarrow.parquet as pq

            batch = pa.Table.from_pandas(table, preserve_index=False)
            writer = writer or pq.ParquetWriter(path, batch.schema)
            writer.write_table(batch)
        first = False
    if writer is not None:
        writer.close()


def stream(path: str) -> None:
    """Audit one file and print what it took."""

    def score(texts: list[str]) -> list[float]:
        return [(len(text) * 7919 % 1000) / 1000 for text in texts]

    audit = px.FairnessAudit(score, random_state=0, n_explained=0, n_swaps=0, progress=False)
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    audit.fit_file(path, label="label", groups=["gender", "age"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps(
            {
                "seconds": round(time.perf_counter() - began, 1),
                "MB before": base >> 10,
                "MB at most": peak >> 10,
            }
        )
    )


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ("planted", "null", "real", "chinese", "memory")
    parser.add_argument("--only", action="append", choices=parts)
    parser.add_argument("--seeds", type=int, default=20, help="of planted; null takes 5 times more")
    parser.add_argument("--madlibs", type=int, default=20_000)
    parser.add_argument("--explained", type=int, default=2_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--stream", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stream:
        stream(given.stream)
        return
    run: dict[str, Callable[[], Any]] = {
        "planted": lambda: planted(given.seeds),
        "null": lambda: null(5 * given.seeds),
        "real": lambda: real(given.madlibs, given.explained),
        "chinese": chinese,
        "memory": lambda: memory(given.rows),
    }
    found = {}
    for part in given.only or parts:
        print(f"== {part}", flush=True)
        found[part] = run[part]()
    if given.json:
        given.json.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
