import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

WORDS = [
    "the",
    "a",
    "film",
    "was",
    "good",
    "bad",
    "not",
    "very",
    "awful",
    "and",
    "i",
    "loved",
    "it",
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def wordpiece_tokenizer(max_length=16):
    """A BERT-like tokenizer of a few words; unknown ones are spelled."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz"
    pieces = [
        *SPECIAL,
        *WORDS,
        *(c for c in letters if c not in WORDS),
        *(f"##{c}" for c in letters),
    ]
    backend = Tokenizer(
        models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=max_length,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def byte_tokenizer(**special):
    """A GPT-2-like tokenizer over bytes, which adds no special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {c: i + 2 for i, c in enumerate(alphabet)} | {"<s>": 0, "<pad>": 1}
    backend = Tokenizer(models.BPE(vocabulary, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend, **special)


def slow_tokenizer():
    """A tokenizer in Python, one word a token."""
    from transformers import PreTrainedTokenizer

    class WordTokenizer(PreTrainedTokenizer):
        def __init__(self, **options):
            super().__init__(**options)

        @property
        def vocab_size(self):
            return len(SPECIAL) + len(WORDS)

        def get_vocab(self):
            return {word: i for i, word in enumerate([*SPECIAL, *WORDS])}

        def _tokenize(self, text, **_):
            return text.lower().split()

        def _convert_token_to_id(self, token):
            return self.get_vocab().get(token, 1)

        def _convert_id_to_token(self, index):
            return [*SPECIAL, *WORDS][index]

        def build_inputs_with_special_tokens(self, ids, pair=None):
            return [2, *ids, 3] if pair is None else [2, *ids, 3, *pair, 3]

    return WordTokenizer(
        model_max_length=16,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def tiny_model(family, *, seed=0, **options):
    """A random classifier of the family, far enough from zero that texts differ."""
    import transformers

    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    wide = {**shape, "intermediate_size": 32, "vocab_size": 300, "initializer_range": 0.5}
    configs = {
        "bert": ("Bert", {**wide, "max_position_embeddings": 40}),
        "roberta": (
            "Roberta",
            {**wide, "max_position_embeddings": 18, "pad_token_id": 1, "type_vocab_size": 1},
        ),
        "distilbert": (
            "DistilBert",
            {
                "dim": 16,
                "n_layers": 2,
                "n_heads": 2,
                "hidden_dim": 32,
                "vocab_size": 300,
                "initializer_range": 0.5,
            },
        ),
        "gpt2": (
            "GPT2",
            {
                "n_embd": 16,
                "n_layer": 2,
                "n_head": 2,
                "vocab_size": 300,
                "n_positions": 64,
                "initializer_range": 0.5,
                "bos_token_id": 0,
                "eos_token_id": 0,
            },
        ),
        "bart": (
            "Bart",
            {
                "d_model": 16,
                "encoder_layers": 1,
                "decoder_layers": 1,
                "encoder_attention_heads": 2,
                "decoder_attention_heads": 2,
                "encoder_ffn_dim": 32,
                "decoder_ffn_dim": 32,
                "vocab_size": 300,
                "max_position_embeddings": 40,
                "init_std": 0.5,
                "pad_token_id": 0,
                "bos_token_id": 2,
                "eos_token_id": 3,
                "decoder_start_token_id": 3,
            },
        ),
        "llama": ("Llama", {**wide, "num_key_value_heads": 2, "max_position_embeddings": 64}),
        "xlnet": (
            "XLNet",
            {
                "d_model": 16,
                "n_layer": 2,
                "n_head": 2,
                "d_inner": 32,
                "vocab_size": 300,
                "initializer_range": 0.5,
            },
        ),
    }
    name, defaults = configs[family]
    torch.manual_seed(seed)
    config = getattr(transformers, f"{name}Config")(**defaults, **options)
    return getattr(transformers, f"{name}ForSequenceClassification")(config).eval()


@pytest.fixture(scope="session")
def make():
    """The makers of tiny models and tokenizers."""
    return SimpleNamespace(
        model=tiny_model,
        wordpiece=wordpiece_tokenizer,
        bytes=byte_tokenizer,
        slow=slow_tokenizer,
        words=WORDS,
    )


@pytest.fixture(scope="session")
def shared():
    """The folder of shared models and data."""
    root = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("PERTURBX_SHARED", root.parent / "shared"))
    if not (folder / "models" / "minilm-sst2").is_dir():
        pytest.skip(f"no shared models at {folder}; set PERTURBX_SHARED")
    return folder
