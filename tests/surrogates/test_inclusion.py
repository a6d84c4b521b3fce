"""Tables that are no sample of the coalitions: refused, or the unseen is in the errors."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from perturbx.coalitions import LeaveOneOut, Owen, Permutation, PlayerCount, Uniform
from perturbx.exceptions import SurrogateError
from perturbx.score_table import ScoreTable
from perturbx.surrogates import BanzhafGP, Lasso, LimeLimit, OddGP, get_surrogate
from perturbx.surrogates.inclusion import unseen_share
from perturbx.surrogates.registry import surrogate_names

N = 8

DESIGNS = {
    "leave_one_out": (LeaveOneOut(), N + 2),
    "owen_exact": (Owen(), 200),
    "owen": (Owen(), 30),
    "permutation": (Permutation(), 40),
}

OF_PROBABILITIES = ("leverage", "kernel", "banzhaf")
OF_COUNTS = ("ridge", "lasso", "forward_selection", "lime_text")


def bought(lab, name, **changes):
    """A table of one of the designs, of a game with pairs and triples."""
    sampler, budget = DESIGNS[name]
    drawn = sampler.sample(PlayerCount(N), budget, torch.Generator().manual_seed(0))
    assert drawn.design == name
    scores = lab.smooth_scores(N, 1, 3)
    table = ScoreTable(
        drawn.masks.numpy(),
        scores[drawn.masks.numpy() @ (1 << np.arange(N))],
        ("y",),
        probabilities=None if drawn.probabilities is None else drawn.probabilities.numpy(),
        walks=None if drawn.walks is None else drawn.walks.numpy(),
        design=drawn.design,
        paired=drawn.paired,
    )
    return replace(table, **changes)


# The values that these rows were bought for are exact.
@pytest.mark.parametrize("surrogate", sorted({*surrogate_names()} - {"owen", "leave_one_out"}))
@pytest.mark.parametrize("design", ["leave_one_out", "owen_exact"])
def test_nothing_is_certain_of_coalitions_that_no_row_shows(lab, design, surrogate):
    for changes in ({}, {"probabilities": None, "design": "custom"}):
        try:
            (fit,) = get_surrogate(surrogate).fit([bought(lab, design, **changes)])
        except SurrogateError:
            continue
        # Units that no refit of a selection chose have value and error 0.
        assert (fit.std_errors[fit.values != 0] > 0.01).all(), changes


@pytest.mark.parametrize("surrogate", OF_PROBABILITIES + OF_COUNTS)
@pytest.mark.parametrize("design", ["leave_one_out", "owen_exact"])
def test_rows_without_chance_are_refused_with_what_takes_them(lab, design, surrogate):
    table = bought(lab, design)
    for part in (table, table.rows(np.arange(len(table)) != 3)):
        with pytest.raises(SurrogateError, match=rf"'{design}' .*'odd_gp'.*'banzhaf_gp' or 'lime'"):
            get_surrogate(surrogate).fit([part])
    for takes_any_rows in (BanzhafGP(), LimeLimit()):
        assert takes_any_rows.fit([table])[0].std_errors.min() > 0.01
    if design != "leave_one_out":
        assert OddGP().fit([table])[0].std_errors.min() > 0.001


@pytest.mark.parametrize("surrogate", OF_PROBABILITIES)
@pytest.mark.parametrize("design", ["owen", "refined", "grouped_leverage"])
def test_designs_that_keep_units_together_have_no_probabilities(lab, design, surrogate):
    table = bought(lab, "owen", design=design)
    with pytest.raises(SurrogateError, match=f"'{design}' keeps groups of units together"):
        get_surrogate(surrogate).fit([table])


def test_walks_are_no_independent_rows(lab):
    for surrogate in ("leverage", "kernel"):
        with pytest.raises(SurrogateError, match="walks; use 'permutation' or 'odd_gp'"):
            get_surrogate(surrogate).fit([bought(lab, "permutation")])
    table = bought(lab, "permutation")
    cut = table.rows(np.setdiff1d(np.arange(len(table)), table.walks[:, 4]))
    assert cut.walks is None
    for part in (cut, replace(cut, walks=table.walks[:0])):
        with pytest.raises(SurrogateError, match="walks; use 'permutation' or 'odd_gp'"):
            get_surrogate("leverage").fit([part])
    assert get_surrogate("banzhaf").fit([bought(lab, "permutation")])[0].std_errors.min() > 0


def test_all_coalitions_are_a_sample_whatever_the_design(lab):
    scores = lab.smooth_scores(5, 1, 0)
    for design in ("owen_exact", "leave_one_out", "refined"):
        table = replace(lab.exhaustive(scores), design=design)
        values = get_surrogate("leverage").fit([table])[0].values
        np.testing.assert_allclose(values, lab.shapley(scores), atol=1e-8)
        np.testing.assert_allclose(
            get_surrogate("banzhaf").fit([table])[0].values, lab.banzhaf(scores), atol=1e-8
        )


def test_whole_sizes_stand_for_the_sizes_that_are_missing(lab):
    """Of 9 sizes between the ends two are whole, two half there and five missing."""
    n = 10
    masks = lab.all_masks(n)
    sizes = masks.sum(axis=1)
    full = len(masks) - 1
    covered = {"leverage": [], "banzhaf": []}
    for seed in range(12):
        scores = lab.smooth_scores(n, 1, seed)
        rng = np.random.default_rng(seed)
        half = rng.permutation(np.flatnonzero(sizes == 2))[:20]
        whole = np.flatnonzero((sizes == 1) | (sizes == n - 1))
        index = np.concatenate([[0, full], whole, half, full - half])
        table = ScoreTable(masks[index], scores[index], ("y",))
        np.testing.assert_allclose(unseen_share(table)[2:-40], 5 / 9)
        assert (unseen_share(table)[-40:] > 5 / 9).all()
        for name, truth in (("leverage", lab.shapley(scores)), ("banzhaf", lab.banzhaf(scores))):
            (fit,) = get_surrogate(name).fit([table])
            interval = fit.confidence_interval(0.95)
            covered[name].append((interval.low <= truth) & (truth <= interval.high))
    assert np.mean(covered["leverage"]) > 0.93
    assert np.mean(covered["banzhaf"]) > 0.85


def test_single_draws_that_found_all_coalitions_are_no_pairs():
    """Pairs of units change a coalition and its complement alike, draws of them do not."""
    n, fits = 5, []
    for seed in range(40):
        drawn = Uniform().sample(PlayerCount(n), 50, torch.Generator().manual_seed(seed))
        masks = drawn.masks.numpy()
        assert len(masks) == 32
        signs = 2.0 * masks - 1.0
        scores = masks[:, :1] + (signs[:, 1] * signs[:, 2] + signs[:, 3] * signs[:, 4])[:, None]
        table = ScoreTable(
            masks,
            scores,
            ("y",),
            counts=drawn.counts.numpy(),
            design=drawn.design,
            paired=drawn.paired,
        )
        fits += Lasso().fit([table])
    values = np.stack([fit.values[:, 0] for fit in fits])
    believed = np.sqrt(np.mean([np.square(fit.std_errors[:, 0]) for fit in fits], axis=0))
    assert (values.std(axis=0) < 1.3 * believed).all()
