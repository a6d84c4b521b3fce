"""Which words make a model that only answers in text choose its answer?

Nothing but text comes back, so answers are sampled and counted. One answer for each of many
variants tells more than many for a few; the error bars hold what the sampling leaves open. Give a
model (``anthropic:NAME``, with the key in ANTHROPIC_API_KEY) and, for another server, its address.
"""

import sys

import perturbx as px

MODEL = sys.argv[1] if len(sys.argv) > 1 else "anthropic:claude-haiku-4-5"
ADDRESS = sys.argv[2] if len(sys.argv) > 2 else None

REVIEW = "The plot is thin and awful, but superb acting."

scorer = px.ApiScorer(
    MODEL,
    base_url=ADDRESS,
    labels=["positive", "negative"],
    prompt_template="Review: {text}\nAnswer with one word, positive or negative.",
    method="votes",
    concurrency=16,
    max_calls=400,
)
explainer = px.ShapleyExplainer(scorer, budget=400, random_state=0)
(explanation,) = explainer.explain([REVIEW])

interval = explanation.attribution.confidence_interval()
column = explanation.output_names.index("positive")
for unit, word in enumerate(explanation.units.labels):
    low, high = interval.low[unit, column], interval.high[unit, column]
    print(f"{explanation.values[unit, column]:+.2f}  [{low:+.2f}, {high:+.2f}]  {word}")
print(scorer.model.spending)
