"""odd_gp with the scores of a cheaper model beside the paid ones, as far as those speak for it.

Read `surrogate` first. The proxy's scores become games on the scale of the paid ones (`games`);
what shares of them leave of the paid scores is fitted by `OddGP`, and weighed by how well it is
explained (`evidence`).
"""

from perturbx.surrogates.with_proxy.surrogate import ProxyAttribution, WithProxy

__all__ = ["ProxyAttribution", "WithProxy"]
