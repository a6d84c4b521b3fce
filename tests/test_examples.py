"""Every example runs from a checkout and gives the answer that it promises."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples"
SERVER = Path(__file__).parent / "servers" / "fault_server.py"
EXAMPLES = sorted(path.name for path in FOLDER.glob("*.py"))


@pytest.fixture(scope="module")
def llm(language_model, tmp_path_factory):
    """The folder of a tiny random language model: its answers mean nothing."""
    model, tokenizer = language_model("llama", attention="sdpa", max_position_embeddings=4096)
    folder = tmp_path_factory.mktemp("llm")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def answer_of(name, *arguments):
    """Return what an example prints, run from another folder and without a network."""
    # A random model is explained badly, and that is said; a real one must not be.
    strict = () if arguments else ("-W", "error::UserWarning")
    done = subprocess.run(
        [sys.executable, *strict, FOLDER / name, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        cwd=FOLDER.anchor,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "NO_COLOR": "1", "PYTHONUTF8": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def values_in(answer):
    """Return the numbers of the lines that begin with a word and a number."""
    lines = [re.match(r"(\w+)\s+([+-]?\d+\.\d+)", line) for line in answer.splitlines()]
    found = {}
    for line in filter(None, lines):
        found.setdefault(line[1], float(line[2]))
    return found


def test_the_classifier_of_reviews_is_moved_by_the_faults():
    values = values_in(answer_of("sklearn_pipeline.py"))
    assert values["negative"] > 0.5
    assert min(values["broken"], values["slow"], values["cold"]) > 0.05
    assert max(values["clean"], values["friendly"]) < -0.05


def test_two_methods_agree_on_the_sentence():
    answer = answer_of("transformers_classifier.py")
    table = answer.split("The five largest values")[1]
    rows = re.findall(r"^(\w+) +([+-][\d.]+) *([+-][\d.]+)$", table, flags=re.MULTILINE)
    assert len(rows) == 5
    assert all(float(shapley) * float(lime) > 0 for _, shapley, lime in rows[:3])
    values = {word: float(shapley) for word, shapley, _ in rows}
    assert values["stale"] > 0 > values["charming"]


def test_the_credit_is_shared():
    answer = answer_of("plain_function.py")
    rows = {
        word: (float(alone), float(shared))
        for word, alone, shared in re.findall(
            r"^(\w+) +(-?[\d.]+) +(-?[\d.]+)$", answer, re.MULTILINE
        )
    }
    assert rows.pop("Urgent") == rows.pop("immediately") == (0.0, 0.5)
    assert len(rows) == 7
    assert set(rows.values()) == {(0.0, 0.0)}


def test_a_negation_and_its_word_come_first_and_praise_is_said_twice():
    answer = answer_of("words_together.py").split("The strongest pairs for POSITIVE")[1]
    pairs = {
        (first, second): float(value)
        for first, second, value in re.findall(
            r"^(\w+) \+ (\w+) +([+-][\d.]+) ± [\d.]+$", answer, re.MULTILINE
        )
    }
    assert len(pairs) == 6
    assert next(iter(pairs)) == ("never", "dull")
    assert pairs["never", "dull"] > 1
    assert pairs["brilliant", "superb"] < -0.5


def test_chinese_words_are_cut_and_weighed():
    answer = answer_of("chinese_text.py")
    assert {"房间", "干净", "态度", "恶劣"} <= set(re.split(r" \| |: |\n", answer))
    values = values_in(answer)
    assert min(values["干净"], values["丰富"]) > 0 > values["恶劣"]


def test_misread_words_have_weights_below_zero():
    answer = answer_of("explainer_in_pipeline.py")
    weights = values_in(answer)
    assert len(weights) == 8
    assert max(weights.values()) < 0
    assert "problem" in weights  # "solved my problem politely"


def test_a_language_model_is_asked_for_labels(llm):
    answer = answer_of("sentiment_by_prompt.py", llm)
    assert re.match(r"1 text, 9 units: \d+ to \d+ calls, [\d,]+ to [\d,]+ tokens", answer)
    assert {"superb", "thin"} <= set(values_in(answer))


def test_each_sentence_of_an_answer_has_its_sources(llm, tmp_path):
    answer = answer_of("answer_and_its_sources.py", llm, tmp_path / "page.html")
    assert "Anna Kroll built the mill." in answer.splitlines()
    assert len(re.findall(r"^  +[+-][\d.]+  \w", answer, re.MULTILINE)) == 4
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "The baker sells rye bread." in page


def test_every_sentence_of_a_document_is_weighed(llm):
    answer = answer_of("hidden_instruction.py", llm)
    rows = re.findall(r"^  +([+-][\d.]+) ± ([\d.]+)  (\w.*)$", answer, re.MULTILINE)
    assert len(rows) == 5
    assert {"Returns are free for thirty days"} <= {label for _, _, label in rows}


def test_every_example_of_a_prompt_is_weighed(llm):
    answer = answer_of("examples_by_influence.py", llm)
    assert len(re.findall(r"^ *[+-][\d.]+  Word: \w+ / Kind: \w+$", answer, re.MULTILINE)) == 5


def test_every_example_is_listed_and_tested():
    listed = re.findall(r"\((\w+\.py)\)", (FOLDER / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == EXAMPLES
    tests = Path(__file__).read_text(encoding="utf-8")
    assert all(f'answer_of("{name}"' in tests for name in EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_list_asks_the_question_of_the_example(name):
    question = (FOLDER / name).read_text(encoding="utf-8").split("\n")[0].strip('"')
    assert question.endswith("?")
    assert question in (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def service():
    """The address of a server that answers as OpenAI and Anthropic do."""
    command = [sys.executable, str(SERVER), "--top", "5", "--latency", "0.001"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.kill()


def test_a_service_with_five_likeliest_tokens(service):
    answer = answer_of("api_top_logprobs.py", "openai:m", service)
    values = dict(line.split(maxsplit=1)[::-1] for line in answer.splitlines() if line[0] in "+-")
    assert float(values["superb"]) > 0.1
    assert float(values["awful"]) < -0.1
    assert "label_log_probs: " in answer
    assert "requests" in answer


def test_a_service_that_answers_in_text_only(service):
    answer = answer_of("api_text_only.py", "anthropic:m", service)
    rows = [re.match(r"(\S+)  \[(\S+), (\S+)\]  (\w+)", line) for line in answer.splitlines()]
    ends = {row[4]: (float(row[2]), float(row[3])) for row in rows if row}
    assert ends["superb"][0] > 0
    assert ends["awful"][1] < 0
    assert sum(low <= 0 <= high for low, high in ends.values()) >= 4
    assert "400 calls answered" in answer


def test_a_service_that_scores_prompts(service):
    answer = answer_of("api_prompt_logprobs.py", "openai-completions:m", service)
    assert "Anna Kroll" in answer.splitlines()[0]
    assert "replayed: True" in answer


def test_the_audit_finds_what_was_planted(tmp_path):
    page = tmp_path / "audit.html"
    answer = answer_of("fairness_audit.py", page)
    assert "age, mean score" in answer
    assert "in the group “old”" in answer
    assert re.search(r"older +-0\.\d+ +-0\.\d+ +-0\.\d+", answer)
    assert "gaps by age would stop a build" in answer
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
