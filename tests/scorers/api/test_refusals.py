"""Variants that a service refuses: left out and told, and never taken for what it can do."""

import asyncio
import pickle
import warnings
from itertools import count

import numpy as np
import pytest

from perturbx import (
    ApiScorer,
    LassoExplainer,
    LimeExplainer,
    OcclusionExplainer,
    PartitionExplainer,
    ShapleyExplainer,
)
from perturbx.exceptions import (
    AnswersWarning,
    BudgetExceeded,
    CapabilityError,
    CutShortWarning,
    RefusedError,
)
from perturbx.explainers.api_record import replay_record, write_record
from perturbx.maskers.variants import Variants

LABELS = [" positive", " negative"]
TEMPLATE = "Review: {text}\nSentiment:"
TEXT = "the plot is thin but the acting is superb and never boring"
WAYS = ["filter", "refusal", "filtered answer", "empty", "nan"]


def refusing(how, *words, absent=()):
    """Refuse the prompts with these words, and without those."""

    def refuses(prompt):
        held = set(prompt.split())
        return how if held.issuperset(words) and held.isdisjoint(absent) else None

    return refuses


def scorer_of(server, **options):
    return ApiScorer(
        "openai:m",
        base_url=server.base_url,
        labels=LABELS,
        prompt_template=TEMPLATE,
        **options,
    )


def explainer_of(server, budget=60, **options):
    scorer = scorer_of(server, **options)
    return ShapleyExplainer(scorer, budget=budget, random_state=0, progress=False)


def rows_of(scorer, texts):
    """The rows that are scored, and where their scores are, where some are refused."""
    got = {}

    def score():
        for rows, scores in scorer.score_parts(Variants(texts=texts)):
            got.update({row: (scores, place) for place, row in enumerate(rows.tolist())})

    with pytest.raises(RefusedError):
        score()
    return got


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("budget", [60, "auto"])
def test_variants_that_are_refused_are_left_out(serve, how, budget):
    (whole,) = explainer_of(serve(), budget).explain([TEXT])
    server = serve(refuses=refusing(how, "thin", "acting", absent=["superb"]))
    explainer = explainer_of(server, budget)
    with pytest.warns(AnswersWarning, match=r"what was asked about \d+ of the variants"):
        (found,) = explainer.explain([TEXT])
    assert explainer.model.method_ == "label_log_probs"
    n_refused = len(whole.table) - len(found.table) if budget == 60 else 1
    assert 0 < n_refused < 15
    errors = np.sqrt(found.std_errors**2 + whole.std_errors**2) + 0.02
    assert (np.abs(found.values - whole.values) < 4 * errors).all()
    # What is refused is not asked again, but for what may come the second or third time.
    assert server.stats()["refused"] <= (3 if how == "nan" else 1) * 15
    assert server.stats()["most_of_one"] <= (3 if how == "nan" else 1)


def test_a_text_of_few_units_is_explained_without_a_variant(serve):
    text = "thin but superb"
    (whole,) = explainer_of(serve()).explain([text])
    server = serve(refuses=refusing("filter", "thin", absent=["but", "superb"]))
    with pytest.warns(AnswersWarning, match="about 1 of the variants"):
        (found,) = explainer_of(server).explain([text])
    assert (len(whole.table), len(found.table)) == (8, 7)
    assert found.budget_report.reason != "exact"
    assert found.std_errors.any()


@pytest.mark.parametrize("how", ["filter", "refusal", "empty", "nan"])
def test_a_first_variant_that_is_refused_tells_nothing_of_the_service(serve, how):
    server = serve(refuses=refusing(how, "thin"))
    scorer = scorer_of(server)
    with pytest.raises(RefusedError, match="no answer of use to 'so thin'"):
        scorer.reading("so thin")
    with pytest.raises(RefusedError, match="1 of 3 texts; about 'so thin'") as caught:
        scorer.score(Variants(texts=["so thin", "so good", "so bad"]))
    assert scorer.method_ == "label_log_probs"
    assert set(caught.value.refused) == {"so thin"}
    assert server.stats()["refused"] == (3 if how == "nan" else 1)
    with pytest.raises(RefusedError, match="no answer of use to"):
        explainer_of(server).explain([TEXT])


def test_texts_that_are_refused_may_come_first(serve):
    server = serve(refuses=refusing("filter", "thin"))
    refused = [f"thin {number}" for number in range(7)]
    scorer = scorer_of(server)
    assert sorted(rows_of(scorer, [*refused, *(f"film {number}" for number in range(40))])) == [
        *range(7, 47)
    ]
    assert server.stats()["refused"] == 7
    with pytest.raises(RefusedError, match="take a `method` that needs answers only"):
        scorer_of(server).score(Variants(texts=[*refused, "so thin", "film"]))
    assert server.stats()["refused"] == 7 + 8


def test_the_rows_of_other_variants_are_all_there(serve):
    server = serve(refuses=refusing("filter", "thin"))
    scorer = scorer_of(server, method="label_log_probs")
    texts = ["so good", "so thin", *(f"film {number}" for number in range(40))]
    assert sorted(rows_of(scorer, texts)) == [0, *range(2, 42)]


@pytest.mark.parametrize("how", ["filter", "nan"])
def test_too_many_refusals_end_the_run(serve, how):
    server = serve(refuses=refusing(how, "film"))
    scorer = scorer_of(server, concurrency=2)
    texts = ["so good", *(f"film {number}" for number in range(60))]
    with pytest.raises(CapabilityError, match="no answer of use about 8 of 61"):
        scorer.score(Variants(texts=texts))
    assert server.stats()["refused"] < 40


def test_what_was_refused_before_does_not_end_a_later_round(serve):
    server = serve(refuses=refusing("filter", "thin"))
    scorer = scorer_of(server, concurrency=1)
    refused = [f"thin {number}" for number in range(8)]
    assert len(rows_of(scorer, [*(f"good {number}" for number in range(40)), *refused])) == 40
    further = [*refused, "so thin", *(f"film {number}" for number in range(20))]
    assert sorted(rows_of(scorer, further)) == [*range(9, 29)]


@pytest.mark.filterwarnings("ignore::perturbx.PoorFitWarning")
def test_rounds_of_sampled_answers_go_on_without_what_is_refused(serve):
    server = serve(refuses=refusing("filtered answer", "thin", "acting", absent=["superb"]))
    with pytest.warns(AnswersWarning, match="of the variants"):
        (found,) = explainer_of(server, "auto", method="votes").explain([TEXT])
    assert len(found.budget_report.calls) > 1
    assert np.isfinite(found.values).all()


@pytest.mark.parametrize("how", ["filter", "refusal"])
def test_another_run_on_the_same_cache_is_not_ended_by_what_was_refused(serve, how, tmp_path):
    server = serve(refuses=refusing(how, "thin", "acting", absent=["superb"]))
    found = []
    for tables in (None, None, "first"):
        explainer = explainer_of(server, 120, cache=tmp_path / "answers.sqlite")
        known = None if tables is None else [found[0].table]
        with pytest.warns(AnswersWarning, match=r"about \d+ of the variants"):
            found += explainer.explain([TEXT], tables=known)
    assert len(found[0].table) < 112
    for again in found[1:]:
        np.testing.assert_array_equal(again.values, found[0].values)


@pytest.mark.filterwarnings("ignore::perturbx.PoorFitWarning", "ignore::perturbx.AnswersWarning")
@pytest.mark.parametrize("method", ["label_log_probs", "votes"])
@pytest.mark.parametrize("budget", [100, 140])
def test_what_was_refused_before_is_few_beside_what_a_table_holds(serve, method, budget):
    """The new run asks about it first: nothing tells it what the earlier one did not get."""
    server = serve(refuses=refusing("filter", "thin", "acting", absent=["superb"]))
    (found,) = explainer_of(server, 100, method=method).explain([TEXT])
    n_refused = server.stats()["refused"]
    assert n_refused >= 8
    asked = server.stats()["requests"]
    again = explainer_of(server, budget, method=method)
    (further,) = again.explain([TEXT], tables=[found.table])
    bought = server.stats()["requests"] - asked
    if budget == 100:
        assert bought == n_refused
        np.testing.assert_array_equal(further.values, found.values)
    else:
        assert further.n_calls > found.n_calls + 20


def test_a_filter_that_is_faster_than_the_model_does_not_end_the_run(servers):
    """One text in six is refused, and all of the first are before any answer is there."""

    class Server(servers.FaultServer):
        async def _answer(self, reader, writer, path, body):
            if self.refuses(body["messages"][0]["content"]) is None:
                await asyncio.sleep(0.2)
            return await super()._answer(reader, writer, path, body)

    with Server(refuses=refusing("filter", "thin")) as server:
        scorer = scorer_of(server, method="label_log_probs", concurrency=64)
        texts = ["a", *(f"{'film' if number % 6 else 'thin'} {number}" for number in range(120))]
        assert len(rows_of(scorer, texts)) == 101
    with Server(refuses=refusing("filter", "thin")) as server:
        scorer = scorer_of(server, method="label_log_probs", concurrency=16)
        with pytest.raises(CapabilityError) as caught:
            scorer.score(Variants(texts=["a", *(f"thin {number}" for number in range(120))]))
        assert caught.value.ends_run
        assert server.stats()["refused"] < 40


def test_what_was_not_asked_is_not_told_as_refused(serve):
    """Eight refusals in a row end a run, whether the way to get numbers is known or not."""
    server = serve(refuses=refusing("filter", "thin"))
    texts = Variants(texts=[*(f"thin {number}" for number in range(8)), "so good"])
    with pytest.raises(RefusedError) as caught:
        scorer_of(server).score(texts)
    assert caught.value.ends_run
    with pytest.raises(RefusedError) as caught:
        scorer_of(server).score(Variants(texts=texts.texts[:8]))
    assert not caught.value.ends_run


def test_many_samples_of_one_variant_do_not_end_the_run(serve):
    server = serve(refuses=refusing("filter", "thin"))
    scorer = scorer_of(server, method="votes", n_samples=10)
    texts = ["so thin", *(f"good {number}" for number in range(10))]
    assert sorted(rows_of(scorer, texts)) == [*range(1, 11)]


def test_many_labels_of_one_variant_do_not_end_the_run(serve, servers):
    model = servers.SimulatedModel({" 20%": {"": 0.0}})
    server = serve(model=model, refuses=refusing("filter", "thin"))
    labels = [f"label {number}" for number in range(10)]
    options = {"labels": labels, "method": "confidence", "concurrency": 1}
    scorer = ApiScorer("openai:m", base_url=server.base_url, **options)
    texts = ["so thin", *(f"good {number}" for number in range(10))]
    assert sorted(rows_of(scorer, texts)) == [*range(1, 11)]
    with pytest.raises(CapabilityError, match="no answer of use about 8 of 40 texts"):
        scorer.score(Variants(texts=[f"thin {number}" for number in range(40)]))


def test_a_filter_of_two_words_together_does_not_end_the_run(serve):
    server = serve(refuses=refusing("filter", "thin", absent=["superb"]))
    for word in ("one", "two", "three", "four"):
        explainer = explainer_of(server, 100, method="label_log_probs")
        with pytest.warns(AnswersWarning, match="of the variants"):
            (found,) = explainer.explain([f"{TEXT} {word}"])
        assert 65 < len(found.table) < 85


@pytest.mark.parametrize("text", [TEXT, " ".join([TEXT] * 6)])
def test_an_end_that_is_refused_is_named(serve, text):
    server = serve(refuses=lambda prompt: "filter" if prompt == TEMPLATE.format(text="") else None)
    with pytest.raises(RefusedError, match=r"texts\[0\]: .* no explanation is left") as caught:
        explainer_of(server).explain([text])
    assert len(caught.value.tables[0])


@pytest.mark.parametrize("explainer_type", [LassoExplainer, LimeExplainer])
def test_a_whole_text_that_is_refused_is_named_by_methods_that_need_no_end(serve, explainer_type):
    """What was made of the other variants could not even be printed."""
    whole = TEMPLATE.format(text=TEXT)
    server = serve(refuses=lambda prompt: "filter" if prompt == whole else None)
    scorer = scorer_of(server, method="label_log_probs")
    explainer = explainer_type(scorer, budget=60, random_state=0, progress=False)
    with pytest.raises(
        RefusedError, match=r"texts\[1\]: .* \(the whole text has no score"
    ) as caught:
        explainer.explain(["never a boring plot", TEXT])
    assert len(caught.value.tables[1]) > 50


def test_a_refused_sample_is_no_vote(serve):
    number = count()

    def refuses(prompt):
        is_refused = "bad" in prompt or ("thin" in prompt and next(number) % 2)
        return "filtered answer" if is_refused else None

    scorer = scorer_of(serve(refuses=refuses), method="votes", n_samples=4)
    got = rows_of(scorer, ["so good", "so thin", "so bad"])
    assert {row: int(scores.samples[place]) for row, (scores, place) in got.items()} == {0: 4, 1: 2}


@pytest.mark.filterwarnings("ignore::perturbx.PoorFitWarning")
def test_sampled_answers_that_are_refused_leave_an_explanation(serve):
    server = serve(refuses=refusing("filtered answer", "thin", "acting", absent=["superb"]))
    with pytest.warns(AnswersWarning, match="of the variants"):
        (found,) = explainer_of(server, method="votes").explain([TEXT])
    assert server.stats()["most_of_one"] < 10
    assert np.isfinite(found.values).all()


@pytest.mark.parametrize("how", ["filter", "refusal", "nan"])
def test_another_run_asks_again_for_what_cost_nothing_or_was_no_number(serve, how, tmp_path):
    cache = tmp_path / "answers.sqlite"
    how_now = [how]
    server = serve(
        refuses=lambda prompt: how_now[0] if prompt.endswith("thin\nSentiment:") else None
    )
    texts = Variants(texts=["so good", "so thin"])
    for _ in range(2):
        with pytest.raises(RefusedError):
            scorer_of(server, cache=cache).score(texts)
    assert server.stats()["refused"] == {"filter": 2, "refusal": 1, "nan": 6}[how]
    how_now[0] = None
    if how != "refusal":  # which was an answer, and is paid for once
        assert np.isfinite(scorer_of(server, cache=cache).score(texts).values).all()


@pytest.mark.parametrize("how", WAYS)
def test_records_hold_what_was_refused(serve, how, tmp_path):
    server = serve(refuses=refusing(how, "thin", "acting", absent=["superb"]))
    explainer = explainer_of(server)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnswersWarning)
        found = explainer.explain([TEXT])
        asked = server.stats()["requests"]
        path = write_record(tmp_path / "record.jsonl", explainer, found, [TEXT])
        again = replay_record(path, [TEXT])
    np.testing.assert_array_equal(again[0].values, found[0].values)
    assert server.stats()["requests"] == asked


def without(*words):
    """The prompt of the text without these words."""
    return TEMPLATE.format(text=" ".join(own for own in TEXT.split() if own not in words))


@pytest.mark.parametrize("words", [("thin",), ("thin", "acting")])
def test_a_unit_that_cannot_be_left_out_has_an_unknown_value(serve, words):
    refused = [without(word) for word in words]
    server = serve(refuses=lambda prompt: "filter" if prompt in refused else None)
    (whole,) = OcclusionExplainer(scorer_of(serve()), progress=False).explain([TEXT])
    with pytest.warns(AnswersWarning, match=f"about {len(words)} of the variants"):
        found, other = OcclusionExplainer(scorer_of(server), progress=False).explain(
            [TEXT, "never a boring plot"]
        )
    is_unknown = np.isin(TEXT.split(), words)
    np.testing.assert_array_equal(np.isinf(found.std_errors).all(axis=1), is_unknown)
    np.testing.assert_array_equal(found.values[~is_unknown], whole.values[~is_unknown])
    assert not found.values[is_unknown].any()
    assert not found.std_errors[~is_unknown].any()
    assert found.budget_report.reason == "complete"
    assert other.budget_report.reason == "exact"
    assert "thin       0.00  ± ?" in str(found)
    assert ("others   0.00  ± ?" in str(found)) == ("acting" in words)
    assert found.to_html()
    assert found.summary()


@pytest.mark.parametrize("options", [{}, {"tree": "balanced", "budget": 100}, {"budget": 60}])
@pytest.mark.parametrize("how", ["one", "filter"])
def test_owen_values_go_on_with_what_the_other_masks_let_expect(serve, options, how):
    words = {"one": TEXT.split()[1:6], "filter": ["thin", "acting"]}[how]
    absent = {"one": TEXT.split()[6:], "filter": ["superb"]}[how]
    options = {**options, "random_state": 0, "progress": False}
    (whole,) = PartitionExplainer(scorer_of(serve()), **options).explain([TEXT])
    server = serve(refuses=refusing("filter", *words, absent=absent))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", AnswersWarning)
        (found,) = PartitionExplainer(scorer_of(server), **options).explain([TEXT])
    n_refused = server.stats().get("refused", 0)
    assert len(found.table) == len(whole.table) - n_refused
    assert len(told) == (n_refused > 0)
    assert found.method == "owen"
    assert found.n_calls == found.table.n_calls
    np.testing.assert_allclose(found.values.sum(0), whole.values.sum(0))
    errors = np.sqrt(found.std_errors**2 + whole.std_errors**2) + 0.02
    assert (np.abs(found.values - whole.values) < 4 * errors).all()
    assert found.budget_report.reason != "exact" or not n_refused


@pytest.mark.parametrize("most", [40, 70])
def test_an_exact_tree_that_is_cut_goes_on_likewise(serve, most):
    """Whichever rows are there are like all of them: none of the units is left to the end."""
    options = {"random_state": 0, "progress": False}
    (whole,) = PartitionExplainer(scorer_of(serve()), **options).explain([TEXT])
    assert whole.budget_report.reason == "exact"
    with pytest.warns(CutShortWarning):
        (cut,) = PartitionExplainer(scorer_of(serve(), max_calls=most), **options).explain([TEXT])
    assert cut.n_calls == most
    assert cut.budget_report.reason == "max_calls"
    np.testing.assert_allclose(cut.values, whole.values, atol=0.05)
    assert (np.abs(cut.values - whole.values) < 2 * cut.std_errors + 1e-9).all()


@pytest.mark.parametrize("method", ["label_log_probs", "votes"])
@pytest.mark.filterwarnings("ignore::perturbx.PoorFitWarning")
def test_a_limit_and_what_was_refused_before_it_are_both_told(serve, method, tmp_path):
    server = serve(refuses=refusing("filter", "thin", "acting", absent=["superb"]))
    explainer = explainer_of(server, 100, method=method, max_calls=50, concurrency=1)
    with (
        pytest.warns(CutShortWarning, match="max_calls was reached"),
        pytest.warns(AnswersWarning, match=r"what was asked about \d+ of the variants"),
    ):
        found = explainer.explain([TEXT])
    path = write_record(tmp_path / "record.jsonl", explainer, found, [TEXT])
    with (
        pytest.warns(CutShortWarning, match="max_calls was reached"),
        pytest.warns(AnswersWarning, match=r"what was asked about \d+ of the variants"),
    ):
        again = replay_record(path, [TEXT])
    np.testing.assert_array_equal(again[0].values, found[0].values)


def test_a_limit_that_leaves_no_explanation_tells_what_was_refused_too(serve):
    server = serve(refuses=lambda prompt: "filter" if prompt == TEMPLATE.format(text="") else None)
    explainer = explainer_of(server, method="label_log_probs", max_calls=30)
    with pytest.raises(BudgetExceeded, match=r"(?s)too little .*about 1 of the variants") as caught:
        explainer.explain([TEXT])
    assert list(caught.value.refused) == [""]
    assert caught.value.tables[0].n_calls == 30


@pytest.mark.parametrize("explainer_type", [LassoExplainer, LimeExplainer])
def test_a_whole_text_that_is_refused_before_a_limit_is_named(serve, explainer_type):
    server = serve(refuses=lambda prompt: "filter" if prompt == without() else None)
    scorer = scorer_of(server, method="label_log_probs", max_calls=40)
    explainer = explainer_type(scorer, budget=60, random_state=0, progress=False)
    with pytest.raises(BudgetExceeded, match="the whole text has no score"):
        explainer.explain(["never a boring plot", TEXT])


def test_an_error_about_refusals_goes_from_process_to_process():
    error = RefusedError("no answer", refused={"so thin": "filtered"}, ends_run=True)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.refused, again.ends_run) == (str(error), error.refused, True)


def test_what_is_named_is_of_the_text_that_has_no_explanation(serve):
    refused = {TEMPLATE.format(text="a thin plot"), TEMPLATE.format(text="never boring")}
    server = serve(refuses=lambda prompt: "filter" if prompt in refused else None)
    explainer = explainer_of(server, 20, method="label_log_probs")
    with pytest.raises(RefusedError, match=r"texts\[1\]: .*; one is 'never boring'") as caught:
        explainer.explain(["so a thin plot", "never boring"])
    assert len(caught.value.refused) == 2


@pytest.mark.parametrize(
    ("estimator", "text", "method"),
    [("unbiased", TEXT, "permutation"), ("auto", "thin but acting superb fine", "exact")],
)
def test_an_estimator_stays_what_it_is_without_a_variant(serve, estimator, text, method):
    """Whole pairs are few where a filter hits each; they left errors of a tenth here."""
    server = serve(refuses=refusing("filter", "thin", "acting", absent=["superb"]))
    options = {"estimator": estimator, "budget": 100, "random_state": 0, "progress": False}
    (whole,) = ShapleyExplainer(scorer_of(serve()), **options).explain([text])
    with pytest.warns(AnswersWarning, match="of the variants"):
        (found,) = ShapleyExplainer(scorer_of(server), **options).explain([text])
    assert found.method == whole.method == method
    assert found.budget_report.reason != "exact"
    assert found.std_errors.max() > whole.std_errors.max()
    np.testing.assert_allclose(found.values, whole.values, atol=0.08)
    np.testing.assert_allclose(found.values.sum(0), whole.values.sum(0))
