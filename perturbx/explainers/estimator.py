"""`ModelEstimator`: scikit-learn's rules for an estimator that holds a model of any kind."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import BaseEstimator, clone


class ModelEstimator(BaseEstimator):  # type: ignore[misc]
    """An estimator of texts whose clones share its `model` and whose pickles do not hold a copy."""

    def __sklearn_clone__(self) -> Self:
        """Return an unfitted copy that shares the model: a clone must not un-train or copy it."""
        parameters = self.get_params(deep=False)
        copies = {k: v if k == "model" else clone(v, safe=False) for k, v in parameters.items()}
        return type(self)(**copies)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        for loaded in ("_loaded", "_loaded_model", "_loaded_api"):
            state.pop(loaded, None)
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = True
        return tags
