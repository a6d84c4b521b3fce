"""The string path."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import MaskingError
from perturbx.maskers import Delete, MaskToken, Replace, UnknownToken
from perturbx.units.units import Units


@st.composite
def games(draw):
    """Draw any text with any spans, and masks for them."""
    text = draw(st.text(max_size=20))
    edges = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
    spans = tuple(span for span in pairwise(edges) if draw(st.integers(0, 2)))
    n = len(spans)
    masks = draw(st.lists(st.lists(st.booleans(), min_size=n, max_size=n), max_size=4))
    return Units(text, spans), torch.tensor(masks, dtype=torch.bool).reshape(len(masks), n)


@settings(deadline=None)
@given(game=games())
def test_deleting_joins_what_is_left(game):
    units, masks = game
    expected = [
        "".join(s for owner, s in units.parts if owner == -1 or mask[owner]) for mask in masks
    ]
    assert Delete().variants(units, masks).texts == expected


@settings(deadline=None)
@given(game=games(), string=st.text(min_size=1, max_size=5))
def test_replacing_keeps_white_space_and_everything_else(game, string):
    units, masks = game
    expected = []
    for mask in masks:
        parts = []
        for owner, part in units.parts:
            replaced = owner != -1 and not mask[owner] and not part.isspace()
            parts.append(part.replace(part.strip(), string, 1) if replaced else part)
        expected.append("".join(parts))
    encoding = Replace(string).encode(units)
    assert encoding.variants(masks).texts == expected
    assert encoding.lengths(masks).tolist() == [len(text) for text in expected]


def test_punctuation_and_inner_white_space_are_replaced():
    units = Units("a thin,  old (book). End", ((0, 2), (2, 21), (21, 24)))
    assert Replace("[REDACTED]").variants(units, [[True, False, True]]).texts == [
        "a [REDACTED] End"
    ]


def test_strings_are_never_cut_to_a_width():
    """Fixed-width arrays of strings would turn a long replacement into its beginning."""
    units = Units("a b", ((0, 2), (2, 3)))
    long = "x" * 50
    assert Replace(long).variants(units, [[False, True], [True, False]]).texts == [
        f"{long} b",
        f"a {long}",
    ]


def test_pairs_are_tuples(words):
    units = words("so good", "no way")
    assert Delete().variants(units, [[True, False, False, True]]).texts == [("so ", "way")]
    assert Delete().encode(units).lengths(torch.tensor([[True, False, False, True]])).tolist() == [
        6
    ]


def test_a_unit_may_reach_across_a_pair():
    units = Units("so\nno", ((0, 5),), segments=((0, 2), (3, 5)))
    variants = Replace("x").variants(units, [[True], [False]])
    assert variants.texts == [("so", "no"), ("x", "x")]


def test_lone_surrogates_reach_a_model_that_takes_strings():
    units = Units("a \ud800 b", ((0, 2), (2, 4), (4, 5)))
    assert Delete().variants(units, [[False, True, True]]).texts == ["\ud800 b"]


def test_counting_tokens_needs_a_tokenizer(words):
    with pytest.raises(MaskingError, match=r'per: "token" .* no tokenizer'):
        Replace("x", per="token").encode(words("so good"))


def test_a_mask_token_needs_a_tokenizer(words, byte_pairs):
    with pytest.raises(MaskingError, match=r"MaskToken needs .* there is no tokenizer"):
        MaskToken().encode(words("so good"))
    with pytest.raises(MaskingError, match=r"MaskToken needs .* this tokenizer has none"):
        MaskToken().encode(words("so good"), byte_pairs)


def test_many_variants_of_a_long_text():
    units = Units("ab " * 2_000, tuple((3 * i, 3 * i + 3) for i in range(2_000)))
    masks = torch.rand(50, 2_000) < 0.5
    lengths = [len(text) for text in Delete().variants(units, masks).texts]
    assert lengths == (3 * masks.sum(1)).tolist()


def test_copies_of_a_special_token_are_read_as_copies(byte_pairs):
    """One per token; a space between them would be a token more."""
    units = Units("xqz the", ((0, 3), (3, 5), (5, 7)))
    encoding = UnknownToken().encode(units, byte_pairs)
    assert encoding.kind == "text"
    (text,) = encoding.variants(torch.tensor([[False, True, True]])).texts
    read = byte_pairs("xqz")["input_ids"], byte_pairs(" the")["input_ids"]
    assert byte_pairs(text)["input_ids"] == [byte_pairs.unk_token_id] * len(read[0]) + read[1]


@pytest.mark.parametrize(
    "text", ["the good, thin (movie) is good", "你好 世界 it is[not]你好", "unaffable the movie"]
)
def test_a_unit_has_as_many_copies_in_strings_as_in_tokens(
    word_piece, byte_pairs, metaspace, words, text
):
    """What a tokenizer puts before the first word of a text is no token of the words behind it."""
    units = words(text)
    masks = ~torch.eye(units.n_units, dtype=torch.bool)
    for tokenizer in (word_piece, byte_pairs, metaspace):
        masker = UnknownToken() if tokenizer is byte_pairs else MaskToken()
        copy = masker.filler(tokenizer)
        rows = masker.encode(units, tokenizer).variants(masks)
        assert rows.kind == "tokens"
        in_tokens = (rows.token_ids == copy.ids(tokenizer, "")[0]).sum(1).tolist()
        texts = masker.encode_strings(units, tokenizer).variants(masks).texts
        assert [string.count(copy.text) for string in texts] == in_tokens


def test_characters_without_spaces_have_a_copy_each(metaspace):
    """Each alone would have the sign for a space besides."""
    units = Units("is 你好 世界", tuple((i, i + 1) for i in (3, 4, 6, 7)))
    masks = ~torch.eye(4, dtype=torch.bool)
    assert MaskToken().encode_strings(units, metaspace).variants(masks).texts == [
        "is [MASK]好 世界",
        "is 你[MASK] 世界",
        "is 你好 [MASK]界",
        "is 你好 世[MASK]",
    ]


@pytest.mark.parametrize("second", ["(", "☃"])
def test_what_is_unknown_behind_something_unknown(word_piece, rows, second):
    """Both are one token; what stands in for one of them is still there, in strings and tokens."""
    units = Units(f"☃{second}", ((0, 1), (1, 2)))
    removed = torch.tensor([[True, False]])
    strings = MaskToken().encode_strings(units, word_piece).variants(removed).texts
    assert strings == ["☃[MASK]"]
    encoding = Replace("xyz").encode(units, word_piece)
    assert encoding.kind == ("tokens" if second == "(" else "text")
    if second == "(":
        assert rows(encoding.variants(removed)) == [word_piece("☃xyz")["input_ids"]]
