from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from perturbx.exceptions import ArgumentError, ScoringError
from perturbx.scorers.outputs import checked, checked_names, default_names, require_finite

finite = st.floats(-1e6, 1e6, width=32)
matrices = hnp.arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 4)), elements=finite)

FORMS = {
    "array": lambda m: m,
    "float32": lambda m: m.astype(np.float32),
    "objects": lambda m: m.astype(object),
    "list": lambda m: m.tolist(),
    "tuple of arrays": lambda m: tuple(m),
    "tensor": torch.from_numpy,
    "tensor with gradient": lambda m: torch.from_numpy(m).requires_grad_(),
    "list of tensors": lambda m: [torch.tensor(row) for row in m],
    "list of lists of tensors": lambda m: [[torch.tensor(x) for x in row] for row in m],
    "sparse": scipy.sparse.csr_matrix,
    "sparse array": scipy.sparse.coo_array,
    "frame": pd.DataFrame,
    "masked array": np.ma.asarray,
}


@settings(max_examples=20, deadline=None)
@given(matrices)
def test_every_form_of_the_same_numbers_is_the_same_matrix(matrix):
    for name, form in FORMS.items():
        values = checked(form(matrix), len(matrix), matrix.shape[1])
        assert values.dtype == np.float64, name
        np.testing.assert_array_equal(values, matrix, err_msg=name)


@settings(max_examples=20, deadline=None)
@given(st.lists(finite, min_size=1, max_size=6))
def test_one_number_a_text_is_one_column(numbers):
    column = np.array(numbers)[:, None]
    for form in (np.array, list, tuple, torch.tensor, pd.Series):
        np.testing.assert_array_equal(checked(form(numbers), len(numbers)), column)


def test_a_lone_number_answers_a_lone_text_and_no_more():
    assert checked(np.float32(2.5), 1).tolist() == [[2.5]]
    assert checked(torch.tensor(2.5), 1).tolist() == [[2.5]]
    with pytest.raises(ScoringError, match="asked about 2 inputs"):
        checked(2.5, 2)


def test_numbers_without_a_numpy_type_are_read():
    half = torch.tensor([[0.5], [1.5]], dtype=torch.bfloat16)
    assert checked(half, 2).tolist() == [[0.5], [1.5]]
    assert checked([True, False], 2).tolist() == [[1.0], [0.0]]
    assert checked([Fraction(1, 4), Decimal("0.5")], 2).tolist() == [[0.25], [0.5]]


def test_what_lies_under_a_mask_is_no_score():
    masked = np.ma.array([1, 2], mask=[False, True])
    np.testing.assert_array_equal(checked(masked, 2), [[1.0], [np.nan]])


def test_the_answer_is_a_copy():
    buffer = np.array([[1.0], [2.0]])
    values = checked(buffer, 2)
    buffer[:] = 0
    assert values.tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([[1, 2], [3]], "ragged"),
        ([torch.ones(2), torch.ones(3)], "ragged"),
        (["positive", "negative"], "'positive', which is no number"),
        (["0.5", "0.25"], "'0.5', which is no number"),
        ([{"label": "POSITIVE", "score": 0.9}] * 2, "'label'"),
        ([0.5, None], "None, which is no number"),
        ([1j, 2j], "no number"),
        (None, "None"),
        ((x for x in (1, 2)), "generator"),
        ({"a": 1, "b": 2}, "dict"),
        ([1, 2, 3], "list of length 3"),
        (np.ones((3, 2)), r"ndarray of shape \(3, 2\)"),
        (np.ones((2, 1, 1)), r"ndarray of shape \(2, 1, 1\)"),
        (np.ones((2, 0)), "no outputs"),
        ([], "list of length 0"),
    ],
)
def test_what_is_no_score_is_refused_by_name(values, said):
    with pytest.raises(ScoringError, match=said) as caught:
        checked(values, 2, source="mine")
    assert str(caught.value).startswith("mine: ")


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_names_its_text(broken):
    values = np.zeros((3, 2))
    values[1, 1] = broken
    texts = ["fine", "b" * 500, "fine"]
    with pytest.raises(ScoringError, match=f"returned {broken} in output 1 for the text 'bbb") as e:
        require_finite(values, texts=texts)
    assert len(str(e.value)) < 250
    with pytest.raises(ScoringError, match="for row 1;"):
        require_finite(values)
    np.testing.assert_array_equal(checked(values, 3), values)


def test_another_number_of_outputs_is_refused():
    with pytest.raises(ScoringError, match="returned 3 outputs where 2 were expected"):
        checked(np.zeros((4, 3)), 4, 2)


def test_default_names_count_the_outputs():
    assert default_names(1) == ("output",)
    for n in range(2, 5):
        assert len(set(default_names(n))) == n


@pytest.mark.parametrize("names", ["positive", 3, ["a", "a"], [0, 1], ["a", "b", "c"]])
def test_names_that_do_not_name_the_outputs_are_refused(names):
    with pytest.raises(ArgumentError, match="output_names: expected"):
        checked_names(names, 2)
