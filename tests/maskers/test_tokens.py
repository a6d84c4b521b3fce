"""The token path: which token belongs to whom, and what stands in its place."""

import copy
import logging
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import processors

from perturbx.exceptions import MaskingError
from perturbx.maskers import Delete, MaskToken, Replace, UnknownToken
from perturbx.units import as_segmenter
from perturbx.units.units import Units

TEXTS = st.text(st.sampled_from("thegodm, .你好é😀\n[]"), max_size=30)


def _all_masks(n):
    return (
        torch.tensor([[bool(i >> j & 1) for j in range(n)] for i in range(2**n)])
        .bool()
        .reshape(2**n, n)
    )


def test_special_tokens_and_templates_stay(word_piece, rows):
    text = "the movie: good [SEP]"
    units = Units(text, ((11, 16),))
    encoding = MaskToken().encode(units, word_piece)
    whole = word_piece(text)["input_ids"]
    masked = [word_piece.mask_token_id if i == word_piece.vocab["good"] else i for i in whole]
    assert rows(encoding.variants(torch.tensor([[True], [False]]))) == [whole, masked]


def test_every_unit_removed_leaves_the_frame(word_piece, words, rows):
    units = words("good, thin")
    (empty,) = rows(Delete().encode(units, word_piece).variants(torch.zeros(1, 2, dtype=bool)))
    assert empty == [word_piece.cls_token_id, word_piece.sep_token_id]


def test_a_text_without_units_is_read_as_it_is(word_piece, rows):
    for text in ("", "the good movie"):
        encoding = MaskToken().encode(Units(text, ()), word_piece)
        assert rows(encoding.variants(torch.ones(2, 0, dtype=torch.bool))) == (
            [word_piece(text)["input_ids"]] * 2
        )


def test_punctuation_goes_with_its_unit(word_piece, words):
    units = words("thin, good")
    masks = torch.tensor([[False, True]])
    token = word_piece.mask_token_id
    per_token = MaskToken().encode(units, word_piece).variants(masks).token_ids.tolist()[0]
    per_unit = MaskToken(per="unit").encode(units, word_piece).variants(masks)
    assert per_token.count(token) == 2
    assert per_unit.token_ids.tolist()[0].count(token) == 1
    assert per_unit.lengths.tolist() == [len(per_token) - 1]


@pytest.mark.parametrize(
    ("spans", "kind"),
    [
        (((0, 2), (2, 5), (5, 9)), "tokens"),  # un|##aff|##able: the pieces themselves
        (((0, 3), (3, 9)), "text"),  # ##aff is cut in two
        (((0, 4),), "text"),  # ##aff is half frozen
        (((0, 9),), "tokens"),
    ],
)
def test_tokens_are_used_where_each_lies_in_one_unit(word_piece, spans, kind):
    units = Units("unaffable", spans)
    assert Delete().encode(units, word_piece).kind == kind


def test_a_token_inside_two_spans_of_one_unit_is_no_straddler(word_piece, rows):
    units = Units("good unaffable", ((0, 5), (5, 8), (8, 14)), unit_of_span=(0, 1, 1))
    encoding = Delete().encode(units, word_piece)
    assert encoding.kind == "tokens"
    assert rows(encoding.variants(torch.tensor([[True, False]]))) == [
        word_piece("good")["input_ids"]
    ]


def test_characters_inside_tokens_are_edited_as_strings(word_piece):
    units = Units("good", ((0, 1), (1, 2), (2, 3), (3, 4)))
    masks = torch.tensor([[True, False, True, False]])
    assert Delete().encode(units, word_piece).variants(masks).texts == ["go"]
    assert MaskToken().encode(units, word_piece).variants(masks).texts == ["g[MASK]o[MASK]"]


def test_chinese_words_merged_by_byte_pairs_are_edited_as_strings(byte_pairs):
    units = Units("the 你好", ((0, 4), (4, 5), (5, 6)))
    encoding = Delete().encode(units, byte_pairs)
    assert encoding.kind == "text"
    assert encoding.variants(torch.tensor([[True, False, True]])).texts == ["the 好"]


def test_white_space_belongs_to_the_first_character(byte_pairs, rows):
    units = Units("the good movie", ((0, 4), (4, 9), (9, 14)))
    encoding = Delete().encode(units, byte_pairs)
    tokens = byte_pairs.convert_ids_to_tokens(
        rows(encoding.variants(torch.tensor([[True, False, True]])))[0]
    )
    assert "".join(tokens) == "theĠmovie"


@pytest.mark.parametrize("trim", [False, True])
@pytest.mark.parametrize("name", ["byte_pairs", "metaspace"])
def test_words_stay_apart_where_the_space_before_one_is_a_token(request, rows, name, trim):
    """Both tokenizers have " good" as one token, and " f" as two."""
    tokenizer = copy.deepcopy(request.getfixturevalue(name))
    if name == "byte_pairs":
        tokenizer.backend_tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim)
    lines = "\n" if name == "byte_pairs" else " "
    units = as_segmenter("words")(f"the good f v movie is{lines}bad l{lines}thin")
    masks = _all_masks(units.n_units)
    encoding = Delete().encode(units, tokenizer)
    assert encoding.kind == "tokens"
    for mask, row in zip(masks, rows(encoding.variants(masks)), strict=True):
        kept = [label for label, stays in zip(units.labels, mask, strict=True) if stays]
        assert tokenizer.decode(row, skip_special_tokens=True).split() == kept


def test_white_space_that_is_a_unit_goes_to_no_other(byte_pairs, rows):
    units = Units("good 5", ((0, 4), (4, 5), (5, 6)))
    encoding = Delete().encode(units, byte_pairs)
    (row,) = rows(encoding.variants(torch.tensor([[True, True, False]])))
    assert byte_pairs.decode(row) == "good "


def test_byte_pair_tokens_are_what_is_meant(byte_pairs, rows):
    """Removing the first word leaves "Ġgood"; the string "good" would be other tokens."""
    units = Units("the good", ((0, 4), (4, 8)))
    (row,) = rows(Delete().encode(units, byte_pairs).variants(torch.tensor([[False, True]])))
    whole = byte_pairs("the good")["input_ids"]
    assert row == whole[-len(row) :]
    assert row != byte_pairs("good")["input_ids"]
    assert byte_pairs.decode(row) == " good"


@settings(max_examples=80, deadline=None)
@given(
    text=st.text(st.sampled_from("thegod, (.你\n\t \xa0"), max_size=30),
    string=st.sampled_from(["thin", "[not] good", "(", "你"]),
)
def test_a_string_brings_the_space_that_tokens_hold(byte_pairs, words, rows, text, string):
    """What stands in the tokens reads as the edited string does, to the character."""
    units = words(text)
    masks = _all_masks(min(units.n_units, 4))
    masks = torch.cat([masks, torch.zeros(len(masks), units.n_units - masks.shape[1]).bool()], 1)
    encoding = Replace(string).encode(units, byte_pairs)
    if encoding.kind == "tokens":
        read = [byte_pairs.decode(row) for row in rows(encoding.variants(masks))]
        assert read == Replace(string).variants(units, masks).texts


def test_a_string_brings_the_space_of_metaspace(metaspace, rows):
    units = Units("the good movie the (bad) movie", ((0, 4), (4, 9), (15, 19), (20, 23)))
    encoding = Replace("thin").encode(units, metaspace)
    (row,) = rows(encoding.variants(torch.zeros(1, 4, dtype=torch.bool)))
    assert metaspace.decode(row, skip_special_tokens=True) == "thin thin movie thin (thin) movie"


def test_white_space_of_its_own_stays_beside_what_is_replaced(byte_pairs, rows):
    units = Units("the\n\n good", ((0, 5), (5, 10)))
    for masker, read in ((Replace("thin"), "thin"), (UnknownToken(), "<|end|>")):
        encoding = masker.encode(units, byte_pairs)
        (row,) = rows(encoding.variants(torch.tensor([[False, True]])))
        assert byte_pairs.decode(row) == f"{read}\n\n good"


def test_each_span_of_a_unit_is_replaced(word_piece, rows):
    units = Units("the good the thin", ((0, 4), (4, 9), (9, 13), (13, 17)), (0, 1, 0, 2))
    encoding = Replace("movie movie").encode(units, word_piece)
    assert rows(encoding.variants(torch.tensor([[False, True, True]]))) == [
        word_piece("movie movie good movie movie thin")["input_ids"]
    ]


def test_pairs_keep_their_token_types(word_piece, words, rows):
    units = words("the good", "a thin movie")
    encoding = Delete().encode(units, word_piece)
    variants = encoding.variants(torch.tensor([[True, False, True, False, True]]))
    expected = word_piece("the", "a movie")
    assert rows(variants) == [expected["input_ids"]]
    assert variants.extras["token_type_ids"].tolist() == [expected["token_type_ids"]]


def test_a_replacement_has_the_token_type_of_what_it_replaces(word_piece, words):
    units = words("the good", "thin movie")
    variants = Replace("un un un").encode(units, word_piece).variants(torch.zeros(1, 4).bool())
    assert variants.extras["token_type_ids"].tolist() == [[0] * 8 + [1] * 7]


def test_what_the_tokenizer_drops_is_not_read(word_piece):
    units = Units("the \x00 good", ((0, 4), (4, 6), (6, 10)))
    encoding = Delete().encode(units, word_piece)
    assert encoding.units_read.tolist() == [True, False, True]
    assert encoding.n_truncated == 0


def test_lone_surrogates_are_read_as_unknown_characters(word_piece, rows):
    units = Units("the \ud800 good", ((0, 4), (4, 6), (6, 10)))
    encoding = Delete().encode(units, word_piece)
    assert rows(encoding.variants(torch.tensor([[True, True, False]]))) == [
        word_piece("the \ufffd")["input_ids"]
    ]


@settings(max_examples=60, deadline=None)
@given(text=TEXTS, data=st.data())
def test_tokens_and_lengths_agree_for_every_tokenizer(
    word_piece, byte_pairs, metaspace, rows, text, data
):
    """Arbitrary spans: the full mask is the text, and every unit's tokens go with it alone."""
    cuts = data.draw(st.sets(st.integers(0, len(text)), max_size=4))
    edges = sorted(cuts)
    units = Units(text, tuple(pairwise(edges)))
    masks = _all_masks(units.n_units)
    for tokenizer in (word_piece, byte_pairs, metaspace):
        for masker in (Delete(), UnknownToken(), Replace("thin good")):
            encoding = masker.encode(units, tokenizer)
            variants = encoding.variants(masks)
            if encoding.kind == "text":
                assert variants.texts[-1] == text
                continue
            assert rows(variants)[-1] == tokenizer(text)["input_ids"]
            assert encoding.lengths(masks).tolist() == [len(row) for row in rows(variants)]
            if masker == Delete():
                frame = set(zip(rows(variants)[0], strict=True))
                assert frame <= set(zip(rows(variants)[-1], strict=True))
                # Deletion is additive: a variant's tokens are the frame's and its units'.
                alone = encoding.lengths(torch.eye(units.n_units, dtype=torch.bool))
                n_frame = len(rows(variants)[0])
                assert variants.lengths.tolist() == [
                    n_frame
                    + sum(int(n) - n_frame for n, kept in zip(alone, mask, strict=True) if kept)
                    for mask in masks
                ]


def test_the_tokenizer_does_not_warn_of_long_texts(word_piece, words, caplog):
    logger = logging.getLogger("transformers")
    propagate, logger.propagate = logger.propagate, True
    try:
        Delete().encode(words("good " * 100), word_piece)
    finally:
        logger.propagate = propagate
    assert not caplog.records


def test_three_texts_are_refused():
    units = Units("a b c", ((0, 1),), segments=((0, 1), (2, 3), (4, 5)))
    with pytest.raises(MaskingError, match="one text or a pair, got 3 segments"):
        Delete().encode(units)
