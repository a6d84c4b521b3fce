"""A scorer with a bias of known size, to try an audit on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import combinations
from math import comb, isfinite
from typing import Final, Literal

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from perturbx.exceptions import ArgumentError
from perturbx.fairness.labelled_texts import LabelledTexts
from perturbx.fairness.planted_terms import WholeWords, normal_form
from perturbx.typing import FloatArray, TextInput
from perturbx.units.units import Units
from perturbx.units.words import Words

Link = Literal["identity", "logistic"]

_MAX_TOGETHER: Final = 16
"""At most so many words may hang together by terms of several words: 2^n subsets are summed."""

_LARGEST: Final = 50.0
"""The largest effect on the log-odds that is tried."""

_TOLERANCE: Final = 1e-9
"""Beyond the bounds of a probability by less than this is rounding."""


@dataclass(frozen=True)
class PlantedBias:
    """A scorer of texts whose bias is known, because it was put there.

    The score of a text is ``link(base + sum of the weights of its words + sum of the effects of
    its identity terms + noise)``, every occurrence counted. Terms are found as whole words in
    every script, whatever their case, the longest first ("african american" is no "american").
    Calling it gives the probability of the positive class, so it goes wherever a model does.

    Parameters
    ----------
    effects : mapping of str to float
        The effect of each identity term; ``{}`` is the scorer without bias.
    words : mapping of str to float
        The weight of other words.
    base : float, default=0.5
        The score of a text without any of them (its log-odds, with the logistic link).
    link : "identity" or "logistic", default="identity"
        How the sum becomes a probability: as it is, or by 1 / (1 + exp(-sum)).
    noise : float, default=0.0
        Half the width of a uniform deviation that is added to the sum. It is a hash of the text:
        equal texts have equal scores, in every run.
    random_state : int, default=0
        Another one gives other noise.

    Raises
    ------
    ArgumentError
        A weight that is no number, a term that is empty or stands in both mappings.

    Examples
    --------
    >>> model = PlantedBias({"women": -0.1}, words={"great": 0.3})
    >>> model(["Great women!", "Great men!", "womenfolk"]).round(3).tolist()
    [0.7, 0.8, 0.5]
    >>> model.true_gap(["women write", "men write"], ["f", "m"], "m", "f").round(3).item()
    0.1
    """

    effects: Mapping[str, float] = field(default_factory=dict)
    words: Mapping[str, float] = field(default_factory=dict)
    base: float = 0.5
    link: Link = "identity"
    noise: float = 0.0
    random_state: int = 0
    _found: WholeWords = field(init=False, repr=False, compare=False)
    _weights: Mapping[str, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        weights: dict[str, float] = {}
        for name in ("effects", "words"):
            given = dict(getattr(self, name))
            for term, weight in given.items():
                key = normal_form(term) if isinstance(term, str) else ""
                if not key:
                    raise ArgumentError(f"{name}: expected words as keys; got {term!r}")
                if key in weights:
                    raise ArgumentError(f"{name}: {term!r} has a weight already")
                weights[key] = _number(f"{name}[{term!r}]", weight)
            object.__setattr__(self, name, given)
        if self.link not in ("identity", "logistic"):
            raise ArgumentError(f"link: expected 'identity' or 'logistic'; got {self.link!r}")
        _number("base", self.base)
        if _number("noise", self.noise) < 0:
            raise ArgumentError(f"noise: expected a number from 0 on; got {self.noise!r}")
        object.__setattr__(self, "_weights", weights)
        object.__setattr__(self, "_found", WholeWords(weights))

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Return the probability of the positive class ``(n,)`` of each text.

        Raises
        ------
        ArgumentError
            The identity link leaves [0, 1]: the weights are too large for the text.
        """
        sums = self._sums(texts)
        if self.noise:
            sums = sums + self.noise * np.array([self._deviation(text) for text in texts])
        return self._probabilities(sums, texts)

    def true_scores(self, texts: Sequence[str]) -> FloatArray:
        """Return the scores ``(n,)`` as they would be without noise.

        Raises
        ------
        ArgumentError
            As when called.
        """
        return self._probabilities(self._sums(texts), texts)

    def true_gap(
        self, texts: Sequence[str], groups: Sequence[str | None], a: str, b: str
    ) -> np.float64:
        """Return the mean score of group `a` less that of group `b`, without noise.

        Parameters
        ----------
        texts : sequence of str, (n,)
            The texts.
        groups : sequence of (str or None), (n,)
            The group of each.
        a, b : str
            Two of the groups.

        Raises
        ------
        ArgumentError
            Columns of unequal length, or a group without a text.
        """
        if len(texts) != len(groups):
            raise ArgumentError(f"groups: {len(groups)} entries for {len(texts)} texts")
        means = []
        for name, group in (("a", a), ("b", b)):
            theirs = [text for text, g in zip(texts, groups, strict=True) if g == group]
            if not theirs:
                raise ArgumentError(f"{name}: no text of group {group!r}")
            means.append(self.true_scores(theirs).mean())
        return np.float64(means[0] - means[1])

    def true_contributions(self, text: TextInput | Units) -> FloatArray:
        """Return the exact Shapley value ``(n_units,)`` of each word of a text.

        The value of a set of words is ``base`` plus the weights of the terms whose words are all
        kept: a removed word leaves something behind that joins no two others, as a mask token
        does. A term of one word therefore gives that word its weight; those of several words share
        it as in Shapley (1953), "A value for n-person games", by summing over all subsets of the
        words that hang together. With the logistic link the values are those of the log-odds.

        Parameters
        ----------
        text : str or Units
            A text, cut into words as ``units="words"`` does, or its units.

        Raises
        ------
        ArgumentError
            Terms of several words tie more than 16 words together.

        Examples
        --------
        >>> model = PlantedBias({"wheelchair user": -0.2}, words={"kind": 0.1})
        >>> model.true_contributions("A kind wheelchair user.").tolist()
        [0.0, 0.1, -0.1, -0.1]
        """
        units = text if isinstance(text, Units) else Words()(text)
        owner = np.full(len(units.text), -1)
        for (start, stop), unit in zip(units.spans, units.unit_of_span, strict=True):
            owner[start:stop] = unit
        candidates = [
            (start, stop, self._weights[key], frozenset(owner[start:stop].tolist()) - {-1})
            for start, stop, key in self._found.candidates(units.text)
        ]
        values = np.zeros(units.n_units)
        for together in _components([players for *_, players in candidates]):
            members = sorted(together)
            if len(members) > _MAX_TOGETHER:
                raise ArgumentError(
                    f"text: terms tie {len(members)} words together; at most {_MAX_TOGETHER} can "
                    f"be summed over"
                )
            theirs = [c for c in candidates if c[3] & together]
            worth = {
                kept: _worth(theirs, frozenset(kept))
                for size in range(len(members) + 1)
                for kept in combinations(members, size)
            }
            for kept, value in worth.items():
                n, size = len(members), len(kept)
                for unit in members:
                    if unit in kept:
                        values[unit] += value / (n * comb(n - 1, size - 1))
                    else:
                        values[unit] -= value / (n * comb(n - 1, size))
        return values

    def _sums(self, texts: Sequence[str]) -> FloatArray:
        if isinstance(texts, str):
            raise ArgumentError(f"texts: expected a list of str; got the str {texts[:40]!r}")
        return np.array(
            [
                self.base + sum(self._weights[key] for *_, key in self._found.find(text))
                for text in texts
            ],
            dtype=float,
        )

    def _probabilities(self, sums: FloatArray, texts: Sequence[str]) -> FloatArray:
        if self.link == "logistic":
            return np.asarray(expit(sums), dtype=float)
        beyond = np.flatnonzero((sums < -_TOLERANCE) | (sums > 1 + _TOLERANCE))
        if beyond.size:
            row = int(beyond[0])
            raise ArgumentError(
                f"effects, words: they sum to {sums[row]:.3g}, which is no probability, in "
                f"{texts[row][:80]!r}; make them smaller, or take link='logistic'"
            )
        return np.clip(sums, 0, 1)

    def _deviation(self, text: str) -> float:
        """Return a number from -1 to 1 that depends on the text and the seed alone."""
        key = f"{self.random_state}\n{text}".encode("utf-8", "surrogatepass")
        return int.from_bytes(blake2b(key, digest_size=7).digest()) / 2**55 - 1


def planted_scorer(
    labelled_texts: LabelledTexts,
    attribute: str,
    gap: float = 0.1,
    *,
    group: str | None = None,
    words: Mapping[str, float] | None = None,
    base: float | None = None,
    link: Link = "identity",
    noise: float = 0.0,
    random_state: int = 0,
) -> PlantedBias:
    """Return a scorer with a stated gap between one group of an audit set and all others.

    Every identity term of `group` (the column ``term`` of its rows, or the group's own name where
    there is no such column) has the same effect, so chosen that the mean score of the group's texts
    is what it would be without bias, plus `gap`. Where every template is filled for every group, as
    in the audit sets, the gap to each other group is then `gap`, and every difference of two
    texts of a template comes from the terms alone.

    Parameters
    ----------
    labelled_texts : LabelledTexts
        The texts; those without a group of `attribute` are not looked at.
    attribute : str
        One of its attributes.
    gap : float, default=0.1
        How much higher (or lower) the group scores, as a probability.
    group : str, optional
        The group that gets the effect; the first in alphabetical order otherwise.
    words, base, link, noise, random_state
        As in :class:`PlantedBias`; `base` is by default a probability of one half.

    Raises
    ------
    ArgumentError
        The group has no text, its terms are in none of its texts, or no effect gives that gap.

    Examples
    --------
    >>> data = LabelledTexts(
    ...     ["A woman wrote this.", "A man wrote this."],
    ...     groups={"gender": ["female", "male"]},
    ...     extra={"term": ["woman", "man"]},
    ... )
    >>> model = planted_scorer(data, "gender", gap=-0.2)
    >>> model.effects
    {'woman': -0.2}
    >>> model.true_gap(data.texts, data.groups_of("gender"), "female", "male").round(3).item()
    -0.2
    """
    groups = labelled_texts.groups_of(attribute)
    names = labelled_texts.group_names(attribute)
    if len(names) < 2:
        raise ArgumentError(f"attribute: {attribute!r} has {len(names)} groups; two are needed")
    group = names[0] if group is None else group
    if group not in names:
        raise ArgumentError(f"group: expected one of {', '.join(names)}; got {group!r}")
    theirs = [row for row, name in enumerate(groups) if name == group]
    column = labelled_texts.extra.get("term", groups)
    terms = sorted({str(column[row]) for row in theirs})
    texts = [labelled_texts.texts[row] for row in theirs]
    start = (0.0 if link == "logistic" else 0.5) if base is None else base

    def scorer(effect: float) -> PlantedBias:
        effects = dict.fromkeys(terms, effect)
        return PlantedBias(
            effects, words or {}, base=start, link=link, noise=noise, random_state=random_state
        )

    plain = scorer(0.0)._sums(texts)
    n_found = scorer(1.0)._sums(texts) - plain
    if not n_found.sum() > 0.5:
        raise ArgumentError(f"labelled_texts: none of {terms[:5]} is a word of a {group} text")
    if link == "identity":
        model = scorer(_number("gap", gap) / float(n_found.mean()))
    else:
        model = scorer(_logistic_effect(plain, n_found, _number("gap", gap)))
    model([text for text, name in zip(labelled_texts.texts, groups, strict=True) if name])
    return model


def _logistic_effect(plain: FloatArray, n_found: FloatArray, gap: float) -> float:
    """Return the effect that moves the mean probability by `gap`; the mean grows with it."""

    def beyond(effect: float) -> float:
        return float(expit(plain + effect * n_found).mean() - expit(plain).mean()) - gap

    if not beyond(-_LARGEST) < 0 < beyond(_LARGEST):
        raise ArgumentError(f"gap: no effect of the terms moves the mean probability by {gap:.3g}")
    return float(brentq(beyond, -_LARGEST, _LARGEST, xtol=1e-12))


def _worth(
    candidates: Sequence[tuple[int, int, float, frozenset[int]]], kept: frozenset[int]
) -> float:
    """Return the weights of the terms found, from left to right, among the words kept."""
    total, position = 0.0, 0
    for start, stop, weight, players in candidates:
        if start >= position and players <= kept:
            total, position = total + weight, stop
    return total


def _components(sets: Sequence[frozenset[int]]) -> list[frozenset[int]]:
    components: list[frozenset[int]] = []
    for players in sets:
        joined = players.union(*(c for c in components if c & players))
        components = [c for c in components if not c & players]
        components += [joined] if joined else []
    return components


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
        raise ArgumentError(f"{name}: expected a number; got {value!r}")
    if not isfinite(value):
        raise ArgumentError(f"{name}: expected a finite number; got {value!r}")
    return float(value)
