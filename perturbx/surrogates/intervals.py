"""Intervals of an attribution's values, and how sure its largest units are.

Pointwise intervals use Student's t. Joint statements (simultaneous intervals, the top k) use a
multivariate t whose quantiles and probabilities come from draws of a fixed generator, so the same
attribution always gives the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from perturbx.exceptions import ArgumentError
from perturbx.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from perturbx.surrogates.attribution import Attribution

DRAWS = 4000
"""Draws behind a simultaneous quantile: at 95% its own error is about 1% of it."""

_TIE = 1e-12
"""Absolute values that differ by less than this part of the largest one are a tie."""


@dataclass(frozen=True, eq=False)
class Intervals:
    """An interval for each value.

    Parameters
    ----------
    low : numpy.ndarray, (n_units, n_outputs)
        The lower ends; ``(n_units,)`` where they are of one output.
    high : numpy.ndarray, (n_units, n_outputs)
        The upper ends, likewise.
    level : float
        The probability that an interval holds its true value.
    simultaneous : bool
        Whether `level` is the probability that all units of one output are held at once.
    """

    low: FloatArray
    high: FloatArray
    level: float
    simultaneous: bool


@dataclass(frozen=True, eq=False)
class TopUnits:
    """The units with the largest absolute values, and how sure it is that they are those.

    Parameters
    ----------
    units : numpy.ndarray of int, (k, n_outputs)
        The units, the largest absolute value first.
    probability : numpy.ndarray, (n_outputs,)
        The probability, under the errors' distribution, that no other unit's absolute value
        reaches that of one of them; the order among them does not matter.
    level : float
        The level that was asked for.
    """

    units: IntArray
    probability: FloatArray
    level: float

    @property
    def certain(self) -> NDArray[np.bool_]:
        """Say for each output, ``(n_outputs,)``, whether the probability reaches the level."""
        result: NDArray[np.bool_] = self.probability >= self.level
        return result


@dataclass(frozen=True)
class LargestUnits:
    """The units with the largest absolute values for one output.

    Parameters
    ----------
    units : tuple of int
        The units, the largest absolute value first.
    labels : tuple of str
        Their labels.
    probability : float
        The probability that they are the largest, see `TopUnits`.
    level : float
        The level that was asked for.
    """

    units: tuple[int, ...]
    labels: tuple[str, ...]
    probability: float
    level: float

    @property
    def certain(self) -> bool:
        """Say whether the probability reaches the level."""
        return self.probability >= self.level


def check_level(level: float) -> None:
    """Raise an `ArgumentError` where `level` is not between 0 and 1."""
    if isinstance(level, bool) or not isinstance(level, Real) or not 0 < level < 1:
        raise ArgumentError(f"level: expected a number between 0 and 1, got {level!r}")


def check_k(k: int, name: str = "k") -> None:
    """Raise an `ArgumentError` where `k` is not a whole number of at least 1."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ArgumentError(f"{name}: expected a whole number of at least 1, got {k!r}")


def student_quantile(level: float, dof: float | None) -> float:
    """Return the two-sided quantile of Student's t; of the normal distribution without `dof`."""
    upper = 0.5 + level / 2
    return float(stats.norm.ppf(upper) if dof is None else stats.t.ppf(upper, dof))


def freedom_of_regression(n_observations: int, n_units: int) -> tuple[float, float, float]:
    """Return `dof`, `band_dof` and `band_inflation` of a least-squares fit with sandwich errors.

    Residuals that are squared one by one know their variance worse than a pooled one does: a
    third of the observations counts as degrees of freedom, whatever the number of units (many
    games are fitted with fewer observations than units). In joint statements the unit whose error
    is underestimated most decides, so a quarter counts, at least 3 and at most 20, and the
    variance is multiplied by 1 + n / observations. Both rules were chosen on exactly known games,
    of 3 to 50 calls a unit.
    """
    dof = max(n_observations / 3.0, 1.0)
    return dof, min(max(n_observations / 4.0, 3.0), 20.0), 1.0 + n_units / max(n_observations, 1)


def half_widths(
    attribution: Attribution, level: float, *, simultaneous: bool = False
) -> FloatArray:
    """Return half the width of each value's interval, ``(n_units, n_outputs)``.

    Simultaneous ones are by max-t (Hothorn, Bretz & Westfall 2008): the quantile of the largest
    absolute error in standard errors. Where an output's covariance is not known the errors are
    taken for independent, which is conservative (Šidák 1967).

    Raises
    ------
    ArgumentError
        `level` is not between 0 and 1.
    """
    check_level(level)
    pointwise = student_quantile(level, attribution.dof)
    quantiles = np.full(attribution.n_outputs, pointwise)
    if simultaneous and attribution.n_units > 1:
        stretch = np.sqrt(attribution.band_inflation)
        joint = [_max_t(attribution, output, level) for output in range(attribution.n_outputs)]
        quantiles = np.maximum(pointwise, stretch * np.array(joint))
    widths: FloatArray = quantiles * attribution.std_errors
    return widths


def confidence_interval(
    attribution: Attribution, level: float, *, simultaneous: bool = False
) -> Intervals:
    """Return the interval of each value; see `Attribution.confidence_interval`."""
    widths = half_widths(attribution, level, simultaneous=simultaneous)
    values = attribution.values
    return Intervals(values - widths, values + widths, level, simultaneous)


def relative_half_widths(attribution: Attribution, level: float) -> FloatArray:
    """Return the largest half-width over the largest absolute value, ``(n_outputs,)``.

    Half-widths are of pointwise intervals. 0 where all values are exact, infinite where only the
    values are 0.

    Raises
    ------
    ArgumentError
        `level` is not between 0 and 1.
    """
    widths = half_widths(attribution, level).max(axis=0, initial=0.0)
    largest = np.abs(attribution.values).max(axis=0, initial=0.0)
    result: FloatArray = np.divide(
        widths, largest, out=np.where(widths > 0, np.inf, 0.0), where=largest > 0
    )
    return result


def top_k_separated(attribution: Attribution, k: int, level: float) -> NDArray[np.bool_]:
    """Say for each output, ``(n_outputs,)``, whether the k largest units stand apart.

    They do where the simultaneous intervals (max-t, two-sided) of all differences
    ``|φ_i| - |φ_j|``, i among the k largest and j not, lie above 0. Intervals of differences use
    the covariance, so errors that two units share do not count; both signs of φ_j are tried, as a
    small value may have the other sign. Where `k` leaves no unit out the answer is yes.

    Raises
    ------
    ArgumentError
        `level` is not between 0 and 1, or `k` is not a whole number of at least 1.
    """
    check_level(level)
    check_k(k)
    outputs = range(attribution.n_outputs)
    return np.array([_separated(attribution, output, k, level) for output in outputs], dtype=bool)


def top_k(attribution: Attribution, k: int, level: float) -> TopUnits:
    """Return the k units with the largest absolute values; see `Attribution.top_k`."""
    check_level(level)
    tops = [top_of_output(attribution, k, output) for output in range(attribution.n_outputs)]
    units = np.stack([own for own, _ in tops], axis=1)
    return TopUnits(units, np.array([probability for _, probability in tops]), level)


def top_of_output(attribution: Attribution, k: int, output: int) -> tuple[IntArray, float]:
    """Return the k largest units of one output, ``(k,)``, and the probability that they are."""
    check_k(k)
    units = np.argsort(-np.abs(attribution.values[:, output]), kind="stable")[:k]
    return units, _probability_of_top(attribution, output, units)


def _band_dof(attribution: Attribution) -> float | None:
    return attribution.dof if attribution.band_dof is None else attribution.band_dof


def _covariance(attribution: Attribution, output: int) -> FloatArray | None:
    """Return the covariance of one output's errors where it is known and finite."""
    if attribution.covariance is None or not np.isfinite(attribution.covariance[output]).all():
        return None
    covariance: FloatArray = attribution.covariance[output]
    return covariance


def _standard_draws(attribution: Attribution, output: int) -> FloatArray:
    """Return draws ``(DRAWS, n_units)`` of the errors of one output, each in standard errors."""
    generator = np.random.default_rng(0)
    draws = generator.standard_normal((DRAWS, attribution.n_units))
    dof = _band_dof(attribution)
    stretch = 1.0 if dof is None else np.sqrt(generator.chisquare(dof, DRAWS) / dof)[:, None]
    covariance = _covariance(attribution, output)
    if covariance is not None:
        errors = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
        scale = np.divide(1.0, errors, out=np.zeros_like(errors), where=errors > 0)
        eigenvalues, vectors = np.linalg.eigh(covariance * np.outer(scale, scale))
        # The symmetric root does not depend on the eigenvectors' order and signs, which rounding
        # decides.
        draws = draws @ ((vectors * np.sqrt(np.maximum(eigenvalues, 0.0))) @ vectors.T)
    drawn: FloatArray = draws / stretch
    return drawn


def _max_t(attribution: Attribution, output: int, level: float) -> float:
    """Return the quantile of the largest absolute error, in standard errors, of one output."""
    if _covariance(attribution, output) is None:
        each = level ** (1.0 / attribution.n_units)
        return student_quantile(each, _band_dof(attribution))
    return float(np.quantile(np.abs(_standard_draws(attribution, output)).max(axis=1), level))


def _error_draws(attribution: Attribution, output: int) -> FloatArray:
    """Return draws ``(DRAWS, n_units)`` of the errors of one output, as joint statements need."""
    errors = attribution.std_errors[:, output] * np.sqrt(attribution.band_inflation)
    return _standard_draws(attribution, output) * np.where(np.isfinite(errors), errors, 1e150)


def _probability_of_top(attribution: Attribution, output: int, top: IntArray) -> float:
    values = attribution.values[:, output]
    if len(top) == len(values):
        return 1.0
    tie = _TIE * np.abs(values).max()
    errors = attribution.std_errors[:, output]
    drawn = values + _error_draws(attribution, output) if errors.any() else values[None]
    sizes = np.abs(drawn)
    others = np.delete(sizes, top, axis=1).max(axis=1)
    return float(np.mean(sizes[:, top].min(axis=1) > others + tie))


def _separated(attribution: Attribution, output: int, k: int, level: float) -> bool:
    values = attribution.values[:, output]
    order = np.argsort(-np.abs(values), kind="stable")
    top, rest = order[:k], order[k:]
    if not len(rest):
        return True
    signs = np.where(values < 0, -1.0, 1.0)
    tie = _TIE * np.abs(values).max()
    # (k, 2 (n - k)): each of the k against every other unit, as it is and turned round.
    apart = np.abs(values)[top][:, None] - np.concatenate([values[rest], -values[rest]])
    if apart.min() <= tie:
        return False
    errors = attribution.std_errors[:, output]
    if not errors.any():
        return True
    if not np.isfinite(errors).all():
        return False
    draws = _error_draws(attribution, output)
    others = np.concatenate([draws[:, rest], -draws[:, rest]], axis=1)
    largest = np.zeros(len(draws))
    nearest = np.inf
    for unit, differences in zip(top, apart, strict=True):
        moved = signs[unit] * draws[:, [unit]] - others
        size = np.abs(moved).max() or 1.0
        spread = size * np.sqrt(np.mean(np.square(moved / size), axis=0))
        known = spread > tie
        if not known.any():
            continue
        largest = np.maximum(largest, np.abs(moved[:, known] / spread[known]).max(axis=1))
        nearest = min(nearest, float((differences[known] / spread[known]).min()))
    return nearest > float(np.quantile(largest, level))
