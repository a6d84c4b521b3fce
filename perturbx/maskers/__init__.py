"""What a removed unit looks like: from `Units` and masks to `Variants`."""

from perturbx.maskers.choice import as_masker
from perturbx.maskers.delete import Delete
from perturbx.maskers.infill import Infill
from perturbx.maskers.removal import Removal
from perturbx.maskers.replace import MaskToken, Replace, UnknownToken
from perturbx.maskers.swap import Swap
from perturbx.maskers.text_encoding import TextEncoding
from perturbx.maskers.token_encoding import TokenEncoding
from perturbx.maskers.variants import Variants

__all__ = [
    "Delete",
    "Infill",
    "MaskToken",
    "Removal",
    "Replace",
    "Swap",
    "TextEncoding",
    "TokenEncoding",
    "UnknownToken",
    "Variants",
    "as_masker",
]
