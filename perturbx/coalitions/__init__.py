"""Which units stay: coalitions, and the designs that choose them."""

from perturbx.coalitions.bernoulli import GlimeSizes, LimeSizes, Uniform
from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.exhaustive import Exhaustive
from perturbx.coalitions.grouped_leverage import GroupedLeverage
from perturbx.coalitions.kernel import Kernel
from perturbx.coalitions.leave_one_out import LeaveOneOut
from perturbx.coalitions.leverage import Leverage
from perturbx.coalitions.odd_pairs import OddPairs
from perturbx.coalitions.owen import Owen, owen_coalitions, owen_coalitions_count
from perturbx.coalitions.packing import distinct_rows, pack, unpack, words
from perturbx.coalitions.permutation import Permutation
from perturbx.coalitions.prefix_pairs import PrefixPairs
from perturbx.coalitions.registry import SAMPLERS, as_sampler
from perturbx.coalitions.sampler import BatchSampler, PlayerCount, sample_batch

__all__ = [
    "SAMPLERS",
    "BatchSampler",
    "Coalitions",
    "Exhaustive",
    "GlimeSizes",
    "GroupedLeverage",
    "Kernel",
    "LeaveOneOut",
    "Leverage",
    "LimeSizes",
    "OddPairs",
    "Owen",
    "Permutation",
    "PlayerCount",
    "PrefixPairs",
    "Uniform",
    "as_sampler",
    "distinct_rows",
    "owen_coalitions",
    "owen_coalitions_count",
    "pack",
    "sample_batch",
    "unpack",
    "words",
]
