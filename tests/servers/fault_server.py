"""A server for tests that speaks as OpenAI and Anthropic do, and fails as they do.

Standard library only. ``python tests/servers/fault_server.py --latency 0.05`` prints its address.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import math
import random
import sys
import threading
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from simulated_model import SimulatedModel, tokens_of

FAULTS = (
    "429",
    "429_retry_after",
    "429_retry_after_ms",
    "500",
    "503",
    "dropped",
    "dropped_midway",
    "malformed",
    "missing_logprobs",
    "truncated_top",
    "slow",
    "hang",
)

KEY = "sk-test-0123456789abcdef"
"""The key that clients should send."""

REVIEWS = SimulatedModel(
    {
        " positive": {"": 0.2, "good": 1.5, "great": 2.0, "superb": 2.5, "not good": -3.0},
        " negative": {"": 0.0, "bad": 1.5, "boring": 1.0, "thin": 0.5, "awful": 2.5},
    },
    rest=0.1,
)


class FaultServer:
    """Serves a `SimulatedModel` on 127.0.0.1 in a thread; a context manager.

    Parameters
    ----------
    model : SimulatedModel
        What answers.
    latency, jitter : float
        Seconds before an answer, and how much longer at random.
    faults : dict of str to float
        How probable each kind of fault is.
    script : sequence of str
        Faults of the first requests ("ok": none).
    limit_concurrency : int, optional
        More than so many at once are refused with 429.
    requests_per_minute : int, optional
        More in a minute are refused with 429 and a retry-after.
    retry_after : float
        Seconds in the headers that ask for a pause.
    hidden_prompt : int
        Tokens that the service puts before every prompt.
    refuses : callable, optional
        Says of a prompt of a chat how it is refused, if it is: "filter" (HTTP 400), "refusal",
        "filtered answer", "empty" (an answer) or "nan" (among the log-probabilities).
    """

    def __init__(
        self,
        model=REVIEWS,
        *,
        latency=0.0,
        jitter=0.0,
        faults=None,
        script=(),
        seed=0,
        limit_concurrency=None,
        requests_per_minute=None,
        retry_after=1.0,
        hidden_prompt=0,
        refuses=None,
        port=0,
    ):
        self.model = model
        self.latency = latency
        self.jitter = jitter
        self.faults = dict(faults or {})
        unknown = [kind for kind in [*self.faults, *script] if kind not in (*FAULTS, "ok", "401")]
        assert not unknown, f"unknown faults: {unknown}"
        self.script = list(script)
        self.random = random.Random(seed)
        self.seed = seed
        self.limit_concurrency = limit_concurrency
        self.requests_per_minute = requests_per_minute
        self.retry_after = retry_after
        self.hidden_prompt = hidden_prompt
        self.refuses = refuses or (lambda prompt: None)
        self.port = port
        self.counts = Counter()
        self.in_flight = 0
        self.max_in_flight = 0
        self.answered = Counter()
        self.times = []
        self._repeats = Counter()
        self._ready = threading.Event()

    # ---- life

    def __enter__(self):
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10), "the server did not start"
        return self

    def __exit__(self, *_):
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._done.set)
            self._thread.join(10)

    def _run(self):
        asyncio.run(self.serve())

    async def serve(self):
        """Serve until it is told to stop."""
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        self._tasks = set()
        server = await asyncio.start_server(self._connection, "127.0.0.1", self.port, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._done.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def base_url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def stats(self):
        """Return what happened so far."""
        return {
            **self.counts,
            "max_in_flight": self.max_in_flight,
            "distinct": len(self.answered),
            "most_of_one": max(self.answered.values(), default=0),
        }

    # ---- HTTP

    async def _connection(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            while await self._request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError, asyncio.CancelledError):
            pass  # the client or the server left
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(Exception):
                await writer.wait_closed()

    async def _request(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if method == "GET":
            return await self._send(writer, 200, self._look_up(path))
        given = headers.get("authorization", "").removeprefix("Bearer ") or headers.get("x-api-key")
        self.counts["authorised"] += given == KEY
        self.counts["requests"] += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            return await self._answer(reader, writer, path, json.loads(body))
        finally:
            self.in_flight -= 1

    async def _send(self, writer, status, value, extra=(), *, raw=None):
        content = json.dumps(value).encode() if raw is None else raw
        lines = [f"HTTP/1.1 {status} X", "content-type: application/json", *extra]
        lines.append(f"content-length: {len(content)}\r\n\r\n")
        writer.write("\r\n".join(lines).encode() + content)
        await writer.drain()
        return True

    async def _refuse(self, writer, path, status, kind, message, extra=()):
        if path.endswith("/messages"):
            value = {"type": "error", "error": {"type": kind, "message": message}}
        else:
            value = {"error": {"message": message, "type": kind, "code": kind, "param": None}}
        return await self._send(writer, status, value, extra)

    # ---- answers and faults

    def _fault(self):
        if self.script:
            return self.script.pop(0)
        at = self.random.random()
        for kind, probability in self.faults.items():
            at -= probability
            if at < 0:
                return kind
        return "ok"

    async def _answer(self, reader, writer, path, body):
        if self.limit_concurrency is not None and self.in_flight > self.limit_concurrency:
            self.counts["over_concurrency"] += 1
            return await self._refuse(writer, path, 429, "rate_limit_exceeded", "too many at once")
        if self.requests_per_minute is not None:
            now = self._loop.time()
            self.times = [t for t in self.times if t > now - 60.0]
            if len(self.times) >= self.requests_per_minute:
                self.counts["over_rate"] += 1
                wait = f"retry-after: {self.times[0] + 60.0 - now:.3f}"
                return await self._refuse(
                    writer, path, 429, "rate_limit_exceeded", "requests a minute", [wait]
                )
            self.times.append(now)
        fault = self._fault()
        if fault != "ok":
            self.counts[fault] += 1
        if fault == "401":
            return await self._refuse(
                writer, path, 401, "invalid_api_key", f"Incorrect API key provided: {KEY}"
            )
        if fault.startswith("429"):
            extra = {
                "429": (),
                "429_retry_after": (f"retry-after: {self.retry_after:g}",),
                "429_retry_after_ms": (f"retry-after-ms: {1000 * self.retry_after:g}",),
            }[fault]
            return await self._refuse(
                writer, path, 429, "rate_limit_exceeded", "Rate limit reached", extra
            )
        if fault == "dropped":
            return False
        if fault == "hang":
            # Until the client has enough of it.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), 60.0)
            return False
        wait = self.latency + self.jitter * self.random.random()
        if wait:
            await asyncio.sleep(wait)
        if fault in ("500", "503"):
            return await self._refuse(writer, path, int(fault), "server_error", "overloaded")
        status, value = self._reply(path, body, fault)
        how = self.refuses("\n".join(own["content"] for own in body.get("messages", ())))
        if how is not None:
            self.counts["refused"] += 1
        if how == "filter":
            return await self._refuse(writer, path, 400, "content_filter", "the prompt is filtered")
        if how is not None:
            value = _refused(value, how)
        if status != 200:
            self.counts[f"refused_{status}"] += 1
            return await self._refuse(writer, path, status, "invalid_request_error", value)
        content = json.dumps(value).encode()
        if fault == "dropped_midway":
            head = f"HTTP/1.1 200 X\r\ncontent-length: {len(content)}\r\n\r\n"
            writer.write(head.encode() + content[: len(content) // 2])
            await writer.drain()
            return False
        self.counts["answered"] += 1
        if fault == "malformed":
            return await self._send(writer, 200, None, raw=content[: len(content) // 2])
        usage = value["usage"]
        self.counts["prompt_tokens"] += usage.get("prompt_tokens", usage.get("input_tokens", 0))
        self.counts["completion_tokens"] += usage.get(
            "completion_tokens", usage.get("output_tokens", 0)
        )
        self.answered[self._hash(path, body)] += 1
        if fault == "slow":
            head = f"HTTP/1.1 200 X\r\ncontent-length: {len(content)}\r\n\r\n"
            writer.write(head.encode())
            for start in range(0, len(content), -(-len(content) // 8)):
                # Before each piece: a call whose last piece is sent is not in flight any more.
                await asyncio.sleep(0.05)
                writer.write(content[start : start + -(-len(content) // 8)])
                await writer.drain()
            return True
        return await self._send(writer, 200, None, raw=content)

    def _hash(self, path, body):
        return hashlib.blake2b(json.dumps([path, body], sort_keys=True).encode()).hexdigest()

    def _reply(self, path, body, fault="ok"):
        draw = None
        if body.get("temperature", 1.0) > 0:
            key = self._hash(path, body)
            self._repeats[key] += 1
            draw = self.model.draws(f"{self.seed} {key} {self._repeats[key]}")
        if path.endswith("/chat/completions"):
            return self._chat(body, draw, fault)
        if path.endswith("/completions"):
            return self._completions(body, draw, fault)
        if path.endswith("/messages"):
            return self._messages(body, draw)
        return 404, f"no such path: {path}"

    def _said(self, prompt, body, draw, default):
        return self.model.answer(
            prompt,
            max_tokens=body.get("max_tokens", body.get("max_completion_tokens", default)),
            temperature=body.get("temperature", 1.0),
            draw=draw,
        )

    def _top(self, options, k, fault):
        ranked = sorted(options.items(), key=lambda pair: -pair[1])
        return ranked[: 2 if fault == "truncated_top" else k]

    def _usage(self, prompt, completion):
        prompt += self.hidden_prompt
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }

    def _chat(self, body, draw, fault):
        prompt = "\n".join(message["content"] for message in body["messages"])
        k = body.get("top_logprobs", 0)
        if k > self.model.top:
            return 400, f"top_logprobs: at most {self.model.top}, got {k}"
        tokens = self._said(prompt, body, draw, 64)
        logprobs = None
        if body.get("logprobs") and self.model.top and fault != "missing_logprobs":
            logprobs = {
                "content": [
                    {
                        "token": token,
                        "logprob": math.log(options[token]),
                        "bytes": list(token.encode()),
                        "top_logprobs": [
                            {"token": own, "logprob": math.log(p), "bytes": list(own.encode())}
                            for own, p in self._top(options, k, fault)
                        ],
                    }
                    for token, options in tokens
                ],
                "refusal": None,
            }
        text = "".join(token for token, _ in tokens)
        return 200, {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": self.model.version,
            "system_fingerprint": "fp_1",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "logprobs": logprobs,
                    "finish_reason": "stop",
                }
            ],
            "usage": self._usage(len(tokens_of(prompt)) + 4, len(tokens)),
        }

    def _completions(self, body, draw, fault):
        prompt, k = body["prompt"], body.get("logprobs") or 0
        if k > self.model.top:
            return 400, f"logprobs: at most {self.model.top}, got {k}"
        if body.get("echo") and not self.model.echo:
            return 400, "echo is not supported by this model"
        tokens = self._said(prompt, body, draw, 16)
        names = [token for token, _ in tokens]
        numbers = [math.log(options[token]) for token, options in tokens]
        tops = [
            {own: math.log(p) for own, p in self._top(options, k, fault)} for _, options in tokens
        ]
        text = "".join(names)
        if body.get("echo"):
            before, scored = self.model.prompt_log_probs(prompt)
            names, numbers = before + names, scored + numbers
            tops = [None] + [{}] * (len(before) - 1) + tops
            text = prompt + text
        logprobs = None
        if k and fault != "missing_logprobs":
            offsets = [0]
            for name in names[:-1]:
                offsets.append(offsets[-1] + len(name))
            logprobs = {
                "tokens": names,
                "token_logprobs": numbers,
                "top_logprobs": tops,
                "text_offset": offsets,
            }
        return 200, {
            "id": "cmpl-1",
            "object": "text_completion",
            "model": self.model.version,
            "choices": [
                {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": "length"}
            ],
            "usage": self._usage(len(tokens_of(prompt)), len(tokens)),
        }

    def _messages(self, body, draw):
        parts = [body.get("system", "")]
        for message in body["messages"]:
            content = message["content"]
            if not isinstance(content, str):
                content = "".join(block["text"] for block in content)
            parts.append(content)
        prompt = "\n".join(part for part in parts if part)
        tokens = self._said(prompt, body, draw, 64)
        return 200, {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": self.model.version,
            "content": [{"type": "text", "text": "".join(token for token, _ in tokens)}],
            "stop_reason": "end_turn",
            "usage": {
                "input_tokens": len(tokens_of(prompt)) + 4 + self.hidden_prompt,
                "output_tokens": len(tokens),
            },
        }

    # ---- files and batches

    def answer_batch(self, lines, *, failed=(), missing=()):
        """Return the answer file of a request file, in another order, some failed or missing.

        Parameters
        ----------
        lines : list of str
            A request each, as OpenAI or Anthropic want it.
        failed, missing : collection of int
            Lines that end in an error, or have no answer at all.
        """
        answers = []
        for number, line in enumerate(lines):
            row = json.loads(line)
            if number in missing:
                continue
            if "params" in row:
                _, value = self._reply("/messages", row["params"])
                result = {"type": "succeeded", "message": value}
                if number in failed:
                    error = {"type": "invalid_request_error", "message": "too long"}
                    result = {"type": "errored", "error": {"type": "error", "error": error}}
                answers.append({"custom_id": row["custom_id"], "result": result})
                continue
            _, value = self._reply(row["url"], row["body"])
            response, error = {"status_code": 200, "body": value}, None
            if number in failed:
                response, error = None, {"code": "server_error", "message": "it broke"}
            answers.append(
                {"custom_id": row["custom_id"], "response": response, "error": error, "id": "b"}
            )
        random.Random(self.seed).shuffle(answers)
        return [json.dumps(answer) for answer in answers]

    def _look_up(self, path):
        if path.endswith("/stats"):
            return self.stats()
        return {"object": "list", "data": [{"id": "simulated", "object": "model"}]}


def _refused(value, how):
    """Return an answer of a chat as it is where it is held back."""
    (choice,) = value["choices"]
    logprobs = choice["logprobs"]
    if how == "nan":
        tops = logprobs["content"][0]["top_logprobs"]
        nan = [{**own, "logprob": math.nan} for own in tops]
        logprobs = {"content": [{**logprobs["content"][0], "top_logprobs": nan}]}
        return {**value, "choices": [{**choice, "logprobs": logprobs}]}
    content = {"refusal": None, "filtered answer": None, "empty": ""}[how]
    message = {"role": "assistant", "content": content}
    if how == "refusal":
        message["refusal"] = "I cannot help with that."
    if logprobs is not None:
        logprobs = {"content": None if how == "refusal" else []}
    reason = "content_filter" if how == "filtered answer" else "stop"
    choice = {**choice, "message": message, "logprobs": logprobs, "finish_reason": reason}
    return {**value, "choices": [choice]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--faults", default="{}", help="JSON: kinds with their probabilities")
    parser.add_argument("--top", type=int, default=20)
    options = parser.parse_args()
    model = SimulatedModel(REVIEWS.weights, rest=REVIEWS.rest, top=options.top)
    server = FaultServer(
        model, latency=options.latency, faults=json.loads(options.faults), port=options.port
    )

    async def serve():
        task = asyncio.create_task(server.serve())
        while not server._ready.is_set():
            await asyncio.sleep(0.01)
        print(server.base_url, flush=True)
        await task

    asyncio.run(serve())


if __name__ == "__main__":
    main()
