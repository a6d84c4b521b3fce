"""Each explainer against the library it follows, and against itself by another way."""

import sys

import numpy as np
import pytest

import perturbx as px
from perturbx.exceptions import ArgumentError
from perturbx.surrogates.feature_selection import SELECTIONS

TEXT = "the plot is thin but the acting is truly superb and moving"


def score(text):
    words = text.split()
    x = 2 * ("superb" in words) - 1.5 * ("thin" in words) + 0.2 * words.count("the")
    x += ("truly" in words) * ("superb" in words) - ("plot" in words) * ("acting" in words)
    p = 1 / (1 + np.exp(-x))
    return [1 - p, p]


def model(texts):
    return np.array([score(text) for text in texts])


class TestLimeText:
    def test_it_perturbs_and_fits_as_lime_does(self):
        from lime.lime_text import LimeTextExplainer

        seen = []

        def recorded(texts):
            seen.append(list(texts))
            return model(texts)

        theirs = LimeTextExplainer(random_state=0).explain_instance(
            TEXT, recorded, labels=(1,), num_features=10, num_samples=5_000
        )
        ours = px.LimeExplainer(model, method="lime_text", random_state=0).explain([TEXT])[0]
        # Other random numbers, the same law: both are near the limit of many samples.
        expected = dict(theirs.as_list(label=1))
        found = {label: value for label, value in ours.as_list(1) if value != 0}
        assert len(found) == 10
        shared = found.keys() & expected.keys()
        assert len(shared) >= 8
        for word in shared:
            assert found[word] == pytest.approx(expected[word], abs=0.03)
        assert ours.units.n_units == len(set(TEXT.split()))
        assert ours.table.counts.sum() == 5_000
        asked = {units_text for batch in seen for units_text in batch}
        assert ours.n_calls <= 2**ours.units.n_units
        assert len(asked) <= 5_000

    def test_its_variants_are_limes_own_strings(self):
        from lime.lime_text import IndexedString

        text = "No, no -- not (that) again: not that!"
        indexed = IndexedString(text)
        asked = []

        def recorded(texts):
            asked.extend(texts)
            return [len(t) for t in texts]

        (item,) = px.LimeExplainer(recorded, method="lime_text", random_state=0).explain([text])
        theirs = {
            indexed.inverse_removing(np.flatnonzero(~row)) if not row.all() else text
            for row in item.table.masks
        }
        assert set(asked) == theirs

    def test_the_budget_is_the_number_of_draws(self):
        (item,) = px.LimeExplainer(
            model, method="lime_text", budget=300, random_state=0, n_features=4
        ).explain([TEXT])
        assert item.table.counts.sum() == 300
        assert (item.values[:, 1] != 0).sum() == 4


def test_a_missing_extra_is_told_before_any_call(monkeypatch):
    def never(asked):
        raise AssertionError("a call was made")

    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(px.MissingExtraError, match="trees"):
        px.ShapleyExplainer(never, estimator="tree_proxy").explain([TEXT])
    with pytest.raises(px.MissingExtraError, match="trees"):
        px.explain_game(never, 8, estimator="tree_proxy")


@pytest.mark.parametrize("method", ["lime", "glime"])
def test_other_lime_methods_near_limes_own_limit(method):
    few = px.LimeExplainer(model, method=method, budget=400, random_state=0).explain([TEXT])[0]
    assert few.as_list("1")[0][0] == "superb"
    assert few.r2 > 0.5
    assert (few.std_errors > 0).all()


def test_lime_can_keep_the_strongest_units_only():
    (item,) = px.LimeExplainer(model, n_features=3, budget=300, random_state=0).explain([TEXT])
    assert ((item.values != 0).sum(axis=0) == 3).all()
    with pytest.raises(px.ArgumentError, match="n_features"):
        px.LimeExplainer(model, n_features=3, method="glime").explain([TEXT])


@pytest.mark.parametrize("method", ["limit", "lime", "glime", "lime_text"])
def test_a_way_of_selecting_that_means_nothing_is_refused(method):
    for n_features in (None, 3):
        with pytest.raises(px.ArgumentError, match="feature_selection: expected one of"):
            px.LimeExplainer(
                model, method=method, feature_selection="bogus", n_features=n_features
            ).explain([TEXT])
    refuses = {"limit": ["forward_selection", "lasso_path", "none"], "glime": SELECTIONS[1:]}
    for selection in refuses.get(method, []):
        with pytest.raises(px.ArgumentError, match=f"feature_selection: method='{method}'"):
            px.LimeExplainer(model, method=method, feature_selection=selection).explain([TEXT])


def shap_partition(tree, n_units, value):
    """Return what shap's PartitionExplainer says of a game on boolean rows."""
    import shap

    class Masker(shap.maskers.Masker):
        clustering = np.array(
            [
                [*pair, j + 1.0, len(tree.leaves(n_units + j))]
                for j, pair in enumerate(tree.children)
            ]
        )
        shape = (1, n_units)

        def __call__(self, mask, x):
            return (np.asarray(mask, dtype=float).reshape(1, -1),)

        def mask_shapes(self, x):
            return [(n_units,)]

    explainer = shap.explainers.Partition(lambda rows: value(np.asarray(rows) > 0.5), Masker())
    return explainer(np.ones((1, n_units)), max_evals=100_000).values[0]


@pytest.mark.parametrize("shape", ["balanced", "lopsided"])
def test_partition_values_are_those_of_shap(shape):
    n = 9
    rng = np.random.default_rng(0)
    table = rng.normal(size=2**n)

    def value(masks):
        return table[masks @ (1 << np.arange(n))]

    tree = px.Tree.balanced(n)
    if shape == "lopsided":
        tree = px.Tree(n, ((0, 1), *((n + j, j + 2) for j in range(n - 2))))
    theirs = shap_partition(tree, n, value)
    ours = px.explain_game(value, n, estimator="owen", tree=tree, budget=2**n, random_state=0)
    np.testing.assert_allclose(ours.values.ravel(), theirs.ravel(), atol=1e-8)
    np.testing.assert_array_equal(ours.std_errors, 0)


@pytest.mark.parametrize(
    "tree",
    ["auto", "balanced", px.Tree.balanced(12), lambda units: px.Tree.balanced(units.n_units)],
)
def test_a_partition_explainer_takes_trees_of_many_kinds(tree):
    exact = px.PartitionExplainer(model, tree=tree, budget=1_000).explain([TEXT])[0]
    np.testing.assert_allclose(exact.values.sum(axis=0), exact.scores - exact.base_values)
    np.testing.assert_array_equal(exact.std_errors, 0)
    assert exact.units.tree.n_units == 12
    few = px.PartitionExplainer(model, tree=tree, budget=60, random_state=0).explain([TEXT])[0]
    assert few.n_calls <= 60
    assert np.abs(few.values - exact.values).max() < 0.15


def test_a_linkage_is_a_tree_and_a_wrong_one_is_refused():
    from scipy.cluster.hierarchy import linkage

    matrix = linkage(np.arange(12.0)[:, None], "single")
    (item,) = px.PartitionExplainer(model, tree=matrix, budget=1_000).explain([TEXT])
    assert item.units.tree.n_units == 12
    with pytest.raises(px.ArgumentError, match=r"tree: has 5 leaves .* 12 units"):
        px.PartitionExplainer(model, tree=px.Tree.balanced(5)).explain([TEXT])


def test_occlusion_is_the_difference_one_word_makes():
    (item,) = px.OcclusionExplainer(model).explain([TEXT])
    words = TEXT.split()
    for i in range(12):
        rest = " ".join(words[:i] + words[i + 1 :])
        np.testing.assert_allclose(item.values[i], np.subtract(score(TEXT), score(rest)))
    assert item.n_calls <= 14
    with pytest.raises(px.ArgumentError, match="budget"):
        px.OcclusionExplainer(model, budget=9).explain([TEXT])


def test_lasso_leaves_out_what_does_not_matter():
    (item,) = px.LassoExplainer(model, budget=400, random_state=0, outputs=["1"]).explain([TEXT])
    zero = {label for label, value in item.as_list() if value == 0}
    assert "moving" in zero
    assert "superb" not in zero
    assert item.r2 > 0.5
    cv = px.LassoExplainer(model, alpha="cv", budget=400, random_state=0).explain([TEXT])[0]
    assert cv.r2 >= item.r2 - 0.05


def test_banzhaf_values_from_the_masks_of_lasso():
    game = {tuple(row): score_of(row)[1] for row in all_masks(12)}
    exact = np.array(
        [
            np.mean([game[with_unit(row, i, 1)] - game[with_unit(row, i, 0)] for row in game])
            for i in range(12)
        ]
    )
    (item,) = px.LassoExplainer(model, budget=1_500, random_state=0, outputs=["1"]).explain([TEXT])
    banzhaf = item.refit("banzhaf")
    error = np.abs(banzhaf.values.ravel() - exact)
    assert (error < 4 * banzhaf.std_errors.ravel() + 1e-9).all()


def all_masks(n):
    return [tuple(int(i >> k & 1) for k in range(n)) for i in range(2**n)]


def score_of(row):
    return score(" ".join(w for w, keep in zip(TEXT.split(), row, strict=True) if keep))


def with_unit(row, i, value):
    return (*row[:i], value, *row[i + 1 :])


@pytest.mark.parametrize(
    ("explainer", "options"),
    [
        ("lasso", {}),
        ("lime", {"method": "lime"}),
        ("lime", {"method": "glime"}),
        ("lime", {"method": "lime_text"}),
    ],
)
def test_too_few_calls_for_a_line_are_told_before_any(explainer, options):
    asked = []

    def model(texts):
        asked.extend(texts)
        return [[float(len(text))] for text in texts]

    with pytest.raises(ArgumentError, match="budget: a line takes at least 4 calls; got 3"):
        px.explain(model, ["so good"], explainer=explainer, budget=3, random_state=0, **options)
    assert not asked
    with pytest.raises(ArgumentError, match="at least 4 calls"):
        px.explain_game(lambda masks: masks.sum(1), 5, budget=3, estimator="banzhaf")
