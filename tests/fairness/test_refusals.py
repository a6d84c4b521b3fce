"""Audits of a model that refuses some texts: as if those were not there, and told."""

import csv
import warnings
from collections import Counter

import numpy as np
import pytest

import perturbx as px
from perturbx.exceptions import AnswersWarning, ArgumentError, RefusedError
from perturbx.fairness import Gate
from perturbx.fairness.scoring import TextScores
from perturbx.fairness.text_source import TextFile
from perturbx.reports.audit_terminal import print_audit
from perturbx.scorers.scores import Scores

QUICK = {"n_resamples": 100, "n_permutations": 100, "random_state": 0, "progress": False}
WHO = ("woman", "man", "nurse")
WHY = "the prompt is filtered"


def score_of(text):
    risen = 0.15 * text.count("bad") + 0.2 * ("woman" in text or "She" in text)
    return 0.15 + risen + len(text) % 7 / 50


class Filtered:
    """A scorer that refuses texts as one of a model behind an API does."""

    accepts = frozenset(("text",))
    output_names = ("fine", "toxic")
    model_id = "filtered"
    why = WHY

    def __init__(self, *refused, ends_run=False):
        self.refused = refused
        self.ends_run = ends_run
        self.asked = Counter()

    def refuses(self, text):
        return any(own == text if own == "" else own in text for own in self.refused)

    def score_parts(self, variants, batch_tokens="auto"):
        texts = list(variants.texts)
        self.asked.update(texts)
        rows = [row for row, text in enumerate(texts) if not self.refuses(text)]
        if rows:
            values = np.array([[1 - score_of(texts[i]), score_of(texts[i])] for i in rows])
            yield np.array(rows), Scores(values, kind="probability")
        refused = {text: self.why for text in texts if self.refuses(text)}
        if refused:
            raise RefusedError("no answer", refused=refused, ends_run=self.ends_run)

    def score(self, variants):
        ((_, scores),) = self.score_parts(variants)
        return scores


def data(n=180, refused=lambda who, number: number % {"woman": 4, "man": 9, "nurse": 11}[who] == 0):
    """Texts, labels, groups and clusters; the first texts of each kind are refused."""
    texts, labels, groups, clusters = [], [], [], []
    for number in range(n // 3):
        for who in WHO:
            kill = " kill" if refused(who, number) else ""
            texts.append(f"The {who} is{' bad' * (number * 7 % 4)}, number {number}.{kill}")
            labels.append(number % 3 == 0)
            groups.append(who)
            clusters.append(f"c{number * 5 % 23}")
    return texts, labels, groups, clusters


def audited(model, texts, labels, groups, clusters=None, **options):
    audit = px.FairnessAudit(
        model, groups="gender", **QUICK | {"n_explained": 40, "n_swaps": 60} | options
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnswersWarning)
        return audit.fit(texts, labels, {"who": groups}, clusters=clusters).report_


def without(refused, *columns):
    kept = [i for i, text in enumerate(columns[0]) if refused not in text]
    return kept, [None if own is None else [own[i] for i in kept] for own in columns]


def of_answers(report):
    """The tables without refusal rates."""
    tables = {}
    for name, table in report.frames.items():
        if "metric" in table:
            table = table[table.metric != "refusal_rate"].reset_index(drop=True)
        tables[name] = table
    return tables


def assert_same(found, bare, kept):
    """The same numbers, and rows by the places that they have among all."""
    first, second = of_answers(found), of_answers(bare)
    for name, table in second.items():
        if "row" in table:
            table = table.assign(row=[kept[row] for row in table.row])
        assert first[name].equals(table), name
    own = {"n_refused", "n_calls", "notes", "time", "seconds", "dataset"}
    assert {k: v for k, v in found.facts.items() if k not in own} == {
        k: v for k, v in bare.facts.items() if k not in own
    }


@pytest.mark.parametrize("in_clusters", [False, True])
@pytest.mark.parametrize("options", [{}, {"intersections": True, "compare": "all"}])
def test_an_audit_with_refused_texts_is_one_without_them(in_clusters, options):
    texts, labels, groups, clusters = data()
    clusters = clusters if in_clusters else None
    model = Filtered(" kill")
    found = audited(model, texts, labels, groups, clusters, **options)
    kept, columns = without(" kill", texts, labels, groups, clusters)
    bare = audited(Filtered(), *columns, **options)
    assert_same(found, bare, kept)
    assert found.facts["n_refused"] == len(texts) - len(kept) == 28
    assert bare.facts["n_refused"] == 0
    assert not any("refus" in note for note in bare.facts["notes"])
    assert len(bare.worst_cases)
    for table in (found.worst_cases, found.representatives):
        assert [texts[row] for row in table.row] == list(table.text)
    for text in texts:
        assert model.asked[text] == 1


@pytest.mark.parametrize("piece", [1, 70])
def test_a_file_in_pieces_is_as_texts_in_memory(tmp_path, piece):
    columns = data()
    path = tmp_path / "texts.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label", "who", "author")])
        csv.writer(file).writerows(
            [(*own[:1], int(own[1]), *own[2:]) for own in zip(*columns, strict=True)]
        )
    audit = px.FairnessAudit(Filtered(" kill"), groups="gender", n_explained=9, **QUICK, n_swaps=60)
    source = TextFile(path, "text", "label", ("who",), "author", piece=piece)
    with pytest.warns(AnswersWarning, match="refused 28 of 180 texts"):
        found = audit._fit(source).report_
    held = audited(Filtered(" kill"), *columns, n_explained=9)
    for name, table in held.frames.items():
        assert found.frames[name].equals(table), name


def test_refusals_are_told_by_group_with_one_warning(capsys):
    texts, labels, groups, _ = data()
    audit = px.FairnessAudit(Filtered(" kill"), n_explained=60, n_swaps=30, **QUICK)
    with pytest.warns(AnswersWarning) as warned:
        report = audit.fit(texts, labels, {"who": groups}).report_
    ((told,),) = ([str(own.message) for own in warned],)
    assert told.startswith("the model refused 28 of 180 texts; what it refuses ")
    assert WHY in told
    assert report.facts["notes"] == [told]
    rates = report.metrics[report.metrics.metric == "refusal_rate"].set_index("group")
    refused = {
        who: [" kill" in t for t, own in zip(texts, groups, strict=True) if own == who]
        for who in WHO
    }
    for who, own in {**refused, "(all)": [" kill" in text for text in texts]}.items():
        assert rates.value[who] == np.mean(own)
        assert rates.n[who] == len(own)
        assert rates.low[who] < np.mean(own) < rates.high[who]
    gaps = report.gaps[(report.gaps.metric == "refusal_rate") & (report.gaps.kind == "difference")]
    assert len(gaps) == 3
    gap = gaps[(gaps.group_a == "man") & (gaps.group_b == "woman")].iloc[0]
    assert gap.value == np.mean(refused["man"]) - np.mean(refused["woman"])
    assert gap.p_unadjusted <= gap.p_value
    shown = report.to_html(), report.to_markdown(), report.to_json()
    print_audit(report)
    for page in (*shown, capsys.readouterr().out):
        assert "28" in page
        assert "refus" in page
    assert "Refused texts" in shown[0]
    assert px.fairness.FairnessReport.from_json(shown[2]).to_html() == shown[0]


def test_a_gap_in_refusals_is_found_and_gated():
    columns = data(600, refused=lambda who, number: who == "woman" and number % 3 == 0)
    report = audited(Filtered(" kill"), *columns[:3], n_explained=0, n_swaps=0)
    first = next(verdict for verdict in report.verdicts if verdict.attribute == "who")
    assert first.text.startswith(
        "who, refusal rate: the model refuses 33.5% of the texts in the group “woman”, against 0.0%"
    )
    gate = Gate.read("refusal_rate_difference > 0.2")
    assert any("woman" in line for line in gate.failures(report))
    assert gate.failures(report, confident=True)
    none = audited(Filtered(), *columns[:3], n_explained=0, n_swaps=0)
    assert gate.failures(none) == []
    assert "refusal_rate" not in set(none.metrics.metric) | set(none.gaps.metric)


def test_refusals_without_a_gap_are_told_of_no_outcome():
    columns = data(refused=lambda who, number: number % 5 == 0)
    report = audited(Filtered(" kill"), *columns[:3], n_explained=0, n_swaps=0)
    told = [v.text for v in report.verdicts if v.kind == "no gap" and "refusal rate" in v.text]
    heads = [f"{who}: no gap beyond chance was found in refusal rate." for who in ("who", "gender")]
    assert [text[: len(head)] for text, head in zip(told, heads, strict=True)] == heads


@pytest.mark.parametrize("in_clusters", [False, True])
def test_a_group_of_which_all_is_refused_has_too_few(in_clusters):
    texts, labels, groups, clusters = data(refused=lambda who, number: who == "nurse")
    clusters = clusters if in_clusters else None
    report = audited(Filtered(" kill"), texts, labels, groups, clusters)
    of_nurses = report.metrics[report.metrics.group == "nurse"].set_index("metric")
    assert of_nurses.value["refusal_rate"] == 1.0
    assert (of_nurses.drop("refusal_rate").note == "too few").all()
    assert report.groups.set_index("group").n["nurse"] == 0
    assert any(v.kind == "too few" and "“nurse”" in v.text for v in report.verdicts)
    gaps = report.gaps[(report.gaps.metric == "refusal_rate") & (report.gaps.kind == "difference")]
    assert (gaps.p_value < 0.05).sum() == 2
    others = report.gaps[~(report.gaps[["group_a", "group_b"]] == "nurse").any(axis=1)]
    assert np.isfinite(others[others.metric == "mean_score"].p_value).all()
    report.to_html()
    report.to_markdown()


def test_a_label_whose_texts_are_all_refused_is_still_a_label():
    texts, labels, groups, _ = data(refused=lambda who, number: number % 3 == 0)
    report = audited(Filtered(" kill"), texts, labels, groups, positive_label=True)
    assert report.facts["outcomes"][0]["positive_labels"] == [True]
    tpr = report.metrics[report.metrics.metric == "tpr"]
    assert (tpr.note == "too few").all()


def test_where_all_is_refused_the_error_says_what_to_do():
    texts, labels, groups, _ = data()
    with pytest.raises(
        RefusedError, match=r"answers none of 180; .*filtered; .*another prompt"
    ) as e:
        audited(Filtered("The "), texts, labels, groups)
    assert e.value.ends_run
    assert list(e.value.refused) == texts[:1]


def test_too_many_refusals_end_the_audit_and_what_is_paid_for_is_kept():
    texts, labels, groups, _ = data()
    model = Filtered(" kill", ends_run=True)
    audit = px.FairnessAudit(model, n_explained=0, n_swaps=0, **QUICK)
    with pytest.raises(RefusedError, match="152 scores are kept"):
        audit.fit(texts, labels, {"who": groups})
    model.refused = ()
    report = audit.fit(texts, labels, {"who": groups}).report_
    assert report.facts["n_refused"] == 0
    assert Counter(model.asked.values()) == {1: 152, 2: 28}


def test_refused_texts_are_few_or_many_beside_all_that_were_scored():
    class Counting(Filtered):
        def score_parts(self, variants, batch_tokens="auto"):
            before.append(variants.n_scored)
            yield from super().score_parts(variants, batch_tokens)

    before = []
    scores = TextScores(Counting("kill"), progress=False)
    scores.of(["one", "two", "kill", "two"])
    scores.of(["one", "three", "kill too"])
    assert before == [0, 2]


def test_variants_that_are_refused_leave_their_pairs_out():
    texts, labels, groups, _ = data(refused=lambda who, number: False)
    whole = audited(Filtered(), texts, labels, groups, n_explained=0)
    model = Filtered("The person is bad", "The woman is bad bad, number 1")
    kept = [text for text in texts if not model.refuses(text)]
    found = audited(model, texts, labels, groups, n_explained=0)
    assert len(kept) < len(texts)
    swaps = found.counterfactual
    assert 0 < swaps.n.max() < whole.counterfactual.n.max()
    advice = found.advice.set_index("remedy")
    of_all = whole.advice.set_index("remedy")
    neutral = "reading texts with neutral words for identity terms"
    assert (advice.n[neutral] < of_all.n[neutral]).all()
    assert "refused among texts with swapped or neutral terms: " in found.facts["notes"][1]


def test_explanations_go_on_without_refused_variants():
    texts, labels, groups, _ = data(refused=lambda who, number: False)
    model = Filtered("The is number 1", "woman bad")
    found = audited(model, texts, labels, groups, n_swaps=0)
    assert found.facts["n_refused"] == 0
    assert len(found.words)
    assert any("of the variants" in note for note in found.facts["notes"])


def test_words_are_left_out_where_nothing_can_be_explained():
    texts, labels, groups, _ = data(refused=lambda who, number: False)
    model = Filtered("")
    found = audited(model, texts, labels, groups, n_swaps=0)
    whole = audited(Filtered(), texts, labels, groups, n_swaps=0)
    assert found.facts["n_explained"] == len(found.words) == 0
    assert found.gaps.equals(whole.gaps)
    assert any("no gap is split into words" in note for note in found.facts["notes"])
    found.to_html()


def test_what_is_refused_is_remembered_and_asked_once():
    model = Filtered("x")
    scores = TextScores(model, progress=False)
    texts = ["a", "x", "b", "xx", "a", "x"]
    assert np.isnan(scores.of(texts)).any(axis=1).tolist() == [
        False,
        True,
        False,
        True,
        False,
        True,
    ]
    np.testing.assert_allclose(scores.of(["b", "xx", "c"])[:, 1], [0.17, np.nan, 0.17])
    assert set(model.asked.values()) == {1}
    assert [scores.why_refused(text) for text in ("a", "x", "new")] == [None, WHY, None]
    assert len(scores) == 3
    assert scores.of([]).shape == (0, 2)


def test_texts_of_which_nothing_is_said_are_no_refusals():
    class Silent(Filtered):
        def score_parts(self, variants, batch_tokens="auto"):
            raise RefusedError("no way to ask was found", refused={"x": WHY})
            yield

    scores = TextScores(Silent(), progress=False)
    with pytest.raises(RefusedError, match="no way to ask"):
        scores.of(["x", "y"])
    assert not scores.refused


def test_a_gate_on_refusals_of_no_attribute_is_told():
    texts, labels, groups, _ = data(60, refused=lambda who, number: False)
    report = audited(Filtered(), texts, labels, groups, n_explained=0, n_swaps=0)
    with pytest.raises(ArgumentError, match="race"):
        Gate.read("race: refusal_rate_difference > 0.2").failures(report)


def test_whatever_a_service_says_can_be_written(tmp_path):
    texts, labels, groups, _ = data(60)
    model = Filtered(" kill")
    model.why = "\ud800 <b>" + "x" * 5_000
    report = audited(model, texts, labels, groups, n_explained=0, n_swaps=0)
    assert "\\ud800 <b>xx" in report.facts["notes"][0]
    assert len(report.facts["notes"][0]) < 400
    assert "<b>x" not in report.to_html(tmp_path / "page.html")
    report.to_json(tmp_path / "report.json")
