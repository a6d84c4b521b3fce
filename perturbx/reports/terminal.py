"""An explanation in the terminal: the coloured text, and the largest values below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from perturbx.exceptions import ArgumentError
from perturbx.reports.output_view import (
    LEADING,
    OutputView,
    output_view,
    row_labels,
    top_confidence,
)
from perturbx.reports.safe_text import one_line, segment_parts, visible
from perturbx.units.units import FRAME

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

    from perturbx.explanation import Explanation

# Blue and orange stay apart for every kind of colour blindness. Both are of middle lightness, to
# be read on black and on white; strength is told by weight and fill, which work on either, where
# a paler colour would stand out on black.
_TOWARDS = ("#1f7fc4", "#0b62a4")
_AGAINST = ("#c65f00", "#a84d00")
_STEPS = (0.1, 0.35, 0.7)
_BAR_CELLS = 10
_LABEL_CELLS = 32
_NUMBER_CELLS = 24
"""What a value and its error take, with the space beside them: in a narrow terminal bars and the
ends of labels give way to them."""


def render_terminal(
    explanation: Explanation,
    output: str | int | None = None,
    *,
    colour: Literal["auto", "always", "never"] = "auto",
    n: int = 8,
) -> str:
    """Return the explanation of one output as lines for a terminal.

    Parameters
    ----------
    explanation : Explanation
        What is shown.
    output : str or int, optional
        The output; the one with the highest score by default.
    colour : {"auto", "always", "never"}
        "auto" colours where the standard output is a terminal that shows colours (the
        environment variables NO_COLOR and FORCE_COLOR are heeded).
    n : int
        How many of the largest values are listed.

    Raises
    ------
    ArgumentError
        `colour` or `output` is unknown.
    """
    from rich.console import Console

    if colour == "auto":
        console = Console(force_jupyter=False)
    elif colour == "always":
        console = Console(force_jupyter=False, force_terminal=True, color_system="truecolor")
    elif colour == "never":
        console = Console(force_jupyter=False, force_terminal=False, color_system=None)
    else:
        raise ArgumentError(f"colour: expected 'auto', 'always' or 'never'; got {colour!r}")
    with console.capture() as capture:
        print_terminal(explanation, output=output, n=n, console=console)
    return "\n".join(line.rstrip() for line in capture.get().rstrip("\n").split("\n"))


def print_terminal(
    explanation: Explanation,
    *,
    output: str | int | None = None,
    n: int = 8,
    console: Console | None = None,
) -> None:
    """Print the explanation of one output.

    Parameters
    ----------
    explanation : Explanation
        What is shown.
    output : str or int, optional
        The output; the one with the highest score by default.
    n : int
        How many of the largest values are listed.
    console : rich.console.Console, optional
        Where it goes; the standard output by default.
    """
    from rich.console import Console
    from rich.text import Text

    view = output_view(explanation, output)
    console = Console() if console is None else console
    blocks: list[RenderableType] = [
        _header(explanation, view),
        _body(explanation, view),
        _ranking(explanation, view, n, console.width),
    ]
    sure = top_confidence(explanation, view, f"the first {LEADING}") if n >= LEADING else ""
    if sure:
        blocks.append(Text(f"\n{sure}", style="dim"))
    for block in blocks:
        console.print(block)


def _header(explanation: Explanation, view: OutputView) -> RenderableType:
    from rich.text import Text

    title = Text(one_line(view.name), style="bold")
    title.append(f" {view.number(view.score)}", style="bold")
    title.append(f" {view.scale}" + (", predicted" if view.predicted else ""), style="not bold")
    n_calls, cut = explanation.n_calls, explanation.cut_short_by
    facts = [
        f"base value {view.number(view.base_value)}",
        explanation.method,
        f"{n_calls} call" + "s" * (n_calls != 1),
        *([] if cut is None else [f"cut short by {cut}"]),
        view.fit,
    ]
    line = Text(" · ".join(dict.fromkeys(facts)), style="dim")
    if view.fit.startswith("poor"):
        line.stylize("bold not dim", len(line) - len(view.fit))
    return Text("\n").join([title, line, Text()])


def _body(explanation: Explanation, view: OutputView) -> RenderableType:
    from rich.text import Text

    segments = []
    for parts in segment_parts(explanation.units):
        segment = Text()
        for owner, part in parts:
            shown = visible(part)
            ink = "dim" if owner == FRAME else _style(view.strengths[owner])
            core = shown.strip()
            start = shown.find(core)
            segment.append(shown[:start])
            segment.append(core, style=ink)
            segment.append(shown[start + len(core) :])
        segment.rstrip()
        segments.append(segment)
    return Text("\n\n").join(segments).append("\n")


def _style(strength: float) -> str:
    ink, fill = _TOWARDS if strength > 0 else _AGAINST
    faint, middling, strong = _STEPS
    if abs(strength) < faint:
        return ""
    if abs(strength) < middling:
        return ink
    return f"bold {ink}" if abs(strength) < strong else f"bold #ffffff on {fill}"


def _ranking(explanation: Explanation, view: OutputView, n: int, width: int) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    beside_bars = width - _NUMBER_CELLS - (2 * _BAR_CELLS + 3)
    has_bars = beside_bars >= _BAR_CELLS
    room = beside_bars if has_bars else width - _NUMBER_CELLS
    cells = min(max(room, _BAR_CELLS), _LABEL_CELLS)
    table.add_column(overflow="ellipsis", no_wrap=True, max_width=cells)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    labels = row_labels(explanation.units, cells)
    for unit in view.order[: max(n, 0)]:
        ink = "" if view.clear[unit] else "dim"
        table.add_row(
            Text(labels[unit]),
            Text(view.signed(view.values[unit]), style=ink),
            Text(view.error(view.std_errors[unit]), style="dim"),
            _bar(view.strengths[unit]) if has_bars else "",
        )
    count, total, std_error = view.rest(max(n, 0))
    if count:
        others = Text(f"{count} other" + "s" * (count != 1), style="dim italic")
        error = Text(view.error(std_error), style="dim")
        table.add_row(others, Text(view.signed(total), style="dim"), error, "")
    return table


def _bar(strength: float) -> Text:
    """Return a bar from the middle, to the right where the value is positive."""
    from rich.text import Text

    halves = round(abs(strength) * 2 * _BAR_CELLS)
    full, half = divmod(halves, 2)
    room = " " * (_BAR_CELLS - full - half)
    bar = Text()
    if strength < 0:
        bar.append(room)
        bar.append("▐" * half + "█" * full, style=_AGAINST[0])
        return bar.append("│", style="dim").append(" " * _BAR_CELLS)
    bar.append(" " * _BAR_CELLS).append("│", style="dim")
    bar.append("█" * full + "▌" * half, style=_TOWARDS[0])
    return bar.append(room)
