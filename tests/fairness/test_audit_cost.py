"""How often an audit will ask the model, before it does."""

from collections import Counter

import numpy as np
import pytest

import perturbx as px
from perturbx.fairness.audit_cost import AuditCost

OPTIONS = {"groups": "gender", "random_state": 0, "progress": False}
OPTIONS |= {"n_resamples": 100, "n_permutations": 100}
TEXTS = [
    f"{who} {verb} the {thing}."
    for who in ("She", "He", "My sister", "The dog")
    for verb in ("sees", "likes", "sees")
    for thing in ("house", "car")
]


class Model:
    def __init__(self):
        self.asked = Counter()

    def __call__(self, texts):
        self.asked.update(texts)
        return np.array([len(text) % 10 / 10 for text in texts])


@pytest.mark.parametrize(
    "options",
    [{}, {"n_explained": 0}, {"n_swaps": 0}, {"lexicons": None}, {"n_explained": 0, "n_swaps": 0}],
)
def test_no_audit_costs_more_than_it_says(options):
    model = Model()
    audit = px.FairnessAudit(model, **OPTIONS | options)
    cost = audit.estimate_cost(TEXTS)
    assert not model.asked
    audit.fit(TEXTS)
    assert cost.scoring == len(set(TEXTS))
    assert sum(model.asked.values()) <= cost.most_calls
    assert audit.report_.facts["n_calls"] == sum(model.asked.values())
    if options.get("n_explained") == 0:
        assert cost.explaining == (0, 0)
        assert model.asked.most_common(1)[0][1] == 1
    if options.get("n_swaps") == 0 or "lexicons" in options:
        assert (cost.swapping, cost.neutral) == (0, 0)


@pytest.mark.parametrize(("n_swaps", "looked_at"), [(30, 50_000), (300, 50_000), (30, 100)])
def test_rare_terms_are_counted_in_all_texts(monkeypatch, n_swaps, looked_at):
    monkeypatch.setattr("perturbx.fairness.audit_cost.LOOKED_AT", looked_at)
    model = Model()
    who = {7: "He", 27: "She"}
    texts = [f"{who.get(i % 40, 'It')} is late, day {i}." for i in range(1_000)]
    audit = px.FairnessAudit(model, **OPTIONS, n_explained=0, n_swaps=n_swaps)
    cost = audit.estimate_cost(texts)
    audit.fit(texts)
    stage = sum(model.asked.values()) - cost.scoring
    assert 30 < stage <= cost.swapping + cost.neutral
    if n_swaps == 300:
        assert (cost.swapping, cost.neutral) == (50, 100)


def test_a_file_costs_what_its_texts_cost(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text\n" + "".join(f'"{text}"\n' for text in TEXTS), encoding="utf-8")
    audit = px.FairnessAudit(Model(), **OPTIONS)
    assert audit.estimate_cost_of_file(path) == audit.estimate_cost(TEXTS)


def test_a_cost_draws_nothing_from_a_generator():
    generator = np.random.default_rng(0)
    before = generator.bit_generator.state
    px.FairnessAudit(Model(), **OPTIONS | {"random_state": generator}).estimate_cost(TEXTS)
    assert generator.bit_generator.state == before


def test_no_texts_cost_nothing():
    cost = px.FairnessAudit(Model(), **OPTIONS).estimate_cost([])
    assert cost.most_calls == 0


def test_a_cost_can_be_read():
    cost = AuditCost(1200, (10, 20), 5, 6)
    assert cost.most_calls == 1231
    assert str(cost) == (
        "about 1,231 calls: 1,200 for the texts, 10 to 20 for words, at most 5 for swapped terms "
        "and 6 for neutral ones"
    )
    assert "20 for words" in str(AuditCost(1, (20, 20), 0, 0))
