"""`Attribution`: what each unit is worth, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from perturbx.exceptions import SurrogateError
from perturbx.surrogates import intervals
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
        The standard error of each value; 0 where it is exact, infinite where it is not known.
    method : str
        The name of the surrogate: "leverage", "lime", ...
    n_calls : int
        Distinct variants scored for the table behind it.
    covariance : numpy.ndarray, (n_outputs, n_units, n_units), optional
        The covariance of the values' errors, where it is cheap.
    r2_by_output : numpy.ndarray, (n_outputs,), optional
        Out-of-fold R² for each output; not a number where all its scores are the same.
    r2 : float, optional
        Out-of-fold R² over all outputs, weighted by their variance: how well the surrogate
        predicts scores it was not fitted to. None where that has no meaning (exact values,
        one unit, leave-one-out, scores that are all the same).
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

    def confidence_interval(
        self, level: float = 0.95, *, simultaneous: bool = False
    ) -> intervals.Intervals:
        """Return an interval for each value; of width 0 where the value is exact.

        Parameters
        ----------
        level : float, default=0.95
            The probability that an interval holds the true value, between 0 and 1.
        simultaneous : bool, default=False
            Make it the probability that the intervals of all units of one output hold theirs at
            once (max-t); they are never narrower than the pointwise ones.

        Returns
        -------
        Intervals
            With ``low`` and ``high``, ``(n_units, n_outputs)``.

        Raises
        ------
        ArgumentError
            `level` is not between 0 and 1.

        Notes
        -----
        Pointwise: Student's t with `dof`. Simultaneous: a multivariate t with `band_dof` and the
        correlation of `covariance` (errors without one are taken for independent, which is
        conservative), by 4000 draws of a fixed generator; Hothorn, Bretz & Westfall, "Simultaneous
        Inference in General Parametric Models", 2008.

        Examples
        --------
        >>> import numpy as np
        >>> fit = Attribution(
        ...     np.array([[2.0], [-1.0]]), np.zeros(1), np.array([[0.1], [0.0]]), "demo", 8, dof=4.0
        ... )
        >>> fit.confidence_interval(0.95).low.round(2).ravel()
        array([ 1.72, -1.  ])
        """
        return intervals.confidence_interval(self, level, simultaneous=simultaneous)

    def top_k(self, k: int, level: float = 0.95) -> intervals.TopUnits:
        """Return the k units with the largest absolute values, and how sure it is they are those.

        Parameters
        ----------
        k : int
            How many; all where there are fewer.
        level : float, default=0.95
            What ``certain`` of the result compares the probability with.

        Returns
        -------
        TopUnits
            With ``units``, ``(k, n_outputs)``, ``probability`` and ``certain``, ``(n_outputs,)``.

        Raises
        ------
        ArgumentError
            `level` is not between 0 and 1, or `k` is not a whole number of at least 1.

        Notes
        -----
        The probability is the share of draws from the errors' distribution around the values (see
        `confidence_interval`) in which the set is the same. A tie of exact values has no top k:
        its probability is 0.

        Examples
        --------
        >>> import numpy as np
        >>> fit = Attribution(
        ...     np.array([[2.0], [-1.0]]), np.zeros(1), np.array([[0.1], [0.0]]), "demo", 8
        ... )
        >>> top = fit.top_k(1)
        >>> top.units.ravel(), top.probability, top.certain
        (array([0]), array([1.]), array([ True]))
        """
        return intervals.top_k(self, k, level)
