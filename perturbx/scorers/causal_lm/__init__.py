"""Decoders: log-probabilities of what may follow a prompt, every shared beginning once."""

from perturbx.scorers.causal_lm.model import CausalLM
from perturbx.scorers.causal_lm.prompt_tokenizer import PromptTokenizer

__all__ = ["CausalLM", "PromptTokenizer"]
