"""A prompt and its continuations, tokenized apart and joined."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError
from perturbx.scorers.causal_lm import PromptTokenizer

SEGMENTS = st.lists(st.text(alphabet="ab é中😀\n", max_size=6), min_size=1, max_size=4)
SPACED = st.text(alphabet="ab \n", min_size=1, max_size=6)


def as_written(letter):
    return {"\u2581": " ", "\u0120": " ", "\u010a": "\n"}.get(letter, letter)


def byte_tokenizer():
    """A tokenizer of bytes that was told to put a space before a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: i for i, piece in enumerate([*alphabet, "\u0120a", "\u0120b"])}
    backend = Tokenizer(models.BPE(vocabulary, [("\u0120", "a"), ("\u0120", "b")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend)


def spaced_tokenizer(*, scheme="first", words=("a", "b"), **special):
    """A tokenizer as SentencePiece makes them: a space is put before a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["<unk>", "<s>", "</s>", "\u2581", "\n", "a", "b", *(f"\u2581{w}" for w in words)]
    backend = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    backend.decoder = decoders.Metaspace(prepend_scheme=scheme)
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", **special)


@pytest.fixture(scope="module", params=[(True, False), (False, True), (True, True), (False, False)])
def framed(request, language_model):
    opens, closes = request.param
    return language_model.tokenizer(opens=opens, closes=closes), opens, closes


@settings(max_examples=40, deadline=None)
@given(segments=SEGMENTS)
def test_each_text_is_what_it_is_alone(framed, segments):
    tokenizer, opens, closes = framed
    row = PromptTokenizer(tokenizer, closes=closes)(
        *([text] for text in segments), return_offsets_mapping=True
    )
    bare = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in segments]
    prompt = [1] * opens + bare[0] + [2] * closes
    assert row["input_ids"] == [prompt + [i for ids in bare[1:] for i in ids]]
    lengths = [len(prompt), *map(len, bare[1:])]
    assert row["token_type_ids"] == [[n for n, length in enumerate(lengths) for _ in range(length)]]
    owners = row.sequence_ids(0)
    assert [n for n in owners if n is not None] == [n for n, ids in enumerate(bare) for _ in ids]
    # the tokens of a text are bytes: each lies within the character that it is of
    for number, text in enumerate(segments):
        spans = [s for s, n in zip(row["offset_mapping"][0], owners, strict=True) if n == number]
        assert [text[a:b] for a, b in spans] == [c for c in text for _ in c.encode()]


@settings(max_examples=40, deadline=None)
@given(segments=SEGMENTS)
def test_a_row_of_a_batch_is_the_row_alone(framed, segments):
    tokenizer, _, closes = framed
    joined = PromptTokenizer(tokenizer, closes=closes)
    batch = joined(segments, segments[::-1])
    for i, pair in enumerate(zip(segments, segments[::-1], strict=True)):
        alone = joined(*([text] for text in pair))
        assert {name: rows[i] for name, rows in batch.items()} == {
            name: rows[0] for name, rows in alone.items()
        }


def test_the_opening_token_is_never_there_twice(language_model):
    joined = PromptTokenizer(language_model.tokenizer())
    written, added = joined(["<s>ab", "ab"], ["<s>", "a"])["input_ids"]
    assert written[:3] == added[:3]
    assert added.count(1) == 1
    assert written == [*added[:3], 1]  # behind the prompt it is what was asked for


@settings(max_examples=60, deadline=None)
@given(prompt=SPACED, sequel=SPACED)
def test_no_space_is_put_before_a_continuation(prompt, sequel):
    # The space is a token of its own, or part of the first word.
    for tokenizer in (spaced_tokenizer(words=()), spaced_tokenizer(), byte_tokenizer()):
        joined = PromptTokenizer(tokenizer)
        row = joined([prompt], [sequel], return_offsets_mapping=True)
        tokens = tokenizer.convert_ids_to_tokens(row["input_ids"][0])
        n_prompt = row["token_type_ids"][0].count(0)
        assert tokens[:n_prompt] == tokenizer.tokenize(prompt)
        written = ["".join(map(as_written, token)) for token in tokens[n_prompt:]]
        assert "".join(written) == sequel
        spans = row["offset_mapping"][0][n_prompt:]
        read = [sequel[start:stop] for start, stop in spans]
        assert read == written


@settings(max_examples=60, deadline=None)
@given(sequel=SPACED)
def test_what_was_said_is_read_as_it_was_said(sequel):
    from tokenizers import decoders

    for tokenizer in (spaced_tokenizer(), spaced_tokenizer(words=())):
        # Llama's decoder leaves out the space that a text begins with, and so does Metaspace.
        stripping = [decoders.Replace("\u2581", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        for decoder in (tokenizer.backend_tokenizer.decoder, decoders.Sequence(stripping)):
            tokenizer.backend_tokenizer.decoder = decoder
            joined = PromptTokenizer(tokenizer)
            row = joined(["ab"], [sequel])
            said = [
                token
                for token, number in zip(row["input_ids"][0], row["token_type_ids"][0], strict=True)
                if number
            ]
            assert joined.said(said) == sequel


def test_a_character_of_which_only_some_bytes_were_said_is_left_out(language_model):
    joined = PromptTokenizer(language_model.tokenizer())
    (ids,) = joined.wrapped(["a\u4e2d\u597d"], add_special_tokens=False)["input_ids"]
    assert len(ids) == 7
    said = [joined.said(ids[:n]) for n in range(8)]
    assert said == ["", *["a"] * 3, *["a\u4e2d"] * 3, "a\u4e2d\u597d"]


def test_what_a_decoder_says_to_an_encoder_is_a_text_of_its_own():
    tokenizer = spaced_tokenizer()
    row = PromptTokenizer(tokenizer, closes=True)(["a"], ["ba"])["input_ids"][0]
    assert tokenizer.convert_ids_to_tokens(row) == ["\u2581a", "\u2581b", "a"]


def test_a_single_string_is_the_tokenizers_own_affair(language_model):
    tokenizer = language_model.tokenizer()
    joined = PromptTokenizer(tokenizer)
    assert joined("ab")["input_ids"] == tokenizer("ab")["input_ids"]
    assert joined("ab", add_special_tokens=False)["input_ids"] == tokenizer.encode("ab")[1:]
    assert len(joined) == len(tokenizer)
    assert joined.eos_token_id == 2


def test_it_survives_pickling(language_model):
    joined = pickle.loads(pickle.dumps(PromptTokenizer(language_model.tokenizer())))
    assert joined(["a"], ["b"])["token_type_ids"] == [[0, 0, 1]]


def test_an_end_behind_every_text_is_refused_by_name(language_model):
    with pytest.raises(ArgumentError, match="add_eos_token=False"):
        PromptTokenizer(language_model.tokenizer(closes=True))
