"""Array aliases and the protocols that every part of perturbx speaks.

A part of your own (a segmenter, sampler, masker, scorer or surrogate) needs no base class: it is
enough to have these methods. ``tests/contracts`` holds the suite that each must pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from perturbx.coalitions.coalitions import Coalitions
    from perturbx.maskers.variants import Variants
    from perturbx.score_table import ScoreTable
    from perturbx.scorers.scores import Scores
    from perturbx.surrogates.attribution import Attribution
    from perturbx.units.tree import Tree
    from perturbx.units.units import Units

MaskMatrix: TypeAlias = NDArray[np.bool_]
"""``(n_masks, n_units)``, True = the unit is kept."""

ScoreMatrix: TypeAlias = NDArray[np.float64]
"""``(n_masks, n_outputs)``, the scorer's own numbers."""

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]

Span: TypeAlias = tuple[int, int]
"""``(start, stop)`` in characters (Unicode code points), half open."""

TextInput: TypeAlias = str | tuple[str, str]
"""What is explained: a text, or a pair of texts for a model that compares two."""

ScoreKind: TypeAlias = Literal["logit", "probability", "log_prob", "similarity", "value"]
"""What a scorer's number is. ``similarity``: of two texts, never a probability; ``value``: any
number (a regression, a margin), a probability where all of them lie in [0, 1]."""

Link: TypeAlias = Literal["identity", "probability", "log_prob", "log_odds"]
"""The scale on which a score is explained; ``identity`` is the scorer's own number."""

InputKind: TypeAlias = Literal["tokens", "text"]

RandomState: TypeAlias = int | np.random.Generator | np.random.RandomState | None

ValueFunction: TypeAlias = Callable[[MaskMatrix], Any]
"""A set function: masks ``(m, n)`` to values ``(m,)`` or ``(m, k)``."""


class Players(Protocol):
    """Whatever has units that can be kept or removed: `Units`, or a plain count of them."""

    @property
    def n_units(self) -> int:
        """Return the number of units."""

    @property
    def tree(self) -> Tree | None:
        """Return the hierarchy over the units, if there is one."""


@runtime_checkable
class Segmenter(Protocol):
    """Cuts a text into units."""

    def __call__(self, text: TextInput) -> Units:
        """Return the units of `text`; their pieces give the text back to the character."""


@runtime_checkable
class Sampler(Protocol):
    """Chooses which coalitions are asked about."""

    def sample(self, players: Players, budget: int, generator: torch.Generator) -> Coalitions:
        """Return at most `budget` distinct coalitions, the same ones for the same generator."""


@runtime_checkable
class Encoding(Protocol):
    """One text made ready for masking: tokenized (or cut into strings) once."""

    @property
    def units(self) -> Units:
        """Return the units of the text."""

    @property
    def kind(self) -> InputKind:
        """Return what the variants are."""

    def lengths(self, masks: torch.Tensor) -> torch.Tensor:
        """Return the length ``(m,)`` of each variant, in tokens or characters."""

    def variants(self, masks: torch.Tensor) -> Variants:
        """Return what the model sees for each row of the boolean ``(m, n_units)`` masks."""


@runtime_checkable
class Masker(Protocol):
    """Says what a removed unit looks like."""

    def encode(
        self, units: Units, tokenizer: Any = None, max_tokens: int | None = None
    ) -> Encoding:
        """Return the text ready for masking: as tokens where a tokenizer is given, else strings."""


@runtime_checkable
class Scorer(Protocol):
    """The black box: variants in, numbers out."""

    @property
    def output_names(self) -> tuple[str, ...] | None:
        """Return a name per output; None before the first score of a model that has no names."""

    @property
    def accepts(self) -> tuple[InputKind, ...]:
        """Return the kinds of variants that it reads, the preferred one first."""

    @property
    def model_id(self) -> str:
        """Return a name for the model, for the record."""

    def score(self, variants: Variants) -> Scores:
        """Return one row of numbers per variant."""


@runtime_checkable
class PartScorer(Scorer, Protocol):
    """A scorer that makes its own batches, of variants that share beginnings, say.

    With an attribute ``order = "turns"`` it gets the first variant of every text before the second
    of any; with ``least_at_once`` so many variants at once, however long they are.
    """

    def score_parts(
        self, variants: Variants, batch_tokens: int | Literal["auto"] = "auto"
    ) -> Iterator[tuple[IntArray, Scores]]:
        """Yield rows and their numbers as they come; every row once.

        A scorer without `output_names` may give wider rows later on; where the encodings read
        their outputs out of the columns, texts may differ in how many they have.
        """


@runtime_checkable
class PaidScorer(PartScorer, Protocol):
    """A scorer of a model behind an API, which first has to find out what that can do."""

    @property
    def n_samples(self) -> int:
        """Return how many answers are sampled for a variant at least, where they are."""

    @property
    def samples_answers(self) -> bool:
        """Say whether answers are sampled; known for sure after `prepare`."""

    @property
    def keeps_answers(self) -> bool:
        """Say whether answers are kept for later runs, which should then ask the same."""

    def prepare(self, text: TextInput) -> None:
        """Find out what the model can do, by a text that will be asked about anyway."""

    def estimate(self, n_variants: int, n_characters: int, sample: str) -> Any:
        """Return what so many variants, or sampled answers, will cost, roughly."""


@runtime_checkable
class Surrogate(Protocol):
    """Turns tables of scores into attributions."""

    @property
    def name(self) -> str:
        """Return the name that its attributions carry as `method`."""

    def fit(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return one attribution per table; a batch gives what one by one gives."""
