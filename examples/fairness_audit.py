"""Does a review classifier say other things about some groups, how sure is that, and why?

A classifier learns from 120 short reviews, in which two of the annotators marked down whatever an
older person had written. The audit set has the same sentences about every group, so any gap is the
model's own. Give the path of an .html file to see the whole report.
"""

import csv
import sys
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import perturbx as px
from perturbx.fairness import Gate
from perturbx.fairness.loaders import load_audit_set

DATASETS = Path(__file__).resolve().parents[1] / "datasets"

with (DATASETS / "reviews_en.csv").open(encoding="utf-8", newline="") as file:
    rows = list(csv.DictReader(file))
texts, labels = [row["text"] for row in rows], [row["label"] for row in rows]
for text, label in zip(texts[:24], labels[:24], strict=True):
    texts.append(f"An older guest wrote: {text}")
    labels.append("negative" if label == "positive" else label)
classifier = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10)).fit(texts, labels)

audit = px.FairnessAudit(
    classifier, positive="positive", n_explained=300, n_swaps=500, random_state=0
)
report = audit.fit(load_audit_set(DATASETS / "audit_en.csv")).report_

for verdict in report.verdicts:
    if verdict.attribute == "age" and verdict.kind in ("gap", "counterfactual", "words"):
        print(verdict.text, end="\n\n")

terms = report.identity_terms.query("attribute == 'age' and group == '(all)'")
print(terms.sort_values("attribution").head(3)[["word", "attribution", "low", "high"]].round(3))

failures = Gate.read("age: mean_score_difference > 0.05").failures(report, confident=True)
print(f"\n{len(failures)} gaps by age would stop a build, among them:\n{failures[0]}")

if len(sys.argv) > 1:
    report.to_html(sys.argv[1])
