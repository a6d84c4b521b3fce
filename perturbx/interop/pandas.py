"""Explanations as a tidy pandas DataFrame."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from perturbx.exceptions import MissingExtraError
from perturbx.typing import FloatArray

if TYPE_CHECKING:
    import pandas as pd

    from perturbx.explanation import Explanation


def to_pandas(explanations: Sequence[Explanation]) -> pd.DataFrame:
    """Return a row per text, unit and output.

    Parameters
    ----------
    explanations : sequence of Explanation
        One per text.

    Returns
    -------
    pandas.DataFrame
        The columns ``text`` (the position of the text), ``unit`` (its number in the text),
        ``label``, ``piece`` (its exact string), ``start``, ``stop`` (in characters), ``output``,
        ``value``, ``std_error``, ``low`` and ``high`` (the ends of its 95% interval). Of a unit
        that owns several spans the first one is told.

    Raises
    ------
    MissingExtraError
        Pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("pandas", "pandas") from error

    keys = [
        (text, unit, output)
        for text, explanation in enumerate(explanations)
        for unit in range(explanation.units.n_units)
        for output in explanation.output_names
    ]
    units = [explanations[text].units for text, _, _ in keys]
    which = [unit for _, unit, _ in keys]
    spans = [u.first_spans[unit] for u, unit in zip(units, which, strict=True)]
    intervals = [explanation.attribution.confidence_interval() for explanation in explanations]
    # Without a type of its own an empty column would be one of numbers.
    strings = partial(pd.Series, dtype="str")
    return pd.DataFrame(
        {
            "text": np.array([text for text, _, _ in keys], dtype=np.int64),
            "unit": np.array(which, dtype=np.int64),
            "label": strings([u.labels[unit] for u, unit in zip(units, which, strict=True)]),
            "piece": strings([u.pieces[unit] for u, unit in zip(units, which, strict=True)]),
            "start": np.array([start for start, _ in spans], dtype=np.int64),
            "stop": np.array([stop for _, stop in spans], dtype=np.int64),
            "output": strings([output for _, _, output in keys]),
            "value": _stacked([explanation.values for explanation in explanations]),
            "std_error": _stacked([explanation.std_errors for explanation in explanations]),
            "low": _stacked([interval.low for interval in intervals]),
            "high": _stacked([interval.high for interval in intervals]),
        }
    )


def _stacked(matrices: Sequence[FloatArray]) -> FloatArray:
    """Return the entries of all matrices in one vector, row by row."""
    return np.concatenate([np.empty(0), *(matrix.ravel() for matrix in matrices)])
