"""A language model that can be computed by hand: what a fault server answers from."""

import hashlib
import math
import random
import re

TOKEN = re.compile(r" ?\w+|[^\w]", re.UNICODE)

FILLERS = (" well", " the", ",", " hmm", " ok", " so", ".", " and", " it", " this", " um", " oh")
"""What else the next token may be; each takes half of what the ones before it left."""


def tokens_of(text):
    """Cut a text: a token is a run of letters with the space before it, or another character."""
    return TOKEN.findall(text)


class SimulatedModel:
    """Answers with a label, by weights of the words in the prompt.

    Parameters
    ----------
    weights : dict of str to dict of str to float
        For each label (to the character) what each word adds to its logit; the key "" is the bias
        and "a b" is added where both words are there.
    rest : float
        The probability of an answer that is no label.
    top : int
        The most likeliest tokens that are given; 0: no log-probabilities at all.
    echo : bool
        Prompts are scored.
    """

    def __init__(self, weights, *, rest=0.0, top=20, echo=True, version="simulated-2026-01-01"):
        self.weights = weights
        self.rest = rest
        self.top = top
        self.echo = echo
        self.version = version

    def probabilities(self, prompt):
        """Return the probability of each label as the whole answer, given that it is a label."""
        words = {word.lower() for word in re.findall(r"\w+", prompt)}
        logits = {
            label: sum(value for key, value in own.items() if set(key.split()) <= words)
            for label, own in self.weights.items()
        }
        total = sum(math.exp(own) for own in logits.values())
        return {label: math.exp(own) / total for label, own in logits.items()}

    def next_tokens(self, prompt, said=""):
        """Return the distribution of the next token of an answer that began with `said`."""
        begun = {
            label: p for label, p in self.probabilities(prompt).items() if label.startswith(said)
        }
        if not begun:
            return self._fillers(1.0)
        mass = (1.0 - self.rest) if not said else 1.0
        total = sum(begun.values())
        found = {}
        for label, p in begun.items():
            left = tokens_of(label[len(said) :])
            token = left[0] if left else "."
            found[token] = found.get(token, 0.0) + mass * p / total
        if not said and self.rest:
            for token, p in self._fillers(self.rest).items():
                found[token] = found.get(token, 0.0) + p
        return found

    def _fillers(self, mass):
        shares = {}
        for token in FILLERS:
            mass /= 2.0
            shares[token] = mass
        shares[FILLERS[0]] += mass
        return shares

    def answer(self, prompt, *, max_tokens, temperature, draw):
        """Return the tokens of an answer, each with the distribution that it came from."""
        said, tokens = "", []
        for _ in range(max_tokens):
            options = self.next_tokens(prompt, said)
            if temperature == 0:
                token = max(options, key=options.get)
            else:
                token = draw.choices(list(options), list(options.values()))[0]
            tokens.append((token, options))
            said += token
            goes_on = any(label != said and label.startswith(said) for label in self.weights)
            if token in FILLERS or (said in self.weights and not goes_on):
                break
        return tokens

    def prompt_log_probs(self, text):
        """Return the tokens of a text and a log-probability for each but the first.

        A token that stood before costs 1, a new one 2 + 1 / its length.
        """
        tokens, seen, numbers = tokens_of(text), set(), []
        for i, token in enumerate(tokens):
            numbers.append(None if i == 0 else -1.0 if token in seen else -2.0 - 1.0 / len(token))
            seen.add(token)
        return tokens, numbers

    def log_prob(self, prompt, response):
        """Return the log-probability of a response behind a prompt."""
        tokens, numbers = self.prompt_log_probs(prompt + response)
        n_tokens = len(tokens_of(prompt))
        assert "".join(tokens[:n_tokens]) == prompt, "a token lies across the end of the prompt"
        return sum(numbers[n_tokens:])

    def draws(self, key):
        """Return a generator of random numbers that belongs to a request."""
        return random.Random(hashlib.blake2b(key.encode()).digest())
