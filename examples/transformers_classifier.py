"""What does a transformers classifier make of a sentence, and do two methods agree on it?

The model is the small sentiment classifier that perturbx ships; any classifier and its tokenizer
take its place. The second method reads the scores that the first one paid for: it costs no call.
"""

from pathlib import Path

import numpy as np
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import perturbx as px

FOLDER = Path(px.__file__).parent / "default_model"
SENTENCE = "The story is slow and the jokes are stale, yet the two leads are so charming."

model = AutoModelForSequenceClassification.from_pretrained(FOLDER)
tokenizer = AutoTokenizer.from_pretrained(FOLDER)

explainer = px.ShapleyExplainer((model, tokenizer), link="log_odds", random_state=0)
(explanation,) = explainer.explain([SENTENCE])
print(explanation)

lime = explanation.refit("lime")
column = explanation.column()
strongest = np.argsort(-np.abs(explanation.values[:, column]))[:5]
print("\nThe five largest values    Shapley    LIME, from the same scores")
for unit in strongest:
    label = explanation.units.labels[unit]
    values = explanation.values[unit, column], lime.values[unit, column]
    print(f"{label:<25}{values[0]:>+9.2f}{values[1]:>+9.2f}")
print(f"{explanation.n_calls} calls to the model in all, none of them for LIME")
