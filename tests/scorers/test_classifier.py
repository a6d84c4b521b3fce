import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError, ScoringError, TruncationWarning
from perturbx.maskers.variants import Variants
from perturbx.scorers import TransformersClassifier, as_scorer

FAMILIES = ["bert", "roberta", "distilbert", "gpt2", "llama", "xlnet", "bart"]
TEXTS = ["the film was very good", "bad", "i loved it and hated it", "awful", "a a a a", "xyz"]


@pytest.fixture(scope="module", params=FAMILIES)
def pair(request, make):
    """A model and a tokenizer of each family; the decoders' have no padding."""
    if request.param in ("gpt2", "llama"):
        tokenizer = make.bytes(bos_token="<s>", eos_token="<s>", model_max_length=40)
    elif request.param == "roberta":
        tokenizer = make.bytes(bos_token="<s>", pad_token="<pad>", model_max_length=40)
    else:
        tokenizer = make.wordpiece()
    return make.model(request.param, num_labels=3), tokenizer


@pytest.fixture(scope="module")
def bert(make):
    return make.model("bert"), make.wordpiece()


def as_tokens(texts, tokenizer, *, pad_id=0, extra_width=0):
    """Return token variants of texts, as a masker would hand them over."""
    rows = [tokenizer(*(([t],) if isinstance(t, str) else ([t[0]], [t[1]]))) for t in texts]
    rows = [{name: row[name][0] for name in row} for row in rows]
    lengths = torch.tensor([len(row["input_ids"]) for row in rows])
    width = int(lengths.max()) + extra_width
    parts = {
        name: torch.tensor([row[name] + [fill] * (width - len(row[name])) for row in rows])
        for name, fill in (("input_ids", pad_id), ("token_type_ids", 0))
        if name in rows[0]
    }
    return Variants(token_ids=parts.pop("input_ids"), lengths=lengths, extras=parts, pad_id=pad_id)


def bare_logits(model, tokenizer, text):
    """Return what the model itself says about one unpadded text."""
    given = tokenizer(text, return_tensors="pt")
    given.pop("token_type_ids", None)
    with torch.no_grad():
        return model(**given).logits[0].double().numpy()


def test_a_batch_is_what_the_model_says_text_by_text(pair):
    model, tokenizer = pair
    texts = [text[:12] for text in TEXTS]
    scores = TransformersClassifier(model, tokenizer).score(Variants(texts=texts))
    expected = [bare_logits(model, tokenizer, text) for text in texts]
    np.testing.assert_allclose(scores.values, expected, atol=1e-5)
    assert np.ptp(scores.values, axis=0).min() > 0.01  # the texts do differ


def test_a_text_may_hold_the_token_that_ends_texts(make):
    """Markup such as "</s>": an encoder-decoder takes rows with as many of them only."""
    model, tokenizer = make.model("bart", num_labels=3), make.wordpiece()
    texts = ["good [SEP] film", "good film", "[SEP] a [SEP] bad", "bad [SEP]", "not"]
    scores = TransformersClassifier(model, tokenizer).score(Variants(texts=texts))
    expected = [bare_logits(model, tokenizer, text) for text in texts]
    np.testing.assert_allclose(scores.values, expected, atol=1e-5)


def test_tokens_and_texts_score_alike_whatever_the_padding(pair):
    model, tokenizer = pair
    scorer = TransformersClassifier(model, tokenizer)
    texts = [text[:12] for text in TEXTS]
    plain = scorer.score(Variants(texts=texts)).values
    for pad_id, extra_width in ((0, 0), (1, 0), (7, 5)):
        tokens = as_tokens(texts, tokenizer, pad_id=pad_id, extra_width=extra_width)
        np.testing.assert_allclose(scorer.score(tokens).values, plain, atol=1e-5)


def test_the_model_is_left_as_it_was(pair):
    model, tokenizer = copy.deepcopy(pair)
    config = model.config.to_dict()
    model.train()
    *_, frozen = model.modules()
    frozen.eval()
    scorer = TransformersClassifier(model, tokenizer)
    first = scorer.score(Variants(texts=TEXTS[1:2])).values
    np.testing.assert_array_equal(scorer.score(Variants(texts=TEXTS[1:2])).values, first)
    modes = {module.training for module in model.modules() if module is not frozen}
    assert modes == {True}
    assert not frozen.training
    assert model.config.to_dict() == config


def test_the_mode_is_restored_after_a_failure_that_passes_untouched(bert, monkeypatch):
    model, tokenizer = copy.deepcopy(bert)
    error = torch.OutOfMemoryError("CUDA out of memory")

    def failing(*_, **__):
        raise error

    monkeypatch.setattr(model.bert, "forward", failing)
    model.train()
    with pytest.raises(torch.OutOfMemoryError) as caught:
        TransformersClassifier(model, tokenizer).score(Variants(texts=["good"]))
    assert caught.value is error
    assert all(module.training for module in model.modules())


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_padding_and_company_change_no_score(data, make):
    family = data.draw(st.sampled_from(["bert", "roberta", "gpt2"]))
    options = {"pad_token_id": 1} if family == "gpt2" and data.draw(st.booleans()) else {}
    scorer = TransformersClassifier(make.model(family, **options), make.bytes(bos_token="<s>"))
    rows = data.draw(st.lists(st.lists(st.integers(2, 257), max_size=12), min_size=1, max_size=6))
    width = max(map(len, rows)) + data.draw(st.integers(0, 2))
    fill = data.draw(st.integers(0, 257))
    together = scorer.score(
        Variants(
            token_ids=torch.tensor(
                [row + [fill] * (width - len(row)) for row in rows], dtype=torch.long
            ),
            lengths=torch.tensor([len(row) for row in rows]),
            pad_id=fill,
        )
    )
    alone = [
        scorer.score(
            Variants(
                token_ids=torch.tensor([row], dtype=torch.long), lengths=torch.tensor([len(row)])
            )
        ).values[0]
        for row in rows
    ]
    np.testing.assert_allclose(together.values, alone, atol=1e-4)


def test_pairs_are_told_apart_by_their_token_types(bert):
    model, tokenizer = bert
    scorer = TransformersClassifier(model, tokenizer)
    pairs = [("good film", "bad film"), ("bad film", "good film"), ("good", "")]
    texts = scorer.score(Variants(texts=pairs)).values
    np.testing.assert_allclose(scorer.score(as_tokens(pairs, tokenizer)).values, texts, atol=1e-5)
    for row, (first, second) in zip(texts, pairs, strict=True):
        given = tokenizer([first], [second], return_tensors="pt")
        assert given["token_type_ids"].sum() > 0
        with torch.no_grad():
            np.testing.assert_allclose(row, model(**given).logits[0], atol=1e-5)


def test_single_texts_and_pairs_keep_their_order_in_one_batch(bert):
    scorer = TransformersClassifier(*bert)
    mixed = ["good", ("good", "bad"), "bad film", ("bad", "good"), ""]
    together = scorer.score(Variants(texts=mixed)).values
    alone = [scorer.score(Variants(texts=[text])).values[0] for text in mixed]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_inputs_that_the_model_does_not_know_are_left_out(make):
    tokenizer = make.wordpiece()
    scorer = TransformersClassifier(make.model("distilbert"), tokenizer)
    tokens = as_tokens(["good film", "bad"], tokenizer)
    assert "token_type_ids" in tokens.extras
    assert len(scorer.score(tokens)) == 2


def test_a_slow_tokenizer_scores_like_the_fast_one(make):
    model = make.model("bert")
    texts = ["the film was good", "a very bad film", ""]
    slow = TransformersClassifier(model, make.slow()).score(Variants(texts=texts))
    fast = TransformersClassifier(model, make.wordpiece()).score(Variants(texts=texts))
    np.testing.assert_allclose(slow.values, fast.values, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "kind", "exclusive"),
    [
        ({"num_labels": 3}, "logit", True),
        ({"num_labels": 3, "problem_type": "single_label_classification"}, "logit", True),
        ({"num_labels": 3, "problem_type": "multi_label_classification"}, "logit", False),
        ({"num_labels": 1, "problem_type": "multi_label_classification"}, "logit", False),
        ({"num_labels": 2, "problem_type": "regression"}, "value", True),
        ({"num_labels": 1}, "value", True),
    ],
)
def test_the_kind_of_number_follows_the_problem(make, options, kind, exclusive):
    scorer = TransformersClassifier(make.model("bert", **options), make.wordpiece())
    scores = scorer.score(Variants(texts=TEXTS))
    assert (scores.kind, scores.exclusive) == (scorer.kind, scorer.exclusive) == (kind, exclusive)
    assert scores.values.shape == (len(TEXTS), options["num_labels"])


def test_names_are_the_labels_in_order(make):
    model = make.model("bert", id2label={2: "so", 0: "bad", 1: "good"})
    assert TransformersClassifier(model, make.wordpiece()).output_names == ("bad", "good", "so")
    alike = make.model("bert", id2label={0: "bad", 1: "good", 2: "bad"})
    with pytest.raises(ArgumentError, match=r"output_names: .* \['bad', 'good', 'bad'\]"):
        TransformersClassifier(alike, make.wordpiece())
    assert TransformersClassifier(alike, make.wordpiece(), output_names=["a", "b", "c"])
    named = TransformersClassifier(model, make.wordpiece(), output_names=["a", "b", "c"])
    assert named.output_names == ("a", "b", "c")
    with pytest.raises(ArgumentError, match="expected 3 names"):
        TransformersClassifier(model, make.wordpiece(), output_names=["a"])


def test_the_window_is_the_tightest_limit(make):
    unlimited = make.bytes(bos_token="<s>")
    assert TransformersClassifier(make.model("gpt2"), unlimited).max_tokens == 64
    assert TransformersClassifier(make.model("bert"), unlimited).max_tokens == 40
    assert TransformersClassifier(make.model("bert"), make.wordpiece(16)).max_tokens == 16
    assert TransformersClassifier(make.model("xlnet"), unlimited).max_tokens is None
    # 18 positions, of which RoBERTa leaves out its padding's and the one before
    roberta = TransformersClassifier(make.model("roberta"), unlimited)
    assert roberta.max_tokens == 16
    full = Variants(texts=["a" * 16])
    assert np.isfinite(roberta.score(full).values).all()


def test_a_text_beyond_the_window_is_cut_once_warned_and_counted(bert):
    model, tokenizer = bert
    scorer = TransformersClassifier(model, tokenizer)
    long = " ".join(["good"] * 14 + ["bad"] * 20)
    with pytest.warns(TruncationWarning, match="window of 16 tokens") as caught:
        cut = scorer.score(Variants(texts=[long, "good"])).values
    assert len(caught) == 1
    assert caught[0].filename == __file__
    np.testing.assert_allclose(
        cut[0], scorer.score(Variants(texts=[" ".join(["good"] * 14)])).values[0], atol=1e-5
    )
    assert scorer.n_truncated == 1
    scorer.score(Variants(texts=[long, long]))  # a second warning would be an error here
    assert scorer.n_truncated == 3


def test_of_a_long_pair_the_longer_text_is_cut(bert):
    scorer = TransformersClassifier(*bert)
    with pytest.warns(TruncationWarning):
        cut = scorer.score(Variants(texts=[("good " * 50, "bad film")])).values
    kept = scorer.score(Variants(texts=[("good " * 11, "bad film")])).values  # 11 + 2 + 3 = 16
    np.testing.assert_allclose(cut, kept, atol=1e-5)


def test_tokens_beyond_the_window_are_refused(bert):
    tokens = Variants(token_ids=torch.full((1, 17), 5), lengths=torch.tensor([17]))
    with pytest.raises(ScoringError, match="17 tokens and the model's window is 16"):
        TransformersClassifier(*bert).score(tokens)


@pytest.mark.parametrize("text", ["", " ", "\0", "\ud800", "👩‍👩‍👧", "שלום", "e\u0301" * 3])
def test_every_string_has_a_score(pair, text):
    scorer = TransformersClassifier(*pair)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TruncationWarning)
        together = scorer.score(Variants(texts=["good", text])).values
        alone = scorer.score(Variants(texts=[text])).values
    np.testing.assert_allclose(together[1:], alone, atol=1e-5)


def test_a_lone_surrogate_counts_as_the_replacement_character(make):
    scorer = TransformersClassifier(make.model("gpt2"), make.bytes(bos_token="<s>"))
    scores = scorer.score(Variants(texts=["a\ud800b", "a\ufffdb", "\ud83d\ude00", "😀"])).values
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)
    np.testing.assert_allclose(scores[2], scores[3], atol=1e-5)


def test_no_tokens_at_all_are_shown_as_the_first_special_token(make):
    model = make.model("gpt2")
    scorer = TransformersClassifier(model, make.bytes(bos_token="<s>"))
    nothing = Variants(token_ids=torch.empty(2, 0).long(), lengths=torch.zeros(2).long())
    with torch.no_grad():
        expected = model(torch.tensor([[0]])).logits
    np.testing.assert_allclose(scorer.score(nothing).values, expected.repeat(2, 1), atol=1e-5)
    with pytest.raises(ScoringError, match="no tokens at all"):
        TransformersClassifier(model, make.bytes()).score(nothing)


def test_no_variants_need_no_call(bert):
    assert TransformersClassifier(*bert).score(Variants(texts=[])).values.shape == (0, 2)


def test_the_given_tensors_are_not_written_to(make):
    scorer = TransformersClassifier(make.model("gpt2"), make.bytes(bos_token="<s>"))
    ids, lengths = torch.tensor([[5, 6], [9, 9]]), torch.tensor([2, 0])
    scorer.score(Variants(token_ids=ids, lengths=lengths))
    assert ids.tolist() == [[5, 6], [9, 9]]
    assert lengths.tolist() == [2, 0]


def test_another_format_works_on_a_copy(bert):
    model, tokenizer = bert
    scorer = TransformersClassifier(model, tokenizer, dtype="bfloat16", device="cpu")
    coarse = scorer.score(Variants(texts=TEXTS)).values
    fine = TransformersClassifier(model, tokenizer).score(Variants(texts=TEXTS)).values
    assert {p.dtype for p in scorer.model.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert 1e-6 < np.abs(coarse - fine).max() < 0.3


def test_the_own_device_and_format_need_no_copy(bert):
    model, tokenizer = bert
    same = TransformersClassifier(model, tokenizer, device="cpu", dtype=torch.float32)
    assert same.model is model
    assert same.device == torch.device("cpu")


@pytest.mark.parametrize(
    ("option", "value"),
    [("device", "gpu"), ("device", "cuda:99"), ("dtype", "int64"), ("dtype", "half-ish")],
)
def test_a_device_or_format_that_is_not_there_is_refused(bert, option, value):
    if value.startswith("cuda") and torch.cuda.is_available():
        pytest.skip("a CUDA device is here")
    with pytest.raises(ArgumentError, match=f"^{option}: "):
        TransformersClassifier(*bert, **{option: value})


def test_a_model_of_another_task_is_named(make):
    import transformers

    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = transformers.BertForTokenClassification(
        transformers.BertConfig(vocab_size=300, intermediate_size=16, **shape)
    )
    with pytest.raises(ScoringError, match="BertForTokenClassification may be no"):
        TransformersClassifier(model, make.wordpiece()).score(Variants(texts=["good"]))


def test_a_model_of_another_sense_is_refused(make):
    import transformers

    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    model = transformers.ViTForImageClassification(config)
    with pytest.raises(ArgumentError, match="ViTForImageClassification takes no input_ids"):
        TransformersClassifier(model, make.wordpiece())


class Wrapper(torch.nn.Module):
    """Hands everything on, as adapters (peft) and compiled models do."""

    def __init__(self, model):
        super().__init__()
        self.inner, self.config = model, model.config

    def forward(self, *args, **inputs):
        return self.inner(*args, **inputs)


class Adapter(Wrapper):
    def get_base_model(self):
        return self.inner


class Compiled(Wrapper):
    @property
    def _orig_mod(self):
        return self.inner


@pytest.mark.parametrize("wrapper", [Adapter, Compiled])
@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_a_wrapped_model_gets_the_inputs_of_the_one_inside(make, wrapper, family):
    model, tokenizer = make.model(family), make.wordpiece()
    asked = Variants(texts=[("good film", "bad"), ("bad", "a film")])
    wrapped = TransformersClassifier(wrapper(model), tokenizer).score(asked)
    plain = TransformersClassifier(model, tokenizer).score(asked)
    np.testing.assert_allclose(wrapped.values, plain.values, atol=1e-6)


def test_a_pickled_scorer_scores_alike(pair):
    scorer = TransformersClassifier(*pair)
    again = pickle.loads(pickle.dumps(scorer))
    texts = Variants(texts=[text[:12] for text in TEXTS])
    np.testing.assert_array_equal(again.score(texts).values, scorer.score(texts).values)
    assert len(repr(scorer)) < 100


@pytest.mark.model
@pytest.mark.data
def test_a_real_model_says_the_same_on_every_way_and_is_right(shared):
    from perturbx.scorers import load_classifier

    scorer = load_classifier(str(shared / "models" / "minilm-sst2"), device="cpu")
    rows = (shared / "data" / "sst2" / "dev.tsv").read_text("utf-8").splitlines()[:100]
    texts, labels = zip(*(row.rsplit("\t", 1) for row in rows), strict=True)
    plain = scorer.score(Variants(texts=texts)).values
    tokens = scorer.score(as_tokens(texts[:20], scorer.tokenizer)).values
    alone = [scorer.score(Variants(texts=[text])).values[0] for text in texts[:20]]
    np.testing.assert_allclose(tokens, plain[:20], atol=1e-4)
    np.testing.assert_allclose(plain[:20], alone, atol=1e-4)
    assert scorer.output_names == ("NEGATIVE", "POSITIVE")
    assert np.mean(plain.argmax(axis=1) == np.array(labels, dtype=int)) > 0.8


def test_a_language_model_is_sent_to_its_own_explainers(language_model):
    with pytest.raises(ArgumentError, match="PromptExplainer"):
        as_scorer(language_model("llama"))
