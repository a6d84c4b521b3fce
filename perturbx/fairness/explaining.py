"""The word attributions of an audit: some texts explained, in one stream."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from perturbx.exceptions import (
    AnswersWarning,
    ArgumentError,
    Interrupted,
    PerturbxError,
    PoorFitWarning,
    RefusedError,
)
from perturbx.explainers.base import BaseExplainer
from perturbx.explainers.draws import draws_of
from perturbx.explainers.explain import make_explainer
from perturbx.explainers.tables import check_tables
from perturbx.explainers.variant_keys import variant_keys
from perturbx.explanations import Explanations
from perturbx.fairness.outcomes import Outcome
from perturbx.fairness.scoring import TextScores
from perturbx.score_table import ScoreTable
from perturbx.typing import Encoding, PaidScorer, Scorer
from perturbx.units.units import Units


def audit_explainer(
    explainer: Any,
    scorer: Scorer,
    outcomes: Sequence[Outcome],
    *,
    batch_tokens: Any,
    random_state: int,
    progress: bool,
) -> BaseExplainer:
    """Return the explainer that an audit uses, set to its outcomes and their scale.

    Parameters
    ----------
    explainer : None, str, or BaseExplainer
        None: Shapley values of words without bias, at 5 calls a unit. A name of `make_explainer`,
        or an explainer of which `outputs` and `link` are set to those of the audit, and
        `random_state` where it has none.
    scorer : Scorer
        The model.
    outcomes : sequence of Outcome
        What is audited.

    Raises
    ------
    ArgumentError
        It is none of these.
    """
    settings = {
        "outputs": [outcome.name for outcome in outcomes],
        "link": outcomes[0].link,
    }
    if explainer is None or isinstance(explainer, str):
        return named_explainer(
            explainer,
            scorer,
            random_state=random_state,
            batch_tokens=batch_tokens,
            progress=progress,
            **settings,
        )
    if not isinstance(explainer, BaseExplainer):
        raise ArgumentError(
            f"explainer: expected None, a name, or an explainer such as ShapleyExplainer(model); "
            f"got {explainer!r:.80}"
        )
    chosen: BaseExplainer = explainer.__sklearn_clone__()
    own: dict[str, Any] = {"device": None, "dtype": None, "output_names": None}
    if chosen.random_state is None:
        own["random_state"] = random_state
    chosen.set_params(model=scorer, **own, **settings)
    return chosen


def named_explainer(name: str | None, scorer: Scorer, **settings: Any) -> BaseExplainer:
    """Return an explainer by its name, set for means over many texts.

    Over hundreds of texts the errors of single ones average out; a bias would not. Sampled answers
    have to go to several masks and to the ends, for which chains have no room.
    """
    chosen = "shapley" if name is None else name
    if chosen != "shapley":
        return make_explainer(chosen, scorer, budget="fast", **settings)
    if isinstance(scorer, PaidScorer) and scorer.samples_answers:
        return make_explainer(chosen, scorer, budget="normal", **settings)
    return make_explainer(chosen, scorer, estimator="unbiased", budget="fast", **settings)


def explain_texts(
    explainer: BaseExplainer, texts: Sequence[str], scores: TextScores
) -> tuple[Explanations | None, int]:
    """Explain texts whose scores are known already: those are not bought again.

    Returns
    -------
    explanations : Explanations, optional
        One per text; None, with an `AnswersWarning`, where what the model refuses allows none.
    n_calls : int
        The distinct variants asked about for it: texts have many in common.
    """
    scorer, masker, encodings = explainer._prepared(texts)
    source = {"model": scorer.model_id, "masker": repr(masker)}
    known = None
    if not (isinstance(scorer, PaidScorer) and scorer.samples_answers):
        raw = scores.of(texts)
        known = [
            _held(encoding.units, scores, source) or _known(encoding.units, row, scores, source)
            for encoding, row in zip(encodings, raw, strict=True)
        ]
    with warnings.catch_warnings():
        # The fit of single texts is told in the report; a warning a run says nothing of gaps.
        warnings.simplefilter("ignore", PoorFitWarning)
        explanations, tables = None, []
        try:
            explanations = explainer._explain_encoded(encodings, known, scorer, masker)
            tables = [own.table for own in explanations]
        except (PerturbxError, Interrupted) as error:
            tables = list(error.tables)
            if not isinstance(error, RefusedError) or error.ends_run:
                raise
            warnings.warn(f"no gap is split into words: {error}", AnswersWarning, stacklevel=2)
        finally:
            scores.tables |= zip(texts, tables, strict=False)
    if known is not None:
        _hold_variants(tables, encodings, scores)
    return explanations, _n_distinct(tables, encodings, is_known=known is not None)


def _hold_variants(
    tables: Sequence[ScoreTable], encodings: Sequence[Encoding], scores: TextScores
) -> None:
    """Let a text without a word not be asked about again where it is read as a text of its own."""
    keys, values = [], []
    for table, encoding in zip(tables, encodings, strict=True):
        masks = torch.from_numpy(table.masks)
        if len(draws_of(encoding)) == 1 and encoding.variants(masks[:1]).kind == "text":
            keys.append(variant_keys(encoding, masks))
            values.append(table.scores)
    if keys:
        scores.hold_variants(np.concatenate(keys), np.concatenate(values))


def _n_distinct(
    tables: Sequence[ScoreTable], encodings: Sequence[Encoding], *, is_known: bool
) -> int:
    """Return the distinct variants in the tables, without the whole texts where those are known."""
    nothing = np.empty((0, 2), dtype=np.int64)
    asked, known = [nothing], [nothing]
    for table, encoding in zip(tables, encodings, strict=True):
        masks = torch.from_numpy(table.masks)
        asked += [variant_keys(draw, masks) for draw in draws_of(encoding)]
        if is_known:
            whole = torch.ones_like(masks[:1])
            known += [variant_keys(draw, whole) for draw in draws_of(encoding)]
    every = np.unique(np.concatenate([*known, *asked]), axis=0)
    return len(every) - len(np.unique(np.concatenate(known), axis=0))


def _held(units: Units, scores: TextScores, source: dict[str, Any]) -> ScoreTable | None:
    """Return what a run that failed has paid for, where it cut and masked the text alike."""
    held = scores.tables.get(units.text)
    if held is None:
        return None
    try:
        check_tables([held], [units], source)
    except ArgumentError:
        return None
    return held


def _known(units: Units, row: Any, scores: TextScores, source: dict[str, Any]) -> ScoreTable:
    return ScoreTable(
        masks=np.ones((1, units.n_units), dtype=bool),
        scores=row[None],
        output_names=scores.output_names,
        units=units,
        kind=scores.kind,
        exclusive=scores.exclusive,
        provenance=source,
    )
