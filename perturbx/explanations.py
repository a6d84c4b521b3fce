"""`Explanations`: a sequence of explanations, one per text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, overload

from perturbx.explanation import Explanation
from perturbx.score_table import ScoreTable

if TYPE_CHECKING:
    import pandas as pd
    import shap


class Explanations(Sequence[Explanation]):
    """One explanation per text, in the order of the texts; slices are Explanations, too.

    Parameters
    ----------
    items : iterable of Explanation
        The explanations.
    """

    def __init__(self, items: Iterable[Explanation] = ()) -> None:
        self._items = tuple(items)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Explanation: ...
    @overload
    def __getitem__(self, index: slice) -> Explanations: ...
    def __getitem__(self, index: int | slice) -> Explanation | Explanations:
        if isinstance(index, slice):
            return Explanations(self._items[index])
        return self._items[index]

    def __repr__(self) -> str:
        head = ",\n ".join(repr(item) for item in self._items[:5])
        more = f",\n ... {len(self) - 5} more" if len(self) > 5 else ""
        return f"Explanations([{head}{more}])"

    def __str__(self) -> str:
        return "\n".join(str(item) for item in self._items)

    def _repr_html_(self) -> str:
        from perturbx.reports.html import render_html

        return render_html(self._items, standalone=False)

    @property
    def tables(self) -> list[ScoreTable]:
        """The tables behind the explanations."""
        return [item.table for item in self._items]

    @property
    def n_calls(self) -> int:
        """The distinct variants scored, added up over the texts."""
        return sum(item.n_calls for item in self._items)

    def to_html(self, path: str | PathLike[str] | None = None) -> str:
        """Return one self-contained HTML page of all texts, and write it to `path` where given."""
        from perturbx.reports.html import render_html

        page = render_html(self._items, standalone=True)
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def to_pandas(self) -> pd.DataFrame:
        """Return a row per text, unit and output (extra ``pandas``)."""
        from perturbx.interop.pandas import to_pandas

        return to_pandas(self._items)

    def to_shap(self) -> shap.Explanation:
        """Return one ``shap.Explanation`` of all texts that shap's plots accept."""
        from perturbx.interop.shap import to_shap

        return to_shap(self._items)
