"""`Symbols`: the tokens of all variants of one text, laid out in text order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from perturbx.typing import IntArray
from perturbx.units.units import FRAME


@dataclass(frozen=True, eq=False)
class Symbols:
    """The tokens of all variants of a text in text order, and when each of them is there.

    Parameters
    ----------
    ids, states : torch.Tensor of int64, (n_symbols,)
        The token, and the state in which it is present (see ``assembly.py``).
    extras : mapping of str to torch.Tensor of int64 (n_symbols,)
        The other inputs of the model.
    stand_ins : torch.Tensor of int64, (n_symbols,), optional
        Where each removed token gives way to exactly one: that one. The symbols are then the
        tokens of the text alone, and nothing moves.
    kept, removed : torch.Tensor of int64, (n_units,)
        The number of tokens of each unit while it is kept, and of what stands in for it.
    n_frame : int
        The number of tokens that are always there: special tokens and the frame.
    """

    ids: torch.Tensor
    states: torch.Tensor
    extras: Mapping[str, torch.Tensor]
    stand_ins: torch.Tensor | None
    kept: torch.Tensor
    removed: torch.Tensor
    n_frame: int

    @property
    def longest(self) -> int:
        """Return the number of tokens that no variant exceeds."""
        return self.n_frame + int(torch.maximum(self.kept, self.removed).sum())

    def to(self, device: torch.device) -> Symbols:
        """Return the symbols on `device`."""
        return Symbols(
            ids=self.ids.to(device),
            states=self.states.to(device),
            extras={name: values.to(device) for name, values in self.extras.items()},
            stand_ins=None if self.stand_ins is None else self.stand_ins.to(device),
            kept=self.kept.to(device),
            removed=self.removed.to(device),
            n_frame=self.n_frame,
        )


def lay_out(
    ids: IntArray,
    extras: Mapping[str, IntArray],
    unit_of_token: IntArray,
    fillings: Sequence[Sequence[int]],
    n_units: int,
) -> Symbols:
    """Return the tokens of a text together with what stands in for them.

    Parameters
    ----------
    ids : numpy.ndarray of int64, (n_tokens,)
        The tokens of the text as it is.
    extras : mapping of str to numpy.ndarray of int64 (n_tokens,)
        The other inputs of the model; a filling takes those of the token that it stands in for.
    unit_of_token : numpy.ndarray of int64, (n_tokens,)
        The unit that owns each token, `FRAME` for special tokens and the frame.
    fillings : sequence of sequence of int, (n_tokens,)
        The ids that are in the place of each token once its unit is removed.
    n_units : int
        The number of units.

    Returns
    -------
    Symbols
    """
    owned = unit_of_token != FRAME
    states = np.where(owned, unit_of_token, 2 * n_units)
    n_fill = np.array([len(filling) for filling in fillings], dtype=np.int64)
    fill_ids = np.array([i for filling in fillings for i in filling], dtype=np.int64)
    removed = np.zeros(n_units, dtype=np.int64)
    np.add.at(removed, unit_of_token[owned], n_fill[owned])

    stand_ins: IntArray | None = None
    columns = dict(extras)
    if np.array_equal(n_fill, owned):
        stand_ins = ids.copy()
        stand_ins[owned] = fill_ids
    else:
        # Fillings follow their token; as one of the two is absent, both have the right place.
        places = np.repeat(np.arange(len(ids)), n_fill) + 1
        ids = np.insert(ids, places, fill_ids)
        columns = {name: np.insert(v, places, np.repeat(v, n_fill)) for name, v in extras.items()}
        states = np.insert(states, places, np.repeat(states, n_fill) + n_units)
    return Symbols(
        ids=torch.from_numpy(ids),
        states=torch.from_numpy(states),
        extras={name: torch.from_numpy(values) for name, values in columns.items()},
        stand_ins=None if stand_ins is None else torch.from_numpy(stand_ins),
        kept=torch.from_numpy(np.bincount(unit_of_token[owned], minlength=n_units)),
        removed=torch.from_numpy(removed),
        n_frame=int(np.count_nonzero(~owned)),
    )
