"""Rotary positions that depend on how long a text is."""

from __future__ import annotations

from typing import Any


def turning_point(config: Any) -> int | None:
    """Return the length beyond which all tokens of a text are turned by other angles, if any.

    LongRoPE (Ding et al. 2024) has one set of angles for texts up to the length of its first
    training and another one for longer texts. Which of them holds is decided once for all that is
    read in one pass, so texts on either side of that length must not share one.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> rope = {"rope_type": "longrope", "original_max_position_embeddings": 4096}
    >>> text = SimpleNamespace(rope_parameters=rope)
    >>> turning_point(SimpleNamespace(get_text_config=lambda: text))
    4096
    """
    text = config.get_text_config()
    rope = getattr(text, "rope_parameters", None) or getattr(text, "rope_scaling", None) or {}
    # models with layers of several kinds have parameters for each
    for own in (rope, *rope.values()):
        if isinstance(own, dict) and own.get("rope_type", own.get("type")) in ("longrope", "su"):
            first = own.get("original_max_position_embeddings") or getattr(
                text, "original_max_position_embeddings", None
            )
            return None if first is None else int(first)
    return None
