"""Fixtures for all tests: where the shared data lies, and explanations made by hand."""

import os
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from perturbx.explanation import Explanation
from perturbx.score_table import ScoreTable
from perturbx.surrogates.attribution import Attribution
from perturbx.units.units import Units

SHARED = Path(
    os.environ.get("PERTURBX_SHARED", Path(__file__).resolve().parents[1].parent / "shared")
)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Small tensors run faster, and equally from run to run, on one thread."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _cache_of_its_own(tmp_path_factory):
    """Keep the designs that the tests compute out of the user's own cache."""
    os.environ["PERTURBX_CACHE"] = str(tmp_path_factory.mktemp("cache"))


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


NASTY = "</script>\"'&<b>[bold]\x00\x1b[31m\x9b\u202e\ud800\r\n\t $x$ \\"
TEXTS = {
    "english": "so good, so  bad",
    "chinese": "这家 餐厅 的 菜 很 好吃。",
    "arabic": "كان الفيلم رائعًا حقًا، لكن النهاية",
    "thai": "อาหาร อร่อย มาก",
    "emoji": "I ❤️ it 👩‍👩‍👧 😀",
    "nasty": NASTY,
}


def build(
    text,
    values=None,
    *,
    spans=None,
    owners=(),
    names=("no", "yes"),
    scores=None,
    std_errors=None,
    covariance=None,
    r2=0.9,
    link="identity",
    kind="logit",
    explained=None,
    **units,
):
    """An explanation of words (or of the given spans) whose values fill the gap to the score."""
    spans = [m.span() for m in re.finditer(r"\S+\s*", text)] if spans is None else spans
    units = Units(text, tuple(spans), tuple(owners), **{"level": "words", **units})
    n_units, explained = units.n_units, tuple(names if explained is None else explained)
    shape = (n_units, len(explained))
    rng = np.random.default_rng(len(text))
    values = (
        rng.uniform(1, 9, shape) * rng.choice([-1, 1], shape)
        if values is None
        else np.reshape(values, shape).astype(float)
    )
    masks = np.repeat([[False], [True]][: 2 if n_units else 1], n_units, axis=1)
    rows = np.zeros((len(masks), len(names)))
    rows[-1] = np.arange(len(names)) if scores is None else scores
    table = ScoreTable(masks, rows, tuple(names), units=units, kind=kind)
    base_values = table.linked(link).select(explained).full_scores - values.sum(axis=0)
    errors = np.full(shape, 0.01) if std_errors is None else np.reshape(std_errors, shape)
    fit = Attribution(values, base_values, errors, "ridge", 9, covariance=covariance, r2=r2)
    return Explanation(units, table, fit, explained, link)


@pytest.fixture(scope="session")
def explain():
    return build


@pytest.fixture(params=TEXTS.values(), ids=TEXTS.keys())
def any_script(request):
    return build(request.param)


@st.composite
def _drawn(draw):
    """Any text cut anywhere, with frames, units of several spans, and any numbers."""
    text = draw(st.text(alphabet=st.one_of(st.characters(), st.sampled_from(NASTY)), max_size=30))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    spans = [span for span in pairwise(cuts) if draw(st.integers(0, 3))]
    owners = [draw(st.integers(0, i)) for i in range(len(spans))]
    owners = [sorted(set(owners)).index(owner) for owner in owners]
    number = st.floats(-100, 100, allow_subnormal=False)
    shape = (max(owners, default=-1) + 1, 2)
    size = shape[0] * 2
    return build(
        text,
        draw(st.lists(number, min_size=size, max_size=size)),
        spans=spans,
        owners=owners,
        std_errors=draw(st.lists(st.floats(0, 10), min_size=size, max_size=size)),
        r2=draw(st.none() | st.floats(-1, 1)),
    )


@pytest.fixture(scope="session")
def drawn():
    return _drawn()
