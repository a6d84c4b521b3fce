"""The public fairness sets, and our own, by path: each becomes a `LabelledTexts`.

Nothing is downloaded. A file that is not the set it should be raises an `ArgumentError` that says
what is wrong and where the set is to be had. No row is dropped; what is odd about some is counted
in `LabelledTexts.notes`.
"""

from perturbx.fairness.loaders.audit import load_audit_set
from perturbx.fairness.loaders.bbq import load_bbq
from perturbx.fairness.loaders.bec_pro import load_bec_pro
from perturbx.fairness.loaders.bias_in_bios import load_bias_in_bios
from perturbx.fairness.loaders.civil_comments import load_civil_comments
from perturbx.fairness.loaders.crows_pairs import load_crows_pairs
from perturbx.fairness.loaders.hatecheck import load_hatecheck
from perturbx.fairness.loaders.madlibs import load_madlibs
from perturbx.fairness.loaders.winobias import load_winobias

__all__ = [
    "load_audit_set",
    "load_bbq",
    "load_bec_pro",
    "load_bias_in_bios",
    "load_civil_comments",
    "load_crows_pairs",
    "load_hatecheck",
    "load_madlibs",
    "load_winobias",
]
