"""Texts arrive as they were written, or an error names the place."""

import csv
import io
import json
import sys
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.cli.inputs import read_texts
from perturbx.exceptions import ArgumentError

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.lists(st.text(characters, min_size=1), min_size=1, max_size=5)
few = settings(max_examples=50, deadline=None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("inputs")


@pytest.fixture
def pipe(monkeypatch):
    """Return a function that puts bytes on standard input."""

    def put(raw):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))

    return put


@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@few
@given(texts=texts)
def test_tables_hold_any_text(folder, suffix, delimiter, encoding, texts):
    path = folder / f"texts{suffix}"
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([("id", "comment"), *enumerate(texts)])
    assert read_texts([], path, "comment") == texts


@few
@given(texts=texts, escaped=st.booleans())
def test_json_lines_hold_any_text(folder, texts, escaped):
    path = folder / "texts.jsonl"
    lines = [json.dumps({"text": text, "id": 1}, ensure_ascii=escaped) for text in texts]
    path.write_bytes("\n\n".join(lines).encode())
    assert read_texts([], path, None) == texts


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_plain_files_hold_a_text_a_line(tmp_path, end):
    path = tmp_path / "texts.txt"
    path.write_bytes(f"\ufeffone{end}{end}  {end}two, too {end}three\u2028four".encode())
    assert read_texts([], path, None) == ["one", "two, too ", "three\u2028four"]


def test_a_long_field_is_read(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("text\n" + "x" * 200_000)
    assert read_texts([], path, None) == ["x" * 200_000]


def test_an_empty_cell_is_an_empty_text(tmp_path):
    path = tmp_path / "gaps.csv"
    path.write_text("text,label\nfine,1\n,0\n\nbad,0\n")
    assert read_texts([], path, None) == ["fine", "", "bad"]


@pytest.mark.parametrize("arguments", [[], ["-"]])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_standard_input_is_one_text(pipe, arguments, end):
    pipe(f"\ufefffirst line\n\nlast line{end}".encode())
    assert read_texts(arguments, None, None) == ["first line\n\nlast line"]


def test_standard_input_as_a_file_is_a_text_a_line(pipe):
    pipe(b"first\nsecond\n")
    assert read_texts([], Path("-"), None) == ["first", "second"]


def test_arguments_are_texts_of_their_own(pipe):
    pipe(b"not read")
    assert read_texts(["one\n", "", "two"], None, None) == ["one\n", "", "two"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "column 'text' .* is not there; the columns are none"),
        ("a.csv", b"\xef\xbb\xbfreview,label\na,b\n", "the columns are 'review', 'label'"),
        ("a.csv", b"text,text\na,b\n", "'text' .* is twice there"),
        ("a.csv", b"text,label\n", "holds no text"),
        ("a.csv", b"text,label\nfine,1\nso, so,0\n", "line 3: has 3 fields where the header has 2"),
        ("a.csv", b'text,label\nfine,1\n"never closed,0\n', "line 3: unexpected end of data"),
        ("a.tsv", b"text,label\nfine,1\n", "the columns are 'text,label'"),
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', "line 2: is not JSON"),
        ("a.jsonl", b"\n" + b"[" * 100_000, "line 2: is not JSON"),
        ("a.jsonl", b'["text"]\n', "line 1: expected an object; got list"),
        ("a.jsonl", b'{"review": "a", "id": 1}', "has no key 'text' .* 'review', 'id'"),
        ("a.jsonl", b'{"text": null}', "line 1: 'text' is not a string but NoneType"),
        ("a.jsonl", b"", "holds no text"),
        ("a.txt", b"\n \n", "holds no text"),
        ("a.txt", b"abc\xff\xfe", "byte 0xff at position 3"),
        ("a.txt", "abc".encode("utf-16"), "byte 0xff at position 0"),
        ("a.txt", "abc".encode("utf-16-le"), "NUL"),
        ("a.json", b"[]", "cannot tell what .json holds"),
        ("a.PDF", b"", "cannot tell what .pdf holds"),
    ],
)
def test_a_file_without_texts_is_told_where(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ArgumentError, match=said) as caught:
        read_texts([], path, None)
    assert str(caught.value).startswith("--input: ")
    assert name in str(caught.value)


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"\xff"])
def test_standard_input_must_hold_a_text(pipe, raw):
    pipe(raw)
    with pytest.raises(ArgumentError, match="standard input"):
        read_texts([], None, None)


@pytest.mark.parametrize(
    ("arguments", "file", "column", "said"),
    [
        (["a"], Path("a.csv"), None, "one of both"),
        (["a"], None, "text", "give --input"),
        ([], Path("-"), "text", "a text a line"),
        (["-", "a"], None, None, "must be the only TEXT"),
        (["fine", "not \udcff fine"], None, None, "does not decode"),
    ],
)
def test_options_that_do_not_go_together(arguments, file, column, said):
    with pytest.raises(typer.BadParameter, match=said):
        read_texts(arguments, file, column)


def test_nothing_to_read_on_a_terminal(monkeypatch):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    with pytest.raises(typer.BadParameter, match="give a TEXT, pipe one in, or name a file"):
        read_texts([], None, None)
