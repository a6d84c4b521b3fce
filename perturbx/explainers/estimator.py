"""`ModelEstimator`: scikit-learn's rules for an estimator that holds a model of any kind."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import BaseEstimator, clone

SHARED = ("model", "proxy", "masker", "units")
"""Parameters that are models, or may hold one: a clone must not un-train or copy them."""


class ModelEstimator(BaseEstimator):  # type: ignore[misc]
    """An estimator of texts whose clones share its models and whose pickles hold no loaded copy."""

    def __sklearn_clone__(self) -> Self:
        """Return an unfitted copy that shares the models."""
        parameters = self.get_params(deep=False)
        copies = {k: v if k in SHARED else clone(v, safe=False) for k, v in parameters.items()}
        return type(self)(**copies)

    def _hold(self, name: str, value: Any) -> None:
        """Keep what was made of the model, until the model or how it is read changes."""
        setattr(self, name, (self.model, self._reading(), value))

    def _held(self, name: str) -> Any:
        """Return what `_hold` kept, None where it is of another model, or of none."""
        # The object itself is compared: the id of one that is gone is given to the next.
        model, reading, value = self.__dict__.get(name, (None, None, None))
        return value if model is self.model and reading == self._reading() else None

    def _reading(self) -> tuple[Any, ...]:
        names = self.output_names
        # Of a model that was fitted anew, in place, the classes may be others.
        classes = str(getattr(self.model, "classes_", None))
        return (self.device, self.dtype, None if names is None else tuple(names), classes)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        for loaded in ("_loaded", "_loaded_model", "_loaded_scorer", "_loaded_api", "_said"):
            state.pop(loaded, None)
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = True
        return tags
