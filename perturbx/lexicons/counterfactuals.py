"""`counterfactuals`: what a text would be if it spoke of another group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from perturbx.exceptions import ArgumentError
from perturbx.lexicons.entry import Ambiguous
from perturbx.lexicons.rules import SwapRule
from perturbx.lexicons.shipped import LexiconsLike, as_lexicons
from perturbx.lexicons.swapping import swap_text


@dataclass(frozen=True)
class Counterfactual:
    """A text that speaks of another group.

    Parameters
    ----------
    attribute : str
        The attribute: "gender".
    source, target : str
        The group that the text mentions, and the one that took its place.
    term, replacement : str
        The first term of the source group that gave way, and what stands in its place.
    text : str
        The text after the swap.
    is_symmetric : bool
        Whether a fair model should say the same of both texts; see `Swapped`.
    """

    attribute: str
    source: str
    target: str
    term: str
    replacement: str
    text: str
    is_symmetric: bool


def counterfactuals(
    text: str,
    lexicon: LexiconsLike,
    *,
    groups: Iterable[str] | None = None,
    language: str = "en",
    ambiguous: Ambiguous = "context",
) -> tuple[Counterfactual, ...]:
    """Return the counterfactuals of `text`: one for each group it mentions and each other group.

    The two groups change places: every mention of the one gives way, and where the other is
    mentioned, too, so do its mentions ("her husband" -> "his wife"). Mentions of third groups stay.

    Parameters
    ----------
    text : str
        Any text.
    lexicon : str, Path, Lexicon or several of these
        See `as_lexicons`.
    groups : iterable of str, optional
        The groups that count, on either side; by default all.
    language : str, default="en"
        Of a lexicon that is named by its attribute.
    ambiguous : {"context", "always", "never"}, default="context"
        See `Lexicon.find`.

    Returns
    -------
    tuple of Counterfactual
        In the order of the text; none where the text mentions no group with a counterpart.

    Raises
    ------
    ArgumentError
        If a group or a lexicon is unknown.

    Examples
    --------
    >>> [made] = counterfactuals("She is an actress.", "gender")
    >>> made.text, made.source, made.target, made.is_symmetric
    ('He is an actor.', 'female', 'male', True)
    """
    lexicons = as_lexicons(lexicon, language=language)
    wanted = None if groups is None else set(groups)
    unknown = (wanted or set()) - {group for one in lexicons for group in one.groups}
    if unknown:
        raise ArgumentError(
            f"groups: expected groups of {', '.join(one.name for one in lexicons)}; got "
            f"{', '.join(sorted(unknown))}"
        )
    made: list[Counterfactual] = []
    for one in lexicons:
        mentions = one.find(text, ambiguous=ambiguous)
        for source in dict.fromkeys(m.group for m in mentions if m.is_swappable):
            for target in one.groups:
                if target == source or (wanted is not None and not {source, target} <= wanted):
                    continue
                rule = SwapRule((one,), ({source: target, target: source},))
                swapped = swap_text(text, rule, ambiguous=ambiguous)
                first = next((r for r in swapped.replacements if r.mention.group == source), None)
                if first is None:
                    continue
                made.append(
                    Counterfactual(
                        one.attribute,
                        source,
                        target,
                        first.mention.term,
                        first.text,
                        swapped.text,
                        swapped.is_symmetric,
                    )
                )
    return tuple(made)
