"""What the scores paid for let expect of masks that were never asked about."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from perturbx.exceptions import SurrogateError
from perturbx.explanation import Explanation
from perturbx.score_table import ScoreTable
from perturbx.surrogates.game_gp.prediction import AT_ONCE, predict_scores
from perturbx.units import as_segmenter


def table_of(n_units, n_rows, seed=0):
    """A smooth game of two outputs with interactions, at random masks."""
    draw = np.random.default_rng(seed)
    slopes = draw.normal(size=(n_units, 2))
    masks = np.unique(draw.random((n_rows, n_units)) < 0.5, axis=0)

    def game(own):
        return np.tanh(own @ slopes) + own[:, :1] * own[:, 1:2]

    return ScoreTable(masks, game(masks), ("a", "b")), game


@pytest.mark.parametrize("seed", range(4))
def test_it_knows_more_than_a_line(seed):
    table, game = table_of(9, 90, seed)
    new = np.random.default_rng(seed + 100).random((200, 9)) < 0.5
    off = predict_scores(table, new) - game(new)
    design = np.concatenate([table.masks, np.ones((len(table), 1))], axis=1)
    line, *_ = np.linalg.lstsq(design, table.scores, rcond=None)
    of_line = np.concatenate([new, np.ones((len(new), 1))], axis=1) @ line - game(new)
    assert np.square(off).sum() < 0.6 * np.square(of_line).sum()


def test_it_is_near_the_scores_that_are_known():
    table, _ = table_of(8, 100)
    near = predict_scores(table, table.masks)
    assert np.abs(near - table.scores).max() < 0.1 * np.ptp(table.scores)


def test_an_additive_game_is_known_from_few_rows():
    masks = np.unique(np.random.default_rng(1).random((30, 10)) < 0.5, axis=0)
    slopes = np.arange(10.0)[:, None]
    table = ScoreTable(masks, masks @ slopes + 3.0, ("y",))
    new = np.random.default_rng(2).random((50, 10)) < 0.5
    np.testing.assert_allclose(predict_scores(table, new), new @ slopes + 3.0, atol=0.3)


def test_an_output_that_never_changes_is_expected_to_stay():
    masks = np.unique(np.random.default_rng(1).random((20, 6)) < 0.5, axis=0)
    table = ScoreTable(masks, np.full((len(masks), 1), 5.0), ("y",))
    np.testing.assert_allclose(predict_scores(table, masks[:3]), 5.0)


@pytest.mark.parametrize("scale", [1e-170, 1e160])
def test_scores_whose_squares_are_no_numbers_are_predicted_like_others(scale):
    table, _ = table_of(8, 60)
    new = ~table.masks[:20]
    other = ScoreTable(table.masks, table.scores * [scale, 1.0], table.output_names)
    found = predict_scores(other, new) / [scale, 1.0]
    np.testing.assert_allclose(found, predict_scores(table, new), atol=1e-6)


def test_an_explanation_predicts_on_its_own_scale():
    units = as_segmenter("words")("a b c d e f g h")
    table, game = table_of(8, 80)
    table = ScoreTable(table.masks, 1 / (1 + np.exp(-table.scores)), ("a", "b"), units=units)
    ends = np.array([[False] * 8, [True] * 8])
    whole = np.concatenate([table.masks, ends])
    scores = 1 / (1 + np.exp(-game(whole)))
    table = ScoreTable(*_distinct(whole, scores), ("a", "b"), units=units)
    found = Explanation.from_table(table, "banzhaf_gp", link="log_odds", outputs=["b"])
    new = np.random.default_rng(5).random((40, 8)) < 0.5
    predicted = found.predict(new)
    assert predicted.shape == (40, 1)
    assert np.corrcoef(predicted[:, 0], game(new)[:, 1])[0, 1] > 0.95


def _distinct(masks, scores):
    _, first = np.unique(masks, axis=0, return_index=True)
    return masks[first], scores[first]


class Largest(TorchDispatchMode):
    """Remembers the size of the largest tensor that any operation gave."""

    size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        given = [x.numel() for x in tree_leaves(found) if isinstance(x, torch.Tensor)]
        self.size = max([self.size, *given])
        return found


def test_many_masks_take_no_more_memory_and_are_as_if_one_by_one():
    table, _ = table_of(9, 60)
    new = np.random.default_rng(5).random((4 * AT_ONCE + 7, 9)) < 0.5
    with Largest() as of_many:
        whole = predict_scores(table, new)
    with Largest() as of_some:
        some = predict_scores(table, new[:AT_ONCE])
    assert of_many.size == of_some.size
    np.testing.assert_allclose(whole[:AT_ONCE], some, atol=1e-9)
    few = np.concatenate([predict_scores(table, new[-k:][:1]) for k in (9, 8, 2, 1)])
    np.testing.assert_allclose(whole[[-9, -8, -2, -1]], few, atol=1e-9)
    assert predict_scores(table, new[:0]).shape == (0, 2)
    new.flags.writeable = False
    np.testing.assert_allclose(predict_scores(table, new[::-1]), whole[::-1], atol=1e-9)


def test_what_cannot_be_is_named():
    table, _ = table_of(5, 20)
    with pytest.raises(SurrogateError, match="masks"):
        predict_scores(table, np.ones((2, 4), bool))
    with pytest.raises(SurrogateError, match="at least 4"):
        predict_scores(table.rows(slice(0, 3)), np.ones((2, 5), bool))
