"""A decoder is read the way it reads by itself, or it is refused."""

import numpy as np
import pytest
import torch
import transformers

from perturbx.exceptions import ArgumentError, CapabilityError, ScoringError
from perturbx.scorers.causal_lm import CausalLM, attention_blocks
from perturbx.scorers.causal_lm.attention_blocks import blocks_of
from perturbx.scorers.continuations import Continued

SHAPE = {
    "vocab_size": 260,
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "initializer_range": 0.4,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
REACH = 24


def questions(lengths=(12, 30, 45, 44, 60), seed=0):
    """Prompts that share a beginning, most of them longer than any example of a self-check."""
    draw = np.random.default_rng(seed)
    stem = draw.integers(3, 250, max(lengths))
    return [
        Continued(
            np.concatenate([stem[: length - 3], draw.integers(3, 250, 3)]),
            tuple(draw.integers(3, 250, size) for size in (3, 1)),
        )
        for length in lengths
    ]


def assert_as_alone(lm, asked, batch_tokens):
    answers = dict(pair for part in lm.log_probs(asked, batch_tokens) for pair in part)
    assert sorted(answers) == list(range(len(asked)))
    for number, question in enumerate(asked):
        for target, log_p in zip(question.continuations, answers[number], strict=True):
            ids = torch.tensor(np.concatenate([question.prompt, target[:-1]]))[None]
            with torch.no_grad():
                logits = lm.model(input_ids=ids).logits[0, len(question.prompt) - 1 :]
            rows = logits.double().log_softmax(-1)
            expected = rows[torch.arange(len(target)), torch.tensor(target)]
            np.testing.assert_allclose(log_p, expected, rtol=0, atol=1e-3)


def build(name, **options):
    config = getattr(transformers, f"{name}Config")
    if name == "Llama4":
        config = transformers.Llama4TextConfig
    torch.manual_seed(0)
    return getattr(transformers, f"{name}ForCausalLM")(config(**(SHAPE | options))).eval()


def local_model(name):
    """Models whose layers look back less far than the prompts are long, each in its own way."""
    narrow = {"intermediate_size": 64, "num_key_value_heads": 2}
    if name == "GPTNeo":
        kinds = {"attention_types": [[["global", "local"], 2]], "window_size": REACH}
        return build(name, num_layers=4, num_heads=4, **kinds)
    if name == "Llama4":
        experts = {"num_local_experts": 2, "intermediate_size_mlp": 64, "head_dim": 8}
        return build(name, attention_chunk_size=REACH, **narrow, **experts)
    if name == "Qwen2":
        return build(
            name, use_sliding_window=True, sliding_window=REACH, max_window_layers=2, **narrow
        )
    if name == "Cohere2":
        return build(name, sliding_window=REACH, **narrow)
    rope = {
        "rope_type": "longrope",
        "rope_theta": 10_000.0,
        "long_factor": [3.0, 5.0, 7.0, 9.0],
        "short_factor": [1.0, 1.1, 1.2, 1.3],
        "original_max_position_embeddings": REACH,
    }
    limits = {"original_max_position_embeddings": REACH, "max_position_embeddings": 128}
    return build("Phi3", rope_parameters=rope, **limits, **narrow)


@pytest.mark.parametrize("name", ["GPTNeo", "Llama4", "Qwen2", "Cohere2", "LongRoPE"])
def test_what_only_long_texts_show(language_model, name):
    model = local_model(name)
    for batch_tokens in (16, "auto"):
        assert_as_alone(CausalLM(model, language_model.tokenizer()), questions(), batch_tokens)


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma3"])
def test_blocks_of_a_few_rows_say_the_same(language_model, name, monkeypatch):
    cuts = []

    def few_rows(mask, n_rows):
        assert n_rows == (256 if name == "gpt2" else 128)
        cuts.append(blocks_of(mask, 3))
        return cuts[-1]

    monkeypatch.setattr(attention_blocks, "blocks_of", few_rows)
    model, tokenizer = language_model(name, attention="sdpa")
    for batch_tokens in (16, "auto"):
        lm = CausalLM(model, tokenizer, batching="tree")
        assert_as_alone(lm, questions(), batch_tokens)
    assert max(map(len, cuts)) > 20


@pytest.mark.parametrize("name", ["GPTNeo", "Llama4"])
def test_a_reach_that_no_mask_can_say_is_no_tree(language_model, name):
    lm = CausalLM(local_model(name), language_model.tokenizer(), batching="tree")
    with pytest.raises(CapabilityError, match="batching='auto'"):
        next(lm.log_probs(questions()))


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_tree_is_what_auto_takes_where_it_can(language_model, attention, monkeypatch):
    model, tokenizer = language_model("gemma3", attention=attention)
    lm = CausalLM(model, tokenizer)
    rows = []
    model.register_forward_pre_hook(lambda _, args, given: rows.append(given), with_kwargs=True)
    list(lm.log_probs(questions()[:1]))
    rows.clear()
    assert_as_alone(lm, questions(), 16)
    masks = [given["attention_mask"] for given in rows if "attention_mask" in given]
    assert len(masks) > 3
    assert all(isinstance(mask, dict) for mask in masks)  # one for each kind of layer


@pytest.mark.parametrize("attention", ["flex_attention", "flash_attention_2"])
def test_a_kernel_that_reads_no_mask_is_not_tried_with_one(language_model, attention):
    """A boolean mask makes some of them crash, and Python with them."""
    model, tokenizer = language_model("llama", attention="sdpa")
    lm = CausalLM(model, tokenizer, batching="tree")
    assert lm.head_price is not None
    model.config._attn_implementation = attention
    assert lm.head_price is None
    handle = model.register_forward_pre_hook(lambda *_: pytest.fail("it was tried"))
    assert not lm._can("tree")
    handle.remove()


def test_a_model_that_gives_no_numbers_is_told_so(language_model):
    model, tokenizer = language_model("llama")
    with torch.no_grad():
        model.lm_head.weight.fill_(torch.nan)
    with pytest.raises(ScoringError, match="no finite numbers"):
        next(CausalLM(model, tokenizer).log_probs(questions()))


def rounding_anew(module):
    """Let a module round its output to bfloat16 otherwise each time, as another kernel would."""
    generator = torch.Generator().manual_seed(0)

    def moved(_module, _given, output):
        by = torch.rand(output.shape, generator=generator) - 0.5
        return (output * (1 + by * torch.finfo(torch.bfloat16).eps)).to(output.dtype)

    module.register_forward_hook(moved)


def test_the_rounding_of_half_precision_is_no_other_way_to_read(language_model):
    model, tokenizer = language_model("llama")
    with torch.no_grad():
        model.lm_head.weight.mul_(4)  # logits of tens, as those of large vocabularies
    model = model.to(torch.bfloat16)
    rounding_anew(model.model.layers[0].mlp)
    lm = CausalLM(model, tokenizer, batching="tree")
    lm.settle()
    assert lm.head_price is not None


def test_half_precision_hides_no_other_way_to_read(language_model):
    model, tokenizer = language_model("bloom")
    model = model.to(torch.bfloat16)
    rounding_anew(model.transformer.h[0].mlp)
    lm = CausalLM(model, tokenizer, batching="tree")
    with pytest.raises(CapabilityError, match="Bloom"):
        lm.settle()
    config = transformers.BertConfig(**SHAPE, intermediate_size=64)
    bert = CausalLM(transformers.BertForMaskedLM(config).to(torch.bfloat16).eval(), tokenizer)
    with pytest.raises(ArgumentError, match="reads what follows"):
        bert.settle()


def test_mamba_has_no_tree(language_model):
    model = build("Mamba", num_hidden_layers=2)
    assert_as_alone(CausalLM(model, language_model.tokenizer()), questions(), 200)
    with pytest.raises(CapabilityError, match="Mamba"):
        next(CausalLM(model, language_model.tokenizer(), batching="tree").log_probs(questions()))


def test_a_model_that_reads_its_padding_is_given_none(language_model):
    model, tokenizer = language_model("llama")
    plain = model.forward

    def forward(input_ids, use_cache=False):
        return plain(input_ids=input_ids, use_cache=use_cache)

    model.forward = forward
    lm = CausalLM(model, tokenizer)
    assert_as_alone(lm, questions(), 1_000)
    with pytest.raises(CapabilityError):
        next(CausalLM(model, tokenizer, batching="padded").log_probs(questions()))


@pytest.mark.parametrize("batching", ["auto", "unpadded"])
def test_positions_that_begin_elsewhere_are_the_models_own(language_model, batching):
    """RoBERTa counts from the place behind its padding's: what it is told counts from 0."""
    model = build("Roberta", is_decoder=True, intermediate_size=64)
    tokenizer = language_model.tokenizer()
    assert_as_alone(CausalLM(model, tokenizer, batching=batching), questions(), 200)
    with pytest.raises(CapabilityError, match="batching='padded'"):
        next(CausalLM(model, tokenizer, batching="padded").log_probs(questions()))


@pytest.mark.parametrize("name", ["BertForMaskedLM", "BertLMHeadModel", "XLNetLMHeadModel"])
def test_a_model_that_reads_what_follows_is_refused(language_model, name):
    config = (
        transformers.XLNetConfig(
            vocab_size=260, d_model=32, n_layer=2, n_head=4, d_inner=64, initializer_range=0.4
        )
        if name.startswith("XL")
        else transformers.BertConfig(**SHAPE, intermediate_size=64)
    )
    model = getattr(transformers, name)(config).eval()
    with pytest.raises(ArgumentError, match="reads what follows"):
        next(CausalLM(model, language_model.tokenizer()).log_probs(questions()))


@pytest.mark.parametrize("batching", ["tree", "padded"])
def test_between_two_parts_all_is_as_it_was(language_model, batching):
    model, tokenizer = language_model("llama")
    model.train()
    model.model.layers[0].eval()
    lm = CausalLM(model, tokenizer, batching=batching)
    parts = lm.log_probs(questions(), 16)
    for _ in range(2):
        next(parts)  # and the rest is never fetched
        assert not torch.is_inference_mode_enabled()
        assert torch.is_grad_enabled()
        assert model.training
        assert not model.model.layers[0].training
        assert model.model.layers[1].training


@pytest.mark.parametrize("batching", ["tree", "padded", "unpadded"])
@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("failing", [1, 2])
def test_memory_that_runs_out_within_any_layer(language_model, batching, layer, failing):
    model, tokenizer = language_model("llama", attention="sdpa")
    lm = CausalLM(model, tokenizer, batching=batching)
    list(lm.log_probs(questions()[:1], 100))
    passes = []

    def fail(*_):
        passes.append(1)
        if len(passes) == failing:
            raise torch.OutOfMemoryError("CUDA out of memory")

    # behind the attention of the layer: it has written its keys and values
    handle = model.model.layers[layer].mlp.register_forward_hook(fail)
    asked = [*questions((30, 30, 30, 30)), *questions((35,) * 4, seed=1)]
    parts = list(lm.log_probs(asked, 80))
    handle.remove()
    assert len(passes) > failing + 1
    again = CausalLM(model, tokenizer, batching="unpadded")
    expected = dict(pair for part in again.log_probs(asked, 1) for pair in part)
    assert len(expected) == len(asked) == sum(map(len, parts))
    for number, answers in (pair for part in parts for pair in part):
        for found, alone in zip(answers, expected[number], strict=True):
            np.testing.assert_allclose(found, alone, rtol=0, atol=1e-3)


def test_memory_that_runs_out_while_a_key_is_kept(language_model, monkeypatch):
    from transformers.cache_utils import DynamicLayer

    model, tokenizer = language_model("llama", attention="sdpa")
    lm = CausalLM(model, tokenizer, batching="tree")
    list(lm.log_probs(questions()[:1]))
    real, kept = DynamicLayer.update, []

    def update(self, keys, values, *args, **options):
        kept.append(1)
        if len(kept) in (2, 9):  # in the first chunk, before anything is kept, and in a later one
            if not self.is_initialized:
                self.lazy_initialization(keys, values)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, keys, values, *args, **options)

    monkeypatch.setattr(DynamicLayer, "update", update)
    assert_as_alone(lm, questions(), 64)
    assert len(kept) > 9


@pytest.mark.parametrize("batching", ["tree", "padded"])
def test_other_errors_of_a_model_are_its_own(language_model, batching):
    model, tokenizer = language_model("llama")
    lm = CausalLM(model, tokenizer, batching=batching)
    list(lm.log_probs(questions()[:1]))

    def fail(*_):
        raise RuntimeError("shapes do not match")

    model.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        next(lm.log_probs(questions()))


def test_a_model_without_a_padding_token(language_model):
    model, tokenizer = language_model("llama", pad_token_id=None)
    assert tokenizer.pad_token_id is None
    for batching in ("tree", "padded"):
        assert_as_alone(CausalLM(model, tokenizer, batching=batching), questions(), 200)


def test_the_same_question_twice_is_answered_twice(language_model):
    model, tokenizer = language_model("gpt2", attention="sdpa")
    (asked,) = questions((20,))
    for batching in ("tree", "padded"):
        assert_as_alone(CausalLM(model, tokenizer, batching=batching), [asked] * 3, 64)


def test_nothing_is_asked_of_a_model_that_is_asked_nothing(language_model):
    model, tokenizer = language_model("llama")
    model.register_forward_pre_hook(lambda *_: pytest.fail("the model was called"))
    assert list(CausalLM(model, tokenizer).log_probs([])) == []


def test_nothing_stands_for_an_empty_prompt_without_special_tokens(language_model):
    model, _ = language_model("llama")
    bare = language_model.tokenizer(opens=False, bos_token=None, eos_token=None)
    empty = Continued(np.array([], dtype=np.int64), (np.array([5]),))
    with pytest.raises(ScoringError, match="keep a part of the prompt frozen"):
        next(CausalLM(model, bare).log_probs([empty]))


def test_an_empty_prompt_can_be_gone_on_with(language_model):
    model, _ = language_model("llama")
    lm = CausalLM(model, language_model.tokenizer(opens=False))
    ids = [1]
    for _ in range(4):
        ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    expected = lm.tokenizer.decode(ids[1:], skip_special_tokens=True)
    assert lm.generate([""], max_new_tokens=4) == [expected]


def test_the_window_holds_the_prompt_and_what_is_read_of_its_continuation(language_model):
    lm = CausalLM(*language_model("gpt2", n_positions=20))
    target = np.array([5, 6, 7])  # the last of them is asked about and never read
    list(lm.log_probs([Continued(np.arange(3, 21), (target,))]))
    with pytest.raises(ScoringError, match="reads 20"):
        next(lm.log_probs([Continued(np.arange(3, 22), (target,))]))
    with pytest.raises(ScoringError, match=r"prompts\[1\].*max_new_tokens"):
        lm.generate(["a", "b" * 15], max_new_tokens=5)
