"""Labels and responses behind prompts, from tokens and from strings."""

import numpy as np
import pytest
import torch

from perturbx.exceptions import ArgumentError, MaskingError, ScoringError
from perturbx.jobs import Job
from perturbx.maskers import Delete
from perturbx.maskers.retokenized import Retokenized
from perturbx.maskers.variants import Variants
from perturbx.runner import Runner
from perturbx.scorers.causal_lm import CausalLM, PromptTokenizer
from perturbx.scorers.labels import LabelScorer
from perturbx.scorers.language_models import as_language_model
from perturbx.scorers.responses import ResponseScorer
from perturbx.units import as_segmenter
from perturbx.units.prompts import with_responses

TEXT = "So good a film, it was."


def log_prob(model, tokenizer, prompt, continuation):
    """Per token, by the plain forward; prompt with its opening token, no token in between."""
    before = tokenizer(prompt)["input_ids"]
    after = tokenizer(continuation, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([before + after])).logits[0]
    log_p = logits.double().log_softmax(-1)
    return np.array([float(log_p[len(before) - 1 + i, token]) for i, token in enumerate(after)])


@pytest.fixture(scope="module")
def llama(language_model):
    return language_model("llama", attention="sdpa")


def variants_of(text, masks, scorer, *responses, masker=None):
    units = as_segmenter("words")(text)
    units = with_responses(units, *responses) if responses else units
    encoding = (masker or Delete()).encode(units, scorer.tokenizer)
    return units, encoding, encoding.variants(torch.tensor(masks))


def test_labels_are_continuations(llama):
    scorer = LabelScorer(CausalLM(*llama), [" yes", " yes sir", " no"])
    assert scorer.output_names == ("yes", "yes sir", "no")
    _, _, variants = variants_of("so good", [[True, True], [False, True]], scorer)
    values = scorer.score(variants).values
    for row, prompt in enumerate(["so good", "good"]):
        yes, yes_sir, no = (log_prob(*llama, prompt, label).sum() for label in scorer.labels)
        only_yes = np.log(np.exp(yes) - np.exp(yes_sir))
        np.testing.assert_allclose(values[row], [only_yes, yes_sir, no], atol=1e-3)


def test_a_calibrated_label_is_less_what_it_is_without_content(llama):
    model = CausalLM(*llama)
    plain = LabelScorer(model, {"a": " yes", "b": " no no"})
    other = LabelScorer(model, {"a": " yes", "b": " no no"}, calibrate="N/A")
    _, _, variants = variants_of("so good", [[True, True]], plain)
    prior = [log_prob(*llama, "N/A", label).sum() for label in (" yes", " no no")]
    difference = plain.score(variants).values - other.score(variants).values
    np.testing.assert_allclose(difference[0], prior, atol=1e-3)
    per_token = LabelScorer(model, {"a": " yes", "b": " no no"}, length_normalized=True)
    expected = plain.score(variants).values / [4, 6]
    np.testing.assert_allclose(per_token.score(variants).values, expected)
    assert len({plain.model_id, other.model_id, per_token.model_id}) == 3


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("yes", "expected a list"),
        (["yes"], "two or more"),
        (["yes", "yes"], "two or more"),
        (["yes", ""], "word in them"),
        (["yes", 3], "word in them"),
        ({1: " yes", 2: " no"}, "names that are strings; got 1"),
        (["yes", " yes"], "'yes' and ' yes' would have one name"),
        ({"a": " yes", "b": " yes"}, "same tokens"),
    ],
)
def test_labels_that_cannot_be(llama, labels, said):
    with pytest.raises(ArgumentError, match=said):
        LabelScorer(CausalLM(*llama), labels)


def test_a_response_has_a_column_per_token(llama):
    scorer = ResponseScorer(CausalLM(*llama))
    masks = [[True] * 6, [True, False, True, False, True, True], [False] * 6]
    units, _, variants = variants_of(TEXT, masks, scorer, " indeed", " no")
    values = scorer.score(variants).values
    for row, mask in enumerate(masks):
        prompt = "".join(p for p, kept in zip(units.pieces, mask, strict=True) if kept)
        expected = np.concatenate(
            [log_prob(*llama, prompt, answer) for answer in (" indeed", " no")]
        )
        np.testing.assert_allclose(values[row], expected, atol=1e-3)


def test_strings_say_what_tokens_say(llama):
    """One token a byte: here both ways of making a variant are one."""
    scorer = ResponseScorer(CausalLM(*llama))
    masks = [[True] * 6, [True, False, True, False, True, True]]
    _, _, tokens = variants_of(TEXT, masks, scorer, " indeed")
    _, _, strings = variants_of(TEXT, masks, scorer, " indeed", masker=Retokenized(Delete()))
    assert strings.kind == "text"
    a, b = scorer.score(tokens).values, scorer.score(strings).values
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_texts_with_responses_of_different_lengths_go_in_one_stream(llama):
    scorer = ResponseScorer(CausalLM(*llama))
    _, first, _ = variants_of("so good", [[True, True]], scorer, " a longer answer")
    _, second, _ = variants_of("how bad", [[True, True]], scorer, " no")
    masks = torch.tensor([[True, True], [False, True]])
    outcome = Runner(scorer, progress=False).run([Job(second, masks), Job(first, masks)])
    assert outcome.failure is None
    assert outcome.n_calls == 4
    short, long = (result.scores for result in outcome.results)
    np.testing.assert_allclose(short[0][:3], log_prob(*llama, "how bad", " no"), atol=1e-3)
    assert np.all(short[:, 3:] == 0)
    np.testing.assert_allclose(long[1], log_prob(*llama, "good", " a longer answer"), atol=1e-3)


def test_what_was_scored_before_an_interrupt_is_kept(llama):
    scorer = ResponseScorer(CausalLM(*llama))
    _, encoding, _ = variants_of(TEXT, [[True] * 6], scorer, " indeed")
    scorer.language_model._way()
    masks = torch.rand(30, 6, generator=torch.Generator().manual_seed(0)) < 0.5
    passes = []

    def interrupt(module, inputs):
        passes.append(1)
        if len(passes) == 6:
            raise KeyboardInterrupt

    handle = llama[0].register_forward_pre_hook(interrupt)
    outcome = Runner(scorer, progress=False, batch_tokens=20).run([Job(encoding, masks)])
    handle.remove()
    assert isinstance(outcome.failure, KeyboardInterrupt)
    (result,) = outcome.results
    assert 0 < result.scored.sum() < 30
    whole = Runner(scorer, progress=False).run([Job(encoding, masks)]).results[0]
    got = result.scored
    np.testing.assert_allclose(result.scores[got], whole.scores[got], atol=1e-4)


def test_what_has_no_response_or_no_segments_is_refused(llama):
    scorer = ResponseScorer(CausalLM(*llama))
    _, _, variants = variants_of("so good", [[True, True]], scorer)
    with pytest.raises(ScoringError, match="no response"):
        scorer.score(variants)
    bare = Variants(token_ids=torch.tensor([[1, 5]]), lengths=torch.tensor([2]))
    with pytest.raises(ScoringError, match="own tokenizer"):
        scorer.score(bare)


def test_a_prompt_tokenizer_joins_without_special_tokens(language_model):
    tokenizer = language_model.tokenizer()
    joined = PromptTokenizer(tokenizer)
    row = joined(["ab"], ["cd"], return_offsets_mapping=True)
    plain = tokenizer("abcd")["input_ids"]
    assert row["input_ids"][0] == plain
    assert row["token_type_ids"][0] == [0, 0, 0, 1, 1]
    assert row["offset_mapping"][0][1:] == [(0, 1), (1, 2), (0, 1), (1, 2)]
    assert row.sequence_ids(0) == [None, 0, 0, 1, 1]
    # a chat template has written the opening token itself
    assert joined(["<s>ab"])["input_ids"][0] == tokenizer("ab")["input_ids"]
    with pytest.raises(MaskingError, match="longer than the 3 tokens"):
        joined(["abcdef"], truncation="longest_first", max_length=3)


def test_a_tokenizer_that_ends_every_text_is_for_encoders(language_model):
    closing = language_model.tokenizer(closes=True)
    with pytest.raises(ArgumentError, match="add_eos_token"):
        PromptTokenizer(closing)
    row = PromptTokenizer(closing, closes=True)(["a"], ["b"])
    assert row["input_ids"][0] == [
        1,
        *closing("a", add_special_tokens=False)["input_ids"],
        2,
        *closing("b", add_special_tokens=False)["input_ids"],
    ]


def test_a_dummy_space_is_not_put_before_a_continuation():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["<unk>", "\u2581", "a", "b", "\n", "\u2581a", "\u2581b"]
    backend = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")
    assert tokenizer.convert_ids_to_tokens(tokenizer("b")["input_ids"]) == ["\u2581b"]
    row = PromptTokenizer(tokenizer)(["a"], ["ba"], return_offsets_mapping=True)
    assert tokenizer.convert_ids_to_tokens(row["input_ids"][0]) == ["\u2581a", "b", "a"]
    assert row["offset_mapping"][0][1:] == [(0, 1), (1, 2)]


def test_forms_of_a_language_model(language_model, tmp_path):
    model, tokenizer = language_model("llama")
    assert isinstance(as_language_model((model, tokenizer)), CausalLM)
    assert type(as_language_model(language_model("t5"))).__name__ == "Seq2SeqLM"
    ready = CausalLM(model, tokenizer)
    assert as_language_model(ready) is ready
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded = as_language_model(str(tmp_path))
    assert loaded.model_id == str(tmp_path)
    a, b = (
        LabelScorer(own, ["a", "b"]).score(
            variants_of("so good", [[True, True]], LabelScorer(own, ["a", "b"]))[2]
        )
        for own in (loaded, ready)
    )
    np.testing.assert_allclose(a.values, b.values, atol=1e-4)
    for form, said in [
        (3, "expected a pair"),
        ((model, None), "tokenizer of the model"),
        (str(tmp_path / "none"), "no file or folder"),
    ]:
        with pytest.raises(ArgumentError, match=said):
            as_language_model(form)


def test_a_model_says_what_it_says(language_model):
    model, tokenizer = language_model("llama")
    lm = CausalLM(model, tokenizer)
    (said,) = lm.generate(["so good"], max_new_tokens=5)
    ids = tokenizer("so good")["input_ids"]
    for _ in range(5):
        ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    # The last byte begins a character that is not there.
    assert said == tokenizer.decode(ids[-5:], skip_special_tokens=True).rstrip("\ufffd")
    cut = lm.generate(["so good"], max_new_tokens=5, stop=[said[2]])[0]
    assert cut == said[: said.index(said[2])]
