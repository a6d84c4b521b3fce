"""From what the user writes to a masker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError, MaskingError
from perturbx.maskers import Delete, MaskToken, Replace, UnknownToken, as_masker


def test_names(word_piece, byte_pairs):
    assert as_masker("auto") == Delete()
    assert as_masker("auto", byte_pairs) == Delete()
    assert as_masker("auto", word_piece) == as_masker("mask", word_piece) == MaskToken()
    assert as_masker("unk", word_piece) == as_masker("unk", byte_pairs) == UnknownToken()
    assert as_masker("delete", word_piece) == Delete()


def test_a_masker_is_returned_as_it_is():
    class Mine:
        def encode(self, units, tokenizer=None, max_tokens=None):
            raise NotImplementedError

    mine = Mine()
    assert as_masker(mine) is mine


@pytest.mark.parametrize("name", ["mask", "unk"])
def test_a_token_that_is_not_there_is_an_error_at_once(name):
    with pytest.raises(MaskingError, match=r"no tokenizer; take Delete\(\) or Replace"):
        as_masker(name)


@pytest.mark.parametrize("masker", ["[MASK]", "", "Delete", None, 3, Delete, object()])
def test_anything_else_is_named(masker):
    with pytest.raises(ArgumentError, match=r'masker: expected "auto", "mask", .* got'):
        as_masker(masker)


@pytest.mark.parametrize("per", ["word", None, "units"])
def test_per_is_token_or_unit(per):
    for make in (MaskToken, UnknownToken, lambda per: Replace("x", per=per)):
        with pytest.raises(ArgumentError, match='per: expected "token" or "unit"'):
            make(per)


@pytest.mark.parametrize("text", ["", None, 3])
def test_a_replacement_is_a_string_that_is_not_empty(text):
    with pytest.raises(ArgumentError, match=r"text: expected a string .* take Delete\(\)"):
        Replace(text)


@given(text=st.text(min_size=1))
def test_maskers_are_values(text):
    assert Replace(text) == Replace(text, per="unit") != Replace(text, per="token")
