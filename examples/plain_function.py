"""Two phrases do the same job: which of them gets the credit?

A support desk marks a mail as urgent when it meets one of a few words. Leaving out one word at a
time says that none of them matters, since the other one still does the job. Shapley values share
the credit. Any function from a list of texts to numbers is explained like this.
"""

import perturbx as px

URGENT = {"urgent", "immediately", "emergency"}
MAIL = "Urgent: the heating is off, please send someone immediately!"


def urgency(texts):
    """Return 1 for each text with an urgent word in it, else 0."""
    return [float(any(word in text.lower() for word in URGENT)) for text in texts]


(leave_one_out,) = px.explain(urgency, [MAIL], explainer="occlusion", output_names=["urgency"])
(shapley,) = px.explain(urgency, [MAIL], explainer="shapley", budget=512, output_names=["urgency"])

print(MAIL)
print(f"{'word':<12}{'left out':>10}{'Shapley':>10}")
for word, alone, shared in zip(
    shapley.units.labels, leave_one_out.values[:, 0], shapley.values[:, 0], strict=True
):
    print(f"{word:<12}{alone:>10.2f}{shared:>10.2f}")
print(f"Shapley values add up to the score: {shapley.values.sum():.2f} ({shapley.n_calls} calls)")
