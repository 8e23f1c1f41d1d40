"""The schedulers' arithmetic: rates, ticks and size tables, by hand."""

from __future__ import annotations

import pytest

from ringwire.qdisc import QdiscError
from ringwire.qdisc.psched import (
    ATM,
    ETHERNET,
    Rate,
    RateCfg,
    burst_ns,
    cells,
    ns_to_ticks,
    precompute,
    xmit_size,
    xmit_ticks,
)
from ringwire.qdisc.stab import MAX_ENTRIES, SizeTable, StabSpec


def test_a_rate_is_a_multiplication_that_keeps_31_bits_of_precision() -> None:
    assert precompute(125_000_000) == (0x80000000, 28)
    assert precompute(0) == (1, 0)
    for rate in (1, 1200, 125_000, 12_500_000_000):
        mult, shift = precompute(rate)
        assert mult < 1 << 32
        assert abs((1514 * mult >> shift) - 1514 * 10**9 // rate) <= max(1, 1514 * 10**9 // rate >> 30)


def test_overhead_and_the_least_size_are_charged_before_the_cells() -> None:
    plain, extra = RateCfg(Rate(10**9)), RateCfg(Rate(10**9, overhead=10, mpu=64))
    assert (plain.l2t_ns(40), extra.l2t_ns(40), extra.l2t_ns(60)) == (40, 64, 70)
    atm = RateCfg(Rate(10**9, overhead=1, linklayer=ATM))
    assert (atm.l2t_ns(47), atm.l2t_ns(48)) == (53, 106)
    assert (cells(0), cells(1), cells(48), cells(49)) == (0, 53, 53, 106)


def test_a_burst_in_ticks_loses_what_microseconds_and_ticks_cut_off() -> None:
    # 1514 bytes at 8 Mbit/s: 1514 us, 23656.25 ticks of 64 ns
    assert xmit_ticks(1_000_000, 1514) == 23656
    assert burst_ns(1_000_000, 1514) == 23656 * 64
    assert xmit_size(1_000_000, 23656) == 1513
    assert ns_to_ticks(1_514_000) == 23656
    # 4096 bytes at 3 Mbit/s: 10922.67 us
    assert burst_ns(375_000, 4096) == 10_921_984


def test_without_a_table_only_the_overhead_counts_and_something_is_left() -> None:
    table = SizeTable(StabSpec(overhead=-14, mtu=2048))
    assert table.spec == StabSpec(overhead=-14) and not table.data
    assert (table(100), table(14), table(1)) == (86, 1, 1)


def test_a_table_charges_the_upper_edge_of_a_packets_slot() -> None:
    table = SizeTable(StabSpec(overhead=24, mpu=84, linklayer=ETHERNET))
    assert (table.cell_log, table.spec.mtu, table.spec.tsize) == (2, 2047, 512)
    assert (table(1), table(60), table(61), table(64), table(65)) == (84, 84, 88, 88, 92)


def test_packets_beyond_the_table_are_charged_by_whole_tables_and_a_rest() -> None:
    table = SizeTable(StabSpec(mpu=1, mtu=8, tsize=4))
    assert (table.cell_log, table.data) == (1, (2, 4, 6, 8))
    assert (table(8), table(9), table(10), table(17), table(20)) == (8, 8 + 2, 8 + 2, 16 + 2, 16 + 4)


def test_atm_cells_are_those_of_the_slots_edge() -> None:
    table = SizeTable(StabSpec(linklayer=ATM, mtu=2047, tsize=512))
    assert (table(48), table(49), table(1514)) == (53, 106, cells(1516))


def test_large_sizes_are_kept_shifted() -> None:
    table = SizeTable(StabSpec(linklayer=ATM, mtu=65536, tsize=16))
    assert (table.cell_log, table.size_log) == (12, 1)
    assert table.data[-1] == cells(65536) >> 1
    assert table(65536) == cells(65536) >> 1 << 1


def test_a_table_that_no_message_holds_is_refused() -> None:
    with pytest.raises(QdiscError, match="EINVAL"):
        SizeTable(StabSpec(mpu=64, tsize=MAX_ENTRIES + 1))
