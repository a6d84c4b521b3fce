import math

import numpy as np
import pytest
import torch
from lime.lime_text import LimeTextExplainer

from perturbx.coalitions import GlimeSizes, Kernel, LimeSizes, PlayerCount, Uniform
from perturbx.exceptions import ArgumentError


def sample(sampler, n_units, budget, seed=0):
    return sampler.sample(PlayerCount(n_units), budget, torch.Generator().manual_seed(seed))


def size_counts(coalitions):
    """How many draws kept 0, 1, ... n units."""
    sizes = torch.zeros(coalitions.n_units + 1, dtype=torch.int64)
    return sizes.index_add_(0, coalitions.masks.sum(1), coalitions.counts)


def assert_law(observed, weights):
    """Pearson's chi-square at p = .001 (by the cube-root rule), for sizes that can come."""
    expected = weights / weights.sum() * observed.sum()
    assert observed[expected == 0].sum() == 0
    enough = expected >= 5
    statistic = ((observed - expected)[enough] ** 2 / expected[enough]).sum()
    degrees = max(int(enough.sum()) - 1, 1)
    bound = degrees * (1 - 2 / (9 * degrees) + 3.09 * math.sqrt(2 / (9 * degrees))) ** 3
    assert statistic < bound


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_uniform_keeps_every_unit_with_probability_p(p):
    coalitions = sample(Uniform(p=p, n_draws=20_000), 10, 1024)
    assert coalitions.counts.sum() == 20_000
    kept = torch.arange(11.0)
    weights = torch.tensor([math.comb(10, k) for k in range(11)]) * p**kept * (1 - p) ** (10 - kept)
    assert_law(size_counts(coalitions), weights)
    share = (coalitions.counts[:, None] * coalitions.masks).sum(0) / 20_000
    assert (share - p).abs().max() < 4.5 * math.sqrt(p * (1 - p) / 20_000)


def test_uniform_coalitions_are_equally_likely():
    coalitions = sample(Uniform(n_draws=32_000), 4, 16)
    assert coalitions.exhaustive
    assert_law(coalitions.counts, torch.ones(16))


def test_paired_uniform_counts_both_of_a_pair_and_the_ends_only_where_drawn():
    coalitions = sample(Uniform(n_draws=32_000, paired=True), 4, 16)
    assert torch.equal(coalitions.counts[0::2], coalitions.counts[1::2])
    assert coalitions.counts.sum() == 32_000
    assert_law(coalitions.counts[0::2], torch.ones(8))
    few = sample(Uniform(paired=True), 30, 12)
    assert few.counts.tolist() == [0, 0, *[1] * 10]
    assert few.masks[0].sum() == 0
    assert few.masks[1].sum() == 30
    assert torch.equal(few.masks[0::2], ~few.masks[1::2])


def test_lime_removes_every_number_of_units_equally_often():
    coalitions = sample(LimeSizes(n_draws=20_001), 8, 256)
    assert coalitions.masks[0].all()
    assert coalitions.counts[0] == 1, "the full text is lime's first row and is not drawn again"
    weights = torch.ones(9)
    weights[8] = 0
    sizes = size_counts(coalitions)
    sizes[8] -= 1
    assert_law(sizes, weights)


def test_lime_draws_as_the_lime_package_does():
    text = "a good film with a weak plot but fine acting throughout"
    seen = []

    def predict(texts):
        seen.extend(texts)
        return np.full((len(texts), 2), 0.5)

    explainer = LimeTextExplainer(random_state=0, bow=False)
    explainer.explain_instance(text, predict, num_features=3, num_samples=4000)
    removed = [text.split().count("UNKWORDZ") for text in seen]
    theirs = torch.bincount(torch.tensor(removed), minlength=12).flip(0)
    ours = size_counts(sample(LimeSizes(n_draws=4000), 11, 4000))
    assert theirs.sum() == ours.sum() == 4000
    assert theirs[11] == ours[11] == 1
    both = (theirs + ours)[:11].double()
    statistic = ((theirs - ours)[:11] ** 2 / both).sum()
    assert statistic < 29.6  # two samples, 10 degrees of freedom, p = .001


@pytest.mark.parametrize("kernel_width", [10.0, 25.0])
def test_glime_draws_in_proportion_to_the_kernel(kernel_width):
    n_units = 9
    coalitions = sample(GlimeSizes(kernel_width=kernel_width, n_draws=20_000), n_units, 512)
    weights = torch.tensor(
        [
            math.comb(n_units, kept)
            * math.exp(-((100 * (1 - math.sqrt(kept / n_units))) ** 2) / (2 * kernel_width**2))
            for kept in range(n_units + 1)
        ]
    )
    assert_law(size_counts(coalitions), weights)


def test_kernel_sizes_follow_the_shapley_kernel():
    n_units = 12
    observed = torch.zeros(13, dtype=torch.int64)
    for seed in range(60):
        coalitions = sample(Kernel(), n_units, 200, seed)
        assert coalitions.counts[:2].tolist() == [1, 1]
        observed += size_counts(coalitions)
        observed[[0, 12]] -= 1
    weights = torch.zeros(13)
    kept = torch.arange(1.0, 12.0)
    weights[1:-1] = 11 / (kept * (12 - kept))
    # A pair is one draw for two rows: the smaller of each, and at six of twelve one of the two.
    observed[6] //= 2
    weights[6] /= 2
    assert_law(observed[:7], weights[:7])


def test_kernel_counts_stand_for_draws_and_pairs_share_them():
    coalitions = sample(Kernel(), 8, 60)
    assert torch.equal(coalitions.masks[0::2], ~coalitions.masks[1::2])
    assert torch.equal(coalitions.counts[0::2], coalitions.counts[1::2])
    assert coalitions.counts.max() > 1
    assert len(coalitions) == 60
    assert coalitions.probabilities is None


@pytest.mark.parametrize("sampler", [Uniform(), LimeSizes(), GlimeSizes(), Uniform(paired=True)])
def test_draws_end_where_the_next_would_be_one_call_too_many(sampler):
    for budget in (5, 12, 33, 60):
        coalitions = sample(sampler, 15, budget)
        assert len(coalitions) == (budget - budget % 2 if coalitions.paired else budget)
        assert coalitions.counts[2:].min() >= 1


def test_fewer_draws_than_the_budget_leave_some_of_it():
    coalitions = sample(Uniform(n_draws=10), 30, 100)
    assert coalitions.counts.sum() == 10
    assert len(coalitions) == 11


def test_a_budget_beyond_all_coalitions_ends_too():
    coalitions = sample(LimeSizes(), 3, 1000)
    assert len(coalitions) == 8
    assert coalitions.counts.sum() == 1 + 10_000


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(p=0.0), "p: expected"),
        (lambda: Uniform(p=1.5), "p: expected"),
        (lambda: Uniform(p=float("nan")), "p: expected"),
        (lambda: Uniform(p="x"), "p: expected"),
        (lambda: Uniform(n_draws="x"), "n_draws: "),
        (lambda: GlimeSizes(kernel_width=None), "kernel_width: "),
        (lambda: Uniform(p=0.3, paired=True), "paired: "),
        (lambda: Uniform(n_draws=1), "n_draws: "),
        (lambda: LimeSizes(n_draws=0), "n_draws: "),
        (lambda: GlimeSizes(kernel_width=0.0), "kernel_width: "),
        (lambda: sample(LimeSizes(), 5, 1), "budget: got 1, but lime needs at least 2"),
        (lambda: sample(Uniform(paired=True), 5, 3), "budget: got 3, but uniform needs at least 4"),
        (lambda: sample(Kernel(), 5, 6), "budget: got 6, but kernel needs at least 7"),
    ],
)
def test_bad_options_are_named(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()
