"""Texts that are longer than the model's window: what is cut, and what can outgrow it."""

import pytest
import torch

from perturbx.exceptions import ArgumentError, MaskingError
from perturbx.maskers import Delete, MaskToken, Replace, UnknownToken
from perturbx.units.units import Units


def _all(encoding):
    return torch.ones(1, encoding.units.n_units, dtype=torch.bool)


@pytest.mark.parametrize("masker", [Delete(), MaskToken(), UnknownToken(per="unit")], ids=repr)
@pytest.mark.parametrize("side", ["right", "left"])
def test_the_text_that_the_model_reads_is_explained(word_piece, words, rows, masker, side):
    units = words("the good, thin movie un good the")
    word_piece.truncation_side = side
    try:
        encoding = masker.encode(units, word_piece, max_tokens=6)
        expected = word_piece(units.text, truncation=True, max_length=6)["input_ids"]
    finally:
        word_piece.truncation_side = "right"
    assert rows(encoding.variants(_all(encoding))) == [expected]
    assert encoding.n_truncated == 4
    read = [True] * 3 + [False] * 4 if side == "right" else [False] * 3 + [True] * 4
    assert encoding.units_read.tolist() == read


def test_removing_what_is_not_read_changes_nothing(word_piece, words, rows):
    encoding = Delete().encode(words("the good thin movie"), word_piece, max_tokens=4)
    masks = torch.tensor([[True, True, True, True], [True, True, False, False]])
    whole, cut = rows(encoding.variants(masks))
    assert whole == cut


def test_a_text_that_fits_is_not_cut(word_piece, words):
    encoding = Delete().encode(words("the good"), word_piece, max_tokens=4)
    assert encoding.n_truncated == 0
    assert encoding.units_read.all()


def test_of_a_pair_the_longer_text_is_cut_first(word_piece, words, rows):
    units = words("good", "the the thin thin movie")
    encoding = Delete().encode(units, word_piece, max_tokens=6)
    assert rows(encoding.variants(_all(encoding))) == [word_piece("good", "the the")["input_ids"]]
    assert encoding.units_read.tolist() == [True, True, True, False, False, False]


def test_strings_are_cut_to_the_window_too(word_piece):
    """Units inside tokens are strings; what lies beyond the window must not slide into it."""
    text = "good thin movie"
    units = Units(text, tuple((i, i + 1) for i in range(len(text))))
    encoding = Delete().encode(units, word_piece, max_tokens=4)
    assert encoding.kind == "text"
    assert encoding.variants(_all(encoding)).texts == ["good thin"]
    assert encoding.n_truncated == 1
    assert encoding.units_read.tolist() == [True] * 9 + [False] * 6


def test_the_second_string_of_a_pair_may_be_lost(word_piece):
    text = "good thin movie\nun"
    spans = tuple((i, i + 1) for i, c in enumerate(text) if c != "\n")
    units = Units(text, spans, segments=((0, 15), (16, 18)))
    encoding = Delete().encode(units, word_piece, max_tokens=4)
    assert encoding.variants(_all(encoding)).texts == [("good", "")]


@pytest.mark.parametrize("masker", [Replace("un un"), Replace("un un", per="token")], ids=repr)
def test_a_replacement_that_outgrows_the_window_is_refused_before_any_call(
    word_piece, words, masker
):
    units = words("the good")
    assert masker.encode(units, word_piece, max_tokens=6).kind == "tokens"
    with pytest.raises(MaskingError, match="could have 6 tokens, and the model reads 5"):
        masker.encode(units, word_piece, max_tokens=5)


@pytest.mark.parametrize("max_tokens", [0, -3])
def test_the_window_is_a_positive_number(word_piece, words, max_tokens):
    with pytest.raises(ArgumentError, match=f"max_tokens: .* got {max_tokens}"):
        Delete().encode(words("the good"), word_piece, max_tokens)


def test_special_tokens_must_fit(word_piece, words, rows):
    units = words("the good")
    with pytest.raises(MaskingError, match="special tokens alone are 2"):
        Delete().encode(units, word_piece, max_tokens=1)
    encoding = Delete().encode(units, word_piece, max_tokens=2)
    assert rows(encoding.variants(_all(encoding))) == [word_piece("")["input_ids"]]
    assert not encoding.units_read.any()
