"""What the Shapley value sees of a table: the odd part of the game, pair by pair."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from perturbx.exceptions import SurrogateError
from perturbx.surrogates.fit_quality import ROUNDING, interior
from perturbx.surrogates.gaussian.row_blocks import row_blocks
from perturbx.surrogates.stacks import complement_pairs
from perturbx.surrogates.surrogate import ends
from perturbx.typing import FloatArray, IntArray, MaskMatrix

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable


NEGLIGIBLE = 1e-6
"""Noise, in parts of the mean square, with which a scorer still counts as deterministic: what
little of a label may hide among tokens that are not shown is such."""


@dataclass(frozen=True, eq=False)
class OddPart:
    """The pairs of a table; the first is that of the full and the empty coalition.

    Parameters
    ----------
    masks : numpy.ndarray of bool, (P, n_units)
        One coalition of each pair.
    values : numpy.ndarray, (P, n_outputs)
        g(S) = ½[v(S) - v(N∖S)], divided by `scale`.
    noise : numpy.ndarray, (P, n_outputs)
        The variance of each value that is noise of the scorer, in units of `scale` squared.
    means : numpy.ndarray, (P, n_outputs)
        ½[v(S) + v(N∖S)], in the same units.
    scale : numpy.ndarray, (n_outputs,)
        The root mean square of g; 0 where it is rounding, and then `values` are ones.
    rows : numpy.ndarray of int, (P, 2)
        Where each pair stands in the table, the coalition of `masks` first.
    """

    masks: MaskMatrix
    values: FloatArray
    noise: FloatArray
    means: FloatArray
    scale: FloatArray
    rows: IntArray

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def is_noisy(self) -> bool:
        """Say whether any value is known to hold noise that is worth the name."""
        return bool(self.noise.max(initial=0.0) > NEGLIGIBLE)


def odd_part(table: ScoreTable, name: str, like: IntArray | None = None) -> OddPart:
    """Return the odd part of a table; rows whose complement is missing are left out.

    Parameters
    ----------
    table : ScoreTable
        With both ends.
    name : str
        The surrogate that asks.
    like : numpy.ndarray of int, (P, 2), optional
        The rows of another table's pairs: where they are those of this one, too, as in all tables
        of one design, they are not looked for.
    """
    rows = like if like is not None and _are_pairs(table, like) else _rows_of_pairs(table, name)
    first, second = rows.T
    values = (table.scores[first] - table.scores[second]) / 2.0
    noise = np.zeros_like(values)
    if table.variances is not None:
        noise = (table.variances[first] + table.variances[second]) / 4.0
    scale = np.sqrt(np.square(values).mean(axis=0))
    scale[scale <= ROUNDING * np.abs(table.scores).max(axis=0)] = 0.0
    unit = np.where(scale > 0, scale, 1.0)
    return OddPart(
        masks=table.masks[first],
        values=np.where(scale > 0, values / unit, 1.0),
        noise=noise / np.square(unit),
        means=(table.scores[first] + table.scores[second]) / (2.0 * unit),
        scale=scale,
        rows=rows,
    )


def _rows_of_pairs(table: ScoreTable, name: str) -> IntArray:
    """Return the rows ``(P, 2)`` of the ends, and of all other pairs."""
    full, empty = ends(table, name)
    pairs = complement_pairs(table.masks)
    pairs = pairs[(pairs[:, 1] >= 0) & ~np.isin(pairs[:, 0], (full, empty))]
    return np.concatenate([[(full, empty)], pairs])


def _are_pairs(table: ScoreTable, rows: IntArray) -> bool:
    """Say whether these ``(P, 2)`` are all rows of a table, the ends first and then its pairs."""
    if rows.size != len(table):
        return False
    first, second = table.masks[rows[:, 0]], table.masks[rows[:, 1]]
    return bool(first[0].all() and (first ^ second).all())


def check_pairs(table: ScoreTable, name: str) -> None:
    """Raise a `SurrogateError` where an end is missing or there is no pair between."""
    ends(table, name)
    between = interior(table.masks)
    # In most designs complements stand side by side.
    if (table.masks[:-1] ^ table.masks[1:])[between[:-1]].all(axis=1).any():
        return
    first, second = complement_pairs(table.masks).T
    if not ((second >= 0) & between[first]).any():
        raise SurrogateError(
            f"{name} needs coalitions that stand beside their complements, and the {len(table)} "
            f"rows of the table hold no such pair but the ends; draw some with the sampler "
            f"'odd_gp' or 'leverage'"
        )


def blocks(part: OddPart, most_pairs: int) -> list[OddPart]:
    """Return the pairs in blocks of at most `most_pairs`, the ends in each; see `row_blocks`."""
    if len(part) <= most_pairs:
        return [part]
    return [
        OddPart(
            part.masks[r], part.values[r], part.noise[r], part.means[r], part.scale, part.rows[r]
        )
        for r in row_blocks(len(part), most_pairs)
    ]


def subset(n_pairs: int, most: int) -> slice | IntArray:
    """Return at most so many of the pairs, the first and random others; all where they are few."""
    if n_pairs <= most:
        return slice(None)
    return _shuffled(n_pairs)[:most]


@lru_cache(maxsize=64)
def _shuffled(n_pairs: int) -> IntArray:
    return np.concatenate([[0], 1 + np.random.default_rng(0).permutation(n_pairs - 1)])


def same_masks(masks: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return masks ``(P, n)``, and which of the texts ``(T, P, n)`` have them, group by group."""
    if (masks[1:] == masks[:1]).all():
        return [(masks[0], torch.arange(len(masks)))]
    found: dict[bytes, list[int]] = {}
    for text, key in enumerate(np.packbits(masks.flatten(1).numpy(), axis=1)):
        found.setdefault(key.tobytes(), []).append(text)
    return [(masks[texts[0]], torch.tensor(texts)) for texts in found.values()]


def order_by_rows(masks: torch.Tensor) -> torch.Tensor:
    """Return the units ``(T, n)`` of masks ``(T, P, n)`` in the order of the rows that they are in.

    Texts with the same design have the same masks then, whatever the names of their units.
    """
    columns = np.ascontiguousarray(np.packbits(masks.numpy(), axis=1).swapaxes(1, 2))
    keys = columns.view(f"V{columns.shape[2]}")[:, :, 0]
    return torch.from_numpy(keys.argsort(axis=1, kind="stable"))
