import sys

import numpy as np
import pytest
from hypothesis import given, settings

from perturbx.exceptions import MissingExtraError
from perturbx.explanations import Explanations
from perturbx.interop import to_pandas


def test_a_row_per_unit_and_output_holds_all_numbers_in_order(drawn):
    @given(drawn)
    @settings(deadline=None, max_examples=30)
    def law(explanation):
        frame = explanation.to_pandas()
        shape = explanation.values.shape
        assert np.array_equal(frame["value"].to_numpy().reshape(shape), explanation.values)
        assert np.array_equal(frame["std_error"].to_numpy().reshape(shape), explanation.std_errors)
        interval = explanation.attribution.confidence_interval(0.95)
        assert np.array_equal(frame["low"].to_numpy().reshape(shape), interval.low, equal_nan=True)
        assert np.array_equal(
            frame["high"].to_numpy().reshape(shape), interval.high, equal_nan=True
        )
        assert np.array_equal(frame["unit"], np.repeat(np.arange(shape[0]), 2))
        assert list(frame["output"]) == ["no", "yes"] * shape[0]
        for row in frame.itertuples():
            assert explanation.text[row.start : row.stop] == row.piece
            assert row.label == explanation.units.labels[row.unit]

    law()


def test_texts_are_numbered_and_may_have_other_outputs(explain):
    texts = Explanations([explain("a b"), explain("", []), explain("餐厅", names=("差评",))])
    frame = texts.to_pandas()
    assert list(frame["text"]) == [0, 0, 0, 0, 2]
    assert frame["value"].iloc[4] == texts[2].values[0, 0]


def test_no_texts_make_a_table_with_the_same_columns_and_types(explain):
    assert to_pandas([]).dtypes.equals(to_pandas([explain("a b")]).dtypes)


def test_a_missing_pandas_names_its_extra(explain, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"perturbx\[pandas\]"):
        to_pandas([explain("a")])
