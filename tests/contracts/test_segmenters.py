"""What every segmenter must obey. To test one of your own, add it to `SEGMENTERS`."""

from __future__ import annotations

import copy
import json
import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import SegmentationError
from perturbx.typing import Segmenter, TextInput
from perturbx.units import (
    BagOfWords,
    Characters,
    Custom,
    IdentityTerms,
    Paragraphs,
    Regex,
    Sentences,
    Spans,
    Tokens,
    Units,
    Words,
    as_one_text,
)


class CharacterTokenizer:
    """A slow tokenizer: no offsets, lower case, and no token for what is not a letter."""

    is_fast = False

    def tokenize(self, text: str) -> list[str]:
        return [c.lower() if c.isalpha() else "[UNK]" for c in text if not c.isspace()]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return " ".join(tokens)


class WholeTexts:
    """Someone else's segmenter: no base class, only the protocol."""

    def __call__(self, text: TextInput) -> Units:
        whole, segments = as_one_text(text)
        spans = tuple((start, stop) for start, stop in segments if whole[start:stop].strip())
        return Units(whole, spans, segments=segments)

    def __repr__(self) -> str:
        return "WholeTexts()"


def halves(text: str) -> list[tuple[int, int]]:
    middle = len(text) // 2
    return [span for span in ((0, middle), (middle, len(text))) if span[0] < span[1]]


SEGMENTERS: list[Segmenter] = [
    Characters(),
    Words(),
    Words(locale="fi"),
    Words(frozen="[aeiou ]+"),
    Sentences(),
    Paragraphs(),
    Tokens(CharacterTokenizer()),
    Regex(r"\w+"),
    Regex(r"\d+", between="freeze"),
    Custom(str.split),
    Custom(halves),
    Custom(Words(), frozen=re.compile("[.].")),
    Spans([]),
    BagOfWords(),
    IdentityTerms(),
    IdentityTerms(["zh_gender", "gender"], frozen="[aeiou ]+"),
    WholeTexts(),
]

SAMPLES = [
    "",
    " \n\t",
    "!!!",
    "one",
    "I don't know a well-known 3.14 - see me@x.org, https://a.b/c?d=e#f.",
    "def f(x):\n    return {'a': [x + 1]}  # done\r\n",
    "# Title\n\n- **bold** _it_ `code`\n- [link](http://a.b)\n\n> quote",
    "She said: an American woman isn't her sister.",
    "中文分词其实很难，我喜欢“北京”。第二句！",
    "私は東京で「日本語」を勉強しています。",
    "ฉันชอบกินข้าวผัดกับไก่",
    "मुझे हिन्दी फ़िल्में बहुत पसंद हैं। सच!",
    "أنا أحب هذا الفيلم جدًا! (حقا؟)",
    "이 영화는 정말 재미있었어요.",
    "👩‍👩‍👧 🇩🇪🇫🇷 👍🏽 ❤️ 1️⃣ e\u0301 \u0301",
    "a\x00b \u200b\u200f\ufeff \u2029 c",
    "\u06dd\u0600(🏽x\u20e3",
]

texts = st.sampled_from(SAMPLES) | st.text(max_size=40)
inputs = texts | st.tuples(texts, texts)


@pytest.fixture(params=SEGMENTERS, ids=repr, scope="module")
def segmenter(request: pytest.FixtureRequest) -> Segmenter:
    return request.param


def whole_of(text: TextInput) -> str:
    return text if isinstance(text, str) else text[0] + "\n" + text[1]


@settings(max_examples=30, deadline=None)
@given(text=inputs)
def test_parts_give_the_text_back(segmenter, text):
    units = segmenter(text)
    assert units.text == whole_of(text)
    assert "".join(part for _, part in units.parts) == whole_of(text)


@settings(max_examples=30, deadline=None)
@given(text=inputs)
def test_every_character_belongs_to_a_unit_where_nothing_is_frozen(segmenter, text):
    units = segmenter(text)
    if not units.frozen:
        texts = (text,) if isinstance(text, str) else text
        assert "".join(units.pieces) == "".join(part for part in texts if part.strip())


@settings(max_examples=30, deadline=None)
@given(text=inputs)
def test_the_frozen_and_the_owned_are_disjoint(segmenter, text):
    units = segmenter(text)
    edges = [edge for span in sorted([*units.spans, *units.frozen]) for edge in span]
    assert edges == sorted(edges)


@settings(max_examples=20, deadline=None)
@given(text=inputs)
def test_cutting_is_deterministic_and_survives_copies_and_records(segmenter, text):
    units = segmenter(text)
    assert segmenter(text) == units
    assert pickle.loads(pickle.dumps(segmenter))(text) == units
    assert copy.deepcopy(segmenter)(text) == units
    assert Units.from_dict(json.loads(json.dumps(units.to_dict()))) == units


@settings(max_examples=20, deadline=None)
@given(blank=st.text(alphabet=" \t\r\n\u00a0\u3000", max_size=5))
def test_a_blank_text_has_no_units(segmenter, blank):
    assert segmenter(blank).n_units == 0
    assert segmenter((blank, blank)).n_units == 0


def test_no_unit_reaches_over_the_two_texts_of_a_pair(segmenter):
    units = segmenter(("the end", "of words"))
    assert units.segments == ((0, 7), (8, 16))
    assert all(stop <= 7 or start >= 8 for start, stop in units.spans)


def test_long_texts_and_long_runs_of_one_character(segmenter):
    for text in ("word, " * 10_000, "(" * 20_000 + "a", "a" + "\n" * 20_000 + "b", '"' * 20_000):
        assert "".join(part for _, part in segmenter(text).parts) == text


@settings(max_examples=10, deadline=None)
@given(before=texts, surrogate=st.integers(0xD800, 0xDFFF))
def test_a_lone_surrogate_is_an_error_that_names_its_place(segmenter, before, surrogate):
    broken = before + chr(surrogate) + "b"
    message = rf"{len(before)} is a lone surrogate \(U\+{surrogate:04X}\).*surrogatepass"
    with pytest.raises(SegmentationError, match=message):
        segmenter(broken)
    with pytest.raises(SegmentationError, match=r"text\[1\].*" + message):
        segmenter(("fine", broken))
