"""Fits run on one thread each, and leave torch the threads it had, however they overlap."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
import torch

from perturbx.score_table import ScoreTable
from perturbx.surrogates import ExactShapley, OddGP

TABLE = ScoreTable(np.array([[0, 0], [1, 0], [0, 1], [1, 1]], bool), np.eye(4)[:, :1], ("y",))


class Slow(ExactShapley):
    """Says when it has begun, goes on when it is told to, and notes its threads."""

    def __init__(self):
        self.begun, self.told, self.threads = Event(), Event(), []

    def fit_alike(self, tables):
        self.threads.append(torch.get_num_threads())
        self.begun.set()
        assert self.told.wait(20)
        OddGP().fit(tables)
        self.threads.append(torch.get_num_threads())
        return super().fit_alike(tables)


def fit(surrogate):
    surrogate.fit([TABLE])
    return torch.get_num_threads()


@pytest.fixture
def _three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_three_threads")
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first out first", "last out first"])
def test_overlapping_fits_leave_torch_its_threads(order):
    slow = [Slow(), Slow()]
    with ThreadPoolExecutor(2) as pool:
        running = []
        for own in slow:
            running.append(pool.submit(fit, own))
            assert own.begun.wait(20)
        for number in order:
            slow[number].told.set()
            assert running[number].result() == 3
    assert [own.threads for own in slow] == [[1, 1], [1, 1]]
    assert torch.get_num_threads() == 3
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 3
