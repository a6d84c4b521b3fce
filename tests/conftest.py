"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest
import torch

SHARED = Path(
    os.environ.get("PERTURBX_SHARED", Path(__file__).resolve().parents[1].parent / "shared")
)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Small tensors run faster, and equally from run to run, on one thread."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared():
    """Return the folder of shared data and models, or skip."""
    if not SHARED.is_dir():
        pytest.skip(f"no shared data at {SHARED} (set PERTURBX_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def minilm_path(shared):
    """Return the path of the shared real classifier, or skip."""
    path = shared / "models" / "minilm-sst2"
    if not path.is_dir():
        pytest.skip(f"no model at {path} (set PERTURBX_SHARED)")
    return path


@pytest.fixture(scope="session")
def sst2_sentences(shared):
    """Return the sentences of the SST-2 test set, or skip."""
    path = shared / "data" / "sst2" / "test.tsv"
    if not path.is_file():
        pytest.skip(f"no data at {path} (set PERTURBX_SHARED)")
    return [line.split("\t")[0] for line in path.read_text(encoding="utf-8").splitlines()]
