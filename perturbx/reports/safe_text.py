"""Text from anywhere, made fit to be shown: nothing hidden in it can act."""

from __future__ import annotations

import unicodedata

from perturbx.units.units import Units

_BIDI_CONTROLS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_KEPT = "\t\n"

_VISIBLE: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in _KEPT},
    0x7F: "\u2421",
    # A C1 control is short for ESC and a letter, and some terminals obey it.
    **{code: "\u241b" + chr(code - 0x40) for code in range(0x80, 0xA0)},
    **{ord(mark): f"⟨{unicodedata.bidirectional(mark)}⟩" for mark in _BIDI_CONTROLS},
    # A lone surrogate cannot be encoded, so it could not even be printed.
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
}

_WHITE = {"\n": "↵", "\t": "⇥"}


def visible(text: str) -> str:
    r"""Return `text` with its control characters visible; tabs and line ends stay.

    Terminal escapes, NUL and direction overrides can change what else is on the screen or hide
    what the model was given, so each becomes a sign that only stands for it.

    Examples
    --------
    >>> visible("\x1b[31mred")
    '␛[31mred'
    """
    return text.replace("\r\n", "\n").translate(_VISIBLE)


def direction(text: str) -> str:
    """Return how a text runs, "ltr" or "rtl": as its first letter does.

    Examples
    --------
    >>> direction("(1) so"), direction("2 שלום")
    ('ltr', 'rtl')
    """
    strong = (unicodedata.bidirectional(character) for character in text)
    return "rtl" if next((own for own in strong if own in ("L", "R", "AL")), "L") != "L" else "ltr"


def one_line(label: str, limit: int | None = None) -> str:
    r"""Return `label` on one line, visible throughout, cut to `limit` characters.

    Examples
    --------
    >>> one_line("two\n  lines"), one_line("\n"), one_line("a long label", limit=7)
    ('two lines', '↵', 'a long…')
    """
    shown = visible(label)
    line = " ".join(shown.split()) or "".join(_WHITE.get(white, "␣") for white in shown)
    return line if limit is None or len(line) <= limit else line[: limit - 1].rstrip() + "…"


def segment_parts(units: Units) -> list[list[tuple[int, str]]]:
    """Return the parts of the text as ``(owner, string)``, one list per segment of the text.

    What lies between two segments goes with the first of them.
    """
    starts = [start for start, _ in units.segments[1:]]
    segments: list[list[tuple[int, str]]] = [[]]
    position = 0
    for owner, part in units.parts:
        while starts and starts[0] < position + len(part):
            cut = starts.pop(0) - position
            segments[-1] += [(owner, part[:cut])] if cut else []
            segments.append([])
            position, part = position + cut, part[cut:]
        segments[-1].append((owner, part))
        position += len(part)
    return segments
