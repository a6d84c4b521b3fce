"""When a Chinese word with another sense names people."""

from __future__ import annotations

from typing import Final

from perturbx.lexicons.whole_words import WordEdges


def _words(line: str) -> frozenset[str]:
    return frozenset(line.split())


_BEFORE: Final = _words("是 为 做 当 作为 名 位 个 一名 一位 一个 的 所有 都是 这位 那位 讨厌")
_AFTER: Final = _words(
    "人 者 们 群体 朋友 社区 人群 人士 的 是 和 与 或 及 都 也 很 在 有 就 "
    "被 把 不 会 要 能 说 吗 呢 吧 了 跟 对 从 给 让 还 却 但 比"
)


def names_someone(edges: WordEdges, start: int, stop: int) -> bool:
    """Return whether the word between these positions names people.

    It does behind a verb or a counter that takes people, before a word for people or a function
    word, and at the end of a phrase; not before another word.
    """
    after = edges.word_after(stop)
    if not after or after in _AFTER or not after[0].isalnum():
        return True
    return edges.word_before(start) in _BEFORE and after in _AFTER
