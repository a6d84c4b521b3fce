"""Chats, documents, examples and responses: only what is to be played with is a unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError, SegmentationError
from perturbx.units import Sentences, Words, as_segmenter
from perturbx.units.bag_of_words import BagOfWords
from perturbx.units.prompts import (
    chat_prompt,
    document_prompt,
    few_shot_prompt,
    in_chat,
    response_of,
    response_spans,
    with_responses,
)
from perturbx.units.units import FRAME

STYLES = {
    "llama": (
        "<s>{% for m in messages %}[{{ m['role'] }}]\n{{ m['content'] | trim }}<eot>{% endfor %}"
        "{% if add_generation_prompt %}[assistant]\n{% endif %}"
    ),
    "chatml": (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "mistral": (
        "{% set system = '' %}{% if messages[0]['role'] == 'system' %}"
        "{% set system = messages[0]['content'] + '\n\n' %}{% set messages = messages[1:] %}"
        "{% endif %}<s>{% for m in messages %}{% if m['role'] == 'user' %}"
        "[INST]{% if loop.first %}{{ system }}{% endif %}{{ m['content'] }}[/INST]"
        "{% else %} {{ m['content'] }}</s>{% endif %}{% endfor %}"
    ),
}
SENTENCES = ["He left. ", "It rained! ", "雨が降った。", "वह गया। ", "ذهب. ", "No end"]
CONTENTS = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=4).map("".join)


@pytest.fixture
def chat(language_model):
    def make(style):
        tokenizer = language_model.tokenizer()
        tokenizer.chat_template = STYLES.get(style, style)
        return tokenizer

    return make


@pytest.mark.parametrize("style", STYLES)
def test_markup_roles_and_other_messages_are_frozen(chat, style):
    messages = [
        {"role": "system", "content": "Be kind. Be short."},
        {"role": "user", "content": "He left. It rained."},
        {"role": "assistant", "content": "I see. Go on."},
        {"role": "user", "content": "He left. Why?"},
    ]
    tokenizer = chat(style)
    units = chat_prompt(messages, tokenizer)
    assert units.text == tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )
    assert units.pieces == ("He left. ", "It rained.", "He left. ", "Why?")
    assert "".join(part for _, part in units.parts) == units.text
    both = chat_prompt(messages, tokenizer, roles=("system", "user"), units="words")
    assert both.labels[:4] == ("Be", "kind", "Be", "short")


def test_a_template_may_trim_one_role_and_skip_what_is_empty(chat):
    tokenizer = chat(
        "{% for m in messages %}{% if m['content'] %}[{{ m['role'] }}]"
        "{{ m['content'] | trim if m['role'] == 'user' else m['content'] }}{% endif %}{% endfor %}"
    )
    messages = [
        {"role": "system", "content": "Be kind. "},
        {"role": "user", "content": ""},
        {"role": "user", "content": " He left. Why? "},
    ]
    units = chat_prompt(messages, tokenizer)
    assert units.text == "[system]Be kind. [user]He left. Why?"
    assert units.pieces == ("He left. ", "Why?")


@given(content=CONTENTS)
def test_a_message_in_a_chat_keeps_its_units(language_model, content):
    tokenizer = language_model.tokenizer()
    tokenizer.chat_template = STYLES["llama"]
    units = as_segmenter("sentences")(content)
    inside = in_chat(units, tokenizer)
    assert [piece.strip() for piece in inside.pieces] == [piece.strip() for piece in units.pieces]


def test_what_a_template_says_twice_goes_twice(chat):
    tokenizer = chat("{% for m in messages %}{{ m['content'] }}|{{ m['content'] }}{% endfor %}")
    units = chat_prompt([{"role": "user", "content": "He left. Why?"}], tokenizer)
    assert units.n_units == 2
    assert units.unit_of_span == (0, 1, 0, 1)


@pytest.mark.parametrize(
    ("style", "messages", "error", "said"),
    [
        ("{{ messages[0]['content'] | upper }}", "good", SegmentationError, "changes what they"),
        ("{{ raise_exception('no') }}", "good", ArgumentError, "refuses them"),
        (None, "good", ArgumentError, "no chat template"),
        ("llama", 3, ArgumentError, r"messages\[0\]"),
    ],
)
def test_templates_that_do_not_do(chat, style, messages, error, said):
    with pytest.raises(error, match=said):
        chat_prompt([{"role": "user", "content": messages}], chat(style))


def test_what_no_tokenizer_reads_is_named_in_a_frozen_message_too(chat):
    said = [{"role": "system", "content": "a\ud800"}, {"role": "user", "content": "good"}]
    with pytest.raises(SegmentationError, match=r"messages\[0\]: the character at position 1"):
        chat_prompt(said, chat("llama"))


def test_roles_that_are_not_there(chat):
    with pytest.raises(ArgumentError, match="roles"):
        chat_prompt([{"role": "user", "content": "a"}], chat("llama"), roles=("tool",))
    for wrong in ("user", None, 3):
        with pytest.raises(ArgumentError, match="roles: expected a list of roles"):
            chat_prompt([{"role": "user", "content": "a"}], chat("llama"), roles=wrong)
    with pytest.raises(ArgumentError, match="expected a list"):
        chat_prompt("good", chat("llama"))


@given(st.lists(CONTENTS, min_size=1, max_size=4))
def test_no_unit_reaches_over_two_documents(documents):
    units = document_prompt("C: {context}\nQ: {query}", documents, query="He left. Why?")
    assert units.text.startswith("C: ")
    assert units.text.endswith("\nQ: He left. Why?")
    count = sum(as_segmenter("sentences")(document).n_units for document in documents)
    assert units.n_units == count
    assert "".join(units.pieces) == "\n\n".join(documents)
    if count > 1:
        assert sorted(units.tree.leaves(units.tree.root)) == list(range(count))
    borders = []
    for document in documents:
        first = len(borders) and borders[-1][-1] + 1
        borders.append(range(first, first + as_segmenter("sentences")(document).n_units))
    inner = range(units.n_units, units.n_units + len(units.tree.children)) if units.tree else []
    together = {frozenset(units.tree.leaves(node)) for node in inner}
    assert all(len(own) < 2 or frozenset(own) in together for own in borders)


@pytest.mark.parametrize(
    "units",
    [Sentences(frozen=r"\[\d+\]"), BagOfWords(), Words(), Sentences(frozen=r"(?s).+")],
    ids=["frozen in the middle", "words anywhere", "words", "all frozen"],
)
def test_units_of_documents_are_those_of_each_document(units):
    """A unit of several spans is one, and there may be none."""
    documents = ["The cat [1] sat. It was [2] red, the cat.", "Bob saw the cat. The end [3] came."]
    found = document_prompt("C: {context} Q: {query}", documents, units=units, query="The cat?")
    alone = [units(documents[0] + "\n\n"), units(documents[1])]
    assert found.n_units == sum(own.n_units for own in alone)
    assert found.pieces == alone[0].pieces + alone[1].pieces
    first, second = ([part for part in own.parts if part[1]] for own in alone)
    moved = [(u if u == FRAME else u + alone[0].n_units, part) for u, part in second]
    wanted = "C: ", *(part for _, part in (*first, *moved)), " Q: The cat?"
    assert found.text == "".join(wanted)
    owned = [(u, part) for u, part in found.parts if u != FRAME]
    assert owned == [(u, part) for u, part in (*first, *moved) if u != FRAME]
    assert found.level == units.level


def test_documents_that_are_none():
    for documents, said in ((["a", " "], r"documents\[1\]"), ([], "documents"), ("a", "list")):
        with pytest.raises(ArgumentError, match=said):
            document_prompt("{context}", documents)


def test_an_example_is_one_unit():
    examples = ["a is b", "c is d", "a is b"]
    units = few_shot_prompt("Do.\n{examples}\nIn: {x}", examples, separator="\n", x="a is b")
    assert units.pieces == ("a is b\n", "c is d\n", "a is b")
    assert units.parts[0] == (FRAME, "Do.\n")
    for wrong, said in (([], "examples"), ([3], r"examples\[0\]"), (["  "], r"examples\[0\]")):
        with pytest.raises(ArgumentError, match=said):
            few_shot_prompt("{examples}", wrong)
    with pytest.raises(ArgumentError, match=r"examples\[1\]"):
        few_shot_prompt("{examples}", [{"a": "b"}, {"c": "d"}], example_template="{a}")


@given(prompt=CONTENTS, said=CONTENTS, other=CONTENTS)
def test_responses_are_segments_of_their_own(prompt, said, other):
    units = as_segmenter("sentences")(prompt)
    both = with_responses(units, said, other)
    texts = [both.text[start:stop] for start, stop in both.segments]
    assert texts == [prompt, said, other]
    assert (both.spans, both.unit_of_span) == (units.spans, units.unit_of_span)
    assert response_of(both) == said
    assert response_of(units) is None
    assert response_of(as_segmenter("words")(("so", "he left"))) is None
    _, spans = response_spans(both, "sentences")
    assert "".join(said[start:stop] for ((start, stop),) in spans) == said


def test_parts_of_a_response():
    units = with_responses(as_segmenter("words")("so"), "He left. He ran.")
    assert response_spans(units, "He") == (["He"], [[(0, 2), (9, 11)]])
    assert response_spans(units, [(3, 7)]) == (["left"], [[(3, 7)]])
    for wrong in ("Eve", [(3, 99)], [3], [], {"a": ""}):
        with pytest.raises(ArgumentError, match="outputs"):
            response_spans(units, wrong)
    with pytest.raises(ArgumentError, match="has no sentence; take outputs='response'"):
        response_spans(with_responses(as_segmenter("words")("so"), " \n"), "sentences")
    with pytest.raises(ArgumentError, match="response"):
        with_responses(as_segmenter("words")("so"), "")
    with pytest.raises(ArgumentError, match="once"):
        with_responses(units, "again")


TOOLS = (
    "{% if tools %}<tools>{% for t in tools %}{{ t['function']['name'] }};{% endfor %}</tools>"
    "{% endif %}{% for m in messages %}<{{ m['role'] }}>{% if m['content'] %}{{ m['content'] }}"
    "{% endif %}{% for c in m['tool_calls'] or [] %}[{{ c['function']['name'] }}]{% endfor %}</>"
    "{% endfor %}{% if add_generation_prompt %}<bot>{% if enable_thinking is defined and "
    "not enable_thinking %}<think></think>{% endif %}{% endif %}"
)
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "", "parameters": {"type": "object"}},
}


def test_a_template_is_told_of_tools_and_of_thinking(chat):
    messages = [
        {"role": "user", "content": "Is it warm? I am in Rome."},
        {"role": "assistant", "tool_calls": [{"function": {"name": "weather", "arguments": {}}}]},
        {"role": "tool", "name": "weather", "content": "31 degrees."},
    ]
    options = {"tools": [WEATHER], "enable_thinking": False}
    units = chat_prompt(
        messages, chat(TOOLS), roles=("user", "tool", "assistant"), chat_template_kwargs=options
    )
    assert units.text == (
        "<tools>weather;</tools><user>Is it warm? I am in Rome.</><assistant>[weather]</>"
        "<tool>31 degrees.</><bot><think></think>"
    )
    assert [piece.strip() for piece in units.pieces] == [
        "Is it warm?",
        "I am in Rome.",
        "31 degrees.",
    ]
    said = r"^roles: no message with a content has one of .*; there are \['tool', 'user'\]"
    with pytest.raises(ArgumentError, match=said):
        chat_prompt(messages, chat(TOOLS), roles=["assistant"], chat_template_kwargs=options)
    hot = as_segmenter("words")("hot")
    inside = in_chat(hot, chat(TOOLS), chat_template_kwargs={"enable_thinking": False})
    assert inside.text == "<user>hot</><bot><think></think>"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"enable_thinkin": False}, "has nothing called enable_thinkin"),
        ({"tokenize": True}, "tokenize cannot be set here"),
        ([("tools", [])], "expected a mapping"),
    ],
)
def test_options_that_a_template_would_pass_over(chat, options, said):
    with pytest.raises(ArgumentError, match=said):
        chat_prompt([{"role": "user", "content": "a"}], chat(TOOLS), chat_template_kwargs=options)
