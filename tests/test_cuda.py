"""The same on a GPU: values, calls and errors as on the CPU, and what runs only there.

Skipped where there is no CUDA device. The pure kernels run on a fake one everywhere
(``test_fake_cuda.py``).
"""

import os
import pickle

import numpy as np
import pytest
import torch

import perturbx as px
from perturbx.maskers import Infill
from perturbx.scorers import as_scorer
from perturbx.scorers.causal_lm import CausalLM
from perturbx.scorers.continuations import Continued
from perturbx.scorers.seq2seq import Seq2SeqLM

DEVICE = os.environ.get("PERTURBX_TEST_DEVICE", "cuda")

pytestmark = [
    pytest.mark.skipif(
        DEVICE == "cuda" and not torch.cuda.is_available(), reason="needs a CUDA device"
    ),
    pytest.mark.filterwarnings("ignore::perturbx.exceptions.PoorFitWarning"),
]

SENTENCES = [
    "the plot is thin , but the acting is superb .",
    "a dull , lifeless film that never once finds its way and wears out its welcome",
    "loved it",
]
CONTEXT = "He left. It rained a lot. Bob sang.\n\nThe end came."


def on(device, **options):
    """Explain the sentences with the shipped model there."""
    options = {"random_state": 0, "budget": 40, "progress": False, "dtype": "float32"} | options
    return px.explain("default", SENTENCES, device=device, **options)


@pytest.mark.parametrize("masker", ["mask", "delete", "unk", "auto"])
@pytest.mark.parametrize("explainer", ["shapley", "lime", "lasso", "partition", "occlusion"])
def test_a_classifier_is_explained_as_on_the_cpu(explainer, masker):
    budget = {"budget": "auto"} if explainer == "occlusion" else {}
    for own, expected in zip(
        on(DEVICE, explainer=explainer, masker=masker, **budget),
        on("cpu", explainer=explainer, masker=masker, **budget),
        strict=True,
    ):
        assert own.n_calls == expected.n_calls
        np.testing.assert_allclose(own.values, expected.values, atol=2e-4)
        np.testing.assert_allclose(own.std_errors, expected.std_errors, atol=2e-3)


def test_a_seed_reproduces_bit_for_bit():
    first, again = on(DEVICE), on(DEVICE)
    for own, expected in zip(first, again, strict=True):
        np.testing.assert_array_equal(own.values, expected.values)


def test_what_is_explained_holds_nothing_of_the_device():
    explanations = on(DEVICE)
    assert b"cuda" not in pickle.dumps(explanations)
    (again,) = pickle.loads(pickle.dumps(explanations))[:1]
    np.testing.assert_array_equal(again.values, explanations[0].values)
    assert "superb" in explanations[0].to_html()


def test_a_model_is_loaded_there_where_there_is_one():
    scorer = as_scorer("default")
    assert scorer.device.type == DEVICE


def test_a_given_model_is_copied_there_and_left_where_it_was():
    scorer = as_scorer("default", device="cpu")
    moved = as_scorer((scorer.model, scorer.tokenizer), device=DEVICE)
    assert moved.device.type == DEVICE
    assert scorer.device.type == "cpu"


def test_pipelines_and_functions_that_work_there():
    from transformers import pipeline

    scorer = as_scorer("default", dtype="float32")
    pipe = pipeline("text-classification", model=scorer.model, tokenizer=scorer.tokenizer)

    def function(texts):
        inputs = scorer.tokenizer(list(texts), padding=True, return_tensors="pt").to(scorer.device)
        return scorer.model(**inputs).logits.softmax(dim=1)  # with its gradient, on the device

    settings = {"random_state": 0, "budget": 40, "masker": "delete", "progress": False}
    (by_pipe,) = px.explain(pipe, SENTENCES[:1], **settings)
    (by_function,) = px.explain(function, SENTENCES[:1], link="probability", **settings)
    assert by_pipe.values.shape == by_function.values.shape
    (expected,) = px.explain(scorer, SENTENCES[:1], **settings)
    np.testing.assert_allclose(by_pipe.values, expected.values, atol=2e-3)


def test_games_of_tensors_on_the_device():
    weights = torch.arange(1.0, 15.0, device=DEVICE)

    def value(masks):
        return torch.as_tensor(masks, device=DEVICE).float() @ weights

    found = px.explain_game(value, 14, budget=80, random_state=0)
    np.testing.assert_allclose(found.values[:, 0], weights.cpu(), atol=1e-3)


def test_a_mask_is_filled_in_there():
    scorer = as_scorer("default", dtype="float32")
    from transformers import BertConfig, BertForMaskedLM

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(scorer.tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        initializer_range=0.5,
    )
    filler = BertForMaskedLM(config).eval()
    found = {}
    for device in ("cpu", DEVICE):
        masker = Infill((filler.to(device), scorer.tokenizer))
        (found[device],) = px.explain(
            scorer, SENTENCES[:1], masker=masker, random_state=0, budget=40, progress=False
        )
    assert found[DEVICE].n_calls == found["cpu"].n_calls
    np.testing.assert_allclose(found[DEVICE].values, found["cpu"].values, atol=1e-3)


def questions(seed=0, n=12):
    draw = np.random.default_rng(seed)
    stem = draw.integers(3, 260, 40)
    return [
        Continued(
            np.concatenate([[1], stem[: draw.integers(5, 40)], draw.integers(3, 260, 9)]),
            (draw.integers(3, 260, 4), draw.integers(3, 260, 2)),
        )
        for _ in range(n)
    ]


def log_probs(lm, batch_tokens="auto"):
    parts = [pair for part in lm.log_probs(questions(), batch_tokens) for pair in part]
    return np.concatenate([np.concatenate(own) for _, own in sorted(parts, key=lambda p: p[0])])


@pytest.mark.parametrize("batching", ["tree", "padded", "unpadded"])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3", "mistral"])
def test_decoders_say_the_same_in_every_way(language_model, family, attention, batching):
    model, tokenizer = language_model(family, attention=attention)
    expected = log_probs(CausalLM(model, tokenizer, batching="unpadded"))
    for batch_tokens in (16, "auto"):
        lm = CausalLM(model, tokenizer, device=DEVICE, batching=batching)
        assert lm.device.type == DEVICE
        np.testing.assert_allclose(log_probs(lm, batch_tokens), expected, atol=1e-3)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_decoders_in_half_precision_read_tries(language_model, dtype):
    model, tokenizer = language_model("llama", attention="sdpa", initializer_range=0.1)
    lm = CausalLM(model, tokenizer, device=DEVICE, dtype=dtype)
    assert lm._way() == "tree"
    alone = CausalLM(model, tokenizer, device=DEVICE, dtype=dtype, batching="unpadded")
    np.testing.assert_allclose(log_probs(lm), log_probs(alone), atol=0.1)


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_encoder_decoders_say_the_same(language_model, family):
    # Log-probabilities of -40 in a random T5: float32 differs in the fourth digit.
    model, tokenizer = language_model(family)
    expected = log_probs(Seq2SeqLM(model, tokenizer))
    found = log_probs(Seq2SeqLM(model, tokenizer, device=DEVICE))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_a_context_is_traced_as_on_the_cpu(language_model):
    model, tokenizer = language_model("llama", attention="sdpa")
    settings = {"template": "C: {context} Q: {query} A:", "progress": False, "random_state": 0}
    found = {}
    for device in ("cpu", DEVICE):
        explainer = px.ContextExplainer((model, tokenizer), device=device, **settings)
        (found[device],) = explainer.explain([CONTEXT], ["who?"], [" Bob sang."])
    np.testing.assert_allclose(found[DEVICE].values, found["cpu"].values, atol=2e-3)


def test_answers_are_written_there(language_model):
    model, tokenizer = language_model("llama", attention="sdpa")
    lm = CausalLM(model, tokenizer, device=DEVICE)
    expected = CausalLM(model, tokenizer).generate(["who?", "it"], max_new_tokens=6)
    assert lm.generate(["who?", "it"], max_new_tokens=6) == expected


@pytest.mark.skipif(DEVICE != "cuda", reason="only a GPU's memory has a limit to set")
def test_a_batch_that_does_not_fit_is_halved(language_model):
    model, tokenizer = language_model("llama", attention="sdpa", max_position_embeddings=4096)
    prompts = np.random.default_rng(0).integers(3, 260, (400, 500))
    asked = [Continued(row, (row[:2],)) for row in prompts]

    def answers(batch_tokens):
        lm = CausalLM(model, tokenizer, device=DEVICE, batching="padded")
        found = dict(pair for part in lm.log_probs(asked, batch_tokens) for pair in part)
        return [found[i][0] for i in range(len(asked))], lm._budgets[batch_tokens].tokens

    expected, _ = answers(6_000)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    most = torch.cuda.memory_reserved() + 60 * 2**20
    torch.cuda.set_per_process_memory_fraction(most / total)
    try:
        found, tokens = answers(200_000)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert tokens < 200_000
    np.testing.assert_allclose(found, expected, atol=1e-3)
