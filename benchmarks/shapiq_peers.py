"""Every approximator of the installed shapiq that estimates Shapley values, found by asking shapiq.

A class tells the indices that it estimates. Shapley values are "SV"; they are also what the Shapley
interaction index ("SII", "kADD-SHAP") gives to single players. Classes that promise none of these
are left out, and so are those that return the same numbers as another one.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from known_sentences import relative_error
from workload import all_masks

PROBE_UNITS = 10
PROBE_CALLS = 200


class Countable(Protocol):
    """A set function that knows the number of its players."""

    @property
    def n_units(self) -> int:
        """The number of players."""

    def __call__(self, masks: np.ndarray) -> np.ndarray:
        """Return a value a row."""


@dataclass(frozen=True)
class ShapiqPeer:
    """One approximator with its options.

    Parameters
    ----------
    name : str
        The class, and the options that tell it from its siblings.
    class_name : str
        The class in ``shapiq.approximator``.
    options : dict
        What its constructor gets beside the number of players and the seed.
    """

    name: str
    class_name: str
    options: dict[str, Any]

    def __call__(self, game: Countable, budget: int, seed: int) -> np.ndarray:
        """Return the estimate of order 1 from so many calls."""
        import shapiq.approximator

        make = getattr(shapiq.approximator, self.class_name)
        approximator = make(n=game.n_units, random_state=seed, **self.options)
        return np.asarray(approximator.approximate(budget, game).get_n_order_values(1), dtype=float)


def discover() -> tuple[list[ShapiqPeer], dict[str, str]]:
    """Return the estimators that differ from each other, and why each other one is left out."""
    import shapiq.approximator

    game = Probe()
    found: list[ShapiqPeer] = []
    estimates: list[np.ndarray] = []
    skipped: dict[str, str] = {}
    classes = {name: getattr(shapiq.approximator, name) for name in shapiq.approximator.__all__}
    # The more special a class, the more telling its name: it goes before its generalizations.
    special = sorted(classes, key=lambda name: len(_indices(classes[name])))
    for class_name in special:
        approximator = classes[class_name]
        if not inspect.isclass(approximator):
            continue
        if not _indices(approximator) & {"SV", "SII", "kADD-SHAP"}:
            promised = ", ".join(sorted(_indices(approximator)))
            skipped[f"shapiq {class_name}"] = f"estimates no Shapley values but {promised}"
            continue
        for peer in _ways_to_ask(class_name, approximator):
            estimate = _few_calls(peer, game)
            same = [i for i, other in enumerate(estimates) if _equal(other, estimate)]
            if same:
                skipped[peer.name] = f"returns the same numbers as {found[same[0]].name}"
                continue
            found.append(peer)
            estimates.append(estimate)
    return found, skipped


class Probe:
    """Conjunctions of one to six units: a game with odd and even interactions."""

    def __init__(self) -> None:
        masks = all_masks(PROBE_UNITS)
        self.n_units = PROBE_UNITS
        self.values = 6.0 * masks[:, :6].all(axis=1) - 4.0 * masks[:, 4:8].all(axis=1)
        self.values += 2.0 * masks[:, 6:8].all(axis=1) + masks[:, 8] - 0.5 * masks[:, 9]

    def __call__(self, masks: np.ndarray) -> np.ndarray:
        """Return a value a row."""
        kept = np.asarray(masks).reshape(-1, self.n_units) > 0.5
        return self.values[kept @ (1 << np.arange(self.n_units))]


def _indices(approximator: Any) -> set[str]:
    return set(getattr(approximator, "valid_indices", ()))


def _ways_to_ask(class_name: str, approximator: Any) -> Iterator[ShapiqPeer]:
    """Yield the class with order 1, without and with pairs; regressions at their own order, too.

    Where nothing is regressed, a higher order only takes calls from order 1.
    """
    parameters = inspect.signature(approximator).parameters
    indices = _indices(approximator)
    first: dict[str, Any] = {}
    if "max_order" in parameters:
        first["max_order"] = 1
    if "index" in parameters:
        first["index"] = "SV" if "SV" in indices else "SII"
    choices = [first]
    usual = parameters["max_order"].default if "max_order" in parameters else None
    regresses = "sampling_weights" in parameters
    if regresses and usual not in (None, 1, inspect.Parameter.empty):
        if "SII" in indices:
            choices.append({"max_order": usual, "index": "SII"})
        elif "kADD-SHAP" in indices:
            choices.append({"max_order": usual})
    if "pairing_trick" in parameters:
        choices += [{**options, "pairing_trick": True} for options in choices]
    for options in choices:
        shown = [f"order {options['max_order']}"] if options.get("max_order", 1) > 1 else []
        shown += ["paired"] if "pairing_trick" in options else []
        yield ShapiqPeer(", ".join([f"shapiq {class_name}", *shown]), class_name, options)


def _few_calls(peer: ShapiqPeer, game: Probe) -> np.ndarray:
    """Return an estimate that tells peers apart; NaN where they want more calls than that."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return peer(game, PROBE_CALLS, 0)
    except ValueError:
        return np.full(game.n_units, np.nan)


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return relative_error(one, other) < 1e-12
