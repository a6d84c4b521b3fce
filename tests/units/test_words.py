"""Words: what a reader of each language would accept, spelled out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError
from perturbx.units import Characters, Sentences, Words

# A bar stands where one unit ends and the next begins.
SPELLED_OUT = """
I |don't |know |a |well-|known |3.14 |or |1,000,000.
write |to |me@|x.org, |see |https://|a.b/|c?|d=|e#|f
She |said: |"Yes" |(or |'no')...
¿Qué? |¡Sí! |«Oui» |„Ja“ |»Da« |« mot » |l’eau |“Hi”
it |costs |$5, |5€, |€5 |or |10% |of |-3
C++ |and |x_y |are |2 + |2
**bold** |_it_ |`code` |~~gone~~ |[link]|(url)
foo|(bar)|[0] = |{"a":|"b"}
--flag |@user |#tag |<b>
♥ |love |→ |you
👩‍👩‍👧|🇩🇪|🇫🇷|👍🏽 |❤️ |1️⃣!
中文|分词|其实|很|难，|我|喜欢|“北京”。
私|は|東京|で|「日本語」|を|勉強|し|てい|ます。
ฉัน|ชอบ|กิน|ข้าว|ผัด|กับ|ไก่
मुझे |हिन्दी |फ़िल्में |बहुत |पसंद |हैं।
أنا |أحب |هذا |الفيلم |جدًا! |(حقا؟)
이 |영화는 |정말 |재미있었어요.
ຂ້ອຍ|ຮັກ|ພາສາ|ລາວ
I |love |NLP|和|机器|学习 |in |東京タワー!
привет, |«мир» — |и |всё
שלום, |עולם!
n\u0303o |e\u0301te\u0301
""".strip().splitlines()

SPELLED_OUT_LINES = [
    "# Title\n\n|- one |**bold**\n|- two\n\n|> (three)\n",
    "def |f|(x):\n    |return |x+|1  # |done\n",
    "  \n(so |good)",
    "one\r\n|two\x00 |three",
]


@pytest.mark.parametrize("cut", [*SPELLED_OUT, *SPELLED_OUT_LINES])
def test_words_as_a_reader_sees_them(cut):
    assert Words()(cut.replace("|", "")).pieces == tuple(cut.split("|"))


@pytest.mark.parametrize("text", ["!!!", "?! ...", "$", "\x00", "\u200b", ' "" '])
def test_a_text_without_a_word_is_one_unit(text):
    assert Words()(text).pieces == (text,)


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("so good", "en"),
        ("3.14!", "en"),
        ("日本語を勉強する", "ja"),
        ("我喜欢北京", "zh"),
        ("정말 재미", "ko"),
        ("กินข้าว", "th"),
        ("ຮັກ", "lo"),
        ("ភាសា", "km"),
        ("မြန်မာ", "my"),
        ("पसंद हैं", "hi"),
        ("أحب", "ar"),
        ("שלום", "he"),
        ("γιατί", "el"),
        ("привет, world", "ru"),
        ("in a word, привет", "en"),
    ],
)
def test_the_locale_is_guessed_from_most_characters(text, locale):
    assert Words()(text).locale == locale
    assert Words(locale="sv")(text).locale == "sv"


def test_the_rules_of_the_locale_apply():
    text = "Why; Who knows."
    assert Sentences(locale="en")(text).pieces == (text,)
    assert Sentences(locale="el")(text).pieces == ("Why; ", "Who knows.")


@pytest.mark.parametrize("locale", ["english", "", "en us", "!!", None, 3, "e"])
@pytest.mark.parametrize("segmenter", [Words, Sentences])
def test_a_bad_locale_is_an_error(segmenter, locale):
    with pytest.raises(ArgumentError, match="locale: expected 'auto' or a locale such as"):
        segmenter(locale=locale)


@pytest.mark.parametrize("locale", ["en", "pt_BR", "zh-Hans", "de@ss=standard", "sr-Latn-RS"])
def test_good_locales_are_taken(locale):
    assert Words(locale=locale)("a b").pieces == ("a ", "b")


jumbles = st.text(
    alphabet=st.one_of(
        st.sampled_from('\u200d\ufe0f\u20e3\u0301👩🏽🇩🇪1( ."\r\n\u0600'),
        *(
            st.characters(min_codepoint=first, max_codepoint=last)
            for first, last in ((0x900, 0x97F), (0xE00, 0xEFF), (0x1000, 0x11FF), (0x1780, 0x17FF))
        ),
    ),
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(text=jumbles)
@pytest.mark.parametrize("segmenter", [Words(), Sentences()], ids=repr)
def test_no_character_of_a_reader_is_parted(segmenter, text):
    characters = {start for start, _ in Characters()(text).spans}
    assert {start for start, _ in segmenter(text).spans} <= characters


def test_a_letter_that_clings_to_what_opens_a_text_hides_no_later_word():
    assert Words()(".ำ ดี มาก").pieces == (".ำ ", "ดี ", "มาก")


def test_no_japanese_word_begins_with_a_small_kana():
    labels = Words()("この映画は本当に面白かったです。もう一度見たい！").labels
    assert labels == (
        "この", "映画", "は", "本当に", "面白", "かっ", "た", "です", "もう一度", "見", "たい",
    )  # fmt: skip
    assert Words()("っ").labels == ("っ",)


def test_a_label_is_the_whole_emoji():
    england, scotland = (
        "\U0001f3f4" + "".join(map(chr, tags))
        for tags in (
            (0xE0067, 0xE0062, 0xE0065, 0xE006E, 0xE0067, 0xE007F),
            (0xE0067, 0xE0062, 0xE0073, 0xE0063, 0xE0074, 0xE007F),
        )
    )
    assert Words()(f"{england} against {scotland}!").labels == (england, "against", scotland)
    # A character that Python does not know yet, as it may be an emoji of a later Unicode.
    assert Sentences()("So tired \U0001fae9! Bye.").labels == ("So tired \U0001fae9", "Bye")
