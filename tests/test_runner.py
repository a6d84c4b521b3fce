"""The runner: every distinct variant once, nothing lost."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import ScoringError
from perturbx.jobs import Job
from perturbx.maskers.variants import Variants
from perturbx.runner import Runner
from perturbx.scorers.scores import Scores


@dataclass
class Words:
    """An encoding of a list of words that are deleted when their unit is removed."""

    words: list[str]
    kind: str = "text"
    units: object = None

    def lengths(self, masks):
        return torch.tensor([len(text) for text in self.variants(masks).texts], dtype=torch.int64)

    def variants(self, masks):
        return Variants(
            texts=[
                " ".join(word for word, kept in zip(self.words, row, strict=True) if kept)
                for row in masks.tolist()
            ]
        )


@dataclass
class Recorder:
    """A scorer that counts letters and remembers what it was asked."""

    output_names = ("a", "b")
    accepts = ("text",)
    model_id = "recorder"
    batches: list = field(default_factory=list)
    break_at: int | None = None
    break_with: object = None

    @property
    def asked(self):
        return [text for batch in self.batches for text in batch]

    def score(self, variants):
        if self.break_at is not None and len(self.batches) == self.break_at:
            if isinstance(self.break_with, BaseException):
                raise self.break_with
            return self.break_with(variants)
        self.batches.append(list(variants.texts))
        return numbers(variants)


def numbers(variants):
    return Scores(np.array([[t.count("a"), len(t)] for t in variants.texts], dtype=np.float64))


def every_mask(n):
    return torch.tensor([[bool(i >> k & 1) for k in range(n)] for i in range(2**n)])


def jobs_of(*texts):
    return [Job(Words(text.split()), every_mask(len(text.split()))) for text in texts]


texts = st.lists(
    st.lists(st.sampled_from(["a", "b", "aa", "cab"]), min_size=0, max_size=5).map(" ".join),
    min_size=0,
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(texts=texts, batch_tokens=st.one_of(st.just("auto"), st.integers(1, 50)))
def test_every_distinct_variant_is_asked_about_once_and_every_row_gets_its_score(
    texts, batch_tokens
):
    scorer = Recorder()
    jobs = jobs_of(*texts)
    outcome = Runner(scorer, batch_tokens=batch_tokens, progress=False).run(jobs)
    expected = {text for job in jobs for text in job.encoding.variants(job.masks).texts}
    assert sorted(scorer.asked) == sorted(expected)
    assert outcome.n_calls == len(expected)
    for job, result in zip(jobs, outcome.results, strict=True):
        rows = job.encoding.variants(job.masks)
        assert result.scored.all()
        np.testing.assert_array_equal(result.scores, numbers(rows).values)
        same_text = np.unique(np.array(rows.texts), return_inverse=True)[1]
        same_slot = np.unique(result.variant_of_row, return_inverse=True)[1]
        for a, b in zip(same_text, same_slot, strict=True):
            np.testing.assert_array_equal(same_text == a, same_slot == b)


def test_batches_are_longest_first_and_within_the_budget():
    scorer = Recorder()
    Runner(scorer, batch_tokens=12, progress=False).run(jobs_of("a bb ccc dddd", "aa bb"))
    lengths = [len(text) for text in scorer.asked]
    assert lengths == sorted(lengths, reverse=True)
    assert all(len(batch) == 1 or len(batch) * len(batch[0]) <= 12 for batch in scorer.batches)


def test_batches_grow_while_that_pays_and_begin_with_several_rows():
    scorer = Recorder()
    words = " ".join(chr(97 + i) * 60 for i in range(11))
    Runner(scorer, progress=False).run(jobs_of(words))
    sizes = [len(batch) for batch in scorer.batches]
    assert sizes[0] >= 16 or sum(sizes) <= 16
    assert max(len(b) * len(b[0]) for b in scorer.batches) >= 2 * sizes[0] * len(words)


@pytest.mark.parametrize(
    "failure", [ValueError("the model is down"), KeyboardInterrupt(), ScoringError("no")]
)
def test_what_was_paid_for_survives_a_failure(failure):
    scorer = Recorder(break_at=2, break_with=failure)
    outcome = Runner(scorer, batch_tokens=20, progress=False).run(jobs_of("a bb ccc dddd"))
    (result,) = outcome.results
    assert outcome.failure is failure
    assert result.scored.sum() == len(scorer.asked) == outcome.n_calls > 0
    assert np.isfinite(result.scores[result.scored]).all()
    assert np.isnan(result.scores[~result.scored]).all()


def with_nan(variants):
    scores = numbers(variants)
    scores.values[0, 1] = np.nan
    return scores


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (with_nan, "nan"),
        (lambda v: Scores(numbers(v).values[:-1]), "rows"),
        (lambda v: Scores(numbers(v).values[:, :1]), "outputs"),
    ],
)
def test_an_answer_that_is_no_batch_of_scores_is_caught_at_once(answer, message):
    scorer = Recorder(break_at=1, break_with=answer)
    outcome = Runner(scorer, batch_tokens=40, progress=False).run(jobs_of("a bb ccc dddd"))
    assert isinstance(outcome.failure, ScoringError)
    assert message in str(outcome.failure).lower()
    assert outcome.results[0].scored.sum() >= len(scorer.asked) > 0


def test_the_sound_rows_of_a_batch_with_a_nan_are_kept():
    scorer = Recorder(break_at=0, break_with=with_nan)
    outcome = Runner(scorer, batch_tokens=10_000, progress=False).run(jobs_of("a bb ccc"))
    assert outcome.results[0].scored.sum() == 2**3 - 1


@dataclass
class Cramped(Recorder):
    """A scorer whose memory holds only so many characters, padding included."""

    room: int = 30
    error: type = RuntimeError

    def score(self, variants):
        if len(variants.texts) * max(map(len, variants.texts)) > self.room:
            raise self.error("DefaultCPUAllocator: can't allocate memory")
        return super().score(variants)


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, torch.OutOfMemoryError])
def test_out_of_memory_halves_the_batch_and_carries_on(error):
    scorer = Cramped(error=error)
    outcome = Runner(scorer, batch_tokens=1_000, progress=False).run(jobs_of("a bb ccc dddd"))
    assert outcome.failure is None
    assert outcome.results[0].scored.all()
    assert len(scorer.asked) == len(set(scorer.asked))


def test_a_single_variant_that_does_not_fit_is_an_error_that_says_so():
    outcome = Runner(Cramped(room=3), progress=False).run(jobs_of("a bb ccc dddd"))
    assert isinstance(outcome.failure, ScoringError)
    assert "single variant" in str(outcome.failure)


def test_other_runtime_errors_are_not_taken_for_memory():
    scorer = Recorder(break_at=0, break_with=RuntimeError("shape mismatch"))
    outcome = Runner(scorer, progress=False).run(jobs_of("a b"))
    assert "shape mismatch" in str(outcome.failure)


def test_token_variants_of_equal_text_are_one_call_whatever_the_width():
    @dataclass
    class Ids(Words):
        kind: str = "tokens"

        def lengths(self, masks):
            return masks.sum(1) + 1

        def variants(self, masks):
            width = int(self.lengths(masks).max())
            rows = [
                [9, *[len(w) for w, k in zip(self.words, row, strict=True) if k]]
                for row in masks.tolist()
            ]
            ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
            return Variants(token_ids=ids, lengths=self.lengths(masks))

    class Sums(Recorder):
        def score(self, variants):
            self.batches.append([tuple(row) for row in variants.token_ids.tolist()])
            return Scores(variants.token_ids.sum(1, keepdim=True).double().numpy())

    scorer = Sums()
    jobs = [
        Job(Ids(["a", "bb"]), every_mask(2)),
        Job(Ids(["a", "bb", "ccc", "dddd"]), every_mask(4)),
    ]
    outcome = Runner(scorer, batch_tokens=7, progress=False).run(jobs)
    assert outcome.n_calls == 16
    assert np.isin(outcome.results[0].variant_of_row, outcome.results[1].variant_of_row).all()


def test_noise_of_the_model_reaches_the_results():
    class Noisy(Recorder):
        def score(self, variants):
            values = numbers(variants).values
            return Scores(values, variances=values**2, kind="log_prob", exclusive=False)

    outcome = Runner(Noisy(), progress=False).run(jobs_of("a bb"))
    (result,) = outcome.results
    np.testing.assert_array_equal(result.variances, result.scores**2)
    assert (outcome.kind, outcome.exclusive) == ("log_prob", False)


def test_token_ids_and_strings_never_share_a_batch():
    @dataclass
    class Ids(Words):
        kind: str = "tokens"

        def lengths(self, masks):
            return masks.sum(1)

        def variants(self, masks):
            return Variants(token_ids=masks.long() * 3, lengths=self.lengths(masks))

    class Either(Recorder):
        accepts = ("tokens", "text")

        def score(self, variants):
            self.batches.append(variants.kind)
            if variants.kind == "text":
                return numbers(variants)
            return Scores(np.tile(variants.token_ids.sum(1, keepdim=True).double().numpy(), 2))

    scorer = Either()
    jobs = [jobs_of("a bb")[0], Job(Ids(["x", "y"]), every_mask(2)), jobs_of("aaa")[0]]
    outcome = Runner(scorer, progress=False).run(jobs)
    assert scorer.batches == ["tokens", "text"]
    assert outcome.results[1].scores[:, 0].tolist() == [0, 3, 3, 6]
    assert outcome.results[2].scores[:, 0].tolist() == [0, 3]


@pytest.mark.parametrize("noisy", [0, 1])
def test_variances_of_some_batches_are_kept_whichever_come_first(noisy):
    class Wavering(Recorder):
        def score(self, variants):
            scores = super().score(variants)
            is_noisy = len(self.batches) % 2 == noisy
            return replace(scores, variances=scores.values**2) if is_noisy else scores

    scorer = Wavering()
    (result,) = Runner(scorer, batch_tokens=8, progress=False).run(jobs_of("a bb c d")).results
    texts = Words(["a", "bb", "c", "d"]).variants(every_mask(4)).texts
    place = {text: i for i, batch in enumerate(scorer.batches, 1) for text in batch}
    is_noisy = np.array([place[text] % 2 == noisy for text in texts])
    assert 0 < is_noisy.sum() < len(texts)
    expected = np.where(is_noisy[:, None], result.scores**2, 0.0)
    np.testing.assert_array_equal(result.variances, expected)
