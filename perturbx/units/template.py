"""Templates with fields: only what fills the fields is played with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from string import Formatter
from typing import Final

from perturbx.exceptions import ArgumentError
from perturbx.units.front_door import SegmenterLike, as_segmenter
from perturbx.units.frozen import freeze, gaps
from perturbx.units.segmenter import place
from perturbx.units.text_input import as_one_text
from perturbx.units.units import Units

_RESERVED: Final = frozenset({"units", "fields"})
"""Arguments of `Template.units`, which no field can share its name with."""


@dataclass(frozen=True)
class Template:
    r"""A text with named fields, as ``str.format`` writes them; ``{{`` and ``}}`` are braces.

    Parameters
    ----------
    template : str
        The text. A field may stand in it more than once.

    Raises
    ------
    ArgumentError
        If a field has no name, or one of the names "units" and "fields", or a format: a value
        stands in the text as it is.

    Examples
    --------
    >>> template = Template("Review: {review}\nSentiment:")
    >>> template.fill(review="so good")
    'Review: so good\nSentiment:'
    >>> template.units("words", review="so good").parts
    ((-1, 'Review: '), (0, 'so '), (1, 'good'), (-1, '\nSentiment:'))
    """

    template: str

    def __post_init__(self) -> None:
        _ = self._parts

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields, in the order in which they first stand in the text."""
        return tuple(dict.fromkeys(name for _, name in self._parts if name is not None))

    def fill(self, /, **values: str) -> str:
        """Return the text with `values` in the fields.

        Raises
        ------
        ArgumentError
            If a field has no value, a value no field, or a value is no string.
        """
        self._check_values(values)
        return "".join(
            literal + (values[name] if name is not None else "") for literal, name in self._parts
        )

    def units(
        self,
        /,
        units: SegmenterLike = "words",
        *,
        fields: Iterable[str] | None = None,
        **values: str,
    ) -> Units:
        """Return the units of the filled text: those of the values; all else is frozen.

        Each value is cut on its own. The units of a field that stands in the text twice own
        their span in both places.

        Parameters
        ----------
        units : str, re.Pattern, callable or segmenter, default="words"
            What `as_segmenter` takes. Spans, and what the segmenter freezes, count in each value.
        fields : iterable of str, optional
            The fields that are played with, by default all of them; the others are frozen.
        **values : str
            The value of each field.

        Returns
        -------
        Units
            Units whose text is the filled text.

        Raises
        ------
        ArgumentError
            If a field has no value, a value no field, or `fields` names one that is not there.
        """
        text = self.fill(**values)
        as_one_text(text)
        playable = self._check_playable(fields)
        segmenter = as_segmenter(units)
        offsets: dict[str, list[int]] = {name: [] for name in self.fields}
        position = 0
        for literal, name in self._parts:
            position += len(literal)
            if name is not None:
                offsets[name].append(position)
                position += len(values[name])
        placed = [
            (segmenter(values[name]), offsets[name]) for name in self.fields if name in playable
        ]
        played = sorted(
            (offset, offset + len(values[name])) for name in playable for offset in offsets[name]
        )
        level = placed[0][0].level if placed else segmenter.level
        return freeze(place(text, placed, level=level), gaps(played, len(text)))

    @cached_property
    def _parts(self) -> tuple[tuple[str, str | None], ...]:
        """The literal pieces, each with the name of the field that follows it, if one does."""
        if not isinstance(self.template, str):
            raise ArgumentError(f"template: expected a string; got {self.template!r:.80}")
        try:
            parsed = list(Formatter().parse(self.template))
        except ValueError as error:
            raise ArgumentError(
                f"template: {error} in {self.template!r:.80}; a brace of the text is written twice"
            ) from error
        for _, name, form, conversion in parsed:
            if name is None:
                continue
            if not name.isidentifier() or name in _RESERVED:
                raise ArgumentError(
                    f"template: a field needs a name such as {{review}}, other than 'units' and "
                    f"'fields'; got {{{name}}}; a brace of the text is written twice"
                )
            if form or conversion:
                raise ArgumentError(
                    f"template: the value of a field stands in the text as it is; take the format "
                    f"from {{{name}}} and format the value yourself"
                )
        return tuple((literal, name) for literal, name, _, _ in parsed)

    def _check_values(self, values: dict[str, str]) -> None:
        missing = [name for name in self.fields if name not in values]
        unknown = [name for name in values if name not in self.fields]
        if missing or unknown:
            raise ArgumentError(
                f"values: the fields of the template are {list(self.fields)}; "
                f"missing: {missing}, unknown: {unknown}"
            )
        for name, value in values.items():
            if not isinstance(value, str):
                raise ArgumentError(f"{name}: expected a string; got {value!r:.80}")

    def _check_playable(self, fields: Iterable[str] | None) -> frozenset[str]:
        playable = frozenset(self.fields if fields is None else fields)
        if isinstance(fields, str) or not playable <= set(self.fields):
            raise ArgumentError(
                f"fields: expected names among {list(self.fields)}; got {fields!r:.80}"
            )
        return playable
