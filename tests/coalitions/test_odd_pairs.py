"""The greedy design: nested, better than random pairs, and kept on disk without a fuss."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from perturbx.coalitions import Leverage, OddPairs, PlayerCount, design_cache, greedy_design
from perturbx.coalitions.shipped_designs import shipped_pairs
from perturbx.exceptions import ArgumentError
from perturbx.odd_kernels import isotropic_kernel


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A cache of the test's own, and nothing in memory."""
    path = tmp_path / "cache"
    monkeypatch.setenv("PERTURBX_CACHE", str(path))
    greedy_design._sequence.cache_clear()
    yield path
    greedy_design._sequence.cache_clear()


def sample(n_units, budget, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return OddPairs().sample(PlayerCount(n_units), budget, generator)


def uncertainty(masks, rho=0.45, nugget=0.1):
    """The sum of the variances that an isotropic prior leaves of the values."""
    half = masks[masks[:, 0]].numpy()
    n_units = half.shape[1]
    kernel = isotropic_kernel(n_units, rho)
    distance = (half[:, None] != half[None]).sum(axis=2)
    covariance = kernel.by_distance[distance] + nugget * np.eye(len(half))
    others = half.sum(axis=1, keepdims=True) - half
    readout = 2.0 * np.where(half, 1.0, -1.0) * kernel.readout[others]
    known = np.einsum("pi,pi->", readout, np.linalg.solve(covariance, readout))
    return n_units * kernel.variance - known


@pytest.mark.parametrize("n_units", [3, 7, 14, 40])
def test_a_larger_budget_goes_on_where_a_smaller_one_stops(n_units):
    most = min(2**n_units - 2, 12 * n_units)
    largest = sample(n_units, most, seed=3).masks
    for budget in range(n_units + 2, most, max(1, n_units // 3)):
        part = sample(n_units, budget, seed=3).masks
        assert len(part) == budget // 2 * 2
        assert torch.equal(part, largest[: len(part)])


def test_longer_sequences_begin_with_shorter_ones():
    short = greedy_design.greedy_pairs(13, 60)
    long = greedy_design.greedy_pairs(13, 300)
    assert len(short) == 60
    assert torch.equal(long[:60], short)
    assert long.sum(1).max() <= 13 // 2, "the smaller coalition of each pair"


@pytest.mark.parametrize(("n_units", "budget"), [(8, 32), (14, 70), (20, 100)])
def test_it_tells_more_than_random_pairs(n_units, budget):
    generator = torch.Generator().manual_seed(0)
    random = [
        uncertainty(Leverage().sample(PlayerCount(n_units), budget, generator).masks)
        for _ in range(5)
    ]
    assert uncertainty(sample(n_units, budget).masks) < 0.9 * min(random)


def test_only_the_names_of_the_units_are_random():
    one, other = sample(9, 60, seed=1).masks, sample(9, 60, seed=2).masks
    assert not torch.equal(one, other)
    distances = [(m[:, None] != m[None]).sum(2) for m in (one, other)]
    assert torch.equal(*distances)
    columns = [sorted(map(tuple, m.T.tolist())) for m in (one, other)]
    assert columns[0] == columns[1]


def test_beyond_the_sequence_pairs_are_drawn(monkeypatch):
    monkeypatch.setattr(greedy_design, "MOST_PAIRS", 20)
    assert greedy_design.most_greedy_pairs(11) == 20
    one, other = sample(11, 300, seed=5), sample(11, 300, seed=5)
    assert torch.equal(one.masks, other.masks)
    assert torch.equal(one.masks[:42], sample(11, 42, seed=5).masks)
    assert len({tuple(row) for row in one.masks.tolist()}) == 300
    sizes = one.masks[42::2].sum(1)
    assert set(sizes.tolist()) | set((11 - sizes).tolist()) == set(range(1, 11))
    assert len(sample(11, 2**11 - 2, seed=5)) == 2**11 - 2


def test_the_limit_shrinks_where_pairs_are_long():
    limits = [greedy_design.most_greedy_pairs(n) for n in (14, 100, 1000, 5000, 10**6)]
    assert limits[0] == 1500
    assert limits == sorted(limits, reverse=True)
    assert limits[-1] >= 1


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


def test_too_small_a_budget_is_refused():
    with pytest.raises(ArgumentError, match=r"budget: got 10, but odd_gp needs at least 12 calls"):
        sample(10, 10)


def test_the_sequence_is_read_from_disk_the_next_time(folder, monkeypatch):
    first = sample(61, 90).masks
    (file,) = folder.iterdir()
    assert file.suffix == ".npz"
    greedy_design._sequence.cache_clear()
    monkeypatch.setattr(greedy_design, "search", None)
    assert torch.equal(sample(61, 90).masks, first)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        lambda path: path.write_bytes(b"no zip at all"),
        lambda path: np.savez(path, other=np.zeros(3)),
        lambda path: np.savez(path, pairs=np.zeros((3, 3), np.uint8)),
        lambda path: np.savez(path, pairs=np.ones((128, 8), np.uint8)),
        lambda path: np.savez(path, pairs=np.array([{}], dtype=object)),
        # Of a flag (encrypted), of how the array is compressed, and of the array itself.
        lambda path: flip(path, path.read_bytes().rindex(b"PK\x01\x02") + 8),
        lambda path: flip(path, path.read_bytes().rindex(b"PK\x01\x02") + 10),
        lambda path: flip(path, path.read_bytes().rindex(b"PK\x01\x02") // 2),
    ],
)
def test_a_broken_file_is_replaced(folder, spoil):
    first = sample(61, 90).masks
    (file,) = folder.iterdir()
    good = file.read_bytes()
    spoil(file)
    greedy_design._sequence.cache_clear()
    assert torch.equal(sample(61, 90).masks, first)
    assert len(file.read_bytes()) == len(good)


def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("PERTURBX_CACHE", str(tmp_path / "file" / "cache"))
    assert len(sample(61, 90)) == 90


def test_no_folder_is_written_where_none_is_wanted(tmp_path, monkeypatch):
    monkeypatch.setenv("PERTURBX_CACHE", "")
    assert design_cache.cache_folder() is None
    assert len(sample(61, 90)) == 90
    assert list(tmp_path.iterdir()) == []


def test_the_platform_says_where_the_cache_is(tmp_path, monkeypatch):
    monkeypatch.delenv("PERTURBX_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for platform in ("linux", "darwin", "win32"):
        monkeypatch.setattr(sys, "platform", platform)
        assert tmp_path in design_cache.cache_folder().parents


def test_processes_that_run_at_once_agree(folder):
    code = (
        "import torch; torch.set_num_threads(1);"
        "from perturbx.coalitions import OddPairs, PlayerCount;"
        "masks = OddPairs().sample(PlayerCount(61), 80, torch.Generator().manual_seed(0)).masks;"
        "print(masks.int().tolist())"
    )
    command = [sys.executable, "-c", code]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ}) for _ in range(2)
    ]
    printed = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert len(printed) == 1
    assert [path.suffix for path in folder.iterdir()] == [".npz"], "no part is left behind"


@pytest.mark.parametrize("n_units", [8, 13, 20])
def test_what_is_shipped_is_what_is_computed(n_units):
    shipped = shipped_pairs(n_units)
    nothing = torch.empty((0, n_units), dtype=torch.bool)
    assert torch.equal(greedy_design.search(n_units, len(shipped), begun=nothing), shipped)


@pytest.mark.parametrize("n_units", [8, 33, 60])
def test_shipped_designs_take_no_time_and_longer_ones_begin_with_them(n_units, folder):
    shipped = shipped_pairs(n_units)
    assert len(shipped) == min(10 * n_units, 2 ** (n_units - 1) - 1)
    greedy_design.greedy_pairs(n_units, len(shipped))
    assert not folder.exists()
    more = min(len(shipped) + 20, greedy_design.most_greedy_pairs(n_units))
    longer = greedy_design.greedy_pairs(n_units, more)
    assert len(longer) == more
    assert torch.equal(longer[: len(shipped)], shipped)


def test_a_sequence_that_was_begun_goes_on_as_it_would_have(monkeypatch):
    nothing = torch.empty((0, 18), dtype=torch.bool)
    whole = greedy_design.search(18, 60, begun=nothing)
    assert torch.equal(greedy_design.search(18, 60, begun=whole[:25]), whole)
