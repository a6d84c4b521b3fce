"""Sampled answers: how many masks a budget of calls is for, and how often each is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from perturbx.coalitions import LeaveOneOut, OddPairs
from perturbx.coalitions.coalitions import Coalitions
from perturbx.exceptions import ArgumentError
from perturbx.explainers.budget import FIRST_LOOK, GROWTH, LAST_LOOK, whole_pairs
from perturbx.explainers.design import Design
from perturbx.score_table import ScoreTable
from perturbx.surrogates import ExactShapley, OddGP
from perturbx.typing import Encoding, PaidScorer, Scorer

MOST_UNITS_COUNTED = 40
"""Beyond so many units there are always more masks than calls."""


@dataclass(frozen=True)
class VoteSplit:
    """A budget of calls, split.

    Parameters
    ----------
    n_masks : int
        Masks, both ends among them.
    of_masks : int
        Answers to each mask between the ends.
    of_ends : int
        Answers to the whole text, and to the text with every unit removed.
    n_more : int
        Of the masks between, how many get one answer more; whole pairs.
    """

    n_masks: int
    of_masks: int
    of_ends: int
    n_more: int = 0

    @property
    def n_calls(self) -> int:
        """All answers."""
        return (self.n_masks - 2) * self.of_masks + self.n_more + 2 * self.of_ends


def split_votes(n_calls: int, n_units: int, n_samples: int = 1) -> VoteSplit:
    """Split a budget between more masks and more answers a mask, for the least error.

    A new mask lowers the error of the sampling and that of the estimate, a second answer to the
    same one only the first. So masks are asked once each until there are no more. Only the ends
    enter every value: with noise s² an answer, m pairs of masks leave 2 s² (n - 1) / m of squared
    error in the differences of the values and r answers at each end 2 s² / (n r) in their sum,
    which together are least, for 2 m + 2 r calls, at r = m / √(n (n - 1)), about m / n.

    Parameters
    ----------
    n_calls : int
        Answers in all.
    n_units : int
        Units of the text.
    n_samples : int
        Answers to each mask at least.

    Examples
    --------
    >>> split_votes(140, 14)
    VoteSplit(n_masks=132, of_masks=1, of_ends=5, n_more=0)
    >>> split_votes(140, 3)
    VoteSplit(n_masks=8, of_masks=17, of_ends=18, n_more=2)
    """
    all_masks = 2**n_units if n_units <= MOST_UNITS_COUNTED else n_calls + 1
    # m pairs of n_samples answers each, and m / n times as many at the ends
    n_pairs = int(n_calls / (2 * n_samples * (1.0 + 1.0 / max(n_units, 1))))
    if n_calls < 4 * n_samples:  # too few for both ends and a pair
        n_pairs = 0
    if 2 * n_pairs + 2 < all_masks:
        of_ends = max(n_samples, (n_calls - 2 * n_pairs * n_samples) // 2)
        while n_pairs > 1 and 2 * n_pairs * n_samples + 2 * of_ends > n_calls:
            n_pairs -= 1
        return VoteSplit(2 * n_pairs + 2, n_samples, of_ends)
    return _of_all_masks(n_calls, n_units, n_samples)


def _of_all_masks(n_calls: int, n_units: int, n_samples: int) -> VoteSplit:
    """Split more calls than there are masks: ends and masks grow in turns, and never shrink.

    Once every mask has e answers, the ends get what e + 1 answers want, then pair after pair does.
    """
    if n_units < 2:
        return VoteSplit(2, 0, max(n_samples, n_calls // 2))
    inside: int = 2**n_units - 2

    def of_ends(of_masks: int) -> int:
        # Rounded down: at n_samples answers a mask the budget may hold no more.
        return max(n_samples, of_masks * inside // (2 * n_units))

    each = max(n_samples, int(n_calls / (inside * (1.0 + 1.0 / n_units)) + 1))
    while each > n_samples and inside * each + 2 * of_ends(each) > n_calls:
        each -= 1
    left = max(0, n_calls - inside * each - 2 * of_ends(each))
    more = min(left // 2, of_ends(each + 1) - of_ends(each))
    n_more = (left - 2 * more) // 2 * 2
    return VoteSplit(inside + 2, each, of_ends(each) + more, min(n_more, inside))


def with_samples(design: Coalitions, split: VoteSplit) -> Coalitions:
    """Return a design that knows how many answers each of its masks gets."""
    sizes = design.masks.sum(dim=1)
    is_end = (sizes == 0) | (sizes == design.n_units)
    samples = torch.where(is_end, split.of_ends, max(split.of_masks, 1))
    if split.n_more:
        # A mask and its complement are one number, the smaller of both: pairs stand together.
        codes = design.masks.long() @ (1 << torch.arange(design.n_units))
        pair = torch.minimum(codes, 2**design.n_units - 1 - codes)
        order = torch.argsort(torch.where(is_end, 2**design.n_units, pair), stable=True)
        samples[order[: split.n_more]] += 1
    return replace(design, samples=samples)


def samples_of(
    scorer: Scorer, encodings: Sequence[Encoding], known: Sequence[ScoreTable | None]
) -> int | None:
    """Return the answers that are sampled for a mask at least; None where none are.

    A scorer that has to find out what its model can do is let do so, unless an earlier run did.
    """
    if not isinstance(scorer, PaidScorer) or not encodings:
        return None
    begun = next((table for table in known if table is not None and len(table)), None)
    if begun is not None:
        return None if begun.samples is None else scorer.n_samples
    whole = torch.ones(1, encodings[0].units.n_units, dtype=torch.bool)
    (text,) = encodings[0].variants(whole).texts or ("",)
    scorer.prepare(text)
    return samples_expected(scorer)


def samples_expected(scorer: Scorer) -> int | None:
    """Return what `samples_of` will, as far as that is known before anything is asked."""
    if isinstance(scorer, PaidScorer) and scorer.samples_answers:
        return scorer.n_samples
    return None


def sampled_designs(
    designs: Sequence[Design],
    budgets: Sequence[tuple[int, ...]],
    encodings: Sequence[Encoding],
    budget: int | str,
    n_samples: int,
) -> tuple[list[Design], list[tuple[int, ...]]]:
    """Return the designs and budgets of texts whose scores are shares of sampled answers.

    A budget that is a number counts answers; one with a name is for masks, of which each takes
    `n_samples`. A design of few masks spends no more than those take. An enumeration with the
    budget "auto" is not exact: its masks are asked again and again, in rounds, like those of any
    other text.

    Raises
    ------
    ArgumentError
        A budget does not do for pairs, or for leaving one out, of `n_samples` answers a mask.
    """
    made, calls = list(designs), list(budgets)
    for i, (design, encoding) in enumerate(zip(designs, encodings, strict=True)):
        n_units = encoding.units.n_units
        if isinstance(design.surrogate, ExactShapley):
            made[i] = replace(design, sampler=OddPairs(), surrogate=OddGP(), is_nested=True)
        if design.is_refined:
            continue
        if made[i].is_nested and budget == "auto":
            calls[i] = rounds_of_answers(n_units, n_samples)
            continue
        most = n_samples * design.budget
        calls[i] = (most if isinstance(budget, str) else min(most, int(budget)),)
        if made[i].is_nested or isinstance(design.sampler, LeaveOneOut):
            _check_masks(calls[i][0], n_units, n_samples, f"texts[{i}]")
    return made, calls


def _check_masks(n_calls: int, n_units: int, n_samples: int, name: str) -> None:
    """Raise an `ArgumentError` where so many answers leave less than a mask a unit."""
    least = min(n_units + 1, 2 ** min(n_units, MOST_UNITS_COUNTED))
    if n_units < 2 or split_votes(n_calls, n_units, n_samples).n_masks >= least:
        return
    enough = n_calls
    while split_votes(enough, n_units, n_samples).n_masks < least:
        enough += 1
    raise ArgumentError(
        f"budget: {n_calls} answers are too few for {n_units} units with n_samples={n_samples}: "
        f"{least} masks take {enough}; raise the budget, or lower n_samples ({name})"
    )


def rounds_of_answers(n_units: int, n_samples: int = 1) -> tuple[int, ...]:
    """Return the answers after each round of "auto": those of `rounds_of`, for each sample.

    Examples
    --------
    >>> rounds_of_answers(14)
    (42, 62, 94, 140, 212, 280)
    """
    first = max(FIRST_LOOK * n_units, n_units + 4)
    last = max(LAST_LOOK * n_units, first)
    calls = [whole_pairs(int(first * GROWTH**look)) for look in range(6)]
    return tuple(n_samples * own for own in (*(own for own in calls if own < last), last))
