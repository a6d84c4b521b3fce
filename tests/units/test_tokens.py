"""Tokens of fast tokenizers, and of slow ones that tell no offsets."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import ByT5Tokenizer, CanineTokenizer, PreTrainedTokenizerFast

from perturbx.exceptions import ArgumentError
from perturbx.units import Tokens, as_segmenter

VOCABULARY = ["[UNK]", "so", "un", "##believ", "##ably", "good", "!", "cafe", "北", "京"]


class SlowWordPiece:
    """What a slow WordPiece tokenizer does: it lowers, strips accents and tells no offsets."""

    is_fast = False
    name_or_path = "slow"

    def __init__(self, fast: PreTrainedTokenizerFast) -> None:
        self.fast = fast

    def tokenize(self, text: str) -> list[str]:
        return self.fast.tokenize(text)

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return " ".join(tokens).replace(" ##", "")


@pytest.fixture(scope="module")
def word_piece() -> PreTrainedTokenizerFast:
    vocabulary = {token: i for i, token in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")


@pytest.fixture(scope="module")
def byte_level() -> PreTrainedTokenizerFast:
    """Return a tokenizer of bytes: every emoji is four tokens."""
    vocabulary = {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    vocabulary |= {"so": 256, "Ġg": 257, "oo": 258}
    merges = [("s", "o"), ("Ġ", "g"), ("o", "o")]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def test_white_space_goes_to_the_token_before(word_piece):
    pieces = Tokens(word_piece)(" So  unbelievably Good!\n").pieces
    assert pieces == (" So  ", "un", "believ", "ably ", "Good", "!\n")


def test_tokens_that_share_a_character_are_one_unit(byte_level):
    assert Tokens(byte_level)("so good 👍é").pieces == ("so", " g", "oo", "d", " ", "👍", "é")


def test_a_slow_tokenizer_gives_what_a_fast_one_gives(word_piece):
    text = "SO unbelievably good! Café, 北京 so"
    fast, slow = Tokens(word_piece), Tokens(SlowWordPiece(word_piece))
    assert slow(text).pieces == fast(text).pieces


def test_what_a_slow_tokenizer_does_not_know_is_a_unit(word_piece):
    slow = Tokens(SlowWordPiece(word_piece))
    assert slow("so awful good").pieces == ("so ", "awful ", "good")
    assert slow("awful").pieces == ("awful",)
    assert slow("good 👍👍").pieces == ("good ", "👍👍")


def test_slow_tokenizers_of_bytes_and_characters():
    assert Tokens(CanineTokenizer())("é 👍a").pieces == ("é", " ", "👍", "a")
    assert Tokens(ByT5Tokenizer())("é a").pieces == ("é ", "a")
    assert Tokens(ByT5Tokenizer())("b a").pieces == ("b", " ", "a")


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=30))
def test_tokens_give_the_text_back(word_piece, byte_level, text):
    for tokenizer in (word_piece, byte_level, SlowWordPiece(word_piece), ByT5Tokenizer()):
        expected = text if text.strip() else ""
        assert "".join(Tokens(tokenizer)(text).pieces) == expected


def test_tokens_of_one_tokenizer_are_equal(word_piece):
    assert Tokens(word_piece) == Tokens(word_piece)
    assert Tokens(word_piece) != Tokens(SlowWordPiece(word_piece))
    assert repr(Tokens(SlowWordPiece(word_piece))) == "Tokens(SlowWordPiece('slow'))"
    restored = pickle.loads(pickle.dumps(Tokens(word_piece)))
    assert restored("so good").pieces == ("so ", "good")


def test_what_is_no_tokenizer_is_an_error(word_piece):
    with pytest.raises(ArgumentError, match="tokenizer: expected a tokenizer of transformers"):
        Tokens("bert-base-uncased")
    with pytest.raises(ArgumentError, match=r"tokens need their tokenizer: Tokens\(tokenizer\)"):
        as_segmenter("tokens")
    assert as_segmenter(word_piece) == Tokens(word_piece)
