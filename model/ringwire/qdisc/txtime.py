"""taprio's txtime-assist: each packet is told when its gate is open; etf below, or the device, sends it then.

After get_packet_txtime and find_entry_to_transmit in net/sched/sch_taprio.c of Linux 6.12.
"""

from __future__ import annotations

from ringwire.packet import ETH_P_IP, ETH_P_IPV6, IPPROTO_IPV6, IPPROTO_TCP, HeaderError, parse_ethernet
from ringwire.qdisc.gates import PS_PER_NS, Entry, Schedule
from ringwire.skb import GsoType, Skb

MOST_TRIES = 64
"""Windows that are looked at; a window that the cycle's end cuts short may never be long enough."""


def elapsed(schedule: Schedule, time: int) -> int:
    """Time since the cycle began; negative before the schedule does, as C's remainder is."""
    since = time - schedule.base
    return since % schedule.cycle if since >= 0 else -(-since % schedule.cycle)


def _interval_end(schedule: Schedule, following: Schedule | None, entry: Entry, start: int) -> int:
    cycle_end = start + schedule.cycle - elapsed(schedule, start)
    end = start + entry.interval
    if end < cycle_end:
        return end
    if following is not None and cycle_end < following.base < cycle_end + schedule.extension:
        return following.base
    return cycle_end


def find_entry(
    schedule: Schedule, following: Schedule | None, tc: int, length_ns: int, time: int, *, validate: bool = False
) -> tuple[Entry | None, int, int]:
    """An entry that a packet can go in at ``time`` or later, and when that begins and ends.

    With ``validate``, only whether it can go at that time.
    """
    found: Entry | None = None
    begin = end = 0
    earliest = 1 << 63
    in_next_cycle = False
    cycle = schedule.cycle
    current_end = time - elapsed(schedule, time)
    cycle_end = current_end + cycle
    for entry in schedule.entries:
        start = current_end
        current_end = _interval_end(schedule, following, entry, start)
        if start > cycle_end:
            break
        if not entry.mask >> tc & 1 or length_ns > entry.interval:
            continue
        txtime = entry.next_txtime
        if txtime < time or validate:
            now_fits = start < time and time + length_ns < current_end
            if now_fits or (start > time and not validate):
                return entry, start, current_end
            if not in_next_cycle and not validate:
                in_next_cycle = True
                found, begin, end = entry, start + cycle, current_end + cycle
        elif txtime < earliest and not in_next_cycle:
            earliest = txtime
            cycles = (txtime - start) // cycle if txtime >= start else -((start - txtime) // cycle)
            found, begin, end = entry, start + cycles * cycle, current_end + cycles * cycle
    return found, begin, end


def transmit_time(schedule: Schedule, following: Schedule | None, tc: int, length: int, earliest: int) -> int:
    """When a packet of ``length`` charged bytes is to leave, ``earliest`` or later; 0 if there is no gate for it."""
    length_ns = length * schedule.ps_per_byte // PS_PER_NS
    for _ in range(MOST_TRIES):
        entry, begin, end = find_entry(schedule, following, tc, length_ns, earliest)
        if entry is None:
            return 0
        txtime = max(entry.next_txtime, earliest, begin)
        if following is not None and following is not schedule and txtime > following.base:
            schedule = following
            continue
        earliest = txtime + length_ns
        if earliest <= end:
            entry.next_txtime = earliest
            return txtime
        entry.next_txtime = begin + schedule.cycle
    return 0


def is_tcp(skb: Skb) -> bool:
    """Whether the packet is TCP's, whose time stamp says when it may leave at the earliest."""
    if skb.gso_type in (GsoType.TCPV4, GsoType.TCPV6):
        return True
    if not skb.data:
        return skb.sk is not None and skb.sk.tcp
    frame = skb.linear()[:128]
    try:
        ethertype, l3 = parse_ethernet(frame)
        if ethertype == ETH_P_IP:
            protocol = frame[l3 + 9]
            if protocol == IPPROTO_IPV6:
                protocol = frame[l3 + (frame[l3] & 15) * 4 + 6]
            return protocol == IPPROTO_TCP
        return ethertype == ETH_P_IPV6 and frame[l3 + 6] == IPPROTO_TCP
    except (HeaderError, IndexError):
        return False
