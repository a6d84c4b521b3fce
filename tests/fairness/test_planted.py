"""A planted bias is there to the digit, and nothing else is."""

import pickle
from itertools import combinations, pairwise
from math import factorial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturbx import ShapleyExplainer
from perturbx.exceptions import ArgumentError
from perturbx.fairness.labelled_texts import LabelledTexts
from perturbx.fairness.loaders import load_audit_set
from perturbx.fairness.planted import PlantedBias, planted_scorer
from perturbx.fairness.planted_terms import WholeWords
from perturbx.maskers import Replace
from perturbx.units import Words

DATASETS = Path(__file__).resolve().parents[2] / "datasets"
ATTRIBUTES = ("gender", "religion", "ethnicity", "orientation", "age", "disability")
LANGUAGES = ("en", "zh")

# Terms that lie within one another, share words, and follow each other.
EFFECTS = {"red": 0.01, "red fox": -0.02, "fox red": 0.03, "fox hen red": 0.05, "女": -0.04}
VOCABULARY = ("red", "fox", "hen", "dog", "Red!", "fox-red", "女", "red's")
texts_of_words = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=8).map(" ".join)


@pytest.fixture(scope="module", params=LANGUAGES)
def audit_set(request):
    return load_audit_set(DATASETS / f"audit_{request.param}.csv")


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("link", ["identity", "logistic"])
def test_the_gap_to_every_other_group_is_the_one_planted(audit_set, attribute, link):
    data = audit_set.rows([g is not None for g in audit_set.groups_of(attribute)])
    groups, names = data.groups_of(attribute), data.group_names(attribute)
    for group, gap in zip(names, (0.1, -0.25, 0.02, -0.07, 0.3, -0.01), strict=False):
        model = planted_scorer(data, attribute, gap, group=group, link=link)
        for other in set(names) - {group}:
            measured = model.true_gap(data.texts, groups, group, other)
            assert measured == pytest.approx(gap, abs=1e-9)


def test_what_is_planted_in_one_attribute_is_in_no_other(audit_set):
    model = planted_scorer(audit_set, "religion", -0.2, group="muslim")
    scores = model(audit_set.texts)
    for attribute in ATTRIBUTES:
        if attribute != "religion":
            rows = [g is not None for g in audit_set.groups_of(attribute)]
            assert set(scores[rows]) == {0.5}


def test_without_effects_a_template_has_one_score(audit_set):
    model = PlantedBias(words={"great": 0.1, "idiot": -0.2, "好": 0.1, "蠢": -0.2})
    assert len(set(model(audit_set.texts))) > 1
    for attribute in ATTRIBUTES:
        groups = audit_set.groups_of(attribute)
        a, *others = audit_set.group_names(attribute)
        for b in others:
            assert abs(model.true_gap(audit_set.texts, groups, a, b)) < 1e-12


@given(texts_of_words, st.floats(0.2, 0.6))
def test_contributions_are_the_shapley_values_of_the_model_itself(text, base):
    model = PlantedBias(EFFECTS, base=base)
    pieces = Words()(text).pieces

    def value(kept):
        # "#" is no word, so what is left never grows together.
        return model(["".join(p if i in kept else "# " for i, p in enumerate(pieces))])[0]

    n = len(pieces)
    expected = np.zeros(n)
    for unit in range(n):
        others = [i for i in range(n) if i != unit]
        for size in range(n):
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            for kept in combinations(others, size):
                expected[unit] += weight * (value({*kept, unit}) - value(set(kept)))
    assert model.true_contributions(text) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("link", ["identity", "logistic"])
def test_an_explainer_finds_the_contributions(link):
    model = PlantedBias(
        {"women": -0.1, "wheelchair user": -0.2}, {"great": 0.15}, base=0.6, link=link
    )
    text = "The great team of women hired a wheelchair user today."
    explainer = ShapleyExplainer(
        model,
        estimator="exact",
        masker=Replace("[MASK]"),
        budget=2**10,
        link="log_odds" if link == "logistic" else "identity",
        progress=False,
    )
    values = explainer.explain([text])[0].values[:, -1]
    assert values == pytest.approx(model.true_contributions(text), abs=1e-6)


@given(texts_of_words)
def test_contributions_fill_the_gap_between_the_text_and_nothing(text):
    model = PlantedBias(EFFECTS)
    total = model.true_contributions(text).sum()
    assert total == pytest.approx(model.true_scores([text])[0] - 0.5, abs=1e-12)


@given(st.lists(texts_of_words, min_size=1, max_size=6), st.integers(0, 9))
def test_noise_belongs_to_the_text(texts, seed):
    model = PlantedBias(EFFECTS, noise=0.1, random_state=seed)
    scores = model(texts)
    assert scores.tolist() == [model([text])[0] for text in texts]
    assert model(texts[::-1]).tolist() == scores[::-1].tolist()
    assert np.all(abs(scores - model.true_scores(texts)) <= 0.1)
    assert np.array_equal(model.true_scores(texts), PlantedBias(EFFECTS)(texts))


def test_noise_is_uniform_and_another_seed_gives_another():
    texts = [f"text {i}" for i in range(4000)]
    first, second = (PlantedBias(noise=0.2, random_state=seed)(texts) - 0.5 for seed in (0, 1))
    # Of 4,000 draws: the standard error of the mean is .0018, of the correlation .016.
    assert abs(first.mean()) < 0.008
    assert first.std() == pytest.approx(0.2 / 3**0.5, rel=0.03)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.07


@pytest.mark.parametrize(
    ("term", "text", "n_found"),
    [
        ("women", "Women, WOMEN; the women's work and women-only", 4),
        ("women", "womenfolk, superwomen, women_x", 0),
        ("she", "She's here, and she\u2019ll stay. Ashes.", 2),
        ("african american", "an African-American and an african  american", 2),
        ("african american", "an African, American-made", 0),
        ("他", "其他人都很好", 0),
        ("他", "他来了，他走了。", 2),
        ("穆斯林", "一位穆斯林同事", 1),
        ("café", "the cafe\u0301 and the CAFÉ", 2),
        ("straße", "Strasse, STRASSE", 2),
        ("मुसलमान", "वह मुसलमान है।", 1),
        ("o'brien", "O’Brien and o'brien", 2),
    ],
)
def test_terms_are_whole_words_in_every_script(term, text, n_found):
    assert len(WholeWords([term]).find(text)) == n_found
    score = PlantedBias({term: 0.1})([text])[0]
    assert score == pytest.approx(0.5 + 0.1 * n_found)


@given(texts_of_words)
def test_found_terms_are_disjoint_and_where_they_are_said_to_be(text):
    found = WholeWords(EFFECTS).find(text)
    assert all(a[1] <= b[0] for a, b in pairwise(found))
    for start, stop, term in found:
        assert text[start:stop].casefold().replace("-", " ") == term


def test_a_sum_beyond_a_probability_is_told():
    model = PlantedBias({"women": 0.4}, {"great": 0.3})
    with pytest.raises(ArgumentError, match=r"1\.2.*'great women'.*logistic"):
        model(["women", "great women"])
    assert 0 < PlantedBias({"women": 40.0}, link="logistic")(["women"])[0] <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"effects": {"a": "b"}}, r"effects\['a'\]"),
        ({"effects": {"a": float("nan")}}, "finite"),
        ({"effects": {" ": 1.0}}, "effects: expected words"),
        ({"effects": {"A-b": 0.1, "a b": 0.1}}, "already"),
        ({"effects": {"a": 0.1}, "words": {"A": 0.1}}, "words: 'A' has a weight already"),
        ({"link": "probit"}, "link: .*'probit'"),
        ({"noise": -0.1}, "noise: "),
        ({"base": None}, "base: "),
    ],
)
def test_bad_weights_are_named(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        PlantedBias(**arguments)


def test_bad_questions_are_named():
    model = PlantedBias({"women": 0.1})
    data = LabelledTexts(["women"] * 2, groups={"a": ["x", "y"], "b": ["x", None]})
    with pytest.raises(ArgumentError, match="a list of str"):
        model("women")
    with pytest.raises(ArgumentError, match="b: no text of group 'z'"):
        model.true_gap(["women"], ["x"], "x", "z")
    with pytest.raises(ArgumentError, match="groups: 1 entries for 2 texts"):
        model.true_gap(["women", "men"], ["x"], "x", "y")
    with pytest.raises(ArgumentError, match="1 groups; two are needed"):
        planted_scorer(data, "b")
    with pytest.raises(ArgumentError, match="no 'c'"):
        planted_scorer(data, "c")
    with pytest.raises(ArgumentError, match="group: expected one of x, y; got 'z'"):
        planted_scorer(data, "a", group="z")
    with pytest.raises(ArgumentError, match=r"'x'.* is a word of a x text"):
        planted_scorer(data, "a")
    terms = LabelledTexts(data.texts, groups=data.groups, extra={"term": ["women", "women"]})
    with pytest.raises(ArgumentError, match=r"no effect .* by 0\.9"):
        planted_scorer(terms, "a", 0.9, link="logistic")
    with pytest.raises(ArgumentError, match="16 can be summed over"):
        PlantedBias({" ".join("abcdefghijklmnopq"): 0.1}).true_contributions(
            " ".join("abcdefghijklmnopq")
        )


def test_it_is_pickled_and_compared_by_what_was_planted():
    model = PlantedBias({"women": 0.1}, noise=0.05)
    again = pickle.loads(pickle.dumps(model))
    assert again == model != PlantedBias({"women": 0.2}, noise=0.05)
    assert again(["women"]) == model(["women"])
