"""`BaseExplainer`: what all explainers share. It orchestrates and computes nothing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import torch

from perturbx._version import __version__
from perturbx.coalitions.coalitions import Coalitions
from perturbx.exceptions import ArgumentError
from perturbx.explainers.budget import resolve_seed
from perturbx.explainers.cost import CostEstimate, estimate_cost
from perturbx.explainers.design import Design
from perturbx.explainers.estimator import ModelEstimator
from perturbx.explainers.failure import warn_of_limits, warn_of_poor_fits
from perturbx.explainers.parameters import check_link, check_outputs, check_parameters
from perturbx.explainers.partition_of_units import table_of_units
from perturbx.explainers.play_texts import play_texts
from perturbx.explainers.preparation import cut_texts, encode_texts
from perturbx.explainers.purchases import TextPurchases
from perturbx.explainers.repeats import sampled_designs, samples_expected, samples_of
from perturbx.explainers.stopping import StoppingRule
from perturbx.explainers.tables import check_tables
from perturbx.explainers.word_columns import WordColumns
from perturbx.explanations import Explanations
from perturbx.maskers import as_masker
from perturbx.runner import Runner
from perturbx.score_table import ScoreTable
from perturbx.scorers import as_scorer
from perturbx.typing import (
    Encoding,
    Link,
    Masker,
    PaidScorer,
    RandomState,
    Scorer,
    Segmenter,
    TextInput,
)
from perturbx.units import as_segmenter
from perturbx.units.units import Units


class BaseExplainer(WordColumns, ModelEstimator):
    """Explains what a text model makes of a text, unit by unit.

    Parameters
    ----------
    model : object
        What is explained: a function of a list of strings, a fitted scikit-learn estimator or
        pipeline, a pair ``(model, tokenizer)`` or a ``pipeline`` of transformers, a path or hub
        name of a transformers classifier, "default" (the small English sentiment model that
        perturbx ships), or a `Scorer`. One that is fitted anew or changed in place takes a new
        explainer, or another `fit`: what the old one said of a text may be kept.
    units : str, re.Pattern, callable or Segmenter, default="words"
        What is kept or removed as one: "words", "characters", "sentences", "paragraphs", ...
    masker : {"auto", "mask", "unk", "delete"} or Masker, default="auto"
        What a removed unit looks like. "auto" is the model's mask token where it has one, and
        deletion elsewhere.
    budget : int or {"auto", "fast", "normal", "high"}, default="auto"
        Distinct model calls a text: a number, or 5 ("fast"), 10 ("normal") or 20 ("high") calls a
        unit. "auto": as many as it takes, see `ShapleyExplainer`, where the method can tell;
        else 10 calls a unit. All ``2 ** n_units`` coalitions where they fit. Of a model that
        samples answers a number counts these, and a name `n_samples` of them for each call.
    outputs : {"all", "predicted"} or sequence of str, default="all"
        The model's outputs that are explained. "predicted": the one with the highest score.
    link : {"identity", "probability", "log_prob", "log_odds"}, default="identity"
        The scale of the explanation; "identity" is the scorer's own number (raw logits of a
        transformers classifier, ``predict_proba`` of scikit-learn, what a function returns).
    random_state : int, numpy Generator or RandomState, or None, default=None
        An int makes runs equal; a text's masks do not depend on the texts beside it. Runs of a
        model with a cache file are equal without it, too: they find their answers there.
    device : str or torch.device, optional
        Where a transformers model runs; by default where it is, or the best there is.
    dtype : str or torch.dtype, optional
        The precision it runs in.
    batch_tokens : int or "auto", default="auto"
        Most tokens (characters, for models that take strings) in one batch.
    output_names : sequence of str, optional
        Names for the outputs of a model that has none.
    progress : bool, default=True
        Show a progress bar on standard error once a run takes longer than a second.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        The words seen in `fit`, casefolded, and their columns in `transform`.
    output_names_ : list of str
        The names of the explained outputs, one block of columns each.
    """

    def __init__(
        self,
        model: Any,
        *,
        units: Any = "words",
        masker: str | Masker = "auto",
        budget: int | str = "auto",
        outputs: str | Sequence[str] = "all",
        link: Link = "identity",
        random_state: RandomState = None,
        device: Any = None,
        dtype: Any = None,
        batch_tokens: int | Literal["auto"] = "auto",
        output_names: Sequence[str] | None = None,
        progress: bool = True,
    ) -> None:
        self.model = model
        self.units = units
        self.masker = masker
        self.budget = budget
        self.outputs = outputs
        self.link = link
        self.random_state = random_state
        self.device = device
        self.dtype = dtype
        self.batch_tokens = batch_tokens
        self.output_names = output_names
        self.progress = progress

    @abstractmethod
    def _design(self, units: Units) -> Design:
        """Return what is asked about these units and what is fitted to the answers."""

    def _rule(self) -> StoppingRule:
        """Return when a text needs no further round, for designs that are nested."""
        return StoppingRule()

    def _players(self, units: Units) -> Units:
        """Return the units as this explainer plays them (with a hierarchy, say)."""
        return units

    def _segmenter(self) -> Segmenter:
        return as_segmenter(self.units)

    def _masker(self, scorer: Scorer) -> Masker:
        return as_masker(self.masker, getattr(scorer, "tokenizer", None))

    def explain(
        self, texts: Sequence[TextInput | Units], *, tables: Sequence[ScoreTable] | None = None
    ) -> Explanations:
        """Explain every text; their variants go through the model in one stream a round.

        Parameters
        ----------
        texts : sequence of str, of (str, str), or of Units
            What is explained. `Units` are taken as they are.
        tables : sequence of ScoreTable, optional
            What an earlier run paid for, one table per text: scores found there are not bought
            again. ``ScoringError.tables`` and ``Interrupted.tables`` are such. Rows that another
            kind of explainer drew are fitted, too: pairs and Gaussian processes take any, but what
            needs a random sample of its own (leverage, kernel, lasso, LIME's draws) then tells its
            errors less exactly (95% intervals held 88 to 99% of the values). A model is known by
            its name there: another function, or estimator, of one name is not told apart.

        Returns
        -------
        Explanations
            One per text, in order.

        Raises
        ------
        ArgumentError
            A parameter or a text is not what it should be. No call has been made, or, where only
            the scores could tell (the outputs of a function), ``.tables`` holds them.
        ScoringError
            The model failed; ``.tables`` holds what was paid for.
        Interrupted
            Ctrl-C; ``.tables`` holds what was paid for.
        """
        scorer, masker, encodings = self._prepared(texts)
        return self._explain_encoded(encodings, tables, scorer, masker)

    def _explain_encoded(
        self,
        encodings: Sequence[Encoding],
        tables: Sequence[ScoreTable] | None,
        scorer: Scorer,
        masker: Masker,
    ) -> Explanations:
        """Explain texts that are ready for masking."""
        known = self._known(encodings, tables, scorer, masker)
        n_samples = samples_of(scorer, encodings, known)
        seed = self._seed(known, scorer)
        designs, budgets = self._planned(encodings, n_samples)
        explanations = play_texts(
            [encoding.units for encoding in encodings],
            designs,
            budgets,
            self._purchases(encodings, designs, known, scorer, masker, seed),
            self._rule(),
            seed,
            link=self._explained_link(scorer, encodings, known),
            outputs=self._explained_outputs(),
            when_spent="cap" if self.budget == "auto" else "fixed budget",
            n_samples=n_samples,
        )
        warn_of_limits(explanations)
        warn_of_poor_fits(explanations)
        return explanations

    def _explained_link(
        self, scorer: Scorer, encodings: Sequence[Encoding], known: Sequence[ScoreTable | None]
    ) -> Link:
        """Return the scale of the explanation."""
        return self.link

    def _explained_outputs(self) -> str | Sequence[str]:
        """Return which columns of the tables are explained."""
        return self.outputs

    def _designs(self, encodings: Sequence[Encoding]) -> list[Design]:
        return [self._design_of(i, encoding) for i, encoding in enumerate(encodings)]

    def estimate_cost(self, texts: Sequence[TextInput | Units]) -> CostEstimate:
        """Return what `explain` would cost at least and at most; the model is not called.

        Parameters
        ----------
        texts : sequence of str, of (str, str), or of Units
            What would be explained.

        Returns
        -------
        CostEstimate
            Calls and tokens (characters, for models that take strings): of each text, and of
            all. Least and most differ where the calls are bought in rounds. Whether a model behind
            an API has to be asked for sampled answers is told from its `method`; with "auto", only
            once something was asked.

        Raises
        ------
        ArgumentError
            A parameter or a text is not what it should be.
        """
        scorer, _, encodings = self._prepared(texts)
        return self._estimated(encodings, scorer)

    def _estimated(self, encodings: Sequence[Encoding], scorer: Scorer) -> CostEstimate:
        """Return the cost of texts that are ready for masking."""
        n_samples = samples_expected(scorer)
        designs, budgets = self._planned(encodings, n_samples)
        seed = resolve_seed(0 if self.random_state is None else deepcopy(self.random_state))
        estimate = estimate_cost(encodings, designs, budgets, seed, n_samples)
        return estimate.billed(scorer, "".join(encoding.units.text for encoding in encodings))

    def _prepared(
        self, texts: Sequence[TextInput | Units]
    ) -> tuple[Scorer, Masker, list[Encoding]]:
        self._check_parameters()
        units = cut_texts(texts, self._segmenter())
        scorer = self._scorer()
        check_outputs(self.outputs, scorer.output_names)
        check_link(self.link, scorer)
        masker = self._masker(scorer)
        return scorer, masker, encode_texts(units, masker, scorer, self._players)

    def _planned(
        self, encodings: Sequence[Encoding], n_samples: int | None
    ) -> tuple[list[Design], list[tuple[int, ...]]]:
        """Return each text's design, and the calls that it may have in all after each round."""
        designs = self._designs(encodings)
        budgets = [
            design.rounds(self.budget, encoding.units.n_units)
            for encoding, design in zip(encodings, designs, strict=True)
        ]
        if n_samples is None:
            return designs, budgets
        return sampled_designs(designs, budgets, encodings, self.budget, n_samples)

    def _check_parameters(self) -> None:
        check_parameters(self.link, self.batch_tokens, self.outputs)

    def _scorer(self) -> Scorer:
        """Return the scorer of `model`; a model is loaded once, until a parameter changes."""
        learned: list[str] | None = None
        if self.output_names is None and not isinstance(self.model, Scorer):
            learned = self._held("_class_names")
        loaded: tuple[Any, Scorer] | None = self._held("_loaded")
        if loaded is None or loaded[0] != learned:
            names = learned or self.output_names
            scorer = as_scorer(self.model, device=self.device, dtype=self.dtype, output_names=names)
            loaded = (learned, scorer)
            self._hold("_loaded", loaded)
        return loaded[1]

    def _provenance(
        self, scorer: Scorer, masker: Masker, design: Design, seed: int
    ) -> dict[str, Any]:
        return {
            "perturbx": __version__,
            "explainer": type(self).__name__,
            "model": scorer.model_id,
            "masker": repr(masker),
            "sampler": repr(design.sampler),
            "budget": design.budget,
            "seed": seed,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _known(
        self,
        encodings: Sequence[Encoding],
        tables: Sequence[ScoreTable] | None,
        scorer: Scorer,
        masker: Masker,
    ) -> list[ScoreTable | None]:
        if tables is None:
            probe: ScoreTable | None = self._held("_probe")
            return [
                probe if probe is not None and probe.units == encoding.units else None
                for encoding in encodings
            ]
        source = {"model": scorer.model_id, "masker": repr(masker)}
        units = [encoding.units for encoding in encodings]
        if isinstance(tables, Sequence) and len(tables) == len(units):
            tables = [table_of_units(t, own) for t, own in zip(tables, units, strict=True)]
        are_parts = any(getattr(own, "output_names", None) for own in encodings)
        check_tables(tables, units, source, None if are_parts else scorer.output_names)
        return list(tables)

    def _seed(self, known: Sequence[ScoreTable | None], scorer: Scorer) -> int:
        """Return the run's seed: an unseeded run that goes on keeps the seed it began with.

        So does one whose answers are kept from run to run: it must find its masks again.
        """
        begun = [t.provenance["seed"] for t in known if t is not None and "seed" in t.provenance]
        if self.random_state is None and begun:
            return int(begun[0])
        if self.random_state is None and isinstance(scorer, PaidScorer) and scorer.keeps_answers:
            return 0
        return resolve_seed(self.random_state)

    def _design_of(self, number: int, encoding: Encoding) -> Design:
        try:
            return self._design(encoding.units)
        except ArgumentError as error:
            raise ArgumentError(f"{error} (texts[{number}])") from None

    def _purchases(
        self,
        encodings: Sequence[Encoding],
        designs: Sequence[Design],
        known: Sequence[ScoreTable | None],
        scorer: Scorer,
        masker: Masker,
        seed: int,
    ) -> TextPurchases:
        runner = Runner(scorer, batch_tokens=self.batch_tokens, progress=self.progress)
        records = [self._provenance(scorer, masker, design, seed) for design in designs]
        for record, encoding in zip(records, encodings, strict=True):
            parts = getattr(encoding, "parts", None)
            record |= {} if parts is None else {"parts": parts}
        return TextPurchases(encodings, known, runner, records)

    def _explained_names(self, units: Units, y: Any) -> list[str]:
        if isinstance(self.outputs, str) and self.outputs == "predicted":
            return ["predicted"]
        if not isinstance(self.outputs, str):
            return list(self.outputs)
        if self.outputs != "all":
            return [self.outputs]
        for learned in ("_probe", "_class_names"):
            self.__dict__.pop(learned, None)
        scorer = self._scorer()
        if scorer.output_names is not None:
            return list(scorer.output_names)
        probe = self._score_whole_text(units, scorer)
        names = list(probe.output_names)
        classes = [] if y is None else [str(label) for label in np.unique(np.asarray(y))]
        if len(classes) == len(names) > 1:
            names = classes
            self._hold("_class_names", names)
        self._hold("_probe", replace(probe, output_names=tuple(names)))
        return names

    def _score_whole_text(self, units: Units, scorer: Scorer) -> ScoreTable:
        """Return a table of the one call that tells how many outputs there are."""
        masker = self._masker(scorer)
        (encoding,) = encode_texts([units], masker, scorer, self._players)
        whole = Coalitions(
            torch.ones(1, encoding.units.n_units, dtype=torch.bool),
            counts=torch.ones(1, dtype=torch.int64),
        )
        design = self._design(encoding.units)
        purchases = self._purchases([encoding], [design], [None], scorer, masker, resolve_seed(0))
        purchases.buy({0: whole})
        table = purchases.table(0)
        kept = {k: v for k, v in table.provenance.items() if k != "seed"}
        return replace(table, provenance=kept)
