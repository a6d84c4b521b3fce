"""LIME to the letter, forward selection and the lasso: against the originals."""

from dataclasses import replace

import numpy as np
import pytest
import sklearn.linear_model
from hypothesis import given, settings
from hypothesis import strategies as st
from lime.lime_text import IndexedString, LimeTextExplainer

from perturbx.exceptions import ArgumentError, SurrogateError
from perturbx.score_table import ScoreTable
from perturbx.surrogates import ForwardSelection, Lasso, LimeText
from perturbx.surrogates.feature_selection import forward_selection, select

TEXT = "the plot was thin but nobody could deny that its lead gave a truly great performance"
WORDS = {"thin": -0.8, "great": 1.2, "truly": 0.4, "deny": -0.3, "but": -0.2, "lead": 0.25}


def opinion(texts):
    """Two outputs that words and some pairs of words move."""
    logits = []
    for text in texts:
        words = text.split()
        logit = sum(WORDS.get(word, 0.01 * len(word)) for word in words)
        logit += 0.7 * ("truly" in words and "great" in words) - 0.5 * ("but" in words) * len(words)
        logits.append(logit / 4)
    positive = 1 / (1 + np.exp(-np.array(logits)))
    return np.stack([1 - positive, positive**2], axis=1)


@pytest.fixture(scope="module")
def lime_samples():
    """lime's own 5,000 samples of one text, as it hands them to its regression."""
    explainer = LimeTextExplainer(random_state=0)
    return explainer._LimeTextExplainer__data_labels_distances(IndexedString(TEXT), opinion, 5000)


@pytest.fixture(scope="module")
def lime_table(lime_samples):
    data, labels, _ = lime_samples
    masks, first, counts = np.unique(
        data.astype(bool), axis=0, return_index=True, return_counts=True
    )
    return ScoreTable(masks, labels[first], ("no", "yes"), counts=counts, design="lime")


@pytest.mark.parametrize("n_features", [3, 6, 10, None])
@pytest.mark.parametrize(
    "selection", ["auto", "forward_selection", "highest_weights", "lasso_path", "none"]
)
def test_coefficients_are_limes(lime_samples, lime_table, n_features, selection):
    data, labels, distances = lime_samples
    explainer = LimeTextExplainer(random_state=0)
    surrogate = LimeText(n_features=n_features, feature_selection=selection)
    # One fit to all rows: the refits behind the errors are tested elsewhere.
    values, bases = surrogate.fitter(lime_table)(np.arange(len(lime_table)))
    for output in (0, 1):
        intercept, pairs, _, _ = explainer.base.explain_instance_with_data(
            data, labels, distances, output, n_features or data.shape[1], selection
        )
        expected = np.zeros(data.shape[1])
        for unit, weight in pairs:
            expected[unit] = weight
        np.testing.assert_allclose(values[:, output], expected, atol=1e-6)
        np.testing.assert_allclose(bases[output], intercept, atol=1e-6)


def test_the_whole_explanation_is_limes(lime_table):
    explainer = LimeTextExplainer(random_state=0)
    original = explainer.explain_instance(TEXT, opinion, labels=(0, 1), num_features=6)
    (attribution,) = LimeText(n_features=6).fit([lime_table])
    for output in (0, 1):
        for unit, weight in original.as_map()[output]:
            np.testing.assert_allclose(attribution.values[unit, output], weight, atol=1e-6)
    assert (attribution.values != 0).sum(axis=0).tolist() == [6, 6]
    assert attribution.r2 is not None
    assert 0.5 < attribution.r2 < 1.0


def test_other_kernel_widths_are_limes(lime_samples, lime_table):
    data, labels, distances = lime_samples
    explainer = LimeTextExplainer(kernel_width=10, random_state=0)
    intercept, pairs, _, _ = explainer.base.explain_instance_with_data(
        data, labels, distances, 1, 5
    )
    values, bases = LimeText(5, kernel_width=10.0).fitter(lime_table)(np.arange(len(lime_table)))
    for unit, weight in pairs:
        np.testing.assert_allclose(values[unit, 1], weight, atol=1e-6)
    np.testing.assert_allclose(bases[1], intercept, atol=1e-6)


def test_one_word_is_shrunk_as_in_lime():
    explainer = LimeTextExplainer(random_state=0)

    def has_text(texts):
        return np.array([[1.0 - bool(text), float(bool(text))] for text in texts])

    original = explainer.explain_instance("word", has_text, labels=(1,))
    table = ScoreTable(
        np.array([[True], [False]]),
        has_text(["word", ""]),
        ("no", "yes"),
        counts=np.array([1, 4999]),
    )
    (attribution,) = LimeText().fit([table])
    np.testing.assert_allclose(attribution.values[0, 1], dict(original.as_map()[1])[0], atol=1e-6)
    assert attribution.r2 is None


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), n_features=st.integers(1, 6))
def test_forward_selection_is_what_refitting_every_candidate_gives(seed, n_features):
    rng = np.random.default_rng(seed)
    columns = rng.integers(0, 2, (40, 6)).astype(float)
    target = columns @ rng.normal(size=6) + rng.normal(size=40)
    weights = rng.uniform(0.1, 2.0, 40)
    chosen = []
    for _ in range(n_features):
        left = [j for j in range(6) if j not in chosen]
        fits = [
            sklearn.linear_model.LinearRegression()
            .fit(columns[:, [*chosen, j]], target, weights)
            .score(columns[:, [*chosen, j]], target, weights)
            for j in left
        ]
        chosen.append(left[int(np.argmax(fits))])
    found = forward_selection(columns, target, weights, n_features)
    assert found.tolist() == chosen


def test_equal_candidates_are_taken_in_order():
    columns = np.array([[0, 0, 1], [1, 1, 0], [0, 0, 0], [1, 1, 1]], dtype=float)
    target = columns[:, 0] * 2.0
    # Unit 1 is the copy of unit 0, and nothing is left to explain after the first.
    assert forward_selection(columns, target, np.ones(4), 3).tolist() == [0, 1, 2]
    constant = np.zeros(4)
    for selection in ("forward_selection", "highest_weights"):
        assert select(columns, constant, np.ones(4), 2, selection).tolist() == [0, 1]


def test_forward_selection_is_least_squares_on_its_units(lab):
    table = lab.uniform(lab.smooth_scores(8, 1, 0), 60, 0)
    (attribution,) = ForwardSelection(n_features=3).fit([table])
    chosen = np.flatnonzero(attribution.values[:, 0])
    assert len(chosen) == 3
    model = sklearn.linear_model.LinearRegression()
    model.fit(table.masks[:, chosen].astype(float), table.scores[:, 0], table.counts)
    np.testing.assert_allclose(attribution.values[chosen, 0], model.coef_, atol=1e-9)
    np.testing.assert_allclose(attribution.base_values, model.intercept_, atol=1e-9)


@pytest.mark.parametrize("alpha", [0.01, 0.3])
def test_the_lasso_is_sklearns_on_standardised_masks_row_by_row(lab, alpha):
    table = lab.uniform(lab.smooth_scores(6, 2, 3), 80, 3)
    rows = np.repeat(np.arange(len(table)), table.counts)
    scaler = sklearn.preprocessing.StandardScaler()
    columns = scaler.fit_transform(table.masks[rows].astype(float))
    (attribution,) = Lasso(alpha).fit([table])
    for output in (0, 1):
        model = sklearn.linear_model.Lasso(alpha, tol=1e-10)
        model.fit(columns, table.scores[rows, output])
        slopes = model.coef_ / scaler.scale_
        np.testing.assert_allclose(attribution.values[:, output], slopes, atol=1e-6)
        base = model.intercept_ - scaler.mean_ @ slopes
        np.testing.assert_allclose(attribution.base_values[output], base, atol=1e-6)


def test_response_scale_is_context_cites_number_of_tokens(lab):
    table = lab.uniform(lab.smooth_scores(6, 1, 3), 80, 3)
    (attribution,) = Lasso(0.05, response_scale=20.0).fit([table])
    columns = table.masks.astype(float)
    scaler = sklearn.preprocessing.StandardScaler().fit(columns, sample_weight=table.counts)
    model = sklearn.linear_model.Lasso(0.05, tol=1e-10)
    model.fit(scaler.transform(columns), table.scores[:, 0] / 20, sample_weight=table.counts)
    np.testing.assert_allclose(
        attribution.values[:, 0], 20 * model.coef_ / scaler.scale_, atol=1e-6
    )


def test_every_output_may_have_a_response_scale_of_its_own(lab):
    table = lab.uniform(lab.smooth_scores(6, 2, 3), 80, 3)
    (both,) = Lasso(0.05, response_scale=(3.0, 20.0)).fit([table])
    for output, scale in enumerate((3.0, 20.0)):
        (own,) = Lasso(0.05, response_scale=scale).fit([table])
        np.testing.assert_array_equal(both.values[:, output], own.values[:, output])
    with pytest.raises(ArgumentError, match="response_scale: expected one number, or one for each"):
        Lasso(0.05, response_scale=(1.0, 2.0, 3.0)).fit([table])


def test_cross_validation_finds_the_units_that_matter(lab):
    rng = np.random.default_rng(0)
    masks = rng.random((80, 40)) < 0.5
    scores = 2.0 * masks[:, [3]] - masks[:, [7]] + 0.1 * rng.normal(size=(80, 1))
    table = ScoreTable(masks, scores, ("y",), design="uniform")
    (attribution,) = Lasso("cv").fit([table])
    assert set(np.argsort(-np.abs(attribution.values[:, 0]))[:2]) == {3, 7}
    np.testing.assert_allclose(attribution.values[[3, 7], 0], [2.0, -1.0], atol=0.15)
    assert attribution.r2 > 0.95
    scaled = ScoreTable(masks, 1e-9 * scores, ("y",), design="uniform")
    (other,) = Lasso("cv").fit([scaled])
    np.testing.assert_allclose(other.values * 1e9, attribution.values, atol=1e-6)


@pytest.mark.parametrize(
    "surrogate", [LimeText(n_features=3), ForwardSelection(), Lasso()], ids=lambda s: s.name
)
def test_jackknife_errors_are_of_the_size_of_the_spread(lab, surrogate):
    n = 6
    rng = np.random.default_rng(0)
    # Effects far apart, so that the same units are chosen every time.
    scores = lab.all_masks(n) @ np.array([4.0, -2.0, 1.0, 0, 0, 0])[:, None]
    scores = scores + 0.3 * rng.normal(size=scores.shape)
    fits = [surrogate.fit([lab.uniform(scores, 40, seed)])[0] for seed in range(30)]
    spread = np.std([a.values[:3] for a in fits], axis=0)
    claimed = np.sqrt(np.mean([np.square(a.std_errors[:3]) for a in fits], axis=0))
    assert (claimed > 0.5 * spread).all()
    assert (claimed < 3 * spread).all()


@pytest.mark.parametrize("surrogate", [LimeText(), ForwardSelection(n_features=9)], ids=str)
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_known_noise_of_all_coalitions_goes_through_a_linear_fit(lab, surrogate, n):
    if n == 1 and surrogate.name == "forward_selection":
        surrogate = LimeText(feature_selection="none")
    rows = np.arange(1 << n)
    scores = np.stack([np.eye(1 << n)[row] for row in rows], axis=1)
    through, _ = surrogate.fitter(lab.exhaustive(scores))(rows)
    variances = np.random.default_rng(n).uniform(0.1, 2.0, (1 << n, 2))
    table = replace(lab.exhaustive(lab.random_scores(n, 2, 0)), variances=variances)
    (attribution,) = surrogate.fit([table])
    np.testing.assert_allclose(
        attribution.std_errors, np.sqrt(np.square(through) @ variances), rtol=1e-6
    )
    (exact,) = surrogate.fit([replace(table, variances=None)])
    np.testing.assert_array_equal(exact.std_errors, 0.0)


@pytest.mark.parametrize(
    "surrogate", [LimeText(n_features=3), ForwardSelection(3), Lasso(), Lasso("cv")], ids=str
)
def test_errors_of_all_coalitions_are_of_the_size_of_the_noise(lab, surrogate):
    scores = lab.all_masks(5) @ np.array([4.0, -2.0, 1.0, 0, 0])[:, None]
    variances = np.full(scores.shape, 0.09)
    found = []
    for seed in range(30):
        noise = 0.3 * np.random.default_rng(seed).normal(size=scores.shape)
        (attribution,) = surrogate.fit(
            [replace(lab.exhaustive(scores + noise), variances=variances)]
        )
        found.append(attribution)
    spread = np.std([a.values[:3] for a in found], axis=0)
    claimed = np.sqrt(np.mean([np.square(a.std_errors[:3]) for a in found], axis=0))
    np.testing.assert_allclose(claimed, spread, rtol=0.35)


@pytest.mark.parametrize(
    "surrogate", [LimeText(), ForwardSelection(), Lasso(), Lasso("cv")], ids=str
)
def test_small_and_constant_tables(lab, surrogate):
    constant = np.full((8, 2), 3.5)
    (attribution,) = surrogate.fit([lab.exhaustive(constant)])
    np.testing.assert_allclose(attribution.values, 0.0, atol=1e-12)
    np.testing.assert_allclose(attribution.base_values, 3.5)
    two = lab.exhaustive(lab.random_scores(2, 1, 0))
    (attribution,) = surrogate.fit([two])
    assert np.isfinite(attribution.values).all()
    np.testing.assert_array_equal(attribution.std_errors, 0.0)
    assert attribution.r2 is None
    with pytest.raises(SurrogateError, match="at least two coalitions"):
        surrogate.fit([two.rows([0, 1, 3])])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LimeText(n_features=0), "n_features: expected a positive int"),
        (lambda: LimeText(n_features=2.5), "n_features: expected a positive int"),
        (lambda: LimeText(n_features=True), "n_features: expected a positive int"),
        (lambda: LimeText(feature_selection="best"), "feature_selection: expected one of"),
        (lambda: LimeText(kernel_width=-1), "kernel_width: expected a positive"),
        (lambda: ForwardSelection(n_features=-1), "n_features: expected a positive int"),
        (lambda: Lasso(alpha=0.0), "alpha: expected a positive number"),
        (lambda: Lasso(alpha="aic"), "alpha: expected 'cv' or a number"),
        (lambda: Lasso(response_scale=0.0), "response_scale: expected a positive"),
        (lambda: Lasso(response_scale=(1.0, "x")), "response_scale: expected a positive"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_scores_whose_squares_are_no_numbers_are_told_of(lab):
    """The penalty is on their scale, so they cannot be fitted in parts of a power of two."""
    table = lab.exhaustive(lab.random_scores(4, 1, 0))
    with pytest.raises(SurrogateError, match=r"^tables\[0\]: scores: as large as .*e\+300"):
        Lasso().fit([replace(table, scores=table.scores * (1e300 / np.abs(table.scores).max()))])


def test_a_penalty_that_is_nothing_beside_the_scores_lets_the_descent_stop(lab):
    table = lab.uniform(lab.smooth_scores(6, 1, 0), 60, 0)
    (small,) = Lasso(1e-10).fit([table])
    (large,) = Lasso(1e-10).fit([replace(table, scores=table.scores * 1e12)])
    assert large.values / 1e12 == pytest.approx(small.values, abs=1e-6)
