"""Generated texts compared with the original answer."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError, MissingExtraError, ScoringError
from perturbx.scorers.generated import Bleu, ChrF, EmbeddingSimilarity, Entailment, Rouge, pooled
from perturbx.scorers.generated.tokens import overlap_tokens

OVERLAPS = [Rouge("rouge1"), Rouge("rouge2"), Rouge(), Bleu(), ChrF()]
ANSWERS = {
    "English": ("Anna Kroll built the mill in 1812.", "Anna Kroll built it.", "Rye bread is sold."),
    "Chinese": ("云溪桥是林远山设计的。", "桥是林远山设计的。", "今天天气不错啊朋友。"),
    "Thai": ("แมวนั่งอยู่บนเสื่อ", "แมวนั่งบนเสื่อ", "ฝนตกหนักมากวันนี้"),
    "Hindi": ("स्कूल मीरा शर्मा ने बनवाया।", "मीरा शर्मा ने बनवाया।", "आज मौसम अच्छा है।"),
    "Arabic": ("بنت سلمى حداد المكتبة.", "سلمى حداد.", "الطقس جميل اليوم."),
}
WORDS = st.lists(st.sampled_from(["a", "b", "很", "好", "ก", "नमस्ते", "!"]), max_size=8)


@pytest.mark.parametrize("overlap", OVERLAPS, ids=lambda own: own.name)
@pytest.mark.parametrize("language", ANSWERS)
def test_the_same_is_one_and_what_is_near_comes_before_what_is_far(overlap, language):
    same, near, far = overlap(ANSWERS[language][0], list(ANSWERS[language]))
    assert same == pytest.approx(1.0)
    assert 1.0 > near > far >= 0.0
    assert overlap.is_probability is False


@settings(max_examples=40, deadline=None)
@given(reference=WORDS.map(" ".join), texts=st.lists(WORDS.map(" ".join), max_size=3))
def test_a_number_between_0_and_1_for_each_text(reference, texts):
    for overlap in OVERLAPS:
        found = overlap(reference, texts)
        assert found.shape == (len(texts),)
        assert np.all((found >= 0) & (found <= 1 + 1e-9))


@given(st.text())
def test_tokens_are_letters_and_digits_of_the_text(text):
    folded = "".join(overlap_tokens(text))
    assert not any(letter.isspace() for letter in folded)


def test_words_of_scripts_with_and_without_spaces():
    assert overlap_tokens("So good, 很好!") == ["so", "good", "很", "好"]
    assert overlap_tokens("हिन्दी में") == ["हिन्दी", "में"]
    assert overlap_tokens("น้ำ") == ["น้", "ำ"]


@pytest.mark.parametrize("kind", [Rouge, Bleu, ChrF])
def test_a_missing_package_names_its_extra_before_there_is_an_answer(monkeypatch, kind):
    for module in ("rouge_score.rouge_scorer", "sacrebleu.metrics"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"perturbx\[text\]"):
        kind()


def test_a_cosine_of_any_embedding():
    def vectors(texts):
        return [[text.count("a"), text.count("b"), 0.0] for text in texts]

    found = EmbeddingSimilarity(vectors)("aab", ["aab", "b", "aaaabb", ""])
    np.testing.assert_allclose(found, [1.0, 1 / np.sqrt(5), 1.0, 0.0])
    with pytest.raises(ScoringError, match="a vector for each of 2"):
        EmbeddingSimilarity(lambda texts: [1.0])("a", ["b"])
    with pytest.raises(ArgumentError, match="encoder"):
        EmbeddingSimilarity("a name")


@pytest.fixture(scope="module")
def bert(make):
    import transformers

    config = transformers.BertConfig(
        vocab_size=300,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.5,
        id2label={0: "CONTRADICTION", 1: "ENTAILMENT"},
        label2id={"CONTRADICTION": 0, "ENTAILMENT": 1},
    )
    torch.manual_seed(0)
    return config, make.wordpiece(64)


def test_embeddings_are_means_of_tokens_whatever_the_batch(bert):
    import transformers

    config, tokenizer = bert
    model = transformers.BertModel(config).train()
    texts = ["the film was good", "good", "a bad awful film and i loved it"]
    found = EmbeddingSimilarity((model, tokenizer))("the film", texts)
    assert model.training
    model.eval()
    with torch.inference_mode():
        vectors = [
            model(**tokenizer(text, return_tensors="pt"))[0][0].mean(0)
            for text in ["the film", *texts]
        ]
    expected = [float(torch.cosine_similarity(vectors[0], own, dim=0)) for own in vectors[1:]]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_few_long_texts_behind_many_short_ones_are_not_filled_up_together(bert, monkeypatch):
    import transformers

    config, tokenizer = bert
    model = transformers.BertModel(config).eval()
    monkeypatch.setattr(pooled, "LETTERS_AT_ONCE", 200)
    read = []
    model.register_forward_pre_hook(
        lambda _, args, given: read.append(given["input_ids"].shape), with_kwargs=True
    )
    texts = ["bad"] * 60 + ["a bad awful film and i loved it"] * 9
    found = EmbeddingSimilarity((model, tokenizer))("the film", texts)
    assert sum(rows for rows, _ in read) == 70
    assert max(rows for rows, width in read if width > 5) <= 200 // len(texts[-1])
    np.testing.assert_allclose(found[:60], found[0], atol=1e-5)
    np.testing.assert_allclose(found[60:], found[60], atol=1e-5)


def test_entailment_reads_the_label_that_says_so(bert):
    import transformers

    config, tokenizer = bert
    model = transformers.BertForSequenceClassification(config).eval()

    def alone(premise, hypothesis):
        with torch.inference_mode():
            logits = model(**tokenizer(premise, hypothesis, return_tensors="pt")).logits[0]
        return float(logits.softmax(-1)[1])

    texts, reference = ["the film was good", "bad"], "a good film"
    forward = [alone(text, reference) for text in texts]
    backward = [alone(reference, text) for text in texts]
    np.testing.assert_allclose(Entailment((model, tokenizer))(reference, texts), forward, atol=1e-4)
    both = Entailment((model, tokenizer), both_ways=True)(reference, texts)
    np.testing.assert_allclose(both, np.mean([forward, backward], axis=0), atol=1e-4)
    other = Entailment((model, tokenizer), label="CONTRADICTION")(reference, texts)
    np.testing.assert_allclose(other, 1 - np.array(forward), atol=1e-4)
    with pytest.raises(ArgumentError, match="label"):
        Entailment((model, tokenizer), label="maybe")
    with pytest.raises(ArgumentError, match="rouge1"):
        Rouge("rouge9")
