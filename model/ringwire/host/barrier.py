"""The barrier that orders what CPUs see of each other's writes.

Simulated CPUs run each job to completion, so here it has nothing to do and costs a call. It stands where a real driver
needs one, and the interleaving test, whose CPUs have store buffers and are preempted anywhere, gives it its meaning.
"""

from __future__ import annotations


def smp_mb() -> None:
    """Full barrier: what this CPU wrote before is visible to all others before it reads anything behind."""
