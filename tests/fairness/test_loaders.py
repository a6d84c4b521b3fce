"""Loaders: real files where they are at hand, small ones of the same columns elsewhere."""

import csv
import json
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from perturbx.exceptions import ArgumentError, MissingExtraError
from perturbx.fairness import loaders
from perturbx.fairness.loaders import (
    load_audit_set,
    load_bbq,
    load_bec_pro,
    load_bias_in_bios,
    load_civil_comments,
    load_crows_pairs,
    load_hatecheck,
    load_madlibs,
    load_winobias,
)

DATASETS = Path(__file__).resolve().parents[2] / "datasets"


@pytest.fixture(scope="module")
def folder(shared):
    path = shared / "data" / "fairness"
    if not path.is_dir():
        pytest.skip(f"no data at {path} (set PERTURBX_SHARED)")
    return path


def write_csv(path, rows, delimiter=","):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_parquet(path, rows):
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


WRITERS = {"csv": write_csv, "jsonl": write_jsonl, "parquet": write_parquet}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("label", "names"), [("sentiment", "positive"), ("toxic", "1")])
def test_audit_set(language, label, names):
    data = load_audit_set(DATASETS / f"audit_{language}.csv", label)
    assert data.notes == ()
    for row in range(0, len(data), 97):
        assert data.labels[row] == (data.extra[label][row] == names)
        known = {a: data.groups_of(a)[row] for a in data.attributes}
        attribute = data.extra["attribute"][row]
        assert known.pop(attribute)
        assert set(known.values()) == {None}


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "language", "n_rows", "n_toxic", "n_identities", "n_occupations"),
    [
        ("madlibs_en_77k.csv", "en", 76564, 38282, 50, 27),
        ("madlibs_zh.csv", "zh", 37359, 11284, 91, 35),
    ],
)
def test_madlibs(folder, name, language, n_rows, n_toxic, n_identities, n_occupations):
    data = load_madlibs(folder / name, language)
    assert (len(data), sum(data.labels), data.notes) == (n_rows, n_toxic, ())
    assert len(data.group_names("identity")) == n_identities
    assert len(data.group_names("occupation")) == n_occupations
    # Each row has one term, and every frame is filled with every term: the slot is the right one.
    terms = defaultdict(set)
    labels = defaultdict(set)
    for text, label, frame, identity, occupation in zip(
        data.texts,
        data.labels,
        data.extra["frame"],
        data.groups_of("identity"),
        data.groups_of("occupation"),
        strict=True,
    ):
        assert (identity is None) != (occupation is None)
        term = identity or occupation
        assert frame.replace("_", term) == text
        terms[frame].add(term)
        labels[frame].add(label)
    assert {len(found) for found in terms.values()} == {n_identities, n_identities + n_occupations}
    # The label belongs to the frame.
    assert all(len(found) == 1 for found in labels.values())


def test_madlibs_rows_without_a_known_slot_are_kept_and_counted(tmp_path):
    rows = [
        {"template": "am_identity", "toxicity": "nontoxic", "phrase": "我是一名同性恋"},
        {"template": "hate_identity", "toxicity": "toxic", "phrase": "我讨厌女同性恋"},
        {"template": "verb_identity", "toxicity": "nontoxic", "phrase": "爱女同性恋"},
        {"template": "verb_identity", "toxicity": "nontoxic", "phrase": "爱火星人"},
        {"template": "you_are_identity_p", "toxicity": "nontoxic", "phrase": "你是可爱的同性恋"},
        {"template": "you_are_identity_p", "toxicity": "nontoxic", "phrase": "你是可爱同性恋"},
        {"template": "you_occupation", "toxicity": "nontoxic", "phrase": "你是可爱的医生"},
        {"template": "you_occupation", "toxicity": "nontoxic", "phrase": "你是可爱医生"},
        {"template": "you_occupation", "toxicity": "nontoxic", "phrase": "您好"},
        {"template": "new", "toxicity": "nontoxic", "phrase": "爱女同性恋"},
    ]
    data = load_madlibs(write_csv(tmp_path / "zh.csv", rows), "zh")
    assert data.groups_of("identity") == (
        "同性恋",
        "女同性恋",
        "女同性恋",
        None,
        "同性恋",
        "同性恋",
        None,
        None,
        None,
        "女同性恋",
    )
    assert data.groups_of("occupation")[6:9] == ("医生", "医生", None)
    assert data.notes == (
        "2 of 10 rows: the term in the slot could not be told",
        "1 of 10 texts come twice",
    )
    assert data.extra["frame"][3:5] == (None, "你是可爱的_")


@pytest.mark.data
def test_hatecheck(folder):
    data = load_hatecheck(folder / "hatecheck.csv")
    assert (len(data), sum(data.labels)) == (3728, 2563)
    assert len(data.group_names("target")) == 7
    assert data.notes == ("292 of 3728 rows have no target group",)
    assert data.groups_of("target").count(None) == 292
    # Hate is always about somebody.
    assert not any(
        label for label, t in zip(data.labels, data.groups_of("target"), strict=True) if t is None
    )


@pytest.mark.data
def test_bec_pro(folder):
    data = load_bec_pro(folder / "bec_pro_en.tsv")
    assert Counter(data.groups_of("gender")) == {"male": 2700, "female": 2700}
    assert set(Counter(data.groups_of("profession_gender")).values()) == {1800}
    by_cluster = defaultdict(list)
    for cluster, gender in zip(data.clusters, data.groups_of("gender"), strict=True):
        by_cluster[cluster].append(gender)
    assert len(by_cluster) == 300
    assert all(Counter(g) == {"male": 9, "female": 9} for g in by_cluster.values())


@pytest.mark.data
def test_winobias(folder):
    paths = [folder / f"winobias_{side}_type1.txt" for side in ("anti", "pro")]
    both = load_winobias(paths)
    assert len(both) == 792
    assert both.notes == ("5 of 396 pairs differ in more than the pronoun",)
    assert not any("[" in text or text[0].isdigit() for text in both.texts)
    assert Counter(both.groups_of("stereotype")) == {"anti": 396, "pro": 396}
    # The two sentences of a pair have one entity and the other gender.
    for first in range(396):
        assert both.clusters[first] == both.clusters[first + 396]
        assert both.extra["entity"][first] == both.extra["entity"][first + 396]
        pair = {both.groups_of("gender")[first], both.groups_of("gender")[first + 396]}
        assert pair == {"male", "female"}
    assert load_winobias(paths[1]) == replace(both.rows(range(396, 792)), notes=())


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"pro.txt": "no number"}, "line 1: no number with a sentence, 'no number'"),
        ({"pro.txt": "\n"}, "no sentence in"),
        ({"other.txt": "1 [The cook] said [he] left."}, "neither 'pro' nor 'anti'"),
        ({"anti_pro.txt": "1 [The cook] said [he] left."}, "or both"),
        ({"pro_1.txt": "1 [A] [he].", "pro_2.txt": "1 [A] [she]."}, "of one side"),
        ({"pro.txt": "1 [A] [he].", "anti.txt": "2 [A] [she]."}, "other numbers"),
    ],
)
def test_winobias_files_that_are_none(tmp_path, files, message):
    for name, text in files.items():
        (tmp_path / name).write_text(text + "\n", encoding="utf-8")
    paths = [tmp_path / name for name in files]
    with pytest.raises(ArgumentError, match=message):
        load_winobias(paths if len(paths) > 1 else paths[0])


def test_winobias_in_another_encoding(tmp_path):
    (tmp_path / "pro.txt").write_bytes("1 [The caf\xe9] [he].".encode("latin-1"))
    with pytest.raises(ArgumentError, match="no text in UTF-8"):
        load_winobias(tmp_path / "pro.txt")


def test_winobias_keeps_odd_rows(tmp_path):
    path = tmp_path / "antilope_pro_1.txt"
    path.write_text("1 [The cook] said [he] left.\n\n2 Nobody left.\n", encoding="utf-8")
    data = load_winobias(path)
    assert data.texts == ("The cook said he left.", "Nobody left.")
    assert data.extra["entity"] == ("cook", None)
    assert data.groups_of("gender") == ("male", None)
    assert data.notes == ("1 of 2 rows have no pronoun and person in brackets",)


@pytest.mark.data
def test_crows_pairs(folder):
    data = load_crows_pairs(folder / "crows_pairs.csv")
    assert len(data) == 3016
    assert data.clusters[:4] == (0, 0, 1, 1)
    assert data.groups_of("stereotype")[:2] == ("more", "less")
    # The first pair is "most black kids" / "most white kids", the third is antistereo.
    assert "black" in data.texts[0]
    assert data.groups_of("spoken_of")[:2] == ("disadvantaged", "advantaged")
    assert data.extra["direction"][4] == "antistereo"
    assert data.groups_of("spoken_of")[4:6] == ("advantaged", "disadvantaged")
    assert Counter(data.extra["bias_type"])["race-color"] == 2 * 516


COMMENTS = [
    {"comment_text": "a", "target": 0.9, "female": 1.0, "male": 0.0, "black": 0.5, "article_id": 1},
    {"comment_text": "b", "target": 0.2, "female": 0.6, "male": 0.7, "black": 0.0, "article_id": 1},
    {
        "comment_text": "c",
        "target": 0.5,
        "female": None,
        "male": None,
        "black": None,
        "article_id": 2,
    },
    {"comment_text": "d", "target": 0.0, "female": 0.1, "male": 0.0, "black": 0.4, "article_id": 3},
]


@pytest.mark.parametrize("form", WRITERS)
def test_civil_comments(tmp_path, form):
    data = load_civil_comments(WRITERS[form](tmp_path / f"x.{form}", COMMENTS))
    assert data.labels == (1, 0, 1, 0)
    assert data.groups == {
        "gender": ("female", None, None, None),
        "ethnicity": ("black", None, None, None),
        "male": ("background", "male", None, "background"),
        "female": ("female", "female", None, "background"),
        "black": ("black", "background", None, "background"),
    }
    assert data.extra["toxicity"] == (0.9, 0.2, 0.5, 0.0)
    assert [str(article) for article in data.clusters] == ["1", "1", "2", "3"]
    assert data.notes == (
        "identities were not rated in 1 of 4 comments",
        "1 comments mention several groups of gender",
    )


def test_civil_comments_in_other_words_and_at_another_threshold(tmp_path):
    rows = [
        {"text": c["comment_text"], "toxicity": c["target"], "muslim": c["female"]}
        for c in COMMENTS
    ]
    data = load_civil_comments(write_csv(tmp_path / "x.csv", rows), threshold=0.9)
    assert data.labels == (1, 0, 0, 0)
    assert data.groups_of("religion") == ("muslim", None, None, None)
    assert data.clusters is None
    booleans = [{"comment_text": "a", "target": "0", "muslim": "True"}]
    data = load_civil_comments(write_csv(tmp_path / "y.csv", booleans))
    assert data.groups_of("muslim") == ("muslim",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"female": "often"}, "female is 'often', no fraction"),
        ({"target": "1.5"}, r"target is '1\.5', no fraction"),
        ({"target": ""}, "target is empty in record 1"),
    ],
)
def test_civil_comments_with_odd_cells(tmp_path, change, message):
    path = write_csv(tmp_path / "x.csv", [COMMENTS[0] | change])
    with pytest.raises(ArgumentError, match=message):
        load_civil_comments(path)


def test_civil_comments_threshold():
    for threshold in (0, 1.1, float("nan"), "0.5", None):
        with pytest.raises(ArgumentError, match="threshold: expected a fraction"):
            load_civil_comments("nowhere.csv", threshold)


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize(
    "rows",
    [
        [
            {"hard_text": "She cares.", "profession": 13, "gender": 1},
            {"hard_text": "He cuts.", "profession": 25, "gender": 0},
        ],
        [
            {
                "text": "Ann is a nurse. She cares.",
                "hard_text": "She cares.",
                "p": "nurse",
                "g": "f",
            },
            {
                "text": "Al is a surgeon. He cuts.",
                "hard_text": "He cuts.",
                "p": "surgeon",
                "g": "m",
            },
        ],
        [
            {"bio": "She cares.", "title": "nurse", "gender": "F"},
            {"bio": "He cuts.", "title": "surgeon", "gender": "M"},
        ],
    ],
    ids=["numbers", "letters", "titles"],
)
def test_bias_in_bios(tmp_path, form, rows):
    data = load_bias_in_bios(WRITERS[form](tmp_path / f"x.{form}", rows))
    assert data.texts == ("She cares.", "He cuts.")
    assert data.labels == ("nurse", "surgeon")
    assert data.groups == {"gender": ("female", "male")}


@pytest.mark.parametrize("name", ["BIOS.pkl", "bios.pickle"])
def test_a_pickle_is_refused_unopened(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"no pickle at all")
    with pytest.raises(ArgumentError, match="is a pickle, and opening one runs whatever code"):
        load_bias_in_bios(path)


def question(**changes):
    return {
        "example_id": 7,
        "question_index": "1",
        "question_polarity": "neg",
        "context_condition": "ambig",
        "category": "Race_x_gender",
        "answer_info": {
            "ans0": ["Ann", "F-White"],
            "ans1": ["Not known", "unknown"],
            "ans2": ["Zoe", "F-Black"],
        },
        "additional_metadata": {"stereotyped_groups": ["Black", "African American"]},
        "context": "Ann and Zoe met.",
        "question": "Who was late?",
        "ans0": "Ann",
        "ans1": "Not known",
        "ans2": "Zoe",
        "label": 1,
    } | changes


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_bbq(tmp_path, form):
    answers = {"ans0": ["nondisabled", "nonDisabled"], "ans1": ["x", "disabled"], "ans2": ["?"]}
    rows = [
        question(),
        question(
            answer_info=answers,
            additional_metadata={"stereotyped_groups": ["disabled"]},
            label=2,
        ),
        question(additional_metadata={"stereotyped_groups": ["Martian"]}, label=0),
    ]
    data = load_bbq(WRITERS[form](tmp_path / f"x.{form}", rows))
    assert data.texts[0] == "Ann and Zoe met. Who was late?"
    assert data.labels == (1, 2, 0)
    assert data.groups == {"stereotyped": ("Black", "disabled", None)}
    assert data.extra["stereotyped_answer"] == (2, 1, None)
    assert data.extra["unknown_answer"] == (1, None, 1)
    assert data.clusters[0] == "Race_x_gender / 1"
    assert data.notes == ("in 1 of 3 rows no answer names the stereotyped group",)


def test_bbq_labels_are_answers(tmp_path):
    with pytest.raises(ArgumentError, match=r"label is 3 \(known: 0, 1, 2\)"):
        load_bbq(write_jsonl(tmp_path / "x.jsonl", [question(label=3)]))
    with pytest.raises(ArgumentError, match=r"label is \[1\]"):
        load_bbq(write_jsonl(tmp_path / "x.jsonl", [question(label=[1])]))


ALL = {name: getattr(loaders, name) for name in loaders.__all__}
TABLES = [load for load in ALL.values() if load is not load_winobias]


@pytest.mark.parametrize("load", ALL.values(), ids=ALL)
def test_a_file_that_is_not_there(load, tmp_path):
    with pytest.raises(ArgumentError, match=r"nowhere\.csv does not exist; .* is at "):
        load(tmp_path / "nowhere.csv")
    with pytest.raises(ArgumentError, match=r"is a folder; .* is at "):
        load(tmp_path)
    with pytest.raises(ArgumentError, match="path: expected"):
        load(7 if load is not load_winobias else [7])


@pytest.mark.parametrize("load", TABLES)
@pytest.mark.parametrize("form", WRITERS)
def test_another_file_is_told_by_its_columns(load, form, tmp_path):
    path = WRITERS[form](tmp_path / f"x.{form}", [{"apples": "1", "pears": "2"}])
    message = r"path: .*no column '.*\(found: 'apples', 'pears'\) in .*x\.\w+; .* is at "
    with pytest.raises(ArgumentError, match=message):
        load(path)


@pytest.mark.parametrize("load", [load_madlibs, load_hatecheck, load_bias_in_bios])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"", "no column .*found: none"),
        ("x.csv", b"\xff\xfe\x00", "no CSV in UTF-8"),
        ("x.jsonl", b"{]\n", "line 1: no JSON object a line"),
        ("x.jsonl", b"\xff\xfe{}", "path: no JSON lines in UTF-8"),
        ("x.jsonl", b"[1]\n", "line 1: no JSON object"),
        ("x.parquet", b"no parquet", "no Parquet"),
    ],
)
def test_a_file_that_cannot_be_read(load, name, content, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ArgumentError, match=message):
        load(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('"good",FINE,t\n', r"Label is 'FINE' \(known: 'BAD'"),
        ("good,BAD\n", "line 2: 2 cells for 3 columns"),
        ("good,BAD,t,more\n", "line 2: 4 cells for 3 columns"),
    ],
)
def test_rows_that_do_not_fit_are_told(line, message, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(f"Text,Label,Template\n{line}", encoding="utf-8")
    with pytest.raises(ArgumentError, match=message):
        load_madlibs(path)


def test_a_byte_order_mark_and_long_cells_are_read(tmp_path):
    path = tmp_path / "x.csv"
    text = "x" * 200_000
    path.write_text(f"\ufeffText,Label,Template\n{text},BAD,t\n", encoding="utf-8")
    limit = csv.field_size_limit(1_000)
    try:
        assert load_madlibs(path).texts == (text,)
        assert csv.field_size_limit() == 1_000
    finally:
        csv.field_size_limit(limit)


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    path = write_parquet(tmp_path / "x.parquet", COMMENTS)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"perturbx\[fairness\]"):
        load_civil_comments(path)


def test_bad_choices_are_named(tmp_path):
    with pytest.raises(ArgumentError, match="language: expected 'en' or 'zh'; got 'fr'"):
        load_madlibs("x.csv", "fr")
    with pytest.raises(ArgumentError, match="label: expected 'sentiment' or 'toxic'; got 'x'"):
        load_audit_set("x.csv", "x")
