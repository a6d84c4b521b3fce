"""Explanations for other libraries: pandas, shap, lime."""

from __future__ import annotations

from perturbx.interop.lime import to_lime
from perturbx.interop.pandas import to_pandas
from perturbx.interop.shap import to_shap

__all__ = ["to_lime", "to_pandas", "to_shap"]
