"""The counterfactual of a text: identity terms give way to their counterparts, in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from perturbx.lexicons.agreement import plural_verbs
from perturbx.lexicons.articles import ARTICLE_BEFORE, in_case, indefinite_article
from perturbx.lexicons.entry import NEUTRAL, Ambiguous, Kind, Mention
from perturbx.lexicons.letter_case import begins_sentence, in_case_of
from perturbx.lexicons.lexicon import Lexicon, find_mentions
from perturbx.lexicons.neutral import neutral_wording
from perturbx.lexicons.pattern import normal
from perturbx.lexicons.possessives import possessive_ending
from perturbx.lexicons.rules import SwapRule


@dataclass(frozen=True)
class Edit:
    """A stretch of a text and what takes its place.

    Parameters
    ----------
    start, stop : int
        The stretch, in characters.
    text : str
        What takes its place.
    mention : int
        The number of the mention that asks for it.
    role : {"term", "article", "ending", "verb"}
        The mention itself, or what has to agree with it.
    """

    start: int
    stop: int
    text: str
    mention: int
    role: Literal["term", "article", "ending", "verb"]


@dataclass(frozen=True)
class Replacement:
    """A mention that gave way.

    Parameters
    ----------
    mention : Mention
        The mention.
    group : str
        The group that it gave way to.
    text : str
        What stands in its place; "" where it was left out.
    kind : {"symmetric", "asymmetric"}
        Of the row of the lexicon that pairs the two.
    """

    mention: Mention
    group: str
    text: str
    kind: Kind


@dataclass(frozen=True)
class Swapped:
    """A text with its identity terms swapped.

    Parameters
    ----------
    text : str
        The counterfactual; the text itself where nothing was to be swapped.
    mentions : tuple of Mention
        All identity terms of the original.
    replacements : tuple of Replacement
        Those that gave way, in order.
    is_symmetric : bool
        Whether a fair model should say the same of both texts. False if a pair that was swapped
        is asymmetric, if a term that should have been swapped has no counterpart, or if a word of
        the attribute stayed that is tied to a group (*pregnant*, *mosque*).
    edits : tuple of Edit
        What was done to the text, articles, possessive endings and verbs included, in order.
    """

    text: str
    mentions: tuple[Mention, ...]
    replacements: tuple[Replacement, ...]
    is_symmetric: bool
    edits: tuple[Edit, ...] = field(repr=False, default=())


def swap_text(text: str, rule: SwapRule, *, ambiguous: Ambiguous = "context") -> Swapped:
    """Return `text` with its identity terms swapped by `rule`.

    A counterpart takes over the case; an indefinite article right before it, the possessive ending
    right behind it (the ladies' room, the gentlemen's room), and where *they* is put in the verb
    beside it, are made to agree. An article that was wrong before is left alone.

    Parameters
    ----------
    text : str
        Any text.
    rule : SwapRule
        Which group gives way to which.
    ambiguous : {"context", "always", "never"}, default="context"
        See `Lexicon.find`.

    Examples
    --------
    >>> from perturbx.lexicons import load_lexicon
    >>> from perturbx.lexicons.rules import swap_rule
    >>> swap_text("An actress and her mother.", swap_rule([load_lexicon("gender")])).text
    'An actor and his father.'
    """
    mentions = find_mentions(rule.lexicons, text, ambiguous=ambiguous)
    chosen: list[tuple[int, str, str, Kind]] = []
    named = _Names(rule, mentions)
    whole = True
    touched = set()
    for i, mention in enumerate(mentions):
        target = rule.target(mention.attribute, mention.group)
        if target is None or not mention.is_swappable:
            continue
        touched.add(mention.attribute)
        found = named.counterpart(mention, target)
        if found is None:
            whole = False
            continue
        chosen.append((i, target, *found))
    edits: list[Edit] = []
    replacements: list[Replacement] = []
    becomes: dict[int, str] = {}
    # From behind, as an article agrees with what follows where its own term is left out.
    for i, target, written, kind in reversed(chosen):
        following = mentions[i + 1] if i + 1 < len(mentions) else None
        own = edits_of(text, mentions[i], i, target, written, following, becomes.get(i + 1))
        edits.extend(own)
        term = next(edit for edit in own if edit.role == "term")
        becomes[i] = term.text or _what_follows(text, term.stop, following, becomes.get(i + 1))
        replacements.append(Replacement(mentions[i], target, term.text, kind))
    swapped = {id(replacement.mention) for replacement in replacements}
    tied = any(
        mention.kind != "symmetric" and mention.attribute in touched
        for mention in mentions
        if id(mention) not in swapped
    )
    fair = all(replacement.kind == "symmetric" for replacement in replacements)
    edits = _apart(edits)
    return Swapped(
        apply_edits(text, edits),
        mentions,
        tuple(reversed(replacements)),
        whole and fair and not tied,
        tuple(edits),
    )


def apply_edits(text: str, edits: Sequence[Edit], start: int = 0, stop: int | None = None) -> str:
    """Return ``text[start:stop]`` with the `edits` (in order, disjoint, within it) made."""
    stop = len(text) if stop is None else stop
    pieces: list[str] = []
    for edit in edits:
        pieces += [text[start : edit.start], edit.text]
        start = edit.stop
    return "".join([*pieces, text[start:stop]])


def edits_of(
    text: str,
    mention: Mention,
    number: int,
    target: str,
    written: str,
    following: Mention | None,
    becomes: str | None = None,
) -> list[Edit]:
    """Return what one mention asks for: the edit of the term and of what has to agree with it.

    `becomes` is what stands in for the `following` mention, where it gives way, too.
    """
    start, stop = mention.start, mention.stop
    if target == NEUTRAL:
        written, stop = neutral_wording(text, mention, written, following)
    first = begins_sentence(text, start)
    replacement = in_case_of(written, mention.term, mention.spelling, first=first)
    edits = [Edit(start, stop, replacement, number, "term")]
    article = ARTICLE_BEFORE.search(text[max(0, start - 12) : start])
    if article is not None and indefinite_article(mention.term) == article[1].lower():
        new = indefinite_article(replacement or _what_follows(text, stop, following, becomes))
        if new and new != article[1].lower():
            shift = max(0, start - 12)
            agreed = in_case(new, article[1], shouted=mention.term[1:].isupper())
            span = shift + article.start(1), shift + article.end(1)
            edits.insert(0, Edit(*span, agreed, number, "article"))
    if replacement and (ending := possessive_ending(text, mention, written)) is not None:
        edits.append(Edit(*ending[0], ending[1], number, "ending"))
    if mention.form == "subject" and normal(replacement) == "they":
        edits += [
            Edit(*span, verb, number, "verb") for span, verb in plural_verbs(text, start, stop)
        ]
    return edits


def _what_follows(text: str, stop: int, following: Mention | None, becomes: str | None) -> str:
    """Return what comes behind a term that is left out."""
    if becomes and following is not None and following.start == stop:
        return becomes
    return text[stop : stop + 40]


def _apart(edits: Sequence[Edit]) -> list[Edit]:
    """Return the edits in order, without those that agree with a term and meet another."""
    ordered = sorted(edits, key=lambda edit: (edit.start, edit.role != "term"))
    kept: list[Edit] = []
    for edit in ordered:
        if kept and edit.start < kept[-1].stop:
            if edit.role != "term":
                continue
            kept.pop()
        kept.append(edit)
    return kept


class _Names:
    """The counterparts of the mentions of one text, the same name for the same name.

    Two names of a text are never one name of its counterfactual, unless names run out.
    """

    def __init__(self, rule: SwapRule, mentions: Sequence[Mention]) -> None:
        self._rule = rule
        self._given: dict[tuple[str, str], tuple[str, Kind]] = {}
        self._taken = {
            normal(mention.term)
            for mention in mentions
            if mention.form == "name" and rule.target(mention.attribute, mention.group) is None
        }

    def counterpart(self, mention: Mention, target: str) -> tuple[str, Kind] | None:
        """Return what is put in and the kind of the swap; None where there is no counterpart."""
        key = (mention.attribute, normal(mention.term))
        if mention.form != "name":
            return self._rule_counterpart(mention, target)
        if key not in self._given:
            found = self._rule_counterpart(mention, target)
            if found is None:
                return None
            if normal(found[0]) in self._taken:
                found = next(
                    (
                        (name, found[1])
                        for lexicon in self._lexicons(mention)
                        for name in lexicon.names(target)
                        if normal(name) not in self._taken
                    ),
                    found,
                )
            self._taken.add(normal(found[0]))
            self._given[key] = found
        return self._given[key]

    def _rule_counterpart(self, mention: Mention, target: str) -> tuple[str, Kind] | None:
        found = (lexicon.counterpart(mention, target) for lexicon in self._lexicons(mention))
        return next((one for one in found if one is not None), None)

    def _lexicons(self, mention: Mention) -> list[Lexicon]:
        return [one for one in self._rule.lexicons if one.attribute == mention.attribute]
