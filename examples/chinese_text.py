"""Which words of a Chinese review speak for it, where no spaces show the words?

The dictionaries of ICU cut the words, so nothing has to be segmented beforehand. The classifier
need not know of words at all: this one reads single characters and pairs of them.
"""

import csv
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import perturbx as px

REVIEWS = Path(__file__).resolve().parents[1] / "datasets" / "reviews_zh.csv"
MIXED = "房间很干净，早餐也很丰富，但是服务员态度恶劣，晚上太吵。"

with REVIEWS.open(encoding="utf-8", newline="") as file:
    rows = list(csv.DictReader(file))
texts, labels = [row["text"] for row in rows], [row["label"] for row in rows]
characters = TfidfVectorizer(analyzer="char", ngram_range=(1, 2))
classifier = make_pipeline(characters, LogisticRegression(C=10)).fit(texts, labels)

explainer = px.ShapleyExplainer(classifier, outputs=["positive"], random_state=0)
(explanation,) = explainer.explain([MIXED])

print("The words:", " | ".join(explanation.units.labels))
print(explanation)
