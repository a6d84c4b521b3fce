"""The lexicons that are shipped, and whether they know the terms of public audit sets."""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from perturbx.lexicons import as_lexicons, find_mentions, lexicon_names, load_lexicon
from perturbx.maskers import Swap

NAMES = lexicon_names()


@pytest.mark.parametrize("name", NAMES)
def test_every_spelling_is_found_as_one_of_its_group(name):
    lexicon = load_lexicon(name)
    for entry in lexicon.entries:
        for group, cell in zip(entry.groups, entry.cells, strict=True):
            for spelling in cell:
                found = lexicon.find(spelling, ambiguous="always")
                assert [(m.term, m.group) for m in found] == [(spelling, group)]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_identity_term_is_not_found(name):
    lexicon = load_lexicon(name)
    for entry in lexicon.entries:
        if entry.kind == "other":
            for expression in entry.neutral:
                assert lexicon.find(expression, ambiguous="always") == ()


@pytest.mark.parametrize("name", NAMES)
def test_all_but_a_few_can_be_swapped(name):
    lexicon = load_lexicon(name)
    groups = Counter(
        group
        for entry in lexicon.entries
        if entry.kind in ("symmetric", "asymmetric")
        for group, cell in zip(entry.groups, entry.cells, strict=True)
        if cell and sum(map(bool, entry.cells)) > 1
    )
    assert set(groups) | {"minority"} >= set(lexicon.groups)


def test_gender_has_many_words_and_names():
    forms = Counter(entry.form == "name" for entry in load_lexicon("gender").entries)
    assert forms[False] >= 100
    assert forms[True] >= 100


def _rows(shared, name):
    path = shared / "data" / "fairness" / name
    if not path.is_file():
        pytest.skip(f"no data at {path} (set PERTURBX_SHARED)")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.data
def test_the_terms_of_the_english_madlibs_are_found(shared):
    lexicons = as_lexicons()
    for row in _rows(shared, "madlibs_en_77k.csv")[::7]:
        if row["Template"] != "you_occupation":
            found = find_mentions(lexicons, row["Text"])
            assert any(mention.form != "name" for mention in found), row["Text"]


@pytest.mark.data
def test_the_terms_of_the_chinese_madlibs_are_found(shared):
    lexicons = as_lexicons(language="zh")
    rows = _rows(shared, "madlibs_zh.csv")
    for row in rows[::7]:
        if row["template"] != "you_occupation":
            assert find_mentions(lexicons, row["phrase"]), row["phrase"]
    terms = {
        re.sub("^我是(一名)?", "", row["phrase"])
        for row in rows
        if row["template"] == "am_identity"
    }
    for term in terms:
        assert [m.term for m in find_mentions(lexicons, term)] == [term]


@pytest.mark.data
def test_the_targets_of_hatecheck_are_found(shared):
    lexicons = as_lexicons()
    targets = {row["target_ident"] for row in _rows(shared, "hatecheck.csv")} - {""}
    assert len(targets) == 7
    for target in targets:
        for text in (target, f"All {target} like that", f"{target[0].upper()}{target[1:]}!"):
            assert find_mentions(lexicons, text), text


def test_the_lexicons_lie_among_the_data_sets():
    link = Path(__file__).resolve().parents[2] / "datasets" / "lexicons"
    if not link.is_dir():
        pytest.skip("this checkout has no symbolic links")
    assert sorted(path.stem for path in link.glob("*.csv")) == sorted(NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "a Bachelor of Science and a Master of Arts",
        "a bachelor's degree",
        "the bachelor’s and master’s programmes",
        "a queen bee in our sister city",
    ],
)
def test_degrees_and_other_set_phrases_name_no_one(text):
    assert Swap("gender").swapped(text).text == text
