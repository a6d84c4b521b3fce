"""Templates with fields."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError, SegmentationError
from perturbx.units import FRAME, Custom, Sentences, Template, Units, Words

literals = st.text(alphabet="ab {}:\n中", max_size=8)
values = st.text(alphabet="cd .{}é\n中", max_size=12)


def escape(literal: str) -> str:
    return literal.replace("{", "{{").replace("}", "}}")


@settings(max_examples=100, deadline=None)
@given(
    a=literals,
    b=literals,
    c=literals,
    first=values,
    second=values,
    fields=st.sampled_from([None, ("x",), ("y",), ()]),
)
def test_just_the_values_are_played_with(a, b, c, first, second, fields):
    template = Template(escape(a) + "{x}" + escape(b) + "{y}" + escape(c))
    assert template.fields == ("x", "y")
    units = template.units("words", fields=fields, x=first, y=second)
    assert units.text == a + first + b + second + c == template.fill(x=first, y=second)
    played = ("x", "y") if fields is None else fields
    expected = [Words()({"x": first, "y": second}[name]).pieces for name in played]
    assert units.pieces == tuple(piece for pieces in expected for piece in pieces)
    characters = {i for span in units.spans for i in range(*span)}
    assert not characters & {i for span in units.frozen for i in range(*span)}


def test_the_frame_is_recorded_as_frozen():
    units = Template("Review: {review}\nSentiment:").units("words", review="So good. So")
    assert units.parts == (
        (FRAME, "Review: "),
        (0, "So "),
        (1, "good. "),
        (2, "So"),
        (FRAME, "\nSentiment:"),
    )
    assert units.frozen == ((0, 8), (19, 30))
    assert units.level == "words"


def test_values_are_not_read_as_templates():
    template = Template("{{{x}}}")
    assert template.fill(x="{y}") == "{{y}}"
    assert template.units(x="{y}").pieces == ("{y}",)


def test_a_field_that_stands_twice_is_played_with_once():
    units = Template("{name} is {what}; is {name}?").units(name="Ann Lee", what="in")
    assert units.pieces == ("Ann ", "Lee", "in")
    assert units.unit_of_span == (0, 1, 2, 0, 1)


def test_two_fields_never_share_a_unit():
    units = Template("Q: {q} A: {a}").units("sentences", q="Who knows", a="no one")
    assert units.pieces == ("Who knows", "no one")


def test_segmenters_of_every_kind_cut_the_values():
    template = Template("> {x} <")
    assert template.units(str.split, x="a b").pieces == ("a ", "b")
    assert template.units(Words(frozen="b"), x="a b c").parts[1:4] == (
        (0, "a "),
        (FRAME, "b "),
        (1, "c"),
    )
    types = Custom(lambda text: Units(text, ((0, 1), (2, 3)), (0, 0), level="types"))
    units = template.units(types, x="a a")
    assert (units.unit_of_span, units.level) == ((0, 0), "types")


def test_without_a_value_or_a_field_nothing_is_played_with():
    assert Template("> {x} <").units(x="").n_units == 0
    assert Template("no field").units().parts == ((FRAME, "no field"),)
    assert Template("").units().parts == ()
    assert Template("{x}").units(Sentences(), fields=[], x="So.").level == "sentences"


@pytest.mark.parametrize(
    "template", ["{}", "{0}", "{a.b}", "{a[0]}", "{a:>3}", "{a!r}", "{", "}", "{units}", 3, "{a b}"]
)
def test_a_template_that_cannot_be_filled_is_an_error(template):
    with pytest.raises(ArgumentError, match=r"^template: "):
        Template(template)


def test_values_must_fit_the_fields():
    template = Template("{a} {b}")
    with pytest.raises(ArgumentError, match=r"missing: \['b'\], unknown: \['c'\]"):
        template.fill(a="1", c="2")
    with pytest.raises(ArgumentError, match="b: expected a string; got 2"):
        template.units(a="1", b=2)
    for fields in (["c"], "a"):
        with pytest.raises(ArgumentError, match=r"fields: expected names among \['a', 'b'\]"):
            template.units(fields=fields, a="1", b="2")
    with pytest.raises(SegmentationError, match="position 2 is a lone surrogate"):
        template.units(fields=["a"], a="1", b="\ud800")


def test_templates_are_values():
    template = Template("{a}")
    assert pickle.loads(pickle.dumps(template)) == template != Template("{b}")
    assert repr(template) == "Template(template='{a}')"
