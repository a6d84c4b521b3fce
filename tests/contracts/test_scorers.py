"""What every scorer must obey. Add a factory of your own to SCORERS to put it through."""

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.maskers.variants import Variants
from perturbx.scorers import CallableScorer, SklearnScorer, TransformersClassifier
from perturbx.scorers.causal_lm import CausalLM
from perturbx.scorers.generated import ChrF, GeneratedTextScorer, Rouge
from perturbx.scorers.labels import LabelScorer
from perturbx.typing import InputKind, ScoreKind, Scorer

WORDS = ["good", "bad", "not", "film"]
FIT_ON = ["good film", "bad film", "not good", "not bad"]


def function():
    return CallableScorer(lambda texts: [[len(text), text.count("good")] for text in texts])


def probabilities():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    return SklearnScorer(model.fit(FIT_ON, ["pos", "neg", "neg", "pos"]))


def margins():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    return SklearnScorer(make_pipeline(TfidfVectorizer(), LinearSVC()).fit(FIT_ON, [0, 1, 1, 0]))


def regression():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    return SklearnScorer(make_pipeline(TfidfVectorizer(), Ridge()).fit(FIT_ON, [1.0, 0, 0, 1]))


def encoder():
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=7,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        initializer_range=0.5,
    )
    return TransformersClassifier(
        BertForSequenceClassification(config), tokenizer(pad_token="[PAD]")
    )


def decoder():
    from transformers import GPT2Config, GPT2ForSequenceClassification

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=7, n_embd=8, n_layer=1, n_head=2, initializer_range=0.5)
    return TransformersClassifier(GPT2ForSequenceClassification(config), tokenizer())


def labels():
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=7, n_embd=8, n_layer=1, n_head=2, initializer_range=0.5)
    model = CausalLM(GPT2LMHeadModel(config), tokenizer())
    return LabelScorer(model, ["good", "not good", "bad film"])


def similarity():
    return GeneratedTextScorer(
        lambda prompts: [prompt.upper() for prompt in prompts], [ChrF(), Rouge()], "GOOD FILM"
    )


def tokenizer(**special):
    """A word a token."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[BOS]", *WORDS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", bos_token="[BOS]", **special
    )


SCORERS = [
    function,
    probabilities,
    margins,
    regression,
    encoder,
    decoder,
    labels,
    similarity,
]


@pytest.fixture(scope="module", params=SCORERS, ids=lambda factory: factory.__name__)
def scorer(request):
    return request.param()


def variants_of(scorer, sentences, kind):
    """Return sentences (lists of words) as variants of a kind that the scorer accepts."""
    if kind == "text":
        return Variants(texts=[" ".join(words) for words in sentences])
    width = max(map(len, sentences))
    ids = [[WORDS.index(word) + 3 for word in words] for words in sentences]
    token_ids = torch.tensor([row + [0] * (width - len(row)) for row in ids]).long()
    return Variants(
        token_ids=token_ids,
        lengths=torch.tensor([len(row) for row in ids]),
        # Prompts without a response, in the words of a language model's own tokenizer.
        extras={"token_type_ids": 0 * token_ids} if hasattr(scorer, "language_model") else {},
    )


batches = st.lists(st.lists(st.sampled_from(WORDS), max_size=6), min_size=1, max_size=5)


def test_it_says_what_it_is(scorer):
    assert isinstance(scorer, Scorer)
    assert scorer.accepts
    assert set(scorer.accepts) <= set(get_args(InputKind))
    assert scorer.model_id


@settings(max_examples=15, deadline=None)
@given(sentences=batches)
def test_each_variant_has_one_finite_row_of_named_numbers(scorer, sentences):
    for kind in scorer.accepts:
        scores = scorer.score(variants_of(scorer, sentences, kind))
        assert len(scores) == len(sentences)
        assert np.isfinite(scores.values).all()
        assert scores.values.shape[1] == len(scorer.output_names) == len(set(scorer.output_names))
        assert scores.kind in get_args(ScoreKind)
        if scores.kind == "probability":
            assert scores.values.min() >= 0
            assert scores.values.max() <= 1


@settings(max_examples=15, deadline=None)
@given(sentences=batches)
def test_a_batch_is_its_rows_one_by_one(scorer, sentences):
    for kind in scorer.accepts:
        together = scorer.score(variants_of(scorer, sentences, kind)).values
        alone = [scorer.score(variants_of(scorer, [one], kind)).values[0] for one in sentences]
        np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(sentences=batches)
def test_tokens_and_texts_are_one_input(scorer, sentences):
    first, *others = (
        scorer.score(variants_of(scorer, sentences, kind)).values for kind in scorer.accepts
    )
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-5, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(sentences=batches, data=st.data())
def test_the_order_of_the_rows_is_kept(scorer, sentences, data):
    order = data.draw(st.permutations(range(len(sentences))))
    for kind in scorer.accepts:
        straight = scorer.score(variants_of(scorer, sentences, kind)).values
        shuffled = scorer.score(variants_of(scorer, [sentences[i] for i in order], kind)).values
        np.testing.assert_allclose(shuffled, straight[order], rtol=1e-5, atol=1e-5)


def test_the_same_batch_scores_the_same_to_the_bit(scorer):
    for kind in scorer.accepts:
        batch = variants_of(scorer, [["good"], ["not", "bad", "film"]], kind)
        np.testing.assert_array_equal(scorer.score(batch).values, scorer.score(batch).values)
