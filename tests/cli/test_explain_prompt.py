"""The command ``perturbx explain-prompt``, on a model saved to a folder."""

import json

import pytest
from typer.testing import CliRunner

from perturbx.cli.main import app


@pytest.fixture(scope="module")
def folder(language_model, tmp_path_factory):
    model, tokenizer = language_model("llama", attention="sdpa")
    path = tmp_path_factory.mktemp("model")
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def run(folder):
    def invoke(*arguments):
        options = ("explain-prompt", "--model", str(folder), "--quiet", "--seed", "0")
        return CliRunner().invoke(app, [*options, *map(str, arguments)])

    return invoke


def test_a_prompt_and_what_was_said(run):
    done = run("He left. It rained.", "--response", " Bob")
    assert done.exit_code == 0, done.output
    assert "It rained" in done.stdout
    assert "log-probability" in done.stdout


def test_a_field_may_be_called_prompt(run, tmp_path):
    template, records = tmp_path / "t.txt", tmp_path / "r.jsonl"
    template.write_text("{rules}\n{prompt}\nA:", encoding="utf-8")
    records.write_text(
        json.dumps({"rules": "Be kind.", "prompt": "He left. Why?", "response": " so"}),
        encoding="utf-8",
    )
    done = run("--template", template, "--fields", "prompt", "--input", records, "--output", "json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["pieces"] == ["He left. ", "Why?"]


@pytest.mark.parametrize("name", ["response", "alternative"])
def test_a_field_may_be_called_as_what_was_said(run, tmp_path, name):
    template, records = tmp_path / "t.txt", tmp_path / "r.jsonl"
    template.write_text(f"{{rules}}\n{{{name}}}\nGood or bad?", encoding="utf-8")
    records.write_text(json.dumps({"rules": "Be kind.", name: "He left. Why?"}), encoding="utf-8")
    chosen = ("--template", template, "--fields", name, "--labels", " good, bad")
    done = run(*chosen, "--input", records, "--output", "json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["pieces"] == ["He left. ", "Why?"]


def test_records_fill_a_template_and_a_run_resumes(run, tmp_path):
    template = tmp_path / "rag.txt"
    template.write_text("C: {context}\nQ: {query}\nA:\n", encoding="utf-8")
    records = tmp_path / "rag.jsonl"
    lines = [
        {"context": "He left. It rained.", "query": "who?", "response": " Bob. Yes."},
        {"context": "One. Two. Three.", "query": "what?", "response": " no"},
    ]
    records.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    common = ("--template", template, "--fields", "context", "--input", records)
    done = run(
        *common, "--outputs", "sentences", "--output", "json", "--save-table", tmp_path / "t"
    )
    assert done.exit_code == 0, done.output
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["output_names"] == ["Bob.", "Yes."]
    assert first["text"] == "C: He left. It rained.\nQ: who?\nA: Bob. Yes."
    assert second["pieces"] == ["One. ", "Two. ", "Three."]
    again = run(*common, "--outputs", "sentences", "--output", "json", "--resume", tmp_path / "t")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout.splitlines()[0])["values"] == first["values"]
    page = tmp_path / "page.html"
    done = run(*common, "--outputs", "sentences", "-o", page)
    assert done.exit_code == 0, done.output
    assert "Choose a part of the response" in page.read_text(encoding="utf-8")


def test_labels_and_an_estimate(run, tmp_path):
    done = run("so good", "--labels", " yes, no", "--units", "words", "--link", "probability")
    assert done.exit_code == 0, done.output
    assert "yes" in done.stdout
    shown = {}
    for outputs in ("all", "predicted", "yes", "auto"):
        done = run(
            *("so good", "--labels", " yes, no", "--units", "words", "--output", "json"),
            *("--outputs", outputs),
        )
        assert done.exit_code == 0, done.output
        shown[outputs] = json.loads(done.stdout)["output_names"]
    assert shown["all"] == shown["auto"] == ["yes", "no"]
    assert len(shown["predicted"]) == 1
    assert shown["yes"] == ["yes"]
    done = run("so good", "--estimate", "--max-new-tokens", "4")
    assert done.stdout.startswith("1 text, 1 units: 2 calls")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "give a PROMPT"),
        (("a", "b", "--response", " c"), 2, "--response"),
        (("a", "--template", "nowhere.txt"), 2, "no file"),
        (("a", "--budget", "many"), 2, "--budget"),
        (("--input", "nowhere.jsonl"), 2, "no file"),
        (("a", "--outputs", "Eve", "--response", " Bob"), 1, "outputs: 'Eve'"),
        (("a", "--chat-template-kwargs", "{think}"), 2, "is no JSON"),
        (("a", "--chat-template-kwargs", "[1]"), 2, "expected a JSON object"),
        (("a", "--chat-template-kwargs", "{}"), 1, "no list of messages"),
    ],
)
def test_what_cannot_be_is_told(run, arguments, code, said):
    done = run(*arguments)
    assert done.exit_code == code
    assert said in done.output


def test_a_record_is_a_prompt_or_messages(run, tmp_path):
    both = {"prompt": "so", "messages": [{"role": "user", "content": "so"}]}
    path = tmp_path / "both.jsonl"
    path.write_text(json.dumps({"prompt": "so"}) + "\n" + json.dumps(both))
    done = run("--input", str(path))
    assert done.exit_code == 1
    assert "record 2 has 'messages' and 'prompt'; give one" in done.output
    path.write_text(json.dumps({"messages": "so"}))
    done = run("--input", str(path))
    assert done.exit_code == 1
    assert "record 1: 'messages' is a list of messages" in done.output


def test_a_chat_template_is_told_more(language_model, tmp_path):
    model, tokenizer = language_model("llama", attention="sdpa")
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['content'] }}{% endfor %}{% if not think %}<no>{% endif %}"
    )
    model.save_pretrained(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    record = {"messages": [{"role": "user", "content": "He left."}], "response": " so"}
    (tmp_path / "r.jsonl").write_text(json.dumps(record), encoding="utf-8")
    asked = ["explain-prompt", "-m", str(tmp_path / "m"), "-i", str(tmp_path / "r.jsonl")]
    texts = []
    for options in ([], ["--chat-template-kwargs", '{"think": true}']):
        done = CliRunner().invoke(app, [*asked, "-q", "--output", "json", *options])
        assert done.exit_code == 0, done.output
        texts.append(json.loads(done.stdout)["text"])
    assert [text.count("<no>") for text in texts] == [1, 0]


def test_responses_are_given_to_all_or_none(run, tmp_path):
    records = tmp_path / "a.jsonl"
    records.write_text('{"prompt": "a", "response": " b"}\n{"prompt": "c"}', encoding="utf-8")
    done = run("--input", records)
    assert done.exit_code == 1
    assert "record 2 has no 'response'" in done.output
