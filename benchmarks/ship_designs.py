"""Compute the designs that perturbx ships, perturbx/coalitions/designs.npz (half a minute).

    python benchmarks/ship_designs.py

Run it after a change of `perturbx.coalitions.greedy_design`, and raise `VERSION` in
`perturbx.coalitions.design_cache` with it: sequences on users' disks are of the old kind.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

import perturbx.coalitions as home
from perturbx.coalitions.greedy_design import most_greedy_pairs, search
from perturbx.coalitions.packing import pack
from perturbx.coalitions.shipped_designs import FEWEST_UNITS, MOST_UNITS, PAIRS_PER_UNIT


def main() -> None:
    """Write the file."""
    designs = {}
    for n_units in range(FEWEST_UNITS, MOST_UNITS + 1):
        length = min(PAIRS_PER_UNIT * n_units, most_greedy_pairs(n_units))
        begun = torch.empty((0, n_units), dtype=torch.bool)
        designs[str(n_units)] = pack(search(n_units, length, begun=begun)).numpy()
    path = Path(home.__file__).with_name("designs.npz")
    np.savez_compressed(path, **designs)
    print(f"{path.name}: {len(designs)} designs, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
