"""`Provider`: what must be known of a service to ask its models. Another one is a short file."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import re
import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from numbers import Integral
from typing import Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

from perturbx.exceptions import ArgumentError, MissingExtraError
from perturbx.scorers.api.background import finish
from perturbx.scorers.api.faults import Fault, fault_of
from perturbx.scorers.api.questions import (
    Answer,
    ApiPrompt,
    Json,
    Question,
    Wish,
    bound_on_tokens,
)

LENGTHS = ("max_tokens", "max_completion_tokens", "n_predict")
"""What services call the most tokens of an answer; the last one is llama.cpp's."""

NOT_PARAMETERS = {
    "model": "it is named at the front",
    "messages": "prompts are made from prompt_template",
    "prompt": "prompts are made from prompt_template",
    "n": "each question has one answer; give n_samples",
    "best_of": "each question has one answer; give n_samples",
    "stream": "answers are read whole",
}
"""What would make something else of every question, and why it has no place there."""


SHORT_KEY = 8
"""Characters from which on a key is one."""

MOST_SAID = 500
"""Characters of what a service says that are passed on."""


@cache
def _response_of(package: str) -> Any:
    """Return the class of a raw answer in the HTTP library that a client is built on."""
    http_client = importlib.import_module(package).DefaultAsyncHttpxClient.__mro__[1]
    return importlib.import_module(http_client.__module__.split(".")[0]).Response


class Provider(ABC):
    """Asks one model of one service through the service's own client, once, without retries.

    Parameters
    ----------
    model : str
        The model's name at the service.
    base_url : str, optional
        Another address than the service's own; by default it is read from the environment, where
        the service's own client would.
    api_key : str, optional
        The key; by default it is read from the environment. It is kept out of everything that is
        written: caches, tables, records, messages, and what is pickled.
    timeout : float
        Seconds that a call may take, from its first byte to its last.
    parameters : mapping, optional
        Further parameters of the service, sent with every request as they are; plain JSON values.
        A length among them (``max_tokens``, ...) takes the place of every reading's own, and calls
        count with it until they are answered.

    Raises
    ------
    ArgumentError
        If one of them is not what it should be, or there is neither a key nor an address.
    MissingExtraError
        If the service's client is not installed.
    """

    name: ClassVar[str]
    """How a model's name begins: ``"openai"`` in ``"openai:gpt"``."""

    path: ClassVar[str]
    """Where requests go, behind the client's own base address."""

    package: ClassVar[str]
    """The service's client, which an extra of the same name installs."""

    environment: ClassVar[str]
    """The variable of the environment that holds the key."""

    home: ClassVar[str] = ""
    """The service's own address."""

    address_environment: ClassVar[str] = ""
    """The variable of the environment that holds another address, for whoever gives none."""

    is_chat: ClassVar[bool] = True
    """Prompts are messages, and answers begin as the model likes."""

    most_top_log_probs: ClassVar[tuple[int, ...]] = ()
    """How many of the likeliest tokens may be asked for, the most first; none where there are no
    log-probabilities."""

    can_echo: ClassVar[bool] = False
    """The log-probabilities of the prompt itself may be asked for."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 60.0,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        if not model:
            raise ArgumentError(f"model: '{self.name}:' names no model; expected {self.name}:NAME")
        self.model = model
        self.base_url = self._address(base_url)
        self.timeout = timeout
        self.parameters = _plain(parameters or {})
        self._key = _stripped(api_key) or self._key_in_environment()
        self._has_key = self._key is not None
        self._loop_and_client: tuple[Any, Any] | None = None
        if self._key is None and self.base_url is None:
            raise ArgumentError(
                f"api_key: none is given and {self.environment} is not set; set it, or give the "
                f"base_url of a server that needs none"
            )
        if not all("!" <= character <= "~" for character in self._key or ""):
            raise ArgumentError(
                f"api_key: expected printable characters of ASCII without a space; the key that "
                f"was given, or is in {self.environment}, holds others"
            )
        self._package()

    def _address(self, base_url: str | None) -> str | None:
        """Return another address than the service's own, None where it is that one."""
        name = "base_url"
        if base_url is None and self.address_environment:
            name, base_url = self.address_environment, os.environ.get(self.address_environment)
        base_url = _stripped(base_url)
        if base_url is None or base_url.rstrip("/") == self.home:
            return None
        try:
            parts = urlsplit(base_url)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            is_address = False
        if not is_address:
            raise ArgumentError(
                f"{name}: expected the address of a server, http://... or https://...; got "
                f"{base_url.rpartition('@')[2]!r:.80}"
            )
        return base_url

    @property
    def _key_is_lost(self) -> bool:
        """Whether there was a key before pickling; many servers of one's own do without."""
        return self._has_key and self._key is None

    @property
    def _lost_key(self) -> str:
        return f"keys are not pickled, and {self.environment} is not set here; set it"

    def _key_in_environment(self) -> str | None:
        return _stripped(os.environ.get(self.environment))

    def _package(self) -> Any:
        try:
            return importlib.import_module(self.package)
        except ImportError as error:
            raise MissingExtraError(self.package, self.package) from error

    async def post(self, path: str, body: Json) -> bytes:
        """Send a body to a path of the service; return the body of the answer as it came.

        By the client's way for any path: its methods for known ones check and convert each
        argument and answer, which takes as long as all the rest of a call.
        """
        answer = await self.client().post(path, cast_to=_response_of(self.package), body=body)
        content: bytes = answer.content
        return content

    def client(self) -> Any:
        """Return the client of the running event loop: its connections belong to that.

        Raises
        ------
        ArgumentError
            If the provider was pickled without its key, the environment has none, and the service
            is no server of one's own.
        """
        if self._key_is_lost and self.base_url is None:
            raise ArgumentError(f"api_key: {self._lost_key}")
        loop = asyncio.get_running_loop()
        if self._loop_and_client is None or self._loop_and_client[0] is not loop:
            client = self.new_client(self._package(), self._key or "none")
            self._loop_and_client = (loop, client)
            # When nobody has the provider any more: several models may share it.
            weakref.finalize(self, _begin_to_close, client, os.getpid()).atexit = False
        return self._loop_and_client[1]

    async def close(self) -> None:
        """Close the client's connections."""
        if self._loop_and_client is not None:
            loop, client = self._loop_and_client
            self._loop_and_client = None
            if loop is asyncio.get_running_loop():
                await client.close()

    @property
    def address(self) -> str:
        """Return where the service is, without what an address may hold of secrets."""
        if self.base_url is None:
            return self.name
        parts = urlsplit(self.base_url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))

    @property
    def source(self) -> str:
        """Return what distinguishes this service's answers from those of others."""
        return f"{self.name} {self.address}"

    def question(
        self, prompt: ApiPrompt, *, sample: int = 0, parts: int = 1, **wish: Any
    ) -> Question:
        """Return one request.

        Parameters
        ----------
        prompt : str or tuple of (role, content)
            The whole prompt.
        sample : int
            Which of several samples it is.
        parts : int
            How many such requests there are about a variant.
        **wish
            The fields of `Wish`.
        """
        wanted = Wish(**wish)
        body = self.body(prompt, wanted)
        if any(name in self.parameters for name in LENGTHS):
            body = {name: value for name, value in body.items() if name not in LENGTHS}
        size = bound_on_tokens(prompt)
        if self.parameters:  # tools, formats and the like are written into the prompt
            size += len(json.dumps(self.parameters))
        most = self.most_tokens(wanted.max_tokens)
        return Question(self.source, {**body, **self.parameters}, sample, size, most, parts)

    def most_tokens(self, wanted: int) -> int:
        """Return the most tokens of an answer of which so many are wanted.

        Those of `parameters`, where they say: reasoning models think before they answer.
        """
        given = [self.parameters[name] for name in LENGTHS if name in self.parameters]
        return max(given, default=wanted)

    @abstractmethod
    def body(self, prompt: ApiPrompt, wish: Wish) -> Json:
        """Return a request as the service wants it."""

    async def send(self, body: Json) -> bytes:
        """Send a request and return the body of the answer; the client's errors pass."""
        return await self.post(self.path, body)

    @abstractmethod
    def read(self, raw: Json) -> Answer:
        """Return what the service's answer says.

        Raises
        ------
        KeyError, TypeError, ValueError, IndexError, AttributeError
            If it has not the form that the service documents.
        """

    @abstractmethod
    def new_client(self, package: Any, key: str) -> Any:
        """Return the package's asynchronous client, which must not retry by itself."""

    def fault(self, error: Exception) -> Fault | None:
        """Return what one of the client's errors means, None for an error of another kind.

        By the names of its error classes, which are the same in many clients.
        """
        fault = fault_of(error, self._package())
        if fault is None:
            return None
        # Cut only then: of a key that is cut in two, a half would be left.
        said = self.without_key(fault.message)[:MOST_SAID]
        if fault.kind in ("refused", "forbidden") and self._key_is_lost:
            said += f" ({self._lost_key})"
        return replace(fault, message=said)

    @abstractmethod
    def batch_row(self, question: Question) -> Json:
        """Return a line of the request file of the service's batch API, named by the key."""

    @abstractmethod
    def read_batch_row(self, row: Json) -> tuple[str, Json | str]:
        """Return the key of a line of the answer file, and the answer or what went wrong."""

    def without_key(self, message: str) -> str:
        """Return a message in which the key does not stand, as it is or escaped."""
        if self._key:
            # "x" and the like, for servers that want some key: not within words.
            edges = (r"(?<!\w)", r"(?!\w)") if len(self._key) < SHORT_KEY else ("", "")
            for form in (self._key, repr(self._key)[1:-1], json.dumps(self._key)[1:-1]):
                message = re.sub(re.escape(form).join(edges), "[key]", message)
        return message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r} at {self.address})"

    # A key is no part of what is pickled: it is read again from the environment.
    def __getstate__(self) -> Json:
        return {**self.__dict__, "_key": None, "_loop_and_client": None}

    def __setstate__(self, state: Json) -> None:
        self.__dict__.update(state)
        self._key = self._key_in_environment()


def _begin_to_close(client: Any, process: int) -> None:
    if process == os.getpid():  # of a fork, the connections are still those of the other process
        # Not waited for: this may happen in any thread, that of the connections included.
        finish(client.close(), seconds=0.0)


def _stripped(text: str | None) -> str | None:
    """Return a text as it was meant: files and shells leave line ends around it."""
    return (text or "").strip().strip("\0").strip() or None


def _plain(parameters: Mapping[str, Any]) -> Json:
    """Return parameters as they will be in a body.

    Raises
    ------
    ArgumentError
        If they are no JSON, are not to be set there, or hold a length that is none.
    """
    try:
        # Numbers and arrays of numpy say by themselves what they are.
        written = json.dumps(dict(parameters), default=lambda own: own.tolist(), allow_nan=False)
        plain: Json = json.loads(written)
    except (TypeError, ValueError, AttributeError) as error:
        raise ArgumentError(f"parameters: expected plain JSON values ({error})") from error
    for name, why in NOT_PARAMETERS.items():
        if name in plain:
            raise ArgumentError(f"parameters: {name!r} has no place there: {why}")
    for name in LENGTHS:
        most = plain.get(name, 1)
        if isinstance(most, bool) or not isinstance(most, Integral) or most < 1:
            raise ArgumentError(f"parameters: {name!r} is a whole number above 0; got {most!r}")
    return plain
