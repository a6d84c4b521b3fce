"""Audits of a model behind an API: every call counted, limits kept, sampled answers too."""

import pytest

import perturbx as px
from perturbx.exceptions import AnswersWarning, BudgetExceeded, RefusedError

TEMPLATE = "Review: {text}\nSentiment:"
LABELS = [" positive", " negative"]
DEEDS = ("good", "so good", "bad", "dull", "superb", "boring", "never boring", "thin")
TEXTS = [
    f"The {who} made a {deed} film, number {i}."
    for i, deed in enumerate(DEEDS * 3)
    for who in ("woman", "man")
]
WHO = [text.split()[1] for text in TEXTS]
QUICK = {"n_resamples": 100, "n_permutations": 100, "random_state": 0, "progress": False}


def scorer_of(server, **options):
    options = {"labels": LABELS, "prompt_template": TEMPLATE, "concurrency": 8, **options}
    return px.ApiScorer("openai:m", base_url=server.base_url, **options)


def test_an_audit_through_an_api(serve):
    server = serve()
    scorer = scorer_of(server)
    audit = px.FairnessAudit(
        scorer, positive="positive", n_explained=6, n_swaps=10, min_group_size=5, **QUICK
    )
    cost = audit.estimate_cost(TEXTS)
    assert cost.bill is not None
    report = audit.fit(TEXTS, None, {"who": WHO}).report_
    assert report.facts["n_calls"] == server.stats()["answered"] <= cost.most_calls
    gap = report.gaps[(report.gaps.metric == "mean_score") & (report.gaps.kind == "difference")]
    assert report.words.contribution.sum() == pytest.approx(gap.value.item(), abs=1e-6)


def test_a_limit_ends_it_and_what_was_paid_for_is_kept(serve):
    server = serve()
    audit = px.FairnessAudit(
        scorer_of(server, max_calls=20), positive="positive", n_explained=0, n_swaps=0, **QUICK
    )
    with pytest.raises(BudgetExceeded, match="20 scores are kept"):
        audit.fit(TEXTS, None, {"who": WHO})
    assert server.stats()["answered"] == 20


def test_sampled_answers_are_audited(serve):
    server = serve()
    scorer = scorer_of(server, method="votes", n_samples=3)
    audit = px.FairnessAudit(
        scorer, positive="positive", n_explained=4, n_swaps=6, min_group_size=5, **QUICK
    )
    report = audit.fit(TEXTS, None, {"who": WHO}).report_
    assert len(report.gaps)
    assert report.words.contribution.abs().sum() > 0


@pytest.mark.parametrize("how", ["filter", "refusal", "empty"])
def test_texts_that_a_service_refuses_are_left_out(serve, how):
    texts = [*TEXTS, *(f"The woman made a vile film, number {i}." for i in range(6))]
    who = [text.split()[1] for text in texts]
    options = {"positive": "positive", "n_explained": 6, "n_swaps": 10, "min_group_size": 5}
    bare = px.FairnessAudit(scorer_of(serve()), **options, **QUICK)
    bare = bare.fit(TEXTS, None, {"who": WHO}).report_
    server = serve(refuses=lambda prompt: how if "vile" in prompt else None)
    audit = px.FairnessAudit(scorer_of(server), **options, **QUICK)
    with pytest.warns(AnswersWarning, match="refused 6 of 54 texts"):
        report = audit.fit(texts, None, {"who": who}).report_
    assert (report.facts["n_texts"], report.facts["n_refused"]) == (48, 6)
    assert report.facts["n_calls"] == bare.facts["n_calls"] + 6
    assert server.stats()["refused"] == 6
    for name, table in bare.frames.items():
        found = report.frames[name]
        if "metric" in found:
            found = found[found.metric != "refusal_rate"].reset_index(drop=True)
        assert found.equals(table), name
    rates = report.metrics[report.metrics.metric == "refusal_rate"].set_index("group")
    assert rates.value.to_dict() == {"man": 0.0, "woman": 6 / 30, "(all)": 6 / 54}
    gap = report.gaps[(report.gaps.metric == "refusal_rate") & (report.gaps.kind == "difference")]
    assert gap.value.item() == pytest.approx(-6 / 30)


def test_too_many_refused_texts_end_an_audit(serve):
    server = serve(refuses=lambda prompt: "filter" if "woman" in prompt else None)
    audit = px.FairnessAudit(scorer_of(server), n_explained=0, n_swaps=0, **QUICK)
    with pytest.raises(RefusedError, match="scores are kept"):
        audit.fit(TEXTS, None, {"who": WHO})
