"""How a prompt is asked about: ContextCite's way, or Shapley values at the price of tokens."""

from __future__ import annotations

from perturbx.coalitions import Uniform
from perturbx.explainers.budget import resolve_budget
from perturbx.explainers.design import Design
from perturbx.surrogates import Lasso
from perturbx.typing import Encoding


def lasso_design(encoding: Encoding, budget: int | str) -> Design:
    """Return ContextCite's design: half of the units kept, a sparse line over the answers.

    Its penalty, 0.01, is for the log-probability of one token of the response.
    """
    readout = getattr(encoding, "readout", None)
    n_tokens = 1.0 if readout is None else float(len(readout))
    calls = resolve_budget(budget, encoding.units.n_units)
    return Design(Uniform(0.5), Lasso(0.01, response_scale=n_tokens), calls)
