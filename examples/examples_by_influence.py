"""Which of the examples in a prompt taught the model the answer?

Each example is one unit: it stays or goes as a whole. Give a model of yours as the first argument.
"""

import sys

import perturbx as px
from perturbx.units.prompts import few_shot_prompt

MODEL = sys.argv[1] if len(sys.argv) > 1 else "google/gemma-3-270m"

EXAMPLES = [
    {"word": "dog", "answer": "animal"},
    {"word": "rose", "answer": "plant"},
    {"word": "oak", "answer": "plant"},
    {"word": "salt", "answer": "mineral"},
    {"word": "cat", "answer": "animal"},
]
units = few_shot_prompt(
    "{examples}\nWord: {word}\nKind:",
    EXAMPLES,
    example_template="Word: {word}\nKind: {answer}",
    separator="\n",
    word="tulip",
)
(explanation,) = px.PromptExplainer(MODEL, random_state=0).explain([units], [" plant"])
for label, value in explanation.as_list():
    print(f"{value:+7.2f}  {' / '.join(label.splitlines())}")
