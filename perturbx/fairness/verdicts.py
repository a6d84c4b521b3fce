"""What an audit comes to, in sentences that need no statistics to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from perturbx.fairness.cause_sentences import advice_sentences, swap_sentences, word_sentences
from perturbx.fairness.gap_sentences import (
    few_sentences,
    gap_sentences,
    no_gap_sentences,
    only,
    told_level,
)

if TYPE_CHECKING:
    import pandas as pd

VerdictKind: TypeAlias = Literal["gap", "no gap", "too few", "counterfactual", "words", "advice"]


KINDS: Final[Mapping[VerdictKind, str]] = {
    "gap": "What differs between groups",
    "counterfactual": "What swapping identity terms shows",
    "words": "Because of which words",
    "advice": "What would help (estimates)",
    "no gap": "Where no gap was found, and what size would have been seen",
    "too few": "Where there are too few texts to tell",
}
"""The kinds of verdicts in the order in which they are told, with a heading for each."""


@dataclass(frozen=True)
class Verdict:
    """One sentence of a report, or a few.

    Parameters
    ----------
    kind : {"gap", "no gap", "too few", "counterfactual", "words", "advice"}
        What it says.
    attribute : str
        Which groups it is about.
    text : str
        The sentence.
    """

    kind: VerdictKind
    attribute: str
    text: str

    def to_dict(self) -> dict[str, str]:
        """Return it as plain values."""
        return asdict(self)


def verdicts_of(
    facts: Mapping[str, Any], frames: Mapping[str, pd.DataFrame]
) -> tuple[Verdict, ...]:
    """Return the verdicts of a report, those of a kind together, attribute by attribute."""
    level = float(facts.get("level", 0.95))
    enough = int(facts.get("min_group_size") or 10)
    found: list[Verdict] = []
    for attribute in attributes_of(frames):
        gaps = only(frames["gaps"], attribute=attribute, kind="difference")
        texts: dict[VerdictKind, Iterable[str]] = {
            "gap": gap_sentences(attribute, gaps, frames["metrics"], told_level(level)),
            "counterfactual": swap_sentences(attribute, frames["counterfactual"], level, enough),
            "words": word_sentences(attribute, gaps, frames),
            "advice": advice_sentences(attribute, gaps, frames["advice"]),
            "no gap": no_gap_sentences(attribute, gaps),
            "too few": few_sentences(attribute, gaps, frames, enough),
        }
        found += [Verdict(kind, attribute, text) for kind, own in texts.items() for text in own]
    order = list(KINDS)
    return tuple(sorted(found, key=lambda verdict: order.index(verdict.kind)))


def attributes_of(frames: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    """Return what groups differ in: what was measured, then what was swapped only."""
    tables = ("groups", "counterfactual", "words", "identity_terms", "advice")
    return tuple(dict.fromkeys(name for table in tables for name in frames[table]["attribute"]))
