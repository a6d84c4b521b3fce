"""Removed units filled by a masked language model."""

import copy

import numpy as np
import pytest
import torch

import perturbx as px
from perturbx.exceptions import ArgumentError, MaskingError, TruncationWarning
from perturbx.maskers import Infill
from perturbx.scorers.causal_lm import CausalLM
from perturbx.scorers.continuations import Continued
from perturbx.units import Units, as_segmenter

TEXT = "the good, thin  movie is good"


@pytest.fixture(scope="module")
def bert(word_piece):
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(word_piece),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.5,
        max_position_embeddings=40,
    )
    return transformers.BertForMaskedLM(config).eval(), word_piece


def texts_of(encoding, masks):
    return list(encoding.variants(torch.as_tensor(masks)).texts)


def all_masks(n):
    return (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)


def test_what_is_kept_stays_to_the_character(bert):
    units = as_segmenter("words")(TEXT)
    encoding = Infill(bert).encode(units)
    masks = all_masks(units.n_units)
    for mask, text in zip(masks, texts_of(encoding, masks), strict=True):
        for unit, (start, stop) in enumerate(units.spans):
            if mask[:unit].all() and mask[unit]:
                assert text[start:stop] == TEXT[start:stop]
        assert (text == TEXT) or not mask.all()
        at = 0
        for unit in np.flatnonzero(mask):
            at = text.index(units.pieces[unit].strip(), at)


@pytest.mark.parametrize(
    ("text", "drawn", "length"), [("你好，你好你", "你好，", 6), ("the good thin movie", "ab", 7)]
)
def test_a_fill_has_spaces_where_its_script_has(bert, text, drawn, length):
    model, tokenizer = copy.deepcopy(bert)
    with torch.no_grad():
        model.cls.predictions.bias[tokenizer.convert_tokens_to_ids(list(drawn))] += 100.0
    encoding = Infill((model, tokenizer)).encode(Units(text, ((0, len(text)),)))
    for draw in encoding.draws:
        (filled,) = texts_of(draw, [[False]])
        assert set(filled) <= {*drawn, " "}
        assert len(filled) == length
        assert (" " in filled) == (" " in text)


def test_a_mask_has_the_same_fill_wherever_it_is_asked_about(bert):
    units = as_segmenter("words")(TEXT)
    masks = all_masks(units.n_units)[:20]
    together = texts_of(Infill(bert).encode(units), masks)
    alone = Infill(bert).encode(units)
    assert [texts_of(alone, mask[None])[0] for mask in masks[::-1]] == together[::-1]
    assert texts_of(alone, masks) == together
    assert texts_of(Infill(bert, seed=1).encode(units), masks) != together


def test_draws_differ_and_the_model_is_left_as_it_was(bert):
    model, tokenizer = bert
    units = as_segmenter("words")(TEXT)
    model.train()
    encoding = Infill((model, tokenizer), n_draws=3).encode(units)
    mask = [[False] * units.n_units]
    assert len({texts_of(draw, mask)[0] for draw in encoding.draws}) == 3
    assert model.training
    model.eval()
    cold = Infill((model, tokenizer), n_draws=3, temperature=1e-4).encode(units)
    assert len({texts_of(draw, mask)[0] for draw in cold.draws}) == 1


def test_a_score_is_the_mean_over_draws_and_knows_its_error(bert):
    asked = []

    def length(texts):
        asked.extend(texts)
        return [len(text) for text in texts]

    masker = Infill(bert, n_draws=5)
    units = as_segmenter("words")("good thin movie")
    explainer = px.ShapleyExplainer(length, masker=masker, random_state=0, progress=False)
    (found,) = explainer.explain([units])
    assert len(asked) == len(set(asked))
    assert explainer.estimate_cost([units]).most_calls == len(asked) <= 5 * 8
    table = found.table
    encoding = masker.encode(units)
    for mask, score, variance in zip(table.masks, table.scores, table.variances, strict=True):
        lengths = [len(texts_of(draw, mask[None])[0]) for draw in encoding.draws]
        assert score[0] == pytest.approx(np.mean(lengths))
        assert variance[0] == pytest.approx(np.var(lengths, ddof=1) / 5)
    assert np.all(found.std_errors > 0)
    again = explainer.explain([units], tables=[table])
    np.testing.assert_array_equal(again[0].values, found.values)


def test_what_was_drawn_whole_is_kept_when_a_run_breaks(bert):
    asked = []

    def fails(texts):
        asked.extend(texts)
        if len(asked) > 60:
            raise RuntimeError("no")
        return [float(len(text)) for text in texts]

    masker = Infill(bert, n_draws=2)
    with pytest.raises(px.ScoringError) as failure:
        px.ShapleyExplainer(
            fails, masker=masker, random_state=0, progress=False, batch_tokens=1, budget=64
        ).explain(["the good thin movie is good"])
    (table,) = failure.value.tables
    assert 16 <= len(table) < 64
    assert np.isfinite(table.scores).all()


def test_a_fill_begins_with_a_word(bert):
    _, tokenizer = bert
    units = as_segmenter("words")(TEXT)
    encoding = Infill(bert, n_draws=6).encode(units)
    for draw in encoding.draws:
        for text in texts_of(draw, all_masks(units.n_units)):
            assert "##" not in text
            assert not any(token in text for token in tokenizer.all_special_tokens)


def test_no_id_is_drawn_that_is_no_token(bert):
    model, tokenizer = copy.deepcopy(bert[0]), bert[1]
    model.resize_token_embeddings(len(tokenizer) + 40)
    with torch.no_grad():
        model.get_output_embeddings().bias[len(tokenizer) :] = 20.0
    units = as_segmenter("words")("good thin movie")
    for draw in Infill((model, tokenizer)).encode(units).draws:
        for text in texts_of(draw, all_masks(3)):
            assert len(text.split()) == 3


def test_a_classifier_reads_the_filled_strings(bert):
    import transformers

    model, tokenizer = bert
    torch.manual_seed(1)
    classifier = transformers.BertForSequenceClassification(model.config).eval()
    explainer = px.ShapleyExplainer(
        (classifier, tokenizer), masker=Infill(bert, n_draws=3), random_state=0, progress=False
    )
    (found,) = explainer.explain(["good thin movie"])
    assert found.values.shape == (3, 2)
    assert np.all(found.table.variances[1:-1] >= 0)


@pytest.mark.parametrize("outputs", ["response", "tokens"])
def test_prompts_are_filled_and_what_was_said_behind_them_stays(bert, language_model, outputs):
    masker, pair = Infill(bert, n_draws=3), language_model("llama")
    (found,) = px.ContextExplainer(
        pair,
        template="C: {context} Q: {query} A:",
        units="words",
        masker=masker,
        outputs=outputs,
        progress=False,
    ).explain(["good thin movie"], "so?", [" ok"])
    draws = masker.encode(found.units).draws
    filled = [texts_of(draw, found.table.masks) for draw in draws]
    whole = "C: good thin movie Q: so? A:"
    assert len({prompt for texts in filled for prompt, _ in texts}) > len(found.table)
    lm = CausalLM(*pair)
    scores = np.empty((3, len(found.table), found.table.n_outputs))
    for draw, texts in enumerate(filled):
        for row, (prompt, response) in enumerate(texts):
            assert response == " ok"
            assert prompt == whole or not found.table.masks[row].all()
            ids = lm.tokenizer([prompt], [response])
            tokens, owner = np.array(ids["input_ids"][0]), np.array(ids["token_type_ids"][0])
            asked = Continued(tokens[owner == 0], (tokens[owner == 1],))
            (((_, (log_p,)),),) = lm.log_probs([asked])
            scores[draw, row] = log_p if outputs == "tokens" else log_p.sum()
    np.testing.assert_allclose(found.table.scores, scores.mean(0), atol=1e-3)
    np.testing.assert_allclose(found.table.variances, scores.var(0, ddof=1) / 3, atol=1e-3)


def test_what_cannot_be_is_named(bert, language_model):
    model, tokenizer = bert
    units = as_segmenter("words")
    for arguments, said in [
        ({"n_draws": 1}, "n_draws: expected a whole number above 1"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"seed": "x"}, "seed"),
    ]:
        with pytest.raises(ArgumentError, match=said):
            Infill(bert, **arguments)
    with pytest.raises(ArgumentError, match="model"):
        Infill(model)
    with pytest.raises(ArgumentError, match="does not fill holes"):
        Infill((model.bert, tokenizer))
    with pytest.raises(ArgumentError, match="no mask token"):
        Infill((model, language_model.tokenizer()))
    causal, _ = language_model("gpt2")
    with pytest.raises(ArgumentError, match="does not fill holes"):
        Infill((causal, tokenizer))
    with pytest.raises(ArgumentError, match="cannot load"):
        Infill("/no/such/model").encode(units("a"))
    with pytest.raises(MaskingError, match="reads 40"):
        Infill(bert).encode(units("good " * 60))
    with pytest.raises(MaskingError, match="parts of tokens"):
        Infill(bert).encode(as_segmenter("characters")("movie"))
    with pytest.raises(MaskingError, match="one text"):
        Infill(bert).encode(units(("a", "b")))


def test_the_window_of_roberta_is_shorter_than_its_positions(word_piece):
    import transformers

    config = transformers.RobertaConfig(
        vocab_size=len(word_piece),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
        pad_token_id=1,
    )
    model = transformers.RobertaForMaskedLM(config).eval()
    cut = as_segmenter("words")
    fits = Infill((model, word_piece)).encode(cut("good " * 36))
    assert len(texts_of(fits, [[False] * 36])) == 1
    with pytest.raises(MaskingError, match="reads 38"):
        Infill((model, word_piece)).encode(cut("good " * 37))


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_text_is_cut_to_the_window_before_it_is_filled(bert, side):
    """What the explained model does not read gets no value, and no shorter fill lets it in."""
    _, tokenizer = bert
    text = "the good, thin movie un good " * 20  # longer than the masked model's window, too
    units = as_segmenter("words")(text)
    tokenizer.truncation_side = side
    try:
        encoding = Infill(bert).encode(units, tokenizer, max_tokens=9)
    finally:
        tokenizer.truncation_side = "right"
    n_read = int(encoding.units_read.sum())
    assert (n_read, encoding.n_truncated) == (6, 20 * 7 - 7)
    read = np.arange(120) < 6 if side == "right" else np.arange(120) >= 114
    np.testing.assert_array_equal(encoding.units_read, read)
    whole = "".join(np.array(units.pieces)[read]).strip()
    assert texts_of(encoding, np.array([np.ones(120, bool), read])) == [whole] * 2
    first, second = texts_of(encoding, np.array([np.zeros(120, bool), ~read]))
    assert first == second != whole


def test_units_beyond_the_window_leave_the_game(bert):
    import transformers

    model, tokenizer = bert
    torch.manual_seed(1)
    classifier = transformers.BertForSequenceClassification(model.config).eval()
    explainer = px.ShapleyExplainer(
        (classifier, tokenizer), masker=Infill(bert, n_draws=2), random_state=0, progress=False
    )
    with pytest.warns(TruncationWarning, match="longer than the model's window of 40"):
        (found,) = explainer.explain([f"{'good ' * 36}thin movie {'un ' * 40}"])
    assert found.units.labels == (*["good"] * 36, "thin", "movie")
