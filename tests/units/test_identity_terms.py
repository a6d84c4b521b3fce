"""Identity terms as units."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError
from perturbx.lexicons import Lexicon, as_lexicons, find_mentions
from perturbx.maskers import Delete
from perturbx.units import IdentityTerms


@pytest.mark.parametrize(
    ("lexicons", "text", "pieces"),
    [
        ("all", "I hate black women!", ("black ", "women")),
        # "a man", "a person"; but "an actress" could become "a performer".
        ("gender", "A woman met an actress.", ("woman ", "an actress")),
        ("gender", "An aunt met a boy", ("An aunt ", "boy")),
        ("ethnicity", "an American, a Mexican", ("an American", "a Mexican")),
        ("ethnicity", "the American", ("American",)),
        ("ethnicity", "a american", ("american",)),
        ("gender", "the ladies' room, men's and kids'", ("ladies' ", "men")),
        ("gender", "the lady's room", ("lady",)),
        ("gender", "She\nher", ("She", "her")),
        ("gender", "Nobody is pregnant.", ()),
        ("zh_gender", "她的妈妈", ("她", "妈妈")),
    ],
)
def test_terms_are_units_with_their_articles(lexicons, text, pieces):
    units = IdentityTerms(lexicons)(text)
    assert units.pieces == pieces
    assert units.level == "identity terms"


HOW = ("context", "always", "never")
WORDS = st.lists(
    st.sampled_from(["a", "an", "woman", "American", "he", "old", "black", "car", "is", ".", "\n"]),
    max_size=12,
)


@given(WORDS)
def test_every_mention_lies_in_a_unit_of_its_own(words):
    text = " ".join(words)
    units = IdentityTerms()(text)
    mentions = [m for m in find_mentions(as_lexicons(), text) if m.is_swappable]
    assert len(units) == len(mentions)
    for mention, (start, stop) in zip(mentions, units.spans, strict=True):
        assert start <= mention.start < mention.stop <= stop
        rest = text[start : mention.start] + text[mention.stop : stop]
        assert rest.strip().lower() in ("", "a", "an")


def test_deleted_terms_leave_no_double_space():
    units = IdentityTerms(["ethnicity", "gender"])("He likes black women here.")
    assert Delete().variants(units, [[True, False, True], [True, False, False]]).texts == [
        "He likes women here.",
        "He likes here.",
    ]


def test_pairs_frozen_spans_and_parameters():
    units = IdentityTerms("gender", frozen="sister")(("she and her sister", "his"))
    assert units.pieces == ("she ", "her ", "his")
    assert [len(IdentityTerms("ethnicity", ambiguous=a)("a black car")) for a in HOW] == [0, 1, 0]
    assert len(IdentityTerms(["gender"], language="zh")("他 he")) == 1
    own = Lexicon.from_rows([{"form": "noun", "kind": "symmetric", "a": "x", "b": "y"}], name="xy")
    segmenter = IdentityTerms(own)
    assert segmenter("x y").pieces == ("x ", "y")
    assert pickle.loads(pickle.dumps(segmenter)) == segmenter


def test_unknown_parameters_are_refused():
    with pytest.raises(ArgumentError, match="lexicon: expected one of"):
        IdentityTerms("height")
    with pytest.raises(ArgumentError, match="ambiguous: "):
        IdentityTerms("gender", ambiguous="no")
