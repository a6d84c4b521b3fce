"""The audit sets are what the generator gives, and balanced to the row."""

import csv
import re
import runpy
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from perturbx.fairness.planted_terms import WholeWords

DATASETS = Path(__file__).resolve().parents[1] / "datasets"
ATTRIBUTES = {"gender", "religion", "ethnicity", "orientation", "age", "disability"}
WITH_VOWEL = re.compile(r"\b[Aa] [aeiouAEIOU]|\b[Aa]n (?!hour\b)[^aeiouAEIOU]")


@pytest.fixture(scope="module")
def generator():
    return runpy.run_path(str(DATASETS / "make_audit_sets.py"))


@pytest.fixture(scope="module", params=["en", "zh"])
def language(request):
    return request.param


@pytest.fixture(scope="module")
def rows(language):
    with (DATASETS / f"audit_{language}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_the_file_is_what_the_generator_gives(generator, language):
    expected = generator["as_csv"](generator["make_rows"](language)).encode()
    assert (DATASETS / f"audit_{language}.csv").read_bytes() == expected


def test_texts_are_many_and_distinct(rows, generator):
    assert len(rows) >= 2000
    assert len({row["text"].casefold() for row in rows}) == len(rows)
    assert set(rows[0]) == set(generator["COLUMNS"])
    assert {row["attribute"] for row in rows} == ATTRIBUTES


def test_every_template_has_as_many_texts_of_every_group(rows):
    groups = defaultdict(set)
    counts = defaultdict(Counter)
    for row in rows:
        groups[row["attribute"]].add(row["group"])
        counts[row["attribute"], row["template"]][row["group"]] += 1
    for (attribute, _), count in counts.items():
        assert count.keys() == groups[attribute]
        assert len(set(count.values())) == 1
    assert all(len(names) >= 2 for names in groups.values())


def test_labels_belong_to_the_template(rows):
    labels = defaultdict(set)
    for row in rows:
        labels[row["template"]].add((row["sentiment"], row["toxic"]))
    assert all(len(label) == 1 for label in labels.values())
    kinds = Counter(next(iter(label)) for label in labels.values())
    assert kinds.keys() == {("positive", "0"), ("negative", "0"), ("negative", "1")}
    for attribute in ATTRIBUTES:
        sentiments = Counter(row["sentiment"] for row in rows if row["attribute"] == attribute)
        shares = [n / sentiments.total() for n in sentiments.values()]
        assert all(0.4 < share < 0.6 for share in shares)


def test_there_are_several_registers(rows, generator):
    registers = Counter(row["template"].split("_")[0] for row in rows)
    assert registers.keys() == set(generator["REGISTERS"])
    assert min(registers.values()) > 0.1 * len(rows)


def test_lengths_are_those_of_sentences(rows, language):
    for row in rows:
        size = len(row["text"].split()) if language == "en" else len(row["text"])
        low, high = (6, 30) if language == "en" else (8, 50)
        assert low <= size <= high
        assert row["text"] == row["text"].strip()
        assert not re.search(r"[\[\]{}]|  |的的", row["text"])


def test_articles_fit_what_follows(rows, language):
    if language == "en":
        # No word after an article begins with a silent h (save one) or a long u: letters tell.
        assert not [row["text"] for row in rows if WITH_VOWEL.search(row["text"])]


def test_a_text_holds_the_terms_of_its_group_and_of_no_other(rows):
    terms = defaultdict(set)
    for row in rows:
        terms[row["attribute"], row["group"]].add(row["term"])
    words = {group: WholeWords(names) for group, names in terms.items()}
    for row in rows:
        for (attribute, group), finder in words.items():
            expected = attribute == row["attribute"] and group == row["group"]
            assert len(finder.find(row["text"])) == expected
        assert WholeWords([row["term"]]).find(row["text"])


def test_texts_of_one_frame_differ_in_the_filler_only(rows, language):
    """Without its term, pronouns and articles, a sentence is the same for every group."""
    own = "nonbinary|persons?|people|she|he|they|her|him|his|their|them|herself|himself|themself"
    own += "|an?|sibling|parent|child|spouse"
    if language == "zh":
        own = "[信奉患坐身体的者人们徒族她他]|使用者|患者"
    frames = defaultdict(set)
    for row in rows:
        text = row["text"].replace(row["term"], "", 1)
        if row["term"] not in row["text"]:
            text = re.sub(re.escape(row["term"]), "", row["text"], flags=re.IGNORECASE, count=1)
        pattern = rf"(?i)\b({own})\b" if language == "en" else own
        rest = " ".join(re.sub(pattern, "", text).split())
        frames[row["template"], row["attribute"]].add(rest)
    n_texts = Counter((row["template"], row["attribute"], row["group"]) for row in rows)
    for (template, attribute), rests in frames.items():
        fills = {n for key, n in n_texts.items() if key[:2] == (template, attribute)}
        assert {len(rests)} == fills
