"""Every row scored, with its labels, groups and clusters."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError, ScoringError
from perturbx.fairness.audit_rows import as_numbers, collect_rows
from perturbx.fairness.scoring import TextScores
from perturbx.fairness.text_source import TextsInMemory
from perturbx.lexicons import load_lexicon
from perturbx.scorers import as_scorer


def rows_of(texts, y=None, features=None, clusters=None, *, model=None, lexicons=(), depth=1):
    def constant(texts):
        return np.full((len(texts), 2), 0.5)

    scores = TextScores(as_scorer(model or constant), progress=False)
    source = TextsInMemory(texts, y, features, clusters)
    return collect_rows(source, scores, lexicons=lexicons, depth=depth)


@given(st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "", 3])), min_size=1, max_size=12))
def test_clusters_are_numbered_and_rows_without_one_are_their_own(clusters):
    rows = rows_of(["t"] * len(clusters), None, ["g"] * len(clusters), clusters)
    found = rows.clusters
    assert sorted(set(found)) == list(range(found.max() + 1))
    for i, first in enumerate(clusters):
        for j, second in enumerate(clusters):
            together = i == j or (first == second and first not in (None, ""))
            assert (found[i] == found[j]) == together


@given(st.lists(st.one_of(st.none(), st.integers(-3, 3), st.sampled_from(["1", "x", "2.5"]))))
def test_labels_are_numbers_where_all_are_written_as_such(labels):
    found = as_numbers(labels)
    texts = [label for label in labels if isinstance(label, str)]
    all_written = all(isinstance(label, str) for label in labels if label is not None)
    if all_written and "x" not in texts:
        assert found == [None if label is None else float(label) for label in labels]
    else:
        assert found == labels


@given(st.lists(st.sampled_from(["1", "0", "2.5", "NaN", "nan", None])))
def test_nan_among_numbers_is_no_label(labels):
    found = as_numbers(labels)
    numbers = [label for label in labels if label not in ("NaN", "nan", None)]
    if numbers:
        assert [v for v in found if v is not None] == [float(label) for label in numbers]
    else:
        assert found == labels


def test_an_attribute_in_the_texts_stands_beside_the_column_of_its_name():
    lexicon = load_lexicon("gender")
    rows = rows_of(["She is.", "He is."], None, {"gender": ["x", "y"]}, lexicons=[lexicon])
    assert [own.name for own in rows.attributes] == ["gender", "gender (in the text)"]
    crossed = rows_of(["She is."], None, {"a": ["x"], "b": ["y"]}, depth=2)
    assert [own.name for own in crossed.attributes] == ["a", "b", "a & b"]


@pytest.mark.parametrize(
    ("features", "options", "name"),
    [
        ({"a": ["x"], "b": ["y"], "a & b": ["z"]}, {"depth": 2}, "a & b"),
        (
            {"gender": ["x"], "gender (in the text)": ["y"]},
            {"lexicons": [load_lexicon("gender")]},
            "gender (in the text)",
        ),
    ],
)
def test_two_attributes_of_one_name_are_told(features, options, name):
    with pytest.raises(ArgumentError, match=f"two attributes are called '{re.escape(name)}'"):
        rows_of(["She is."], None, features, **options)


def test_groups_of_no_row_are_left_out():
    rows = rows_of(["She is.", "It is."], lexicons=[load_lexicon("gender")])
    assert [own.groups for own in rows.attributes] == [("female",)]


@pytest.mark.parametrize(
    ("texts", "options", "what"),
    [
        ([], {"features": []}, "texts: expected at least one text, got none"),
        (["It is."], {}, "groups: no row belongs to any group; give sensitive_features"),
        (["a"], {"features": [None]}, "groups: no row belongs to any group"),
        (["a", "b"], {"features": ["x", 1]}, "holds values of several types"),
        (["a"], {"features": ["x"], "clusters": [["c"]]}, "clusters: expected strings or numbers"),
    ],
)
def test_what_is_wrong_is_told(texts, options, what):
    with pytest.raises(ArgumentError, match=what):
        rows_of(texts, **options)


def test_what_is_wrong_with_the_columns_is_told_before_the_model_is_asked():
    def never(texts):
        raise AssertionError

    with pytest.raises(ArgumentError, match="several types"):
        rows_of(["a", "b"], None, ["x", 1], model=never)


def test_a_model_that_says_nan_is_told():
    with pytest.raises(ScoringError, match=r"NaN|nan|finite"):
        rows_of(["a"], None, ["x"], model=lambda texts: np.full((len(texts), 2), np.nan))
