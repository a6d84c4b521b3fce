import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from perturbx.batch_budget import GPU_FIRST, first_batch
from perturbx.exceptions import ScoringError
from perturbx.scorers.row_batches import FIRST_BATCH, in_batches, row_budget

CPU = torch.device("cpu")
LENGTHS = st.lists(st.integers(0, 30), max_size=30)


@given(LENGTHS, st.integers(1, 90))
def test_every_row_once_the_longest_first_within_the_budget(lengths, tokens):
    batches = list(in_batches(lengths, row_budget(tokens, CPU), list))
    rows = [row for batch in batches for row in batch]
    assert sorted(rows) == list(range(len(lengths)))
    assert [lengths[row] for row in rows] == sorted(lengths, reverse=True)
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch[0]] <= tokens


@given(LENGTHS, st.integers(0, 4))
def test_what_fits_is_never_exceeded(lengths, most):
    batches = in_batches(lengths, row_budget("auto", CPU), list, lambda batch: most)
    assert all(len(batch) <= max(1, most) for batch in batches)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=30), st.integers(1, 8))
def test_memory_that_holds_so_many_rows_is_found_out(lengths, holds):
    def run(batch):
        if len(batch) > holds:
            raise torch.OutOfMemoryError("out of memory")
        return list(batch)

    budget = row_budget(900, CPU)
    rows = [row for batch in in_batches(lengths, budget, run) for row in batch]
    assert sorted(rows) == list(range(len(lengths)))


def test_a_batch_grows_while_that_pays(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])

    def run(batch):
        clock[0] += 1.0  # a batch of any size takes the same time
        return len(batch)

    sizes = list(in_batches([64] * 1_000, row_budget("auto", CPU), run))
    assert sizes[0] == sizes[1] == FIRST_BATCH // 64
    assert sizes[2] == 2 * sizes[1]
    assert sizes[3] == 2 * sizes[2]


def test_a_single_row_that_does_not_fit_and_errors_about_something_else():
    def run(batch):
        raise MemoryError

    with pytest.raises(ScoringError, match="single prompt of 7 tokens"):
        list(in_batches([7, 5], row_budget(100, CPU), run))

    def broken(batch):
        raise RuntimeError("expected scalar type Float")

    with pytest.raises(RuntimeError, match="scalar type"):
        list(in_batches([7, 5], row_budget(100, CPU), broken))


def test_a_gpu_begins_with_what_fills_it():
    assert row_budget("auto", torch.device("cuda")).tokens == GPU_FIRST > FIRST_BATCH
    assert row_budget(100, torch.device("cuda")).tokens == 100
    assert first_batch(torch.device("cuda"), 2 * GPU_FIRST) == 2 * GPU_FIRST
