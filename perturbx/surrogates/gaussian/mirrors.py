"""Outputs that are each other's mirror image, as the classes of a pair: one fit serves both."""

from __future__ import annotations

from dataclasses import dataclass

import torch

NEGLIGIBLE = 1e-9
"""Differences, in parts of an output's root mean square, that are rounding."""


@dataclass(frozen=True, eq=False)
class Mirrors:
    """Which of k outputs have to be fitted, and which are one of these again or its negative.

    Parameters
    ----------
    kept : torch.Tensor of int, (d,)
        The outputs to be fitted.
    source : torch.Tensor of int, (k,)
        For each output the place, among those kept, of the one that it is like.
    sign : torch.Tensor, (k,)
        1 where it is the same, -1 where it is the negative.
    """

    kept: torch.Tensor
    source: torch.Tensor
    sign: torch.Tensor

    @classmethod
    def of(cls, values: torch.Tensor, noise: torch.Tensor) -> Mirrors:
        """Return it of values and their noise ``(T, m, k)``, in units of each output's own size.

        Examples
        --------
        >>> values = torch.tensor([[[0.5, -0.5, 2.0], [1.5, -1.5, 0.5]]])
        >>> found = Mirrors.of(values, torch.zeros_like(values))
        >>> found.kept.tolist(), found.source.tolist(), found.sign.tolist()
        ([0, 2], [0, 0, 1], [1.0, -1.0, 1.0])
        """
        kept: list[int] = []
        source: list[int] = []
        signs: list[float] = []
        for output in range(values.shape[2]):
            own = values[..., output], noise[..., output]
            like = (
                (place, sign)
                for place, other in enumerate(kept)
                for sign in (1.0, -1.0)
                if _equal(own[0], sign * values[..., other]) and _equal(own[1], noise[..., other])
            )
            place, sign = next(like, (len(kept), 1.0))
            if place == len(kept):
                kept.append(output)
            source.append(place)
            signs.append(sign)
        return cls(torch.tensor(kept), torch.tensor(source), torch.tensor(signs).double())


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool((one - other).abs().max() <= NEGLIGIBLE)
