"""Side by side with the peers: a real classifier, the same sentences, words and masks, one run.

    python benchmarks/classifier.py            # all of it
    python benchmarks/classifier.py --quick    # the same on few sentences and seeds
    python benchmarks/classifier.py --only overhead --only memory

The tables go to standard output in Markdown, what is being done to standard error.
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path

import accuracy
import in_use
import lime_stability
import memory
import overhead
from workload import Workload, print_surroundings

SECTIONS = ("overhead", "accuracy", "in-use", "lime", "memory")


def main() -> None:
    """Run the sections that were asked for."""
    arguments = _parser().parse_args()
    shared = Path(os.environ.get("PERTURBX_SHARED", Path(__file__).parents[2] / "shared"))
    # The peers warn on every call, and poor fits at small budgets are what is measured here.
    warnings.simplefilter("ignore")
    workload = Workload.load(shared, arguments.device)
    print_surroundings()
    sections = arguments.only or SECTIONS
    quick = arguments.quick
    if "overhead" in sections:
        overhead.run(workload, quick=quick)
    if "accuracy" in sections or "lime" in sections:
        known = accuracy.known_sentences(workload, n_sentences=2 if quick else 8)
        if "accuracy" in sections:
            accuracy.run(known, quick=quick)
        if "lime" in sections:
            plain = [sentence for sentence in known if workload.is_plain(sentence.units)]
            lime_stability.run(plain, quick=quick)
    if "in-use" in sections:
        in_use.run(workload, quick=quick)
    if "memory" in sections:
        memory.run(workload, shared, quick=quick)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Compare perturbx with lime, shap, captum and shapiq on a real classifier.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="few sentences and seeds: two minutes, not twelve"
    )
    parser.add_argument(
        "--device",
        default="cpu",
        help="where the model runs: cpu or cuda",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=SECTIONS,
        metavar="SECTION",
        help=f"only this section, may be repeated: {', '.join(SECTIONS)}",
    )
    return parser


if __name__ == "__main__":
    main()
