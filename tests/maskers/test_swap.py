"""Swaps as a masker: on any units, in any combination."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from perturbx.exceptions import MaskingError
from perturbx.maskers import Swap
from perturbx.units import IdentityTerms, Sentences, Units, Words

TERMS = ["she", "An actress", "her", "a woman", "Mary", "an heiress", "the", "sees", "and", "."]
TERMS += ["boys'", "the gentlemen's", "ladies'"]


@given(st.lists(st.sampled_from(TERMS), max_size=8), st.integers(0, 2**16))
def test_units_are_swapped_whatever_becomes_of_the_others(words, seed):
    text = " ".join(words)
    swap, units = Swap("gender"), IdentityTerms("gender")(text)
    masks = torch.rand(4, len(units), generator=torch.Generator().manual_seed(seed)) < 0.5
    masks = torch.cat([masks, torch.zeros_like(masks[:1]), torch.ones_like(masks[:1])])
    pieces = [
        swap.variants(units, [[u != i for u in range(len(units))]]) for i in range(len(units))
    ]
    for mask, variant in zip(masks, swap.variants(units, masks).texts, strict=True):
        expected, last = "", 0
        for i, (start, stop) in enumerate(units.spans):
            alone = pieces[i].texts[0][start : len(pieces[i].texts[0]) - (len(text) - stop)]
            expected += text[last:start] + (text[start:stop] if mask[i] else alone)
            last = stop
        assert variant == expected + text[last:]
    assert swap.variants(units, masks[-2:]).texts == [swap.swapped(text).text, text]


@pytest.mark.parametrize("segmenter", [Words(), Sentences(), IdentityTerms("gender")])
def test_other_units_do_where_they_hold_whole_terms(segmenter):
    units = segmenter("An actress met her aunt. My aunt, too: she's here.")
    removed = torch.zeros(1, len(units), dtype=torch.bool)
    assert Swap("gender").variants(units, removed).texts == [
        "An actor met his uncle. My uncle, too: he's here."
    ]


def test_a_unit_without_a_counterpart_stays_and_half_a_term_does():
    units = Words()("My mother-in-law sings")
    whole = Units(units.text, ((0, 3), (3, 17), (17, 22)))
    masks = torch.zeros(1, len(units), dtype=torch.bool)
    assert Swap("gender").variants(units, masks).texts == [units.text]
    assert Swap("gender").variants(whole, [[False] * 3]).texts == ["My father-in-law sings"]


def test_an_article_changes_only_with_its_term():
    text = "an actress"
    apart = Units(text, ((0, 3), (3, 10)))
    masks = [[True, True], [False, True], [True, False], [False, False]]
    swap = Swap("gender", to="neutral")
    assert swap.variants(apart, masks).texts == [text, text, "an performer", "an performer"]
    together = IdentityTerms("gender")(text)
    assert swap.variants(together, [[False]]).texts == ["a performer"]


def test_pairs_are_swapped_apart():
    units = IdentityTerms("gender")(("She left", "her"))
    assert Swap("gender").variants(units, [[False, False]]).texts == [("He left", "him")]


@pytest.mark.parametrize(
    ("max_tokens", "read", "swapped"),
    [(4, "the s", "the s"), (7, "the she the", "the he the"), (None, None, "the he the she")],
)
def test_a_text_is_cut_to_the_window_before_it_is_swapped(word_piece, max_tokens, read, swapped):
    """A term that the window cuts in two is none that the model would read."""
    units = IdentityTerms("gender")("the she the he")
    encoding = Swap("gender").encode(units, word_piece, max_tokens)
    assert encoding.kind == "text"
    masks = torch.tensor([[True, True], [False, False]])
    assert encoding.variants(masks).texts == [read or units.text, swapped]
    assert encoding.units_read.tolist() == [True, read is None]
    assert (encoding.n_truncated > 0) == (read is not None)


def test_more_texts_than_a_pair_are_refused():
    units = Units("a\nb\nc", ((0, 1),), segments=((0, 1), (2, 3), (4, 5)))
    with pytest.raises(MaskingError, match="one text or a pair"):
        Swap("gender").encode(units)
