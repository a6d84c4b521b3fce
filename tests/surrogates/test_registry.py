from dataclasses import replace

import numpy as np
import pytest

import perturbx.surrogates
from perturbx.exceptions import ArgumentError, SurrogateError
from perturbx.surrogates import (
    RidgeSurrogate,
    WithProxy,
    as_surrogate,
    get_surrogate,
    surrogate_names,
)
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.surrogate import BatchSurrogate


def test_names_lead_to_surrogates_that_carry_them():
    for name in surrogate_names():
        assert get_surrogate(name).name == ("lime_limit" if name == "lime" else name)


def test_every_surrogate_of_the_package_has_a_name():
    public = [getattr(perturbx.surrogates, name) for name in perturbx.surrogates.__all__]
    classes = [c for c in public if isinstance(c, type) and issubclass(c, BatchSurrogate)]
    # A proxy's scores belong to it, so no name alone can make that one.
    by_name = {c.name for c in classes} - {WithProxy.name}
    assert by_name | {"lime"} == set(surrogate_names())


def test_unknown_names_list_the_choices():
    with pytest.raises(ArgumentError, match=r"'leverage'.*got 'shap'"):
        get_surrogate("shap")
    with pytest.raises(ArgumentError, match=r"'leverage'.*got 'shap'"):
        as_surrogate("shap")


def test_objects_pass_and_other_things_do_not():
    class Mine:
        name = "mine"

        def fit(self, tables):
            return [
                Attribution(np.zeros((1, 1)), np.zeros(1), np.zeros((1, 1)), self.name, 0)
                for _ in tables
            ]

    mine, ridge = Mine(), RidgeSurrogate(alpha=2.0)
    assert as_surrogate(mine) is mine
    assert as_surrogate(ridge) is ridge
    for wrong in (3, None, RidgeSurrogate):
        with pytest.raises(ArgumentError, match=r"surrogate: expected one of .* got"):
            as_surrogate(wrong)


def test_surrogates_are_values():
    assert RidgeSurrogate() == RidgeSurrogate()
    assert hash(RidgeSurrogate(alpha=2.0)) != hash(RidgeSurrogate())


@pytest.mark.parametrize("variance", [-1.0, np.nan, np.inf])
@pytest.mark.parametrize("name", surrogate_names())
def test_variances_that_are_none_are_refused(lab, name, variance):
    """Selections took errors of nothing but NaN for errors of 0."""
    table = lab.exhaustive(lab.random_scores(3, 1, 0))
    variances = np.zeros((8, 1))
    variances[5] = variance
    with pytest.raises(SurrogateError, match=r"^tables\[0\]: variances: .* 1 of 8 rows .* 5:"):
        get_surrogate(name).fit([replace(table, variances=variances)])
