"""Groups of units as units, and the groups that a tree offers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturbx.exceptions import SegmentationError
from perturbx.units import Tree, as_segmenter, hierarchy
from perturbx.units.bag_of_words import BagOfWords
from perturbx.units.coarsen import coarsen

TEXT = "He left, too. She stayed (in the house).\n\nWhy? 我很高兴。Nobody knows."


@given(st.integers(1, 30), st.integers(1, 40), st.data())
def test_the_parts_of_a_node_are_its_leaves_once(n_units, n_parts, data):
    tree = Tree.balanced(n_units)
    node = data.draw(st.integers(0, tree.root))
    parts = [tree.leaves(part) for part in tree.split(node, n_parts)]
    assert [leaf for part in parts for leaf in part] == sorted(tree.leaves(node))
    assert len(parts) == min(n_parts, len(tree.leaves(node)))


def test_the_largest_part_is_split_first():
    tree = Tree.balanced(16)
    sizes = [len(tree.leaves(part)) for part in tree.split(tree.root, 5)]
    assert sorted(sizes) == [2, 2, 4, 4, 4]


@given(st.integers(1, 20))
def test_coarser_units_hold_the_same_text(n_parts):
    units = hierarchy(as_segmenter("words")(TEXT))
    parts = units.tree.split(units.tree.root, n_parts)
    coarse = coarsen(units, [units.tree.leaves(part) for part in parts])
    assert "".join(coarse.pieces) == TEXT
    assert coarse.n_units == min(n_parts, units.n_units)


def test_groups_of_one_are_the_units():
    units = as_segmenter("words")(TEXT)
    assert coarsen(units, [(unit,) for unit in range(units.n_units)]) == units


def test_units_that_own_several_spans_keep_them():
    units = BagOfWords()("to be or not to be")
    coarse = coarsen(units, [(0, 1), (2, 3)])
    assert coarse.n_units == 2
    owned = "".join(coarse.text[start:stop] for start, stop in coarse.spans)
    assert sorted(owned) == sorted("".join(units.text[a:b] for a, b in units.spans))


@pytest.mark.parametrize("groups", [[(0,)], [(0, 1), (1, 2)], [(0, 1, 2, 3)]])
def test_every_unit_is_in_one_group(groups):
    with pytest.raises(SegmentationError, match="groups"):
        coarsen(as_segmenter("words")("so very good"), groups)


def test_a_group_is_called_by_all_its_words_whatever_stands_between_them():
    """Units that own no space between them do not touch."""
    words = BagOfWords()("well, all is well")
    assert coarsen(words, [(0, 1), (2,)]).labels == ("well … all", "is")
    assert coarsen(as_segmenter("words")("all is well"), [(0, 1), (2,)]).labels == (
        "all is",
        "well",
    )
