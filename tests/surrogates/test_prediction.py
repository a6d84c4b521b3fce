"""What the scores paid for let expect of masks that were never asked about."""

import numpy as np
import pytest

from perturbx.exceptions import SurrogateError
from perturbx.explanation import Explanation
from perturbx.score_table import ScoreTable
from perturbx.surrogates.game_gp.prediction import predict_scores
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
    masks = np.random.default_rng(1).random((30, 10)) < 0.5
    slopes = np.arange(10.0)[:, None]
    table = ScoreTable(masks, masks @ slopes + 3.0, ("y",))
    new = np.random.default_rng(2).random((50, 10)) < 0.5
    np.testing.assert_allclose(predict_scores(table, new), new @ slopes + 3.0, atol=0.3)


def test_an_output_that_never_changes_is_expected_to_stay():
    masks = np.random.default_rng(1).random((20, 6)) < 0.5
    table = ScoreTable(masks, np.full((20, 1), 5.0), ("y",))
    np.testing.assert_allclose(predict_scores(table, masks[:3]), 5.0)


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


def test_what_cannot_be_is_named():
    table, _ = table_of(5, 20)
    with pytest.raises(SurrogateError, match="masks"):
        predict_scores(table, np.ones((2, 4), bool))
    with pytest.raises(SurrogateError, match="at least 4"):
        predict_scores(table.rows(slice(0, 3)), np.ones((2, 5), bool))
