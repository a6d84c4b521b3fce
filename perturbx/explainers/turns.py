"""In which order masks are bought where a limit may end the run: what any prefix tells most."""

from __future__ import annotations

import torch

from perturbx.coalitions.coalitions import Coalitions


def pairs_first(masks: torch.Tensor, design: Coalitions) -> torch.Tensor:
    """Return masks with the ends first, then each beside its complement.

    A pair tells of Shapley values, and half of one does not. The pairs stay in the order of the
    design, but for those of an enumeration (of all coalitions, or of a tree's), of which any part
    should be like the whole.

    Parameters
    ----------
    masks : torch.Tensor of bool, (m, n_units)
        Rows of the design.
    design : Coalitions
        Where they come from.

    Examples
    --------
    >>> design = Coalitions(
    ...     torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 0], [1, 1, 1]]).bool(),
    ...     counts=torch.ones(5, dtype=torch.int64),
    ... )
    >>> pairs_first(design.masks, design).int().tolist()
    [[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 1], [1, 1, 0]]
    """
    rows = masks.numpy()
    n_units = masks.shape[1]
    sizes = rows.sum(axis=1)
    order = torch.arange(len(masks))
    if design.exhaustive or design.design == "owen_exact":
        order = torch.randperm(len(masks), generator=torch.Generator().manual_seed(0))
    place = {rows[i].tobytes(): i for i in order.tolist()}
    taken: dict[int, None] = {i: None for i in order.tolist() if sizes[i] in (0, n_units)}
    for i in order.tolist():
        if i not in taken:
            taken[i] = None
            twin = place.get((~rows[i]).tobytes())
            if twin is not None:
                taken.setdefault(twin)
    return masks[list(taken)]
