"""`PromptTemplate`: from a variant to the whole prompt that is sent."""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter

from perturbx.exceptions import ArgumentError, ScoringError
from perturbx.scorers.api.questions import ApiPrompt
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
        """Return the template with a text or a pair of texts in it.

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
            return self.template.format(text=text)
        return self.template.format(first=text[0], second=text[1])

    def prompt(self, text: TextInput, *, is_chat: bool) -> ApiPrompt:
        """Return the whole prompt: messages for a chat, else a text."""
        filled = self.fill(text)
        if not is_chat:
            return filled
        system = () if self.system is None else (("system", self.system),)
        return (*system, ("user", filled))
