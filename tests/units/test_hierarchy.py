"""Groups, hierarchies and trees."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError
from perturbx.units import (
    Characters,
    Custom,
    Paragraphs,
    Regex,
    Sentences,
    Spans,
    Tree,
    Units,
    Words,
    group,
    hierarchy,
)
from perturbx.units.prompts import with_responses

LEVELS = [Characters(), Words(), Sentences(), Paragraphs(), Regex(r"\w+"), Spans([])]

texts = st.text(alphabet="ab., \n中。é", max_size=40)


def depth_of(tree: Tree) -> int:
    depth = [0] * tree.n_units
    for node in tree.children:
        depth.append(1 + max(depth[child] for child in node))
    return depth[-1] if depth else 0


def shape_of(units: Units) -> list[str]:
    """Return the text below each inner node, a bar between its children, the root first."""
    tree = units.tree
    return [
        "|".join("".join(units.pieces[leaf] for leaf in tree.leaves(child)) for child in node)
        for node in reversed(tree.children)
    ]


@settings(max_examples=150, deadline=None)
@given(
    text=texts | st.tuples(texts, texts),
    fine=st.sampled_from(LEVELS),
    coarse=st.sampled_from(LEVELS),
)
def test_every_unit_is_in_the_one_group_that_holds_its_first_character(text, fine, coarse):
    units, coarser = fine(text), coarse(text)
    groups = group(units, coarser)
    assert len(groups) == max(coarser.n_units, 1)
    assert sorted(unit for members in groups for unit in members) == list(range(units.n_units))
    for number, members in enumerate(groups if coarser.n_units else ()):
        start, stop = coarser.first_spans[number]
        assert all(start <= units.first_spans[unit][0] < stop for unit in members)
    assert groups == group(units, coarse) == units.group(coarse)


def test_a_unit_in_the_frame_of_the_coarser_ones_goes_to_those_before():
    units = Words()("one two three four")
    assert group(units, [(4, 7), (8, 13)]) == ((0, 1), (2, 3))
    assert group(units, Spans([])) == ((0, 1, 2, 3),)
    assert group(units, "characters")[:5] == ((0,), (), (), (), (1,))


def test_units_that_own_several_spans_group_by_the_first():
    types = Custom(lambda text: Units(text, ((0, 1), (2, 3), (4, 5)), (0, 1, 0)))
    assert group(types("a b a"), [(0, 2), (2, 5)]) == ((0,), (1,))
    assert group(Words()("a b a"), types("a b a")) == ((0, 2), (1,))


def test_units_of_another_text_are_an_error():
    with pytest.raises(ArgumentError, match="coarser: its text is not that of the units"):
        group(Words()("a b"), Words()("a c"))


def test_a_hierarchy_splits_paragraphs_then_sentences_then_clauses():
    units = hierarchy(Words()("He came, saw, won. She left.\n\nNobody else did."))
    assert shape_of(units) == [
        "He came, saw, won. She left.\n\n|Nobody else did.",
        "Nobody else |did.",
        "Nobody |else ",
        "He came, saw, won. |She left.\n\n",
        "She |left.\n\n",
        "He came, |saw, won. ",
        "saw, |won. ",
        "He |came, ",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "well, he did not come at all",
        "当然，我不喜欢北京的冬天",
        "はい、私は日本語を勉強します",
        "نعم، أنا أحب هذا الفيلم جدا",
        "हाँ; मुझे यह बहुत पसंद है",
        'he "said," they all say',
        "Title\nand so on and on",
        "item (one), and more and more",
    ],
)
def test_clauses_are_split_before_halves_in_every_script(text):
    units = hierarchy(Words()(text), levels=())
    left = units.tree.leaves(units.tree.children[-1][0])
    clause = "".join(units.pieces[unit] for unit in left).rstrip()
    assert clause.rstrip('"').endswith((",", "，", "、", "،", ";", "Title"))


@settings(max_examples=100, deadline=None)
@given(
    text=texts | st.tuples(texts, texts),
    fine=st.sampled_from(LEVELS),
    levels=st.lists(st.sampled_from(["words", "sentences", "paragraphs"]), max_size=3),
)
def test_a_hierarchy_is_a_binary_tree_over_the_same_units(text, fine, levels):
    units = fine(text)
    result = hierarchy(units, levels=levels)
    tree = result.tree
    assert (result.spans, result.unit_of_span) == (units.spans, units.unit_of_span)
    assert all(len(node) == 2 for node in tree.children)
    if units.n_units:
        assert tree.leaves(tree.root) == tuple(range(units.n_units))


@given(text=texts.filter(str.strip), said=st.lists(texts.filter(bool), min_size=1, max_size=2))
def test_what_was_said_to_a_prompt_changes_no_hierarchy_of_it(text, said):
    units = Words()(text)
    assert hierarchy(with_responses(units, *said)).tree == hierarchy(units).tree


@settings(max_examples=60, deadline=None)
@given(text=texts)
def test_a_sentence_is_a_node(text):
    units = hierarchy(Words()(text), levels=("sentences",))
    nodes = [units.tree.leaves(node) for node in range(units.tree.root + 1)]
    for members in group(units, "sentences"):
        assert not members or members in nodes


def test_a_level_may_be_anything_that_cuts():
    units = Words()("a b c d")
    halves = Custom(lambda text: [(0, 2), (2, 7)])
    assert shape_of(hierarchy(units, levels=(halves,)))[0] == "a |b c d"
    with pytest.raises(ArgumentError, match="units: expected one of"):
        hierarchy(units, levels=("sentence",))


@pytest.mark.parametrize("text", ["word, " * 10_000, "word " * 100_000, "a b. c d, e\n\n" * 2_000])
def test_large_hierarchies_are_shallow(text):
    units = hierarchy(Words()(text))
    assert depth_of(units.tree) <= 2 * math.log2(units.n_units) + 2


def test_hierarchies_of_none_and_one():
    assert hierarchy(Words()("")).tree == Tree(0, ())
    assert hierarchy(Words()("one")).tree == Tree(1, ())


@settings(max_examples=60, deadline=None)
@given(text=texts, data=st.data())
def test_a_tree_of_some_units_has_their_part_of_every_node(text, data):
    units = hierarchy(Words()(text))
    kept = sorted(data.draw(st.sets(st.sampled_from(range(units.n_units))))) if text.strip() else []
    part = units.subset(kept).tree
    assert part.n_units == len(kept)
    expected = {
        tuple(leaf for leaf in units.tree.leaves(node) if leaf in kept)
        for node in range(units.tree.root + 1)
    }
    found = [tuple(kept[leaf] for leaf in part.leaves(node)) for node in range(part.root + 1)]
    assert {leaves for leaves in expected if leaves} == set(found)
    assert len(set(found)) == len(found)


def test_deep_trees_are_read_without_recursion():
    n_units = 5_000
    nodes = np.arange(n_units, 2 * n_units - 1)
    left = np.concatenate([[0], nodes[:-1]])
    linkage = np.stack([left, np.arange(1, n_units), nodes, nodes], axis=1).astype(float)
    tree = Tree.from_linkage(linkage)
    assert tree.leaves(tree.root) == tuple(range(n_units))
    assert depth_of(tree) == n_units - 1


@settings(max_examples=30, deadline=None)
@given(n_units=st.integers(0, 200))
def test_balanced_trees_halve(n_units):
    tree = Tree.balanced(n_units)
    assert depth_of(tree) == (math.ceil(math.log2(n_units)) if n_units else 0)
    if n_units:
        assert tree.leaves(tree.root) == tuple(range(n_units))


def test_a_tree_of_lists_or_numpys_numbers_is_that_of_tuples():
    tree = Tree(3, ((0, 1), (3, 2)))
    for children in ([[0, 1], [3, 2]], np.array([[0, 1], [3, 2]])):
        same = Tree(np.int64(3), children)
        assert same == tree
        assert hash(same) == hash(tree)
        assert json.loads(json.dumps([same.n_units, *same.children])) == [3, [0, 1], [3, 2]]


@pytest.mark.parametrize("children", [((0, 1.5), (3, 2)), None, (0, 1), "ab"])
def test_children_that_are_no_numbers_are_an_error(children):
    with pytest.raises(ArgumentError, match="children: expected the numbers"):
        Tree(3, children)


@pytest.mark.parametrize(
    ("n_units", "children"),
    [
        (3, ((0, 1),)),
        (3, ((0, 1), (0, 2))),
        (2, ((0, 2),)),
        (2, ((0,), (1, 2))),
        (2, ((-1, 0),)),
        (1, ((0, 0),)),
        (0, ((0, 1),)),
        (2, ()),
        (2, ((), (0, 1, 2))),
    ],
)
def test_what_is_no_tree_is_an_error(n_units, children):
    with pytest.raises(ArgumentError, match="children: every node below the root"):
        Tree(n_units, children)
