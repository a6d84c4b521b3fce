"""Designs on disk: what takes a second to compute is computed once per user, not per process.

The folder is ``$PERTURBX_CACHE``, or ``perturbx`` in the cache folder of the platform; an empty
``PERTURBX_CACHE`` keeps everything in memory. Nothing here raises: a folder that cannot be read or
written, or a file that does not hold what it should, costs the time of computing again.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch

from perturbx.coalitions.packing import distinct_rows, pack, unpack, words
from perturbx.whole_files import whole_file

VERSION = 2
"""Of the sequences: another way to compute them needs another number."""


def cache_folder() -> Path | None:
    """Return the folder of the cache, which may not exist yet; None where there is none."""
    given = os.environ.get("PERTURBX_CACHE")
    if given is not None:
        return Path(given) if given else None
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "perturbx"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "perturbx"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "perturbx"


def load_pairs(n_units: int, n_pairs: int) -> torch.Tensor | None:
    """Return the pairs ``(n_pairs, n_units)`` that `save_pairs` wrote, None where there are none.

    Parameters
    ----------
    n_units, n_pairs : int
        The shape.
    """
    folder = cache_folder()
    if folder is None:
        return None
    try:
        with (
            (folder / _file_name(n_units, n_pairs)).open("rb") as opened,
            np.load(opened, allow_pickle=False) as arrays,
        ):
            packed = arrays["pairs"]
    except Exception:  # of a damaged file, zip, its decompressors and numpy raise anything at all
        return None
    if packed.dtype != np.uint8 or packed.shape != (n_pairs, -(-n_units // 8)):
        return None
    pairs = unpack(torch.from_numpy(packed), n_units)
    return pairs if _are_distinct_pairs(pairs) else None


def save_pairs(pairs: torch.Tensor) -> None:
    """Write pairs ``(n_pairs, n_units)`` of bool; whoever comes last replaces them by the same."""
    folder = cache_folder()
    if folder is None:
        return
    n_pairs, n_units = pairs.shape
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / _file_name(n_units, n_pairs)) as file:
            np.savez_compressed(file, pairs=pack(pairs).numpy())
    except OSError:
        return


def _file_name(n_units: int, n_pairs: int) -> str:
    return f"odd_gp-pairs-v{VERSION}-{n_units}-{n_pairs}.npz"


def _are_distinct_pairs(pairs: torch.Tensor) -> bool:
    """Say whether no row is empty, full, or another row's equal or complement."""
    one_of_pair = pairs ^ pairs[:, :1]
    first, _ = distinct_rows(words(one_of_pair))
    return bool(one_of_pair.any(1).all()) and len(first) == len(pairs)
