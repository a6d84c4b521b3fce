"""`Provider`: what must be known of a service to ask its models. Another one is a short file."""

from __future__ import annotations

import asyncio
import importlib
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

from perturbx.exceptions import ArgumentError, MissingExtraError
from perturbx.scorers.api.faults import Fault, fault_of
from perturbx.scorers.api.questions import (
    Answer,
    ApiPrompt,
    Json,
    Question,
    Wish,
    bound_on_tokens,
)


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
        Another address than the service's own.
    api_key : str, optional
        The key; by default it is read from the environment. It is kept out of everything that is
        written: caches, tables, records, messages.
    timeout : float
        Seconds that a call may take.
    parameters : mapping, optional
        Further parameters of the service, sent with every request as they are.
    """

    name: ClassVar[str]
    """How a model's name begins: ``"openai"`` in ``"openai:gpt"``."""

    path: ClassVar[str]
    """Where requests go, behind the client's own base address."""

    package: ClassVar[str]
    """The service's client, which an extra of the same name installs."""

    environment: ClassVar[str]
    """The variable of the environment that holds the key."""

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
        self.base_url = base_url
        self.timeout = timeout
        self.parameters = dict(parameters or {})
        self._key = api_key or os.environ.get(self.environment)
        self._loop_and_client: tuple[Any, Any] | None = None
        if self._key is None and base_url is None:
            raise ArgumentError(
                f"api_key: none is given and {self.environment} is not set; set it, or give the "
                f"base_url of a server that needs none"
            )
        self._package()

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
        """Return the client of the running event loop: its connections belong to that."""
        loop = asyncio.get_running_loop()
        if self._loop_and_client is None or self._loop_and_client[0] is not loop:
            self._loop_and_client = (loop, self.new_client(self._package(), self._key or "none"))
        return self._loop_and_client[1]

    async def close(self) -> None:
        """Close the client's connections."""
        if self._loop_and_client is not None:
            await self._loop_and_client[1].close()
            self._loop_and_client = None

    @property
    def address(self) -> str:
        """Return where the service is, without what an address may hold of secrets."""
        if self.base_url is None:
            return self.name
        parts = urlsplit(self.base_url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "", ""))

    @property
    def source(self) -> str:
        """Return what distinguishes this service's answers from those of others."""
        return f"{self.name} {self.address}"

    def question(self, prompt: ApiPrompt, *, sample: int = 0, **wish: Any) -> Question:
        """Return one request.

        Parameters
        ----------
        prompt : str or tuple of (role, content)
            The whole prompt.
        sample : int
            Which of several samples it is.
        **wish
            The fields of `Wish`.
        """
        wanted = Wish(**wish)
        body = {**self.body(prompt, wanted), **self.parameters}
        return Question(self.source, body, sample, bound_on_tokens(prompt), wanted.max_tokens)

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
        return None if fault is None else replace(fault, message=self.without_key(fault.message))

    @abstractmethod
    def batch_row(self, question: Question) -> Json:
        """Return a line of the request file of the service's batch API, named by the key."""

    @abstractmethod
    def read_batch_row(self, row: Json) -> tuple[str, Json | str]:
        """Return the key of a line of the answer file, and the answer or what went wrong."""

    def without_key(self, message: str) -> str:
        """Return a message in which the key does not stand."""
        return message.replace(self._key, "[key]") if self._key else message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r} at {self.address})"

    # A key is no part of what is pickled: it is read again from the environment.
    def __getstate__(self) -> Json:
        return {**self.__dict__, "_key": None, "_loop_and_client": None}

    def __setstate__(self, state: Json) -> None:
        self.__dict__.update(state)
        self._key = os.environ.get(self.environment)
