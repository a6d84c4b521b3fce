"""Real transformers, the whole way through."""

import copy

import numpy as np
import pytest

import perturbx as px
from perturbx.maskers import Replace
from perturbx.maskers.variants import Variants
from perturbx.scorers import as_scorer

pytestmark = pytest.mark.filterwarnings("ignore::perturbx.exceptions.PoorFitWarning")

SENTENCES = ["the plot is thin , but the acting is superb .", "a dull , lifeless film"]


@pytest.fixture(scope="module")
def default():
    return as_scorer("default")


def test_the_shipped_model_explains_a_sentence(default):
    (item,) = px.explain(default, SENTENCES[:1], random_state=0)
    assert item.output_names == ("NEGATIVE", "POSITIVE")
    worth = dict(item.as_list("POSITIVE"))
    assert worth["superb"] > 0 > worth["thin"]
    assert item.as_list("POSITIVE")[0][0] in ("superb", "thin")


def test_a_pair_that_is_gone_leaves_no_scores_to_the_next(default):
    negated = copy.deepcopy(default.model)
    for weights in list(negated.parameters())[-2:]:
        weights.data.neg_()
    explainer = px.ShapleyExplainer(None, budget=20, random_state=0)
    scores = []
    for model in (default.model, negated):
        explainer.model = None  # the pair before is gone by then, and its id is free
        explainer.model = (model, default.tokenizer)
        scores.append(explainer.explain(SENTENCES[1:])[0].scores)
    np.testing.assert_allclose(scores[0], -scores[1], atol=1e-4)


def edited(piece, masker, tokenizer):
    """Return what stands for a removed piece, as a person would write it."""
    n_tokens = len(tokenizer.tokenize(piece))
    return {
        "mask": " ".join([tokenizer.mask_token] * n_tokens) + " ",
        "unk": " ".join([tokenizer.unk_token] * n_tokens) + " ",
        "delete": "",
        Replace("thing"): "thing ",
        Replace("so so", per="token"): "so so " * n_tokens,
    }[masker]


@pytest.mark.parametrize(
    "masker", ["mask", "unk", "delete", Replace("thing"), Replace("so so", per="token")]
)
@pytest.mark.parametrize("model", ["default", "minilm"])
def test_masked_tokens_score_as_the_edited_text_does(default, masker, model, request):
    """Many texts' tokens in one stream give what each edited string gives alone."""
    if model == "minilm":
        scorer = as_scorer(str(request.getfixturevalue("minilm_path")), dtype="float32")
    else:
        scorer = default
    items = px.explain(
        scorer, SENTENCES, explainer="lasso", masker=masker, random_state=0, budget=12
    )
    for item in items:
        texts = [
            "".join(
                piece if keep else edited(piece, masker, scorer.tokenizer)
                for piece, keep in zip(item.units.pieces, row, strict=True)
            )
            for row in item.table.masks
        ]
        one_by_one = [scorer.score(Variants(texts=[text])).values[0] for text in texts]
        np.testing.assert_allclose(item.table.scores, one_by_one, atol=2e-4)


def test_units_finer_than_tokens_are_explained_on_strings(default):
    (item,) = px.explain(default, ["unfathomably good"], units="characters", budget=60)
    assert item.units.n_units == 17
    assert item.n_calls <= 60


def test_what_lies_beyond_the_window_is_not_explained_and_said(default):
    text = "good film " * 600
    with pytest.warns(px.TruncationWarning, match=r"1 of 2 texts .* window of 512 .*\[1\]"):
        items = px.explain(default, ["fine", text], explainer="lasso", budget=6)
    assert items[1].units.n_units == 510
    assert items[1].text == text
    assert items[1].table.units.parts[-1][0] == -1


def test_a_tree_of_ones_own_outlasts_units_that_are_not_read(default):
    """The tokenizer drops the control character; the others stay together as they were."""
    text, spans = "not \x00 very good", ((0, 4), (4, 6), (6, 11), (11, 15))
    apart = px.Units(text, spans, tree=px.Tree(4, ((0, 3), (1, 2), (4, 5))))
    (found,) = px.PartitionExplainer(default, progress=False).explain([apart])
    assert found.units.labels == ("not", "very", "good")
    assert found.units.tree == px.Tree(3, ((0, 2), (3, 1)))


def test_a_model_and_its_tokenizer_or_a_pipeline_or_a_path_are_the_same(default):
    import transformers

    pair = (default.model, default.tokenizer)
    pipeline = transformers.pipeline(
        "text-classification", model=default.model, tokenizer=default.tokenizer
    )
    expected = px.explain(default, SENTENCES, random_state=0, budget=30)
    for model in (pair, pipeline, "default"):
        found = px.explain(model, SENTENCES, random_state=0, budget=30)
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_allclose(one.values, other.values, atol=1e-5)


def test_links_read_logits_as_they_are_meant(default):
    (logit,) = px.explain(default, SENTENCES[:1], random_state=0)
    plain, odds = logit.refit("kernel"), logit.refit("kernel", link="log_odds")
    np.testing.assert_allclose(
        odds.values[:, 1], plain.values[:, 1] - plain.values[:, 0], atol=1e-6
    )
    probability = logit.refit("leverage", link="probability")
    np.testing.assert_allclose(probability.scores.sum(), 1)
    np.testing.assert_allclose(probability.values[:, 0], -probability.values[:, 1], atol=1e-8)


def test_multi_label_models_have_independent_outputs(default):
    model = copy.deepcopy(default.model)
    model.config.problem_type = "multi_label_classification"
    (item,) = px.explain((model, default.tokenizer), SENTENCES[:1], link="probability", budget=30)
    logits = item.table.full_scores
    np.testing.assert_allclose(item.scores, 1 / (1 + np.exp(-logits)))


@pytest.mark.model
def test_a_batch_of_real_sentences_is_one_by_one(minilm_path, sst2_sentences):
    scorer = as_scorer(str(minilm_path), dtype="float32")
    texts = sst2_sentences[:3]
    together = px.explain(scorer, texts, random_state=0, budget=60)
    for i, text in enumerate(texts):
        (alone,) = px.explain(scorer, [text], random_state=0, budget=60, batch_tokens=64)
        np.testing.assert_array_equal(together[i].table.masks, alone.table.masks)
        np.testing.assert_allclose(together[i].table.scores, alone.table.scores, atol=1e-4)
        np.testing.assert_allclose(together[i].values, alone.values, atol=1e-3)
