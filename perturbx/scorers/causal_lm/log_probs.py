"""Log-probabilities of tokens from logits, exact to the last digit where the model is sure."""

from __future__ import annotations

import torch

SURE = -0.69
"""Log-probability above which 1 - p is summed from the other tokens (p > 1/2: one at most)."""


def token_log_probs(logits: torch.Tensor, rows: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Return the log-probability of each token at each row, ``(n,)`` float64.

    ``log p = l - logsumexp(all)`` rounds to 0 where the model is sure, and the log-odds to
    infinity. There it is ``-softplus(logsumexp(others) - l)``, which stays below 0.

    Parameters
    ----------
    logits : torch.Tensor of float, (n_rows, n_vocabulary)
        Rows of sure answers are written to and put back.
    rows : torch.Tensor of int64, (n,)
        The row of each question.
    tokens : torch.Tensor of int64, (n,)
        The token asked about.

    Examples
    --------
    >>> logits = torch.tensor([[60.0, 0.0, 0.0]])
    >>> token_log_probs(logits, torch.tensor([0, 0]), torch.tensor([0, 1]))
    tensor([-1.7513e-26, -6.0000e+01], dtype=torch.float64)
    """
    logits = logits.float()
    chosen = logits[rows, tokens].double()
    log_p = chosen - torch.logsumexp(logits, dim=1).double()[rows]
    sure = (log_p > SURE).nonzero().flatten()
    if len(sure):
        # Equal questions may come twice: one copy of their row serves them all.
        at, unique = torch.unique(
            torch.stack([rows[sure], tokens[sure]]), dim=1, return_inverse=True
        )
        others = logits[at[0]]
        others[torch.arange(len(others), device=others.device), at[1]] = -torch.inf
        margin = torch.logsumexp(others, dim=1).double()[unique] - chosen[sure]
        log_p[sure] = -torch.nn.functional.softplus(margin, threshold=1e4)
    return log_p
