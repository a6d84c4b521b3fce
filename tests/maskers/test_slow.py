"""Tokenizers that do not say where their tokens lie."""

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.maskers import Delete, MaskToken, Replace
from perturbx.maskers.alignment import UNKNOWN, align

WORDS = st.one_of(
    st.sampled_from(["the", "Good,", "unaffable", "thin-thin", "é", "你好", "☃", "\u200b"]),
    st.text(st.sampled_from("aöÄßo,.!好☃ก"), min_size=1, max_size=6),
)


@settings(max_examples=80, deadline=None)
@given(
    first=st.lists(WORDS, max_size=6).map(" ".join),
    second=st.none() | st.lists(WORDS, max_size=4).map(" ".join),
    max_tokens=st.none() | st.integers(5, 12),
)
def test_slow_is_fast(word_piece, slow_word_piece, words, rows, first, second, max_tokens):
    """What could be followed has the variants of the fast tokenizer; the rest is strings."""
    units = words(first, second)
    masks = torch.rand(6, units.n_units, generator=torch.Generator().manual_seed(0)) < 0.5
    fast = MaskToken().encode(units, word_piece, max_tokens)
    slow = MaskToken().encode(units, slow_word_piece, max_tokens)
    assert slow.n_truncated == fast.n_truncated
    if slow.kind == "tokens" and fast.kind == "tokens" and not (second and fast.n_truncated):
        assert rows(slow.variants(masks)) == rows(fast.variants(masks))
        assert slow.units_read.tolist() == fast.units_read.tolist()


@pytest.mark.parametrize("second", [None, "Thin movie!"])
def test_plain_words_are_followed(slow_word_piece, word_piece, words, rows, second):
    units = words("The GOOD, unaffable möviê 你 ☃ is it.", second)
    slow = Delete().encode(units, slow_word_piece)
    assert slow.kind == "tokens"
    masks = torch.eye(units.n_units, dtype=torch.bool)
    assert rows(slow.variants(masks)) == rows(Delete().encode(units, word_piece).variants(masks))


def test_of_a_cut_pair_both_beginnings_are_followed(slow_word_piece, words):
    units = words("the good thin movie", "un thin good the movie")
    encoding = Delete().encode(units, slow_word_piece, max_tokens=7)
    assert encoding.kind == "tokens"
    assert encoding.units_read.tolist() == [True] * 2 + [False] * 2 + [True] * 2 + [False] * 3


def test_what_cannot_be_followed_is_edited_as_strings(slow_word_piece, words):
    units = words("☃ ☂ good")
    encoding = Delete().encode(units, slow_word_piece)
    assert encoding.kind == "text"
    assert encoding.variants(torch.tensor([[False, True, True]])).texts == ["☂ good"]


@pytest.mark.parametrize(
    ("text", "pieces", "expected"),
    [
        ("ab cd", ["▁ab", "▁c", "d"], ["ab", "c", "d"]),
        ("ab cd", ["a@@", "b", "cd</w>"], ["a", "b", "cd"]),
        ("# ab", ["#", "ab"], ["#", "ab"]),
        ("É e", ["é", "e"], ["É", "e"]),
        ("ÉE", ["e", "e"], ["É", "E"]),
        ("ΟΔΟΣ", ["οδος"], ["ΟΔΟΣ"]),
        ("a\x00\u200bb", ["a", "b"], ["a", "b"]),
        ("x ☃☃ y", ["x", UNKNOWN, "y"], ["x", "☃☃", "y"]),
        ("x ☃☃ y", ["x", UNKNOWN], ["x", "☃☃"]),
        ("กำ", ["ก", "ำ"], ["ก", "ำ"]),
        ("a", ["▁", "a"], ["", "a"]),
    ],
)
def test_where_tokens_lie(text, pieces, expected):
    spans = align(text, ((0, len(text)),), pieces)
    assert [text[start:stop] for start, stop in spans] == expected


@pytest.mark.parametrize("pieces", [["b"], ["a", "c"], [UNKNOWN, UNKNOWN, "b"]])
def test_a_walk_that_fails_says_so(pieces):
    assert align("a b", ((0, 3),), pieces) is None


def test_an_unknown_word_that_could_end_at_two_places_is_not_followed():
    assert align("aaß a", ((0, 5),), [UNKNOWN, "a"]) is None


def test_white_space_that_is_a_token_goes_with_its_unit(words, rows):
    """Each token of CANINE is a character, spaces included."""
    tokenizer = transformers.CanineTokenizer()
    units = words("the  plot\nis (5) thin", "it is")
    masks = torch.rand(20, units.n_units) < 0.5
    for masker in (Delete(), MaskToken(), Replace("so")):
        encoding = masker.encode(units, tokenizer)
        assert encoding.kind == "tokens"
        texts = masker.encode_strings(units, tokenizer).variants(masks).texts
        assert rows(encoding.variants(masks)) == [tokenizer(*pair)["input_ids"] for pair in texts]
