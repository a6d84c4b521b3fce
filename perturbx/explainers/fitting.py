"""From tables to explanations: each surrogate fits all of its texts at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perturbx.explainers.rounds import TextState
from perturbx.explanation import Explanation
from perturbx.explanations import Explanations
from perturbx.score_table import ScoreTable
from perturbx.surrogates.attribution import Attribution
from perturbx.typing import Link, Surrogate


def fit_tables(
    tables: Mapping[int, ScoreTable],
    surrogates: Mapping[int, Surrogate],
    link: Link,
    outputs: str | Sequence[str],
) -> dict[int, Attribution]:
    """Return the attribution of each table, on the scale of `link`, of the outputs asked for."""
    # By the scorer's own numbers: a link can round two sure outputs to the same.
    names = {i: table.select(outputs).output_names for i, table in tables.items()}
    views = {i: table.linked(link).select(names[i]) for i, table in tables.items()}
    fitted: dict[int, Attribution] = {}
    for surrogate in dict.fromkeys(surrogates[i] for i in views):
        members = [i for i in views if surrogates[i] == surrogate]
        fits = surrogate.fit([views[i] for i in members])
        fitted.update(zip(members, fits, strict=True))
    return fitted


def explanations_of(
    texts: Sequence[TextState], link: Link, outputs: str | Sequence[str]
) -> Explanations:
    """Return what the user gets of texts that are done."""
    made = []
    for text in texts:
        table, attribution = text.result
        assert table.units is not None
        names = table.select(outputs).output_names
        made.append(
            Explanation(table.units, table, attribution, names, link, budget_report=text.report)
        )
    return Explanations(made)
