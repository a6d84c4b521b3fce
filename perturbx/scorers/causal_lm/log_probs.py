"""Log-probabilities of tokens from logits, exact to the last digit where the model is sure."""

from __future__ import annotations

import torch

SURE = -0.69
"""Log-probability above which 1 - p is summed from the other tokens (p > 1/2: one at most)."""

AT_ONCE = 1 << 18
"""Logits summed at once on a CPU: what is written in between stays in its cache."""


def token_log_probs(logits: torch.Tensor, rows: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Return the log-probability of each token at each row, ``(n,)`` float64.

    ``log p = l - logsumexp(all)`` rounds to 0 where the model is sure, and the log-odds to
    infinity. There it is ``-softplus(logsumexp(others) - l)``, which stays below 0. The vocabulary
    is read once, without the tokens asked about; these are added for each question.

    Parameters
    ----------
    logits : torch.Tensor of float, (n_rows, n_vocabulary)
        Written to and put back.
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
    # Equal questions may come twice.
    asked, question = torch.unique(torch.stack([rows, tokens]), dim=1, return_inverse=True)
    at = (asked[0], asked[1])
    theirs = logits[at]
    logits[at] = -torch.inf
    rest = _logsumexp(logits).double()
    logits[at] = theirs
    chosen = theirs.double()
    _, row, counts = torch.unique_consecutive(asked[0], return_inverse=True, return_counts=True)
    place = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
    beside = chosen.new_full((len(counts), max(counts.tolist(), default=0)), -torch.inf)
    beside[row, place] = chosen
    rest = rest[asked[0]]
    log_p = chosen - torch.logaddexp(rest, beside.logsumexp(1)[row])
    sure = log_p > SURE
    beside[row[sure], place[sure]] = -torch.inf
    others = torch.logaddexp(rest[sure], beside.logsumexp(1)[row[sure]])
    log_p[sure] = -torch.nn.functional.softplus(others - chosen[sure], threshold=1e4)
    return log_p[question]


def _logsumexp(logits: torch.Tensor) -> torch.Tensor:
    if logits.device.type != "cpu":
        return torch.logsumexp(logits, dim=1)
    parts = torch.split(logits, max(1, AT_ONCE // logits.shape[1]))
    return torch.cat([part.logsumexp(dim=1) for part in parts])
