"""Which words make a scikit-learn classifier call a review negative?

A classifier learns from 120 short reviews, then one mixed review that it has never seen is taken
apart. No setting is needed: a fitted pipeline that takes texts is explained as it is.
"""

import csv
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import perturbx as px

REVIEWS = Path(__file__).resolve().parents[1] / "datasets" / "reviews_en.csv"
MIXED = (
    "The room was clean and the staff was friendly, but the wifi was slow, the heating broken and "
    "the coffee cold."
)

with REVIEWS.open(encoding="utf-8", newline="") as file:
    rows = list(csv.DictReader(file))
texts, labels = [row["text"] for row in rows], [row["label"] for row in rows]
classifier = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10)).fit(texts, labels)

explainer = px.ShapleyExplainer(classifier, outputs=["negative"], random_state=0)
(explanation,) = explainer.explain([MIXED])

print(explanation)
print()
print(explanation.summary())
