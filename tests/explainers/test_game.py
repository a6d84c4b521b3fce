"""`explain_game`: estimators against games whose answer is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import perturbx as px

SHAPLEY = ["auto", "exact", "odd_gp", "leverage", "kernel", "permutation"]


class Quadratic:
    """v(S) = a·x + x·B·x: its Shapley values are a + the row sums of the symmetric B."""

    def __init__(self, n, seed, n_outputs=1):
        rng = np.random.default_rng(seed)
        self.a = rng.normal(size=(n, n_outputs))
        b = np.triu(rng.normal(size=(n_outputs, n, n)), 1)
        self.b = (b + b.transpose(0, 2, 1)) / 2
        self.values = self.a + self.b.sum(axis=2).T

    def __call__(self, masks):
        x = masks.astype(float)
        return x @ self.a + np.einsum("mi,oij,mj->mo", x, self.b, x)


@pytest.mark.filterwarnings("ignore::perturbx.exceptions.PoorFitWarning")
@pytest.mark.parametrize("estimator", SHAPLEY)
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_pairs_halve_a_quadratic_game_exactly(estimator, n_outputs):
    # Odd-part designs see pairwise interactions without error (antithetic chains, too).
    game = Quadratic(7, seed=1, n_outputs=n_outputs)
    found = px.explain_game(game, 7, estimator=estimator, budget=2**7, random_state=0)
    atol = 0.3 if estimator == "kernel" else 1e-8
    np.testing.assert_allclose(found.values, game.values, atol=atol)
    assert found.n_calls <= 2**7


@pytest.mark.filterwarnings("ignore::perturbx.exceptions.PoorFitWarning")
@pytest.mark.parametrize("estimator", ["odd_gp", "leverage", "kernel", "permutation"])
def test_more_calls_bring_the_answer_nearer(estimator):
    rng = np.random.default_rng(5)
    table = rng.normal(size=2**10)

    def game(masks):
        return masks.sum(axis=1) + 0.3 * table[masks @ (1 << np.arange(10))]

    exact = px.explain_game(game, 10, estimator="exact").values

    def error(budget):
        return np.mean(
            [
                np.sum(
                    (
                        px.explain_game(
                            game, 10, estimator=estimator, budget=budget, random_state=seed
                        ).values
                        - exact
                    )
                    ** 2
                )
                for seed in range(8)
            ]
        )

    assert error(800) < 0.5 * error(100)
    if estimator == "leverage":
        np.testing.assert_allclose(
            px.explain_game(game, 10, estimator=estimator, budget=1024).values, exact, atol=1e-8
        )


@pytest.mark.filterwarnings("ignore::perturbx.exceptions.PoorFitWarning")
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 9), estimator=st.sampled_from(SHAPLEY))
def test_efficiency_symmetry_and_null_units(seed, n, estimator):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=n)
    weights[: min(2, n)] = 0.7  # players 0 and 1 are twins
    if n > 2:
        weights[2] = 0  # player 2 counts for nothing

    def game(masks):
        return np.tanh(masks @ weights)

    found = px.explain_game(game, n, estimator=estimator, budget=2**n, random_state=seed)
    whole, none = game(np.ones((1, n), bool))[0], game(np.zeros((1, n), bool))[0]
    np.testing.assert_allclose(found.values.sum(), whole - none, atol=1e-9)
    np.testing.assert_allclose(found.base_values, none, atol=1e-9)
    if estimator in ("exact", "auto", "odd_gp", "leverage"):
        if n > 1:
            np.testing.assert_allclose(found.values[0], found.values[1], atol=1e-8)
        if n > 2:
            np.testing.assert_allclose(found.values[2], 0, atol=1e-8)


@pytest.mark.parametrize("estimator", ["owen", "banzhaf", "lasso", "leave_one_out", *SHAPLEY])
def test_a_seed_reproduces_and_masks_are_distinct(estimator):
    seen = []

    def game(masks):
        seen.append(masks.copy())
        return masks @ np.arange(1.0, 9.0)

    one, two = (px.explain_game(game, 8, estimator=estimator, random_state=3) for _ in range(2))
    np.testing.assert_array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(one.values, two.values)
    assert len(np.unique(seen[0], axis=0)) == len(seen[0])
    tolerance = {"lasso": 0.1, "auto": 0.01, "odd_gp": 0.01}.get(estimator, 1e-8)
    np.testing.assert_allclose(one.values.ravel(), np.arange(1, 9), atol=tolerance)


def test_a_tree_keeps_its_groups_together():
    # Two left gloves in one group, the right glove alone: the group first bargains as one.
    def gloves(masks):
        return (masks[:, 0] | masks[:, 1]) & masks[:, 2]

    tree = px.Tree(3, ((0, 1), (3, 2)))
    owen = px.explain_game(gloves, 3, estimator="owen", tree=tree, budget=8)
    np.testing.assert_allclose(owen.values.ravel(), [0.25, 0.25, 0.5])
    shapley = px.explain_game(gloves, 3, estimator="exact")
    np.testing.assert_allclose(shapley.values.ravel(), [1 / 6, 1 / 6, 2 / 3])


def test_no_players_and_one_player():
    none = px.explain_game(lambda masks: np.full(len(masks), 5.0), 0)
    assert none.values.shape == (0, 1)
    assert none.base_values == [5]
    one = px.explain_game(lambda masks: masks[:, 0] * 3.0 + 1, 1)
    assert (one.values.item(), one.base_values.item(), one.n_calls) == (3, 1, 2)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"n_units": -1}, "n_units"),
        ({"n_units": 2.5}, "n_units"),
        ({"estimator": "guess"}, "estimator"),
        ({"budget": 0}, "budget"),
        ({"budget": 5}, "budget"),
        ({"estimator": "exact", "budget": 100}, "budget"),
        ({"estimator": "exact", "n_units": 40}, "estimator"),
        ({"random_state": "x"}, "random_state"),
        ({"estimator": "owen", "tree": px.Tree(2, ((0, 1),))}, "tree"),
        ({"tree": "x"}, "tree"),
    ],
)
def test_bad_arguments_are_named(arguments, name):
    options = {"n_units": 8, **arguments}
    with pytest.raises(px.ArgumentError, match=f"^{name}"):
        px.explain_game(lambda masks: masks.sum(1), **options)


@pytest.mark.parametrize("seed", [2**64, 2**70, -(2**63) - 1, -1])
def test_any_whole_number_is_a_seed(seed):
    one, two = (
        px.explain_game(lambda m: m.sum(1), 9, budget=20, random_state=seed) for _ in range(2)
    )
    np.testing.assert_array_equal(one.values, two.values)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda masks: masks.sum(1)[:-1], "shape"),
        (lambda masks: np.full(len(masks), np.nan), "nan"),
        (lambda masks: ["a"] * len(masks), "no number"),
        (lambda masks: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_value_function_that_fails_is_told_so(answer, words):
    with pytest.raises(px.ScoringError, match=words):
        px.explain_game(answer, 8)


def noisy(masks):
    values = masks @ np.arange(1.0, masks.shape[1] + 1)
    return values, np.full(len(masks), 0.25)


def test_variances_widen_the_errors():
    sharp = px.explain_game(lambda masks: noisy(masks)[0], 9, random_state=0)
    wide = px.explain_game(noisy, 9, random_state=0)
    assert (wide.std_errors > sharp.std_errors).all()
    exact = px.explain_game(noisy, 6, estimator="exact")
    # The variance of a weighted sum: Σ weight² times the variance of every value.
    weights = [math.factorial(s) * math.factorial(5 - s) / math.factorial(6) for s in range(6)]
    variance = sum(2 * math.comb(5, s) * w**2 * 0.25 for s, w in enumerate(weights))
    np.testing.assert_allclose(exact.std_errors, np.sqrt(variance))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda masks: (masks.sum(1), masks.sum(1), masks.sum(1)), "tuple of 3"),
        (lambda masks: (masks.sum(1), -1.0 * masks.sum(1)), "variance is at least 0"),
        (lambda masks: (masks.sum(1), masks.sum(1)[:-1]), "variances"),
        (lambda masks: (masks.sum(1), np.full(len(masks), np.nan)), "variances.*nan"),
        (lambda masks: (masks.sum(1), masks[:, :3] * 1.0), "variances.*3 outputs"),
        (lambda masks: (masks.sum(1)[:-1], masks.sum(1)), "values"),
        (lambda masks: (masks.sum(1), None), "variances"),
    ],
)
def test_variances_that_cannot_be_are_told_so(answer, words):
    with pytest.raises(px.ScoringError, match=f"value_function.*{words}"):
        px.explain_game(answer, 8)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (lambda masks: 1 / 0, "ZeroDivisionError"),
        (lambda masks: (masks.sum(1), masks.sum(1)), "variances in one round"),
        (lambda masks: masks[:, :2] * 1.0, "2 outputs where 1"),
    ],
)
def test_a_later_round_that_fails_keeps_the_ones_before(second, words):
    rng = np.random.default_rng(0)
    answers = iter([lambda masks: rng.normal(size=len(masks)), second])
    with pytest.raises(px.ScoringError, match=words) as caught:
        px.explain_game(lambda masks: next(answers)(masks), 9, random_state=0)
    (table,) = caught.value.tables
    assert len(table) == 26
