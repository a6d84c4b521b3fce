"""Whatever way prompts are batched, each has the log-probabilities that it has alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError, CapabilityError, ScoringError
from perturbx.scorers.causal_lm import CausalLM
from perturbx.scorers.causal_lm.log_probs import token_log_probs
from perturbx.scorers.causal_lm.trie import build_trie
from perturbx.scorers.continuations import Continued
from perturbx.scorers.seq2seq import Seq2SeqLM

DECODERS = [
    ("llama", "sdpa"),
    ("llama", "eager"),
    ("gpt2", "sdpa"),
    ("gemma3", "sdpa"),
    ("gemma3", "eager"),
    ("mistral", "sdpa"),
    ("bloom", "eager"),
]
TREELESS = {"bloom"}


def questions(n=14, seed=0):
    """Prompts of one stem with some of its parts left out, longer than any sliding window."""
    draw = np.random.default_rng(seed)
    stem = draw.integers(3, 250, 40)
    asked = []
    for _ in range(n):
        kept = np.repeat(draw.random(8) < 0.6, 5)
        prompt = np.concatenate([[1], stem[kept], stem[:3]])
        asked.append(Continued(prompt, tuple(draw.integers(3, 250, size) for size in (1, 4, 2))))
    return asked


def alone(model, question):
    """The log-probabilities of the plain forward, one prompt and continuation at a time."""
    found = []
    with torch.inference_mode():
        for target in question.continuations:
            ids = torch.tensor(np.concatenate([question.prompt, target]))[None]
            log_p = model(input_ids=ids).logits[0].double().log_softmax(-1)
            at = len(question.prompt) - 1
            found.append([float(log_p[at + i, token]) for i, token in enumerate(target)])
    return found


def asked_of(language_model, asked, batch_tokens="auto"):
    """The answers in the order of the questions; each must come exactly once."""
    parts = [pair for part in language_model.log_probs(asked, batch_tokens) for pair in part]
    assert sorted(i for i, _ in parts) == list(range(len(asked)))
    return [answers for _, answers in sorted(parts, key=lambda pair: pair[0])]


def assert_same(found, expected, tolerance=1e-3):
    for own, wanted in zip(found, expected, strict=True):
        for log_p, target in zip(own, wanted, strict=True):
            np.testing.assert_allclose(log_p, target, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("family", "attention"), DECODERS)
def test_every_way_of_batching_is_one_prompt_at_a_time(language_model, family, attention):
    model, tokenizer = language_model(family, attention=attention)
    asked = questions()
    expected = [alone(model, question) for question in asked]
    for batching in ("auto", "tree", "padded", "unpadded"):
        if batching == "tree" and family in TREELESS:
            continue
        for batch_tokens in (3, 17, 200, "auto"):
            found = asked_of(CausalLM(model, tokenizer, batching=batching), asked, batch_tokens)
            assert_same(found, expected)


@pytest.mark.parametrize("family", ["t5", "bart"])
@pytest.mark.parametrize("batch_tokens", [1, 64, "auto"])
def test_an_encoder_decoder_too(language_model, family, batch_tokens):
    model, tokenizer = language_model(family)
    asked = questions()
    expected = []
    with torch.inference_mode():
        for question in asked:
            own = []
            for target in question.continuations:
                start = [model.config.decoder_start_token_id]
                logits = model(
                    input_ids=torch.tensor(question.prompt)[None],
                    decoder_input_ids=torch.tensor(np.concatenate([start, target[:-1]]))[None],
                ).logits[0]
                log_p = logits.double().log_softmax(-1)
                own.append([float(log_p[i, token]) for i, token in enumerate(target)])
            expected.append(own)
    assert_same(asked_of(Seq2SeqLM(model, tokenizer), asked, batch_tokens), expected)


def test_a_model_that_cannot_read_a_trie_says_so(language_model):
    model, tokenizer = language_model("bloom")
    with pytest.raises(CapabilityError, match="batching='tree'"):
        list(CausalLM(model, tokenizer, batching="tree").log_probs(questions(2)))


def test_shared_tokens_are_read_once(language_model):
    model, tokenizer = language_model("llama", attention="sdpa")
    read = []
    model.model.embed_tokens.register_forward_hook(lambda *args: read.append(args[1][0].numel()))
    lm = CausalLM(model, tokenizer, batching="tree")
    lm._way()
    read.clear()
    asked = questions()
    asked_of(lm, asked, 16)
    sequences = [
        tuple(np.concatenate([own.prompt, target[:-1]]))
        for own in asked
        for target in own.continuations
    ]
    nodes = {s[:i] for s in sequences for i in range(1, len(s) + 1)}
    assert sum(read) == len(nodes) < 0.8 * sum(map(len, sequences))


def test_out_of_memory_in_the_middle_of_a_pass_changes_nothing(language_model):
    model, tokenizer = language_model("llama", attention="sdpa")
    asked = questions()
    expected = asked_of(CausalLM(model, tokenizer), asked)
    lm = CausalLM(model, tokenizer, batching="tree")
    lm._way()
    passes = []

    def fail(module, inputs):
        passes.append(1)
        if len(passes) in (2, 5):
            raise torch.OutOfMemoryError("out of memory")

    handle = model.model.layers[1].register_forward_pre_hook(fail)
    assert_same(asked_of(lm, asked, 64), expected, 1e-4)
    handle.remove()


def test_a_single_token_that_does_not_fit_is_an_error(language_model):
    model, tokenizer = language_model("llama")
    lm = CausalLM(model, tokenizer, batching="padded")
    lm._way()

    def fail(module, inputs):
        raise torch.OutOfMemoryError("out of memory")

    model.register_forward_pre_hook(fail)
    with pytest.raises(ScoringError, match="smaller dtype"):
        asked_of(lm, questions(2))


def test_what_is_too_long_or_empty(language_model):
    model, tokenizer = language_model("gpt2", n_positions=20)
    lm = CausalLM(model, tokenizer)
    with pytest.raises(ScoringError, match="reads 20"):
        asked_of(lm, [Continued(np.arange(3, 30), (np.array([5]),))])
    (answers,) = asked_of(lm, [Continued(np.array([], dtype=np.int64), (np.array([5]),))])
    ((expected,),) = [alone(model, Continued(np.array([1]), (np.array([5]),)))]
    np.testing.assert_allclose(answers[0], expected, atol=1e-4)


def test_what_is_no_decoder_is_named(language_model):
    model, tokenizer = language_model("llama")
    with pytest.raises(ArgumentError, match="batching"):
        CausalLM(model, tokenizer, batching="rows")
    with pytest.raises(ArgumentError, match="head over the vocabulary"):
        CausalLM(model.model, tokenizer)
    with pytest.raises(ArgumentError, match="Seq2SeqLM"):
        CausalLM(*language_model("t5"))
    with pytest.raises(ArgumentError, match="encoder-decoder"):
        Seq2SeqLM(model, tokenizer)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6).map(np.array), min_size=1),
    st.data(),
)
def test_a_trie_holds_every_beginning_once(sequences, data):
    starts = [data.draw(st.integers(0, len(own) - 1)) for own in sequences]
    trie = build_trie(sequences, starts)
    beginnings = {tuple(s[: i + 1]) for s in sequences for i in range(len(s))}
    assert len(trie) == len(beginnings)
    for sequence, start, tail in zip(sequences, starts, trie.tails, strict=True):
        assert trie.tokens[tail].tolist() == sequence[start:].tolist()
        assert trie.depths[tail].tolist() == list(range(start, len(sequence)))
        path = trie.path(int(tail[-1]))
        assert trie.tokens[path].tolist() == sequence[:-1].tolist()
        assert np.all(trie.ends[path] > tail[-1])


@given(st.integers(2, 6), st.floats(-80, 80), st.integers(0, 2**20))
def test_a_sure_answer_is_never_certain(n_vocabulary, margin, seed):
    logits = np.random.default_rng(seed).normal(size=(3, n_vocabulary)).astype(np.float32)
    logits[:, 0] += np.float32(margin)
    rows, tokens = np.divmod(np.arange(3 * n_vocabulary), n_vocabulary)
    found = token_log_probs(
        torch.from_numpy(logits.copy()), torch.from_numpy(rows), torch.from_numpy(tokens)
    ).numpy()
    exact = logits.astype(np.longdouble)
    others = np.array(
        [
            np.logaddexp.reduce(np.delete(exact[row], token)) - exact[row, token]
            for row, token in zip(rows, tokens, strict=True)
        ]
    )
    np.testing.assert_allclose(found, -np.logaddexp(0, others), rtol=1e-5, atol=1e-30)
    assert np.all(found < 0)


def test_questions_may_be_none_or_come_twice_and_leave_the_logits_as_they_were():
    logits = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 9)).astype(np.float32))
    before = logits.clone()
    rows, tokens = torch.tensor([2, 0, 2, 2, 0]), torch.tensor([1, 3, 8, 1, 4])
    found = token_log_probs(logits, rows, tokens)
    np.testing.assert_allclose(found, before.double().log_softmax(1)[rows, tokens], atol=1e-6)
    assert torch.equal(logits, before)
    assert token_log_probs(logits, rows[:0], tokens[:0]).shape == (0,)
