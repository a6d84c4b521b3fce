"""Designs on disk: what takes a second to compute is computed once per user, not per process.

The folder is ``$PERTURBX_CACHE``, or ``perturbx`` in the cache folder of the platform; an empty
``PERTURBX_CACHE`` keeps everything in memory. Nothing here raises: a folder that cannot be read or
written, or a file that does not hold what it should, costs the time of computing again.
"""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch

from perturbx.coalitions.packing import distinct_rows, pack, unpack, words

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
    pairs = _load(_file_name(n_units, n_pairs), n_units, n_pairs)
    return pairs if pairs is not None and _are_distinct_pairs(pairs) else None


def save_pairs(pairs: torch.Tensor) -> None:
    """Write pairs ``(n_pairs, n_units)`` of bool, whole or not at all.

    The file takes its name only once it is complete, so processes that run at once never read a
    part of it, and whoever comes last replaces it by the same.
    """
    n_pairs, n_units = pairs.shape
    _save(_file_name(n_units, n_pairs), pairs)


def load_rows(kind: str, n_units: int, n_rows: int) -> torch.Tensor | None:
    """Return the rows ``(n_rows, n_units)`` that `save_rows` wrote, None where there are none.

    Parameters
    ----------
    kind : str
        What the sequence is chosen for, a part of the file's name.
    n_units, n_rows : int
        The shape.
    """
    rows = _load(_name_of_rows(kind, n_units, n_rows), n_units, n_rows)
    if rows is None or len(distinct_rows(words(rows))[0]) < n_rows:
        return None
    return rows


def save_rows(kind: str, rows: torch.Tensor) -> None:
    """Write rows ``(n_rows, n_units)`` of bool, as `save_pairs` does."""
    n_rows, n_units = rows.shape
    _save(_name_of_rows(kind, n_units, n_rows), rows)


def _load(name: str, n_units: int, n_rows: int) -> torch.Tensor | None:
    folder = cache_folder()
    if folder is None:
        return None
    try:
        with (
            (folder / name).open("rb") as opened,
            np.load(opened, allow_pickle=False) as arrays,
        ):
            packed = arrays["pairs"]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
    if packed.dtype != np.uint8 or packed.shape != (n_rows, -(-n_units // 8)):
        return None
    return unpack(torch.from_numpy(packed), n_units)


def _save(name: str, rows: torch.Tensor) -> None:
    folder = cache_folder()
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez_compressed(file, pairs=pack(rows).numpy())
            os.replace(part, folder / name)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError:
        return


def _file_name(n_units: int, n_pairs: int) -> str:
    return f"odd_gp-pairs-v{VERSION}-{n_units}-{n_pairs}.npz"


def _name_of_rows(kind: str, n_units: int, n_rows: int) -> str:
    return f"{kind}-rows-v{VERSION}-{n_units}-{n_rows}.npz"


def _are_distinct_pairs(pairs: torch.Tensor) -> bool:
    """Say whether no row is empty, full, or another row's equal or complement."""
    one_of_pair = pairs ^ pairs[:, :1]
    first, _ = distinct_rows(words(one_of_pair))
    return bool(one_of_pair.any(1).all()) and len(first) == len(pairs)
