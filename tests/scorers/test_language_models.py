"""Every form in which a language model may be given."""

import builtins
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers

from perturbx.exceptions import ArgumentError, MissingExtraError, ScoringError
from perturbx.scorers.causal_lm import CausalLM
from perturbx.scorers.continuations import Continued
from perturbx.scorers.language_models import as_language_model
from perturbx.scorers.seq2seq import Seq2SeqLM

ASKED = [Continued(np.array([5, 6, 7]), (np.array([8, 9]), np.array([10])))]


def answers_of(lm):
    return next(iter(lm.log_probs(ASKED)))[0][1]


def assert_same(lm, expected):
    for found, own in zip(answers_of(lm), answers_of(expected), strict=True):
        np.testing.assert_allclose(found, own, rtol=0, atol=1e-4)


def saved(pair, folder):
    for part in pair:
        part.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("family", "kind"), [("llama", CausalLM), ("gpt2", CausalLM), ("t5", Seq2SeqLM)]
)
@pytest.mark.parametrize("form", ["pair", "list", "pipeline", "path", "string", "hf:"])
def test_every_form_is_the_same_model(language_model, tmp_path, family, kind, form, capfd):
    pair = language_model(family)
    given = {
        "pair": lambda: pair,
        "list": lambda: list(pair),
        "pipeline": lambda: SimpleNamespace(
            task="text-generation", model=pair[0], tokenizer=pair[1]
        ),
        "path": lambda: saved(pair, tmp_path),
        "string": lambda: str(saved(pair, tmp_path)),
        "hf:": lambda: f"hf:{saved(pair, tmp_path)}",
    }[form]()
    capfd.readouterr()
    lm = as_language_model(given, device="cpu")
    assert type(lm) is kind
    assert_same(lm, kind(*pair))
    assert capfd.readouterr() == ("", "")
    if form in ("path", "string", "hf:"):
        assert lm.model_id == str(tmp_path)


def test_a_real_pipeline(language_model):
    model, tokenizer = language_model("llama")
    pipeline = transformers.pipeline("text-generation", model=model, tokenizer=tokenizer)
    assert_same(as_language_model(pipeline), CausalLM(model, tokenizer))


def test_a_language_model_is_returned_as_it_is(language_model):
    for lm in (CausalLM(*language_model("llama")), Seq2SeqLM(*language_model("t5"))):
        assert as_language_model(lm) is lm
        with pytest.raises(ArgumentError, match="has its own"):
            as_language_model(lm, dtype="bfloat16")


def test_the_number_format_is_the_one_asked_for(language_model, tmp_path):
    model, tokenizer = language_model("llama")
    folder = saved((model.to(torch.bfloat16), tokenizer), tmp_path)
    formats = {
        next(as_language_model(folder, device="cpu", dtype=dtype).model.parameters()).dtype
        for dtype in (None, "float32", torch.float64)
    }
    assert formats == {torch.float32, torch.float64}
    with pytest.raises(ArgumentError, match="dtype"):
        as_language_model(folder, dtype="int8")
    with pytest.raises(ArgumentError, match="device"):
        as_language_model(folder, device="gpu")


def classifier(make, folder):
    return str(saved((make.model("bert"), make.wordpiece()), folder))


def test_a_classifier_is_shown_the_way(make, tmp_path):
    pair = (make.model("bert"), make.wordpiece())
    pipeline = SimpleNamespace(task="text-classification", model=pair[0], tokenizer=pair[1])
    for given in (pair, pipeline, classifier(make, tmp_path)):
        with pytest.raises(ArgumentError, match="classifier; explain it with ShapleyExplainer"):
            as_language_model(given)


def test_a_model_without_a_trained_head_is_refused(language_model, tmp_path):
    model, tokenizer = language_model("llama")
    with pytest.raises(ArgumentError, match="no trained head over the vocabulary"):
        as_language_model(saved((model.model, tokenizer), tmp_path))
    with pytest.raises(ArgumentError, match="AutoModelForCausalLM"):
        as_language_model((model.model, tokenizer))


@pytest.mark.parametrize("family", ["llama", "t5"])
def test_tokens_that_were_added_without_their_vectors_are_named(language_model, family):
    model, tokenizer = language_model(family)
    tokenizer.add_tokens(["<new>"])
    n_known = model.config.vocab_size
    tokenizer.add_tokens([f"<new{i}>" for i in range(n_known + 1 - len(tokenizer))])
    lm = as_language_model((model, tokenizer))
    added = Continued(np.array([5]), (np.array([n_known]),))
    with pytest.raises(ScoringError, match=f"token {n_known} and the model knows {n_known}"):
        next(lm.log_probs([added]))
    with pytest.raises(ScoringError, match="resize_token_embeddings"):
        lm.generate([tokenizer.convert_ids_to_tokens(n_known)], max_new_tokens=2)
    model.resize_token_embeddings(n_known + 1)
    next(as_language_model((model, tokenizer)).log_probs([added]))


def test_a_model_without_its_tokenizer_is_refused(language_model, tmp_path):
    model, _ = language_model("llama")
    with pytest.raises(ArgumentError, match="without its tokenizer; pass"):
        as_language_model(model)
    with pytest.raises(ArgumentError, match="got NoneType; pass"):
        as_language_model((model, None))
    with pytest.raises(ArgumentError, match="tokenizer"):
        as_language_model(saved((model,), tmp_path))


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (3, "expected a pair"),
        ((1, 2, 3), "expected a pair"),
        (lambda texts: texts, "expected a pair"),
        ("./not-there", "no file or folder"),
        ("not-there.gguf", "no file or folder"),
        ("default", "'default' is a classifier"),
    ],
)
def test_what_is_no_language_model_is_told_what_would_be(form, said):
    with pytest.raises(ArgumentError, match=said):
        as_language_model(form)


def test_a_folder_of_something_else_is_an_error_of_one_line(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ArgumentError, match="cannot load") as caught:
        as_language_model(tmp_path)
    assert "\n" not in str(caught.value)


def write_gguf(path):
    """A tiny Llama with a tokenizer of letters, as llama.cpp keeps them."""
    gguf = pytest.importorskip("gguf")
    width, inner, n_layers = 32, 64, 2
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = ["<unk>", "<s>", "</s>", *letters, "\u2581"]
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(width)
    writer.add_block_count(n_layers)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_rope_dimension_count(8)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(rank) for rank in range(len(tokens))])
    writer.add_token_types([2, 3, 3] + [1] * (len(tokens) - 3))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    shapes = {
        "token_embd": (len(tokens), width),
        "output_norm": (width,),
        "output": (len(tokens), width),
    }
    for layer in range(n_layers):
        own = {
            "attn_norm": (width,),
            "ffn_norm": (width,),
            "attn_q": (width, width),
            "attn_k": (width // 2, width),
            "attn_v": (width // 2, width),
            "attn_output": (width, width),
            "ffn_gate": (inner, width),
            "ffn_up": (inner, width),
            "ffn_down": (width, inner),
        }
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in own.items()}
    draw = np.random.default_rng(0)
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", draw.normal(0, 0.4, shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_gguf_file(tmp_path, capfd):
    pytest.importorskip("accelerate")
    path = write_gguf(tmp_path / "tiny.gguf")
    capfd.readouterr()
    lm = as_language_model(path, device="cpu")
    assert capfd.readouterr() == ("", "")
    assert lm.model_id == str(path)
    row = lm.tokenizer(["ab"], ["ba"])["input_ids"][0]
    assert lm.tokenizer.convert_ids_to_tokens(row) == ["<s>", "\u2581", "a", "b", "b", "a"]
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    log_p = lm.model(input_ids=ids).logits[0].double().log_softmax(-1)
    expected = [float(log_p[2, 8].detach()), float(log_p[3, 9].detach())]
    np.testing.assert_allclose(answers_of(lm)[0], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("missing", ["gguf", "accelerate"])
def test_a_gguf_file_without_the_packages_names_the_extra(tmp_path, monkeypatch, missing):
    path = tmp_path / "tiny.gguf"
    path.touch()
    real = builtins.__import__

    def without(name, *args, **options):
        if name == missing:
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"perturbx\[gguf\]"):
        as_language_model(path)
    monkeypatch.undo()
    setup = (Path(__file__).parents[2] / "setup.cfg").read_text(encoding="utf-8")
    assert "\ngguf =\n    accelerate" in setup
