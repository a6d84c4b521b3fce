import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.reports.safe_text import one_line, segment_parts, visible
from perturbx.units.units import Units

any_text = st.text(alphabet=st.characters(), max_size=40) | st.text(
    alphabet="\x00\x1b\x7f\x9b\u202e\u2066\ud800\r\n\t ab", max_size=20
)
ACTING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@given(any_text)
@settings(deadline=None)
def test_nothing_that_acts_is_left(text):
    shown = visible(text)
    shown.encode("utf-8")
    assert all(c in "\t\n" or unicodedata.category(c) != "Cc" for c in shown)
    assert not ACTING & {unicodedata.bidirectional(c) for c in shown}
    assert visible(shown) == shown


@given(st.text(alphabet=st.characters(categories=["L", "M", "N", "P", "S", "Zs"]), max_size=40))
@settings(deadline=None)
def test_harmless_text_is_shown_as_it_is(text):
    assert visible(text) == text


def test_joiners_that_letters_and_emoji_need_stay():
    assert visible("👩\u200d👧 می\u200cخواهم \u200f") == "👩\u200d👧 می\u200cخواهم \u200f"


@given(any_text.filter(bool), st.integers(2, 12))
@settings(deadline=None)
def test_a_label_is_one_line_that_fits_and_is_never_blank(text, limit):
    line = one_line(text, limit)
    assert 0 < len(line) <= limit
    assert len(line.splitlines()) == 1
    assert line.strip() == line


@pytest.mark.parametrize(("cut", "shown"), [(5, ["ab cd", " ef"]), (2, ["ab", " cd ef"])])
def test_a_pair_is_cut_where_its_second_text_starts(cut, shown):
    units = Units("ab cd ef", ((0, 3), (6, 8)), segments=((0, cut), (cut, 8)))
    segments = segment_parts(units)
    assert ["".join(part for _, part in parts) for parts in segments] == shown


def test_the_parts_of_all_segments_are_the_text(drawn):
    @given(drawn)
    @settings(deadline=None, max_examples=50)
    def law(explanation):
        segments = segment_parts(explanation.units)
        assert "".join(part for parts in segments for _, part in parts) == explanation.text

    law()
