"""`Attribution`: what each unit is worth, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from perturbx.exceptions import SurrogateError
from perturbx.typing import FloatArray


@dataclass(frozen=True, eq=False)
class Attribution:
    """Values with their errors.

    Parameters
    ----------
    values : numpy.ndarray, (n_units, n_outputs)
        The worth of each unit for each output, in units of the (linked) score.
    base_values : numpy.ndarray, (n_outputs,)
        What the surrogate predicts where every unit is removed.
    std_errors : numpy.ndarray, (n_units, n_outputs)
        The standard error of each value; 0 where it is exact.
    method : str
        The name of the surrogate: "leverage", "lime", ...
    n_calls : int
        Distinct variants scored for the table behind it.
    covariance : numpy.ndarray, (n_outputs, n_units, n_units), optional
        The covariance of the values' errors, where it is cheap.
    r2_by_output : numpy.ndarray, (n_outputs,), optional
        Out-of-fold R² for each output.
    r2 : float, optional
        Out-of-fold R² over all outputs, weighted by their variance: how well the surrogate
        predicts scores it was not fitted to. None where that has no meaning (exact values,
        one unit, leave-one-out).
    additivity : float, optional
        The share of the scores' variance that the additive part explains in the fit itself.
    dof : float, optional
        Degrees of freedom of Student's t for intervals of single values; None: the normal
        distribution.
    band_dof : float, optional
        The same for simultaneous intervals; None: as `dof`.
    band_inflation : float, default=1.0
        What the covariance is multiplied by for simultaneous intervals.
    """

    values: FloatArray
    base_values: FloatArray
    std_errors: FloatArray
    method: str
    n_calls: int
    covariance: FloatArray | None = None
    r2_by_output: FloatArray | None = None
    r2: float | None = None
    additivity: float | None = None
    dof: float | None = None
    band_dof: float | None = None
    band_inflation: float = 1.0

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.std_errors.shape != self.values.shape:
            raise SurrogateError(
                f"values and std_errors: expected two matrices (n_units, n_outputs), got "
                f"{self.values.shape} and {self.std_errors.shape}"
            )
        if self.base_values.shape != (self.values.shape[1],):
            raise SurrogateError(
                f"base_values: expected ({self.values.shape[1]},), got {self.base_values.shape}"
            )

    @property
    def n_units(self) -> int:
        """Return the number of units."""
        return int(self.values.shape[0])

    @property
    def n_outputs(self) -> int:
        """Return the number of outputs."""
        return int(self.values.shape[1])
