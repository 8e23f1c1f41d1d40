"""tbf: both buckets in nanoseconds, and the rates as multiplications."""

from __future__ import annotations

from ringwire.netdev import NetDevice
from ringwire.netdev.tree import qdiscs
from ringwire.qdisc.tbf import Tbf
from ringwire.tools.tc import Command, QdiscCommand


def lines(dev: NetDevice, command: Command) -> list[str]:
    if not isinstance(command, QdiscCommand) or command.flags is None:
        return []
    tbf = next(q for q in qdiscs(dev) if isinstance(q, Tbf) and q.parent_id == command.request.parent)
    rate, peak = tbf.rate, tbf.peak
    peak_figures = (peak.rate.bytes_per_s, peak.mult, peak.shift) if peak is not None else (0, 0, 0)
    return [
        f"tbf rate_Bps={rate.rate.bytes_per_s} mult={rate.mult} shift={rate.shift} overhead={rate.rate.overhead}"
        f" mpu={rate.rate.mpu} linklayer={rate.rate.linklayer}"
        " peak_Bps={} pmult={} pshift={}".format(*peak_figures)
        + f" buffer_ns={tbf.buffer_ns} mtu_ns={tbf.mtu_ns} max_size={tbf.max_size} limit={tbf.params().limit}"
    ]
