"""Audits of a model behind an API: every call counted, limits kept, sampled answers too."""

import pytest

import perturbx as px
from perturbx.exceptions import BudgetExceeded

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
