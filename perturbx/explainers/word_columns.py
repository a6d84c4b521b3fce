"""`WordColumns`: an explainer as a scikit-learn transformer, a column per word."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import scipy.sparse
from sklearn.base import TransformerMixin
from sklearn.exceptions import NotFittedError

from perturbx.exceptions import ArgumentError
from perturbx.explainers.partition_of_units import values_by_label
from perturbx.explainers.preparation import cut_texts
from perturbx.explanations import Explanations
from perturbx.typing import Segmenter, TextInput
from perturbx.units.units import Units


class WordColumns(TransformerMixin):  # type: ignore[misc]
    """Gives an explainer `fit` and `transform`: texts to a sparse matrix of values per word.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        The words seen in `fit`, casefolded, and their columns.
    output_names_ : list of str
        The names of the explained outputs, one block of columns each.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        # No data frame holds a sparse matrix, and scikit-learn would say so when all is paid for:
        # as its text vectorizers, explainers have no `set_output` and heed no global choice of one.
        super().__init_subclass__(**{"auto_wrap_output_keys": None, **options})

    @abstractmethod
    def explain(self, texts: Sequence[TextInput | Units]) -> Explanations:
        """Explain every text."""

    @abstractmethod
    def _segmenter(self) -> Segmenter:
        """Return what cuts the texts."""

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise an `ArgumentError` for a parameter that cannot be."""

    @abstractmethod
    def _explained_names(self, units: Units, y: Any) -> list[str]:
        """Return the names of the explained outputs; `units` are of a text to ask about."""

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
        WordColumns
            The explainer itself.
        """
        self._check_parameters()
        units = cut_texts(X, self._segmenter())
        if not units:
            raise ArgumentError("X: expected at least one text, got none")
        words = sorted({label.casefold() for cut in units for label in cut.labels})
        self.vocabulary_ = {word: column for column, word in enumerate(words)}
        self.output_names_ = self._explained_names(units[0], y)
        return self

    def fit_transform(self, X: Iterable[TextInput], y: Any = None) -> scipy.sparse.csr_matrix:
        """Do what `fit` and then `transform` do, with texts that can be read only once, too.

        Parameters
        ----------
        X : iterable of str
            The texts.
        y : sequence, optional
            Their labels, see `fit`.

        Returns
        -------
        scipy.sparse.csr_matrix, (n_texts, n_outputs * n_words)
            See `transform`.
        """
        texts: Any = list(X) if isinstance(X, Iterator) else X
        return self.fit(texts, y).transform(texts)

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
        cut = cut_texts(X, self._segmenter())
        for row, (units, explanation) in enumerate(zip(cut, self.explain(cut), strict=True)):
            by_label = values_by_label(explanation.units, explanation.values, units)
            for label, worth in by_label:
                word = self.vocabulary_.get(label.casefold())
                if word is not None:
                    blocks = len(worth)
                    rows += [row] * blocks
                    columns += [block * n_words + word for block in range(blocks)]
                    values += worth.tolist()
        shape = (len(cut), n_words * len(self.output_names_))
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
