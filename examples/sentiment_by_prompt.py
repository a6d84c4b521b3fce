"""Which words of a review make a language model call it positive?

Any language model is a classifier: the prompt ends where a label must follow, and each label's
probability is what the model gives to it there. Give a model of yours as the first argument: a
folder, a name on the Hugging Face hub, or a .gguf file.
"""

import sys

import perturbx as px

MODEL = sys.argv[1] if len(sys.argv) > 1 else "google/gemma-3-270m"

explainer = px.PromptExplainer(
    MODEL,
    labels=[" positive", " negative"],
    template="Review: {review}\nThe sentiment of this review is",
    units="words",
    link="log_odds",
    outputs=["positive"],
    random_state=0,
)
print(explainer.estimate_cost(["The plot is thin, but the acting is superb."]))
(explanation,) = explainer.explain(["The plot is thin, but the acting is superb."])
print(explanation)
