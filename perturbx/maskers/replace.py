"""`Replace`, `MaskToken`, `UnknownToken`: something stands in for a removed unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from perturbx.exceptions import ArgumentError, MaskingError
from perturbx.maskers.filler import Filler, Per
from perturbx.maskers.removal import Removal


@dataclass(frozen=True)
class Replace(Removal):
    """Put a string in the place of removed units.

    The white space at both ends of a unit stays.

    Parameters
    ----------
    text : str
        The string. The name of a special token of the tokenizer ("[MASK]") stands for the token.
    per : {"unit", "token"}, default "unit"
        Once for each unit (for each of its spans, where it has several), or once for each token.

    Examples
    --------
    >>> from perturbx.units.units import Units
    >>> units = Units("a good film", ((0, 2), (2, 7), (7, 11)))
    >>> Replace("[REDACTED]").variants(units, [[True, False, True]]).texts
    ['a [REDACTED] film']
    """

    text: str
    per: Per = "unit"

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text:
            raise ArgumentError(
                f"text: expected a string that is not empty, got {self.text!r}; "
                f"to leave units out take Delete()"
            )
        _check_per(self.per)

    def filler(self, tokenizer: Any = None) -> Filler:
        """Return the string."""
        return Filler(self.text, self.per)


@dataclass(frozen=True)
class MaskToken(Removal):
    """Put the mask token of the tokenizer in the place of removed units.

    Parameters
    ----------
    per : {"token", "unit"}, default "token"
        Once for each token, so that nothing else moves; or once for each unit.
    """

    per: Per = "token"

    def __post_init__(self) -> None:
        _check_per(self.per)

    def filler(self, tokenizer: Any = None) -> Filler:
        """Return the mask token of `tokenizer`; raise a `MaskingError` where there is none."""
        return Filler(_special_token(tokenizer, "mask_token", "MaskToken"), self.per)


@dataclass(frozen=True)
class UnknownToken(Removal):
    """Put the tokenizer's token for unknown words in the place of removed units.

    Parameters
    ----------
    per : {"token", "unit"}, default "token"
        Once for each token, so that nothing else moves; or once for each unit.
    """

    per: Per = "token"

    def __post_init__(self) -> None:
        _check_per(self.per)

    def filler(self, tokenizer: Any = None) -> Filler:
        """Return the unknown token of `tokenizer`; raise a `MaskingError` where there is none."""
        return Filler(_special_token(tokenizer, "unk_token", "UnknownToken"), self.per)


def special_token(tokenizer: Any, name: str) -> str | None:
    """Return the special token of that name ("mask_token"), None where there is none.

    The attributes of a tokenizer would log an error for a token that it does not have.
    """
    return None if tokenizer is None else tokenizer.special_tokens_map.get(name)


def _special_token(tokenizer: Any, name: str, masker: str) -> str:
    token = special_token(tokenizer, name)
    if token is None:
        what = "there is no tokenizer" if tokenizer is None else "this tokenizer has none"
        raise MaskingError(
            f"masker: {masker} needs a tokenizer with a {name}, and {what}; take Delete() or "
            f'Replace("...") instead'
        )
    return str(token)


def _check_per(per: str) -> None:
    if per not in get_args(Per):
        raise ArgumentError(f'per: expected "token" or "unit", got {per!r}')
