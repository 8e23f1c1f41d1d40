"""What a bulk TCP flow costs of the processor's time, per frame on the wire.

``PYTHONPATH=model:. python -m bench.tcp_cost``. The flow runs without stack and device: what it sends is on an ideal
link at once, and done with its last frame. So what is counted is the flow's own (sender, path, receiver), the event
queue, and the cutting of frames, which is of the least kind. CPU time, beside that of a plain loop, to compare machines
by.
"""

from __future__ import annotations

from functools import partial
from time import thread_time_ns

from ringwire.host.cpu import Cpus, HostCosts
from ringwire.host.timeline import Timeline
from ringwire.netdev import NetDevice
from ringwire.skb import Skb
from ringwire.traffic.flow import Flow
from ringwire.traffic.tcp import TcpFlow
from ringwire.transport.path import Path
from tests.tcp_bench import MS, BenchEnvironment, Link, TcpBench

NS_A_BYTE = 8
LOOPS = 1_000_000


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


def measure(tso: bool, congestion: str = "cubic") -> tuple[int, float]:
    """(frames, microseconds a frame) of a bulk flow at 1 Gb/s over 2 ms."""
    timeline = Timeline()
    env = Short(timeline)
    env.dev.gso = tso
    flow = TcpFlow(path=Path(delay_ns=MS), congestion=congestion, rcv_window_bytes=1 << 22)
    flow.start(env)
    timeline.run_until(50 * MS)
    frames, begin_ns = env.frames, thread_time_ns()
    timeline.run_until(250 * MS)
    frames = env.frames - frames
    return frames, (thread_time_ns() - begin_ns) / frames / 1000


def loop_ns() -> float:
    """CPU time of one turn of a plain loop."""
    begin_ns, left = thread_time_ns(), LOOPS
    while left:
        left -= 1
    return (thread_time_ns() - begin_ns) / LOOPS


def main() -> None:
    for tso in (True, False):
        frames, cost_us = measure(tso)
        name = "super-packets" if tso else "single frames"
        print(f"{name}: {cost_us:.1f} us a frame ({frames} frames; a turn of a plain loop: {loop_ns():.0f} ns)")


if __name__ == "__main__":
    main()
