"""Outputs that are each other's mirror image are fitted once."""

import numpy as np
import pytest
import torch

from perturbx.coalitions import OddPairs, PlayerCount
from perturbx.score_table import ScoreTable
from perturbx.surrogates import BanzhafGP, LimeLimit, OddGP
from perturbx.surrogates.gaussian.mirrors import Mirrors


def table(seed=0, noisy=False, n_units=9):
    """Three classes' scores: the second falls as the first rises, the third is its own."""
    rng = np.random.default_rng(seed)
    drawn = OddPairs().sample(PlayerCount(n_units), 40, torch.Generator().manual_seed(seed))
    masks = drawn.masks.numpy()
    one, own = (1 / (1 + np.exp(-(2 * masks - 1) @ rng.normal(size=n_units))) for _ in range(2))
    scores = np.column_stack([one, 1.0 - one, own])
    variances = np.tile(rng.exponential(0.01, (len(masks), 1)), 3) if noisy else None
    return ScoreTable(masks, scores, ("a", "b", "c"), variances=variances, paired=True)


@pytest.mark.parametrize("surrogate", [OddGP(), LimeLimit(), BanzhafGP()], ids=lambda s: s.name)
@pytest.mark.parametrize("noisy", [False, True])
def test_both_are_what_each_would_be_alone(surrogate, noisy):
    whole = table(noisy=noisy)
    (together,) = surrogate.fit([whole])
    for output, name in enumerate(whole.output_names):
        (alone,) = surrogate.fit([whole.select([name])])
        for of in ("values", "std_errors"):
            found, expected = getattr(together, of)[:, output], getattr(alone, of)[:, 0]
            np.testing.assert_allclose(found, expected, atol=1e-9)
        np.testing.assert_allclose(together.base_values[output], alone.base_values[0], atol=1e-9)
        np.testing.assert_allclose(together.covariance[output], alone.covariance[0], atol=1e-9)
        np.testing.assert_allclose(together.r2_by_output[output], alone.r2_by_output[0], atol=1e-9)


def test_only_what_is_alike_in_every_text_and_in_its_noise_is_fitted_once():
    values = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 5, 1)))
    both = torch.cat([values, -values], dim=2)
    none = torch.zeros_like(both)
    assert Mirrors.of(both, none).kept.tolist() == [0]
    elsewhere = both.clone()
    elsewhere[1, 2, 1] += 0.1
    assert Mirrors.of(elsewhere, none).kept.tolist() == [0, 1]
    louder = none.clone()
    louder[0, 0, 1] = 0.1
    assert Mirrors.of(both, louder).kept.tolist() == [0, 1]
