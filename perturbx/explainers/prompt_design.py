"""How a prompt is asked about: ContextCite's way, or Shapley values at the price of tokens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from perturbx.coalitions import OddPairs, PrefixPairs, Uniform
from perturbx.explainers.design import Design, calls_for_line
from perturbx.surrogates import Lasso
from perturbx.typing import Encoding, Link


def lasso_design(encoding: Encoding, budget: int | str, link: Link) -> Design:
    """Return ContextCite's design: half of the units kept, a sparse line over the answers.

    Its penalty, 0.01, is for each token of what is explained, a part of the response or all of it;
    and for probabilities, which do not grow with the tokens, as it is.
    """
    calls = calls_for_line(budget, encoding.units.n_units)
    readout = getattr(encoding, "readout", None)
    # Where columns are characters, nobody knows how many tokens there are.
    words = getattr(encoding, "words", None)
    scales: float | tuple[float, ...] = 1.0
    if readout is not None and words is None and link != "probability":
        scales = tuple(np.abs(readout).sum(axis=0).tolist())
    return Design(Uniform(0.5), Lasso(0.01, response_scale=scales), calls)


def priced_in_tokens(design: Design, encoding: Encoding, head_price: float) -> Design:
    """Return the design for a model that reads a beginning only once, however many share it.

    Pairs that tell most for each call become pairs that tell most for the tokens read anew. Any
    other design stays as it is, and so does that of a prompt whose variants are strings, or are
    no shorter where a unit is removed.

    Parameters
    ----------
    design : Design
        What is asked otherwise.
    encoding : Encoding
        The prompt.
    head_price : float
        What scoring one position costs, in tokens read.
    """
    n_units = encoding.units.n_units
    if not isinstance(design.sampler, OddPairs) or encoding.kind != "tokens" or not n_units:
        return design
    masks = torch.cat([torch.eye(n_units), torch.zeros(1, n_units), torch.ones(1, n_units)]).bool()
    lengths = encoding.lengths(masks)
    unit_tokens = (lengths[:n_units] - lengths[n_units]).tolist()
    if min(unit_tokens) <= 0:
        return design
    tail = _tail(encoding) + head_price * _n_scored(encoding)
    return replace(design, sampler=PrefixPairs(tuple(unit_tokens), float(tail)))


def _n_scored(encoding: Encoding) -> float:
    """Return how many positions of a variant are scored; one for labels."""
    readout = getattr(encoding, "readout", None)
    return 1.0 if readout is None else float(len(readout))


def _tail(encoding: Encoding) -> int:
    """Return how many tokens stand behind the last unit, whatever is removed."""
    ends = torch.tensor([[True], [False]]).expand(2, encoding.units.n_units)
    variants = encoding.variants(ends)
    assert variants.token_ids is not None
    assert variants.lengths is not None
    whole, bare = (
        row[:length].flip(0)
        for row, length in zip(variants.token_ids, variants.lengths.tolist(), strict=True)
    )
    differs = (whole[: len(bare)] != bare).nonzero().flatten()
    return int(differs[0]) if len(differs) else len(bare)
