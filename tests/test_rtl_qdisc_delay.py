"""fq_codel end to end: a sparse flow does not see the queues of others. Worlds: as each test names them."""

from __future__ import annotations

from typing import Any

import pytest

from ringwire.host.cpu import HostCosts
from tests.datapath.worlds import TWIN, Place, run, worlds
from tests.queueing.delay import QUANTUM, Sparse, waited

HOST: dict[str, Any] = {"costs": HostCosts()}
FQ_CODEL = f"fq_codel quantum {QUANTUM}"


@worlds("verilator", TWIN)
@pytest.mark.parametrize("mod_ns", [0, 100_000])
def test_fq_codel_has_a_sparse_flow_wait_for_the_ring_and_a_quantum_at_most(sim: Place, mod_ns: int) -> None:
    found = run(sim, waited, Sparse(FQ_CODEL, mod_ns=mod_ns), **HOST)
    late = [(wait, bound) for wait, bound in zip(found.among, found.bound, strict=True) if wait > bound]
    assert not late, f"(waited, allowed): {late}"


@worlds("verilator", TWIN)
def test_pfifo_fast_has_it_wait_for_the_queue(sim: Place) -> None:
    found = run(sim, waited, Sparse("pfifo_fast"), **HOST)
    assert all(wait > 10 * bound for wait, bound in zip(found.among, found.bound, strict=True))
