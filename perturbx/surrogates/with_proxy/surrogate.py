"""`WithProxy`: odd_gp, and beside it a cheap scorer as far as the paid scores speak for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import softmax

from perturbx.exceptions import SurrogateError
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.fit_quality import LEAST_GROUPS
from perturbx.surrogates.inclusion import holds_all
from perturbx.surrogates.odd_gp import OddGP
from perturbx.surrogates.odd_gp.odd_part import OddPart, check_pairs, odd_part
from perturbx.surrogates.surrogate import BatchSurrogate
from perturbx.surrogates.with_proxy.evidence import log_evidence
from perturbx.surrogates.with_proxy.games import (
    NAME,
    ROUNDING,
    Candidate,
    Game,
    between,
    calibrated,
    columns_of,
    rows_of,
    size_of,
)
from perturbx.typing import FloatArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

PLAIN_SHARES = (-1.25, -1.0, -0.75, -0.5, -0.25, 0.25, 0.5, 0.75, 1.0, 1.25)
"""What is taken off of the proxy brought to the size and the sign of the scores. The sign was read
off few of them, so the other one has the same shares, and chance alone speaks for either."""

CALIBRATED_SHARES = (0.25, 0.5, 0.75, 1.0, 1.25)
"""What is taken off of the calibrated proxy; its sign is right already."""

LOG_PRIORS = (np.log(0.5), np.log(0.25), np.log(0.25) - 2.0)
"""Of no proxy, of the proxy as it is, and of the calibrated one. The last pays for what its
calibration learned from the very scores that are to be predicted: without that, a proxy that has
nothing to do with the game cost up to 25% at 2 calls a unit."""

TEMPER = 0.5
"""Power of the evidence: neither measure of it is exact, and the shares are an average anyway."""

DOUBT = 4.0
"""Taken off the log-likelihood of every share where there are too few pairs to leave any out."""

INFLATION = 1.0
"""Variances are multiplied by 1 + INFLATION n / P where the proxy is used: its weight and its
calibration were chosen by the same pairs."""


@dataclass(frozen=True, eq=False)
class ProxyAttribution(Attribution):
    """An attribution that tells what the proxy was worth.

    Parameters
    ----------
    proxy_probability : numpy.ndarray, (n_outputs,)
        The posterior probability that the proxy has a weight other than 0.
    proxy_weight : numpy.ndarray, (n_outputs,)
        The posterior mean of the weight: 0 where the proxy tells nothing, 1 where the scores
        follow it in full once it is brought to their scale (turned round where it falls as they
        rise, as the only column of a proxy does for the other label).
    """

    proxy_probability: FloatArray | None = None
    proxy_weight: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class WithProxy(BatchSurrogate):
    """Shapley values by `OddGP`, with the scores of a cheaper model as a control variate.

    A proxy u (a small local model) plays the same game as the model v that is paid for, and its
    scores cost nothing, so its Shapley values are known (almost) exactly. A share ρ of it is taken
    off the scores, `OddGP` is fitted to what is left, and the proxy's own values are put back::

        φ(v) = ρ φ(u) + φ_odd_gp(v - ρu)

    for some ρ, 0 among them, of the proxy brought to the size of the scores, and of the proxy
    calibrated by a cubic. They are averaged, weighted by how well they explain the paid scores:
    a proxy that shares the interactions of the game saves calls, one that does not gets no weight,
    and one that falls as the scores rise is as good as one that rises with them.

    Parameters
    ----------
    proxy : ScoreTable
        The proxy's scores of one text: of every mask that is fitted, and of many more. All
        ``2 ** n_units`` or 40 pairs of complements a unit do; with 20, the error of the proxy's
        own values is what limits a good one. One column serves all outputs; several are matched by
        name, or by position where there are as many as outputs.

    Raises
    ------
    SurrogateError
        The proxy's scores are not finite, or, at a fit, do not hold a mask of the table, or are
        of other units or outputs.

    Notes
    -----
    ρ = 0 has the prior probability ½. The logarithm of a ρ's likelihood is half of the smaller of
    two: the marginal likelihood of the isotropic process
    (`perturbx.surrogates.with_proxy.evidence`), and -½P log Q, with Q the sum of the squared errors
    of `OddGP` for pairs left out, for P pairs (with fewer than five, the first alone, and with
    doubt). Both must speak for a proxy: the first does not know which units the relevance process
    has learned, the second is noise where pairs are few. The covariance holds that of each fit, ρ²
    times that of φ(u), and the spread between the fits, as in model averaging (Hoeting et al.
    1999), times 1 + pn/P, where p is the probability of a proxy. What a calibrated proxy is worth
    beyond the scores that were paid for is open: its values are half way between those of a curve
    that is constant there and of one that goes on in a straight line, and half of their difference
    is in the errors. `r2` is a share of the game's own odd part. With all coalitions the values are
    exact and the proxy is not asked.

    Correlated games of several fidelities: Kennedy & O'Hagan, "Predicting the output from a
    complex computer code when fast approximations are available", 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> masks = np.array([[s >> unit & 1 for unit in range(5)] for s in range(32)], bool)
    >>> scores = np.where(masks[:, :1], masks[:, 1:2], masks[:, 2:3] & masks[:, 3:4]) + 0.0
    >>> proxy = ScoreTable(masks, 3.0 * scores + 1.0, ("small",))
    >>> paid = ScoreTable(masks, scores, ("large",)).rows([0, 31, 1, 30, 2, 29, 4, 27, 9, 22])
    >>> fitted = WithProxy(proxy).fit([paid])[0]
    >>> fitted.values.ravel().round(2)
    array([0.17, 0.5 , 0.17, 0.17, 0.  ])
    """

    name: ClassVar[str] = NAME
    proxy: ScoreTable

    def __post_init__(self) -> None:
        broken = ~np.isfinite(self.proxy.scores).all(axis=1)
        if broken.any():
            raise SurrogateError(
                f"proxy: {int(broken.sum())} of the {len(self.proxy)} rows of its scores are not "
                f"finite, the first of them row {int(np.argmax(broken))}"
            )

    def check(self, table: ScoreTable) -> None:
        """Raise a `SurrogateError` where the table or the proxy lacks what is needed."""
        check_pairs(table, self.name)
        columns_of(self.proxy, table)
        rows_of(self.proxy, table)

    def fit_alike(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return the attributions of tables with the same numbers of units and outputs."""
        return [self._fit(table) for table in tables]

    def _fit(self, table: ScoreTable) -> Attribution:
        if holds_all(table):
            (exact,) = OddGP().fit_alike([table])
            none = np.zeros(table.n_outputs)
            return _with_weights(replace(exact, method=self.name), none, none)
        candidates = self._candidates(table)
        rows = rows_of(self.proxy, table)
        left = [candidate.taken_off(table, rows) for candidate in candidates]
        fits = [
            candidate.put_back(fit)
            for candidate, fit in zip(candidates, OddGP().fit_alike(left), strict=True)
        ]
        parts = [odd_part(one, self.name) for one in left]
        errors = _Errors.of(parts, fits)
        weights = _weights(parts, errors, np.array([c.log_prior for c in candidates]))
        mean = _average(fits, weights, per_pair=table.n_units / len(parts[0]))
        mean = _with_quality(mean, errors, weights)
        shares = np.array([candidate.share for candidate in candidates])
        return _with_weights(replace(mean, method=self.name), 1.0 - weights[0], shares @ weights)

    def _candidates(self, table: ScoreTable) -> list[Candidate]:
        """Return nothing, then the shares of the proxy as it is and calibrated."""
        columns, rows = columns_of(self.proxy, table), rows_of(self.proxy, table)
        plain = Game.of(self.proxy, columns)
        plain = plain.times(size_of(table, plain.scores[rows]))
        found = [Candidate(None, 0.0, LOG_PRIORS[0])]
        level, line = calibrated(plain, table, rows)
        games = [game.table(self.proxy, table.output_names) for game in (plain, level, line)]
        of_plain, of_level, of_line = OddGP().fit_alike(games)
        for game, of_game, shares, prior in (
            (plain, of_plain, PLAIN_SHARES, LOG_PRIORS[1]),
            (level, between(of_level, of_line), CALIBRATED_SHARES, LOG_PRIORS[2]),
        ):
            each = prior - np.log(len(shares))
            found += [Candidate(game, share, each, of_game) for share in shares]
        return found


@dataclass(frozen=True, eq=False)
class _Errors:
    """Squares, added up over all pairs but the ends, ``(n_candidates, n_outputs)`` each.

    Of the odd values, of what `OddGP` leaves of them where they are left out, and of their noise.
    """

    values: FloatArray
    left: FloatArray
    noise: FloatArray

    @classmethod
    def of(cls, parts: Sequence[OddPart], fits: Sequence[Attribution]) -> _Errors:
        """Return those of the fits; a fit of little but noise predicts nothing."""
        values = np.stack([np.square(part.values * part.scale)[1:].sum(axis=0) for part in parts])
        noise = np.stack([(part.noise * part.scale**2)[1:].sum(axis=0) for part in parts])
        left = values.copy()
        for own, fit, total, known in zip(left, fits, values, noise, strict=True):
            if fit.r2_by_output is not None:
                own[:] = (1.0 - fit.r2_by_output) * (total - known) + known
        return cls(values, left, noise)


def _weights(parts: Sequence[OddPart], errors: _Errors, log_prior: FloatArray) -> FloatArray:
    """Return the posterior weights ``(n_candidates, n_outputs)``."""
    first = parts[0]
    unit = np.where(first.scale > 0, first.scale, 1.0)
    columns = np.stack([part.values * part.scale / unit for part in parts], axis=2)
    likelihood = np.stack(
        [
            log_evidence(first.masks, columns[:, output], first.noise[:, output])
            for output in range(len(unit))
        ],
        axis=1,
    )
    spoken_for = likelihood - likelihood[0]
    if len(first) > LEAST_GROUPS:
        whole = np.where(errors.values[0] > 0, errors.values[0], 1.0)
        prediction = -0.5 * len(first) * np.log(np.maximum(errors.left / whole, ROUNDING**2))
        spoken_for = np.minimum(spoken_for, prediction - prediction[0])
    else:
        spoken_for[1:] -= DOUBT
    logs = TEMPER * spoken_for + log_prior[:, None]
    # A proxy without an odd part (a constant) takes nothing off.
    changes = np.abs(columns - columns[..., :1]).max(axis=0).T > ROUNDING
    changes[0] = True
    weights: FloatArray = softmax(np.where(changes, logs, -np.inf), axis=0)
    return weights


def _average(fits: Sequence[Attribution], weights: FloatArray, per_pair: float) -> Attribution:
    """Return the weighted mean of the candidates, with the spread between them in its errors."""
    values = np.stack([fit.values for fit in fits])
    mean = np.einsum("ck,cnk->nk", weights, values)
    off = values - mean
    inflation = 1.0 + INFLATION * per_pair * (1.0 - weights[0])
    variance = np.stack([np.square(fit.std_errors) for fit in fits]) + np.square(off)
    covariance = None
    if fits[0].covariance is not None:
        own = np.stack([fit.covariance for fit in fits if fit.covariance is not None])
        covariance = np.einsum("ck,cknm->knm", weights, own)
        covariance = covariance + np.einsum("ck,cnk,cmk->knm", weights, off, off)
        covariance = covariance * inflation[:, None, None]
    return replace(
        fits[0],
        values=mean,
        std_errors=np.sqrt(np.einsum("ck,cnk->nk", weights, variance) * inflation),
        covariance=covariance,
    )


def _with_quality(fit: Attribution, errors: _Errors, weights: FloatArray) -> Attribution:
    """Return the fit with R² of its own; noise is left out of account, as `OddGP` does."""
    left = (weights * np.maximum(errors.left - errors.noise, 0.0)).sum(axis=0)
    signal = errors.values[0] - errors.noise[0]
    if fit.r2_by_output is None or not (signal > 0).any():
        return fit
    share = 1.0 - left / np.where(signal > 0, signal, 1.0)
    return replace(
        fit,
        r2_by_output=np.where(signal > 0, share, fit.r2_by_output),
        r2=1.0 - float(left.sum() / signal.sum()),
    )


def _with_weights(fit: Attribution, probability: FloatArray, weight: FloatArray) -> Attribution:
    own = {field.name: getattr(fit, field.name) for field in fields(Attribution)}
    return ProxyAttribution(**own, proxy_probability=probability, proxy_weight=weight)
