"""What all plots share: colours, figures, and fonts for any script."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING

from perturbx.exceptions import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TOWARDS, AGAINST = "#0072b2", "#d55e00"
"""Above and below 0: two colours that the colour-blind tell apart (Okabe & Ito)."""

# Tried in this order, after the fonts that matplotlib would take anyway, for the letters which
# those lack: the usual families of Linux, Windows and macOS.
_FALLBACK_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Microsoft YaHei", "PingFang SC"),
    *("Hiragino Sans", "Yu Gothic", "Noto Sans KR", "Malgun Gothic", "Apple SD Gothic Neo"),
    *("WenQuanYi Zen Hei", "SimHei", "Noto Sans", "Noto Sans Arabic", "Noto Naskh Arabic"),
    *("Noto Sans Hebrew", "Noto Sans Thai", "Noto Sans Devanagari", "Noto Sans Bengali"),
    *("Noto Sans Tamil", "Noto Sans Telugu", "Noto Sans Georgian", "Noto Sans Armenian"),
    *("Noto Sans Ethiopic", "Noto Sans Khmer", "Noto Sans Myanmar", "Noto Sans Symbols"),
    *("Noto Sans Symbols2", "Noto Emoji", "Segoe UI", "Segoe UI Emoji", "Segoe UI Symbol"),
    *("Tahoma", "Leelawadee UI", "Nirmala UI", "Geeza Pro", "Thonburi", "Kohinoor Devanagari"),
    *("Arial Unicode MS", "DejaVu Sans"),
)
_NO_GLYPH = "\u25a1"


def new_axes(width: float, height: float) -> Axes:
    """Return axes that fill a new pyplot figure of that size in inches.

    Raises
    ------
    MissingExtraError
        Matplotlib is not installed.
    """
    figure = _pyplot().figure(figsize=(width, height), layout="constrained")
    ax: Axes = figure.add_subplot()
    return ax


def square_axes(side: float) -> Axes:
    """Return square axes with sides of so many inches; `fit_figure` makes the figure fit later.

    No layout of matplotlib keeps all labels of axes with a fixed aspect in the figure.

    Raises
    ------
    MissingExtraError
        Matplotlib is not installed.
    """
    figure = _pyplot().figure(figsize=(2 * side, 2 * side), layout="none")
    ax: Axes = figure.add_axes((0.25, 0.25, 0.5, 0.5))
    return ax


def fit_figure(ax: Axes, margin: float = 0.12) -> None:
    """Make the figure just large enough for its only axes and all that is written around them."""
    figure = ax.get_figure(root=True)
    # The window extent follows the figure: it is wanted as it is now.
    frame, whole = ax.get_window_extent().frozen(), ax.get_tightbbox()
    assert figure is not None
    assert whole is not None
    whole = whole.padded(margin * figure.dpi)
    corner = (frame.x0 - whole.x0) / whole.width, (frame.y0 - whole.y0) / whole.height
    figure.set_size_inches(whole.width / figure.dpi, whole.height / figure.dpi)
    ax.set_position((*corner, frame.width / whole.width, frame.height / whole.height))


def _pyplot() -> ModuleType:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plots") from error
    return pyplot


def with_fonts(labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the families that have the letters of the labels, and the labels without the rest."""
    from matplotlib import font_manager, rcParams

    families = list(rcParams["font.family"])
    own = font_manager.findfont(font_manager.FontProperties(family=families))
    missing = {ord(letter) for label in labels for letter in label} - _letters(own)
    installed = {entry.name: entry.fname for entry in reversed(font_manager.fontManager.ttflist)}
    for family in _FALLBACK_FONTS:
        if missing and family in installed:
            found = missing & _letters(installed[family])
            families += [family] if found else []
            missing -= found
    return families, [label.translate(dict.fromkeys(missing, _NO_GLYPH)) for label in labels]


@lru_cache(maxsize=64)
def _letters(path: str) -> frozenset[int]:
    from matplotlib import font_manager

    return frozenset(font_manager.get_font(path).get_charmap())
