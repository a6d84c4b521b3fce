"""A function of a list of texts, as a scorer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx.exceptions import ArgumentError
from perturbx.scorers.outputs import checked, checked_names, default_names, texts_of
from perturbx.scorers.scores import Scores
from perturbx.typing import InputKind, ScoreKind

if TYPE_CHECKING:
    from perturbx.maskers.variants import Variants


class CallableScorer:
    """Any function of a list of texts.

    Parameters
    ----------
    function : callable
        Takes a list of str (or of (str, str) where pairs are explained) and returns a number for
        each, ``(m,)``, or a row of numbers, ``(m, n_outputs)``: a numpy array, a list, a torch
        tensor, a scipy sparse matrix, a pandas object. What it raises passes through untouched.
    output_names : sequence of str, optional
        A name per output; "output" for a single one and "0", "1", ... for several otherwise.
    name : str, optional
        A name for the record; the function's own otherwise.

    Examples
    --------
    >>> from perturbx.maskers.variants import Variants
    >>> scorer = CallableScorer(lambda texts: [len(text) for text in texts])
    >>> scorer.score(Variants(texts=["good", "not good"])).values
    array([[4.],
           [8.]])
    >>> scorer.output_names
    ('output',)
    """

    accepts: tuple[InputKind, ...] = ("text",)
    kind: ScoreKind = "value"
    exclusive: bool = True

    def __init__(
        self,
        function: Callable[[list[Any]], Any],
        *,
        output_names: Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:
        if not callable(function) or inspect.isclass(function):
            raise ArgumentError(f"function: expected a function of a list of str, got {function!r}")
        if inspect.iscoroutinefunction(function):
            raise ArgumentError(
                f"function: {_name(function)} is asynchronous; expected a plain function (wrap "
                f"it: lambda texts: asyncio.run(function(texts)))"
            )
        self.function = function
        self.model_id = _name(function) if name is None else name
        self._given_names = checked_names(output_names)
        self._n_outputs: int | None = None

    @property
    def output_names(self) -> tuple[str, ...] | None:
        """Return a name per output; None before the first score where none were given."""
        if self._given_names is not None or self._n_outputs is None:
            return self._given_names
        return default_names(self._n_outputs)

    def score(self, variants: Variants) -> Scores:
        """Return one row of numbers per variant.

        Raises
        ------
        ScoringError
            If the function returns something that is no score for each text.
        ArgumentError
            If there are not as many `output_names` as outputs.
        """
        texts = texts_of(variants, self.model_id)
        if not texts:
            return Scores(np.empty((0, self._n_outputs or 0)))
        answer = self.function(list(texts))
        values = checked(answer, len(texts), self._n_outputs, source=self.model_id)
        checked_names(self._given_names, values.shape[1])
        self._n_outputs = values.shape[1]
        return Scores(values, kind=self.kind)

    def __repr__(self) -> str:
        return f"CallableScorer({self.model_id})"


def _name(function: Any) -> str:
    inner = getattr(function, "func", function)  # a functools.partial is known by what it wraps
    return str(getattr(inner, "__qualname__", type(inner).__qualname__))
