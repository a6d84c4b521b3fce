"""`Audited`: everything scored, which all stages of an audit begin with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from perturbx.fairness.audit_rows import AuditRows
from perturbx.fairness.outcomes import Outcome
from perturbx.fairness.plan import AuditPlan
from perturbx.fairness.sampling import Sample, stratified
from perturbx.fairness.statistics.measures import Judged

Rows: TypeAlias = list[dict[str, Any]]
Tables: TypeAlias = dict[str, Rows]
"""The rows of the tables of a report, by name."""


@dataclass(frozen=True, eq=False)
class Audited:
    """Everything scored: what all stages begin with.

    Parameters
    ----------
    rows : AuditRows
        The rows.
    outcomes : tuple of Outcome
        What is audited.
    judged : tuple of Judged
        What was said of the rows, for each outcome.
    plan : AuditPlan
        The numbers to go by.
    """

    rows: AuditRows
    outcomes: tuple[Outcome, ...]
    judged: tuple[Judged, ...]
    plan: AuditPlan

    def sample(self, n: int, number: int) -> Sample:
        """Return some rows of every kind."""
        rng = np.random.default_rng([self.plan.seed, number])
        rows = self.rows
        return stratified(len(rows), n, rows.attributes, self.judged, rng, rows.clusters)
