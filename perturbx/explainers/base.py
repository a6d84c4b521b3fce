"""`BaseExplainer`: the front door that all explainers share. It orchestrates and computes nothing."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, Self

import numpy as np
import scipy.sparse
import torch
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError

from perturbx._version import __version__
from perturbx.coalitions import sample_batch
from perturbx.coalitions.coalitions import Coalitions
from perturbx.exceptions import (
    ArgumentError,
    Interrupted,
    PoorFitWarning,
    ScoringError,
    TruncationWarning,
)
from perturbx.explainers.budget import resolve_seed, seed_of_text
from perturbx.explainers.design import Design
from perturbx.explainers.tables import build_table, check_known, rows_to_score
from perturbx.explanation import Explanation
from perturbx.explanations import Explanations
from perturbx.maskers import as_masker
from perturbx.runner import Job, Runner
from perturbx.score_table import ScoreTable
from perturbx.scorers import as_scorer
from perturbx.scorers.links import LINKS
from perturbx.surrogates.attribution import Attribution
from perturbx.typing import (
    Encoding,
    Link,
    Masker,
    RandomState,
    Scorer,
    Segmenter,
    Surrogate,
    TextInput,
)
from perturbx.units import as_segmenter
from perturbx.units.units import Units

POOR_FIT = 0.5
"""An explanation whose out-of-fold r2 is below this says so."""


class BaseExplainer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Explains what a text model makes of a text, unit by unit.

    Parameters
    ----------
    model : object
        What is explained: a function of a list of strings, a fitted scikit-learn estimator or
        pipeline, a pair ``(model, tokenizer)`` or a ``pipeline`` of transformers, a path or hub
        name of a transformers classifier, "default" (the small English sentiment model that
        perturbx ships), or a `Scorer`.
    units : str, re.Pattern, callable or Segmenter, default="words"
        What is kept or removed as one: "words", "characters", "sentences", "paragraphs", ...
    masker : {"auto", "mask", "unk", "delete"} or Masker, default="auto"
        What a removed unit looks like. "auto" is the model's mask token where it has one, and
        deletion elsewhere.
    budget : int or {"auto", "fast", "normal", "high"}, default="auto"
        Distinct model calls a text: a number, or 10 ("auto", "normal"), 5 or 20 calls a unit.
        All ``2 ** n_units`` coalitions where they fit.
    outputs : {"all", "predicted"} or sequence of str, default="all"
        The model's outputs that are explained. "predicted": the one with the highest score.
    link : {"identity", "probability", "log_prob", "log_odds"}, default="identity"
        The scale of the explanation; "identity" is the scorer's own number (raw logits of a
        transformers classifier, ``predict_proba`` of scikit-learn, what a function returns).
    random_state : int, numpy Generator or RandomState, or None, default=None
        An int makes runs equal; a text's masks do not depend on the texts beside it.
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

    def _players(self, units: Units) -> Units:
        """Return the units as this explainer plays them (with a hierarchy, say)."""
        return units

    def _segmenter(self) -> Segmenter:
        return as_segmenter(self.units)

    def _masker(self, scorer: Scorer) -> Masker:
        return as_masker(self.masker, getattr(scorer, "tokenizer", None))

    # ---------------------------------------------------------------- explain

    def explain(
        self, texts: Sequence[TextInput | Units], *, tables: Sequence[ScoreTable] | None = None
    ) -> Explanations:
        """Explain every text; all their variants go through the model in one stream.

        Parameters
        ----------
        texts : sequence of str, of (str, str), or of Units
            What is explained. `Units` are taken as they are.
        tables : sequence of ScoreTable, optional
            What an earlier run paid for, one table per text: scores found there are not bought
            again. ``ScoringError.tables`` and ``Interrupted.tables`` are such.

        Returns
        -------
        Explanations
            One per text, in order.

        Raises
        ------
        ArgumentError
            A parameter or a text is not what it should be; no call has been made.
        ScoringError
            The model failed; ``.tables`` holds what was paid for.
        Interrupted
            Ctrl-C; ``.tables`` holds what was paid for.
        """
        self._check_parameters()
        units = self._cut(texts)
        scorer = self._scorer()
        masker = self._masker(scorer)
        encodings = _encode(units, masker, scorer, self._players)
        known = self._known(encodings, tables, scorer, masker)
        seed = self._seed(known)
        designs = [self._design_of(i, encoding.units) for i, encoding in enumerate(encodings)]
        coalitions = _draw(designs, encodings, seed)
        tables = self._score(encodings, coalitions, known, designs, scorer, masker, seed)
        return self._fit_surrogates(tables, [design.surrogate for design in designs])

    def _check_parameters(self) -> None:
        if self.link not in LINKS:
            raise ArgumentError(f"link: expected one of {', '.join(LINKS)}; got {self.link!r}")
        size = self.batch_tokens
        if size != "auto" and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
            raise ArgumentError(f"batch_tokens: expected 'auto' or a positive int; got {size!r}")
        known = isinstance(self.outputs, str) or all(isinstance(o, str) for o in self.outputs)
        if not known or not len(self.outputs):
            raise ArgumentError(
                f"outputs: expected 'all', 'predicted' or output names; got {self.outputs!r}"
            )

    def _cut(self, texts: Sequence[TextInput | Units]) -> list[Units]:
        if isinstance(texts, (str, bytes, Units)) or not hasattr(texts, "__iter__"):
            raise ArgumentError(
                f"texts: expected a list of texts, got {type(texts).__name__}; put a single text "
                f"into a list: [text]"
            )
        segmenter = self._segmenter()
        cut = []
        for i, text in enumerate(texts):
            if isinstance(text, Units):
                cut.append(text)
            elif isinstance(text, str) or (
                isinstance(text, (tuple, list))
                and len(text) == 2
                and all(isinstance(part, str) for part in text)
            ):
                cut.append(segmenter(str(text) if isinstance(text, str) else (text[0], text[1])))
            else:
                raise ArgumentError(
                    f"texts[{i}]: expected a string, a pair of strings or Units; got "
                    f"{type(text).__name__}"
                )
        return cut

    def _scorer(self) -> Scorer:
        """Return the scorer of `model`; a model is loaded once, until a parameter changes."""
        names = self.output_names or self.__dict__.get("_class_names")
        key = (id(self.model), self.device, self.dtype, tuple(names or ()))
        cached: tuple[Any, Scorer] | None = self.__dict__.get("_loaded")
        if cached is None or cached[0] != key:
            scorer = as_scorer(
                self.model, device=self.device, dtype=self.dtype, output_names=names
            )
            cached = self._loaded = (key, scorer)
        return cached[1]

    def _provenance(self, scorer: Scorer, masker: Masker, design: Design, seed: int) -> dict[str, Any]:
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
            probe: ScoreTable | None = self.__dict__.get("_probe")
            return [
                probe if probe is not None and probe.units == encoding.units else None
                for encoding in encodings
            ]
        if len(tables) != len(encodings):
            raise ArgumentError(
                f"tables: expected one per text, got {len(tables)} for {len(encodings)} texts"
            )
        source = {"model": scorer.model_id, "masker": repr(masker)}
        for i, (table, encoding) in enumerate(zip(tables, encodings, strict=True)):
            check_known(table, encoding.units, source, f"tables[{i}]")
        return list(tables)

    def _seed(self, known: Sequence[ScoreTable | None]) -> int:
        """Return the run's seed: an unseeded run that goes on keeps the seed it began with."""
        begun = [t.provenance["seed"] for t in known if t is not None and "seed" in t.provenance]
        if self.random_state is None and begun:
            return int(begun[0])
        return resolve_seed(self.random_state)

    def _design_of(self, number: int, units: Units) -> Design:
        try:
            return self._design(units)
        except ArgumentError as error:
            raise ArgumentError(f"{error} (texts[{number}])") from None

    def _score(
        self,
        encodings: Sequence[Encoding],
        coalitions: Sequence[Coalitions],
        known: Sequence[ScoreTable | None],
        designs: Sequence[Design],
        scorer: Scorer,
        masker: Masker,
        seed: int,
    ) -> list[ScoreTable]:
        fresh = [rows_to_score(c, table) for c, table in zip(coalitions, known, strict=True)]
        jobs = [
            Job(encoding, drawn.masks[rows])
            for encoding, drawn, rows in zip(encodings, coalitions, fresh, strict=True)
        ]
        runner = Runner(scorer, batch_tokens=self.batch_tokens, progress=self.progress)
        outcome = runner.run(jobs)
        names = scorer.output_names or tuple(map(str, range(outcome.n_outputs or 0)))
        tables = [
            build_table(
                encoding.units,
                drawn,
                rows,
                result,
                outcome,
                names if outcome.n_outputs is not None else (),
                self._provenance(scorer, masker, design, seed),
                table,
            )
            for encoding, drawn, rows, result, design, table in zip(
                encodings, coalitions, fresh, outcome.results, designs, known, strict=True
            )
        ]
        _raise_with_tables(outcome.failure, tables)
        return tables

    def _fit_surrogates(
        self, tables: Sequence[ScoreTable], surrogates: Sequence[Surrogate]
    ) -> Explanations:
        views = [table.linked(self.link).select(self.outputs) for table in tables]
        attributions: list[Attribution | None] = [None] * len(views)
        for surrogate in dict.fromkeys(surrogates):
            members = [i for i, own in enumerate(surrogates) if own == surrogate]
            fits = surrogate.fit([views[i] for i in members])
            for i, attribution in zip(members, fits, strict=True):
                attributions[i] = attribution
        explanations = Explanations(
            Explanation(table.units, table, attribution, view.output_names, self.link)
            for table, view, attribution in zip(tables, views, attributions, strict=True)
            if table.units is not None and attribution is not None
        )
        _warn_of_poor_fits(explanations)
        return explanations

    # ---------------------------------------------------------------- fit and transform

    def fit(self, X: Sequence[TextInput], y: Any = None) -> Self:
        """Learn the words that `transform` has columns for, and the names of the outputs.

        Parameters
        ----------
        X : sequence of str
            Background texts.
        y : sequence, optional
            Their labels: the classes name the outputs of a model that has no names, where there
            are as many.

        Returns
        -------
        BaseExplainer
            The explainer itself.
        """
        self._check_parameters()
        for learned in ("_probe", "_class_names"):
            self.__dict__.pop(learned, None)
        units = self._cut(X)
        if not units:
            raise ArgumentError("X: expected at least one text, got none")
        words = sorted({label.casefold() for cut in units for label in cut.labels})
        self.vocabulary_ = {word: column for column, word in enumerate(words)}
        self.output_names_ = self._explained_names(units[0], y)
        return self

    def _explained_names(self, units: Units, y: Any) -> list[str]:
        if self.outputs == "predicted":
            return ["predicted"]
        if not isinstance(self.outputs, str):
            return list(self.outputs)
        if self.outputs != "all":
            return [self.outputs]
        scorer = self._scorer()
        if scorer.output_names is not None:
            return list(scorer.output_names)
        probe = self._score_whole_text(units, scorer)
        names = list(probe.output_names)
        classes = [] if y is None else [str(label) for label in np.unique(np.asarray(y))]
        if len(classes) == len(names) > 1:
            self._class_names = names = classes
        self._probe = replace(probe, output_names=tuple(names))
        return names

    def _score_whole_text(self, units: Units, scorer: Scorer) -> ScoreTable:
        """Return a table of the one call that tells how many outputs there are."""
        masker = self._masker(scorer)
        (encoding,) = _encode([units], masker, scorer, self._players)
        whole = Coalitions(
            torch.ones(1, encoding.units.n_units, dtype=torch.bool),
            counts=torch.ones(1, dtype=torch.int64),
        )
        design = self._design(encoding.units)
        (table,) = self._score(
            [encoding], [whole], [None], [design], scorer, masker, resolve_seed(0)
        )
        kept = {k: v for k, v in table.provenance.items() if k != "seed"}
        return replace(table, provenance=kept)

    def transform(self, X: Sequence[TextInput]) -> scipy.sparse.csr_matrix:
        """Explain the texts and add the values up by word.

        Parameters
        ----------
        X : sequence of str
            The texts.

        Returns
        -------
        scipy.sparse.csr_matrix, (n_texts, n_outputs * n_words)
            The sum of the attributions of each word's occurrences, a block of columns per
            output. Words that `fit` did not see have no column.
        """
        self._check_fitted()
        n_words = len(self.vocabulary_)
        rows, columns, values = [], [], []
        for row, explanation in enumerate(self.explain(X)):
            for label, worth in zip(explanation.units.labels, explanation.values, strict=True):
                word = self.vocabulary_.get(label.casefold())
                if word is not None:
                    blocks = len(worth)
                    rows += [row] * blocks
                    columns += [block * n_words + word for block in range(blocks)]
                    values += worth.tolist()
        shape = (len(X), n_words * len(self.output_names_))
        return scipy.sparse.csr_matrix((values, (rows, columns)), shape=shape, dtype=np.float64)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the columns of `transform`.

        Parameters
        ----------
        input_features : None
            Ignored, as by scikit-learn's text vectorizers.

        Returns
        -------
        numpy.ndarray of object
            The words; "output: word" where several outputs are explained.
        """
        self._check_fitted()
        if len(self.output_names_) == 1:
            return np.array(list(self.vocabulary_), dtype=object)
        return np.array(
            [f"{output}: {word}" for output in self.output_names_ for word in self.vocabulary_],
            dtype=object,
        )

    def _check_fitted(self) -> None:
        if not hasattr(self, "vocabulary_"):
            raise NotFittedError(
                f"This {type(self).__name__} is not fitted yet: its columns are the words that "
                f"fit(texts) sees. `explain` works without."
            )

    # ---------------------------------------------------------------- scikit-learn's rules

    def __sklearn_clone__(self) -> Self:
        """Return an unfitted copy that shares the model: a clone must not un-train or copy it."""
        parameters = self.get_params(deep=False)
        copies = {k: v if k == "model" else clone(v, safe=False) for k, v in parameters.items()}
        return type(self)(**copies)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_loaded", None)
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = True
        return tags


def _encode(
    units: Sequence[Units],
    masker: Masker,
    scorer: Scorer,
    players: Callable[[Units], Units],
) -> list[Encoding]:
    """Return every text ready for masking; units that the model never reads leave the game."""
    takes_tokens = "tokens" in scorer.accepts
    tokenizer = getattr(scorer, "tokenizer", None) if takes_tokens else None
    window = getattr(scorer, "max_tokens", None) if takes_tokens else None
    encodings, cut = [], {}
    for i, own in enumerate(units):
        encoding = masker.encode(players(own), tokenizer, window)
        lost = getattr(encoding, "n_truncated", 0)
        read = getattr(encoding, "units_read", None)
        if lost:
            cut[i] = lost
        if read is not None and not all(read):
            left = own.subset([unit for unit in range(own.n_units) if read[unit]])
            encoding = masker.encode(players(left), tokenizer, window)
        encodings.append(encoding)
    if cut:
        warnings.warn(
            f"{len(cut)} of {len(units)} texts are longer than the model's window of {window} "
            f"tokens (by up to {max(cut.values())}); the model does not read what lies beyond, so "
            f"it is not explained: texts {list(cut)[:10]}",
            TruncationWarning,
            stacklevel=4,
        )
    return encodings


def _draw(
    designs: Sequence[Design], encodings: Sequence[Encoding], seed: int
) -> list[Coalitions]:
    """Return the coalitions of every text, each drawn from the text's own generator."""
    drawn: list[Coalitions | None] = [None] * len(designs)
    for sampler in dict.fromkeys(design.sampler for design in designs):
        members = [i for i, design in enumerate(designs) if design.sampler == sampler]
        generators = [
            torch.Generator().manual_seed(seed_of_text(seed, encodings[i].units)) for i in members
        ]
        batch = sample_batch(
            sampler,
            [encodings[i].units for i in members],
            [designs[i].budget for i in members],
            generators,
        )
        for i, coalitions in zip(members, batch, strict=True):
            drawn[i] = coalitions
    return [coalitions for coalitions in drawn if coalitions is not None]


def _raise_with_tables(failure: BaseException | None, tables: Sequence[ScoreTable]) -> None:
    if failure is None:
        return
    if isinstance(failure, ScoringError):
        failure.tables = list(tables)
        raise failure
    if isinstance(failure, KeyboardInterrupt):
        raise Interrupted(tables) from failure
    raise ScoringError(
        f"model: raised {type(failure).__name__}: {failure}; what was scored until then is in "
        f"the .tables of this error",
        tables,
    ) from failure


def _warn_of_poor_fits(explanations: Explanations) -> None:
    poor = [
        (i, item.r2)
        for i, item in enumerate(explanations)
        if item.r2 is not None and item.r2 < POOR_FIT
    ]
    if poor:
        i, worst = min(poor, key=lambda pair: pair[1])
        warnings.warn(
            f"{len(poor)} of {len(explanations)} explanations predict unseen masks badly (r2 "
            f"below {POOR_FIT}; the lowest is {worst:.2f}, of texts[{i}]): single units do not "
            f"tell the story; a larger budget or coarser units may",
            PoorFitWarning,
            stacklevel=4,
        )
