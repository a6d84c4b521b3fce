"""`PromptTemplate`: from a variant to the whole prompt that is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter

from perturbx.exceptions import ArgumentError, ScoringError
from perturbx.scorers.api.questions import ApiPrompt, ChatMessages
from perturbx.scorers.token_rows import encodable
from perturbx.typing import TextInput

FIELDS = ("text", "first", "second")


@dataclass(frozen=True)
class PromptTemplate:
    r"""A text with a place for what is explained; ``{{`` and ``}}`` are braces.

    Parameters
    ----------
    template : str
        With ``{text}`` for a text, or ``{first}`` and ``{second}`` for a pair of texts.
    system : str, optional
        The system message of a chat.
    is_marked : bool, default=False
        Texts are whole chats, as `ChatMarks` writes them.

    Raises
    ------
    ArgumentError
        If there is no such place, or one of another name.

    Examples
    --------
    >>> PromptTemplate("Review: {text}\nSentiment:").fill("so good")
    'Review: so good\nSentiment:'
    """

    template: str = "{text}"
    system: str | None = None
    is_marked: bool = False

    def __post_init__(self) -> None:
        try:
            parsed = list(Formatter().parse(self.template))
        except (ValueError, TypeError) as error:
            raise ArgumentError(
                f"prompt_template: {error}; expected a string with {{text}} in it, and a brace of "
                f"its own written twice"
            ) from error
        names = {name for _, name, _, _ in parsed if name is not None}
        plain = all(not form and not change for _, _, form, change in parsed)
        if not names or not names <= set(FIELDS) or not plain:
            raise ArgumentError(
                f"prompt_template: expected {{text}} in it (or {{first}} and {{second}} for "
                f"pairs), and a brace of its own written twice; got {self.template!r:.80}"
            )

    @property
    def takes_pairs(self) -> bool:
        """Say whether a pair of texts is wanted."""
        return any(
            name in ("first", "second") for _, name, _, _ in Formatter().parse(self.template)
        )

    def fill(self, text: TextInput) -> str:
        """Return the template with a text or a pair of texts in it, as it can be sent.

        Raises
        ------
        ScoringError
            If a pair is wanted and one text is there, or the other way round.
        """
        if isinstance(text, str) == self.takes_pairs:
            raise ScoringError(
                f"prompt_template: it wants {'a pair of texts' if self.takes_pairs else 'a text'}, "
                f"and got {text!r:.80}"
            )
        if isinstance(text, str):
            return encodable(self.template.format(text=text))
        return encodable(self.template.format(first=text[0], second=text[1]))

    def prompt(self, text: TextInput, *, is_chat: bool) -> ApiPrompt:
        """Return the whole prompt: messages for a chat, else a text."""
        filled = self.fill(text)
        if not is_chat:
            return filled
        if self.is_marked and (messages := ChatMarks().messages(filled)):
            return messages
        system = () if self.system is None else (("system", self.system),)
        return (*system, ("user", filled))


MARK = re.compile(r"<\|(\w+)\|>\n")


@dataclass(frozen=True)
class ChatMarks:
    r"""Writes the messages of a chat as one text, and reads them out of it again.

    In the place of a tokenizer: the service has its own way to write a chat, which nobody sees.

    Examples
    --------
    >>> chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    >>> text = ChatMarks().apply_chat_template(chat)
    >>> text
    '<|system|>\nBe brief.\n<|user|>\nWhy?\n<|assistant|>\n'
    >>> ChatMarks().messages(text)
    (('system', 'Be brief.'), ('user', 'Why?'))
    """

    chat_template: str = "marks"

    def apply_chat_template(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        tokenize: bool = False,
        add_generation_prompt: bool = True,
    ) -> str:
        """Return the messages with a mark before each, and the assistant's at the end.

        Raises
        ------
        ValueError
            If a message holds such a mark, a role is no word, or there is more than both.
        """
        for message in messages:
            further = ", ".join(repr(key) for key in message if key not in ("role", "content"))
            if further:
                raise ValueError(f"role and content are what is sent, and one has {further}")
            if MARK.search(message["content"]) or not re.fullmatch(r"\w+", message["role"]):
                raise ValueError(f"a mark stands in {message!r:.80}, or its role is no word")
        written = "".join(f"<|{own['role']}|>\n{own['content']}\n" for own in messages)
        return written + "<|assistant|>\n" * add_generation_prompt

    def messages(self, text: str) -> ChatMessages:
        """Return the messages of a marked text; none where it does not begin with a mark."""
        if not MARK.match(text):
            return ()
        _, *parts = MARK.split(text)
        pairs = tuple(zip(parts[::2], parts[1::2], strict=True))
        found = tuple((role, content.removesuffix("\n")) for role, content in pairs)
        # The last mark is where the model begins.
        return found[:-1] if found[-1] == ("assistant", "") else found
