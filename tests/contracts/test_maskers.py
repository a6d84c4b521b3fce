"""What every masker must obey, on tokens and on strings."""

import pickle
from string import ascii_lowercase

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from perturbx.exceptions import MaskingError
from perturbx.maskers import Delete, MaskToken, Replace, Swap, UnknownToken
from perturbx.maskers.text_encoding import encode_text
from perturbx.typing import Encoding, Masker
from perturbx.units.units import Units

MASKERS = [
    Delete(),
    MaskToken(),
    MaskToken(per="unit"),
    UnknownToken(),
    UnknownToken(per="unit"),
    Replace("xyz"),
    Replace("xyz", per="token"),
    Replace("[MASK]"),
    Replace("something unaffable, (really)"),
    Replace("☃ 你好", per="token"),
    Swap("gender"),
    Swap(["zh_gender", "religion"], {"female": "male", "muslim": "jewish"}, ambiguous="never"),
    Swap(to="neutral"),
]
SPECIAL = {
    "unk_token": "[UNK]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}


def _tiny_word_piece():
    pieces = [*SPECIAL.values(), "the", "good", "un", "##aff", "##able", "你", ",", ".", "(", ")"]
    pieces += [*ascii_lowercase, *(f"##{letter}" for letter in ascii_lowercase)]
    tokenizer = Tokenizer(
        models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(list(SPECIAL.values()))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    columns = ["input_ids", "token_type_ids", "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=columns, **SPECIAL)


@pytest.fixture(scope="module", params=["tiny", pytest.param("minilm", marks=pytest.mark.model)])
def tokenizer(request):
    if request.param == "tiny":
        return _tiny_word_piece()
    return AutoTokenizer.from_pretrained(request.getfixturevalue("minilm_path"))


CHARACTERS = st.sampled_from("abgoT,.(é你好😀ก्ß\u200d\x00[#▁")
WORDS = st.one_of(
    st.sampled_from(["she", "An", "actress", "Muslims", "她的"]),
    st.sampled_from(["the", "good", "unaffable", "Good,", "[MASK]", "[UNK]", "don't", "##ing"]),
    st.text(CHARACTERS, min_size=1, max_size=5),
    st.text(min_size=1, max_size=4).filter(lambda word: not any(c.isspace() for c in word)),
)
SPACES = st.sampled_from([" ", " ", " ", "  ", "\n", "\t ", "\u3000"])


@st.composite
def games(draw):
    """Draw units that end at white space, some of the text in the frame, and masks for them."""
    text, segments, spans = "", [], []
    for _ in range(draw(st.integers(1, 2))):
        text += "\n" if segments else ""
        start = len(text)
        for word in draw(st.lists(WORDS, max_size=6)):
            span = (len(text), len(text) + len(word + (space := draw(SPACES))))
            text += word + space
            if draw(st.integers(0, 3)):
                spans.append(span)
        segments.append((start, len(text)))
    owners = draw(st.lists(st.integers(0, 3), min_size=len(spans), max_size=len(spans)))
    names = {owner: i for i, owner in enumerate(dict.fromkeys(owners))}
    if draw(st.booleans()):
        units = Units(text, tuple(spans), segments=tuple(segments))
    else:
        owners = tuple(names[owner] for owner in owners)
        units = Units(text, tuple(spans), owners, segments=tuple(segments))
    seed = draw(st.integers(0, 2**16))
    masks = torch.rand(5, units.n_units, generator=torch.Generator().manual_seed(seed)) < 0.5
    return units, torch.cat([masks, torch.ones_like(masks[:1]), torch.zeros_like(masks[:1])])


def _rows(variants):
    return [
        row[:length]
        for row, length in zip(variants.token_ids.tolist(), variants.lengths.tolist(), strict=True)
    ]


def _segments(units):
    return tuple(units.text[start:stop] for start, stop in units.segments)


def _tokenized(tokenizer, text):
    """Return the columns for one text or pair, from a batch of one: there "" may be a second."""
    parts = (text,) if isinstance(text, str) else text
    encoded = tokenizer(*([part] for part in parts))
    return {name: rows[0] for name, rows in encoded.items()}


def _both_ways(masker, units, tokenizer):
    """Return the encodings of `units` as tokens (where a tokenizer can) and as strings."""
    tokens = masker.encode(units, tokenizer)
    return tokens, encode_text(units, masker.filler(tokenizer), tokenizer)


@pytest.fixture(scope="module", params=MASKERS, ids=repr)
def masker(request):
    return request.param


def test_it_is_a_value(masker):
    assert isinstance(masker, Masker)
    assert pickle.loads(pickle.dumps(masker)) == masker
    assert eval(repr(masker)) == masker
    assert len({masker, *MASKERS}) == len(MASKERS)


@settings(max_examples=15, deadline=None)
@given(game=games())
def test_keeping_everything_gives_the_input_of_the_model(masker, tokenizer, game):
    units, masks = game
    tokens, strings = _both_ways(masker, units, tokenizer)
    whole = torch.ones_like(masks[:1])
    (text,) = strings.variants(whole).texts
    assert text == (_segments(units) if len(units.segments) == 2 else units.text)
    if tokens.kind == "tokens":
        variants = tokens.variants(whole)
        expected = _tokenized(tokenizer, _segments(units))
        assert _rows(variants) == [expected["input_ids"]]
        for name, extra in variants.extras.items():
            assert extra.tolist() == [expected[name]]


@settings(max_examples=25, deadline=None)
@given(game=games())
def test_masked_tokens_are_the_tokens_of_the_edited_string(masker, tokenizer, game):
    units, masks = game
    tokens, strings = _both_ways(masker, units, tokenizer)
    if tokens.kind == "text":
        return
    variants = tokens.variants(masks)
    for i, text in enumerate(strings.variants(masks).texts):
        again = _tokenized(tokenizer, text)
        assert _rows(variants)[i] == again["input_ids"]
        for name, extra in variants.extras.items():
            assert extra[i, : variants.lengths[i]].tolist() == again[name]


@settings(max_examples=15, deadline=None)
@given(game=games())
def test_a_batch_is_its_rows_and_lengths_are_known_before(masker, tokenizer, game):
    units, masks = game
    for encoding in _both_ways(masker, units, tokenizer):
        assert isinstance(encoding, Encoding)
        batch = encoding.variants(masks)
        singles = [encoding.variants(row[None]) for row in masks]
        if encoding.kind == "text":
            assert batch.texts == [single.texts[0] for single in singles]
            sizes = [len("".join(text)) for text in batch.texts]
        else:
            assert _rows(batch) == [_rows(single)[0] for single in singles]
            assert torch.equal(batch.attention_mask.sum(1), batch.lengths)
            sizes = batch.lengths.tolist()
        assert encoding.lengths(masks).tolist() == sizes
        assert encoding.variants(masks[:0]).keys().shape == (0, 2)


def _frame_tokens(units, tokenizer):
    """Return the special tokens and those whose characters lie in no unit."""
    owned = {i for start, stop in units.spans for i in range(start, stop)}
    parts = ([part] for part in _segments(units))
    encoded = tokenizer(*parts, return_offsets_mapping=True)
    ids = []
    for i, segment in enumerate(encoded.sequence_ids(0)):
        start, stop = encoded["offset_mapping"][0][i]
        shift = 0 if segment is None else units.segments[segment][0]
        if owned.isdisjoint(range(start + shift, stop + shift)):
            ids.append(encoded["input_ids"][0][i])
    return ids


@settings(max_examples=15, deadline=None)
@given(game=games())
def test_what_no_unit_owns_is_never_touched(masker, tokenizer, game):
    units, masks = game
    tokens, strings = _both_ways(masker, units, tokenizer)
    frame = "".join(string for owner, string in units.parts if owner == -1)
    lines = [
        (text if isinstance(text, str) else "\n".join(text), frame)
        for text in strings.variants(masks).texts
    ]
    if tokens.kind == "tokens":
        wanted = _frame_tokens(units, tokenizer)
        lines += [(row, wanted) for row in _rows(tokens.variants(masks))]
    for line, kept in lines:
        rest = iter(line)
        assert all(symbol in rest for symbol in kept)


@settings(max_examples=15, deadline=None)
@given(game=games())
def test_keys_are_equal_where_the_variants_are(masker, tokenizer, game):
    units, masks = game
    for encoding in _both_ways(masker, units, tokenizer):
        variants = encoding.variants(masks)
        keys = [tuple(key) for key in variants.keys().tolist()]
        rows = variants.texts if encoding.kind == "text" else list(map(tuple, _rows(variants)))
        if encoding.kind == "tokens":
            lines = {n: v.tolist() for n, v in variants.extras.items()}
            rows = [
                (row, *(tuple(line[i][: len(row)]) for line in lines.values()))
                for i, row in enumerate(rows)
            ]
        assert len(set(keys)) == len(set(rows)) == len(set(zip(keys, rows, strict=True)))


@pytest.mark.parametrize(
    "masks", [torch.ones(2, 3, dtype=torch.bool), torch.ones(2, 2), torch.ones(2, dtype=torch.bool)]
)
def test_masks_that_do_not_fit_are_refused(masker, tokenizer, masks):
    units = Units("so good", ((0, 3), (3, 7)))
    for encoding in _both_ways(masker, units, tokenizer):
        for method in (encoding.variants, encoding.lengths):
            with pytest.raises(MaskingError, match=r"masks: expected .* \(m, 2\)"):
                method(masks)
