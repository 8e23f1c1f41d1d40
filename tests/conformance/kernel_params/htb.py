"""htb: a class's quantum, its rates as multiplications, and its buckets in nanoseconds."""

from __future__ import annotations

from ringwire.netdev import NetDevice
from ringwire.netdev.tree import qdiscs
from ringwire.qdisc.htb import Htb
from ringwire.tools.tc import ClassCommand, Command


def lines(dev: NetDevice, command: Command) -> list[str]:
    if not isinstance(command, ClassCommand) or command.flags is None or command.kind != "htb":
        return []
    classid = command.request.classid
    htb = next(q for q in qdiscs(dev) if isinstance(q, Htb) and q.handle == classid & 0xFFFF_0000)
    cls = htb.by_id[classid]
    rate, ceil = cls.rate, cls.ceil
    return [
        f"htb classid={classid:x} prio={cls.prio} quantum={cls.quantum}"
        f" rate_Bps={rate.rate.bytes_per_s} rate_mult={rate.mult} rate_shift={rate.shift}"
        f" overhead={rate.rate.overhead} mpu={rate.rate.mpu} linklayer={rate.rate.linklayer}"
        f" ceil_Bps={ceil.rate.bytes_per_s} ceil_mult={ceil.mult} ceil_shift={ceil.shift}"
        f" buffer_ns={cls.buffer_ns} cbuffer_ns={cls.cbuffer_ns}"
    ]
