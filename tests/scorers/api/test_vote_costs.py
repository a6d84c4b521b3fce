"""What sampled answers cost: told beforehand to the request, whatever budget, method and design."""

import pytest

import perturbx as px
from perturbx.exceptions import ArgumentError

TEXTS = ["good film, bad acting", "the plot is thin but its acting superb"]
EXPLAINERS = {
    "shapley": px.ShapleyExplainer,
    "lime": px.LimeExplainer,
    "partition": px.PartitionExplainer,
    "occlusion": px.OcclusionExplainer,
    "lasso": px.LassoExplainer,
}


def explainer_of(server, kind, n_samples, **options):
    scorer = px.ApiScorer(
        "openai:m",
        base_url=server.base_url,
        labels=[" positive", " negative"],
        prompt_template="Review: {text}\nSentiment:",
        method="votes",
        n_samples=n_samples,
        concurrency=8,
    )
    return EXPLAINERS[kind](scorer, random_state=0, progress=False, **options)


@pytest.mark.filterwarnings("ignore::perturbx.PoorFitWarning")
@pytest.mark.parametrize("kind", EXPLAINERS)
@pytest.mark.parametrize(
    ("n_samples", "budget"), [(1, 40), (2, 100), (1, "fast"), (3, "fast"), (2, "auto")]
)
def test_what_is_bought_is_what_was_said(serve, kind, n_samples, budget):
    server = serve()
    explainer = explainer_of(server, kind, n_samples, budget=budget)
    cost = explainer.estimate_cost(TEXTS)
    assert not server.stats().get("answered")
    done = explainer.explain(TEXTS)
    bought = server.stats()["answered"]
    assert cost.least_bill.calls <= bought <= cost.most_bill.calls == cost.most_calls
    if cost.least_calls == cost.most_calls:
        assert bought == cost.most_calls
    if isinstance(budget, int):
        # a variant that both texts have is asked as often as either wants it
        assert all(own.n_calls <= budget + 10 * n_samples for own in done)


@pytest.mark.filterwarnings("ignore::perturbx.PoorFitWarning")
@pytest.mark.parametrize("budget", ["auto", 40])
def test_masks_that_leave_the_same_text_count_once(serve, budget):
    """Whichever round, or run, asks about the second of them."""
    server = serve()
    explainer = explainer_of(server, "shapley", 1, budget=budget)
    text = "so very very good and very thin film"
    (found,) = explainer.explain([text])
    assert found.n_calls == found.budget_report.n_calls == server.stats()["answered"]
    explainer.set_params(budget=180)
    (further,) = explainer.explain([text], tables=[found.table])
    assert found.n_calls < further.n_calls == server.stats()["answered"]


@pytest.mark.parametrize("kind", ["shapley", "lime", "occlusion"])
def test_too_few_answers_are_told_in_answers(serve, kind):
    server = serve()
    explainer = explainer_of(server, kind, 5, budget=12)
    for act in (explainer.estimate_cost, explainer.explain):
        with pytest.raises(
            ArgumentError, match=r"^budget: 12 answers are too few for 4 units.* 30"
        ):
            act(TEXTS)
    assert not server.stats().get("answered")
    explainer.set_params(budget=30)
    assert explainer.explain(TEXTS[:1])[0].n_calls == 30


def test_labels_that_begin_alike_take_a_second_call_each(serve):
    def calls(labels):
        scorer = px.ApiScorer(
            "openai-completions:m",
            base_url="http://127.0.0.1:1",
            labels=labels,
            prices=(1, 1),
            method="label_log_probs",
        )
        return scorer.estimate(10, 100, "so good").calls

    assert calls([" good", " bad"]) == 10
    assert calls([" very good", " very bad"]) == 20
