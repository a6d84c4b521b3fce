"""Toxicity classifiers for the audits: TF-IDF with logistic regression, and MiniLM with a head."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np

SHARED = Path(os.environ.get("PERTURBX_SHARED", Path(__file__).resolve().parents[2] / "shared"))
DATA = SHARED / "data" / "fairness"


def training_set() -> tuple[list[str], list[int]]:
    """Return the comments and their labels that both are trained on."""
    with (DATA / "wiki_toxicity.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["comment"] for row in rows], [int(row["toxic"] == "True") for row in rows]


def tfidf_model() -> Any:
    """Return a fitted pipeline of words and pairs of words."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts, labels = training_set()
    names = np.where(np.array(labels) == 1, "toxic", "fine")
    return make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        LogisticRegression(C=10, max_iter=1000),
    ).fit(texts, names)


def minilm_model() -> Any:
    """Return a transformer and its tokenizer, with a head of logistic regression."""
    import torch
    from sklearn.linear_model import LogisticRegression
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    path = SHARED / "models" / "minilm-sst2"
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForSequenceClassification.from_pretrained(path, dtype=torch.float32).eval()
    texts, labels = training_set()
    pooled = []
    with torch.inference_mode():
        for start in range(0, len(texts), 16):
            batch = tokenizer(
                texts[start : start + 16],
                truncation=True,
                max_length=128,
                padding=True,
                return_tensors="pt",
            )
            pooled.append(model.base_model(**batch).pooler_output.numpy())
    head = LogisticRegression(C=1, max_iter=2000).fit(np.concatenate(pooled), labels)
    with torch.no_grad():
        weight = torch.from_numpy(head.coef_).float()
        model.classifier.weight.copy_(torch.cat([-weight, weight]) / 2)
        bias = torch.from_numpy(head.intercept_).float()
        model.classifier.bias.copy_(torch.cat([-bias, bias]) / 2)
    model.config.id2label = {0: "fine", 1: "toxic"}
    model.config.label2id = {"fine": 0, "toxic": 1}
    return model, tokenizer
