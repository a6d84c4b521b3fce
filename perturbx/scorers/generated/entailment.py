"""`Entailment`: whether one text follows from another, by a model of natural language inference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from perturbx.exceptions import ArgumentError
from perturbx.scorers.generated.pooled import in_batches
from perturbx.typing import FloatArray


@dataclass(frozen=True, eq=False)
class Entailment:
    """How sure an NLI classifier is that a text entails the reference.

    Between 0 and 1. It is that classifier's probability of a relation between two texts, and no
    probability of what the explained model says.

    Parameters
    ----------
    classifier : (model, tokenizer)
        A transformers model for pairs of texts, with a label for entailment.
    label : str, optional
        The name of that label; by default the one that begins with "entail".
    both_ways : bool, default=False
        Average with how sure it is that the reference entails the text.
    """

    classifier: Any
    label: str | None = None
    both_ways: bool = False
    name: ClassVar[str] = "entailment"
    is_probability: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _ = self._column

    @property
    def _column(self) -> int:
        if not isinstance(self.classifier, tuple | list) or len(self.classifier) != 2:
            raise ArgumentError(
                f"classifier: expected (model, tokenizer), got {self.classifier!r:.80}"
            )
        labels = {int(i): str(own) for i, own in self.classifier[0].config.id2label.items()}
        for index, own in labels.items():
            if own == self.label or (self.label is None and own.lower().startswith("entail")):
                return index
        raise ArgumentError(
            f"label: expected one of {list(labels.values())}, got "
            f"{self.label!r}" + ("; none of them says entailment" if self.label is None else "")
        )

    def __call__(self, reference: str, texts: Sequence[str]) -> FloatArray:
        """Return the score of each text, ``(m,)``."""
        others = [reference] * len(texts)
        forward = self._entailed(list(texts), others)
        return (forward + self._entailed(others, list(texts))) / 2 if self.both_ways else forward

    def _entailed(self, premises: list[str], hypotheses: list[str]) -> FloatArray:
        column = self._column

        def read(output: Any, mask: torch.Tensor) -> torch.Tensor:
            chosen: torch.Tensor = output.logits.float().softmax(-1)[:, [column]]
            return chosen

        model, tokenizer = self.classifier
        found: FloatArray = in_batches(model, tokenizer, [premises, hypotheses], read).numpy()
        return found[:, 0].astype(np.float64)
