"""Fixtures for all tests: where the shared data lies, and explanations made by hand."""

import os
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st

from perturbx.explanation import Explanation
from perturbx.score_table import ScoreTable
from perturbx.surrogates.attribution import Attribution
from perturbx.units.units import Units

# A busy machine is no failure: how long an example takes is not tested. Examples are the same in
# every run, so that a change is judged by what it does: `--hypothesis-profile explore` for others.
settings.register_profile("explore", deadline=None)
settings.register_profile("perturbx", deadline=None, derandomize=True)
settings.load_profile("perturbx")

SHARED = Path(
    os.environ.get("PERTURBX_SHARED", Path(__file__).resolve().parents[1].parent / "shared")
)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Small tensors run faster, and equally from run to run, on one thread."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _cache_of_its_own(tmp_path_factory):
    """Keep the designs that the tests compute out of the user's own cache."""
    os.environ["PERTURBX_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def shared():
    """Return the folder of shared data and models, or skip."""
    if not SHARED.is_dir():
        pytest.skip(f"no shared data at {SHARED} (set PERTURBX_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def minilm_path(shared):
    """Return the path of the shared real classifier, or skip."""
    path = shared / "models" / "minilm-sst2"
    if not path.is_dir():
        pytest.skip(f"no model at {path} (set PERTURBX_SHARED)")
    return path


@pytest.fixture(scope="session")
def sst2_sentences(shared):
    """Return the sentences of the SST-2 test set, or skip."""
    path = shared / "data" / "sst2" / "test.tsv"
    if not path.is_file():
        pytest.skip(f"no data at {path} (set PERTURBX_SHARED)")
    return [line.split("\t")[0] for line in path.read_text(encoding="utf-8").splitlines()]


NASTY = "</script>\"'&<b>[bold]\x00\x1b[31m\x9b\u202e\ud800\r\n\t $x$ \\"
TEXTS = {
    "english": "so good, so  bad",
    "chinese": "这家 餐厅 的 菜 很 好吃。",
    "arabic": "كان الفيلم رائعًا حقًا، لكن النهاية",
    "thai": "อาหาร อร่อย มาก",
    "emoji": "I ❤️ it 👩‍👩‍👧 😀",
    "nasty": NASTY,
}


def build(
    text,
    values=None,
    *,
    spans=None,
    owners=(),
    names=("no", "yes"),
    scores=None,
    std_errors=None,
    covariance=None,
    r2=0.9,
    link="identity",
    kind="logit",
    explained=None,
    **units,
):
    """An explanation of words (or of the given spans) whose values fill the gap to the score."""
    spans = [m.span() for m in re.finditer(r"\S+\s*", text)] if spans is None else spans
    units = Units(text, tuple(spans), tuple(owners), **{"level": "words", **units})
    n_units, explained = units.n_units, tuple(names if explained is None else explained)
    shape = (n_units, len(explained))
    rng = np.random.default_rng(len(text))
    values = (
        rng.uniform(1, 9, shape) * rng.choice([-1, 1], shape)
        if values is None
        else np.reshape(values, shape).astype(float)
    )
    masks = np.repeat([[False], [True]][: 2 if n_units else 1], n_units, axis=1)
    rows = np.zeros((len(masks), len(names)))
    rows[-1] = np.arange(len(names)) if scores is None else scores
    table = ScoreTable(masks, rows, tuple(names), units=units, kind=kind)
    base_values = table.linked(link).select(explained).full_scores - values.sum(axis=0)
    errors = np.full(shape, 0.01) if std_errors is None else np.reshape(std_errors, shape)
    fit = Attribution(values, base_values, errors, "ridge", 9, covariance=covariance, r2=r2)
    return Explanation(units, table, fit, explained, link)


@pytest.fixture(scope="session")
def explain():
    return build


@pytest.fixture(params=TEXTS.values(), ids=TEXTS.keys())
def any_script(request):
    return build(request.param)


@st.composite
def _drawn(draw):
    """Any text cut anywhere, with frames, units of several spans, and any numbers."""
    text = draw(st.text(alphabet=st.one_of(st.characters(), st.sampled_from(NASTY)), max_size=30))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    spans = [span for span in pairwise(cuts) if draw(st.integers(0, 3))]
    owners = [draw(st.integers(0, i)) for i in range(len(spans))]
    owners = [sorted(set(owners)).index(owner) for owner in owners]
    number = st.floats(-100, 100, allow_subnormal=False)
    shape = (max(owners, default=-1) + 1, 2)
    size = shape[0] * 2
    return build(
        text,
        draw(st.lists(number, min_size=size, max_size=size)),
        spans=spans,
        owners=owners,
        std_errors=draw(st.lists(st.floats(0, 10), min_size=size, max_size=size)),
        r2=draw(st.none() | st.floats(-1, 1)),
    )


@pytest.fixture(scope="session")
def drawn():
    return _drawn()


FAMILIES = {
    "llama": {"intermediate_size": 64, "num_key_value_heads": 2},
    "gpt2": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 512},
    "gemma3": {
        "intermediate_size": 64,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "sliding_window": 6,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    },
    "mistral": {"intermediate_size": 64, "num_key_value_heads": 2, "sliding_window": 6},
    "bloom": {"n_layer": 2, "n_head": 4},
    "t5": {
        "d_model": 32,
        "d_kv": 8,
        "d_ff": 64,
        "num_layers": 2,
        "num_heads": 4,
        "initializer_factor": 3.0,
        "decoder_start_token_id": 1,
    },
    "bart": {
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "init_std": 0.4,
        "max_position_embeddings": 128,
    },
}
CLASSES = {
    "llama": ("LlamaForCausalLM", "LlamaConfig"),
    "gpt2": ("GPT2LMHeadModel", "GPT2Config"),
    "gemma3": ("Gemma3ForCausalLM", "Gemma3TextConfig"),
    "mistral": ("MistralForCausalLM", "MistralConfig"),
    "bloom": ("BloomForCausalLM", "BloomConfig"),
    "t5": ("T5ForConditionalGeneration", "T5Config"),
    "bart": ("BartForConditionalGeneration", "BartConfig"),
}
N_VOCABULARY = 260


def _language_tokenizer(*, closes=False, opens=True, **special):
    """A tokenizer over bytes that opens a text with <s> as decoders' do, or closes it with </s>."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2} | {c: i + 3 for i, c in enumerate(alphabet)}
    backend = Tokenizer(models.BPE(vocabulary, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(["<pad>", "<s>", "</s>"])
    frame = f"{'<s> ' if opens else ''}$A{' </s>' if closes else ''}"
    backend.post_processor = processors.TemplateProcessing(
        single=frame,
        pair=f"{frame} {frame.replace('$A', '$B')}",
        special_tokens=[("<s>", 1), ("</s>", 2)],
    )
    named = {"bos_token": "<s>", "eos_token": "</s>"} | special
    return PreTrainedTokenizerFast(tokenizer_object=backend, **named)


@pytest.fixture(scope="session")
def language_model():
    """A maker of tiny random language models with their tokenizers, far from uniform."""
    import transformers

    def make(family, *, attention="eager", seed=0, **options):
        shape = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
        config_of = getattr(transformers, CLASSES[family][1])
        ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
        settings = {"vocab_size": N_VOCABULARY, "initializer_range": 0.4} | ids
        if family not in ("gpt2", "t5", "bart"):
            settings |= shape
        config = config_of(**(settings | FAMILIES[family] | options))
        config._attn_implementation = attention
        torch.manual_seed(seed)
        model = getattr(transformers, CLASSES[family][0])(config).eval()
        return model, _language_tokenizer(closes=family in ("t5", "bart"), opens=family != "t5")

    make.tokenizer = _language_tokenizer
    return make
