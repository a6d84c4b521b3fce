"""An encoder with a decoder: each prompt read once, each continuation as it would say it."""

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

import perturbx as px
from perturbx.exceptions import ArgumentError, MaskingError, ScoringError
from perturbx.scorers.continuations import Continued, LanguageModel
from perturbx.scorers.labels import LabelScorer
from perturbx.scorers.responses import ResponseScorer
from perturbx.scorers.seq2seq import Seq2SeqLM

TOKENS = st.lists(st.integers(3, 250), min_size=1, max_size=7).map(np.array)
FAMILIES = ["t5", "bart"]


@pytest.fixture(scope="module", params=FAMILIES)
def pair(request, language_model):
    return language_model(request.param)


def alone(model, question, opening=None):
    """What the model itself says: one prompt, one continuation, no padding."""
    opening = [model.config.decoder_start_token_id] if opening is None else opening
    found = []
    for target in question.continuations:
        read = torch.tensor([*opening, *target[:-1].tolist()])[None]
        with torch.no_grad():
            logits = model(
                input_ids=torch.from_numpy(question.prompt)[None], decoder_input_ids=read
            ).logits[0, len(opening) - 1 :]
        rows = logits.double().log_softmax(-1)
        found.append(rows[torch.arange(len(target)), torch.from_numpy(target)].numpy())
    return found


def answers_of(lm, asked, batch_tokens="auto"):
    pairs = [pair for part in lm.log_probs(asked, batch_tokens) for pair in part]
    assert sorted(number for number, _ in pairs) == list(range(len(asked)))
    return [answers for _, answers in sorted(pairs, key=lambda pair: pair[0])]


@settings(max_examples=25, deadline=None)
@given(
    asked=st.lists(
        st.builds(Continued, TOKENS, st.lists(TOKENS, min_size=1, max_size=3).map(tuple)),
        min_size=1,
        max_size=6,
    ),
    batch_tokens=st.sampled_from([1, 3, 7, 64, "auto"]),
)
def test_company_and_padding_change_nothing(pair, asked, batch_tokens):
    model, tokenizer = pair
    found = answers_of(Seq2SeqLM(model, tokenizer), asked, batch_tokens)
    for question, own in zip(asked, found, strict=True):
        for log_p, expected in zip(own, alone(model, question), strict=True):
            np.testing.assert_allclose(log_p, expected, rtol=0, atol=1e-3)


def test_each_distinct_prompt_is_read_once(pair):
    model, tokenizer = pair
    lm = Seq2SeqLM(model, tokenizer)
    answers_of(lm, [Continued(np.array([5, 2]), (np.array([3]),))])  # it looks whether it can
    read = []
    handle = model.get_encoder().register_forward_pre_hook(
        lambda _, args, given: read.extend(given["input_ids"].tolist()), with_kwargs=True
    )
    prompts = [np.array(own) for own in ([5, 6, 2], [7, 8, 2], [5, 6, 2], [5, 6, 2])]
    targets = [np.array([k]) for k in range(3, 9)]
    answers_of(lm, [Continued(own, tuple(targets)) for own in prompts])
    handle.remove()
    assert sorted(read) == [[5, 6, 2], [7, 8, 2]]


def test_the_logits_of_one_pass_are_bounded(pair, monkeypatch):
    model, tokenizer = pair
    asked = [
        Continued(np.array([5, i, 2]), tuple(np.array([k, 9]) for k in (3, 4))) for i in (6, 7)
    ]
    lm = Seq2SeqLM(model, tokenizer)
    expected = answers_of(lm, asked)
    rows = []
    handle = model.register_forward_pre_hook(
        lambda _, args, given: rows.append(len(given["decoder_input_ids"])), with_kwargs=True
    )
    monkeypatch.setattr("perturbx.scorers.seq2seq.LOGITS_AT_ONCE", 3 * 260)
    found = answers_of(lm, asked)
    handle.remove()
    assert rows == [1, 1, 1, 1]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


def test_a_forced_first_token_stands_before_what_is_said(language_model):
    model, tokenizer = language_model("bart")
    model.generation_config.forced_bos_token_id = 1
    lm = Seq2SeqLM(model, tokenizer)
    asked = Continued(np.array([5, 6, 2]), (np.array([7, 8, 9]), np.array([4])))
    opening = [model.config.decoder_start_token_id, 1]
    for found, expected in zip(
        answers_of(lm, [asked])[0], alone(model, asked, opening), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("family", [*FAMILIES, "forced"])
def test_what_it_says_is_its_likeliest_token_each_time(language_model, family):
    for seed in range(20):  # a random model may begin with bytes that are no text
        model, tokenizer = language_model("t5" if family == "t5" else "bart", seed=seed)
        model.generation_config.forced_bos_token_id = 1 if family == "forced" else None
        lm = Seq2SeqLM(model, tokenizer)
        try:
            (said,) = lm.generate(["so good"], max_new_tokens=3)
        except ScoringError:
            continue
        ids = tokenizer(said, add_special_tokens=False)["input_ids"]
        if "\ufffd" in said or not 1 <= len(ids) <= 3:
            continue
        prompt = np.array(lm.tokenizer(["so good"])["input_ids"][0])
        others = [np.array([*ids[:-1], token]) for token in range(260)]
        last = [own[-1] for own in answers_of(lm, [Continued(prompt, tuple(others))])[0]]
        if int(np.argmax(last)) in (0, 1, 2):
            continue  # a special token, which the text does not show, came in between
        assert int(np.argmax(last)) == ids[-1]
        return
    pytest.fail("no model said anything in plain text")


def test_labels_and_responses_work_alike(pair):
    from perturbx.maskers.variants import Variants

    lm = Seq2SeqLM(*pair)
    assert isinstance(lm, LanguageModel)
    prompts = ["so good", "bad"]
    by_label = LabelScorer(lm, ["yes", "no"]).score(Variants(texts=prompts)).values
    for column, label in enumerate(["yes", "no"]):
        texts = [(prompt, label) for prompt in prompts]
        response = ResponseScorer(lm).score(Variants(texts=texts)).values
        np.testing.assert_allclose(by_label[:, column], response.sum(axis=1), atol=1e-3)


def test_memory_that_runs_out_halves_the_batch(pair):
    model, tokenizer = pair
    asked = [Continued(np.array([5, i, 2]), (np.array([3, 4]),)) for i in range(6, 14)]
    lm = Seq2SeqLM(model, tokenizer)
    expected = answers_of(lm, asked, 1)
    sizes = []

    def fail(_, args, given):
        sizes.append(len(given["input_ids"]))
        if len(given["input_ids"]) > 3:
            raise torch.OutOfMemoryError("out of memory")

    handle = model.get_encoder().register_forward_pre_hook(fail, with_kwargs=True)
    found = answers_of(lm, asked)
    handle.remove()
    assert sizes == [8, 4, 2, 2, 2, 2]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


def test_the_window_is_the_encoders_and_the_decoders(language_model):
    model, tokenizer = language_model("bart", max_position_embeddings=16)
    lm = Seq2SeqLM(model, tokenizer)
    assert lm.max_tokens is None
    fits, short = np.arange(3, 19), np.array([5])
    answers_of(lm, [Continued(fits, (fits,))])
    with pytest.raises(ScoringError, match="a prompt has 17 tokens"):
        next(lm.log_probs([Continued(np.arange(3, 20), (short,))]))
    with pytest.raises(ScoringError, match="a response has 17 tokens"):
        next(lm.log_probs([Continued(short, (np.arange(3, 20),))]))
    with pytest.raises(ScoringError, match=r"prompts\[1\]"):
        lm.generate(["a", "b" * 20], max_new_tokens=2)


def test_a_prompt_and_its_response_have_a_window_each(language_model):
    pair = language_model("bart", max_position_embeddings=16)
    explainer = px.PromptExplainer(pair, units="words", progress=False, outputs="tokens")
    prompt, response = "He sang, Bob.", "so he did. ok"
    (found,) = explainer.explain([prompt], [response])
    lm = Seq2SeqLM(*pair)
    n_tokens = len(lm.tokenizer([prompt])["input_ids"][0])
    assert n_tokens <= 16 < n_tokens + found.table.n_outputs
    with pytest.raises(MaskingError, match=r"texts\[0\]: prompt: has .* the model reads 16"):
        explainer.explain([3 * prompt], [response])
    with pytest.raises(MaskingError, match=r"texts\[0\]: response: has .* the model reads 16"):
        explainer.explain([prompt], [3 * response])


def test_an_empty_prompt_is_its_closing_token_or_what_stands_for_it(pair):
    model, tokenizer = pair
    lm = Seq2SeqLM(model, tokenizer)
    assert lm.tokenizer([""])["input_ids"][0][-1] == 2
    nothing, opened = (
        Continued(np.array(ids, dtype=np.int64), (np.array([5]),)) for ids in ([], [1])
    )
    np.testing.assert_allclose(answers_of(lm, [nothing]), [alone(model, opened)], atol=1e-3)


def test_the_model_is_left_as_it_was(language_model):
    model, tokenizer = language_model("t5")
    model.train()
    asked = [Continued(np.array([5, i, 2]), (np.array([3, 4]),)) for i in range(6, 14)]
    next(Seq2SeqLM(model, tokenizer).log_probs(asked, 4))
    assert model.training
    assert not torch.is_inference_mode_enabled()


def test_a_model_that_does_not_say_how_its_decoder_begins(language_model):
    model, tokenizer = language_model("t5")
    model.config.decoder_start_token_id = None
    model.generation_config.decoder_start_token_id = None
    with pytest.raises(ArgumentError, match="decoder_start_token_id; set it"):
        Seq2SeqLM(model, tokenizer)


SMALL = {"vocab_size": 260, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def test_what_a_decoder_reads_of_its_encoder_by_name_is_there(language_model):
    sizes = {
        f"{part}_{what}": size
        for part in ("encoder", "decoder")
        for what, size in (("layers", 2), ("attention_heads", 4), ("ffn_dim", 64))
    }
    experts = {"num_experts": 4, "encoder_sparse_step": 2, "decoder_sparse_step": 2}
    config = transformers.NllbMoeConfig(
        d_model=32, init_std=0.4, decoder_start_token_id=2, **SMALL, **sizes, **experts
    )
    torch.manual_seed(0)
    model = transformers.NllbMoeForConditionalGeneration(config).eval()
    lm = Seq2SeqLM(model, language_model.tokenizer(closes=True))
    prompt, said = np.arange(5, 15), np.array([7, 30, 9])
    (((_, (found,)),),) = lm.log_probs([Continued(prompt, (said,))])
    with torch.no_grad():
        ids = {"input_ids": torch.tensor(prompt), "decoder_input_ids": torch.tensor([2, *said])}
        logits = model(**{name: own[None] for name, own in ids.items()}).logits[0]
    expected = logits.double().log_softmax(-1)[[0, 1, 2], said]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


def test_a_decoder_that_reads_what_follows_is_refused(language_model):
    sizes = {
        f"num_{part}_{what}": size
        for part in ("encoder", "decoder")
        for what, size in (("layers", 2), ("attention_heads", 4))
    }
    wide = {"hidden_size": 32, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "init_std": 0.4}
    config = transformers.ProphetNetConfig(decoder_start_token_id=2, **SMALL, **sizes, **wide)
    torch.manual_seed(0)
    model = transformers.ProphetNetForConditionalGeneration(config).eval()
    lm = Seq2SeqLM(model, language_model.tokenizer(closes=True))
    with pytest.raises(ArgumentError, match=r"ProphetNet.* reads what follows"):
        next(lm.log_probs([Continued(np.arange(5, 15), (np.array([7, 30, 9]),))]))
