"""A process that becomes two keeps every answer, and hangs in neither."""

import multiprocessing
import threading
import time

import pytest

from perturbx import ApiModel
from perturbx.scorers.api.cache import AnswerCache

pytestmark = [
    pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


def ask(model, names):
    questions = [model.provider.question(f"so good {name}") for name in names]
    return sum(len(part) for part in model.ask(questions))


def forked(work):
    """Start some work in a fork of this process."""
    process = multiprocessing.get_context("fork").Process(target=work, daemon=True)
    process.start()
    return process


def test_what_a_fork_is_answered_is_kept_where_the_first_process_closes_the_file(
    serve, tmp_path, monkeypatch
):
    server = serve()
    monkeypatch.chdir(tmp_path)
    model = ApiModel("openai:m", base_url=server.base_url, cache="c.sqlite")
    ask(model, range(3))

    def work():
        monkeypatch.chdir("/")
        for number in range(20):
            ask(model, [f"in the fork {number}"])
            time.sleep(0.02)

    process = forked(work)
    ask(model, range(5))
    model.cache.close()
    process.join(20)
    assert process.exitcode == 0
    assert len(AnswerCache("c.sqlite")) == server.stats()["requests"] == 25


@pytest.mark.parametrize("name", [None, "c.sqlite"])
def test_a_fork_waits_for_no_call_of_the_first_process(serve, tmp_path, name):
    server = serve(latency=0.3)
    cache = None if name is None else tmp_path / name
    model = ApiModel("openai:m", base_url=server.base_url, concurrency=2, max_calls=9, cache=cache)
    running = threading.Thread(target=ask, args=(model, range(6)))
    running.start()
    time.sleep(0.1)
    process = forked(lambda: ask(model, range(2)))
    process.join(20)
    running.join()
    assert process.exitcode == 0
    assert len(model.cache) == 6
