"""Rows from files of any kind and in pieces of any size are the rows in memory."""

import csv
import json
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import perturbx as px
from perturbx.exceptions import ArgumentError
from perturbx.fairness.audit_rows import collect_rows
from perturbx.fairness.scoring import TextScores
from perturbx.fairness.text_source import TextFile, TextsInMemory
from perturbx.lexicons import load_lexicon
from perturbx.scorers import as_scorer

pd = pytest.importorskip("pandas")

TEXTS = [
    'She said, "no".',
    "Two\nlines, and a quote: '\"'",
    "tab\there",
    "",
    "他们 很 好",
    "He is \u2028 here\r\nnow",
    " spaces ",
    "😀 emoji",
] * 3
LABELS = [1, 0, None, 1, 0, 1, 0, None] * 3
GROUPS = ["a", None, "b", "b", "a", "a", None, "c"] * 3
CLUSTERS = ["x", "y", "x", None, "z", "y", "y", "x"] * 3
COLUMNS = {"text": "text", "label": "label", "groups": ("group",), "cluster": "cluster"}


def rows_of(texts=TEXTS):
    n = len(texts)
    columns = zip(texts, LABELS[:n], GROUPS[:n], CLUSTERS[:n], strict=True)
    return [dict(zip(("text", "label", "group", "cluster"), row, strict=True)) for row in columns]


def write(path, rows, *, bom=False):
    encoding = "utf-8-sig" if bom else "utf-8"
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding=encoding)
    elif path.suffix == ".parquet":
        pytest.importorskip("pyarrow")
        pd.DataFrame(rows).to_parquet(path)
    else:
        with path.open("w", encoding=encoding, newline="") as file:
            delimiter = "\t" if path.suffix == ".tsv" else ","
            writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
    return path


def gathered(source, *, depth=2):
    def model(texts):
        return np.array([[len(text) % 7 / 7, 1 - len(text) % 7 / 7] for text in texts])

    scores = TextScores(as_scorer(model), progress=False)
    lexicons = [load_lexicon("gender")]
    return collect_rows(source, scores, lexicons=lexicons, depth=depth)


def same(first, second):
    np.testing.assert_array_equal(first.raw, second.raw)
    assert first.labels == second.labels
    np.testing.assert_array_equal(first.clusters, second.clusters)
    assert [a.name for a in first.attributes] == [a.name for a in second.attributes]
    for one, two in zip(first.attributes, second.attributes, strict=True):
        assert one.groups == two.groups
        np.testing.assert_array_equal(one.members.toarray(), two.members.toarray())


@pytest.fixture(scope="module")
def in_memory():
    return gathered(TextsInMemory(TEXTS, LABELS, {"group": GROUPS}, CLUSTERS))


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("piece", [1, 5, 1000])
def test_files_of_any_kind_in_any_pieces_are_the_rows_in_memory(tmp_path, in_memory, ending, piece):
    path = write(tmp_path / f"rows{ending}", rows_of())
    source = TextFile(path, **COLUMNS, piece=piece)
    same(gathered(source), in_memory)
    at = np.array([0, 3, 7, 20])
    assert source.texts_at(at) == [TEXTS[row] for row in at]
    assert source.name == f"rows{ending}"


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl"])
def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path, in_memory, ending):
    path = write(tmp_path / f"rows{ending}", rows_of(), bom=True)
    same(gathered(TextFile(path, **COLUMNS)), in_memory)


@given(st.data())
@settings(max_examples=25)
def test_pieces_of_any_size_are_the_whole(tmp_path_factory, data):
    n = data.draw(st.integers(1, len(TEXTS)))
    text = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    texts = data.draw(st.lists(text, min_size=n, max_size=n))
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    write(path, rows_of(texts))
    found = []
    for size in (data.draw(st.integers(1, n)), 10**6):
        pieces = list(TextFile(path, **COLUMNS, piece=size).pieces())
        assert all(len(piece.texts) == size for piece in pieces[:-1])
        found.append(
            [row for piece in pieces for row in zip(piece.texts, piece.labels or [], strict=True)]
        )
    assert found[0] == found[1]
    assert [row[0] for row in found[0]] == texts


def test_a_series_goes_by_place_and_an_iterator_goes_twice():
    shuffled = pd.Series(TEXTS, index=np.random.default_rng(0).permutation(len(TEXTS)))
    at = np.arange(len(TEXTS))
    assert TextsInMemory(shuffled).texts_at(at) == TEXTS
    source = TextsInMemory(iter(TEXTS), iter(LABELS), {"group": iter(GROUPS)}, iter(CLUSTERS))
    first, second = (next(source.pieces()) for _ in range(2))
    assert first.texts == second.texts == TEXTS
    assert first.labels == second.labels == LABELS
    assert first.columns == second.columns == {"group": GROUPS}
    assert source.texts_at(at[:2]) == TEXTS[:2]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("text,label\nx,1\n", r"path: no column 'group' \(found: 'text', 'label'\) in .*rows.csv"),
        ("", "path: no column 'text'"),
        ("text,label,group,cluster\na,1,b\n", "line 2: 3 cells for 4 columns"),
        ("text,label,group,cluster\na,1,b,c\na,1,b,c,d\n", "line 3: 5 cells for 4 columns"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path, content, what):
    path = tmp_path / "rows.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ArgumentError, match=what):
        list(TextFile(path, **COLUMNS).pieces())


@pytest.mark.parametrize(
    ("name", "what"),
    [("none.csv", "path: .*does not exist"), ("x.pkl", "is a pickle"), (".", "is a folder")],
)
def test_a_file_must_be_there(tmp_path, name, what):
    with pytest.raises(ArgumentError, match=what):
        list(TextFile(tmp_path / name).pieces())


def test_a_cell_that_is_no_text_is_told_by_its_row(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{"text": null}\n', encoding="utf-8")
    with pytest.raises(ArgumentError, match=r"row 2: the column 'text' holds NoneType None"):
        list(TextFile(path).pieces())
    path.write_text('{"text": "a"}\nnot json\n', encoding="utf-8")
    with pytest.raises(ArgumentError, match="line 2: no JSON object a line"):
        list(TextFile(path).pieces())


def test_bytes_that_are_no_utf_8_are_told(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes("text\ncaf\xe9\n".encode("latin-1"))
    with pytest.raises(ArgumentError, match="no CSV in UTF-8"):
        list(TextFile(path).pieces())


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"labels": [1]}, "y: has 1 rows for 2 texts"),
        ({"labels": 3}, "y: expected a value per text; got 3"),
        ({"labels": "ab"}, "y: expected a value per text; got 'ab'"),
        ({"features": {"sex": ["f"]}}, r"sensitive_features\['sex'\]: has 1 rows for 2 texts"),
        ({"features": "f"}, "sensitive_features: expected a column"),
        ({"clusters": [1, 2, 3]}, "clusters: has 3 rows for 2 texts"),
    ],
)
def test_columns_in_memory_are_as_long_as_the_texts(options, what):
    with pytest.raises(ArgumentError, match=what):
        list(TextsInMemory(["a", "b"], **options).pieces())


def report_of(fit):
    def model(texts):
        return np.array([(sum(map(ord, text)) * 7 + len(text)) % 97 / 97 for text in texts])

    audit = px.FairnessAudit(
        model,
        groups="gender",
        random_state=0,
        progress=False,
        n_resamples=100,
        n_permutations=100,
        n_explained=20,
        n_swaps=30,
        min_group_size=3,
    )
    return fit(audit).report_


@pytest.fixture(scope="module")
def audited():
    """Rows, and the report of them in memory."""
    texts = [
        f'{who} said\n"{number % 9}", {word}.'
        for number, (who, word) in enumerate(product(("She", "He", "They"), range(14)))
    ]
    labels, groups, clusters = (
        (cells * len(texts))[: len(texts)]
        for cells in ([1, 0, None, 0, 1], ["a", "b", None], list("uvwxyz"))
    )
    rows = [
        {"text": text, "label": label, "group": group, "cluster": cluster}
        for text, label, group, cluster in zip(texts, labels, groups, clusters, strict=True)
    ]
    report = report_of(lambda audit: audit.fit(texts, labels, {"group": groups}, clusters=clusters))
    return rows, report


@pytest.mark.parametrize(
    ("ending", "piece"), [(".csv", 1000), (".tsv", 7), (".jsonl", 1), (".parquet", 41)]
)
def test_reports_of_files_are_those_of_the_rows_in_memory(tmp_path, audited, ending, piece):
    rows, first = audited
    path = write(tmp_path / f"rows{ending}", rows)
    source = TextFile(path, **COLUMNS, piece=piece)
    second = report_of(lambda audit: audit._fit(source))
    for name, table in first.frames.items():
        pd.testing.assert_frame_equal(table, second.frames[name])
    assert len(first.gaps)
    assert len(first.words)
    differing = {"dataset", "time", "seconds", "clusters"}
    for key in first.facts.keys() - differing:
        assert first.facts[key] == second.facts[key], key
