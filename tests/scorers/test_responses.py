"""Responses behind a prompt, token by token."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import MaskingError, ScoringError
from perturbx.jobs import Job
from perturbx.maskers.variants import Variants
from perturbx.runner import Runner
from perturbx.scorers.causal_lm import CausalLM
from perturbx.scorers.responses import ResponseScorer

WORDS = st.text(alphabet="abé ", min_size=1, max_size=5)


@pytest.fixture(scope="module")
def scorer(language_model):
    return ResponseScorer(CausalLM(*language_model("gpt2", attention="sdpa", n_positions=64)))


def scored(scorer, *texts):
    return scorer.score(Variants(texts=list(texts))).values


@settings(max_examples=25, deadline=None)
@given(prompt=WORDS, first=WORDS, second=WORDS)
def test_the_chain_rule(scorer, prompt, first, second):
    # bytes are the tokens, so that a text cut in two is the same tokens
    (whole,) = scored(scorer, (prompt, first + second))
    (begun,) = scored(scorer, (prompt, first))
    (ended,) = scored(scorer, (prompt + first, second))
    np.testing.assert_allclose(whole, [*begun, *ended], rtol=0, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(pairs=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=6))
def test_rows_of_unequal_responses_are_filled_with_zeros(scorer, pairs):
    together = scored(scorer, *pairs)
    assert together.shape[1] == max(len(response.encode()) for _, response in pairs)
    for row, pair in zip(together, pairs, strict=True):
        (alone,) = scored(scorer, pair)
        np.testing.assert_allclose(row[: len(alone)], alone, rtol=0, atol=1e-3)
        assert not row[len(alone) :].any()


def test_its_tokens_are_log_probabilities_that_exclude_nothing(scorer):
    scores = scorer.score(Variants(texts=[("so", "good")]))
    assert (scores.kind, scores.exclusive) == ("log_prob", False)
    assert np.all(scores.values < 0)
    assert np.all(np.isfinite(scores.values))


@pytest.mark.parametrize("text", ["so good", ("so good", "")])
def test_a_prompt_alone_is_no_question(scorer, text):
    with pytest.raises(ScoringError, match="no response behind its prompt"):
        scored(scorer, text)


def test_a_text_beyond_the_window_is_never_cut(scorer):
    with pytest.raises(MaskingError, match="longer than the 64 tokens"):
        scored(scorer, ("a" * 60, "b" * 10))


class Rows:
    """An encoding of rows of tokens, one for each of as many masks."""

    kind = "tokens"
    units = None

    def __init__(self, tokenizer, pairs):
        self.rows = [tokenizer(*([part] for part in pair)) for pair in pairs]

    def lengths(self, masks):
        return torch.tensor([len(row["input_ids"][0]) for row in self._of(masks)])

    def variants(self, masks):
        rows = self._of(masks)
        width = max((len(row["input_ids"][0]) for row in rows), default=0)
        ids, segments = (
            torch.tensor([row[name][0] + [0] * (width - len(row[name][0])) for row in rows])
            for name in ("input_ids", "token_type_ids")
        )
        return Variants(
            token_ids=ids, lengths=self.lengths(masks), extras={"token_type_ids": segments}
        )

    def _of(self, masks):
        return [self.rows[int(row.sum())] for row in masks]


def jobs(scorer, *texts):
    return [
        Job(Rows(scorer.tokenizer, pairs), torch.tril(torch.ones(len(pairs), len(pairs)), -1) > 0)
        for pairs in texts
    ]


SHORT = [("so", "yes"), ("so good", "yes"), ("so very good", "yes")]
LONG = [("it is bad", "not at all"), ("bad", "not at all")]


@pytest.mark.parametrize("batch_tokens", [8, "auto"])
@pytest.mark.parametrize("texts", [(SHORT, LONG), (LONG, SHORT)])
def test_one_stream_for_responses_of_different_lengths(scorer, texts, batch_tokens):
    outcome = Runner(scorer, batch_tokens=batch_tokens, progress=False).run(jobs(scorer, *texts))
    assert outcome.failure is None
    assert outcome.n_outputs == len("not at all")
    for result, pairs in zip(outcome.results, texts, strict=True):
        assert result.scored.all()
        expected = scored(scorer, *pairs)
        n_tokens = expected.shape[1]
        np.testing.assert_allclose(result.scores[:, :n_tokens], expected, rtol=0, atol=1e-3)
        assert not result.scores[:, n_tokens:].any()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("the driver is gone")])
def test_what_was_scored_before_it_ended_is_kept(language_model, error):
    model, tokenizer = language_model("llama", attention="sdpa")
    own = ResponseScorer(CausalLM(model, tokenizer))
    expected = scored(own, *SHORT, *LONG)
    passes = []

    def fail(*_):
        passes.append(1)
        if len(passes) == 4:
            raise error

    model.model.layers[1].register_forward_hook(fail)
    model.train()
    outcome = Runner(own, batch_tokens=12, progress=False).run(jobs(own, SHORT, LONG))
    assert outcome.failure is error
    kept = np.concatenate([result.scored for result in outcome.results])
    assert 0 < kept.sum() < 5
    assert outcome.n_calls == kept.sum()
    scores = np.concatenate([result.scores for result in outcome.results])
    np.testing.assert_allclose(
        scores[kept], expected[kept][:, : scores.shape[1]], rtol=0, atol=1e-3
    )
    assert model.training
    assert not torch.is_inference_mode_enabled()
