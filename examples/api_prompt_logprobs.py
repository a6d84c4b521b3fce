"""Which sentences of a context made a served model say exactly this?

A server that scores prompts (vLLM, llama.cpp: completions with ``echo``) tells how probable a given
answer is. Give a model (``openai-completions:NAME``) and the server's address.
"""

import sys
from tempfile import TemporaryDirectory

import perturbx as px

MODEL = sys.argv[1] if len(sys.argv) > 1 else "openai-completions:local"
ADDRESS = sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8000/v1"

CONTEXT = (
    "Velmora lies on the river Tesk. The mill was built in 1812 by Anna Kroll. A bridge stands "
    "beside it. Every spring there is a fair on the square. The baker sells rye bread."
)
ANSWER = " Anna Kroll built the mill."

with TemporaryDirectory() as folder:
    model = px.ApiModel(MODEL, base_url=ADDRESS, cache=f"{folder}/answers.sqlite")
    explainer = px.ContextExplainer(model, random_state=0)
    (explanation,) = explainer.explain([CONTEXT], "Who built the mill?", [ANSWER])
    for sentence, value in explanation.as_list(n=2):
        print(f"{value:+.2f}  {sentence}")
    print(f"log-probability {explanation.scores[0]:.2f} of {explanation.response!r}")

    # Everything behind it, for whoever wants to check: no server is needed for that.
    px.write_record(
        f"{folder}/record.jsonl",
        explainer,
        px.Explanations([explanation]),
        [CONTEXT],
        "Who built the mill?",
        [ANSWER],
        with_prompts=True,
    )
    (again,) = px.replay_record(f"{folder}/record.jsonl")
    print("replayed:", bool((again.values == explanation.values).all()))
    print(model.spending)
