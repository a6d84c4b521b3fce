"""The public fairness sets, and our own, by path: each becomes a `LabelledTexts`.

Nothing is downloaded. A file that is not the set it should be raises an `ArgumentError` that says
what is wrong and where the set is to be had. No row is dropped: `LabelledTexts.notes` counts odd ones.
"""

from perturbx.fairness.loaders.madlibs import load_madlibs

__all__ = ["load_madlibs"]
