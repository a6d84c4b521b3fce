"""The errors and warnings of perturbx.

Every error is a :class:`PerturbxError`::

    PerturbxError                         `.tables` holds what was paid for until then
    ├── ArgumentError (ValueError)        a bad argument, named in the message
    ├── SegmentationError (ValueError)    a text that cannot be cut into units
    ├── MaskingError (ValueError)         a mask that cannot be applied
    ├── ScoringError (RuntimeError)       the model failed
    │   ├── RateLimitError                the server asked for a pause that was too long
    │   ├── BudgetExceeded                a hard limit on calls, tokens or money was reached
    │   └── CapabilityError               the model cannot give what was asked for
    │       └── RefusedError              of some variants only
    ├── SurrogateError (ValueError)       a table that this surrogate cannot be fitted to
    ├── TableError (ValueError)           a table that cannot be read, merged or replayed
    └── MissingExtraError (ImportError)   an optional package is needed

:class:`Interrupted` is a ``KeyboardInterrupt`` (Ctrl-C) that carries the tables scored so far.
Warnings: :class:`PoorFitWarning`, :class:`TruncationWarning`, :class:`CutShortWarning`,
:class:`AnswersWarning`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable


class PerturbxError(Exception):
    """The root of all errors of perturbx.

    Attributes
    ----------
    tables : sequence of ScoreTable
        What was paid for until the error, one table per text; empty where no call was made. Give
        them to ``explain(texts, tables=...)`` and no call is made twice.
    """

    tables: Sequence[ScoreTable] = ()


class ArgumentError(PerturbxError, ValueError):
    """A bad argument. The message names it, what came, and what was expected."""


class SegmentationError(PerturbxError, ValueError):
    """A text that cannot be cut into units."""


class MaskingError(PerturbxError, ValueError):
    """A mask that cannot be applied to these units or this model."""


class ScoringError(PerturbxError, RuntimeError):
    """The model failed, or returned something that is no score.

    Attributes
    ----------
    refused : mapping
        The variants that had no answer of use until then, and why.
    """

    refused: Mapping[Any, str] = MappingProxyType({})

    def __init__(self, message: str, tables: Sequence[ScoreTable] = ()) -> None:
        super().__init__(message)
        self.tables = list(tables)

    def after(self, earlier: ScoringError | None) -> Self:
        """Return the error, which tells of the variants that an earlier one tells of, too."""
        if earlier is not None:
            self.refused = {**earlier.refused, **self.refused}
        return self


class RateLimitError(ScoringError):
    """The server asked for a longer pause than is allowed."""


class BudgetExceeded(ScoringError):  # noqa: N818 - the established name of this condition
    """A hard limit on calls, tokens or money was reached.

    Explainers end with the best explanation that the answers until then allow, and a
    `CutShortWarning`; they raise this where those allow none.

    Attributes
    ----------
    limit : str
        Which one: "max_calls", "max_tokens" or "max_cost".
    """

    def __init__(
        self, message: str, tables: Sequence[ScoreTable] = (), *, limit: str = "max_calls"
    ) -> None:
        super().__init__(message, tables)
        self.limit = limit


class CapabilityError(ScoringError):
    """The model cannot give what was asked for (a link, a masker, log-probabilities)."""


class RefusedError(CapabilityError):
    """Some variants have no answer that is of use: a filter, a refusal, a number that is none.

    Explainers leave such variants out, with an `AnswersWarning`; they raise this where too many
    are, or where the others allow no explanation.

    Attributes
    ----------
    refused : dict
        For each variant why there is none.
    ends_run : bool
        They are too many to go on.
    """

    def __init__(
        self,
        message: str,
        tables: Sequence[ScoreTable] = (),
        *,
        refused: Mapping[Any, str] = MappingProxyType({}),  # none yet, of one that is unpickled
        ends_run: bool = False,
    ) -> None:
        super().__init__(message, tables)
        self.refused = dict(refused)
        self.ends_run = ends_run


class SurrogateError(PerturbxError, ValueError):
    """A table that this surrogate cannot be fitted to."""


class TableError(PerturbxError, ValueError):
    """A table that cannot be read, merged or replayed."""


class MissingExtraError(PerturbxError, ImportError):
    """An optional package is needed.

    Parameters
    ----------
    package : str
        The package that could not be imported.
    extra : str
        The extra of perturbx that installs it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is needed for this and is not installed: pip install 'perturbx[{extra}]'"
        )
        self._of = (package, extra)

    def __reduce__(self) -> tuple[Any, ...]:
        # By default it would be made anew out of the message alone.
        return type(self), self._of


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while scoring; ``tables`` holds every score paid for until then."""

    def __init__(self, tables: Sequence[ScoreTable] = ()) -> None:
        super().__init__("interrupted; the scores paid for are in .tables")
        self.tables: list[ScoreTable] = list(tables)


class PoorFitWarning(UserWarning):
    """The surrogate predicts unseen masks badly (out-of-fold r2 below 0.5)."""


class TruncationWarning(UserWarning):
    """A text is longer than the model's window; what lies beyond is not explained."""


class CutShortWarning(UserWarning):
    """A hard limit on calls, tokens or money ended a run before it was sure enough."""


class AnswersWarning(UserWarning):
    """Some answers of a model behind an API are of no use: they name no label, or are refused."""
