"""`SwapRule`: which group gives way to which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from perturbx.exceptions import ArgumentError
from perturbx.lexicons.entry import NEUTRAL
from perturbx.lexicons.lexicon import Lexicon

Exchange: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]
"""Pairs of groups that change places."""


@dataclass(frozen=True)
class SwapRule:
    """Which group gives way to which, for each lexicon.

    Parameters
    ----------
    lexicons : tuple of Lexicon
        The lexicons.
    targets : tuple of mapping of str to str
        For each lexicon the target of each group that gives way; "neutral" is one.
    """

    lexicons: tuple[Lexicon, ...]
    targets: tuple[Mapping[str, str], ...]

    def target(self, attribute: str, group: str) -> str | None:
        """Return what `group` gives way to; None where it stays."""
        for lexicon, targets in zip(self.lexicons, self.targets, strict=True):
            if lexicon.attribute == attribute and group in targets:
                return targets[group]
        return None


def swap_rule(
    lexicons: Sequence[Lexicon], exchange: Exchange | None = None, to: str | None = None
) -> SwapRule:
    """Return the rule that exchanges pairs of groups, or turns all into one.

    Parameters
    ----------
    lexicons : sequence of Lexicon
        The lexicons.
    exchange : mapping or pairs, optional
        Each of the two gives way to the other. By default the two groups of each lexicon.
    to : str, optional
        A group, or "neutral", to which all others of its lexicon give way.

    Raises
    ------
    ArgumentError
        If both are given, neither tells what to do, or a group is unknown.
    """
    known = ", ".join(f"{lexicon.name}: {', '.join(lexicon.groups)}" for lexicon in lexicons)
    if exchange is not None and to is not None:
        raise ArgumentError(
            f"exchange, to: expected one of them; got exchange={exchange!r} and to={to!r}"
        )
    if to is not None:
        if to != NEUTRAL and not any(to in lexicon.groups for lexicon in lexicons):
            raise ArgumentError(f"to: expected 'neutral' or a group ({known}); got {to!r}")
        return SwapRule(
            tuple(lexicons),
            tuple(
                {group: to for group in lexicon.groups if group != to}
                if to == NEUTRAL or to in lexicon.groups
                else {}
                for lexicon in lexicons
            ),
        )
    if exchange is None:
        for lexicon in lexicons:
            if len(lexicon.groups) != 2:
                raise ArgumentError(
                    f"exchange: {lexicon.name} has {len(lexicon.groups)} groups, say which change "
                    f"places, such as {{{lexicon.groups[0]!r}: {lexicon.groups[1]!r}}}, or give "
                    f"to=; the groups are {', '.join(lexicon.groups)}"
                )
        return SwapRule(
            tuple(lexicons),
            tuple({a: b, b: a} for a, b in (lexicon.groups for lexicon in lexicons)),
        )
    pairs = as_pairs(exchange)
    both_ways = {b: a for a, b in pairs} | dict(pairs)
    for a, b in pairs:
        if not any(a in lexicon.groups and b in lexicon.groups for lexicon in lexicons):
            raise ArgumentError(
                f"exchange: expected pairs of groups of one lexicon ({known}); got {(a, b)!r}"
            )
    return SwapRule(
        tuple(lexicons),
        tuple(
            {a: b for a, b in both_ways.items() if {a, b} <= set(lexicon.groups)}
            for lexicon in lexicons
        ),
    )


def as_pairs(exchange: Exchange) -> tuple[tuple[str, str], ...]:
    """Return the pairs of groups in `exchange`.

    Raises
    ------
    ArgumentError
        If they are none.
    """
    pairs = tuple(exchange.items()) if isinstance(exchange, Mapping) else tuple(exchange)
    if not pairs or not all(
        isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(g, str) for g in pair)
        for pair in pairs
    ):
        raise ArgumentError(
            f'exchange: expected pairs of groups such as {{"female": "male"}}; got {exchange!r:.80}'
        )
    return pairs
