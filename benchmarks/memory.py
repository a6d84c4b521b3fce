"""Section 5: whether memory grows with the number of texts beyond what their tables take."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from workload import Workload, note, print_table

import perturbx as px

BUDGET = 500
MEGABYTE = 1e6


@dataclass(frozen=True)
class Footprint:
    """What one run in a process of its own takes, in bytes.

    Parameters
    ----------
    tables : int
        The arrays of the score tables.
    results : int
        The arrays of the attributions.
    traced : int
        The peak of what Python and numpy allocate (no tensors).
    resident : int
        The peak of the whole process, the libraries included.
    """

    tables: int
    results: int
    traced: int
    resident: int


def run(workload: Workload, shared: Path, *, quick: bool) -> None:
    """Explain few and many texts by a cheap model of strings and by a tiny transformer."""
    texts = [units.text for units in workload.with_words(12, 1_000)]
    rows = []
    for kind in ["tiny transformer"] if quick else MODELS:
        found = []
        for n_texts in (5, 50) if quick else (20, 200):
            note(f"memory: {n_texts} texts, {kind}")
            found.append(_measure_apart(shared, kind, texts[:n_texts]))
            rows.append([f"{kind}, {n_texts} texts", *_megabytes(found[-1])])
        growth = [many - few for few, many in zip(*map(_megabytes, found), strict=True)]
        rows.append([f"{kind}, growth", *growth])
    print_table(
        f"Peak memory in MB, {BUDGET} variants a text",
        ["", "tables", "attributions", "peak, Python and numpy", "peak, process"],
        rows,
    )


def _measure_apart(shared: Path, kind: str, texts: Sequence[str]) -> Footprint:
    """Measure in a process of its own: the peak of a process never falls."""
    child = subprocess.run(
        [sys.executable, __file__, str(shared), kind],
        input=json.dumps(texts),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Footprint(**json.loads(child.stdout))


def _megabytes(footprint: Footprint) -> list[float]:
    return [
        part / MEGABYTE
        for part in (footprint.tables, footprint.results, footprint.traced, footprint.resident)
    ]


def _measure(shared: Path, kind: str, texts: Sequence[str]) -> Footprint:
    explainer = px.ShapleyExplainer(
        MODELS[kind](shared),
        estimator="leverage",
        budget=BUDGET,
        random_state=0,
        # The batch that suits a model is no matter of the number of texts.
        batch_tokens=4_096,
        progress=False,
    )
    # What is loaded at the first use counts as a library.
    explainer.explain(texts[:1])
    tracemalloc.start()
    explanations = explainer.explain(texts)
    traced = tracemalloc.get_traced_memory()[1]
    return Footprint(
        tables=sum(_array_bytes(item.table) for item in explanations),
        results=sum(_array_bytes(item.attribution) for item in explanations),
        traced=traced,
        resident=_peak(),
    )


def _peak() -> int:
    """Return the most memory that this process has held, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # What the kernel tells about resources counts the parent's peak, too.
        lines = status.read_text(encoding="utf-8").splitlines()
        (peak,) = (line for line in lines if line.startswith("VmHWM"))
        return 1_024 * int(peak.split()[1])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _function_of_strings(shared: Path) -> Callable[[Sequence[str]], list[int]]:
    return lambda texts: [len(text) for text in texts]


def _tiny_transformer(shared: Path) -> tuple[Any, Any]:
    """Return an untrained model of one narrow layer: it takes no time and no memory."""
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    tokenizer = AutoTokenizer.from_pretrained(shared / "models" / "minilm-sst2")
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        pad_token_id=tokenizer.pad_token_id,
    )
    return BertForSequenceClassification(config), tokenizer


def _array_bytes(record: Any) -> int:
    return sum(part.nbytes for part in vars(record).values() if isinstance(part, np.ndarray))


MODELS: dict[str, Callable[[Path], Any]] = {
    "function of strings": _function_of_strings,
    "tiny transformer": _tiny_transformer,
}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    footprint = _measure(Path(sys.argv[1]), sys.argv[2], json.load(sys.stdin))
    print(json.dumps(asdict(footprint)))
