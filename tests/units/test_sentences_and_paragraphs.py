"""Sentences and paragraphs, spelled out."""

from __future__ import annotations

import pytest

from perturbx.units import Characters, Paragraphs, Sentences

# A bar stands where one sentence ends and the next begins.
SENTENCES = [
    "Dr. Smith met Mr. Jones. |Why? |It is 3.14, e.g. this.",
    "J. K. Rowling left. |George W. Bush won. |So did I. |Take vitamin C. |It helps.",
    "Das ist z. B. Herr Dr. Schmidt. |Ja.",
    '"Stop." |He said: "No!" |(Really.) |Fine...',
    "1. First item\n|2. Second item\n\n***\n\n|A. Last",
    "这是。|第二句！|「はい。」|次。",
    "नमस्ते। |आप कैसे हैं? |ठीक।",
    "مرحبا. |كيف حالك؟ |بخير",
    "Γιατί; |Δεν ξέρω.",
    "\n ...\n\nHello. ***",
    "no end",
    "...",
]

PARAGRAPHS = [
    "One.\nStill one.\n\n|  Two.",
    "\n\na\r\nb\r\n\r\n|c\n \t\n\n| d\u2029|e\n\n",
    "a\r\nb\rc",
    "a\r\r|b\u2028\u2028|c",
]


@pytest.mark.parametrize("cut", SENTENCES)
def test_sentences_as_a_reader_sees_them(cut):
    assert Sentences()(cut.replace("|", "")).pieces == tuple(cut.split("|"))


@pytest.mark.parametrize("cut", PARAGRAPHS)
def test_paragraphs_end_with_their_blank_lines(cut):
    assert Paragraphs()(cut.replace("|", "")).pieces == tuple(cut.split("|"))


def test_the_suppressions_of_icu_are_to_be_had():
    assert Sentences(locale="de")("Siehe Abb. Nr. Zwei.").n_units == 3
    assert Sentences(locale="de@ss=standard")("Siehe Abb. Nr. Zwei.").n_units == 1


def test_characters_are_those_of_a_reader():
    text = "né e\u0301\r\n👩‍👩‍👧🇩🇪👍🏽हिन्दी กำ\x00"
    assert Characters()(text).pieces == (
        *("n", "é", " ", "e\u0301", "\r\n", "👩‍👩‍👧", "🇩🇪", "👍🏽"),
        *("हि", "न्दी", " ", "กำ", "\x00"),
    )
