"""What all sections share: the model, the sentences, what the model is shown, and the tables."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import torch

from perturbx.units import as_segmenter
from perturbx.units.units import Units

Result = TypeVar("Result")

POSITIVE = 1
"""The column of the output that is explained."""

PACKAGES = ("perturbx", "torch", "transformers", "numpy", "lime", "shap", "captum", "shapiq")


@dataclass(frozen=True)
class Workload:
    """The classifier in float32, its tokenizer, and the sentences of the test set."""

    model: Any
    tokenizer: Any
    sentences: tuple[str, ...]

    @classmethod
    def load(cls, shared: Path, device: str = "cpu") -> Self:
        """Read both from the folder of shared data; exit with a reason where one is missing."""
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
        from transformers.utils import logging

        folder, data = shared / "models" / "minilm-sst2", shared / "data" / "sst2" / "test.tsv"
        for path in (folder, data):
            if not path.exists():
                sys.exit(f"{path} is missing; set PERTURBX_SHARED to the folder that holds it")
        logging.disable_progress_bar()
        logging.set_verbosity_error()
        model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
        lines = data.read_text(encoding="utf-8").splitlines()
        return cls(
            model.eval().to(device),
            AutoTokenizer.from_pretrained(folder),
            tuple(line.rpartition("\t")[0] for line in lines),
        )

    @cached_property
    def units(self) -> list[Units]:
        """The words of every sentence."""
        cut = as_segmenter("words")
        return [cut(sentence) for sentence in self.sentences]

    def with_words(self, least: int, most: int) -> list[Units]:
        """Return the sentences of so many words, in the order of the file."""
        return [units for units in self.units if least <= units.n_units <= most]

    def is_plain(self, units: Units) -> bool:
        """Return whether every word is one token of letters, and nothing stands between them.

        On such a sentence all tools have the same units and the same masked texts as they are.
        """
        words = units.text.split()
        n_tokens = len(self.tokenizer(units.text, add_special_tokens=False)["input_ids"])
        letters = all(word.isalpha() and word.isascii() for word in words)
        return letters and len(words) == units.n_units == n_tokens

    def logits(self, batches: Sequence[Batch]) -> torch.Tensor:
        """Return the logits of all rows: the bare forward pass."""
        with torch.inference_mode():
            parts = [
                self.model(
                    input_ids=ids.to(self.model.device),
                    attention_mask=None if mask is None else mask.to(self.model.device),
                ).logits
                for ids, mask in batches
            ]
            return torch.cat(parts).cpu()


Row = tuple[int, ...]
Batch = tuple[torch.Tensor, torch.Tensor | None]


@dataclass(frozen=True)
class Cut:
    """How rows, longest first, are cut into batches.

    Parameters
    ----------
    size : int
        Rows or tokens (padding included) a batch.
    by : {"rows", "tokens"}
        Which of the two.
    alike : bool
        Only rows of one length come together: no padding and no attention mask.
    """

    size: int
    by: str = "tokens"
    alike: bool = False

    def __str__(self) -> str:
        return f"{self.size:,} {self.by}" + (" of equal length" if self.alike else "")

    def batches(self, rows: Sequence[Row], device: torch.device | str = "cpu") -> list[Batch]:
        """Return the batches on the model's device."""
        waiting = sorted(rows, key=len, reverse=True)
        batches = []
        start = 0
        while start < len(waiting):
            width = len(waiting[start])
            size = self.size if self.by == "rows" else max(1, self.size // width)
            part = waiting[start : start + size]
            if self.alike:
                part = [row for row in part if len(row) == width]
            ids = torch.zeros((len(part), width), dtype=torch.int64)
            for line, row in zip(ids, part, strict=True):
                line[: len(row)] = torch.tensor(row)
            lengths = torch.tensor([len(row) for row in part])
            mask = None if self.alike else (torch.arange(width) < lengths[:, None]).long()
            batches.append((ids.to(device), None if mask is None else mask.to(device)))
            start += len(part)
        return batches


@dataclass
class Recorder:
    """Keeps every row of tokens that the model is shown inside of the ``with`` block."""

    model: Any
    _seen: list[Batch] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._hook = self.model.register_forward_pre_hook(self._note, with_kwargs=True)
        return self

    def __exit__(self, *error: object) -> None:
        self._hook.remove()

    def _note(self, model: Any, arguments: Any, named: dict[str, Any]) -> None:
        # The tensors as they are: what it costs to read them belongs to no tool's wall time.
        self._seen.append((named["input_ids"], named.get("attention_mask")))

    @cached_property
    def rows(self) -> list[Row]:
        """Every row, without padding."""
        rows: list[Row] = []
        for ids, mask in self._seen:
            real = torch.ones_like(ids) if mask is None else mask
            rows += [
                tuple(i[m.bool()].tolist()) for i, m in zip(ids.cpu(), real.cpu(), strict=True)
            ]
        return rows

    @property
    def distinct(self) -> list[Row]:
        """Every distinct row."""
        return list(dict.fromkeys(self.rows))


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock, and of all cores at work for this process."""

    wall: float
    cpu: float


def timed(work: Callable[[], Result]) -> tuple[Result, Cost]:
    """Return what `work` returns, and its cost."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, Cost(time.perf_counter() - wall, time.process_time() - cpu)


def cheapest(work: Callable[[], object], repeats: int) -> Cost:
    """Return the least wall and CPU seconds of so many runs: the ones that noise spared."""
    costs = [timed(work)[1] for _ in range(repeats)]
    return Cost(min(cost.wall for cost in costs), min(cost.cpu for cost in costs))


def all_masks(n_units: int) -> np.ndarray:
    """Return every coalition ``(2 ** n_units, n_units)``; row c keeps the units of c's bits."""
    return ((np.arange(2**n_units)[:, None] >> np.arange(n_units)) & 1).astype(bool)


def print_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in Markdown: text to the left, numbers to the right."""
    cells = [[_shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    ends = ["-" * (width - 1) + ("-" if i == 0 else ":") for i, width in enumerate(widths)]
    print(f"\n**{title}**\n")
    for line in ([*headers], ends, *cells):
        padded = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print(f"| {' | '.join(padded)} |", flush=True)


def _shown(cell: object) -> str:
    if isinstance(cell, float):
        if np.isnan(cell):
            return "–"
        if abs(cell) >= 100:
            return f"{cell:,.0f}"
        return f"{cell:.1e}" if 0 < abs(cell) < 1e-3 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def print_surroundings() -> None:
    """Print what the numbers depend on."""
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{name} not installed")
    load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
    print(f"Python {platform.python_version()}, {', '.join(versions)}")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} torch threads, "
        f"{_accelerator()}float32; load average at the start {load}",
        flush=True,
    )


def _accelerator() -> str:
    return f"{torch.cuda.get_device_name()}, " if torch.cuda.is_available() else ""


def is_installed(package: str) -> bool:
    """Return whether a peer is there; say so where it is not."""
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        print(f"\n{package} is not installed: its rows are left out")
        return False
    return True


def note(message: str) -> None:
    """Tell on standard error what is being done."""
    print(f"[{time.strftime('%H:%M:%S')}] {message}", file=sys.stderr, flush=True)
