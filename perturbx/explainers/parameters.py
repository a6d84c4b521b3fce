"""Parameters that all explainers share, checked before anything is paid for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from numbers import Integral

import numpy as np

from perturbx.exceptions import ArgumentError
from perturbx.scorers.links import LINKS, apply_link
from perturbx.typing import Link, ScoreKind, Scorer


def check_parameters(link: str, batch_tokens: int | str, outputs: str | Sequence[str]) -> None:
    """Raise an `ArgumentError` for a link, batch size or choice of outputs that cannot be."""
    if link not in LINKS:
        raise ArgumentError(f"link: expected one of {', '.join(LINKS)}; got {link!r}")
    is_size = isinstance(batch_tokens, Integral) and not isinstance(batch_tokens, bool)
    if batch_tokens != "auto" and not (is_size and int(batch_tokens) > 0):
        raise ArgumentError(
            f"batch_tokens: expected 'auto' or a positive int; got {batch_tokens!r}"
        )
    are_names = isinstance(outputs, Collection) and all(isinstance(name, str) for name in outputs)
    if not are_names or not len(outputs):
        raise ArgumentError(
            f"outputs: expected 'all', 'predicted' or output names; got {outputs!r}"
        )


def check_outputs(outputs: str | Sequence[str], names: Sequence[str] | None) -> None:
    """Raise an `ArgumentError` for an output that is not there, where the names are known."""
    is_name = isinstance(outputs, str)
    if names is None or (is_name and outputs in ("all", "predicted")):
        return
    wanted = [outputs] if is_name else outputs
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ArgumentError(
            f"outputs: expected 'all', 'predicted' or names out of {list(names)}; "
            f"got {unknown[0]!r}"
        )


def check_link(link: Link, scorer: Scorer) -> None:
    """Raise a `CapabilityError` where no number of the scorer's kind can have the link."""
    kind: ScoreKind = getattr(scorer, "kind", "value")
    apply_link(np.empty((0, 1)), None, link=link, kind=kind, exclusive=True)
