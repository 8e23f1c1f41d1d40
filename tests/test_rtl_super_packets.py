"""Random super-packets leave RTL and twin as software cuts them. World: the fast one on Verilator."""

from __future__ import annotations

from tests.control.super_search import search
from tests.datapath.worlds import Place, seed, worlds

AT_LEAST = 2_000
SEARCHES = 3


@worlds("verilator")
def test_2000_random_super_packets_leave_rtl_and_twin_as_software_cuts_them(sim: Place) -> None:
    agreed = set().union(*(search(SEARCHES * seed() + number, sim) for number in range(SEARCHES)))
    assert len(agreed) >= AT_LEAST
