"""Which words does a film-review model misread in reviews of other things?

An explainer is a scikit-learn transformer: texts become a sparse matrix of what each word is worth
to the model. A logistic regression on top learns how much to believe each word. Where a weight is
below zero the model's opinion of that word points the wrong way.

120 reviews hint where to look; they prove nothing about a single word.
"""

import csv
import re
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

import perturbx as px

REVIEWS = Path(__file__).resolve().parents[1] / "datasets" / "reviews_en.csv"

with REVIEWS.open(encoding="utf-8", newline="") as file:
    rows = list(csv.DictReader(file))
texts = [row["text"] for row in rows]
is_praise = np.array([row["label"] == "positive" for row in rows])

explainer = px.OcclusionExplainer("default", outputs=["POSITIVE"], link="log_odds")
pipeline = Pipeline([("explain", explainer), ("trust", LogisticRegression())])
pipeline.fit(texts, is_praise)

words = pipeline["explain"].get_feature_names_out()
weights = pipeline["trust"].coef_[0]

print("Do not believe the model's opinion of these words here:")
for column in np.argsort(weights)[:8]:
    word = words[column]
    seen_in = next(text for text in texts if word in re.findall(r"\w+", text.casefold()))
    print(f"{word:<12}{weights[column]:>6.2f}   {seen_in}")
