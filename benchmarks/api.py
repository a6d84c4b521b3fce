"""Calls a second to a model behind an API, beside the bare client on the same server.

    python benchmarks/api.py                  # all three measurements, about 3 minutes
    python benchmarks/api.py --only overhead

The server is `tests/servers/fault_server.py` in a process of its own on this machine.

- ideal: 2,000 calls of 500 ms, 64 at once, 5% of them faults (429 with and without headers, 500,
  503, dropped connections, broken JSON, missing log-probabilities, slow streams): the share of the
  throughput that no overhead and no fault would leave.
- overhead: 4,000 calls of 50 ms, 32 at once, no faults: the share of what the bare client reaches
  in the same run (the two in turns, the median of three).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import openai

from perturbx import ApiModel

SERVER = Path(__file__).parents[1] / "tests" / "servers" / "fault_server.py"

FAULTS = {
    "429": 0.01,
    "429_retry_after": 0.005,
    "500": 0.005,
    "503": 0.005,
    "dropped": 0.005,
    "dropped_midway": 0.005,
    "malformed": 0.005,
    "missing_logprobs": 0.005,
    "slow": 0.005,
}


@contextmanager
def server(latency: float, faults: dict[str, float]) -> Iterator[str]:
    """Run a fault server in a process of its own; yield its address."""
    command = [sys.executable, str(SERVER), "--latency", str(latency)]
    process = subprocess.Popen(
        [*command, "--faults", json.dumps(faults)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def prompts(n_calls: int, salt: str) -> list[str]:
    """Return prompts that are all different."""
    return [f"Review: so good {salt} {i}\nSentiment:" for i in range(n_calls)]


def ours(url: str, n_calls: int, concurrency: int, salt: str, cache: Path | None) -> Any:
    """Return the seconds that all calls took, and what was spent."""
    model = ApiModel("openai:m", base_url=url, concurrency=concurrency, cache=cache, max_retries=10)
    questions = [model.provider.question(p, top_log_probs=5) for p in prompts(n_calls, salt)]

    def missing(answer: Any) -> str | None:
        return "no log-probabilities" if answer.tokens is None else None

    began = time.perf_counter()
    answered = sum(len(part) for part in model.ask(questions, missing))
    seconds = time.perf_counter() - began
    assert answered == n_calls
    model.close()
    return seconds, model


def bare(url: str, n_calls: int, concurrency: int, salt: str) -> float:
    """Return the seconds that the client itself takes, with so many calls at once."""

    async def run() -> float:
        client = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
        waiting = iter(prompts(n_calls, salt))

        async def worker() -> None:
            for prompt in waiting:
                answer = await client.chat.completions.create(
                    model="m",
                    messages=[{"role": "user", "content": prompt}],
                    max_tokens=1,
                    temperature=0,
                    logprobs=True,
                    top_logprobs=5,
                )
                assert answer.choices[0].logprobs is not None

        began = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(concurrency)))
        seconds = time.perf_counter() - began
        await client.close()
        return seconds

    return asyncio.run(run())


def measure_ideal(n_calls: int = 2000, latency: float = 0.5, concurrency: int = 64) -> None:
    """Print the share of the ideal throughput, with faults and without."""
    ideal = n_calls * latency / concurrency
    for name, faults in (("5% faults", FAULTS), ("no faults", {})):
        with server(latency, faults) as url, TemporaryDirectory() as folder:
            seconds, model = ours(url, n_calls, concurrency, name, Path(folder) / "c.sqlite")
            print(
                f"ideal, {name}: {seconds:.1f} s, {ideal / seconds:.1%} of the ideal throughput; "
                f"lowest limit {model.dispatcher.limit.lowest:.0f}; {model.spending}"
            )
    with server(latency, {}) as url:
        seconds = bare(url, n_calls, concurrency, "bare")
        print(f"ideal, the bare client, no faults: {seconds:.1f} s, {ideal / seconds:.1%}")


def measure_overhead(n_calls: int = 4000, latency: float = 0.05, concurrency: int = 32) -> None:
    """Print the throughput beside that of the bare client."""
    with server(latency, {}) as url, TemporaryDirectory() as folder:
        bare(url, 200, concurrency, "warm")
        pairs = []
        for i in range(3):
            own, _ = ours(url, n_calls, concurrency, f"ours {i}", Path(folder) / f"{i}.sqlite")
            other = bare(url, n_calls, concurrency, f"bare {i}")
            pairs.append((own, other))
            print(f"overhead: ours {n_calls / own:.0f}/s, bare {n_calls / other:.0f}/s")
        ratio = statistics.median(other / own for own, other in pairs)
        print(f"overhead: {ratio:.1%} of the bare client's throughput (median of three)")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["ideal", "overhead"])
    only = parser.parse_args().only
    if only in (None, "ideal"):
        measure_ideal()
    if only in (None, "overhead"):
        measure_overhead()


if __name__ == "__main__":
    main()
