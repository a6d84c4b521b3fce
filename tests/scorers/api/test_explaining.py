"""From a text to an explanation through an API: cut short, killed, resumed, without any key."""

import contextlib
import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from typer.testing import CliRunner

import perturbx as px
from perturbx.cli.main import app
from perturbx.exceptions import BudgetExceeded, CutShortWarning, PoorFitWarning
from perturbx.explainers.api_record import replay_record, write_record
from perturbx.scorers.api import AnswerCache
from perturbx.surrogates import OddGP

TEMPLATE = "Review: {text}\nSentiment:"
LABELS = [" positive", " negative"]
TEXT = "the plot is thin but its acting superb and never boring at all so good"
SERVER = Path(__file__).parents[2] / "servers" / "fault_server.py"


def scorer_of(server, **options):
    options = {"labels": LABELS, "prompt_template": TEMPLATE, "concurrency": 8, **options}
    return px.ApiScorer("openai:m", base_url=server.base_url, **options)


def explain(scorer, texts=(TEXT,), **options):
    options = {"random_state": 0, "progress": False, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoorFitWarning)
        return px.ShapleyExplainer(scorer, **options).explain(list(texts))


def test_it_explains_what_a_function_of_the_same_numbers_does(serve):
    server = serve()

    def same(texts):
        found = [server.model.probabilities(TEMPLATE.format(text=text)) for text in texts]
        return [[np.log(0.9 * own[label]) for label in LABELS] for own in found]

    ours = explain(scorer_of(server), budget=60)
    other = explain(same, budget=60, output_names=["positive", "negative"])
    np.testing.assert_allclose(ours[0].values, other[0].values, atol=1e-9)
    assert server.stats()["answered"] == ours[0].n_calls == 60


@pytest.mark.parametrize("most", [8, 30, 59])
def test_max_calls_gives_the_best_explanation_so_far(serve, most):
    server = serve()
    with pytest.warns(CutShortWarning, match="max_calls was reached: 1 of 1"):
        (cut,) = explain(scorer_of(server, max_calls=most), budget=60)
    whole = explain(scorer_of(server), budget=60)[0]
    assert server.stats()["answered"] == most + 60
    assert cut.n_calls in (most, most - 1)
    assert cut.budget_report.reason == "max_calls"
    assert cut.budget_report.is_cut_short
    assert cut.std_errors.mean() > whole.std_errors.mean()
    assert "cut short by max_calls" in str(cut)
    assert "cut short by max_calls" in cut.to_html()
    assert "cut short by max_calls" in cut.summary()
    np.testing.assert_allclose(cut.values.sum(0), whole.values.sum(0))


def test_a_cut_leaves_all_texts_equally_far(serve):
    texts = [f"{TEXT} {number}" for number in ("one", "two", "three", "four")]
    with pytest.warns(CutShortWarning, match="4 of 4"):
        found = explain(scorer_of(serve(), max_calls=80), texts, budget=60)
    assert {own.n_calls for own in found} <= {19, 20, 21}


@pytest.mark.parametrize("estimator", ["auto", "leverage", "permutation", "kernel"])
def test_every_estimator_of_shapley_values_can_be_cut(serve, estimator):
    with pytest.warns(CutShortWarning):
        (cut,) = explain(scorer_of(serve(), max_calls=40), budget=100, estimator=estimator)
    assert np.isfinite(cut.values).all()
    assert cut.std_errors.any()


@pytest.mark.parametrize("explainer", ["lime", "lasso", "partition"])
def test_other_methods_can_be_cut(serve, explainer):
    model = scorer_of(serve(), max_calls=40)
    options = {"explainer": explainer, "budget": 100, "random_state": 0, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoorFitWarning)
        with pytest.warns(CutShortWarning):
            (cut,) = px.explain(model, [TEXT], **options)
    assert cut.budget_report.reason == "max_calls"


def test_what_a_method_cannot_do_without_is_told_with_what_was_paid(serve):
    model = scorer_of(serve(), max_calls=10)
    with pytest.raises(BudgetExceeded, match="too little for an explanation") as caught:
        px.explain(model, [TEXT], explainer="occlusion", random_state=0, progress=False)
    assert len(caught.value.tables[0]) == 10


def test_an_exhaustive_design_that_is_cut_is_fitted_to_its_pairs(serve):
    with pytest.warns(CutShortWarning):
        (cut,) = explain(
            scorer_of(serve(), max_calls=20), ["so good but thin and awful"], estimator="exact"
        )
    assert cut.method == "odd_gp"
    assert cut.n_calls == 20


def test_too_little_for_any_explanation_is_an_error_that_keeps_what_was_paid(serve):
    with pytest.raises(BudgetExceeded, match="too little for an explanation") as caught:
        explain(scorer_of(serve(), max_calls=2), budget=60)
    assert len(caught.value.tables[0]) == 2


@pytest.mark.parametrize("most", [40, 61])
def test_a_limit_leaves_whole_variants_where_two_calls_make_one(serve, servers, most, tmp_path):
    """Labels whose first words they share: each variant is asked about twice."""
    names = [" very good", " very bad", " quite good", " quite bad"]
    model = servers.SimulatedModel(
        {name: {"": 0.1 * place, "superb": place} for place, name in enumerate(names)}, rest=0.1
    )
    server = serve(model=model)
    scorer = px.ApiScorer(
        "openai-completions:m",
        base_url=server.base_url,
        labels=names,
        prompt_template=TEMPLATE,
        method="label_log_probs",
        max_calls=most,
    )
    explainer = px.ShapleyExplainer(scorer, budget=60, random_state=0, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoorFitWarning)
        with pytest.warns(CutShortWarning):
            found = explainer.explain([TEXT])
        path = write_record(tmp_path / "record.jsonl", explainer, found, [TEXT])
        with pytest.warns(CutShortWarning):
            again = replay_record(path, [TEXT])
    np.testing.assert_array_equal(again[0].values, found[0].values)
    assert server.stats()["answered"] == most
    assert found[0].n_calls >= (most - 16) // 2
    # A batch is written whole all the same.
    assert px.write_batch(tmp_path / "batch.jsonl", explainer, [TEXT]) > 16
    free = px.ApiScorer.from_dict(
        scorer.to_dict(), px.ApiModel("openai-completions:m", base_url=server.base_url)
    )
    (whole,) = px.ShapleyExplainer(free, budget=60, random_state=0, progress=False).explain([TEXT])
    known = dict(zip(map(bytes, whole.table.masks), whole.table.scores, strict=True))
    for mask, scores in zip(found[0].table.masks, found[0].table.scores, strict=True):
        np.testing.assert_array_equal(known[bytes(mask)], scores)


def test_what_was_cut_goes_on_with_its_tables(serve):
    server = serve()
    with pytest.warns(CutShortWarning):
        first = explain(scorer_of(server, max_calls=30), budget=60)
    again = px.ShapleyExplainer(scorer_of(server), random_state=0, budget=60, progress=False)
    (done,) = again.explain([TEXT], tables=first.tables)
    (whole,) = explain(scorer_of(serve()), budget=60)
    np.testing.assert_allclose(done.values, whole.values)
    assert server.stats()["answered"] == 60


def test_explainers_are_cloned_and_share_the_model(serve):
    scorer = scorer_of(serve())
    explainer = clone(px.ShapleyExplainer(scorer, random_state=0))
    assert explainer.model.model is scorer.model


def test_the_estimate_tells_requests_and_money(serve):
    server = serve()
    explainer = px.ShapleyExplainer(scorer_of(server, prices=(1.0, 2.0)), budget=60)
    estimate = explainer.estimate_cost([TEXT])
    assert "requests" not in server.stats()
    assert estimate.most_bill.calls == 60
    explain(scorer := scorer_of(server, prices=(1.0, 2.0)), budget=60)
    spent = scorer.model.spending
    assert 0.4 < estimate.most_bill.tokens / (spent.prompt_tokens + spent.completion_tokens) < 2.5
    assert 0.4 < estimate.most_bill.cost / spent.cost < 2.5
    assert "60 requests" in str(estimate)


RUN = """
import sys, perturbx as px
scorer = px.ApiScorer("openai:m", base_url=sys.argv[1], labels=[" positive", " negative"],
                      prompt_template={template!r}, cache=sys.argv[2], concurrency=4)
explainer = px.ShapleyExplainer(scorer, budget=100, random_state=0, progress=False)
print(explainer.explain([{text!r}])[0].values.tolist())
"""


def test_a_killed_run_buys_nothing_again(tmp_path, serve):
    server = serve(latency=0.05)
    script, cache = tmp_path / "run.py", tmp_path / "c.sqlite"
    script.write_text(RUN.format(template=TEMPLATE, text=TEXT), encoding="utf-8")
    command = [sys.executable, "-W", "ignore", str(script), server.base_url, str(cache)]
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while server.stats().get("answered", 0) < 30 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert killed.returncode == -signal.SIGKILL
    time.sleep(0.2)
    answered = server.stats()["answered"]
    assert 30 <= answered < 100
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    bought_again = server.stats()["answered"] - 100
    assert 0 <= bought_again <= 4
    assert server.stats()["most_of_one"] <= 2
    (whole,) = explain(scorer_of(serve()), budget=100)
    np.testing.assert_allclose(json.loads(done.stdout), whole.values, atol=1e-12)


def run(*arguments):
    return CliRunner().invoke(app, [str(own) for own in arguments])


@pytest.mark.filterwarnings("default")
def test_the_command_line_end_to_end(serve, servers, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", servers.KEY)
    server = serve()
    template = tmp_path / "prompt.txt"
    template.write_text(TEMPLATE + "\n", encoding="utf-8")
    cache = tmp_path / "answers.sqlite"
    options = ["explain", "--model", "openai:m", "--base-url", server.base_url, "--seed", 0]
    options += ["--labels", " positive, negative", "--prompt-template", template]
    options += ["--cache", cache, "--concurrency", 4, "--prices", "1,2", TEXT]
    dry = run(*options, "--dry-run")
    assert dry.exit_code == 0
    assert "requests" in dry.stdout
    assert "cost about" in dry.stdout
    assert server.stats().get("requests", 0) == 0
    done = run(*options, "-o", tmp_path / "e.json", "--save-table", tmp_path / "t.npz")
    assert done.exit_code == 0, done.output
    assert server.stats()["authorised"] == server.stats()["requests"] > 0
    assert "calls answered" in done.stderr
    before = server.stats()["requests"]
    page = run(*options, "-o", tmp_path / "e.html", "--budget", 30)
    assert page.exit_code == 0
    assert server.stats()["requests"] == before
    cut = run(*options, "--max-calls", 12, "--cache", tmp_path / "other.sqlite")
    assert cut.exit_code == 0, cut.output
    assert "cut short by max_calls" in cut.stdout
    assert "warning: max_calls was reached" in cut.stderr
    about = run("cache", "info", cache)
    assert f"{before:,} answers" in about.stdout
    exported = run("cache", "export", cache)
    assert len(exported.stdout.splitlines()) == before
    outputs = [own.output for own in (dry, done, page, cut, about, exported)]
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 5
    assert not [own for own in outputs if servers.KEY in own]
    assert not [own for own in files if servers.KEY.encode() in own]
    assert run("cache", "clear", cache).exit_code == 0
    assert len(AnswerCache(cache)) == 0


def test_api_options_are_for_apis():
    result = run("explain", "--max-calls", 5, "so good")
    assert result.exit_code == 2
    assert "is for a model behind an API" in result.output


def test_the_cache_command_names_a_missing_file(tmp_path):
    result = run("cache", "info", tmp_path / "none.sqlite")
    assert result.exit_code == 1
    assert "there is no file" in result.stderr


def test_a_file_that_is_no_cache_is_told_of(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to look at" * 50, encoding="utf-8")
    with pytest.raises(px.ArgumentError, match=r"^cache: .* is not a cache"):
        AnswerCache(path)


@pytest.mark.parametrize("table", ["mine (x)", "answers (key TEXT, answer TEXT)"])
def test_a_database_of_something_else_is_left_alone(tmp_path, table):
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(f"CREATE TABLE {table}")
        database.commit()
    before = path.read_bytes()
    for command in ("info", "clear", "export"):
        done = run("cache", command, path)
        assert done.exit_code == 1
        assert "is not a cache of answers" in done.stderr
    with pytest.raises(px.ArgumentError, match=r"^cache: .* is not a cache"):
        AnswerCache(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_file_becomes_a_cache_only_where_one_is_wanted(tmp_path):
    path = tmp_path / "new.sqlite"
    path.touch()
    assert run("cache", "info", path).exit_code == 1
    assert path.stat().st_size == 0
    AnswerCache(path).close()
    assert len(AnswerCache(path, must_exist=True)) == 0


def test_prompts_on_the_command_line(serve, tmp_path):
    server = serve()
    options = ["explain-prompt", "--model", "openai:m", "--base-url", server.base_url]
    options += ["--seed", 0, "--cache", tmp_path / "c.sqlite", "It is awful. It is superb."]
    labels = run(*options, "--labels", " positive, negative")
    assert labels.exit_code == 0, labels.output
    assert "It is superb." in labels.stdout
    said = run(*options)
    assert said.exit_code == 0, said.output
    assert "similarity" in said.stdout or "chrF" in said.stdout
    votes = run(*options, "--labels", " positive, negative", "--method", "votes", "--samples", 2)
    assert votes.exit_code == 0, votes.output
    assert "± " in votes.stdout


def test_sampled_answers_are_budgeted_as_calls(serve):
    server = serve()
    options = {"method": "votes", "seed": 0}
    (fixed,) = explain(scorer_of(server, **options), budget=90)
    samples = fixed.table.samples
    assert server.stats()["answered"] == fixed.n_calls == samples.sum() <= 90
    assert samples[fixed.table.masks.all(axis=1)] > 1
    assert set(samples[2:].tolist()) == {1}
    (short,) = explain(scorer_of(server, **options), ["so good"], budget=80)
    assert len(short.table) == 4
    assert short.table.samples.sum() == 80


def test_rounds_of_sampled_answers_buy_only_what_is_new(serve):
    server = serve()
    scorer = scorer_of(server, method="votes", seed=0)
    (found,) = explain(scorer, ["so good but thin"], tolerance=0.2)
    report = found.budget_report
    assert len(report.calls) > 1
    assert list(report.calls) == sorted(report.calls)
    # Every answer stands in the table; the same one is never bought twice.
    assert server.stats()["answered"] == found.table.samples.sum() == found.n_calls
    assert server.stats()["most_of_one"] == 1


def test_intervals_of_sampled_answers_hold_the_models_own_values(serve):
    server = serve()

    def probabilities(texts):
        found = [server.model.probabilities(TEMPLATE.format(text=text)) for text in texts]
        return [[0.9 * own[label] for label in LABELS] for own in found]

    text = "superb but awful and boring though good"
    (truth,) = explain(probabilities, [text], output_names=["positive", "negative"])
    held = []
    for seed in range(12):
        scorer = scorer_of(server, method="votes", seed=1000 * seed)
        (found,) = explain(scorer, [text], budget=140, random_state=seed)
        ends = found.attribution.confidence_interval()
        held.append((ends.low <= truth.values) & (truth.values <= ends.high))
    assert np.mean(held) > 0.9


def test_shares_that_are_0_or_1_have_no_logarithm(serve):
    with pytest.raises(px.CapabilityError, match="sampled answers"):
        explain(scorer_of(serve(), method="votes"), budget=60, link="log_odds")


@pytest.mark.parametrize("ask", ["explain", "estimate_cost"])
def test_compared_answers_have_no_probability_which_is_told_before_any_call(serve, ask):
    server = serve()
    scorer = px.ApiScorer("openai:m", base_url=server.base_url, method="similarity")
    explainer = px.ShapleyExplainer(scorer, link="log_odds", progress=False)
    with pytest.raises(px.CapabilityError, match="link='log_odds'"):
        getattr(explainer, ask)([TEXT])
    assert not server.stats().get("requests")


def test_two_processes_share_a_cache(tmp_path, serve):
    server = serve(latency=0.02)
    script, cache = tmp_path / "run.py", tmp_path / "c.sqlite"
    script.write_text(RUN.format(template=TEMPLATE, text=TEXT), encoding="utf-8")
    command = [sys.executable, "-W", "ignore", str(script), server.base_url, str(cache)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert answers[0] == answers[1]
    # What one is about to get the other may ask for, too; what is there is asked by none.
    assert server.stats()["distinct"] == 100
    assert server.stats()["answered"] <= 200
    assert len(AnswerCache(cache)) == 100


def test_a_name_is_enough_where_the_labels_are_known(serve, monkeypatch):
    server = serve()
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/unused")
    model = f"{server.base_url}#m"
    options = {"output_names": ["positive", "negative"], "random_state": 0, "progress": False}
    (found,) = px.explain(model, ["so good but thin"], link="probability", **options)
    assert found.output_names == ("positive", "negative")
    assert found.values[1, 0] > 0 > found.values[3, 0]
    assert found.scores.sum() == pytest.approx(1.0)


def test_explainers_are_pickled_without_connections_and_keys(serve, servers):
    server = serve()
    scorer = scorer_of(server, api_key=servers.KEY, prices=(1.0, 2.0), max_cost=1.0)
    (found,) = explain(scorer, ["so good"])
    stored = pickle.dumps(px.ShapleyExplainer(scorer, random_state=0, progress=False))
    assert servers.KEY.encode() not in stored
    (again,) = pickle.loads(stored).explain(["so good"])
    np.testing.assert_allclose(again.values, found.values)


def test_an_address_with_a_password_is_written_without_it(serve, tmp_path):
    server = serve()
    url = server.base_url.replace("http://", "http://someone:secret-word@")
    cache = tmp_path / "c.sqlite"
    scorer = px.ApiScorer(
        "openai:m", base_url=url, labels=LABELS, prompt_template=TEMPLATE, cache=cache
    )
    (found,) = explain(scorer, ["so good"])
    shown = [
        repr(scorer),
        repr(scorer.model.provider),
        found.to_json(),
        str(found.table.provenance),
    ]
    shown += [str(row) for row in AnswerCache(cache).export()]
    assert not [own for own in shown if "secret-word" in own]
    assert b"secret-word" not in cache.read_bytes()


def test_runs_with_a_cache_file_find_their_masks_without_a_seed(serve, tmp_path):
    server = serve()
    for _ in range(3):
        scorer = scorer_of(server, cache=tmp_path / "c.sqlite")
        explain(scorer, budget=60, random_state=None)
    assert server.stats()["answered"] == 60
    explain(scorer_of(server), budget=60, random_state=None)
    assert server.stats()["answered"] == 120


def test_a_proxy_on_the_command_line(serve):
    options = ["explain", "--model", "openai:m", "--base-url", serve().base_url, "--seed", 0]
    options += ["--labels", " positive, negative", "--budget", 40, TEXT]
    with_proxy = run(*options, "--proxy", "default")
    assert with_proxy.exit_code == 0, with_proxy.output
    assert "odd_gp+proxy" in with_proxy.stdout
    assert run(*options, "--proxy", "default", "--explainer", "lime").exit_code == 1


def test_sampled_answers_of_a_short_text_go_on_with_their_table(serve):
    server = serve()
    (found,) = explain(scorer_of(server, method="votes"), ["so good but"])
    bought = server.stats()["answered"]
    again = px.ShapleyExplainer(scorer_of(server, method="votes"), random_state=0, progress=False)
    (same,) = again.explain(["so good but"], tables=[found.table])
    assert server.stats()["answered"] == bought
    np.testing.assert_allclose(same.values, found.values)


@pytest.mark.parametrize("explainer", ["partition", "lime", "lasso", "occlusion"])
@pytest.mark.parametrize("text", ["so good but", TEXT, "", "  "])
@pytest.mark.filterwarnings("ignore::perturbx.PoorFitWarning")
def test_every_explainer_takes_sampled_answers(serve, explainer, text):
    server = serve()
    model = scorer_of(server, method="votes")
    (found,) = px.explain(model, [text], explainer=explainer, random_state=0, progress=False)
    assert np.isfinite(found.values).all()
    assert found.n_calls == server.stats()["answered"]


def test_what_is_in_flight_when_a_run_fails_reaches_the_cache(serve):
    server = serve(latency=0.1)
    scorer = scorer_of(server, concurrency=4)
    reading = scorer.reading("so")

    def broken(text, answers):
        raise px.ScoringError("cannot be read")

    reading.numbers = broken
    with pytest.raises(px.ScoringError, match="cannot be read"):
        explain(scorer, budget=100)
    asked = server.stats()["requests"]
    assert asked < 20
    time.sleep(0.3)
    assert server.stats()["requests"] == asked == len(scorer.model.cache)


def test_bounds_too_small_to_matter_count_as_sure():
    values = np.random.default_rng(0).normal(size=(32, 1))
    masks = (np.arange(32)[:, None] >> np.arange(5) & 1).astype(bool)
    some = [0, 31, 1, 30, 2, 29, 4, 27, 9, 22, 5, 26]
    sure = px.ScoreTable(masks, values, ("y",)).rows(some)
    hidden = px.ScoreTable(masks, values, ("y",), variances=np.full((32, 1), 1e-9)).rows(some)
    (one,), (other,) = OddGP().fit([sure]), OddGP().fit([hidden])
    np.testing.assert_allclose(one.values, other.values)
    np.testing.assert_allclose(one.std_errors, other.std_errors, atol=1e-4)


def test_prompts_are_estimated_with_their_bill(serve):
    server = serve()
    model = px.ApiModel("openai:m", base_url=server.base_url, prices=(1.0, 2.0))
    explainer = px.PromptExplainer(model, labels=[" positive", " negative"], progress=False)
    estimate = explainer.estimate_cost(["It is awful. It is superb."])
    assert estimate.most_bill.calls == estimate.most_calls == 4
    assert estimate.most_bill.cost > 0
    assert "requests" not in server.stats()


def test_options_that_would_be_ignored_are_refused(serve, tmp_path):
    url = serve().base_url
    options = ["explain", "-m", "openai:m", "--base-url", url, "--labels", "a,b", TEXT]
    assert run(*options, "--record-prompts").exit_code == 2
    files = ["--cache", tmp_path / "c", "--batch-out", tmp_path / "q"]
    for option in ("--record", "--output-file", "--save-table"):
        refused = run(*options, *files, option, tmp_path / "r")
        assert refused.exit_code == 2
        assert option in refused.stderr
        assert not (tmp_path / "r").exists()
    provider = px.ApiModel("openai:m", base_url=url).provider
    with pytest.raises(px.ArgumentError, match="a Provider has its own"):
        px.ApiModel(provider, timeout=5.0)
