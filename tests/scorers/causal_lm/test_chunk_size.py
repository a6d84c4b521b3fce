"""The size of a chunk: found by what a chunk has to do, not by how many tokens it holds."""

import time

import numpy as np
import pytest

from perturbx.scorers.causal_lm import chunk_size
from perturbx.scorers.causal_lm.chunk_size import FIRST, ChunkSize


def search(monkeypatch, seconds, scored_of, passes=8):
    """Run passes that take so long by tokens and scored positions; return the sizes asked for."""
    now = [0.0]
    monkeypatch.setattr(chunk_size.time, "perf_counter", lambda: now[0])
    size = ChunkSize("auto", 1_000, head_price=10.0)
    sizes = []
    for number in range(passes):
        n_tokens = size.nodes(np.zeros(1_000_000, dtype=bool))
        n_scored = scored_of(number)
        with size.timed(n_tokens, n_scored):
            now[0] += seconds(n_tokens, n_scored)
        sizes.append(n_tokens)
    return sizes


def test_chunks_grow_while_that_pays_whatever_they_score(monkeypatch):
    # A pass costs 200 tokens however small it is; the second one has no question at all.
    def seconds(n_tokens, n_scored):
        return 200 + n_tokens + 10 * n_scored

    sizes = search(monkeypatch, seconds, lambda number: 0 if number == 1 else 300)
    assert sizes[:3] == [FIRST, FIRST, 2 * FIRST]
    assert sizes[-1] >= 2 * FIRST


def test_chunks_stay_where_larger_ones_are_no_faster(monkeypatch):
    sizes = search(monkeypatch, lambda n_tokens, n_scored: n_tokens + 10 * n_scored, lambda _: 5)
    assert sizes[-1] == FIRST


def test_a_size_that_is_given_stays():
    size = ChunkSize(64, 1_000)
    for _ in range(5):
        with size.timed(64, 3):
            time.sleep(0)
    assert size.nodes(np.zeros(500, dtype=bool)) == 64


@pytest.mark.parametrize("n_vocabulary", [1 << 20, 1 << 26])
def test_a_chunk_scores_no_more_than_its_logits_may_hold(n_vocabulary):
    size = ChunkSize("auto", n_vocabulary)
    assert size.nodes(np.ones(10_000, dtype=bool)) == (1 << 26) // n_vocabulary
