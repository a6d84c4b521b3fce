"""The closed forms run on any device: here on one that only checks devices and shapes."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from perturbx.surrogates import least_squares as ls
from perturbx.surrogates.fit_quality import explained_squares


@pytest.mark.parametrize("start", [ls.through_origin, ls.with_intercept])
def test_every_solve_stays_on_the_device_of_its_tensors(start):
    problems, rows, units, outputs = 3, 8, 4, 2
    with FakeTensorMode():
        columns = torch.rand(problems, rows, units, dtype=torch.float64, device="cuda")
        targets = torch.rand(problems, rows, outputs, dtype=torch.float64, device="cuda")
        weights = torch.rand(problems, rows, dtype=torch.float64, device="cuda")
        fit = start(columns, targets, weights)
        evidence = ls.Evidence(weights.sum(1), weights.sum(1), targets.sum(1))
        likeliest, variance, noise = ls.likeliest_prior(fit, evidence)
        penalty = ls.for_unseen(fit, likeliest, weights.amin(1, keepdim=True))
        space = torch.eye(units, dtype=torch.float64, device="cuda")
        solution = ls.coefficients(fit, torch.maximum(penalty, ls.no_penalty(fit)))
        results = {
            (problems, units, outputs): solution,
            (problems, outputs): ls.intercepts(fit, solution + ls.shortfall(fit, penalty, noise)),
            (problems, outputs, rows, units): ls.sensitivity(fit, penalty),
            (problems, rows, outputs): ls.left_out_residuals(fit, penalty, group_size=2),
            (problems, outputs, units, units): ls.shrinkage_covariance(
                fit, penalty, variance, space
            ),
        }
        explained, total = explained_squares(columns, targets, weights.unsqueeze(-1))
    for shape, result in results.items():
        assert tuple(result.shape) == shape
        assert result.device.type == "cuda"
    assert explained.device.type == total.device.type == "cuda"
    assert explained.shape == total.shape == (problems, outputs)
