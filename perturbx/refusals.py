"""`Refusals`: what is refused while the rest is bought, for the end of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from perturbx.exceptions import BudgetExceeded, RefusedError


class Refusals:
    """Keeps what was refused until all the rest is there.

    Attributes
    ----------
    error : RefusedError, optional
        One error for all of it.

    Examples
    --------
    >>> refusals = Refusals()
    >>> for variant in ("so good", "so thin"):
    ...     with refusals.kept():
    ...         raise RefusedError("no answer", refused={variant: "filtered"})
    >>> list(refusals.error.refused), refusals.end_run
    (['so good', 'so thin'], False)
    """

    def __init__(self) -> None:
        self.error: RefusedError | None = None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep a `RefusedError`; a limit is raised, and tells of what was refused before it."""
        try:
            yield
        except RefusedError as error:
            self.error = error.after(self.error)
        except BudgetExceeded as limit:
            limit.after(self.error)
            raise

    @property
    def end_run(self) -> bool:
        """Say whether they are too many to go on."""
        return self.error is not None and self.error.ends_run

    def tell(self) -> None:
        """Raise the error, if there is one."""
        if self.error is not None:
            raise self.error
