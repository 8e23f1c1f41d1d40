"""What a bulk TCP flow costs of the processor's time, per frame on the wire.

The flow runs without stack and device: what it sends is on an ideal link at once, and done with its last frame. So what
is counted is the flow's own (sender, path, receiver), the event queue, and the cutting of frames, which is of the least
kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from time import thread_time_ns

from bench.row import Row
from ringwire.host.cpu import Cpus, HostCosts
from ringwire.host.timeline import Timeline
from ringwire.netdev import NetDevice
from ringwire.skb import Skb
from ringwire.traffic.flow import Flow
from ringwire.traffic.tcp import TcpFlow
from ringwire.transport.path import Path
from tests.tcp_bench import MS, BenchEnvironment, Link, TcpBench

NS_A_BYTE = 8
RUNS = 3
"""The best of these counts: others share the machine."""


def rows() -> Iterator[Row]:
    """CPU time a frame, of a flow that sends super-packets and of one that sends single frames."""
    for name, tso in (("super-packets", True), ("single-frames", False)):
        yield Row(f"tcp/{name}", min(us_a_frame(tso) for _ in range(RUNS)), "us/frame", "lower")


class Short(BenchEnvironment):
    """Puts packets on the wire by itself."""

    def __init__(self, timeline: Timeline) -> None:
        cpus = Cpus(timeline, 1, HostCosts.free())
        super().__init__(NetDevice(cpus[0], Link(TcpBench(), 1)), cpus[0])
        self.timeline = timeline
        self.free_ns = self.frames = 0

    def send(self, flow: Flow, skb: Skb, written_ns: int | None = None) -> int:
        head = skb.data[0]
        end_ns = max(self.free_ns, self.timeline.now_ns)
        left, seq = skb.len - 66, int.from_bytes(head[38:42], "big")
        while True:
            size = min(left, 1448)
            end_ns += (66 + size + 24) * NS_A_BYTE
            length = (52 + size).to_bytes(2, "big")
            frame = b"".join((head[:16], length, head[18:38], seq.to_bytes(4, "big"), head[42:], bytes(size)))
            self.frames += 1
            self.timeline.call_at(end_ns, partial(flow.arrived, skb, frame, end_ns))
            seq, left = seq + size & 0xFFFFFFFF, left - size
            if left <= 0:
                break
        self.free_ns = end_ns
        self.timeline.call_at(end_ns, skb.free)
        return 0


def us_a_frame(tso: bool) -> float:
    """Of a bulk flow at 1 Gb/s over 2 ms."""
    timeline = Timeline()
    env = Short(timeline)
    env.dev.gso = tso
    flow = TcpFlow(path=Path(delay_ns=MS), rcv_window_bytes=1 << 22)
    flow.start(env)
    timeline.run_until(50 * MS)
    frames, begin_ns = env.frames, thread_time_ns()
    timeline.run_until(250 * MS)
    return (thread_time_ns() - begin_ns) / (env.frames - frames) / 1000
