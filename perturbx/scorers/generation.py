"""What a model says by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from perturbx.scorers.continuations import until_stop

if TYPE_CHECKING:
    from perturbx.scorers.causal_lm.prompt_tokenizer import PromptTokenizer


def generate(
    model: Any,
    tokenizer: PromptTokenizer,
    rows: Sequence[Sequence[int]],
    max_new_tokens: int,
    stop: Sequence[str] = (),
) -> list[str]:
    """Return the greedy continuation of each row of token ids, as text; it may be empty."""
    return [_said(model, tokenizer, row, max_new_tokens, stop) for row in rows]


def _said(
    model: Any,
    tokenizer: PromptTokenizer,
    row: Sequence[int],
    max_new_tokens: int,
    stop: Sequence[str],
) -> str:
    ids = torch.tensor([list(row)], device=next(model.parameters()).device)
    padding = next(
        (i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id, 0) if i is not None), 0
    )
    given: Any = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        temperature=None,
        top_p=None,
        top_k=None,
        pad_token_id=padding,
        **({"stop_strings": list(stop), "tokenizer": tokenizer.wrapped} if stop else {}),
    )
    is_decoder = not model.config.is_encoder_decoder
    new = given[0, ids.shape[1] :] if is_decoder else given[0]
    return until_stop(tokenizer.said(new.tolist()), stop)
