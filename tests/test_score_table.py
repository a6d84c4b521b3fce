"""The table: saved, reloaded, merged, selected."""

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError, TableError
from perturbx.score_table import ScoreTable
from perturbx.units.tree import Tree
from perturbx.units.units import Units

UNITS = Units("真 good ไทย", ((0, 2), (2, 7), (7, 10)), tree=Tree(3, ((0, 1), (3, 2))))


def table_of(masks, *, n_outputs=2, seed=0, **options):
    masks = np.asarray(masks, dtype=bool)
    scores = np.random.default_rng(seed).random((len(masks), n_outputs))
    names = tuple("abcdefgh"[:n_outputs])
    return ScoreTable(masks, scores, names, **options)


def all_masks(n):
    return np.array([[bool(i >> k & 1) for k in range(n)] for i in range(2**n)])


def assert_equal(one, two):
    assert one.units == two.units
    assert dict(one.provenance) == dict(two.provenance)
    for name in ("output_names", "design", "paired", "exhaustive", "kind", "exclusive", "n_calls"):
        assert getattr(one, name) == getattr(two, name)
    for name in ("masks", "scores", "variances", "counts", "probabilities", "walks"):
        left, right = getattr(one, name), getattr(two, name)
        assert (left is None) == (right is None)
        if left is not None:
            np.testing.assert_array_equal(left, right)
            assert left.dtype == right.dtype


@settings(max_examples=25, deadline=None)
@given(
    n_masks=st.integers(0, 9),
    n_units=st.integers(0, 19),
    n_outputs=st.integers(1, 3),
    data=st.data(),
)
def test_saved_and_loaded_is_the_same(tmp_path_factory, n_masks, n_units, n_outputs, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    masks = np.unique(rng.random((n_masks, n_units)) < 0.5, axis=0)
    n_masks = len(masks)
    table = table_of(
        masks,
        n_outputs=n_outputs,
        variances=rng.random((n_masks, n_outputs)) if data.draw(st.booleans()) else None,
        probabilities=rng.random(n_masks) if data.draw(st.booleans()) else None,
        counts=rng.integers(1, 9, n_masks),
        variant_of_row=rng.integers(0, 3, n_masks),
        design="leverage",
        kind="logit",
        provenance={"model": "m", "seed": 3, "who": "é"},
    )
    path = table.save(tmp_path_factory.mktemp("tables") / "table.npz")
    assert_equal(ScoreTable.load(path), table)
    assert_equal(ScoreTable.from_dict(json.loads(json.dumps(table.to_dict()))), table)
    assert_equal(pickle.loads(pickle.dumps(table)), table)


def test_units_and_walks_travel_too(tmp_path):
    masks = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1], [0, 0, 1], [0, 1, 1]]
    walks = np.array([[0, 1, 2, 3], [0, 4, 5, 3]])
    table = table_of(masks, units=UNITS, walks=walks)
    again = ScoreTable.load(table.save(tmp_path / "t.npz"))
    assert_equal(again, table)
    assert again.units.tree == UNITS.tree


def test_a_file_that_is_no_table_says_so(tmp_path):
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "other.npz", a=np.arange(3))
    np.savez(tmp_path / "format.npz", record=np.array(json.dumps({"format": "x/9"})))
    for name in ("text.npz", "other.npz", "format.npz"):
        with pytest.raises(TableError, match="path"):
            ScoreTable.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        ScoreTable.load(tmp_path / "missing.npz")


def test_a_damaged_file_is_no_table_or_the_same_one(tmp_path):
    table = table_of(all_masks(3), units=UNITS, variances=np.ones((8, 2)))
    path = table.save(tmp_path / "t.npz")
    whole = path.read_bytes()
    cut = [whole[:n] for n in range(0, len(whole), 40)]
    flipped = [
        whole[:i] + bytes([whole[i] ^ flip]) + whole[i + 1 :]
        for i in range(len(whole))
        for flip in (0x01, 0xFF)
    ]
    n_damaged = 0
    for content in cut + flipped:
        path.write_bytes(content)
        try:
            assert_equal(ScoreTable.load(path), table)
        except TableError:
            n_damaged += 1
    assert n_damaged > len(whole)


def test_a_table_that_is_not_written_to_its_end_leaves_the_old_one(tmp_path, monkeypatch):
    old = table_of(all_masks(3))
    path = old.save(tmp_path / "t.npz")

    def fails(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fails)
    with pytest.raises(OSError, match="disk full"):
        table_of(all_masks(3), seed=1).save(path)
    assert list(tmp_path.iterdir()) == [path]
    assert_equal(ScoreTable.load(path), old)


def test_a_record_that_is_no_table_says_so():
    record = table_of(all_masks(2), units=UNITS.subset([0, 1])).to_dict()
    for name in record:
        with pytest.raises(TableError, match=r"^table: "):
            ScoreTable.from_dict({k: v for k, v in record.items() if k != name})
    for wrong in ({}, None, [1], {**record, "arrays": {"scores": 3}}, {**record, "units": {}}):
        with pytest.raises(TableError, match=r"^table: "):
            ScoreTable.from_dict(wrong)


def test_merging_keeps_every_row_once_and_its_score():
    masks = all_masks(3)
    one = table_of(masks[:5], counts=np.full(5, 2), paired=True)
    two = table_of(masks[3:], seed=1)
    both = one.merge(two)
    assert len(both) == len(np.unique(both.masks, axis=0)) == 8
    assert both.exhaustive
    assert both.n_calls == 8
    np.testing.assert_array_equal(both.scores[:5], one.scores)
    np.testing.assert_array_equal(both.scores[5:], two.scores[2:])
    assert both.counts.tolist() == [2, 2, 2, 3, 3, 1, 1, 1]


def test_merging_loses_no_known_variance():
    masks = all_masks(3)
    plain = table_of(masks[:5])
    noisy = table_of(masks[3:], variances=np.full((5, 2), 0.5))
    # Rows 3 and 4 are in both: whose score wins, his variance does.
    both = plain.merge(noisy)
    np.testing.assert_array_equal(both.variances[:, 0], [0, 0, 0, 0, 0, 0.5, 0.5, 0.5])
    both = noisy.merge(plain)
    np.testing.assert_array_equal(both.variances[:, 1], [0.5] * 5 + [0, 0, 0])
    np.testing.assert_array_equal(both.masks, masks[[3, 4, 5, 6, 7, 0, 1, 2]])
    assert plain.merge(table_of(masks[3:])).variances is None


def test_merging_knows_which_variants_are_the_same():
    masks = all_masks(2)
    one = table_of(masks[:3], variant_of_row=np.array([5, 5, 6]))
    two = table_of(masks[1:], variant_of_row=np.array([0, 1, 0]))
    merged = one.merge(two)
    assert merged.n_calls == 2
    assert merged.variant_of_row.tolist() == [5, 5, 6, 5]


def test_merged_walks_still_lead_from_none_to_all():
    masks = all_masks(2)
    one = table_of(masks, walks=np.array([[0, 1, 3], [0, 2, 3]]))
    two = table_of(masks[[3, 2, 0, 1]], walks=np.array([[2, 3, 0], [2, 1, 0]]))
    for walk in one.merge(two).walks:
        assert one.masks[walk].sum(axis=1).tolist() == [0, 1, 2]


def test_what_two_tables_both_drew_counts_once():
    """Else merging a table with a part of itself would make its errors smaller."""
    walks = np.array([[0, 1, 3], [0, 2, 3]])
    run = {"design": "permutation", "provenance": {"seed": 7}, "walks": walks}
    whole = table_of(all_masks(2), counts=np.array([1, 4, 2, 1]), **run)
    both = whole.merge(whole.rows([0, 1, 2, 3])).merge(whole.rows([0, 1]))
    np.testing.assert_array_equal(both.walks, whole.walks)
    np.testing.assert_array_equal(both.counts, whole.counts)
    drawn = replace(whole, probabilities=np.array([1.0, 0.5, 0.5, 1.0]))
    np.testing.assert_array_equal(drawn.merge(drawn.rows([0, 1])).probabilities, [1, 0.5, 0.5, 1])
    assert drawn.rows([0, 1]).merge(drawn).probabilities is None
    other = replace(whole, provenance={"seed": 8})
    assert drawn.merge(other).probabilities is None
    np.testing.assert_array_equal(whole.merge(other).counts, 2 * whole.counts)


def test_a_run_that_was_merged_before_counts_once():
    runs = [
        table_of(all_masks(2), counts=np.array(counts), design="uniform", provenance={"seed": seed})
        for seed, counts in enumerate([[1, 4, 2, 1], [3, 1, 1, 1], [1, 1, 1, 2]])
    ]
    both = runs[0].merge(runs[1])
    both = ScoreTable.from_dict(json.loads(json.dumps(both.to_dict())))
    for again in (both.merge(runs[1]), both.merge(runs[0]), runs[1].merge(both), both.merge(both)):
        np.testing.assert_array_equal(again.counts, both.counts)
    all_three = both.merge(runs[2])
    np.testing.assert_array_equal(all_three.counts, both.counts + runs[2].counts)
    np.testing.assert_array_equal(all_three.merge(both).counts, all_three.counts)


def test_walks_of_two_designs_are_not_mixed():
    walks = np.array([[0, 1, 3], [0, 2, 3]])
    masks = all_masks(2)
    owen = table_of(masks, design="owen", walks=walks)
    permutation = table_of(masks, design="permutation", walks=walks[::-1])
    rows = table_of(masks, design="leverage")
    for one, two, design in [
        (owen, permutation, "owen"),
        (permutation, owen, "permutation"),
        (owen, rows, "owen"),
        (rows, owen, "owen"),
        (rows, table_of(masks, design="uniform"), "merged"),
    ]:
        both = one.merge(two)
        assert both.design == design
        assert (both.walks is None) == (design == "merged")
        assert both.walks is None or len(both.walks) == 2


def test_walks_that_are_all_cut_name_no_design():
    """Else rows drawn one by one would pass for groups kept together, and be fitted no more."""
    walks = np.array([[0, 1, 3], [0, 2, 3]])
    cut = table_of(all_masks(2), design="owen", walks=walks).rows([1, 2])
    rows = table_of(all_masks(2), design="leverage")
    assert cut.walks is None
    assert rows.merge(cut).design == cut.merge(rows).design == "merged"
    other = table_of(all_masks(2), design="permutation", walks=walks)
    both = cut.merge(other)
    assert (both.design, len(both.walks)) == ("permutation", 2)


def test_single_walks_are_cut_one_by_one():
    walks = np.array([[0, 1, 3], [0, 2, 3], [0, 1, 3]])
    part = table_of(all_masks(2), walks=walks).rows([0, 1, 3])
    assert part.walks.tolist() == [[0, 1, 2], [0, 1, 2]]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"kind": "logit"}, "kind"),
        ({"units": UNITS}, "units"),
        ({"provenance": {"model": "other"}}, "model"),
        ({"n_outputs": 1}, "output_names"),
    ],
)
def test_tables_of_different_things_do_not_merge(change, name):
    with pytest.raises(TableError, match=name):
        table_of(all_masks(3)).merge(table_of(all_masks(3), **change))


def test_outputs_of_one_name_are_told_apart_by_what_they_are_parts_of():
    masks = all_masks(3)
    first = table_of(masks[:5], provenance={"parts": {"a": [[0, 2]], "b": [[2, 3]]}})
    other = table_of(masks[3:], provenance={"parts": {"a": [[0, 2]], "b": [[3, 4]]}})
    with pytest.raises(TableError, match=r"^output_names: 'b' .*\[\[2, 3\]\] and \[\[3, 4\]\]"):
        first.merge(other)
    assert len(first.select("a").merge(other.select("a"))) == 8
    assert len(first.merge(table_of(masks[3:]))) == 8  # older tables do not say


def test_a_hierarchy_of_one_table_is_kept_and_two_are_not_mixed():
    masks = all_masks(3)
    flat = table_of(masks[:5], units=replace(UNITS, tree=None))
    grouped = table_of(masks[3:], units=UNITS)
    for both in (flat.merge(grouped), grouped.merge(flat)):
        assert (both.units, len(both)) == (UNITS, 8)
    other = replace(grouped, units=replace(UNITS, tree=Tree(3, ((1, 2), (0, 3)))))
    with pytest.raises(TableError, match=r"^units: .* in one hierarchy"):
        grouped.merge(other)
    with pytest.raises(TableError, match=r"^units: .* of one text"):
        grouped.merge(table_of(masks))


def test_a_table_that_nothing_came_back_for_changes_nothing():
    empty = ScoreTable(np.empty((0, 3), bool), np.empty((0, 0)), (), units=UNITS)
    paid = table_of(all_masks(3), units=UNITS, kind="logit", provenance={"model": "m"})
    assert empty.merge(paid) is paid.merge(empty) is paid
    with pytest.raises(TableError, match="units"):
        empty.merge(table_of(all_masks(3)))


def test_a_part_of_a_table_keeps_whole_walks_only():
    masks = all_masks(2)
    table = table_of(masks, walks=np.array([[0, 1, 3], [0, 2, 3]]), exhaustive=True, paired=True)
    part = table.rows([0, 1, 3])
    assert part.walks is None
    assert not part.exhaustive
    assert not part.paired
    np.testing.assert_array_equal(table.rows(np.ones(4, dtype=bool)).walks, table.walks)


def test_outputs_are_selected_by_name_or_by_the_whole_texts_score():
    table = table_of(all_masks(3), n_outputs=3)
    top = table.select("predicted")
    assert top.output_names == (table.output_names[int(table.scores[7].argmax())],)
    np.testing.assert_array_equal(table.select(["c", "a"]).scores, table.scores[:, [2, 0]])
    np.testing.assert_array_equal(table.select("b").scores, table.scores[:, [1]])
    assert table.select(["c", "a", "c"]).output_names == ("c", "a")
    assert table.select("all") is table
    for wrong in (["z"], [], "no"):
        with pytest.raises(ArgumentError, match="outputs"):
            table.select(wrong)


def test_names_in_a_list_are_those_in_a_tuple():
    table = table_of(all_masks(3))
    listed = replace(table.rows(np.arange(4)), output_names=["a", "b"])
    assert listed.output_names == ("a", "b")
    assert len(listed.merge(table)) == 8


def test_a_link_costs_no_call_and_forgets_the_old_kind():
    table = table_of(all_masks(3), kind="logit")
    probabilities = table.linked("probability")
    np.testing.assert_allclose(probabilities.scores.sum(axis=1), 1)
    assert probabilities.kind == "value"
    assert table.linked("identity").kind == "logit"


def test_shapes_are_checked_and_the_whole_text_is_needed():
    with pytest.raises(TableError, match="scores"):
        ScoreTable(all_masks(2), np.zeros((3, 1)), ("a",))
    with pytest.raises(TableError, match="masks"):
        ScoreTable(np.zeros((2, 2)), np.zeros((2, 1)), ("a",))
    with pytest.raises(TableError, match=r"units: expected 2, .* got 3"):
        table_of(all_masks(2), units=UNITS)
    with pytest.raises(TableError, match="every unit is kept"):
        _ = table_of(all_masks(2)[:3]).full_scores


def test_a_table_is_written_through_links_and_to_pipes(tmp_path):
    table = ScoreTable(np.eye(2, dtype=bool), np.eye(2), ("a", "b"))
    (tmp_path / "link.npz").symlink_to(tmp_path / "real.npz")
    table.save(tmp_path / "link.npz")
    assert (tmp_path / "link.npz").is_symlink()
    np.testing.assert_array_equal(ScoreTable.load(tmp_path / "real.npz").scores, table.scores)
    assert not list(tmp_path.glob(".*"))
    device = Path(os.devnull)
    if device.is_char_device():
        table.save(device)
        assert device.is_char_device()


@pytest.mark.parametrize("n_units", [4, 70])
def test_a_coalition_that_stands_there_twice_is_refused(n_units):
    """Sixteen rows of four units were taken for all sixteen coalitions: exact, and wrong."""
    masks = np.zeros((16, n_units), dtype=bool)
    masks[:, -4:] = all_masks(4)
    table = table_of(masks)
    masks[9] = masks[3]
    with pytest.raises(TableError, match=r"^masks: rows 3 and 9 are the same coalition"):
        table_of(masks)
    with pytest.raises(TableError, match=r"^masks: rows 1 and 3 are the same coalition"):
        table.rows([0, 5, 2, 5, 2])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"variances": np.ones(4)}, r"variances: expected \(4, 2\) for 4 masks and 2 outputs, got"),
        ({"counts": np.ones(3, dtype=int)}, r"counts: expected \(4,\)"),
        ({"probabilities": np.ones(5)}, r"probabilities: expected \(4,\)"),
        ({"variant_of_row": np.arange(2)}, r"variant_of_row: expected \(4,\)"),
        ({"walks": np.array([[0, 1], [0, 2]])}, "walks: expected 3 of the 4 rows each"),
        ({"walks": np.array([[0, 1, 4], [0, 2, 3]])}, "walks: .* of rows 0 to 4"),
    ],
)
def test_what_stands_beside_the_scores_is_of_as_many_rows(given, message):
    with pytest.raises(TableError, match=f"^{message}"):
        table_of(all_masks(2), **given)
