"""Offloads broken on purpose are found. World: the fast one, on Icarus, which builds quickly.

Each mutant is a line of the RTL replaced, and one short scenario that must tell: by itself, or because the twin says
otherwise. The same scenarios pass on the RTL as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ringwire.cosim.run import SimulationFailed
from ringwire.nic.descriptors import DescFlag, SegType, pack_offload
from tests.conformance.test_gso_device import Post
from tests.control import offloads
from tests.control.bench import each, same
from tests.control.offload_rules import data, offload
from tests.control.offloads import asking, recorded, udp
from tests.datapath.worlds import Scenario, place, run
from tests.mutants import broken_rtl
from tests.raw_queue import EOP, REPORT

END = EOP | REPORT
CSUM, VLAN, OFFLOAD = DescFlag.CSUM, DescFlag.VLAN, DescFlag.OFFLOAD


class Check(NamedTuple):
    """A scenario, what it is given, and the device."""

    scenario: Scenario
    config: Any
    data_w: int = 512
    queues: int = 1

    def judge(self, rtl: Path | None = None) -> None:
        """Run it on this RTL and on the twin."""
        got, want = (
            run(place(where), self.scenario, self.config, data_w=self.data_w, queues=self.queues, rtl=rtl, limit_s=60)
            for where in ("icarus", "twin")
        )
        same(got, want, "RTL against the twin: ")


def cases(*names: str, data_w: int = 512) -> Check:
    """Recorded frames."""
    return Check(offloads.posts, recorded("gso_more", *names), data_w)


def frames(*posts: Post, data_w: int = 512) -> Check:
    """Frames that are not cut."""
    return Check(offloads.posts, list(posts), data_w)


def packet(*descriptors: bytes) -> Check:
    """The verdict on a packet."""
    return Check(offloads.verdicts, [list(descriptors)])


def cut(kind: SegType, mss: int, payload: int, seeds: Iterable[int] = (1,), **options: bool) -> Check:
    """Packets of random bytes, cut."""
    return Check(offloads.posts, [offloads.cutting(kind, mss, payload, seed, **options) for seed in seeds])


TCP4 = cut(SegType.TCP4, 100, 250, (1, 2, 3))
TCP6 = cut(SegType.TCP6, 101, 250, (1, 2, 3))
UDP4 = cut(SegType.UDP4, 64, 150, (1, 2))
UDP6 = cut(SegType.UDP6, 7, 15, (1, 2))
UFO4 = cut(SegType.UFO4, 64, 150, (1, 2))
FIXED = cut(SegType.TCP4, 100, 250, id_fixed=True)
PARTIAL = cut(SegType.TCP4, 100, 250, csum_partial=True)
MANY = cut(SegType.TCP4, 3, 60, range(12))
WRAP = cases("seqwrap-tcp4-0061", "seqwrap-tcp4-0063", "seqwrap-tcp4-0065", "seqwrap-tcp4-0067")
ZERO = cases("zero-tcp4-0147", "zero-tcp4-0149", "zero-udp4-0153", "zero-udp4-0155", "zero-udp4-0159")
LONG = cases("longhdr-tcp4-0025", data_w=64)
COUNTED = bytes(range(1, 200))
ODD = frames(asking(COUNTED, 33, 5), asking(COUNTED, 34, 5), asking(COUNTED, 35, 6, pieces=3))
NO_SUM = frames(asking(bytes(60), 20, 6), asking(bytes(20) + b"\xff\xff" + bytes(40), 20, 6))
CARRY = frames(asking(bytes(20) + b"\xff\xff\xff\xff\0\1" + bytes(40), 20, 6))


class Broken(NamedTuple):
    """A line of a module replaced, and what must tell."""

    module: str
    line: str
    broken: str
    check: Check


def tagged(data_w: int) -> Check:
    """Tags in frames around the length of a beat."""
    posts = [asking(COUNTED[:size], 14, 2, 0x1234) for size in (16, 60, 61, 64, 65, 124, 128, 199)]
    return frames(*posts, data_w=data_w)


MUTANTS = {
    # fields of a segment's header
    "the total length of IPv4 stays": Broken(
        "rw_frame_edit", "patch[P_EN_LEN]        = v4;", "patch[P_EN_LEN]        = 1'b0;", TCP4
    ),
    "the payload length of IPv6 counts its header": Broken(
        "rw_frame_edit", "- (six ? 15'd40 : 15'd0);", ";", TCP6
    ),
    "the id stays": Broken(
        "rw_frame_edit", "id_in : id_in + a_edit_reg[E_NUMBER +: 16];", "id_in : id_in;", TCP4
    ),
    "the id is never fixed": Broken("rw_frame_edit", "(a_req_reg[R_FIXED] || ufo)", "ufo", FIXED),
    "fragments have ids of their own": Broken(
        "rw_frame_edit", "(a_req_reg[R_FIXED] || ufo)", "a_req_reg[R_FIXED]", UFO4
    ),
    "all fragments are followed by more": Broken(
        "rw_frame_edit", "{!final_one, offset[15:3]}", "{1'b1, offset[15:3]}", UFO4
    ),
    "a fragment's offset is in bytes": Broken(
        "rw_frame_edit", "{!final_one, offset[15:3]}", "{!final_one, offset[12:0]}", UFO4
    ),
    "the header checksum forgets the id": Broken(
        "rw_frame_edit", "+ {4'd0, b_ip_len_reg} + {3'd0, b_id_reg}\n", "+ {4'd0, b_ip_len_reg}\n", TCP4
    ),
    "the header checksum forgets the offset": Broken(
        "rw_frame_edit", "+ (b_ufo_reg ? {5'd0, b_frag_reg} : 19'd0);", ";", UFO4
    ),
    "the header checksum counts itself": Broken(
        "rw_header_slots", "in3 != 7'd2 && in3 != 7'd5 &&", "in3 != 7'd2 &&", TCP4
    ),
    "the sequence number has no carry": Broken(
        "rw_frame_edit", "seq_in + {14'd0, offset};", "{seq_in[31:16], seq_in[15:0] + offset[15:0]};", WRAP
    ),
    "the upper half of the sequence number stays": Broken(
        "rw_frame_edit", "c_tcp_reg ? c_seq_reg[31:16] : {1'b0, c_l4_len_reg};", "{1'b0, c_l4_len_reg};", TCP4
    ),
    "FIN stays": Broken("rw_frame_edit", "!final_one, 2'd0, !final_one}", "!final_one, 3'd0}", TCP4),
    "PSH stays": Broken("rw_frame_edit", "!final_one, 2'd0, !final_one}", "3'd0, !final_one}", TCP4),
    "CWR stays": Broken("rw_frame_edit", "~{8'd0, !first, 3'd0,", "~{12'd0,", TCP4),
    "the UDP length is that of IP": Broken(
        "rw_frame_edit", "c_seq_reg[31:16] : {1'b0, c_l4_len_reg};", "c_seq_reg[31:16] : {1'b0, c_ip_len_reg};", UDP4
    ),
    "the checksum counts the UDP length once": Broken("rw_frame_edit", ": {4'd0, b_l4_len_reg});", ": 19'd0);", UDP6),
    "the checksum forgets the flags": Broken("rw_frame_edit", "+ {3'd0, b_flags_reg}\n", "\n", TCP6),
    "the checksum keeps the length of the whole": Broken(
        "rw_header_slots", "{16'd0, l4_reg[16]} + {1'b0, less_reg};", "{16'd0, l4_reg[16]};", UDP4
    ),
    "a checksum that is left partial is complemented": Broken(
        "rw_frame_edit", "(c_cut_reg && c_partial_reg) ? l4_folded", "(c_cut_reg && c_partial_reg) ? plain", PARTIAL
    ),
    "a checksum that is left partial has no length": Broken(
        "rw_frame_edit", "l4_sum = {3'd0, b_pseudo_reg} + {4'd0, b_l4_len_reg};", "l4_sum = {3'd0, b_pseudo_reg};",
        PARTIAL,
    ),
    "a checksum of 0 stays in UDP": Broken(
        "rw_frame_edit", "(plain == 16'd0 && !(c_cut_reg && c_tcp_reg))", "(plain == 16'd0 && !c_cut_reg)", ZERO
    ),
    "a checksum of 0 stays where it is completed": Broken(
        "rw_frame_edit", "(plain == 16'd0 && !(c_cut_reg && c_tcp_reg))", "(plain == 16'd0 && c_cut_reg && !c_tcp_reg)",
        NO_SUM,
    ),
    "a checksum of 0 does not stay in TCP": Broken(
        "rw_frame_edit", "(plain == 16'd0 && !(c_cut_reg && c_tcp_reg))", "(plain == 16'd0)", ZERO
    ),
    # sums
    "carries of a segment's sum are lost": Broken(
        "rw_frame_edit", "{1'b0, sum[15:0]} + {14'd0, sum[18:16]};", "{1'b0, sum[15:0]} + {16'd0, sum[16]};", TCP4
    ),
    "carries of a header's sum are lost": Broken(
        "rw_header_slots", "{1'b0, l4_sum[15:0]} + {14'd0, l4_sum[18:16]};", "{1'b0, l4_sum[15:0]};", TCP4
    ),
    "carries of a beat's sum are lost": Broken(
        "rw_frame_sum", "all[15:0]} + {{(33-W){1'b0}}, all[W-1:16]};", "all[15:0]} + {16'd0, all[16]};", ODD
    ),
    "the last carry of a frame's sum is lost": Broken(
        "rw_frame_sum", "b_sum_reg[15:0] + {15'd0, b_sum_reg[16]};", "b_sum_reg[15:0];", CARRY
    ),
    "an odd first byte is an even one": Broken(
        "rw_frame_sum", "b_odd_reg ? {word[7:0], word[15:8]} : word;", "word;", ODD
    ),
    "a byte behind the frame is counted": Broken(
        "rw_gather", "(a_over_reg ? ALL : ~from_rest);", "(a_over_reg ? ALL : ~(from_rest << 8));", MANY
    ),
    "a byte before the sum's begin is counted": Broken(
        "rw_gather", "(here & from_skip) | next", "(here & (from_skip | (from_skip >> 8))) | next", ODD
    ),
    # segments
    "a segment is cut of the descriptor that another queue goes on in": Broken(
        "rw_sg_walk", "|| look_reg) && held_queue_reg == job_queue;", "|| look_reg);",
        Check(offloads.interleaved, (2, 10), queues=2),
    ),
    "a descriptor that is used up is kept": Broken(
        "rw_sg_walk", "(held_reg && !(cut_use && used_up))", "held_reg", TCP4
    ),
    "what is held of a packet that failed is the next one's": Broken(
        "rw_sg_walk", "if (rst || cut_drop || (q_clear != '0)) begin\n            held_reg",
        "if (rst || (q_clear != '0)) begin\n            held_reg", Check(offloads.given_up, 1),
    ),
    "what is behind a packet is held for the next one": Broken(
        "rw_sg_walk", "(cut_use && used_up && next_is_its);", "(cut_use && used_up);", TCP4
    ),
    "the next descriptor is the same again": Broken(
        "rw_sg_walk", "taken_reg[job_queue] + {8'd0, cut_use};", "taken_reg[job_queue];", TCP4
    ),
    "the last segment is as long as the others": Broken(
        "rw_segmenter", "ends ? rest[14:0] + front :", "", TCP4
    ),
    "a packet begins at the offset of the last one": Broken(
        "rw_segmenter", "{4'd0, s_mss} : 18'd0;", "{4'd0, s_mss} : offset_reg[s_queue];", TCP4
    ),
    "a segment begins with the fragment": Broken(
        "rw_sg_walk", "{held_addr_reg + {49'd0, part}, bytes,", "{held_addr_reg, bytes,", TCP4
    ),
    "a segment's payload begins in an empty beat": Broken(
        "rw_frame_sched", "assign m_shape_fill   = fill;", "assign m_shape_fill   = 9'd0;", TCP4
    ),
    "a header is one beat": Broken(
        "rw_gather", "header_a ? number_reg[7-BB:0] : number[7-BB:0]};", "{(8-BB){1'b0}}};", LONG
    ),
    "a header is looked through before it is whole": Broken(
        "rw_gather", "header_b && begins_b + WORDS[11:0] >= header_b_len;", "header_b;", LONG
    ),
    "an old header is taken for the new one": Broken(
        "rw_header_slots", "ready_reg[open_slot] <= 1'b0;", "", Check(offloads.posts, MANY.config * 4)
    ),
    # tags
    "no room for a tag in its first beat of 64 bits": Broken(
        "rw_egress", "7'd1 ? {tag_bytes, p_data_reg[31:0]}", "7'd1 ? p_data_reg", tagged(64)
    ),
    "what a tag of 128 bits moves on is lost": Broken(
        "rw_egress", "wire [DATA_W-1:0] moved = {p_data_reg[DATA_W-33:0], carry_reg};",
        "wire [DATA_W-1:0] moved = {p_data_reg[DATA_W-33:0], 32'd0};", tagged(128),
    ),
    "a tag is 2 bytes too early at 512 bits": Broken(
        "rw_egress", ": {p_data_reg[DATA_W-33:96], tag_bytes, p_data_reg[95:0]};",
        ": {p_data_reg[DATA_W-33:80], tag_bytes, p_data_reg[79:0]};", tagged(512),
    ),
    "a tag has its bytes swapped": Broken(
        "rw_egress", "{p_tci_reg[7:0], p_tci_reg[15:8], 16'h0081}", "{p_tci_reg, 16'h0081}", tagged(256)
    ),
    # what is refused
    "an offload descriptor may come late": Broken(
        "rw_desc_scan", "(number_reg[s2_queue_reg] != 7'd0 || eop)", "eop", packet(data(50), udp(), data(200, END))
    ),
    "an offload descriptor may be the last": Broken(
        "rw_desc_scan", "(number_reg[s2_queue_reg] != 7'd0 || eop)", "(number_reg[s2_queue_reg] != 7'd0)",
        packet(udp(flags=END)),
    ),
    "a later descriptor may ask": Broken(
        "rw_desc_scan", "|| (!first_data && (d_flags & ASK_FLAGS) != 16'd0)", "", packet(data(50), data(50, END | VLAN))
    ),
    "a packet that is cut may ask for a checksum": Broken(
        "rw_desc_scan", "|| (first_data && cut && ask_now[AW-1]);", ";", packet(udp(), data(200, END | CSUM))
    ),
    "an offload descriptor may be anything": Broken(
        "rw_desc_scan", "else if (is_off && !o_ok) ", "else if (1'b0) ", packet(udp(l3=16), data(200, END))
    ),
    "a request may be of any kind": Broken(
        "rw_desc_scan", "o_type != SEG_NONE && o_type <= SEG_UFO4 && mss_ok", "mss_ok",
        packet(offload(6, 8, 34), data(200, END)),
    ),
    "an IP header may end where it will": Broken(
        "rw_desc_scan", "o_l3 >= 8'd14 && ip_len[1:0] == 2'd0", "o_l3 >= 8'd14",
        packet(udp(l4=36, header=44), data(200, END)),
    ),
    "UDP may have options": Broken(
        "rw_desc_scan", "o_udp ? l4_len == 10'd8", "o_udp ? l4_len >= 10'd8", packet(udp(header=46), data(200, END))
    ),
    "a data descriptor may be empty": Broken(
        "rw_desc_scan", "(d_len == 16'd0 || {16'd0, d_len} > MAX_BUFFER)", "({16'd0, d_len} > MAX_BUFFER)",
        packet(data(50), data(0), data(50, END)),
    ),
    "a packet that is cut is no longer than a frame": Broken(
        "rw_desc_scan", "o_bits  = o_type == SEG_NONE ?", "o_bits  = o_type != SEG_UFO4 ?",
        packet(udp(8192), data(16384), data(300, END)),
    ),
    "a datagram may have more fragments than can be numbered": Broken(
        "rw_desc_scan", "o_type == SEG_UFO4 ? {3'b010, o_hdr - 9'd1} : {3'b100, o_hdr};", "{3'b100, o_hdr};",
        packet(
            pack_offload(SegType.UFO4, 8192, 34, 14, 34), data(34), *[data(16384)] * 3, data(16383), data(1, END)
        ),
    ),
    "a checksum may lie behind the frame": Broken(
        "rw_desc_scan", "OFFSET_LSB +: 8]} + 10'd2;", "OFFSET_LSB +: 8]} + 10'd1;", packet(data(60, END | CSUM, 50, 9))
    ),
    "a packet may have a header alone": Broken(
        "rw_desc_scan", "(cut && len_sum <= {10'd0, hdr})", "(cut && len_sum < {10'd0, hdr})",
        packet(udp(), data(42, END)),
    ),
    "half an address may be tagged": Broken(
        "rw_desc_scan", "(ask[16] && len_sum < 19'd14)", "(ask[16] && len_sum < 19'd13)", packet(data(13, END | VLAN))
    ),
    "an empty descriptor is named before its flags": Broken(
        "rw_desc_scan", "if (bad_flags)  ", "if (bad_flags && d_len != 16'd0)  ", packet(data(50), data(0, END | VLAN))
    ),
    # reads that fail, resets, slots, turns
    "segments behind one that failed are sent": Broken(
        "rw_frame_seq", "dead_reg[queue] <= !last && (dead || failed);", "dead_reg[queue] <= 1'b0;",
        Check(offloads.unreadable, (100, [(0, 1, 3)])),
    ),
    "the beats of segments that are not sent stay": Broken(
        "rw_frame_seq", "drop = waits && dead && !news_err;", "drop = 1'b0;",
        Check(offloads.unreadable, (100, [(0, 1, 3)])),
    ),
    "a segment that failed counts": Broken(
        "rw_done", "{2'd0, sent_reg[queue]} + {19'd0, good};", "{2'd0, sent_reg[queue]} + 20'd1;",
        Check(offloads.unreadable, (100, [(0, 1, 3)])),
    ),
    "a packet that can't be read is read to its end": Broken(
        "rw_segmenter", "failed  = fail_valid &&", "failed  = 1'b0 &&", Check(offloads.given_up, 1)
    ),
    "what a packet that failed has left in the pool is not taken out": Broken(
        "rw_sg_walk",
        "!job_read && walked != job_number;\n"
        "    wire        cut_done   = cut && (job_read ? cut_use && enough : walked == job_number);",
        "1'b0;\n    wire        cut_done   = cut && (job_read ? cut_use && enough : 1'b1);",
        Check(offloads.given_up, 1),
    ),
    "a packet that is being cut survives a reset": Broken(
        "rw_segmenter", "|| (open_reg[k] && q_resetting[k])) close_reg", ") close_reg",
        Check(offloads.closing, (2, 1, False), queues=2),
    ),
    "a packet that a reset closed stays open": Broken(
        "rw_segmenter", "open_reg[k]  <= 1'b0;\n                close_reg[k] <= 1'b0;", "open_reg[k]  <= 1'b0;",
        Check(offloads.closing, (2, 1, False), queues=2),
    ),
    "a packet that a reset closed is told of at fetch": Broken(
        "rw_frame_seq", " && status != STATUS_CLOSED;", ";", Check(offloads.closing, (2, 1, True), queues=2)
    ),
    "a header slot is free after each segment": Broken(
        "rw_egress", "s_meta_ready && s_patch[P_EN_ID] && s_meta[F_LAST];", "s_meta_ready && s_patch[P_EN_ID];",
        Check(offloads.slots, (1, 40, 10**9)),
    ),
    "a packet closed before its header has come waits for it": Broken(
        "rw_frame_seq", "edit[E_CUT] && edit[E_BEATS +: 12] != 12'd0;", "edit[E_CUT];",
        Check(offloads.closed_unbegun, 3, queues=2),
    ),
    "a header slot is never free again": Broken(
        "rw_egress", "s_meta_ready && s_patch[P_EN_ID] && s_meta[F_LAST];", "1'b0;",
        Check(offloads.slots, (1, 40, 10**9)),
    ),
    "a queue that found no header slot waits for ever": Broken(
        "rw_frame_sched", "if (free_any)   starved_reg <= '0;", "", Check(offloads.slots, (1, 40, 10**9))
    ),
    "each segment takes a slot for a completion": Broken(
        "rw_frame_sched", "fly && first && sel_reg == q", "fly && sel_reg == q",
        Check(offloads.one_completion_a_packet, (1, 70, False)),
    ),
    "a packet is cut in one go": Broken(
        "rw_frame_sched", "= go ? if_it_goes : if_not;",
        "= (q_open[last_reg] && waiting[last_reg] && !(go && last)) ? {1'b1, last_reg} : go ? if_it_goes : if_not;",
        Check(offloads.interleaved, (2, 10), queues=2),
    ),
}  # fmt: skip


def test_the_scenarios_pass_on_the_rtl() -> None:
    checks = {repr(mutant.check): mutant.check for mutant in MUTANTS.values()}.values()
    for (scenario, data_w, queues), group in groupby(sorted(checks, key=device), device):
        configs = [check.config for check in group]
        Check(each, (getattr(offloads, scenario), configs), data_w, queues).judge()


def device(check: Check) -> tuple[str, int, int]:
    """What scenarios that run one after the other have in common."""
    return check.scenario.__name__, check.data_w, check.queues


@pytest.mark.parametrize("name", MUTANTS)
def test_a_scenario_of_offloads_tells_when(name: str) -> None:
    module, line, instead, check = MUTANTS[name]
    rtl = broken_rtl(name, module, line, instead)
    with pytest.raises((SimulationFailed, AssertionError)):
        check.judge(rtl)
