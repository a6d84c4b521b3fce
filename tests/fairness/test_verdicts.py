import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturbx.fairness.frames import FRAMES, frame
from perturbx.fairness.verdicts import KINDS, attributes_of, verdicts_of
from perturbx.fairness.wording import SENTENCES, gap, measured, percent, points

FACTS = {"level": 0.9, "min_group_size": 20}
PAIR = {"attribute": "gender", "outcome": "toxic", "group_a": "women", "group_b": "men"}


def frames(**rows):
    return {name: frame(name, rows.get(name, ())) for name in FRAMES}


def groups(*names, attribute="gender", n=500):
    about = {"attribute": attribute, "origin": "text", "n": n, "n_labelled": n}
    return [about | {"group": name} for name in names]


def gap_row(metric="fpr", value=0.1, p=0.001, **others):
    row = PAIR | {"metric": metric, "kind": "difference", "value": value, "note": ""}
    row |= {"low": value - 0.05, "high": value + 0.05, "p_value": p, "p_unadjusted": p}
    return row | {"detectable": 0.08, "n_a": 50, "n_b": 60} | others


def measure(group, value, metric="fpr", note="", **others):
    row = {"attribute": "gender", "outcome": "toxic", "metric": metric, "group": group}
    row |= {"value": value, "low": None, "high": None, "n": 50, "note": note}
    return row | others


def said(kind=None, **rows):
    rows.setdefault("groups", groups("women", "men"))
    return [v.text for v in verdicts_of(FACTS, frames(**rows)) if kind in (None, v.kind)]


def test_a_gap_is_told_whole():
    assert said(gaps=[gap_row()], metrics=[measure("women", 0.25), measure("men", 0.15)]) == [
        "gender, false positive rate: of the texts not labelled “toxic”, the model wrongly decides "
        "for it in 25.0% in the group “women”, against 15.0% in the group “men”. The gap is 10.0 "
        "percentage points (90% interval 5.0 to 15.0; adjusted p = 0.001)."
    ]


@given(st.floats(-0.9, 0.9).filter(lambda value: abs(value) > 0.01))
def test_the_higher_group_comes_first_and_the_gap_has_no_sign(value):
    women, men = (0.95, 0.95 - value) if value > 0 else (0.95 + value, 0.95)
    text = said(
        gaps=[gap_row(value=value)], metrics=[measure("women", women), measure("men", men)]
    )[0]
    first, second = ("women", "men") if value > 0 else ("men", "women")
    assert text.index(f"“{first}”") < text.index(f"“{second}”")
    ends = " to ".join(points(abs(value) + side) for side in (-0.05, 0.05))
    assert f"The gap is {points(abs(value))} percentage points (90% interval {ends};" in text


@pytest.mark.parametrize("metric", SENTENCES)
def test_every_gap_has_its_sentence_in_its_unit(metric):
    measures = {"demographic_parity": "selection_rate", "equal_opportunity": "tpr"}
    name = measures.get(metric, metric)
    values = [measure("women", 0.625, name), measure("men", 0.525, name)]
    text = said("gap", gaps=[gap_row(metric)], metrics=values)[0]
    assert measured(0.625, metric) in text
    assert measured(0.525, metric) in text
    assert f"The gap is {gap(0.1, metric)}" in text
    assert ("percentage points" in text) == ("%" in measured(0.625, metric))
    assert "{" not in text


def test_all_texts_are_told_as_such():
    row = gap_row("bpsn_auc", group_b="(all)")
    cells = [measure("women", 0.7, "bpsn_auc"), measure("(all)", 0.6, "subgroup_auc")]
    text = said("gap", gaps=[row], metrics=cells)[0]
    assert "0.700 in the group “women”, against 0.600 overall" in text
    assert "(all)" not in text


def test_a_gap_without_measures_is_told_by_its_size():
    text = said("gap", gaps=[gap_row()])[0]
    assert "“women” and “men” differ. The gap is 10.0 percentage points" in text


def test_the_clearest_pair_speaks_for_the_others():
    rows = [gap_row(), gap_row(value=0.3, group_b="others"), gap_row(group_a="others")]
    texts = said("gap", gaps=rows)
    assert len(texts) == 1
    assert "“others”" in texts[0]
    assert texts[0].endswith("2 other comparisons of groups show such a gap, too.")


def test_nothing_is_said_twice():
    rows = [gap_row(metric) for metric in ("fnr", "equal_opportunity", "fpr", "equalized_odds")]
    heads = [text.split(" for ")[0] for text in said("gap", gaps=rows)]
    assert heads == ["gender, true positive rate", "gender, false positive rate"]
    assert said("gap", gaps=[gap_row("equalized_odds")])
    assert said("gap", gaps=[gap_row("fnr")])


@given(st.lists(st.floats(0.06, 1.0), min_size=1, max_size=4))
def test_where_nothing_is_found_it_says_what_would_have_been(p_values):
    rows = [gap_row(p=p, detectable=0.1 + i / 10, group_b=f"g{i}") for i, p in enumerate(p_values)]
    assert not said("gap", gaps=rows)
    text = said("no gap", gaps=rows)[0]
    low, high = points(0.1), points(0.1 + (len(rows) - 1) / 10)
    shown = low if low == high else f"{low} to {high}"
    assert f"gaps of: false positive rate {shown} percentage points." in text
    assert ("small groups" in text) == (low != high)


def test_outcomes_of_which_the_same_is_to_be_said_are_one_sentence():
    rows = [gap_row(p=0.5, outcome=name) for name in ("toxic", "threat")]
    rows.append(gap_row("accuracy", outcome="insult", p=0.5))
    rows.append(gap_row(outcome="insult"))
    texts = said("no gap", gaps=rows)
    assert [text.split(":")[0] for text in texts] == [
        "gender, “toxic” and “threat”",
        "gender, “insult”",
    ]


def test_extremes_chosen_by_their_size_say_nothing_of_what_would_have_been_seen():
    rows = [gap_row(p=0.5, group_b="(all)"), gap_row(p=0.9, detectable=0.7)]
    assert "false positive rate 8.0 percentage points." in said("no gap", gaps=rows)[0]


def test_too_few_says_what_is_left_out():
    cells = [
        measure("women", None, note="too few"),
        measure("men", None, note="too few"),
        measure("men", 0.2, "accuracy"),
    ]
    texts = said("too few", gaps=[gap_row()], metrics=cells)
    assert texts == [
        "gender: nothing is said about “women”, as there are fewer than 20 texts of it.",
        "gender: some measures are left out for “men”, as they would stand on fewer than 20 texts.",
    ]


def test_a_single_group_is_nothing_to_compare():
    assert said(groups=groups("women")) == [
        "gender: there was nothing to compare; texts were found of “women” only."
    ]


def swap(**others):
    row = PAIR | {"term": "(all)", "replacement": "(all)", "kind": "symmetric", "n": 50}
    row |= {"flip_rate": 0.2, "flip_low": 0.1, "flip_high": 0.3, "mean_absolute_shift": 0.15}
    return row | {"mean_shift": 0.1, "low": 0.05, "high": 0.15} | others


EVERY_SWAP = {"group_a": "(all)", "group_b": "(all)"}


def test_swaps_are_told_with_the_pair_that_moves_most():
    rows = [swap(**EVERY_SWAP), swap(), swap(group_a="men", group_b="women", mean_shift=-0.2)]
    rows[2] |= {"low": -0.25, "high": -0.15}
    text = said("counterfactual", counterfactual=rows)[0]
    assert "changes in 20.0% of 50 swapped texts (90% interval 10.0% to 30.0%)" in text
    assert "most from “men” to “women”: by -0.200" in text


@pytest.mark.parametrize(
    "others", [{"n": 19}, {"low": -0.01, "high": 0.21}, {"low": 0.001, "high": 0.199}]
)
def test_a_pair_that_may_be_chance_is_not_singled_out(others):
    rows = [swap(**EVERY_SWAP), swap(**others), swap(group_b="others", mean_shift=0.0)]
    text = said("counterfactual", counterfactual=rows)[0]
    assert "It moves most" not in text


def test_swaps_of_a_number_have_no_decisions():
    nothing = dict.fromkeys(("flip_rate", "flip_low", "flip_high"))
    text = said("counterfactual", counterfactual=[swap(**EVERY_SWAP, **nothing)])[0]
    assert "the score for “toxic” moves by 0.150 on average, over 50 swapped texts" in text
    assert "decision" not in text


def test_asymmetric_swaps_are_no_verdict():
    assert not said("counterfactual", counterfactual=[swap(**EVERY_SWAP, kind="asymmetric")])


def test_attributes_that_are_only_swapped_are_told():
    rows = [swap(**EVERY_SWAP, attribute="age")]
    tables = frames(counterfactual=rows, groups=groups("women", "men"), gaps=[gap_row()])
    assert attributes_of(tables) == ("gender", "age")
    kinds = [v.kind for v in verdicts_of(FACTS, tables) if v.attribute == "age"]
    assert kinds == ["counterfactual"]


@pytest.mark.parametrize("sign", [1, -1])
def test_words_add_up_to_the_gap_from_the_higher_group(sign):
    def part(category, value):
        ends = {"low": value - 0.01, "high": value + 0.01}
        return PAIR | {"category": category, "contribution": sign * value} | ends

    kinds = [part("gender", 0.09), part("other words", -0.02), part("(base value)", 0.01)]
    own = {"word": "she", "n_a": 3, "n_b": 4, "low": sign * 0.06 - 0.01, "high": sign * 0.06 + 0.01}
    words = [part("gender", 0.06) | own, part("gender", 0.05) | own | {"word": "he", "low": -0.5}]
    words[1] |= {"high": 0.5}
    text = said("words", gaps=[gap_row("mean_score", sign * 0.08)], categories=kinds, words=words)[
        0
    ]
    high, low = ("women", "men")[::sign]
    assert f"is 0.080 higher in “{high}” than in “{low}”" in text
    assert "gender +0.090; other words -0.020; score of texts without words +0.010." in text
    assert "“she” +0.060" in text
    assert "“he”" not in text


def test_words_of_a_gap_that_may_be_chance_are_no_verdict():
    kinds = [PAIR | {"category": "gender", "contribution": 0.1, "low": 0.0, "high": 0.2}]
    assert not said("words", gaps=[gap_row("mean_score", p=0.2)], categories=kinds)


def remedy(**others):
    row = {"attribute": "gender", "outcome": "toxic", "remedy": "masking", "metric": "fpr"}
    row |= {"gap_before": 0.2, "gap_after": 0.05, "gap_low": 0.01, "gap_high": 0.09, "n": 400}
    row |= {"accuracy_before": 0.8, "accuracy_after": 0.79, "accuracy_low": 0.7}
    return row | {"accuracy_high": 0.9, "basis": "", "detail": ""} | others


def test_advice_is_told_as_an_estimate():
    rows = [remedy(), remedy(remedy="nothing", gap_after=0.01, gap_high=0.3)]
    text = said("advice", gaps=[gap_row()], advice=rows)[0]
    assert "“masking” is estimated to bring the largest gap in false positive rate" in text
    assert "from 20.0 to 5.0 percentage points (interval 1.0 to 9.0)" in text
    assert f"accuracy going from {percent(0.8)} to {percent(0.79)}" in text


def test_what_does_not_help_is_said_and_what_needs_no_help_gets_none():
    text = said("advice", gaps=[gap_row()], advice=[remedy(gap_high=0.3)])[0]
    assert "nothing narrows the largest gap beyond doubt" in text
    assert not said("advice", gaps=[gap_row(p=0.5)], advice=[remedy()])


def test_kinds_come_in_their_order():
    rows = {"gaps": [gap_row(), gap_row("accuracy", p=0.5)], "counterfactual": [swap(**EVERY_SWAP)]}
    rows |= {"advice": [remedy()], "metrics": [measure("women", None, note="too few")]}
    kinds = [v.kind for v in verdicts_of(FACTS, frames(groups=groups("women", "men"), **rows))]
    assert kinds == [kind for kind in KINDS if kind in kinds]
    assert len(kinds) == 5


def test_an_empty_report_says_nothing():
    assert verdicts_of({}, frames()) == ()
