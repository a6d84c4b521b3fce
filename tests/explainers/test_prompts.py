"""Prompts and contexts: what a language model says, traced to the parts of what it read."""

import itertools
import pickle
from dataclasses import replace
from math import factorial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

import perturbx as px
from perturbx.coalitions import PrefixPairs
from perturbx.exceptions import ArgumentError, MaskingError, ScoringError
from perturbx.explainers.responses import unique_names
from perturbx.score_table import ScoreTable
from perturbx.scorers.causal_lm import CausalLM
from perturbx.scorers.language_scorer import LanguageScorer
from perturbx.surrogates import Lasso, OddGP
from perturbx.units.prompts import chat_prompt, few_shot_prompt
from perturbx.units.template import Template

CONTEXT = "He left. It rained a lot. Bob sang.\n\nThe end came."
TEMPLATE = "C: {context} Q: {query} A:"
CHAT = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] | trim }}</>{% endfor %}"
    "{% if add_generation_prompt %}<bot>{% endif %}"
)


@pytest.fixture(scope="module")
def llama(language_model):
    return language_model("llama", attention="sdpa")


def log_prob(llama, prompt, response):
    model, tokenizer = llama
    before = tokenizer(prompt)["input_ids"]
    after = tokenizer(response, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        log_p = model(input_ids=torch.tensor([before + after])).logits[0].double().log_softmax(-1)
    return sum(float(log_p[len(before) - 1 + i, token]) for i, token in enumerate(after))


def shapley(pieces, value):
    """By enumeration of the coalitions of pieces."""
    n = len(pieces)
    known = {
        kept: value(kept)
        for size in range(n + 1)
        for kept in itertools.combinations(range(n), size)
    }
    values = np.zeros(n)
    for kept, worth in known.items():
        for unit in range(n):
            size = len(kept) - (unit in kept)
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            values[unit] += weight * worth * (1 if unit in kept else -1)
    return values


def test_values_are_those_of_plain_forwards_over_all_coalitions(llama):
    explainer = px.ContextExplainer(llama, template=TEMPLATE, progress=False)
    (found,) = explainer.explain([CONTEXT], "who?", [" Bob"])
    pieces = ["He left. ", "It rained a lot. ", "Bob sang.\n\n", "The end came."]
    assert found.units.pieces == tuple(pieces)

    def value(kept):
        return log_prob(llama, f"C: {''.join(pieces[i] for i in kept)} Q: who? A:", " Bob")

    np.testing.assert_allclose(found.values[:, 0], shapley(pieces, value), atol=2e-3)
    assert found.n_calls == 16
    assert found.response == " Bob"
    assert found.output_names == ("response",)


def test_parts_of_a_response_add_up_to_it_and_cost_no_more(llama):
    read = []
    handle = llama[0].model.embed_tokens.register_forward_hook(
        lambda module, inputs, output: read.append(inputs[0].numel())
    )
    said = [" Bob sang. It rained!"]
    values, tokens = {}, {}
    for outputs in ("response", "sentences", "tokens"):
        explainer = px.ContextExplainer(
            llama, template=TEMPLATE, outputs=outputs, progress=False, batch_tokens=64
        )
        explainer._language_model()._way()
        read.clear()
        (found,) = explainer.explain([CONTEXT], "who?", said)
        values[outputs], tokens[outputs] = found.values, sum(read)
        assert found.n_calls == 16
    handle.remove()
    assert tokens["response"] == tokens["sentences"] == tokens["tokens"]
    for outputs, count in (("sentences", 2), ("tokens", len(said[0]))):
        assert values[outputs].shape == (4, count)
        total = values[outputs].sum(axis=1)
        np.testing.assert_allclose(total, values["response"][:, 0], atol=1e-4)


def test_any_part_of_a_response_can_be_explained(llama):
    explainer = px.ContextExplainer(
        llama, template=TEMPLATE, outputs={"who": "Bob", "did": (5, 9)}, progress=False
    )
    (parts,) = explainer.explain([CONTEXT], "who?", [" Bob sang"])
    explainer.set_params(outputs="tokens")
    (tokens,) = explainer.explain([CONTEXT], "who?", [" Bob sang"])
    assert parts.output_names == ("who", "did")
    np.testing.assert_allclose(parts.values[:, 0], tokens.values[:, 1:4].sum(axis=1), atol=1e-4)
    np.testing.assert_allclose(parts.values[:, 1], tokens.values[:, 5:].sum(axis=1), atol=1e-4)


@pytest.mark.parametrize("names", [["a", "a (2)", "a"], ["a", "a", "a (2)"], ["a (2)"] * 3])
def test_no_two_parts_have_one_name(names):
    assert len(set(unique_names(names))) == 3


def test_a_contrast_is_the_difference_of_both(llama):
    explainer = px.ContextExplainer(llama, template=TEMPLATE, progress=False)
    (both,) = explainer.explain([CONTEXT], "who?", [" Bob"], alternatives=[" Eve and"])
    (one,) = explainer.explain([CONTEXT], "who?", [" Bob"])
    (other,) = explainer.explain([CONTEXT], "who?", [" Eve and"])
    np.testing.assert_allclose(both.values, one.values - other.values, atol=1e-4)
    assert "a difference in log-probability of" in both.summary()
    with pytest.raises(ArgumentError, match="alternatives"):
        explainer.set_params(link="log_odds").explain([CONTEXT], "q", [" a"], alternatives=[" b"])


@pytest.mark.parametrize("link", ["probability", "log_odds"])
def test_a_contrast_is_no_probability_in_a_refit_either(llama, link):
    explainer = px.ContextExplainer(llama, template=TEMPLATE, progress=False)
    (found,) = explainer.explain([CONTEXT], "who?", [" Bob"], alternatives=[" Eve"])
    with pytest.raises(px.CapabilityError, match=f"link='{link}': .* two answers"):
        found.refit("odd_gp", link=link)
    same = found.refit("odd_gp", link="identity")
    np.testing.assert_allclose(same.values, found.values, atol=1e-9)


def test_a_language_model_is_a_classifier(llama):
    explainer = px.PromptExplainer(
        llama, labels=[" yes", " no", " maybe"], units="words", link="probability", progress=False
    )
    (found,) = explainer.explain(["so very good"])
    np.testing.assert_allclose(found.values.sum(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(found.base_values.sum() + found.values.sum(), 1)
    raw = [log_prob(llama, "so very good", label) for label in (" yes", " no", " maybe")]
    expected = np.exp(raw) / np.exp(raw).sum()
    np.testing.assert_allclose(found.base_values + found.values.sum(axis=0), expected, atol=1e-4)
    explainer.set_params(outputs="predicted")
    assert explainer.explain(["so very good"])[0].values.shape == (3, 1)


def test_the_model_answers_first_where_no_response_is_given(llama):
    explainer = px.PromptExplainer(llama, max_new_tokens=6, progress=False)
    (found,) = explainer.explain(["He left. It rained."])
    (said,) = CausalLM(*llama).generate(["He left. It rained."], max_new_tokens=6)
    assert found.response == said
    (given,) = explainer.explain(["He left. It rained."], [said])
    np.testing.assert_array_equal(found.values, given.values)


def test_retokenized_variants_are_the_edited_strings(llama):
    """With a token a byte both assemblies are the same game."""
    explainer = px.ContextExplainer(llama, template=TEMPLATE, progress=False)
    (tokens,) = explainer.explain([CONTEXT], "who?", [" Bob"])
    (strings,) = explainer.set_params(assembly="retokenize").explain([CONTEXT], "who?", [" Bob"])
    np.testing.assert_allclose(tokens.values, strings.values, atol=1e-5)


def test_many_prompts_in_one_stream_are_as_alone(llama):
    explainer = px.ContextExplainer(llama, template=TEMPLATE, progress=False, outputs="sentences")
    contexts = [CONTEXT, ["One. Two.", "Three came. Four."], "A b. C d. E f."]
    said = [" Bob", " It was so. Yes.", " no"]
    together = explainer.explain(contexts, ["a?", "b?", "c?"], said)
    for own, context, query, response in zip(together, contexts, "abc", said, strict=True):
        (alone,) = explainer.explain([context], f"{query}?", [response])
        assert alone.output_names == own.output_names
        np.testing.assert_allclose(alone.values, own.values, atol=1e-4)


def test_a_run_goes_on_with_the_tables_of_another(llama):
    explainer = px.ContextExplainer(llama, template=TEMPLATE, progress=False)
    first = explainer.explain([CONTEXT], "who?", [" Bob"])
    calls = []
    handle = llama[0].register_forward_pre_hook(lambda *args: calls.append(1))
    again = explainer.explain([CONTEXT], "who?", [" Bob"], tables=first.tables)
    explainer.estimate_cost([CONTEXT], "who?")
    handle.remove()
    assert not calls
    np.testing.assert_array_equal(first[0].values, again[0].values)


def test_what_it_would_cost(llama):
    explainer = px.ContextExplainer(llama, template=TEMPLATE, progress=False, max_new_tokens=5)
    cost = explainer.estimate_cost([CONTEXT], "who?")
    assert (cost.least_calls, cost.most_calls) == (16, 16)
    # The response that will be made may hold what is asked for.
    assert explainer.set_params(outputs=["Bob"]).estimate_cost([CONTEXT], "who?") == cost
    assert cost.size_unit == "tokens"


@pytest.mark.filterwarnings("ignore::perturbx.exceptions.PoorFitWarning")
def test_a_long_context_begins_with_groups_and_stays_within_its_budget(llama):
    documents = [" ".join(f"Line {i} of {d}." for i in range(24)) for d in range(4)]
    explainer = px.ContextExplainer(
        llama, template=TEMPLATE, budget=60, random_state=0, progress=False
    )
    (found,) = explainer.explain([documents], "who?", [" Bob"])
    assert found.n_calls <= 60
    assert found.units.n_units < 96
    ends = found.table.linked("log_prob").scores
    total = found.base_values + found.values.sum(axis=0)
    np.testing.assert_allclose(total, ends[found.table.row_of(kept=True)], atol=1e-6)


@pytest.mark.filterwarnings("ignore::perturbx.exceptions.PoorFitWarning")
@pytest.mark.parametrize("others", [None, [" Eve"]], ids=["alone", "contrast"])
def test_a_long_prompt_begins_with_groups_too(llama, others):
    prompt = " ".join(f"w{i}" + "." * (i % 8 == 7) for i in range(80))
    explainer = px.PromptExplainer(llama, units="words", budget=40, random_state=0, progress=False)
    (found,) = explainer.explain([prompt], [" Bob"], alternatives=others)
    assert found.n_calls <= 40
    assert 3 <= found.units.n_units < 80
    assert "".join(found.units.pieces) == prompt


@pytest.mark.parametrize("estimator", ["auto", "odd_gp", "leverage", "lasso"])
def test_a_prompt_without_units_has_a_base_value(llama, estimator):
    prompt = Template("Q: {query} A:").units("words", fields=[], query="who?")
    explainer = px.PromptExplainer(llama, estimator=estimator, progress=False)
    (found,) = explainer.explain([prompt], [" Bob"])
    assert found.values.shape == (0, 1)
    assert found.base_values[0] == pytest.approx(log_prob(llama, "Q: who? A:", " Bob"), abs=1e-3)


@pytest.mark.filterwarnings("ignore::perturbx.exceptions.PoorFitWarning")
def test_contextcites_line_is_one_choice(llama):
    explainer = px.ContextExplainer(
        llama, template=TEMPLATE, estimator="lasso", budget=12, random_state=0, progress=False
    )
    (found,) = explainer.explain([CONTEXT], "who?", [" Bob"])
    assert found.method == "lasso"
    assert found.n_calls <= 12


@pytest.mark.filterwarnings("ignore::perturbx.exceptions.PoorFitWarning")
@pytest.mark.parametrize(("link", "per_token"), [("log_prob", True), ("probability", False)])
def test_the_lassos_penalty_is_for_each_token_of_what_is_explained(llama, link, per_token):
    said = " Bob sang. It rained!"
    n_tokens = len(llama[1](said, add_special_tokens=False)["input_ids"])
    for outputs, scales in [
        ("response", [n_tokens]),
        ("tokens", [1] * n_tokens),
        ([" Bob", " It rained"], [4, 10]),
    ]:
        explainer = px.ContextExplainer(
            llama,
            template=TEMPLATE,
            estimator="lasso",
            budget=12,
            outputs=outputs,
            link=link,
            random_state=0,
            progress=False,
        )
        (found,) = explainer.explain([CONTEXT], "who?", [said])
        own = found.refit(Lasso(0.01, response_scale=tuple(scales) if per_token else 1.0))
        np.testing.assert_array_equal(found.values, own.values)


def test_only_what_the_user_said_is_played_with(language_model):
    model, tokenizer = language_model("llama", attention="sdpa")
    tokenizer.chat_template = CHAT
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": " He left. It rained. "},
    ]
    units = chat_prompt(messages, tokenizer)
    assert units.text == "<system>Be kind.</><user>He left. It rained.</><bot>"
    assert units.pieces == ("He left. ", "It rained.")
    (found,) = px.PromptExplainer((model, tokenizer), progress=False).explain([messages], [" so"])
    assert found.units.pieces == units.pieces
    context = px.ContextExplainer((model, tokenizer), template=TEMPLATE, progress=False)
    (found,) = context.explain([CONTEXT], "who?", [" Bob"])
    assert found.units.text.startswith("<user>C: He left.")
    assert found.units.pieces[0] == "He left. "
    plain = context.set_params(chat=False).explain([CONTEXT], "who?", [" Bob"])[0]
    assert plain.units.text.startswith("C: He left.")


def test_the_chat_template_is_told_more(language_model):
    model, tokenizer = language_model("llama", attention="sdpa")
    tokenizer.chat_template = CHAT + "{% if not think %}<no>{% endif %}"
    messages = [{"role": "user", "content": "He left. It rained."}]
    settings = {"progress": False, "chat_template_kwargs": {"think": True}}
    explainer = px.PromptExplainer((model, tokenizer), **settings)
    (found,) = explainer.explain([messages], [" so"])
    assert found.units.text == "<user>He left. It rained.</><bot> so"
    with pytest.raises(ArgumentError, match=r"prompts\[0\]: chat_template_kwargs: .*no list of"):
        explainer.explain(["He left."], [" so"])
    context = px.ContextExplainer((model, tokenizer), template=TEMPLATE, **settings)
    (found,) = context.explain([CONTEXT], "who?", [" Bob"])
    assert found.units.text.endswith("<bot> Bob")
    with pytest.raises(ArgumentError, match="goes through no chat template"):
        context.set_params(chat=False).explain([CONTEXT], "who?", [" Bob"])


def test_examples_are_units(llama):
    units = few_shot_prompt("{examples}\n\nIn: {text}\nOut:", ["a is b", "c is d"], text="e")
    (found,) = px.PromptExplainer(llama, progress=False).explain([units], [" f"])
    assert found.values.shape == (2, 1)


def test_an_encoder_decoder_is_explained_too(language_model):
    explainer = px.ContextExplainer(language_model("t5"), template=TEMPLATE, progress=False)
    (found,) = explainer.explain([CONTEXT], "who?", ["Bob"])
    assert found.values.shape == (4, 1)


def test_a_sure_answer_has_finite_log_odds(language_model):
    model, tokenizer = language_model("llama", attention="sdpa")
    with torch.no_grad():
        model.lm_head.weight *= 400
    explainer = px.PromptExplainer((model, tokenizer), link="log_odds", progress=False)
    (said,) = CausalLM(model, tokenizer).generate(["He left. It rained."], max_new_tokens=1)
    (found,) = explainer.explain(["He left. It rained."], [said])
    assert np.isfinite(found.values).all()
    assert found.base_values + found.values.sum() > 5


@pytest.mark.parametrize(
    ("change", "arguments", "said"),
    [
        ({}, {"contexts": CONTEXT, "queries": "q"}, "contexts: expected a list"),
        ({}, {"contexts": [CONTEXT]}, "queries"),
        ({}, {"contexts": [CONTEXT], "queries": ["a", "b"]}, "queries: expected one per"),
        ({}, {"contexts": [" "], "queries": "q"}, r"contexts\[0\]: documents\[0\]"),
        ({}, {"contexts": [CONTEXT], "queries": "q", "responses": [""]}, r"responses\[0\]"),
        ({}, {"contexts": [CONTEXT], "queries": "q", "responses": []}, "responses: expected one"),
        (
            {},
            {"contexts": [CONTEXT], "queries": "q", "responses": iter("a")},
            "responses: expected",
        ),
        ({}, {"contexts": [CONTEXT], "queries": 5}, "queries: expected a question"),
        ({}, {"contexts": [None], "queries": "q"}, r"contexts\[0\]: expected a text"),
        ({}, {"contexts": pd.DataFrame({"a": ["b"]}), "queries": "q"}, "contexts: expected a list"),
        ({}, {"contexts": [{"a": "b"}], "queries": "q"}, r"contexts\[0\]: expected a text"),
        ({"outputs": [(0.5, 1)]}, {"contexts": [CONTEXT], "queries": "q"}, "outputs: expected"),
        ({}, {"contexts": [CONTEXT], "queries": "q", "tables": [None]}, "tables: expected"),
        ({"template": "{text}"}, {"contexts": [CONTEXT], "queries": "q"}, "template"),
        ({"link": "identity"}, {"contexts": [CONTEXT], "queries": "q"}, "link"),
        ({"assembly": "x"}, {"contexts": [CONTEXT], "queries": "q"}, "assembly"),
        ({"estimator": "x"}, {"contexts": [CONTEXT], "queries": "q"}, "estimator"),
        ({"outputs": "Eve"}, {"contexts": [CONTEXT], "queries": "q"}, "outputs: 'Eve'"),
        ({"chat": True}, {"contexts": [CONTEXT], "queries": "q"}, "chat template"),
        ({"chat": "x"}, {"contexts": [CONTEXT], "queries": "q"}, "chat: expected 'auto'"),
        ({"chat": 1}, {"contexts": [CONTEXT], "queries": "q"}, "chat: expected 'auto'"),
        ({"max_new_tokens": 0}, {"contexts": [CONTEXT], "queries": "q"}, "max_new_tokens"),
        ({"stop": "END"}, {"contexts": [CONTEXT], "queries": "q"}, "stop: expected a list"),
        (
            {},
            {"contexts": [CONTEXT], "queries": "q", "responses": ["a\ud800"]},
            r"responses\[0\]: character 1",
        ),
        (
            {"stop": ["\n", "a\ud800"]},
            {"contexts": [CONTEXT], "queries": "q"},
            r"stop\[1\]: character 1",
        ),
    ],
)
def test_what_cannot_be_is_named(llama, change, arguments, said):
    explainer = px.ContextExplainer(llama, template=TEMPLATE, progress=False).set_params(**change)
    with pytest.raises(ArgumentError, match=said):
        explainer.explain(**({"responses": [" Bob"]} | arguments))


@pytest.mark.parametrize(
    ("change", "prompts", "said"),
    [
        ({"fields": ["a"]}, ["so"], "fields: are those of a template"),
        ({"template": "{a} {b}"}, ["so"], r"prompts\[0\]: the template has the fields a, b"),
        ({"template": "{a}"}, ["so", {"b": "so"}], r"prompts\[1\]: values: .* missing: \['a'\]"),
        ({}, ["so", [{"role": "user", "content": "so"}]], r"prompts\[1\]: tokenizer: it has no"),
        ({"template": "{a}"}, [[{"role": "user", "content": "so"}]], "do not fill a template"),
        ({"labels": [" a", " b"], "calibrate": 3}, ["so"], "calibrate"),
        ({"labels": [" a", " b"], "outputs": None}, ["so"], "outputs"),
        ({"labels": [" a", "b\ud800"]}, ["so"], "labels: character 1 is half of"),
        ({"labels": [" a", " b"], "calibrate": "\ud800"}, ["so"], "calibrate: character 0"),
        ({}, pd.DataFrame({"prompt": ["so"]}), r"prompts: .* DataFrame; give the column"),
    ],
)
def test_what_no_prompt_can_be_is_named(llama, change, prompts, said):
    explainer = px.PromptExplainer(llama, progress=False).set_params(**change)
    with pytest.raises(ArgumentError, match=said):
        explainer.explain(prompts)


def test_tables_of_other_parts_of_a_response_are_refused_before_a_call(llama):
    explainer = px.ContextExplainer(llama, template=TEMPLATE, progress=False, outputs=[" Bob"])
    first = explainer.explain([CONTEXT], "who?", [" Bob sang"])
    calls = []
    handle = llama[0].register_forward_pre_hook(lambda *args: calls.append(1))
    explainer.set_params(outputs=[" sang"])
    with pytest.raises(ArgumentError, match=r"tables\[0\]: holds the scores of 'Bob' of"):
        explainer.explain([CONTEXT], "who?", [" Bob sang"], tables=first.tables)
    handle.remove()
    assert not calls


def test_an_estimate_knows_that_other_prompts_have_other_responses(llama):
    explainer = px.ContextExplainer(llama, template=TEMPLATE, max_new_tokens=6, progress=False)
    contexts = ["He left. It rained.", "One. Two.", "He left. It rained."]
    estimate = explainer.estimate_cost(contexts, "who?")
    found = explainer.explain(contexts, "who?")
    assert found[0].response != found[1].response
    distinct = {own.units.text: own.n_calls for own in found}
    assert estimate.most_calls == sum(distinct.values()) == 8


def test_tables_of_other_prompts_are_told_as_such_and_before_the_model_answers(llama, monkeypatch):
    explainer = px.PromptExplainer(llama, progress=False)
    tables = explainer.explain(["He left."] * 2, [" Bob", " Bob sang"]).tables
    monkeypatch.setattr(CausalLM, "generate", None)
    with pytest.raises(ArgumentError, match=r"^tables: expected one per text, got 2 for 1 texts"):
        explainer.explain(["It rained."], tables=tables)
    with pytest.raises(ArgumentError, match=r"^tables\[0\]: is of another text"):
        explainer.explain(["It rained."] * 2, tables=tables[::-1])
    with pytest.raises(ArgumentError, match=r"^tables\[0\]: is of another text"):
        explainer.explain(["It rained."], [" Ann"], tables=tables[1:])


def test_parts_of_one_name_in_other_places_are_told_apart(llama, tmp_path):
    explainer = px.ContextExplainer(llama, template=TEMPLATE, progress=False)
    tables = []
    for part in ("Bob", "sang", (1, 4)):
        explainer.set_params(outputs={"who": part})
        (found,) = explainer.explain([CONTEXT], "who?", [" Bob sang"])
        tables.append(ScoreTable.load(found.table.save(tmp_path / "t.npz")))
    calls = []
    handle = llama[0].register_forward_pre_hook(lambda *args: calls.append(1))
    explainer.explain([CONTEXT], "who?", [" Bob sang"], tables=tables[:1])  # the same part
    with pytest.raises(ArgumentError, match=r"tables\[0\]: .* another part .* 'who'"):
        explainer.explain([CONTEXT], "who?", [" Bob sang"], tables=tables[1:2])
    handle.remove()
    assert not calls
    assert len(tables[0].merge(tables[2])) == len(tables[0])
    with pytest.raises(px.TableError, match="'who' is another part"):
        tables[0].merge(tables[1])


def test_another_model_is_asked_where_the_model_is_another(language_model):
    models = [language_model("llama", seed=seed) for seed in range(2)]
    explainer = px.PromptExplainer(models[0], units="words", progress=False)
    (first,) = explainer.explain(["so very good"], [" yes"])
    explainer.model = None
    explainer.model = models[1]
    (second,) = explainer.explain(["so very good"], [" yes"])
    assert np.abs(first.values - second.values).max() > 0.01


def test_what_calibrates_is_asked_once_and_not_for_an_estimate(llama):
    explainer = px.PromptExplainer(
        llama, labels=[" yes", " no"], calibrate="N/A", units="words", progress=False
    )
    plain = px.PromptExplainer(llama, labels=[" yes", " no"], units="words", progress=False)
    plain.explain(["so good"])
    read = []
    handle = llama[0].model.embed_tokens.register_forward_hook(
        lambda module, inputs, output: read.append(inputs[0].numel())
    )
    explainer.estimate_cost(["so good"])
    assert not read
    costs = []
    for own in (explainer, explainer, plain):
        read.clear()
        own.explain(["so good"])
        costs.append(sum(read))
    handle.remove()
    assert costs[0] > costs[1] == costs[2]


def test_a_prompt_beyond_the_window_says_what_to_do(language_model):
    model, tokenizer = language_model("gpt2", n_positions=40)
    explainer = px.PromptExplainer((model, tokenizer), progress=False)
    with pytest.raises(MaskingError, match=r"texts\[0\].*reads; shorten it"):
        explainer.explain(["He left. " * 10], [" Bob"])
    with pytest.raises(ScoringError, match="shorten it"):
        explainer.explain(["He left. " * 10])


def test_scikit_learns_rules(llama):
    explainer = px.ContextExplainer(llama, budget=8, random_state=3, progress=False)
    twin = clone(explainer)
    assert twin.get_params() == explainer.get_params()
    explainer.explain(["A b. C d. E f."], "q?", [" a"])
    kept = pickle.loads(pickle.dumps(explainer)).__dict__
    assert not [name for name in kept if name.startswith("_loaded")]


@pytest.mark.filterwarnings("ignore::perturbx.exceptions.PoorFitWarning")
def test_words_of_prompts_have_columns(llama):
    explainer = px.PromptExplainer(
        llama,
        labels=[" yes", " no"],
        template="Say: {text}",
        units="words",
        budget=16,
        random_state=0,
        progress=False,
    )
    texts = ["so good", "so very bad"]
    columns = explainer.fit(texts).transform(texts)
    assert explainer.output_names_ == ["yes", "no"]
    assert list(explainer.vocabulary_) == ["bad", "good", "so", "very"]
    (found,) = explainer.explain(texts[:1])
    np.testing.assert_allclose(columns[0, [2, 1]].toarray()[0], found.values[:, 0], atol=1e-4)
    with pytest.raises(ArgumentError, match="column per word"):
        px.PromptExplainer(llama, outputs="tokens").fit(texts)


@pytest.mark.parametrize(("family", "priced"), [("llama", True), ("bloom", False)])
def test_tokens_are_priced_where_beginnings_are_read_once(language_model, family, priced):
    explainer = px.ContextExplainer(
        language_model(family), template=TEMPLATE, budget=12, progress=False
    )
    _, _, encodings = explainer._ready(explainer._prompts([CONTEXT], "who?"), [" Bob"], None)
    (design,) = explainer._designs(encodings)
    assert isinstance(design.sampler, PrefixPairs) == priced
    if priced:
        tokens = [len(piece) for piece in encodings[0].units.pieces]
        assert design.sampler.unit_tokens == tuple(tokens)
        tail = len(b" Q: who? A: Bob")
        price = explainer._language_model().head_price
        assert design.sampler.tail == pytest.approx(tail + price * len(" Bob"), abs=1)


@pytest.mark.filterwarnings("ignore::perturbx.exceptions.PoorFitWarning")
def test_a_run_asks_what_the_next_one_asks_whatever_the_model_can(language_model, monkeypatch):
    """A decoder may seem to read tries, and be found out by the first question."""
    monkeypatch.setattr(CausalLM, "_can", lambda self, way: way != "tree")
    model = language_model("llama", attention="sdpa")
    context = " ".join(f"Part {i} said {i * 7}." for i in range(8))
    explainer = px.ContextExplainer(
        model, template=TEMPLATE, budget=24, random_state=0, progress=False
    )
    first = explainer.explain([context], "who?", [" Bob"])
    again = explainer.explain([context], "who?", [" Bob"])
    np.testing.assert_array_equal(first.tables[0].masks, again.tables[0].masks)
    assert first.tables[0].provenance["sampler"] == "OddPairs()"


@pytest.mark.parametrize("wrong", ["zz", None, "lime"])
def test_an_estimator_that_does_not_exist_is_told_before_a_response_is_generated(llama, wrong):
    explainer = px.PromptExplainer(llama, estimator=wrong, progress=False)
    with pytest.raises(px.ArgumentError, match=r"estimator: expected .*'lasso'; got"):
        explainer.explain(["He left. It rained."])
    assert "_loaded_model" not in explainer.__dict__


@pytest.mark.parametrize("n_parts", [1, 3, 5])
@pytest.mark.parametrize("outputs", ["response", "sentences"])
def test_prompts_that_were_not_reached_do_not_hide_why(llama, monkeypatch, n_parts, outputs):
    explainer = px.PromptExplainer(llama, progress=False, batch_tokens=64, outputs=outputs)
    texts = ["He left. It rained. The end.", "I met Bob in Rome. He was glad, and so was I."]
    whole = LanguageScorer.score_parts

    def broken(self, *given):
        yield from itertools.islice(whole(self, *given), n_parts)
        raise ValueError("broken")

    monkeypatch.setattr(LanguageScorer, "score_parts", broken)
    with pytest.raises(ScoringError, match="broken") as caught:
        explainer.explain(texts, [" He sang.", " It was all said and done, long ago."])
    assert len(caught.value.tables[0])


@pytest.mark.parametrize("link", ["log_prob", "log_odds"])
@pytest.mark.filterwarnings("ignore::perturbx.PoorFitWarning")
def test_what_a_response_is_the_sum_of_is_kept_and_fitted(llama, link):
    parameters = {"template": TEMPLATE, "progress": False, "link": link, "random_state": 0}
    long = " ".join(f"Part {i} said {i * 7}." for i in range(6))
    said = [" Bob sang a long song in the end."]
    whole = px.ContextExplainer(llama, budget=24, **parameters).explain([long], "who?", said)[0]
    tokens = px.ContextExplainer(llama, budget=24, outputs="tokens", **parameters)
    each = tokens.explain([long], "who?", said)[0]
    assert each.table.summands is None
    n_tokens = each.table.n_outputs
    assert whole.table.summands.shape == (24, 1, min(n_tokens, 24))
    np.testing.assert_allclose(whole.table.summands.sum(axis=2), whole.table.scores, atol=1e-9)
    if n_tokens <= 24:
        np.testing.assert_allclose(whole.table.summands[:, 0], each.table.scores, atol=1e-4)
    again = whole.refit("odd_gp")
    np.testing.assert_allclose(again.values, whole.values, atol=1e-9)
    bare = OddGP().fit([replace(whole.table.linked(link), summands=None)])[0]
    assert np.abs(bare.values - whole.values).max() > 0.0


class Failing:
    """A language model that fails where it is told to."""

    model_id = "failing"
    max_tokens = None
    device = torch.device("cpu")

    def __init__(self, tokenizer, error, *, at):
        self.tokenizer, self.error, self.at = tokenizer, error, at

    def generate(self, prompts, *, max_new_tokens, stop=()):
        if self.at == "generate":
            raise self.error
        return [" so"] * len(prompts)

    def settle(self):
        if self.at == "settle":
            raise self.error

    def log_probs(self, questions, batch_tokens="auto"):
        raise self.error


@pytest.mark.parametrize("at", ["generate", "settle", "log_probs"])
@pytest.mark.parametrize(
    ("error", "told"),
    [(RuntimeError("no memory"), ScoringError), (KeyboardInterrupt(), px.Interrupted)],
)
def test_a_failure_before_the_first_score_is_told_as_any_other(llama, at, error, told):
    model = Failing(CausalLM(*llama).tokenizer, error, at=at)
    with pytest.raises(told, match=r"RuntimeError: no memory|interrupted") as caught:
        px.PromptExplainer(model, progress=False).explain(["He left. It rained."])
    assert not any(map(len, caught.value.tables))
