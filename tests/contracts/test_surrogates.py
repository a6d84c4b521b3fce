"""What every surrogate must obey. To check your own, add it with a table it can read to CASES."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from perturbx.exceptions import PerturbxError, SurrogateError
from perturbx.score_table import ScoreTable
from perturbx.surrogates import (
    Attribution,
    Banzhaf,
    BanzhafGP,
    Evidence,
    ExactShapley,
    ForwardSelection,
    KernelShapley,
    Lasso,
    LeaveOneOut,
    LeverageShapley,
    LimeLimit,
    LimeText,
    OddGP,
    Owen,
    PermutationShapley,
    RidgeSurrogate,
    TreeProxy,
)
from perturbx.typing import Surrogate

EVERY = "every coalition"
PAIRS = "pairs of complements"
DRAWS = "draws with replacement"
WALKS = "walks through balanced trees"

CASES = [
    (ExactShapley(), EVERY),
    (OddGP(), PAIRS),
    (OddGP(), EVERY),
    (LeverageShapley(), PAIRS),
    (KernelShapley(), PAIRS),
    (PermutationShapley(), WALKS),
    (Owen(), EVERY),
    (Owen(), WALKS),
    (Banzhaf(), DRAWS),
    (Banzhaf(), PAIRS),
    (BanzhafGP(), DRAWS),
    (LeaveOneOut(), EVERY),
    (LimeLimit(), DRAWS),
    (LimeLimit(), EVERY),
    (LimeLimit(n_features=2), PAIRS),
    (RidgeSurrogate(), DRAWS),
    (RidgeSurrogate(weights="uniform"), PAIRS),
    (LimeText(n_features=2), DRAWS),
    (ForwardSelection(n_features=2), DRAWS),
    (Lasso(), DRAWS),
    (Lasso("cv"), PAIRS),
    (TreeProxy(), PAIRS),
    (TreeProxy(), EVERY),
    (Evidence(), PAIRS),
    (Evidence(), EVERY),
]


def table_of(kind, n_units, n_outputs, seed):
    """A table of a random, mostly additive game."""
    rng = np.random.default_rng(seed)
    masks = (np.arange(1 << n_units)[:, None] >> np.arange(n_units)) & 1 > 0
    scores = 1.0 + masks @ rng.normal(size=(n_units, n_outputs))
    scores = scores + 0.2 * rng.normal(size=scores.shape)
    full = (1 << n_units) - 1
    counts, walks = None, None
    if kind == EVERY:
        rows = np.arange(1 << n_units)
    elif kind == PAIRS:
        some = rng.permutation(np.arange(1, (full + 1) // 2))[: 2 * n_units]
        rows = np.concatenate([[0, full], some, full - some])
    elif kind == DRAWS:
        draws = np.concatenate([[0, full], rng.integers(0, full + 1, 12 * n_units)])
        rows, counts = np.unique(draws, return_counts=True)
    else:
        orders = [_order(0, n_units, rng) for _ in range(5)]
        both = np.array([part for order in orders for part in (order, order[::-1])])
        steps = np.cumsum(1 << both, axis=1)
        index = np.concatenate([np.zeros((len(both), 1), dtype=int), steps], axis=1)
        rows, found = np.unique(index, return_inverse=True)
        walks = found.reshape(index.shape)
    more = {} if counts is None else {"counts": counts}
    return ScoreTable(
        masks[rows],
        scores[rows],
        tuple(f"y{i}" for i in range(n_outputs)),
        walks=walks,
        design="custom",
        paired=kind in (EVERY, PAIRS, WALKS),
        **more,
    )


def _order(start, stop, rng):
    """A random order that keeps the groups of the balanced binary tree together."""
    if stop - start == 1:
        return [start]
    middle = (start + stop + 1) // 2
    halves = [_order(start, middle, rng), _order(middle, stop, rng)]
    return halves[0] + halves[1] if rng.random() < 0.5 else halves[1] + halves[0]


def label(value):
    return value if isinstance(value, str) else str(value)


def equal(one, other, tolerance):
    for field in ("values", "base_values", "std_errors", "covariance", "r2_by_output"):
        a, b = getattr(one, field), getattr(other, field)
        assert (a is None) == (b is None), field
        if a is not None:
            np.testing.assert_allclose(a, b, atol=tolerance, rtol=tolerance, err_msg=field)
    for field in ("r2", "additivity"):
        a, b = getattr(one, field), getattr(other, field)
        assert (a is None) == (b is None), field
        assert a is None or abs(a - b) <= tolerance, field
    assert (one.method, one.n_calls) == (other.method, other.n_calls)


pytestmark = pytest.mark.parametrize(("surrogate", "kind"), CASES, ids=label)


def test_it_keeps_the_protocol(surrogate, kind):
    assert isinstance(surrogate, Surrogate)
    assert surrogate.fit([]) == []
    assert pickle.loads(pickle.dumps(surrogate)) == surrogate
    table = table_of(kind, 4, 3, 0)
    (attribution,) = surrogate.fit([table])
    assert isinstance(attribution, Attribution)
    assert attribution.values.shape == attribution.std_errors.shape == (4, 3)
    assert attribution.base_values.shape == (3,)
    assert attribution.method == surrogate.name
    assert attribution.n_calls == table.n_calls
    assert np.isfinite(attribution.values).all()
    assert (attribution.std_errors >= 0).all()
    assert np.isfinite(attribution.std_errors).all()
    if attribution.covariance is not None:
        assert attribution.covariance.shape == (3, 4, 4)
        diagonal = np.diagonal(attribution.covariance, axis1=1, axis2=2).T
        np.testing.assert_allclose(np.sqrt(np.maximum(diagonal, 0)), attribution.std_errors)
    assert attribution.r2 is None or attribution.r2 <= 1.0
    assert (attribution.r2 is None) == (attribution.r2_by_output is None)
    assert attribution.additivity is None or 0.0 <= attribution.additivity <= 1.0


def test_a_batch_gives_what_one_by_one_gives(surrogate, kind):
    shapes = [(4, 2), (5, 2), (4, 2), (4, 1), (5, 2), (3, 2)]
    tables = [table_of(kind, n, k, seed) for seed, (n, k) in enumerate(shapes)]
    batch = surrogate.fit(tables)
    assert len(batch) == len(tables)
    for table, together in zip(tables, batch, strict=True):
        equal(together, surrogate.fit([table])[0], 1e-10)


def test_it_reads_and_does_not_write(surrogate, kind):
    table = table_of(kind, 4, 2, 0)
    before = pickle.dumps((table.masks, table.scores, table.counts, table.walks))
    (attribution,) = surrogate.fit([table])
    attribution.base_values[:] = -1.0
    attribution.values[:] = -1.0
    assert pickle.dumps((table.masks, table.scores, table.counts, table.walks)) == before


def test_fits_are_repeatable(surrogate, kind):
    table = table_of(kind, 5, 2, 3)
    equal(surrogate.fit([table])[0], surrogate.fit([table])[0], 0.0)


def test_outputs_do_not_touch_each_other(surrogate, kind):
    table = table_of(kind, 5, 3, 1)
    (whole,) = surrogate.fit([table])
    (part,) = surrogate.fit([table.select(["y2", "y0"])])
    np.testing.assert_allclose(part.values, whole.values[:, [2, 0]], atol=1e-9)
    np.testing.assert_allclose(part.std_errors, whole.std_errors[:, [2, 0]], atol=1e-8)


def test_an_offset_moves_the_base_only(surrogate, kind):
    table = table_of(kind, 4, 2, 2)
    (one,) = surrogate.fit([table])
    (other,) = surrogate.fit([replace(table, scores=table.scores + 1000.0)])
    np.testing.assert_allclose(other.values, one.values, atol=1e-8)
    np.testing.assert_allclose(other.base_values, one.base_values + 1000.0, atol=1e-8)
    np.testing.assert_allclose(other.std_errors, one.std_errors, atol=1e-7)


@pytest.mark.parametrize("powers", [[-990, -990], [-400, -400], [700, 700], [0, -600], [650, 0]])
def test_scores_of_any_size_are_explained_alike(surrogate, kind, powers):
    """A response of 400 nats has the probability 2 ** -577, whose square is no number."""
    table = table_of(kind, 4, 2, 2)
    if surrogate.name == "lasso":  # its penalty is a number in the score's own units
        (small,) = surrogate.fit([replace(table, scores=np.ldexp(table.scores, -60))])
        scale = 2.0**-60 if surrogate.alpha == "cv" else 0.0
        expected = scale * surrogate.fit([table])[0].values
        np.testing.assert_allclose(small.values, expected, rtol=1e-6, atol=1e-30)
        return
    sized = replace(table, scores=np.ldexp(table.scores, powers))
    if powers[0] == -400:
        table = replace(table, variances=np.full(table.scores.shape, 1e-4))
        sized = replace(sized, variances=np.ldexp(table.variances, -800))
    one, other = surrogate.fit([table])[0], surrogate.fit([sized])[0]
    for field in ("values", "base_values", "std_errors"):
        found = np.ldexp(getattr(other, field), -np.array(powers))
        np.testing.assert_allclose(found, getattr(one, field), rtol=1e-6, atol=1e-12)
    # Of outputs that differ so much, the large one is all that counts in common measures.
    (large,) = surrogate.fit([table if powers[0] == powers[1] else table.select("y0")])
    assert other.additivity == pytest.approx(large.additivity)
    assert other.r2 == (None if large.r2 is None else pytest.approx(large.r2))
    top, same = one.top_k(2), other.top_k(2)
    np.testing.assert_array_equal(same.units, top.units)
    # Without a covariance, which is no number here, errors count as independent.
    np.testing.assert_allclose(same.probability, top.probability, atol=0.35)


def test_no_units(surrogate, kind):
    table = ScoreTable(np.zeros((1, 0), dtype=bool), np.array([[0.3, 0.7]]), ("a", "b"))
    (attribution,) = surrogate.fit([table])
    assert attribution.values.shape == attribution.std_errors.shape == (0, 2)
    np.testing.assert_array_equal(attribution.base_values, [0.3, 0.7])
    assert attribution.r2 is None


def test_one_unit_gets_what_the_text_adds_to_nothing(surrogate, kind):
    table = ScoreTable(np.array([[True], [False]]), np.array([[3.0], [1.0]]), ("a",))
    (attribution,) = surrogate.fit([table])
    assert attribution.r2 is None
    np.testing.assert_array_equal(attribution.std_errors, 0.0)
    if surrogate.name == "lime_text":
        # lime regresses here, too, so its value is shrunk.
        assert 0.0 < attribution.values[0, 0] < 2.0
    else:
        np.testing.assert_array_equal(attribution.values, [[2.0]])
        np.testing.assert_array_equal(attribution.base_values, [1.0])
    with pytest.raises(SurrogateError, match="was not scored"):
        surrogate.fit([table.rows([0])])


def test_two_units_from_all_four_coalitions(surrogate, kind):
    masks = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=bool)
    walks = np.array([[0, 1, 3], [0, 2, 3]])
    scores = np.array([[0.0], [2.0], [1.0], [3.0]])
    table = ScoreTable(masks, scores, ("a",), walks=walks, exhaustive=True, paired=True)
    (attribution,) = surrogate.fit([table])
    assert attribution.r2 is None
    if surrogate.name == "ridge":  # its errors are what the penalty takes from the values
        assert (np.abs(attribution.values - [[2.0], [1.0]]) <= 1.1 * attribution.std_errors).all()
        return
    np.testing.assert_allclose(attribution.std_errors, 0.0, atol=1e-9)
    if surrogate.name not in ("lime_text", "lasso"):
        np.testing.assert_allclose(attribution.values, [[2.0], [1.0]], atol=1e-9)
        np.testing.assert_allclose(attribution.base_values, 0.0, atol=1e-9)


def test_tables_without_rows_or_with_broken_scores_are_refused(surrogate, kind):
    table = table_of(kind, 4, 2, 0)
    with pytest.raises(SurrogateError, match=r"tables\[0\].*no rows"):
        surrogate.fit([table.rows([])])
    scores = table.scores.copy()
    scores[2, 1] = np.nan
    with pytest.raises(SurrogateError, match=r"tables\[1\].*1 of .* not finite"):
        surrogate.fit([table, replace(table, scores=scores)])


def test_part_of_a_table_is_fitted_or_refused_with_a_reason(surrogate, kind):
    table = table_of(kind, 4, 1, 0)
    refusals = []
    for length in range(1, len(table)):
        try:
            (attribution,) = surrogate.fit([table.rows(np.arange(length))])
        except PerturbxError as error:
            refusals.append(str(error))
        else:
            assert np.isfinite(attribution.values).all()
            assert np.isfinite(attribution.std_errors).all()
    for refusal in refusals:
        assert f"{surrogate.name} needs" in refusal
