"""An explanation as plain values, ready for JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx.budget_report import BudgetReport
from perturbx.exceptions import TableError
from perturbx.score_table import ScoreTable
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.with_proxy import ProxyAttribution
from perturbx.typing import FloatArray

if TYPE_CHECKING:
    from perturbx.explanation import Explanation

FORMAT = "perturbx.Explanation/1"
_ATTRIBUTION_ARRAYS = ("values", "base_values", "std_errors", "covariance", "r2_by_output")
_ATTRIBUTION_FREEDOM = ("dof", "band_dof", "band_inflation")
_OF_PROXY = ("proxy_probability", "proxy_weight")


def write_record(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as plain values; what is computed from its table is left out."""
    fit, cost = explanation.attribution, explanation.budget_report
    arrays = {name: getattr(fit, name) for name in _ATTRIBUTION_ARRAYS}
    return {
        "format": FORMAT,
        "text": explanation.text,
        "pieces": list(explanation.units.pieces),
        "output_names": list(explanation.output_names),
        "link": explanation.link,
        "method": fit.method,
        "n_calls": fit.n_calls,
        "r2": fit.r2,
        "additivity": fit.additivity,
        **{name: getattr(fit, name) for name in _ATTRIBUTION_FREEDOM},
        **{name: None if a is None else _plain(a) for name, a in arrays.items()},
        **{name: _plain(getattr(fit, name)) for name in _OF_PROXY if hasattr(fit, name)},
        "budget_report": None if cost is None else cost.to_dict(),
        "table": explanation.table.to_dict(),
    }


def _plain(numbers: FloatArray) -> list[Any]:
    """Return nested lists, with None for what is not known: JSON has no such number."""
    plain = numbers.astype(object)
    plain[~np.isfinite(numbers)] = None
    return list(plain.tolist())


def read_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the explanation that `write_record` wrote.

    Raises
    ------
    TableError
        The record is not one of those.
    """
    if not isinstance(record, Mapping):
        raise TableError(f"record: expected an object, got {type(record).__name__}")
    if record.get("format") != FORMAT:
        raise TableError(f"record: expected format {FORMAT}, got {record.get('format')!r}")
    try:
        table = ScoreTable.from_dict(record["table"])
        cost = record.get("budget_report")
        fields = {
            "units": table.units,
            "table": table,
            "attribution": _attribution(record),
            "output_names": tuple(record["output_names"]),
            "link": record["link"],
            "budget_report": None if cost is None else BudgetReport.from_dict(cost),
        }
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, TableError):
            raise
        raise TableError(f"record: is not a record of an Explanation ({error!r})") from error
    if table.units is None:
        raise TableError("record: the table has no units, so there is no text to explain")
    return fields


def _attribution(record: Mapping[str, Any]) -> Attribution:
    n_outputs = len(record["output_names"])
    arrays: dict[str, Any] = {
        name: None if record[name] is None else np.array(record[name], dtype=np.float64)
        for name in _ATTRIBUTION_ARRAYS
    }
    for name in ("values", "std_errors"):
        arrays[name] = arrays[name].reshape(-1, n_outputs)
    arrays["std_errors"][np.isnan(arrays["std_errors"])] = np.inf
    of_proxy = {name: np.array(record[name], float) for name in _OF_PROXY if name in record}
    kind: Any = ProxyAttribution if of_proxy else Attribution
    fit: Attribution = kind(
        method=record["method"],
        n_calls=record["n_calls"],
        r2=record["r2"],
        additivity=record["additivity"],
        # Records of older versions do not have these.
        **{name: record[name] for name in _ATTRIBUTION_FREEDOM if name in record},
        **arrays,
        **of_proxy,
    )
    return fit
