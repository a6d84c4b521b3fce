"""Tiny tokenizers of every kind, and units cut at white space."""

import re
from string import ascii_lowercase

import pytest
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizer, PreTrainedTokenizerFast

from perturbx.units.units import Units

SPECIAL = {
    "unk_token": "[UNK]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
COLUMNS = ["input_ids", "token_type_ids", "attention_mask"]
CORPUS = ["the good, the bad and a thin movie. 你好 世界 it is [not] (not) unaffable"] * 5


def _framed(tokenizer):
    """Put [CLS] and [SEP] around a text, and between the texts of a pair."""
    ids = {token: tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]")}
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=list(ids.items()),
    )
    return tokenizer


@pytest.fixture(scope="session")
def word_piece():
    """Return a word-piece tokenizer: letters, a few words and pieces, Chinese characters."""
    pieces = [
        *SPECIAL.values(),
        "the",
        "good",
        "thin",
        "movie",
        "un",
        "##aff",
        "##able",
        "你",
        "好",
    ]
    pieces += [*ascii_lowercase, *(f"##{letter}" for letter in ascii_lowercase), *",.!?-[]()#"]
    tokenizer = Tokenizer(
        models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(list(SPECIAL.values()))
    return PreTrainedTokenizerFast(
        tokenizer_object=_framed(tokenizer),
        model_max_length=64,
        model_input_names=COLUMNS,
        **SPECIAL,
    )


@pytest.fixture(scope="session")
def byte_pairs():
    """Return a byte-level byte-pair tokenizer without special tokens around the text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=340,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=["<|end|>"],
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", unk_token="<|end|>"
    )


@pytest.fixture(scope="session")
def metaspace():
    """Return a unigram tokenizer that writes spaces as ▁ and puts one first."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.UnigramTrainer(
            vocab_size=80,
            unk_token="[UNK]",
            special_tokens=list(SPECIAL.values()),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(tokenizer_object=_framed(tokenizer), **SPECIAL)


class SlowTokenizer(PreTrainedTokenizer):
    """A tokenizer without offsets that cuts as the given fast one does."""

    def __init__(self, fast, **kwargs):
        self.fast = fast
        super().__init__(**kwargs)

    @property
    def vocab_size(self):
        return self.fast.vocab_size

    def get_vocab(self):
        return self.fast.get_vocab()

    def _tokenize(self, text, **kwargs):
        return self.fast.tokenize(text)

    def _convert_token_to_id(self, token):
        return self.fast.convert_tokens_to_ids(token)

    def _convert_id_to_token(self, index):
        return self.fast.convert_ids_to_tokens(index)

    def convert_tokens_to_string(self, tokens):
        return " ".join(tokens).replace(" ##", "")

    def build_inputs_with_special_tokens(self, token_ids_0, token_ids_1=None):
        end = [self.sep_token_id]
        second = [] if token_ids_1 is None else [*token_ids_1, *end]
        return [self.cls_token_id, *token_ids_0, *end, *second]

    def create_token_type_ids_from_sequences(self, token_ids_0, token_ids_1=None):
        second = 0 if token_ids_1 is None else len(token_ids_1) + 1
        return [0] * (len(token_ids_0) + 2) + [1] * second

    def get_special_tokens_mask(
        self, token_ids_0, token_ids_1=None, already_has_special_tokens=False
    ):
        second = [] if token_ids_1 is None else [*([0] * len(token_ids_1)), 1]
        return [1, *([0] * len(token_ids_0)), 1, *second]


@pytest.fixture(scope="session")
def slow_word_piece(word_piece):
    """Return the word-piece tokenizer without its offsets."""
    return SlowTokenizer(word_piece, model_max_length=64, model_input_names=COLUMNS, **SPECIAL)


@pytest.fixture(scope="session")
def words():
    """Return a function that cuts a text, or a pair, behind its white space."""

    def cut(text, second=None):
        whole = text if second is None else f"{text}\n{second}"
        segments = ((0, len(text)),)
        if second is not None:
            segments += ((len(text) + 1, len(whole)),)
        spans = [
            (start + match.start(), start + match.end())
            for start, stop in segments
            for match in re.finditer(r"\s*\S+\s*", whole[start:stop])
        ]
        return Units(whole, tuple(spans), segments=segments)

    return cut


@pytest.fixture(scope="session")
def rows():
    """Return a function that lists the real token ids of each variant."""

    def read(variants):
        return [
            row[:length]
            for row, length in zip(
                variants.token_ids.tolist(), variants.lengths.tolist(), strict=True
            )
        ]

    return read
