"""Games whose Shapley values are known to the last digit, by family.

| family | units | the game | its exact values |
|---|---|---|---|
| sentiment14, resnet14, vit16 | 14, 14, 16 | a sentiment model, two image models | all coalitions |
| words12 | 12 | words of SST-2 sentences, log-odds of a MiniLM classifier | all coalitions |
| network60 | 60 | a sigmoid of a sum of small integer weights | dynamic programming |
| planted | 20 to 30 | a sum of AND, OR and XOR terms of few units | closed form |
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import comb, factorial
from pathlib import Path

import numpy as np
from known_sentences import KnownSentence, exact_shapley
from workload import Workload, note

from perturbx.units.units import Units

FAMILIES = ("sentiment14", "resnet14", "vit16", "words12", "network60", "planted")
N_WORDS = 12


@dataclass(frozen=True)
class KnownGame:
    """A set function and its Shapley values.

    Parameters
    ----------
    name : str
        The family and a number.
    n_units : int
        The number of players.
    shapley : numpy.ndarray, (n_units,)
        Its exact Shapley values.
    value_of : callable
        From masks ``(m, n_units)`` of bool to ``(m,)`` values.
    """

    name: str
    n_units: int
    shapley: np.ndarray
    value_of: Callable[[np.ndarray], np.ndarray]

    def asked(self) -> Asked:
        """Return the game for one run, nothing asked yet."""
        return Asked(self)


@dataclass
class Asked:
    """A game that counts what it is asked."""

    game: KnownGame
    calls: int = 0
    seen: set[bytes] = field(default_factory=set)

    @property
    def n_units(self) -> int:
        """The number of players."""
        return self.game.n_units

    def __call__(self, masks: np.ndarray) -> np.ndarray:
        """Return the value of each row of zeros and ones."""
        kept = np.asarray(masks).reshape(-1, self.n_units) > 0.5
        self.calls += len(kept)
        self.seen.update(row.tobytes() for row in np.packbits(kept, axis=1))
        return self.game.value_of(kept)


def games_of(family: str, most: int, shared: Path, cache: Path | None) -> list[KnownGame]:
    """Return at most so many games of a family; none where its data is missing.

    Parameters
    ----------
    family : str
        One of `FAMILIES`.
    most : int
        The number of games, 15 of a family at most where they come from files.
    shared : pathlib.Path
        The folder of shared data.
    cache : pathlib.Path, optional
        The folder that keeps the enumerated sentences; None: they are scored anew.
    """
    makers: dict[str, Callable[[], Iterator[KnownGame]]] = {
        "words12": lambda: _words(most, shared, cache),
        "network60": lambda: (network(seed) for seed in range(most)),
        "planted": lambda: (planted(seed) for seed in range(most)),
    }
    return list(makers.get(family, lambda: _stored(family, most, shared))())


def tabulated(name: str, values: np.ndarray) -> KnownGame:
    """Return the game of a table ``(2 ** n_units,)``, unit u being bit u of the index."""
    n_units = len(values).bit_length() - 1
    bits = 1 << np.arange(n_units)
    return KnownGame(name, n_units, exact_shapley(values), lambda kept: values[kept @ bits])


def network(seed: int, n_units: int = 60) -> KnownGame:
    """Return a sigmoid of a sum of integer weights, with values by dynamic programming.

    The Shapley value of a unit is the mean over sizes s of E[f(t + w) - f(t)], t the sum of the
    weights of s other units drawn at random; the distribution of (s, t) takes one pass over the
    other units, and units of one weight share their value.
    """
    rng = np.random.default_rng([60, seed])
    weights = rng.integers(-3, 4, n_units)
    # Half of the units sum up to some -14 to 14: curved, but not a step.
    shift = rng.uniform(-4.0, 4.0)

    def output(total: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(-(total + shift) / 5.0))

    worth = {
        int(weight): _value_of_weight(weights, int(weight), output) for weight in np.unique(weights)
    }
    return KnownGame(
        f"network60_{seed + 1}",
        n_units,
        np.array([worth[int(weight)] for weight in weights]),
        lambda kept: output(kept.astype(float) @ weights),
    )


def _value_of_weight(
    weights: np.ndarray, weight: int, output: Callable[[np.ndarray], np.ndarray]
) -> float:
    others = list(weights)
    others.remove(weight)
    least, most = sum(w for w in others if w < 0), sum(w for w in others if w > 0)
    ways = np.zeros((len(others) + 1, most - least + 1))
    ways[0, -least] = 1.0
    for other in others:
        ways[1:] += np.roll(ways, other, axis=1)[:-1]
    totals = np.arange(least, most + 1)
    gains = output(totals + weight) - output(totals)
    in_all = np.array([float(comb(len(others), size)) for size in range(len(others) + 1)])
    return float((ways @ gains / in_all).mean())


@dataclass(frozen=True)
class Term:
    """A weight times a logical function of few units.

    Parameters
    ----------
    kind : {"and", "or", "xor"}
        Whether all literals are true, any of them, or an odd number of units is kept.
    kept, removed : numpy.ndarray of int
        Units whose literal is "is kept" or "is removed" (none of the latter with "xor").
    """

    kind: str
    weight: float
    kept: np.ndarray
    removed: np.ndarray

    def __call__(self, masks: np.ndarray) -> np.ndarray:
        """Return the value of each row."""
        literals = np.column_stack([masks[:, self.kept], ~masks[:, self.removed]])
        if self.kind == "xor":
            return self.weight * (literals.sum(axis=1) % 2)
        return self.weight * (literals.all(axis=1) if self.kind == "and" else literals.any(axis=1))

    def shapley(self, n_units: int) -> np.ndarray:
        """Return its Shapley values.

        AND of a kept and b removed units: in a random order a kept one counts when it comes last
        of its kind and before all others, (a - 1)! b! / (a + b)!, and a removed one, with the
        sign turned, when it comes first of its kind and after all others. OR is one minus the
        AND of the opposite literals. XOR is ½ - ½χ_T: 1 / |T| each for odd |T|, else nothing.
        """
        values = np.zeros(n_units)
        a, b = len(self.kept), len(self.removed)
        if self.kind == "xor":
            values[self.kept] = self.weight / a if a % 2 else 0.0
            return values
        if self.kind == "or":
            opposite = Term("and", -self.weight, self.removed, self.kept)
            return opposite.shapley(n_units)
        if a:
            values[self.kept] = self.weight * factorial(a - 1) * factorial(b) / factorial(a + b)
        if b:
            values[self.removed] = -self.weight * factorial(a) * factorial(b - 1) / factorial(a + b)
        return values


def planted(seed: int) -> KnownGame:
    """Return a sum of terms of one to four of 20 to 30 units: two in five AND, as many OR."""
    rng = np.random.default_rng([20, seed])
    n_units = int(rng.integers(20, 31))
    terms = []
    for _ in range(n_units):
        kind = str(rng.choice(["and", "or", "xor"], p=[0.4, 0.4, 0.2]))
        units = rng.choice(n_units, rng.integers(1, 5), replace=False)
        is_removed = (rng.random(len(units)) < 0.25) & (kind != "xor")
        terms.append(Term(kind, float(rng.normal()), units[~is_removed], units[is_removed]))
    return KnownGame(
        f"planted_{seed + 1}",
        n_units,
        np.sum([term.shapley(n_units) for term in terms], axis=0),
        lambda masks: np.sum([term(masks) for term in terms], axis=0),
    )


def _stored(family: str, most: int, shared: Path) -> Iterator[KnownGame]:
    paths = (shared / "data" / "games").glob(f"{family}_*.npz")
    for path in sorted(paths, key=lambda path: int(path.stem.rpartition("_")[2]))[:most]:
        with np.load(path) as file:
            masks, values = file["coalitions"], file["values"]
        order = np.argsort(masks @ (1 << np.arange(masks.shape[1])))
        yield tabulated(path.stem, values[order].astype(float))


def _words(most: int, shared: Path, cache: Path | None) -> Iterator[KnownGame]:
    model = shared / "models" / "minilm-sst2" / "model.safetensors"
    if not (model.is_file() and (shared / "data" / "sst2" / "test.tsv").is_file()):
        return
    workload = Workload.load(shared)
    sentences = sorted(
        workload.with_words(N_WORDS, N_WORDS), key=lambda units: not workload.is_plain(units)
    )
    for number, units in enumerate(sentences[:most], start=1):
        yield tabulated(f"words12_{number}", _log_odds(units, workload, model, cache))


def _log_odds(units: Units, workload: Workload, model: Path, cache: Path | None) -> np.ndarray:
    """Return the log-odds of all maskings, from the cache where they are there."""
    key = f"{units.text}\x00{units.spans}\x00{model.parent.name}\x00{model.stat().st_size}"
    digest = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
    path = None if cache is None else cache / f"words{units.n_units}-{digest}.npy"
    if path is not None and path.is_file():
        return np.load(path)
    note(f"all {2**units.n_units:,} maskings of {units.text!r}")
    values = KnownSentence.ask(units, workload).log_odds
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, values)
    return values
