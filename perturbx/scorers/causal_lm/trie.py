"""`Trie`: sequences of tokens in which every shared beginning stands once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perturbx.typing import IntArray


@dataclass(frozen=True, eq=False)
class Trie:
    """Sequences laid out depth first: a node is a token behind all the tokens before it.

    Depth first, the nodes below node j are ``j + 1 .. ends[j]``, so node j is an ancestor of node
    i (or i itself) exactly where ``j <= i < ends[j]``.

    Parameters
    ----------
    tokens : numpy.ndarray of int64, (n_nodes,)
        The token of each node.
    depths : numpy.ndarray of int64, (n_nodes,)
        Its place in the sequences that share it, from 0.
    ends : numpy.ndarray of int64, (n_nodes,)
        The first node behind those below it.
    order : numpy.ndarray of int64, (n_sequences,)
        The sequences in the order in which they are completed.
    tails : sequence of numpy.ndarray of int64
        For each sequence, by its own number, the nodes from its `start` on.

    Examples
    --------
    >>> trie = build_trie([np.array([5, 6, 7]), np.array([5, 6, 8])], starts=[1, 2])
    >>> trie.tokens, trie.depths, trie.ends
    (array([5, 6, 7, 8]), array([0, 1, 2, 2]), array([4, 4, 3, 4]))
    >>> trie.tails
    [array([1, 2]), array([3])]
    """

    tokens: IntArray
    depths: IntArray
    ends: IntArray
    order: IntArray
    tails: Sequence[IntArray]

    def __len__(self) -> int:
        return len(self.tokens)

    def path(self, node: int) -> IntArray:
        """Return the ancestors of a node, from the first token on, without itself."""
        before: IntArray = np.flatnonzero(self.ends[:node] > node)
        return before


def build_trie(sequences: Sequence[IntArray], starts: Sequence[int]) -> Trie:
    """Return the trie of some sequences.

    Parameters
    ----------
    sequences : sequence of numpy.ndarray of int64, (length,)
        Token ids, at least one each.
    starts : sequence of int
        From which place on the nodes of a sequence are wanted.
    """
    # Bytes of one width, the highest first, compare as the numbers do.
    order = sorted(range(len(sequences)), key=lambda i: sequences[i].astype(">u8").tobytes())
    tokens, depths = [], []
    ends = np.zeros(sum(map(len, sequences)), dtype=np.int64)
    tails: list[IntArray] = [np.empty(0, dtype=np.int64)] * len(sequences)
    last = path = np.empty(0, dtype=np.int64)
    n_nodes = 0
    for i in order:
        sequence = sequences[i]
        shared = _shared_length(last, sequence)
        ends[path[shared:]] = n_nodes
        n_new = len(sequence) - shared
        path = np.concatenate([path[:shared], np.arange(n_nodes, n_nodes + n_new)])
        tokens.append(sequence[shared:])
        depths.append(np.arange(shared, len(sequence)))
        tails[i] = path[starts[i] :]
        n_nodes += n_new
        last = sequence
    ends[path] = n_nodes
    return Trie(
        tokens=np.concatenate(tokens),
        depths=np.concatenate(depths),
        ends=ends[:n_nodes],
        order=np.array(order, dtype=np.int64),
        tails=tails,
    )


def _shared_length(left: IntArray, right: IntArray) -> int:
    """Return how many tokens two sequences begin with alike."""
    length = min(len(left), len(right))
    differs = left[:length] != right[:length]
    return int(differs.argmax()) if differs.any() else length
