"""Lexicons: what is read, and what is found in a text."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError
from perturbx.lexicons import (
    Lexicon,
    as_lexicons,
    counterfactuals,
    find_mentions,
    lexicon_names,
    load_lexicon,
)

HEADER = "form,kind,ambiguous,neutral,cat,dog\n"


def terms(text, what="all", **options):
    language = options.pop("language", "en")
    found = find_mentions(as_lexicons(what, language=language), text, **options)
    return [(mention.term, mention.group) for mention in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The manifest showed humane theory.", []),
        ("My step-mother’s sister-in-law", ["step-mother", "sister-in-law"]),
        ("African-American, african american", ["African-American", "african american"]),
        ("Yes, ma’am!", ["ma’am"]),
        ("我是gay，不是straight。", ["gay", "straight"]),
        ("Help us in the US.", ["the US"]),
        ("A Pole polished the pole.", ["Pole"]),
        ("Will he? Will Smith will.", ["he", "Will"]),
        ("I miss Miss Jones.", ["Miss"]),
        ("Mary Charles knows Justin Mary.", ["Mary", "Justin"]),
        ("He speaks French with French people in English.", ["He", "French people"]),
    ],
)
def test_whole_words_in_any_writing(text, found):
    own = Lexicon.from_rows(
        [{"form": "noun", "kind": "symmetric", "a": "step mother", "b": "step father"}],
        name="step",
    )
    wanted = {"gender", "ethnicity", "orientation"}
    lexicons = [own, *(one for one in as_lexicons() if one.attribute in wanted)]
    named = [m.term for m in find_mentions(lexicons, text)]
    assert named == found


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("black people", True),
        ("murder black", True),
        ("I am black and proud", True),
        ("a black man in black", True),
        ("black, white", True),
        ("the old black man", True),
        ("black and white people", True),
        ("a black young man", True),
        ("Being black is hard.", True),
        ("in black people's nature", True),
        ("a black car", False),
        ("black and white photo", False),
        ("dressed in black", False),
        ("the black market", False),
    ],
)
def test_words_with_another_sense_count_where_people_are_meant(text, counts):
    assert any(m.term == "black" for m in load_lexicon("ethnicity").find(text)) == counts


@pytest.mark.parametrize(
    ("text", "word", "counts"),
    [
        ("He is 5 years old.", "old", False),
        ("He is old.", "old", True),
        ("an old car", "old", False),
        ("the old are wise", "old", True),
        ("a straight line", "straight", False),
        ("he went straight home", "straight", False),
        ("straight couples", "straight", True),
        ("You are a great straight", "straight", True),
        ("a blind date", "blind", False),
        ("she was blind to it", "blind", False),
        ("she was blind and kind", "blind", True),
        ("for hearing me", "hearing", False),
        ("hearing people", "hearing", True),
    ],
)
def test_other_words_with_another_sense(text, word, counts):
    lexicons = as_lexicons(["age", "orientation", "disability"])
    assert any(m.term == word for m in find_mentions(lexicons, text)) == counts


def test_words_with_another_sense_always_or_never():
    lexicon = load_lexicon("ethnicity")
    assert [m.term for m in lexicon.find("a black car", ambiguous="always")] == ["black"]
    assert lexicon.find("black people", ambiguous="never") == ()
    with pytest.raises(ArgumentError, match=r"ambiguous: .*got 'sometimes'"):
        lexicon.find("", ambiguous="sometimes")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("其他人喜欢她和他的吉他。", ["她", "他"]),
        ("工厂首先生产汽车", []),
        ("先生和太太", ["先生", "太太"]),
        ("女医生说男孩子很好", ["女医生", "男孩子"]),
        ("做法国人很好", ["法国人"]),
        ("黑人们和老人家", ["黑人们", "老人家"]),
        ("小姐姐有子女", []),
        ("他是同志", ["他", "同志"]),
        ("同志精神", []),
        ("老婆饼和奶奶灰都好", []),
        ("拉拉队在少年宫", []),
        ("盲人摸象", []),
        ("主教练知道士兵", []),
        ("老婆和老婆婆", ["老婆", "老婆婆"]),
    ],
)
def test_chinese_words_are_whole_words(text, found):
    assert [term for term, _ in terms(text, language="zh")] == found


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("the Chinese are many", "plural"),
        ("Chinese food", "adjective"),
        ("I am Chinese", "adjective"),
        ("a nice Chinese", "noun"),
        ("You are a awful american", "noun"),
        ("american people", "adjective"),
        ("She is Muslim and kind", "adjective"),
    ],
)
def test_nouns_and_adjectives_are_told_apart(text, form):
    [mention] = find_mentions(as_lexicons(["ethnicity", "religion"]), text)
    assert mention.form == form


@given(st.text(max_size=60))
def test_mentions_are_where_they_say(text):
    for language in ("en", "zh"):
        found = find_mentions(as_lexicons(language=language), text, ambiguous="always")
        assert all(text[m.start : m.stop] == m.term for m in found)
        edges = [edge for m in found for edge in (m.start, m.stop)]
        assert edges == sorted(edges)


def test_the_longer_of_two_lexicons_counts():
    assert terms("an old man", ["gender", "age"]) == [("old man", "old")]
    assert terms("an old man", ["gender"]) == [("man", "male")]


def test_lexicons_by_name_path_or_as_they_are(tmp_path):
    path = tmp_path / "en_pets.csv"
    path.write_text(HEADER + "noun,symmetric,,pet,cat|kitty,dog\n", encoding="utf-8")
    lexicon = Lexicon.read(path)
    assert (lexicon.attribute, lexicon.language, lexicon.groups) == ("pets", "en", ("cat", "dog"))
    for what in (lexicon, path, str(path), [lexicon, path]):
        assert as_lexicons(what) == (lexicon,)
    assert pickle.loads(pickle.dumps(lexicon)) == lexicon
    assert {one.name for one in as_lexicons("all", language="zh")} < set(lexicon_names())
    assert as_lexicons("all") + as_lexicons("zh_age") == as_lexicons(["all", "zh_age"])
    assert [c.text for c in counterfactuals("A kitty.", path)] == ["A dog."]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("noun,symetric,,,cat,dog\n", r"line 2: kind: .*'symetric'"),
        (",symmetric,,,cat,dog\n", r"line 2: form"),
        ("noun,symmetric,,,cat\n", r"line 2: expected 6 cells .* got 5"),
        ("noun,symmetric,,pet,,\n", r"line 2: expected a spelling"),
        ("noun,symmetric,bat,,cat,dog\n", r"line 2: ambiguous: .*bat"),
        ("noun,symmetric,,,cat,dog\n\nplural,context,,,Dog,\n", r"line 4: 'Dog' .* in line 2"),
        ("idiom,other,,,hot dog,\n", r"line 2: .* column neutral"),
        ("", r"a header and a row"),
    ],
)
def test_a_wrong_file_is_an_error_that_names_the_line(tmp_path, rows, message):
    path = tmp_path / "pets.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    with pytest.raises(ArgumentError, match=message) as caught:
        Lexicon.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("form,kind,cat,cat", r"line 1: has more than one column 'cat'"),
        ("form,kinds,cat,dog", r"line 1: expected the columns form, kind"),
        ("form,kind,Neutral,cat,dog", r"line 1: .* got 'form', 'kind', 'Neutral', 'cat', 'dog'"),
    ],
)
def test_a_wrong_header_is_an_error_of_the_first_line(tmp_path, header, message):
    path = tmp_path / "pets.csv"
    path.write_text(header + "\nnoun,symmetric" + ",x" * (header.count(",") - 1) + "\n")
    with pytest.raises(ArgumentError, match=message):
        Lexicon.read(path)


def test_other_wrong_lexicons():
    with pytest.raises(ArgumentError, match=r"en_gender.*Lexicon\.read"):
        load_lexicon("height")
    with pytest.raises(ArgumentError, match=r"language: .*'de'"):
        as_lexicons("all", language="de")
    with pytest.raises(ArgumentError, match="one at least"):
        as_lexicons([])
    with pytest.raises(ArgumentError, match="lexicons: expected a name"):
        as_lexicons(3)
    with pytest.raises(ArgumentError, match="cannot read"):
        as_lexicons("no_such_file.csv")
    with pytest.raises(ArgumentError, match="rows: "):
        Lexicon.from_rows([], name="pets")
    with pytest.raises(ArgumentError, match=r"pets, row 1: .*columns form, kind"):
        Lexicon.from_rows([{"cat": "cat"}], name="pets")
    with pytest.raises(ArgumentError, match=r"pets, row 2: .*groups cat as in the first"):
        Lexicon.from_rows(
            [
                {"form": "noun", "kind": "symmetric", "cat": "cat"},
                {"form": "noun", "kind": "symmetric", "dog": "dog"},
            ],
            name="pets",
        )


def test_a_language_without_rules_takes_the_first_row():
    lexicon = Lexicon.from_rows(
        [
            {
                "form": "noun",
                "kind": "symmetric",
                "ambiguous": "yes",
                "female": "mujer",
                "male": "hombre",
            }
        ],
        name="es_gender",
        language="es",
    )
    assert [m.term for m in lexicon.find("Una MUJER roja")] == ["MUJER"]


@pytest.mark.parametrize(
    ("terms", "text", "found"),
    [
        (("Großmutter", "Opa"), "Großmutter, GROSSMUTTER, Grossmutter!", 3),
        (("weiß", "schwarz"), "weiß, WEISS, weisse", 2),
        (("पुरुष", "महिला"), "पुरुषों और पुरुष, महिला।", 2),
        (("fiance", "fiancee"), "the fiance\N{COMBINING ACUTE ACCENT} and the fiance", 1),
        (("रानी", "नर"), "वानर और नर, रानी।", 2),
        (("mere", "pere"), "e\N{COMBINING ACUTE ACCENT}pere pere", 1),
        (("رجل", "امرأة"), "رجلٌ رجل", 2),
        (("رجل", "امرأة"), "مُرجل رجلُهم رجل", 1),
        (("gay", "hetero"), "が\N{COMBINING KATAKANA-HIRAGANA VOICED SOUND MARK}gay", 1),
        (("男", "女"), "e\N{COMBINING ACUTE ACCENT}男", 1),
    ],
)
def test_a_letter_is_whole_with_its_signs_and_in_any_case(terms, text, found):
    row = {"form": "noun", "kind": "symmetric"} | dict(zip("ab", terms, strict=True))
    own = Lexicon.from_rows([row], name="own", language="xx")
    assert len(own.find(text)) == found
