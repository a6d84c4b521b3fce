"""`as_masker`: from what the user writes to a masker."""

from __future__ import annotations

from typing import Any

from perturbx.exceptions import ArgumentError
from perturbx.maskers.delete import Delete
from perturbx.maskers.replace import MaskToken, UnknownToken, special_token
from perturbx.typing import Masker


def as_masker(masker: str | Masker = "auto", tokenizer: Any = None) -> Masker:
    """Return the masker that `masker` names.

    Parameters
    ----------
    masker : {"auto", "mask", "unk", "delete"} or Masker, default "auto"
        "mask" and "unk" put that token of the tokenizer in the place of every removed token,
        "delete" leaves removed units out, "auto" is "mask" where the tokenizer has a mask token
        and "delete" elsewhere. A masker is returned as it is.
    tokenizer : transformers tokenizer, optional
        The model's tokenizer; None for a model that takes strings.

    Returns
    -------
    Masker

    Raises
    ------
    ArgumentError
        If `masker` is none of these.
    MaskingError
        If the tokenizer lacks the token.

    Examples
    --------
    >>> as_masker("auto")
    Delete()
    """
    if masker == "auto":
        return Delete() if special_token(tokenizer, "mask_token") is None else MaskToken()
    if masker == "delete":
        return Delete()
    if masker == "mask" or masker == "unk":
        named = MaskToken() if masker == "mask" else UnknownToken()
        named.filler(tokenizer)
        return named
    # Strings and classes have an `encode`, too.
    if isinstance(masker, Masker) and not isinstance(masker, str | type):
        return masker
    raise ArgumentError(
        f'masker: expected "auto", "mask", "unk", "delete" or a masker such as Delete(), '
        f'MaskToken() or Replace("[REDACTED]"), got {masker!r}'
    )
