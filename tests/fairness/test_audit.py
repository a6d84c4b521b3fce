"""Audits from the texts to the report: what was planted is found, and nothing else is."""

import csv
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import perturbx as px
from perturbx.fairness import LabelledTexts, PlantedBias, planted_scorer
from perturbx.fairness.frames import FRAMES
from perturbx.fairness.loaders import load_audit_set, load_madlibs
from perturbx.surrogates import PermutationShapley

DATASETS = Path(__file__).resolve().parents[2] / "datasets"
QUICK = {"n_resamples": 200, "n_permutations": 300, "random_state": 0, "progress": False}

PEOPLE = {
    "female": ("The woman", "My sister", "The actress"),
    "male": ("The man", "My brother", "The actor"),
}
DEEDS = ("was brilliant", "was lazy", "came late", "did well", "smiled", "wrote a letter", "sang")
DAYS = ("on Monday", "today", "at noon", "in May")


def small_set():
    texts, genders, labels, clusters = [], [], [], []
    for number, (deed, day) in enumerate((deed, day) for deed in DEEDS for day in DAYS):
        for gender, names in PEOPLE.items():
            for name in names:
                texts.append(f"{name} {deed} {day}.")
                genders.append(gender)
                labels.append(int("brilliant" in deed or "well" in deed))
                clusters.append(number)
    return LabelledTexts(texts, labels, {"gender": genders}, clusters, name="small")


SMALL = small_set()
WOMEN = {"woman": -0.12, "sister": -0.12, "actress": -0.12}
PRAISE = {"brilliant": 0.3, "well": 0.15, "lazy": -0.1}


def biased():
    return PlantedBias(WOMEN, words=PRAISE, base=0.42)


@pytest.fixture(scope="module")
def report():
    return px.FairnessAudit(biased(), **QUICK).fit(SMALL).report_


def of(table, **wanted):
    for name, value in wanted.items():
        table = table[table[name] == value]
    return table


def test_every_table_is_there_with_its_columns(report):
    assert set(report.frames) == set(FRAMES)
    for name, columns in FRAMES.items():
        assert list(report.frames[name].columns) == [column.name for column in columns]
    for name in ("groups", "metrics", "gaps", "words", "categories", "identity_terms"):
        assert len(report.frames[name])
    for name in ("counterfactual", "worst_cases", "representatives", "advice", "reweighing"):
        assert len(report.frames[name])
    assert report.facts["n_texts"] == len(SMALL)


def test_a_planted_gap_is_found_with_its_size(report):
    (gap,) = of(report.gaps, metric="mean_score", kind="difference").itertuples()
    assert (gap.group_a, gap.group_b) == ("female", "male")
    assert gap.value == pytest.approx(-0.12)
    assert gap.low - 1e-9 <= -0.12 <= gap.high + 1e-9
    assert gap.p_value < 0.05


def test_the_words_behind_a_gap_add_up_to_it(report):
    for table in (report.words, report.categories):
        assert table.contribution.sum() == pytest.approx(-0.12, abs=1e-6)
    (gender,) = of(report.categories, category="gender").itertuples()
    assert gender.low - 1e-6 <= -0.12 <= gender.high + 1e-6
    assert gender.contribution == pytest.approx(-0.12, abs=1e-6)
    leading = report.words.sort_values("contribution").word.head(3)
    assert set(leading) == set(WOMEN)


def test_parts_add_up_for_a_sample_and_for_other_explainers():
    for explainer in (None, "lime", px.OcclusionExplainer(biased())):
        audit = px.FairnessAudit(
            biased(), explainer=explainer, n_explained=60, n_swaps=0, **QUICK
        ).fit(SMALL)
        assert audit.report_.words.contribution.sum() == pytest.approx(-0.12, abs=1e-9)
        assert audit.report_.categories.contribution.sum() == pytest.approx(-0.12, abs=1e-9)


def test_swapping_terms_moves_scores_by_what_was_planted(report):
    symmetric = of(report.counterfactual, attribute="gender", kind="symmetric")
    to_male = of(symmetric, group_a="female", group_b="male", term="(all)")
    assert to_male.mean_shift.item() == pytest.approx(0.12)
    everyone = of(symmetric, group_a="(all)")
    assert everyone.mean_absolute_shift.item() == pytest.approx(0.12)
    assert 0 < everyone.flip_rate.item() < 1
    assert everyone.flip_low.item() < everyone.flip_rate.item() < everyone.flip_high.item()
    worst = report.worst_cases.iloc[0]
    assert worst.swapped_score - worst.score == pytest.approx(worst["shift"])
    assert worst.text == SMALL.texts[worst.row]
    assert worst.text != worst.swapped_text


def test_neutral_words_close_the_gap(report):
    (row,) = of(
        report.advice,
        remedy="reading texts with neutral words for identity terms",
        metric="equal_opportunity",
    ).itertuples()
    assert row.gap_before > 0.2
    assert row.gap_after == pytest.approx(0.0)
    assert row.gap_low <= row.gap_after <= row.gap_high


def test_no_call_is_made_twice():
    asked = []
    inner = biased()

    def counting(texts):
        asked.extend(texts)
        return inner(texts)

    twice = LabelledTexts(
        SMALL.texts * 2,
        SMALL.labels * 2,
        {name: values * 2 for name, values in SMALL.groups.items()},
        SMALL.clusters * 2,
    )
    audit = px.FairnessAudit(counting, n_explained=0, n_swaps=500, **QUICK).fit(twice)
    assert len(asked) == len(set(asked)) == audit.report_.facts["n_calls"]


def test_a_model_that_was_trained_anew_in_place_is_asked_anew():
    leaning, texts = (
        [0.4],
        [f"{who} is at work, day {n}." for n in range(12) for who in ("She", "He")],
    )

    def model(texts):
        return [0.5 + leaning[0] * text.startswith("She") for text in texts]

    def gap_and_calls(audit):
        report = audit.fit(texts).report_
        return report.gaps[report.gaps.metric == "mean_score"].value.iloc[0], report.facts[
            "n_calls"
        ]

    options = {"groups": "gender", "n_explained": 0, "n_swaps": 0, **QUICK}
    audit = px.FairnessAudit(model, **options)
    assert gap_and_calls(audit) == (pytest.approx(0.4), 24)
    leaning[0] = 0.1
    assert gap_and_calls(audit) == (pytest.approx(0.1), 24)


@pytest.mark.parametrize("bad", [ValueError("boom"), float("nan")], ids=["raises", "NaN"])
def test_what_was_scored_before_a_failure_is_kept(bad):
    asked = []
    inner = biased()
    broken = [True]

    def failing(texts):
        scores = np.array(inner(texts))
        if broken[0] and len(asked) > 60:
            if isinstance(bad, float):
                scores[0] = bad
            else:
                raise bad
        asked.extend(texts)
        return scores

    audit = px.FairnessAudit(failing, n_explained=0, n_swaps=0, batch_tokens=1000, **QUICK)
    with pytest.raises(px.ScoringError, match="are kept"):
        audit.fit(SMALL)
    kept = len(audit._scores())
    assert 0 < kept < len(SMALL)
    broken[0] = False
    asked.clear()
    audit.fit(SMALL)
    assert len(asked) == len(set(SMALL.texts)) - kept


@pytest.mark.parametrize("fault", [ValueError("boom"), KeyboardInterrupt()])
@pytest.mark.parametrize("after", [150, 490])
@pytest.mark.parametrize("seed", [0, None, "generator"])
def test_an_audit_that_fails_in_any_stage_goes_on_from_there(fault, after, seed):
    asked = []
    inner = biased()
    broken = [False]

    def failing(texts):
        if broken[0] and len(asked) > after:
            raise fault
        asked.extend(texts)
        return inner(texts)

    state = np.random.default_rng(0) if seed == "generator" else seed
    options = QUICK | {"random_state": state, "n_explained": 20, "n_swaps": 60}
    audit = px.FairnessAudit(failing, batch_tokens=1000, **options)
    whole = audit.fit(SMALL).report_
    n_calls = len(asked)
    assert after < n_calls
    asked.clear()
    broken[0] = True
    with pytest.raises((px.ScoringError, px.Interrupted)):
        audit.fit(SMALL)
    broken[0] = False
    report = audit.fit(SMALL).report_
    if seed != 0:
        assert len(asked) - len(set(asked)) < 20
    else:
        assert len(asked) == n_calls
        for name, table in whole.frames.items():
            assert report.frames[name].equals(table), name


def test_what_explaining_has_paid_for_is_kept_whatever_error_follows(monkeypatch):
    asked = []
    inner = biased()

    def model(texts):
        asked.extend(texts)
        return inner(texts)

    def fails(self, tables):
        raise px.SurrogateError("no line through this")

    audit = px.FairnessAudit(model, **QUICK | {"n_explained": 20, "n_swaps": 0})
    with monkeypatch.context() as context:
        context.setattr(PermutationShapley, "fit", fails)
        with pytest.raises(px.SurrogateError):
            audit.fit(SMALL)
    assert len(asked) > len(set(SMALL.texts))
    n_calls = len(asked)
    assert len(audit.fit(SMALL).report_.words)
    assert len(asked) == n_calls


def test_an_explainer_without_a_seed_has_that_of_the_audit():
    explainer = px.LimeExplainer(biased(), method="lime", budget=12, progress=False)
    options = QUICK | {"explainer": explainer, "n_explained": 20, "n_swaps": 0}
    first, second = (px.FairnessAudit(biased(), **options).fit(SMALL).report_ for _ in range(2))
    for name, table in first.frames.items():
        assert second.frames[name].equals(table), name
    assert explainer.random_state is None


def test_another_explainer_begins_anew():
    inner = biased()
    broken = [True]
    asked = []

    def failing(texts):
        if broken[0] and len(asked) > 200:
            raise ValueError("boom")
        asked.extend(texts)
        return inner(texts)

    options = QUICK | {"n_explained": 20, "n_swaps": 0}
    audit = px.FairnessAudit(failing, batch_tokens=1000, **options)
    with pytest.raises(px.ScoringError):
        audit.fit(SMALL)
    broken[0] = False
    audit.set_params(explainer=px.OcclusionExplainer(failing, units="characters", progress=False))
    assert len(audit.fit(SMALL).report_.words)


def test_a_scorer_without_bias_is_not_accused():
    called = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        words = {word: float(rng.normal(0, 0.03)) for word in ("the", "my", "today", "late")}
        model = PlantedBias({}, words=words, noise=0.25, random_state=seed)
        audit = px.FairnessAudit(
            model, n_explained=0, n_swaps=0, **(QUICK | {"random_state": seed})
        ).fit(SMALL)
        called += bool((audit.report_.gaps.p_value < 0.05).any())
    # 20 draws at 5%: more than 4 in one of 400 such tests.
    assert called <= 4


@pytest.mark.parametrize(
    ("language", "attribute"), [("en", "religion"), ("zh", "gender"), ("zh", "age")]
)
def test_planted_gaps_of_the_audit_sets_are_recovered(language, attribute):
    data = load_audit_set(DATASETS / f"audit_{language}.csv")
    rows = [i for i, group in enumerate(data.groups_of(attribute)) if group is not None]
    part = data.rows(rows)
    part = LabelledTexts(
        part.texts, part.labels, {attribute: part.groups_of(attribute)}, part.clusters
    )
    inside = []
    for seed in range(4):
        model = planted_scorer(data, attribute, gap=0.1, noise=0.03, random_state=seed)
        looked_into = (
            {"n_explained": 0, "n_swaps": 0} if seed else {"n_explained": 100, "n_swaps": 200}
        )
        report = px.FairnessAudit(model, **looked_into, **QUICK).fit(part).report_
        for gap in of(report.gaps, metric="mean_score", kind="difference").itertuples():
            groups = part.groups_of(attribute)
            truth = model.true_gap(part.texts, groups, gap.group_a, gap.group_b)
            inside.append(gap.low <= truth <= gap.high)
            assert (gap.p_value < 0.05) == (abs(truth) > 0.05)
            if not seed:
                split = of(report.words, group_a=gap.group_a, group_b=gap.group_b)
                assert split.contribution.sum() == pytest.approx(gap.value, abs=1e-9)
                assert len(of(report.counterfactual, attribute=attribute, term="(all)"))
    # Of 95% intervals, whose gaps hang together.
    assert np.mean(inside) >= 0.8


def test_chinese_texts_are_found_and_swapped_by_words():
    data = load_audit_set(DATASETS / "audit_zh.csv")
    rows = [i for i, group in enumerate(data.groups_of("gender")) if group is not None]
    texts = [data.texts[row] for row in rows]
    model = planted_scorer(data, "gender", gap=0.1)
    audit = px.FairnessAudit(model, groups="gender", n_explained=0, n_swaps=400, **QUICK)
    report = audit.fit(texts).report_
    assert report.facts["lexicons"][0] == "zh_gender"
    sizes = dict(zip(report.groups.group, report.groups.n, strict=True))
    assert min(sizes.values()) >= len(rows) * 0.45
    (gap,) = of(report.gaps, metric="mean_score", kind="difference").itertuples()
    assert abs(gap.value) == pytest.approx(0.1, abs=0.02)


def test_scripts_without_word_lists_are_audited_by_columns():
    texts = [
        f"{who}は{what}。{n}"
        for n in range(20)
        for who in ("彼女", "彼")
        for what in ("来た", "寝た")
    ]
    who = [text.split("は")[0] for text in texts]

    def model(batch):
        return [0.7 if text.startswith("彼女") else 0.4 for text in batch]

    report = px.FairnessAudit(model, n_explained=30, **QUICK).fit(texts, None, {"who": who}).report_
    (gap,) = of(report.gaps, metric="mean_score", kind="difference").itertuples()
    assert abs(gap.value) == pytest.approx(0.3)
    assert report.words.contribution.sum() == pytest.approx(gap.value)
    assert any("'ja'" in note for note in report.facts["notes"])
    assert not len(report.counterfactual)


def test_regression():
    rng = np.random.default_rng(0)
    texts = [f"{who} number {i}" for i in range(60) for who in ("she", "he")]
    y = np.repeat(rng.normal(5, 1, 60), 2)

    def predict(batch):
        return [
            y[texts.index(text)] + (0.5 if text.startswith("she") else 0.0)
            if text in texts
            else 5.0
            for text in batch
        ]

    audit = px.FairnessAudit(predict, n_explained=20, n_swaps=0, **QUICK)
    report = audit.fit(texts, y, {"who": [text.split()[0] for text in texts]}).report_
    assert report.facts["task"] == "regression"
    (gap,) = of(report.gaps, metric="mean_error", kind="difference").itertuples()
    assert (gap.group_a, gap.value) == ("he", pytest.approx(-0.5))
    assert gap.p_value < 0.05
    assert "tpr" not in set(report.metrics.metric)
    assert report.words.contribution.sum() == pytest.approx(gap.value)


def test_several_classes_are_each_held_against_the_rest():
    def three(batch):
        return np.array(
            [
                [0.5, 0.3, 0.2]
                if "sister" in t or "woman" in t or "actress" in t
                else [0.2, 0.2, 0.6]
                for t in batch
            ]
        )

    y = np.resize(["a", "b", "c"], len(SMALL)).tolist()
    audit = px.FairnessAudit(
        three, output_names=["a", "b", "c"], n_explained=10, n_swaps=50, **QUICK
    )
    report = audit.fit(SMALL.texts, y, dict(SMALL.groups)).report_
    assert set(report.gaps.outcome) == {"a", "b", "c"}
    rates = of(report.gaps, metric="demographic_parity", kind="difference")
    assert dict(zip(rates.outcome, rates.value, strict=True)) == {"a": 1.0, "b": 0.0, "c": -1.0}
    one = px.FairnessAudit(
        three, output_names=["a", "b", "c"], positive="a", n_explained=0, n_swaps=0, **QUICK
    )
    assert set(one.fit(SMALL.texts, y, dict(SMALL.groups)).report_.gaps.outcome) == {"a"}


def test_intersections_and_several_columns():
    ages = np.resize(["young", "old"], len(SMALL)).tolist()
    audit = px.FairnessAudit(biased(), intersections=True, n_explained=0, n_swaps=0, **QUICK)
    report = audit.fit(SMALL.texts, SMALL.labels, dict(SMALL.groups) | {"age": ages}).report_
    assert set(report.groups.attribute) == {"gender", "age", "gender & age"}
    assert "female & old" in set(report.groups.group)


def test_groups_found_in_texts_equal_those_given():
    given = px.FairnessAudit(biased(), n_explained=0, n_swaps=0, **QUICK).fit(SMALL)
    found = px.FairnessAudit(biased(), groups="gender", n_explained=0, n_swaps=0, **QUICK)
    found.fit(SMALL.texts, SMALL.labels, clusters=SMALL.clusters)
    same = ["metric", "kind", "group_a", "group_b", "value", "low", "high", "n_a", "n_b"]
    pd.testing.assert_frame_equal(given.report_.gaps[same], found.report_.gaps[same])


def test_a_file_gives_what_the_same_rows_give_in_memory(tmp_path):
    path = tmp_path / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["comment", "good", "gender", "deed"])
        rows = zip(SMALL.texts, SMALL.labels, SMALL.groups["gender"], SMALL.clusters, strict=True)
        writer.writerows(rows)
    options = {"n_explained": 30, "n_swaps": 60, **QUICK}
    one = px.FairnessAudit(biased(), **options).fit(SMALL).report_
    two = (
        px.FairnessAudit(biased(), **options)
        .fit_file(path, text="comment", label="good", groups=["gender"], cluster="deed")
        .report_
    )
    for name, table in one.frames.items():
        pd.testing.assert_frame_equal(table, two.frames[name])


def test_runs_of_one_seed_are_equal_and_records_read_back(report):
    again = px.FairnessAudit(biased(), **QUICK).fit(SMALL).report_
    for name, table in report.frames.items():
        pd.testing.assert_frame_equal(table, again.frames[name])
    read = px.FairnessReport.from_json(report.to_json())
    for name, table in report.frames.items():
        pd.testing.assert_frame_equal(table, read.frames[name], check_exact=False)
    assert [verdict.text for verdict in read.verdicts] == [v.text for v in report.verdicts]
    with pytest.raises(px.TableError, match="format"):
        px.FairnessReport.from_dict({"format": "other"})
    with pytest.raises(px.TableError, match="record: expected an object"):
        px.FairnessReport.from_dict([1])


def test_scikit_learn_rules():
    audit = px.FairnessAudit(biased(), n_explained=0, n_swaps=0, level=0.9, **QUICK)
    with pytest.raises(NotFittedError):
        audit.to_html()
    copy = clone(audit)
    assert copy.get_params()["level"] == 0.9
    assert copy.model is audit.model
    assert copy.set_params(level=0.8).level == 0.8
    assert audit.fit(SMALL) is audit
    assert audit.to_pandas()["gaps"] is audit.report_.gaps


def test_cost_is_an_upper_bound():
    audit = px.FairnessAudit(biased(), n_explained=40, n_swaps=100, **QUICK)
    cost = audit.estimate_cost(SMALL.texts)
    audit.fit(SMALL)
    assert audit.report_.facts["n_calls"] <= cost.most_calls * 1.15
    assert cost.scoring == len(SMALL)
    assert "calls" in str(cost)


@pytest.mark.parametrize(
    ("options", "fit", "message"),
    [
        ({}, {"sensitive_features": None}, "groups: no row belongs to any group"),
        ({"groups": "shoe size"}, {}, "groups: .*expected one of .*en_gender"),
        ({"positive": "nice"}, {}, "positive: .*output"),
        ({"threshold": float("nan")}, {}, "threshold"),
        ({"level": 1.5}, {}, "level: expected a number between 0 and 1"),
        ({"compare": "dog"}, {}, "compare: .*female"),
        ({"n_swaps": -1}, {}, "n_swaps"),
        ({"task": "sport"}, {}, "task"),
        ({"explainer": 3}, {}, "explainer: expected"),
        ({"positive_label": "x"}, {}, "positive_label: 'x' does not occur"),
        ({"link": "odds"}, {}, "link: expected one of auto, identity"),
        ({"threshold": "0.5"}, {}, "threshold: expected a number"),
        ({"threshold": True}, {}, "threshold: expected a number"),
        ({"compare": {"height": "tall"}}, {}, "compare: there is no attribute 'height'"),
        ({"task": "regression", "threshold": 0.5}, {}, "threshold: a regression decides nothing"),
        ({"task": "regression", "positive_label": 1}, {}, "positive_label: a regression decides"),
        ({"task": "regression"}, {"y": [np.inf, *range(167)]}, "y: a regression needs finite"),
        ({}, {"y": dict.fromkeys(range(168), 0)}, "y: expected a value per text"),
        ({}, {"y": np.zeros((168, 2))}, "y: expected one column"),
        ({}, {"texts": set(SMALL.texts)}, "texts: expected a list of texts, got set"),
        ({}, {"sensitive_features": {"g": ["f", "f ", "m"] * 56}}, "differ in white space only"),
        ({}, {"y": [0] * 3}, "y: has 3 rows for 168 texts"),
        ({}, {"y": ["good", 1] * 84}, "y: expected labels of one type"),
        ({}, {"sensitive_features": {"g": ["a"]}}, r"sensitive_features\['g'\]: has 1 rows"),
        ({}, {"sensitive_features": {"g": ["a", 1] * 84}}, "several types"),
        ({}, {"clusters": [1]}, "clusters: has 1 rows"),
        ({}, {"texts": [*SMALL.texts[:-1], 3]}, r"texts\[167\]: expected a string"),
        ({}, {"texts": "a text"}, "put a single text into a list"),
        ({}, {"texts": [], "y": [], "sensitive_features": {"g": []}}, "at least one text"),
    ],
)
def test_errors_name_the_argument(options, fit, message):
    given = {
        "texts": SMALL.texts,
        "y": SMALL.labels,
        "sensitive_features": dict(SMALL.groups),
    } | fit
    model, asked = biased(), []

    def counted(texts):
        asked.extend(texts)
        return model(texts)

    audit = px.FairnessAudit(counted, **(QUICK | options))
    with pytest.raises(px.ArgumentError, match=message):
        audit.fit(given.pop("texts"), **given)
    # What needs no score to be seen is told before anything is paid for.
    assert not asked or "positive" in options or "explainer" in options


def test_a_group_of_all_rows_is_not_held_against_itself():
    audit = px.FairnessAudit(biased(), **QUICK)
    n = len(SMALL)
    report = audit.fit(SMALL.texts, SMALL.labels, {"g": ["f"] * n}).report_
    assert not len(report.gaps)
    told = {verdict.kind: verdict.text for verdict in report.verdicts}
    assert "there was nothing to compare" in told["too few"]
    assert "no gap" not in told
    with pytest.raises(px.ArgumentError, match="the report has no demographic_parity"):
        px.fairness.Gate.read("demographic_parity_difference > 0.1").failures(report)


def test_a_column_of_one_label_a_row_is_read_as_one():
    audit = px.FairnessAudit(biased(), **QUICK)
    flat = audit.fit(SMALL.texts, SMALL.labels, dict(SMALL.groups)).report_
    tall = audit.fit(SMALL.texts, np.array(SMALL.labels)[:, None], dict(SMALL.groups)).report_
    assert tall.gaps.equals(flat.gaps)


def test_a_single_attribute_cannot_be_crossed_and_that_is_said():
    audit = px.FairnessAudit(biased(), **(QUICK | {"intersections": True}))
    report = audit.fit(SMALL.texts, None, {"g": SMALL.groups_of(SMALL.attributes[0])}).report_
    assert any("one attribute only" in note for note in report.facts["notes"])


def test_labels_of_one_class_and_a_group_of_one():
    gender = ["alone", *SMALL.groups["gender"][1:]]
    audit = px.FairnessAudit(biased(), n_explained=20, n_swaps=20, **QUICK)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = audit.fit(SMALL.texts, [0] * len(SMALL), {"gender": gender}).report_
    alone = of(report.metrics, group="alone")
    assert alone.value.isna().all()
    assert set(alone.note) <= {"too few", "no value"}
    tpr = of(report.metrics, metric="tpr")
    assert tpr.value.isna().all()
    assert of(report.metrics, metric="fpr", group="male").value.notna().all()
    few = [verdict.text for verdict in report.verdicts if verdict.kind == "too few"]
    assert any("alone" in text for text in few)


@pytest.mark.data
def test_a_toxicity_classifier_on_madlibs(shared):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    folder = shared / "data" / "fairness"
    if not folder.is_dir():
        pytest.skip(f"no data at {folder} (set PERTURBX_SHARED)")
    with (folder / "wiki_toxicity.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10, max_iter=1000))
    model.fit([row["comment"] for row in rows], [row["toxic"] for row in rows])
    data = load_madlibs(folder / "madlibs_en_77k.csv")
    chosen = np.sort(np.random.default_rng(0).choice(len(data), 3000, replace=False))
    audit = px.FairnessAudit(model, positive_label=1, n_explained=200, n_swaps=300, **QUICK)
    report = audit.fit(data.rows(chosen.tolist())).report_
    gay = of(report.gaps, metric="mean_score", kind="difference", group_a="gay", group_b="(all)")
    assert gay.value.item() > 0.1
    assert gay.p_value.item() < 0.05
    terms = of(report.identity_terms, word="gay", group="(all)", attribute="identity")
    assert terms.attribution.item() > 0
    assert terms.low.item() > 0


@pytest.mark.parametrize("options", [{"task": "regression"}, {"min_group_size": 100}])
def test_nothing_is_read_in_other_words_for_advice_that_there_cannot_be(options):
    asked = []

    def model(texts):
        asked.extend(texts)
        return biased()(texts)

    audit = px.FairnessAudit(model, n_explained=0, **QUICK | options)
    audit.fit(SMALL.texts, None, dict(SMALL.groups))
    assert not len(audit.report_.advice)
    assert not [text for text in asked if "person" in text or "sibling" in text]
