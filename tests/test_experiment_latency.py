"""Where a packet's time goes: the five shares, worked out by hand on a host whose work takes no time.

1 Gb/s, 8 ns a byte; a clock of 4 ns; memory that answers after 500 ns. A frame of 1,514 bytes takes 12,144 ns up to the
end of its FCS and the wire for 12,304 ns, which is a multiple of the clock, so that nothing is rounded.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.experiments import FREE, flow, packets, run

FRAME_NS, WIRE_NS = 8 * (1514 + 4), 8 * (1514 + 24)
READ_NS = WRITE_NS = 500
EDGE_NS = 4
BULK = '[[flow]]\nkind = "udp"\nname = "bulk"\nsndbuf = "1m"\n'
LIMIT_OFF = '[nic]\nbql = "off"\n'
LIMITED = FREE.replace("[nic]", "[nic]\nbql = { limit_max = 1000 }")


def test_a_packet_alone_waits_for_a_descriptor_a_payload_read_and_its_own_bytes(tmp_path: Path) -> None:
    results = run(FREE + '[[flow]]\nkind = "udp"\nname = "one"\nsize = 64\npps = 1\n', tmp_path)
    [packet] = packets(results, "one")
    assert (packet["socket_ns"], packet["qdisc_ns"]) == (0, 0)
    assert packet["ring_ns"] == READ_NS  # the descriptor comes, and with it the first read is asked for
    # the read, a beat or two for bytes that begin anywhere in a line, and the next edge
    assert READ_NS + EDGE_NS <= packet["nic_ns"] <= READ_NS + 3 * EDGE_NS
    assert packet["wire_ns"] == 8 * (64 + 4)
    assert packet["bytes"] == 64
    assert packet["time_ns"] == packet["total_ns"]


def test_a_short_frame_is_on_the_wire_as_long_as_its_padding(tmp_path: Path) -> None:
    results = run(FREE + '[[flow]]\nkind = "udp"\nname = "one"\nsize = 42\npps = 1\n', tmp_path)
    assert packets(results, "one")[0]["wire_ns"] == 8 * (60 + 4)


def test_packets_written_together_wait_for_the_wire_one_after_the_other(tmp_path: Path) -> None:
    text = FREE.replace("[nic]", LIMIT_OFF.strip()) + BULK + "packets = 4\n"
    found = packets(run(text, tmp_path), "bulk")
    first = found[0]
    assert first["wire_ns"] == FRAME_NS
    for turn, packet in enumerate(found):
        assert (packet["socket_ns"], packet["qdisc_ns"]) == (0, 0)
        assert packet["total_ns"] - first["total_ns"] == turn * WIRE_NS
        assert packet["ring_ns"] + packet["nic_ns"] == first["ring_ns"] + first["nic_ns"] + turn * WIRE_NS


def test_what_byte_queue_limits_hold_back_waits_in_the_qdisc_and_the_wire_runs_dry(tmp_path: Path) -> None:
    # a limit below a packet's length lets one packet into the ring at a time
    results = run(LIMITED + BULK + "packets = 3\n", tmp_path)
    found = packets(results, "bulk")
    reported_ns = found[0]["total_ns"] + WRITE_NS  # the completion is written, the interrupt and the rest take no time
    assert reported_ns <= found[1]["qdisc_ns"] <= reported_ns + 1
    assert found[1]["ring_ns"] == READ_NS
    assert found[2]["qdisc_ns"] - found[1]["qdisc_ns"] == pytest.approx(
        found[1]["total_ns"] - found[1]["qdisc_ns"] + WRITE_NS, abs=1
    )
    [queue] = results.summary["queues"]
    assert queue["starved"] == 2
    assert results.series["bql"]["starved"].sum() == 2
    # the wire is free 160 ns after an FCS, and the next frame comes after completion, descriptor and payload
    gap_ns = WRITE_NS + found[1]["ring_ns"] + found[1]["nic_ns"] - (WIRE_NS - FRAME_NS)
    assert results.summary["totals"]["longest gap ns"] == pytest.approx(gap_ns, abs=2 * EDGE_NS)
    # of which the limit is to blame for the time until the completion is seen
    assert queue["starved_ns"] == pytest.approx(2 * (WRITE_NS - (WIRE_NS - FRAME_NS)), abs=2)


def test_a_gap_is_no_starvation_where_nothing_waits(tmp_path: Path) -> None:
    results = run(LIMITED + '[[flow]]\nkind = "probe"\ninterval = "100us"\n', tmp_path)
    assert flow(results, "probe")["sent"] == 10
    assert results.summary["queues"][0]["starved"] == 0
    assert results.summary["totals"]["longest gap ns"] > 90_000


def test_what_a_shaper_holds_back_is_no_starvation_once_the_limit_has_let_go(tmp_path: Path) -> None:
    lines = '[setup]\nlines = "tc qdisc replace dev eth0 root tbf rate 100mbit burst 2k limit 1m"\n'
    results = run(FREE + lines + BULK + "packets = 10\n", tmp_path)
    [queue] = results.summary["queues"]
    assert flow(results, "bulk")["sent"] == 10
    # the limit of 0 that a queue begins with stops it behind the first packet, and no other
    assert queue["starved"] == 1
    assert queue["starved_ns"] == pytest.approx(WRITE_NS - (WIRE_NS - FRAME_NS), abs=2)
    assert results.summary["totals"]["longest gap ns"] > 100_000


def test_a_write_that_waits_for_the_send_buffer_counts_from_when_it_was_due(tmp_path: Path) -> None:
    # two packets of 2,304 bytes of truesize fill the buffer; the third goes on once both have ended
    text = FREE.replace("[nic]", LIMIT_OFF.strip())
    text += '[[flow]]\nkind = "udp"\nname = "slow"\nsndbuf = 4608\npps = 1000000\npackets = 3\n'
    results = run(text, tmp_path)
    found = packets(results, "slow")
    assert [packet["socket_ns"] for packet in found[:2]] == [0, 0]
    freed_ns = found[1]["time_ns"] + WRITE_NS
    assert freed_ns <= 2000 + found[2]["socket_ns"] <= freed_ns + 1
    assert flow(results, "slow")["waits"] == 1


def test_a_super_packet_cut_by_software_and_by_the_device_counts_once_with_all_its_frames(tmp_path: Path) -> None:
    from tests.captures import pcap, stamped
    from tests.frames import Frame

    (tmp_path / "super.pcap").write_bytes(pcap(stamped([Frame(payload=bytes(4000), flags=0x18).build()])))
    text = FREE + '[[flow]]\nkind = "pcap"\nname = "big"\nfile = "super.pcap"\n'
    for tso in ("true", "false"):
        results = run(text, tmp_path, nic__tso=tso)
        row = flow(results, "big")
        assert (row["packets"], row["sent"], row["frames"], row["drops"]) == (1, 1, 3, 0)
        [packet] = packets(results, "big")
        sizes = [1514, 1514, 4000 - 2 * 1460 + 54]
        # from the first beat of the first to the end of the last
        assert packet["wire_ns"] == 8 * (sum(size + 24 for size in sizes) - 20)
        assert packet["ring_ns"] == READ_NS


def test_the_shares_of_every_packet_sum_to_its_latency_and_means_and_percentiles_are_of_them(tmp_path: Path) -> None:
    text = FREE.replace('cost = "free"', "") + BULK + '[[flow]]\nkind = "probe"\ninterval = "50us"\n'
    results = run(text, tmp_path)
    table = results.series["latency"]
    shares = [table[f"{share}_ns"] for share in ("socket", "qdisc", "ring", "nic", "wire")]
    assert sum(shares).tolist() == table["total_ns"].tolist()  # type: ignore[union-attr]
    assert all((share >= 0).all() for share in shares)
    row, rows = flow(results, "probe"), packets(results, "probe")
    totals = sorted(packet["total_ns"] for packet in rows)
    assert row["latency_max_ns"] == totals[-1]
    assert row["latency_mean_ns"] == pytest.approx(sum(totals) / len(totals))
    assert row["latency_p50_ns"] == pytest.approx(totals[(len(totals) - 1) // 2], rel=0.004)
    assert row["qdisc_mean_ns"] == pytest.approx(sum(packet["qdisc_ns"] for packet in rows) / len(rows))


def test_the_first_super_packet_that_the_device_cuts_is_followed_from_xmit_to_its_end(tmp_path: Path) -> None:
    from tests.captures import pcap, stamped
    from tests.frames import Frame

    (tmp_path / "super.pcap").write_bytes(pcap(stamped([Frame(payload=bytes(4000), flags=0x18).build()])))
    results = run(FREE + '[[flow]]\nkind = "pcap"\nname = "big"\nfile = "super.pcap"\n', tmp_path)
    [packet] = packets(results, "big")
    table = results.series["tso"]
    stages = {
        stage: (int(begin), int(end))
        for stage, begin, end in zip(table["stage"], table["begin_ns"], table["end_ns"], strict=True)
    }
    assert list(stages) == [
        "xmit to doorbell",
        "descriptor fetch",
        "payload reads",
        "segment 1",
        "segment 2",
        "segment 3",
        "completion write",
        "to interrupt",
        "to free",
    ]
    assert stages["xmit to doorbell"] == (0, 0)
    assert stages["descriptor fetch"] == (0, READ_NS)
    assert stages["payload reads"][0] == READ_NS
    start_ns = READ_NS + packet["nic_ns"]
    assert stages["segment 1"] == (start_ns, start_ns + FRAME_NS)
    assert stages["segment 2"] == (start_ns + WIRE_NS, start_ns + WIRE_NS + FRAME_NS)
    end_ns = packet["time_ns"]
    assert stages["segment 3"][1] == end_ns
    assert stages["completion write"] == (end_ns, end_ns + WRITE_NS)
    assert stages["to free"][1] == end_ns + WRITE_NS
