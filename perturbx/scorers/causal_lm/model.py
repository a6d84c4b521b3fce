"""`CausalLM`: a transformers decoder that is asked for the probabilities of continuations."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch

from perturbx.batch_budget import BatchBudget
from perturbx.exceptions import ArgumentError, CapabilityError, ScoringError
from perturbx.scorers.causal_lm.agreement import agree, root_mean_square, rounded_otherwise
from perturbx.scorers.causal_lm.chunk_size import ChunkSize
from perturbx.scorers.causal_lm.prompt_tokenizer import PromptTokenizer
from perturbx.scorers.causal_lm.rope import turning_point
from perturbx.scorers.causal_lm.rows import row_log_probs
from perturbx.scorers.causal_lm.sequences import Sequences
from perturbx.scorers.causal_lm.tree_attention import knows_reach, reads_masks, tree_log_probs
from perturbx.scorers.causal_lm.trie import build_trie
from perturbx.scorers.continuations import (
    Continued,
    Scored,
    check_tokens,
    prompt_rows,
    with_opening,
)
from perturbx.scorers.generation import generate
from perturbx.scorers.inference import asking, evaluating, window_of
from perturbx.scorers.placement import placed
from perturbx.scorers.row_batches import row_budget
from perturbx.typing import FloatArray, IntArray

Batching = Literal["auto", "tree", "padded", "unpadded"]
BATCHINGS: tuple[Batching, ...] = ("auto", "tree", "padded", "unpadded")

TREE_INPUTS = frozenset({"input_ids", "attention_mask", "position_ids", "past_key_values"})
"""Arguments without which a decoder cannot read a trie."""


class CausalLM:
    """A decoder of transformers: log-probabilities of what may follow a prompt.

    Parameters
    ----------
    model : transformers model
        A causal language model.
    tokenizer : transformers tokenizer
        Its own.
    device : str or torch.device, optional
        Where it works; by default where it is.
    dtype : str or torch.dtype, optional
        The precision it works in; by default its own.
    batching : {"auto", "tree", "padded", "unpadded"}, default="auto"
        How many prompts are read at once. "tree": all of them in one row, every shared beginning
        once, each token seeing its own prompt only. "padded": rows filled up on the left, with an
        attention mask and position ids. "unpadded": rows of one length. "auto" is the first of
        these that gives this model's own log-probabilities on a small example.
    name : str, optional
        A name for the record.

    Raises
    ------
    ArgumentError
        If the model is no causal language model, or an argument is unknown.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        batching: Batching = "auto",
        name: str | None = None,
    ) -> None:
        if batching not in BATCHINGS:
            raise ArgumentError(
                f"batching: expected one of {', '.join(BATCHINGS)}; got {batching!r}"
            )
        _check_model(model)
        self.tokenizer = (
            tokenizer if isinstance(tokenizer, PromptTokenizer) else PromptTokenizer(tokenizer)
        )
        self.model = placed(model, device, dtype)
        self.max_tokens = window_of(model, self.tokenizer)
        self._n_vocabulary = int(model.config.get_text_config().vocab_size)
        self.model_id = name or getattr(model.config, "_name_or_path", "") or type(model).__name__
        self.batching = batching
        self._inputs = frozenset(inspect.signature(_bare(model).forward).parameters)
        self._checked: Batching | None = None
        self._pads: bool | None = None
        self._sizes: dict[int | str, ChunkSize] = {}
        self._budgets: dict[int | str, BatchBudget] = {}

    @property
    def device(self) -> torch.device:
        """Return where the model is."""
        return next(self.model.parameters()).device

    @property
    def head_price(self) -> float | None:
        """Return what scoring a position costs, in tokens read; None where beginnings are reread.

        The head multiplies by every vector of the vocabulary, reading a token by every other
        weight.
        """
        if (self._checked or self.batching) not in ("auto", "tree") or not self._may_read_tries():
            return None
        head: Any = self.model
        n_head = sum(own.numel() for own in head.get_output_embeddings().parameters())
        embedded = head.get_input_embeddings()
        tables = {id(own): own.numel() for own in embedded.parameters()}
        tables |= {id(own): own.numel() for own in head.get_output_embeddings().parameters()}
        n_body = sum(own.numel() for own in self.model.parameters()) - sum(tables.values())
        return float(n_head / max(n_body, 1))

    def settle(self) -> None:
        """Find out on a small example how prompts are read, which `head_price` depends on.

        The first question does, too.

        Raises
        ------
        ArgumentError, ScoringError, CapabilityError
            If the model is no decoder, gives no numbers, or cannot be read as `batching` says.
        """
        self._way()

    def log_probs(
        self, questions: Sequence[Continued], batch_tokens: int | Literal["auto"] = "auto"
    ) -> Iterator[Scored]:
        """Yield the log-probability of every token of every continuation, part by part.

        Parameters
        ----------
        questions : sequence of Continued
            Prompts with what may follow them.
        batch_tokens : int or "auto"
            Most tokens in one pass; "auto" finds out what is fastest.

        Yields
        ------
        list of (int, list of numpy.ndarray of float64)
            The number of a question, and for each of its continuations the log-probabilities
            ``(n_tokens,)`` of its tokens. Every question comes once.

        Raises
        ------
        ScoringError
            If a prompt with its continuation is longer than the model's window.
        """
        questions = [with_opening(own, self.tokenizer, self.model_id) for own in questions]
        if not questions:
            return
        check_tokens(questions, self.model, self.model_id)
        sequences = Sequences(questions)
        self._check_lengths(sequences)
        way = self._way()
        yield from sequences.answers(self._parts(sequences, way, batch_tokens))

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> list[str]:
        """Return what the model says behind each prompt, its likeliest token each time.

        Parameters
        ----------
        prompts : sequence of str
            What it reads.
        max_new_tokens : int
            Where it is cut off.
        stop : sequence of str
            An answer ends before the first of these.

        Raises
        ------
        ScoringError
            If a prompt is longer than its window.
        """
        rows = prompt_rows(self.tokenizer, prompts, self.model, self.model_id)
        for number, row in enumerate(rows):
            if self.max_tokens is not None and len(row) + max_new_tokens > self.max_tokens:
                raise ScoringError(
                    f"prompts[{number}]: has {len(row)} tokens, and {self.model_id} reads "
                    f"{self.max_tokens} with the {max_new_tokens} of its answer; shorten it, or "
                    f"lower max_new_tokens"
                )
        with torch.inference_mode(), evaluating(self.model):
            return generate(self.model, self.tokenizer, rows, max_new_tokens, stop)

    def _parts(
        self, sequences: Sequences, way: Batching, batch_tokens: int | Literal["auto"]
    ) -> Iterator[list[tuple[int, FloatArray]]]:
        for chosen, own_way in self._groups(sequences, way):
            parts = self._read(sequences, chosen, own_way, batch_tokens)
            for part in asking(self.model, parts):
                yield [(chosen[i], log_p) for i, log_p in part]

    def _groups(self, sequences: Sequences, way: Batching) -> Iterator[tuple[list[int], Batching]]:
        """Yield which sequences may share a pass, and how they are read."""
        turn = turning_point(self.model.config)
        numbers = range(len(sequences))
        near = [i for i in numbers if turn is None or len(sequences.tokens[i]) <= turn]
        far = [i for i in numbers if turn is not None and len(sequences.tokens[i]) > turn]
        if near:
            yield near, way
        if far:
            yield far, way if way != "tree" else self._way_of_rows()

    def _way_of_rows(self) -> Batching:
        """Return how texts beyond a turn are read: a trie's chunk would pass for a short one."""
        if self._pads is None:
            self._pads = self._can("padded")
        return "padded" if self._pads else "unpadded"

    def _read(
        self,
        sequences: Sequences,
        chosen: Sequence[int],
        way: Batching,
        batch_tokens: int | Literal["auto"],
    ) -> Iterator[list[tuple[int, FloatArray]]]:
        tokens = [sequences.tokens[i] for i in chosen]
        targets = [sequences.targets[i] for i in chosen]
        if way == "tree":
            if batch_tokens not in self._sizes:
                price = self.head_price or 0.0
                self._sizes[batch_tokens] = ChunkSize(batch_tokens, self._n_vocabulary, price)
            trie = build_trie(tokens, [sequences.starts[i] for i in chosen])
            return tree_log_probs(self.model, trie, targets, self._sizes[batch_tokens])
        if batch_tokens not in self._budgets:
            self._budgets[batch_tokens] = row_budget(batch_tokens, self.device)
        budget = self._budgets[batch_tokens]
        return row_log_probs(
            self.model, tokens, targets, self._inputs, budget, pads=way == "padded"
        )

    def _way(self) -> Batching:
        """Return how prompts are batched: as asked, if the model can, or the best it can do."""
        if self._checked is None:
            self._check_causal()
            wanted = BATCHINGS[1:] if self.batching == "auto" else (self.batching,)
            able = next((way for way in wanted if self._can(way)), None)
            if able is None:
                raise CapabilityError(
                    f"batching={self.batching!r}: {type(self.model).__name__} gives other "
                    f"log-probabilities that way than for one prompt at a time; use "
                    f"batching='auto'"
                )
            self._checked = able
        return self._checked

    def _can(self, way: Batching) -> bool:
        """Say whether a way of batching gives what one prompt at a time gives."""
        if way == "unpadded":
            return True
        if way == "tree" and not self._may_read_tries():
            return False
        example = _example(self._n_vocabulary)
        try:
            # A trie in chunks of 5 tokens: the cache is cut back and put together as well. Rows
            # all at once: the shorter ones are padded.
            parts = self._parts(example, way, 5 if way == "tree" else 1_000)
            found = dict(answer for part in parts for answer in part)
        except Exception:  # whatever a model that does not know the arguments may raise
            return False
        together = np.concatenate([found[number] for number in range(len(example))])
        return self._agree(together, self._each_alone(example))

    def _may_read_tries(self) -> bool:
        config = self.model.config
        return self._inputs >= TREE_INPUTS and knows_reach(config) and reads_masks(config)

    def _check_causal(self) -> None:
        """Raise an `ArgumentError` if what follows a token changes what is said in its place."""
        stem = _example(self._n_vocabulary).tokens[1]
        short = self._alone(stem[:6], stem[3:7])
        long = self._alone(stem[:9], stem[3:10])[:4]
        if not np.isfinite([short, long]).all():
            raise ScoringError(
                f"{self.model_id}: its log-probabilities of a short text are no finite numbers "
                f"({short[0]}); look at its weights, or take another dtype: float16 overflows in "
                f"models that were trained in bfloat16"
            )
        if not self._agree(long, short):
            raise ArgumentError(
                f"model: {type(self.model).__name__} reads what follows a token, too, so it cannot "
                f"say how probable a continuation is; give a causal language model (a BERT-like "
                f"one needs is_decoder=True in its config; activations that are quantized by one "
                f"scale for all tokens make any model such)"
            )

    def _agree(self, found: FloatArray, expected: FloatArray) -> bool:
        return agree(found, expected, next(self.model.parameters()).dtype, self._rounding)

    def _rounding(self) -> float:
        """Return what rounding otherwise changes in the log-probabilities of the example."""
        example = _example(self._n_vocabulary)
        with rounded_otherwise(self.model):
            moved = self._each_alone(example)
        return root_mean_square(moved - self._each_alone(example))

    def _each_alone(self, example: Sequences) -> FloatArray:
        pairs = zip(example.tokens, example.targets, strict=True)
        return np.concatenate([self._alone(*pair) for pair in pairs])

    def _alone(self, sequence: IntArray, target: IntArray) -> FloatArray:
        budget = row_budget(len(sequence), self.device)
        rows = row_log_probs(self.model, [sequence], [target], self._inputs, budget, pads=False)
        ((_, log_p),) = next(asking(self.model, rows))
        return log_p

    def _check_lengths(self, sequences: Sequences) -> None:
        longest = max(map(len, sequences.tokens))
        if self.max_tokens is not None and longest > self.max_tokens:
            raise ScoringError(
                f"{self.model_id}: a prompt with its response has {longest + 1} tokens and the "
                f"model reads {self.max_tokens}; shorten it, or give fewer documents"
            )

    def __repr__(self) -> str:
        return f"CausalLM({self.model_id!r}, device='{self.device}')"


def _example(n_vocabulary: int) -> Sequences:
    """Return a few prompts that share beginnings of several lengths."""
    draw = np.random.default_rng(0)
    stem = draw.integers(0, n_vocabulary, 9)
    ends = [draw.integers(0, n_vocabulary, size) for size in (2, 4, 3)]
    prompts = [stem[:4], stem, np.concatenate([stem[:6], ends[1]])]
    return Sequences([Continued(prompt, (end,)) for prompt, end in zip(prompts, ends, strict=True)])


def _check_model(model: Any) -> None:
    config: Any = getattr(model, "config", None)
    if not isinstance(model, torch.nn.Module) or config is None:
        raise ArgumentError(
            f"model: expected a causal language model of transformers, got {type(model).__name__}"
        )
    if getattr(config, "is_encoder_decoder", False):
        raise ArgumentError(
            f"model: {type(model).__name__} has an encoder; use Seq2SeqLM(model, tokenizer)"
        )
    head: Any = getattr(model, "get_output_embeddings", lambda: None)
    if head() is None:
        raise ArgumentError(
            f"model: {type(model).__name__} has no head over the vocabulary; load it with "
            f"AutoModelForCausalLM"
        )


def _bare(model: Any) -> Any:
    """Return the model that a compiled one or an adapter (peft) hands its arguments on to."""
    bare = getattr(model, "_orig_mod", model)
    return bare.get_base_model() if hasattr(bare, "get_base_model") else bare
