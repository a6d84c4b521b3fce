"""Which sentences of the documents made the model give that answer?

The retrieved documents are cut into sentences; the question and the rest of the prompt stay as
they are. The page written at the end lets you choose a sentence of the answer and see its sources.
Give a model of yours as the first argument, and a name for the page as the second.
"""

import sys

import perturbx as px

MODEL = sys.argv[1] if len(sys.argv) > 1 else "google/gemma-3-270m"
PAGE = sys.argv[2] if len(sys.argv) > 2 else None

DOCUMENTS = [
    "Velmora is a small town on the river Tesk. Most of its people work in the orchards.",
    "The mill in Velmora was built in 1812 by Anna Kroll. The bridge beside it is younger.",
    "Every spring there is a fair on the square. The baker sells rye bread from a cart.",
]
QUERY = "Who built the mill in Velmora, and what does the baker sell?"
ANSWER = " Anna Kroll built the mill. The baker sells rye bread."

explainer = px.ContextExplainer(MODEL, outputs="sentences", random_state=0)
(explanation,) = explainer.explain([DOCUMENTS], QUERY, [ANSWER])

for output in explanation.output_names:
    print(f"{output}")
    for label, value in explanation.as_list(output, n=2):
        print(f"  {value:+7.2f}  {label}")
if PAGE is not None:
    explanation.to_html(PAGE)
