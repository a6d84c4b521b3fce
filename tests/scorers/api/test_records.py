"""Records that can be replayed without a network, and batches that come back in pieces."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import perturbx as px
from perturbx.cli.main import app
from perturbx.exceptions import AnswersWarning, ArgumentError, CutShortWarning, TableError

pytestmark = pytest.mark.filterwarnings("ignore::perturbx.PoorFitWarning")

TEMPLATE = "Review: {text}\nSentiment:"
LABELS = [" positive", " negative"]
TEXTS = ["the plot is thin but its acting superb", "so good and never bad"]


def scorer_of(server, kind="openai", **options):
    options = {"labels": LABELS, "prompt_template": TEMPLATE, **options}
    return px.ApiScorer(f"{kind}:m", base_url=server.base_url, **options)


def explainer_of(scorer, **options):
    options = {"random_state": 0, "progress": False, **options}
    return px.ShapleyExplainer(scorer, **options)


def same(found, given):
    for own, other in zip(found, given, strict=True):
        np.testing.assert_allclose(own.values, other.values)
        np.testing.assert_allclose(own.std_errors, other.std_errors)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("openai", {}),
        ("openai-completions", {"method": "prompt_log_probs"}),
        ("anthropic", {"n_samples": 3}),
        ("openai", {"method": "confidence", "labels": ["joy"], "prompt_template": None}),
        ("openai", {"method": "similarity", "labels": None, "reference": " positive"}),
    ],
)
@pytest.mark.parametrize("with_prompts", [False, True])
def test_a_record_is_replayed_without_a_server(
    serve, servers, tmp_path, kind, options, with_prompts
):
    if options.get("method") == "confidence":
        weights = {" 20": {"thin": 1.0}, " 90": {"good": 1.0, "superb": 2.0}}
        server = serve(model=servers.SimulatedModel(weights))
    else:
        server = serve(model=servers.SimulatedModel(servers.REVIEWS.weights, rest=0.1, top=5))
    explainer = explainer_of(scorer_of(server, kind, **options), random_state=None)
    given = explainer.explain(TEXTS)
    asked = server.stats()["requests"]
    path = px.write_record(tmp_path / "r.jsonl", explainer, given, TEXTS, with_prompts=with_prompts)
    server.__exit__()
    same(px.replay_record(path, *([] if with_prompts else [TEXTS])), given)
    same(px.replay_record(path, TEXTS), given)
    with pytest.raises(TableError, match="texts: the record holds"):
        px.replay_record(path, TEXTS[::-1])
    assert server.stats()["requests"] == asked
    content = path.read_text(encoding="utf-8")
    header, *rows = [json.loads(line) for line in content.splitlines()]
    assert header["model"]["versions"][0].startswith("simulated-2026-01-01")
    assert header["perturbx"] == px.__version__
    assert all(row["prompt_hash"] and row["answer"] for row in rows)
    if kind != "openai-completions":  # whose answers repeat the prompt
        assert ("acting" in content) == with_prompts


def test_a_record_of_a_run_that_was_cut_short(serve, tmp_path):
    explainer = explainer_of(scorer_of(serve(), max_calls=20, concurrency=4))
    with pytest.warns(CutShortWarning):
        given = explainer.explain(TEXTS)
    # Whoever has the explanations was told; whoever replays them was not.
    path = px.write_record(tmp_path / "r.jsonl", explainer, given, TEXTS)
    with pytest.warns(CutShortWarning):
        same(px.replay_record(path, TEXTS), given)


def test_prompts_with_their_responses_are_recorded(serve, tmp_path):
    model = px.ApiModel("openai-completions:m", base_url=serve().base_url)
    explainer = px.PromptExplainer(model, units="words", progress=False)
    prompts, responses = ["the sea is blue and so on"], [" and so the sky"]
    given = explainer.explain(prompts, responses)
    path = px.write_record(tmp_path / "r.jsonl", explainer, given, prompts, responses)
    same(px.replay_record(path, prompts, responses), given)


def test_a_record_that_was_changed_is_found_out(serve, tmp_path):
    explainer = explainer_of(scorer_of(serve()), budget=20)
    given = explainer.explain(TEXTS)
    path = px.write_record(tmp_path / "r.jsonl", explainer, given, TEXTS)
    with pytest.raises(TableError, match=r"^texts: the record holds only a hash"):
        px.replay_record(path, TEXTS[::-1])
    lines = path.read_text(encoding="utf-8").splitlines()
    (tmp_path / "short.jsonl").write_text("\n".join(lines[:-3]), encoding="utf-8")
    with pytest.raises(TableError, match="is not whole"):
        px.replay_record(tmp_path / "short.jsonl", TEXTS)
    row = json.loads(lines[4])
    row["answer"]["choices"][0]["logprobs"]["content"][0]["top_logprobs"][0]["logprob"] -= 1.0
    lines[4] = json.dumps(row)
    (tmp_path / "forged.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(TableError, match="other values follow"):
        px.replay_record(tmp_path / "forged.jsonl", TEXTS)
    for text in ("hello", "[" * 100_000):
        (tmp_path / "none.jsonl").write_text(text, encoding="utf-8")
        with pytest.raises(TableError, match="is not a record"):
            px.replay_record(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("number", "change"),
    [
        (0, {"explainer": "LaterExplainer"}),
        (0, {"parameters": {"later": 1}}),
        (0, {"model": None}),
        (0, {"given": {"arguments": [TEXTS]}}),
        (0, {"values": [[[1.0, 2.0]]] * 2}),
        (0, {"values": []}),
        (0, {"asked": {}}),
        (1, {"answer": ...}),
    ],
)
def test_a_record_that_holds_something_else_is_told(serve, tmp_path, number, change):
    explainer = explainer_of(scorer_of(serve()), budget=30)
    found = explainer.explain(TEXTS)
    path = px.write_record(tmp_path / "r.jsonl", explainer, found, TEXTS, with_prompts=True)
    lines = path.read_text(encoding="utf-8").splitlines()
    row = {**json.loads(lines[number]), **change}
    lines[number] = json.dumps({key: value for key, value in row.items() if value is not ...})
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(TableError, match=r"^path: .* is not a record that perturbx wrote \("):
        px.replay_record(path)


def test_what_cannot_be_recorded_is_told(serve, tmp_path):
    local = explainer_of(lambda texts: [len(text) for text in texts])
    with pytest.raises(ArgumentError, match=r"^explainer: expected one whose model"):
        px.write_record(tmp_path / "r.jsonl", local, local.explain(["so"]), ["so"])
    explainer = explainer_of(scorer_of(serve()))
    units = [own.units for own in explainer.explain(["so"])]
    with pytest.raises(ArgumentError, match=r"^arguments: .* holds an object"):
        px.write_record(tmp_path / "r.jsonl", explainer, explainer.explain(units), units)
    explainer = explainer_of(scorer_of(serve()), units=lambda text: [(0, len(text))])
    with pytest.raises(ArgumentError, match=r"^units: .* holds an object"):
        px.write_record(tmp_path / "r.jsonl", explainer, explainer.explain(["so"]), ["so"])


def test_numbers_and_arrays_of_numpy_are_recorded(serve, tmp_path):
    explainer = explainer_of(scorer_of(serve()), budget=np.int64(40), random_state=np.int64(3))
    texts = np.array(TEXTS)
    given = explainer.explain(texts)
    path = px.write_record(tmp_path / "r.jsonl", explainer, given, texts)
    for again in (texts, TEXTS):
        same(px.replay_record(path, again), given)


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_what_a_batch_asked_is_exported(serve, tmp_path, kind):
    server = serve()
    scorer = scorer_of(server, kind, method="votes")
    requests, answers = tmp_path / "q.jsonl", tmp_path / "a.jsonl"
    assert px.write_batch(requests, explainer_of(scorer, budget=30), TEXTS)
    lines = requests.read_text(encoding="utf-8").splitlines()
    answers.write_text("\n".join(server.answer_batch(lines)), encoding="utf-8")
    px.read_batch(answers, scorer.model, requests=requests)
    asked = {row["custom_id"]: row.get("body") or row["params"] for row in map(json.loads, lines)}
    assert {row["key"]: row["question"] for row in scorer.model.cache.export()} == asked


def test_a_torn_last_line_costs_one_answer(serve, tmp_path):
    server = serve()
    scorer = scorer_of(server, method="label_log_probs")
    requests, answers = tmp_path / "q.jsonl", tmp_path / "a.jsonl"
    n_requests = px.write_batch(requests, explainer_of(scorer, budget=30), TEXTS)
    lines = server.answer_batch(requests.read_text(encoding="utf-8").splitlines())
    answers.write_text("\n".join(lines)[:-40], encoding="utf-8")
    with pytest.warns(AnswersWarning, match="last line is cut off"):
        result = px.read_batch(answers, scorer.model, requests=requests)
    assert (result.n_answered, len(result.missing)) == (n_requests - 1, 1)
    lines[1] = lines[1][:-40]
    answers.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(TableError, match="no file of JSON lines"):
        px.read_batch(answers, scorer.model)


@pytest.mark.parametrize("kind", ["openai", "openai-completions", "anthropic"])
def test_a_batch_round_by_round(serve, tmp_path, kind):
    server, direct = serve(), serve()
    method = "votes" if kind == "anthropic" else "label_log_probs"
    options = {"method": method, "cache": tmp_path / "c.sqlite"}
    scorer = scorer_of(server, kind, prices=(1.0, 2.0), **options)
    explainer = explainer_of(scorer, budget="auto")
    requests, answers = tmp_path / "q.jsonl", tmp_path / "a.jsonl"
    rounds = 0
    while n_requests := px.write_batch(requests, explainer, TEXTS):
        rounds += 1
        lines = requests.read_text(encoding="utf-8").splitlines()
        assert len(lines) == n_requests
        flawed = rounds == 1
        answers.write_text(
            "\n".join(
                server.answer_batch(
                    lines, failed={0, 3} if flawed else (), missing={1} if flawed else ()
                )
            ),
            encoding="utf-8",
        )
        result = px.read_batch(answers, scorer.model, requests=requests)
        assert result.n_answered == n_requests - (3 if flawed else 0)
        assert len(result.failed) == (2 if flawed else 0)
        assert len(result.missing) == (1 if flawed else 0)
        assert result.used.cost > 0
        assert list(scorer.model.cache.info().by_model) == ["m"]
    assert rounds >= 2
    found = explainer.explain(TEXTS)
    assert server.stats().get("requests", 0) == 0
    if kind != "anthropic":
        same(found, explainer_of(scorer_of(direct, kind), budget="auto").explain(TEXTS))


@pytest.mark.parametrize("source", [np.random.default_rng, np.random.RandomState])
def test_a_batch_holds_the_masks_that_the_explanation_asks_for(serve, tmp_path, source):
    server = serve()
    scorer = scorer_of(server, method="label_log_probs")
    explainer = explainer_of(scorer, budget=40, random_state=source(0))
    assert px.write_batch(tmp_path / "q.jsonl", explainer, TEXTS) > 40
    lines = (tmp_path / "q.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "a.jsonl").write_text("\n".join(server.answer_batch(lines)), encoding="utf-8")
    px.read_batch(tmp_path / "a.jsonl", scorer.model)
    explainer.explain(TEXTS)
    assert server.stats().get("requests", 0) == 0


@pytest.mark.parametrize(
    ("kind", "method", "labels", "given"),
    [
        ("openai", "label_log_probs", LABELS, {}),
        ("anthropic", "votes", LABELS, {}),
        ("openai", "similarity", None, {}),
        ("openai-completions", "prompt_log_probs", None, {}),
        ("openai-completions", "prompt_log_probs", None, {"alternatives": [" and", " or"]}),
        ("openai-completions", "prompt_log_probs", LABELS, {}),
    ],
)
def test_a_batch_of_prompts_round_by_round(serve, tmp_path, kind, method, labels, given):
    server, asked = serve(), {"method": method, "labels": labels, "prompt_template": None}
    scorer = scorer_of(server, kind, cache=tmp_path / "c.sqlite", **asked)
    explainer = px.PromptExplainer(
        scorer, labels=labels, units="words", budget=30, random_state=0, progress=False
    )
    requests, answers = tmp_path / "q.jsonl", tmp_path / "a.jsonl"
    while px.write_batch(requests, explainer, TEXTS, **given):
        lines = requests.read_text(encoding="utf-8").splitlines()
        answers.write_text("\n".join(server.answer_batch(lines)), encoding="utf-8")
        px.read_batch(answers, scorer.model)
    found = explainer.explain(TEXTS, **given)
    assert server.stats().get("requests", 0) == 0
    assert (
        found[0].table.kind
        == {
            "label_log_probs": "logit",
            "votes": "probability",
            "similarity": "similarity",
            "prompt_log_probs": "logit" if labels else "log_prob",
        }[method]
    )


def test_a_batch_needs_a_method_and_a_seed(serve, tmp_path):
    scorer = scorer_of(serve())
    with pytest.raises(ArgumentError, match=r"^method: 'auto' has to ask"):
        px.write_batch(tmp_path / "q.jsonl", explainer_of(scorer), TEXTS)
    seedless = explainer_of(scorer_of(serve(), method="votes"), random_state=None)
    with pytest.raises(ArgumentError, match=r"^random_state: "):
        px.write_batch(tmp_path / "q.jsonl", seedless, TEXTS)
    (tmp_path / "a.jsonl").write_text('{"custom_id": "x", "response": {"body": {"a": 1}}}')
    with pytest.raises(TableError, match="line 1 of"):
        px.read_batch(tmp_path / "a.jsonl", scorer.model)


def run(*arguments):
    return CliRunner().invoke(app, [str(own) for own in arguments])


def test_records_and_batches_on_the_command_line(serve, tmp_path):
    server = serve()
    template = tmp_path / "t.txt"
    template.write_text(TEMPLATE, encoding="utf-8")
    options = ["explain", "-m", "openai:m", "--base-url", server.base_url, "--seed", 0]
    options += ["--labels", " positive, negative", "--prompt-template", template, TEXTS[0]]
    batch = ["--method", "label_log_probs", "--cache", tmp_path / "c.sqlite"]
    wrote = run(*options, *batch, "--batch-out", tmp_path / "q.jsonl")
    assert wrote.exit_code == 0, wrote.output
    lines = (tmp_path / "q.jsonl").read_text(encoding="utf-8").splitlines()
    answers = "\n".join(server.answer_batch(lines))
    (tmp_path / "a.jsonl").write_text(answers, encoding="utf-8")
    record = ["--record", tmp_path / "r.jsonl"]
    read = run(*options, *batch, "--batch-in", tmp_path / "a.jsonl", *record)
    assert read.exit_code == 0, read.output
    assert f"{len(lines)} answers, 0 failed" in read.stderr
    again = run("replay", tmp_path / "r.jsonl", TEXTS[0])
    assert again.exit_code == 0, again.output
    assert again.stdout == read.stdout
    other = run("replay", tmp_path / "r.jsonl", "another text")
    assert other.exit_code == 1
    assert "error: texts: the record" in other.stderr
    assert run(*options, "--batch-out", tmp_path / "q.jsonl").exit_code == 2  # without a cache
    for name, code, said in (
        ("no", 2, "for --batch-in: there is"),
        ("t.txt", 1, "error: --batch-in: "),
    ):
        done = run(*options, *batch, "--batch-in", tmp_path / name)
        assert (done.exit_code, said in done.stderr) == (code, True)


def test_a_replay_of_other_texts_is_refused_whatever_the_record_holds(serve, tmp_path):
    explainer = explainer_of(scorer_of(serve(), method="label_log_probs"), budget=20)
    found = explainer.explain(TEXTS)
    for with_prompts in (False, True):
        path = tmp_path / f"{with_prompts}.jsonl"
        px.write_record(path, explainer, found, TEXTS, with_prompts=with_prompts)
        assert run("replay", path, *TEXTS).exit_code == 0
        other = run("replay", path, "another text")
        assert (other.exit_code, other.stdout) == (1, "")
        assert "the record holds" in other.stderr
    assert run("replay", path).exit_code == 0
    done = run("replay", path, "-o", tmp_path / "x.html")
    assert f"wrote {tmp_path / 'x.html'}" in done.stderr
    assert run("replay", tmp_path / "no.jsonl").exit_code == 2


def test_a_record_that_cannot_be_written_loses_no_result(serve, tmp_path, monkeypatch):
    server = serve()
    options = ["explain", "-m", "openai:m", "--base-url", server.base_url, "--seed", 0, "so so"]
    options += ["--labels", "positive,negative", "--method", "label_log_probs", "--budget", 8]
    (tmp_path / "folder").mkdir()
    early = run(*options, "--record", tmp_path / "folder")
    assert early.exit_code == 2
    assert "--record" in early.stderr
    assert server.stats().get("requests", 0) == 0

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("perturbx.explainers.api_record.write_record", full)
    late = run(*options, "--record", tmp_path / "r.jsonl")
    assert late.exit_code == 1
    assert "so" in late.stdout
    assert "error: --record: [Errno 28]" in late.stderr
    assert "wrote" not in late.stderr


def test_a_batch_holds_all_requests_however_many_there_are(serve, tmp_path, monkeypatch):
    """Asked in parts, as a run does it, the first one would end it: a day for each part."""
    monkeypatch.setattr("perturbx.runner.PLAN_CHUNK", 100)
    monkeypatch.setattr(px.ApiScorer, "least_at_once", 4)
    scorer = scorer_of(serve(), method="label_log_probs")
    explainer = explainer_of(scorer, budget=30)
    n_requests = px.write_batch(tmp_path / "q.jsonl", explainer, TEXTS)
    assert n_requests == explainer.estimate_cost(TEXTS).most_calls > 40
