"""Verbalised confidence becomes a probability where labelled texts say how."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturbx import ApiScorer
from perturbx.exceptions import ArgumentError
from perturbx.maskers.variants import Variants
from perturbx.scorers.api.calibration import Calibration


@given(slope=st.floats(0.3, 3.0), intercept=st.floats(-1.5, 1.5), seed=st.integers(0, 20))
def test_the_line_is_found(slope, intercept, seed):
    draw = np.random.default_rng(seed)
    said = draw.uniform(0.02, 0.98, 4000)
    truth = Calibration(slope, intercept)(said)
    found = Calibration.fit(said, draw.random(4000) < truth)
    assert np.abs(found(said) - truth).max() < 0.12


def test_calibrated_confidence_is_a_probability(serve, servers):
    # The model says 90 where " good" stands and 20 elsewhere, and is right in 3 of 4 cases.
    weights = {" 90%": {"good": 5.0}, " 20%": {"": 2.0}}
    server = serve(model=servers.SimulatedModel(weights))
    scorer = ApiScorer(
        "openai:m", base_url=server.base_url, labels=["joy", "grief"], method="confidence"
    )
    assert scorer.output_names == ("joy (uncalibrated)", "grief (uncalibrated)")
    texts = [f"so good {i}" for i in range(40)] + [f"so so {i}" for i in range(40)]
    y = ["joy"] * 30 + ["grief"] * 10 + ["grief"] * 30 + ["joy"] * 10
    calibrated = scorer.calibrate(texts, y)
    assert calibrated.output_names == ("joy", "grief")
    scores = calibrated.score(Variants(texts=["good", "so"]))
    assert scores.kind == "probability"
    np.testing.assert_allclose(scores.values[:, 0], [0.75, 0.25], atol=0.01)
    assert calibrated.model_id != scorer.model_id
    # Its calibration is no other model: what was answered before is not bought again.
    before = server.stats()["requests"]
    calibrated.score(Variants(texts=texts))
    assert server.stats()["requests"] == before


def test_what_cannot_be_calibrated_is_told(serve):
    server = serve()
    options = {"base_url": server.base_url, "labels": ["a", "b"]}
    with pytest.raises(ArgumentError, match=r"^method: 'confidence' is calibrated"):
        ApiScorer("openai:m", **options).calibrate(["so"], ["a"])
    scorer = ApiScorer("openai:m", method="confidence", **options)
    with pytest.raises(ArgumentError, match=r"^y: expected a label"):
        scorer.calibrate(["so"], ["c"])


def test_a_label_must_hold_for_some_and_not_for_others():
    with pytest.raises(ArgumentError, match=r"^y: a label holds"):
        Calibration.fit(np.array([0.2, 0.8]), np.array([True, True]))
