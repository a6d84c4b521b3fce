"""Which words of a review make a closed model call it positive, for at most so many calls?

The service shows the few likeliest tokens of an answer and no more; that is enough for labels.
Give a model (``openai:NAME``, with the key in OPENAI_API_KEY) and, for another server, its address.
"""

import sys

import perturbx as px

MODEL = sys.argv[1] if len(sys.argv) > 1 else "openai:gpt-4.1-mini"
ADDRESS = sys.argv[2] if len(sys.argv) > 2 else None

REVIEW = "The plot is thin, the songs are awful, but the acting is superb."

scorer = px.ApiScorer(
    MODEL,
    base_url=ADDRESS,
    labels=["positive", "negative"],
    system="You judge film reviews. Answer with one word.",
    prompt_template="Review: {text}\nIs it positive or negative?",
    concurrency=32,
    max_calls=120,
)
explainer = px.ShapleyExplainer(scorer, link="probability", random_state=0)
print(explainer.estimate_cost([REVIEW]))

(explanation,) = explainer.explain([REVIEW])
for word, value in explanation.as_list("positive", n=4):
    print(f"{value:+.2f}  {word}")
print(explanation.budget_report)
print(f"{scorer.method_}: {scorer.model.spending}")
