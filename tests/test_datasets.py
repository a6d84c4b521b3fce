"""The data sets are what their datasheet says."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from perturbx.units import as_segmenter

FOLDER = Path(__file__).resolve().parents[1] / "datasets"
SIZES = {"reviews_en.csv": 120, "reviews_zh.csv": 80}


def rows_of(name):
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        rows = list(reader)
    assert reader.fieldnames == ["text", "label"]
    return rows


@pytest.mark.parametrize(("name", "n_rows"), SIZES.items())
def test_reviews_are_balanced_and_distinct(name, n_rows):
    rows = rows_of(name)
    assert Counter(row["label"] for row in rows) == {"positive": n_rows / 2, "negative": n_rows / 2}
    texts = [row["text"] for row in rows]
    assert len({text.casefold() for text in texts}) == n_rows
    assert all(text == text.strip() and len(text) > 8 for text in texts)


@pytest.mark.parametrize("name", SIZES)
def test_reviews_come_in_pairs_on_one_subject(name):
    rows = rows_of(name)
    for praise, blame in zip(rows[::2], rows[1::2], strict=True):
        assert (praise["label"], blame["label"]) == ("positive", "negative")
        # Function words and the subject are shared; the judgement is not.
        tokens = [
            set(row["text"].split() if "en" in name else row["text"]) for row in (praise, blame)
        ]
        assert tokens[0] & tokens[1]


def test_every_data_set_has_a_datasheet():
    datasheet = (FOLDER / "README.md").read_text(encoding="utf-8")
    for path in FOLDER.glob("*.csv"):
        assert path.name in datasheet
        assert path.name in {*SIZES, "audit_en.csv", "audit_zh.csv"}
    assert "CC0" in datasheet


def test_questions_have_their_sources_in_their_contexts():
    lines = (FOLDER / "context_questions.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert len({record["id"] for record in records}) == len(records) == 33
    languages = Counter(record["language"] for record in records)
    assert languages == {"en": 25, "zh": 2, "ja": 2, "hi": 2, "ar": 2}
    cut = as_segmenter("sentences")
    for record in records:
        sentences = [piece.strip() for piece in cut(record["context"]).pieces]
        assert 7 <= len(sentences) <= 9
        assert all(sentences.count(source) == 1 for source in record["sources"])
        assert any(record["answer"] in source for source in record["sources"])
    assert sum(len(record["sources"]) == 2 for record in records) == 4
