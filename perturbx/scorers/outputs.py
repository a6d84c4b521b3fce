"""What every scorer checks about the numbers that come out of a model, and their names."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from perturbx.exceptions import ArgumentError, CapabilityError, ScoringError
from perturbx.typing import ScoreMatrix, TextInput

if TYPE_CHECKING:
    from perturbx.maskers.variants import Variants


def checked(
    values: Any,
    n_rows: int,
    n_outputs: int | None = None,
    *,
    source: str = "the model",
) -> ScoreMatrix:
    """Return a model's answer as a float64 matrix, or say what is wrong with it.

    Numbers that are not finite pass: a batch with one of them has other rows that were paid for.
    `require_finite` tells of them once those are safe.

    Parameters
    ----------
    values : array-like, (n_rows,) or (n_rows, n_outputs)
        Whatever came back: an array, a list, a torch tensor, a sparse matrix, a data frame.
    n_rows : int
        Number of inputs that were asked about.
    n_outputs : int, optional
        Number of outputs; any number where it is not known yet.
    source : str
        Who answered, for the messages.

    Returns
    -------
    numpy.ndarray of float64, (n_rows, n_outputs)
        A copy: a function that fills the same buffer on every call does no harm.

    Raises
    ------
    ScoringError
        If the values are ragged or not numbers, or if there are not as many rows or outputs as
        expected.

    Examples
    --------
    >>> checked([1, 0.5], 2)
    array([[1. ],
           [0.5]])
    """
    matrix = _as_floats(values, source)
    if matrix.ndim == 0 and n_rows == 1:
        matrix = matrix[None]
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2 or len(matrix) != n_rows:
        raise ScoringError(
            f"{source}: was asked about {n_rows} inputs at once and must return {n_rows} numbers, "
            f"or {n_rows} rows of numbers; got {_described(values)}"
        )
    if matrix.shape[1] == 0:
        raise ScoringError(f"{source}: returned no outputs: {_described(values)}")
    if n_outputs is not None and matrix.shape[1] != n_outputs:
        raise ScoringError(
            f"{source}: returned {matrix.shape[1]} outputs where {n_outputs} were expected; a "
            f"model must return the same outputs on every call"
        )
    return matrix


def require_finite(
    values: ScoreMatrix, source: str = "the model", texts: Sequence[TextInput] | None = None
) -> None:
    """Raise if a score is NaN or infinite.

    Parameters
    ----------
    values : numpy.ndarray of float64, (n_rows, n_outputs)
        The scores.
    source : str
        Who answered, for the message.
    texts : sequence of str or of (str, str), optional
        What was asked, for the message.

    Raises
    ------
    ScoringError
        The message names the first such score and its text.

    Examples
    --------
    >>> require_finite(np.array([[0.2, np.nan]]), texts=["so good"])
    Traceback (most recent call last):
    perturbx.exceptions.ScoringError: the model: returned nan in output 1 for the text 'so good'; \
every score must be a finite number
    """
    broken = np.argwhere(~np.isfinite(values))
    if len(broken):
        row, output = broken[0]
        asked = f"row {row}" if texts is None else f"the text {_shortened(texts[row])}"
        raise ScoringError(
            f"{source}: returned {values[row, output]} in output {output} for {asked}; every "
            f"score must be a finite number"
        )


def default_names(n_outputs: int) -> tuple[str, ...]:
    """Return names for outputs that have none: "output" for a single one, else "0", "1", ...

    Examples
    --------
    >>> default_names(1), default_names(3)
    (('output',), ('0', '1', '2'))
    """
    return ("output",) if n_outputs == 1 else tuple(map(str, range(n_outputs)))


def checked_names(
    output_names: Sequence[str] | None, n_outputs: int | None = None
) -> tuple[str, ...] | None:
    """Return the user's names as a tuple, or None where none were given.

    Raises
    ------
    ArgumentError
        If they are not distinct strings, or not `n_outputs` of them where that is known.
    """
    if output_names is None:
        return None
    are_names = isinstance(output_names, Iterable) and not isinstance(output_names, str)
    if not are_names or not all(isinstance(name, str) for name in output_names):
        raise ArgumentError(
            f"output_names: expected a sequence of strings, one per output; got {output_names!r}"
        )
    names = tuple(output_names)
    if len(set(names)) < len(names):
        raise ArgumentError(f"output_names: expected distinct names, got {list(names)}")
    if n_outputs is not None and len(names) != n_outputs:
        raise ArgumentError(
            f"output_names: expected {n_outputs} names, one per output of the model; got "
            f"{len(names)}: {list(names)}"
        )
    return names


def texts_of(variants: Variants, model_id: str) -> list[TextInput]:
    """Return the strings of text variants as a fresh list.

    Raises
    ------
    CapabilityError
        If the variants are token ids.
    """
    if variants.texts is None:
        raise CapabilityError(
            f"{model_id}: reads texts and was given token ids; encode with tokenizer=None"
        )
    return list(variants.texts)


def _as_floats(values: Any, source: str) -> ScoreMatrix:
    try:
        array = np.asarray(_off_device(values))
    except ValueError as error:
        raise ScoringError(
            f"{source}: returned ragged rows ({_described(values)}); every row needs the same "
            f"number of outputs"
        ) from error
    if array.dtype.kind == "O":
        strange = [item for item in array.flat if not isinstance(item, numbers.Real | Decimal)]
    else:
        strange = [] if array.dtype.kind in "biuf" else array.flat[:1].tolist()
    if strange:
        raise ScoringError(
            f"{source}: returned {_shortened(strange[0])}, which is no number, in "
            f"{_described(values)}; expected a number for each text, or a row of numbers"
        )
    return np.array(array, dtype=np.float64)


def _off_device(values: Any) -> Any:
    """Return values that numpy can read: no tensor, no sparse matrix, at any depth of a list."""
    if isinstance(values, torch.Tensor):
        tensor = values.detach().cpu().to_dense()
        # numpy has no bfloat16
        return (tensor.double() if tensor.is_floating_point() else tensor).numpy()
    if isinstance(values, np.ma.MaskedArray) and values.dtype.kind in "biuf":
        # What lies under a mask is no score.
        return np.where(np.ma.getmaskarray(values), np.nan, np.ma.getdata(values))
    if hasattr(values, "toarray"):  # a scipy sparse matrix
        return values.toarray()
    if isinstance(values, list | tuple):
        return [_off_device(item) for item in values]
    return values


def _described(values: Any) -> str:
    shape = getattr(values, "shape", None)
    if shape is not None:
        return f"{type(values).__name__} of shape {tuple(shape)}"
    if isinstance(values, list | tuple):
        return f"{type(values).__name__} of length {len(values)}"
    return f"{type(values).__name__} {_shortened(values)}"


def _shortened(item: Any, limit: int = 80) -> str:
    shown = repr(item)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"
