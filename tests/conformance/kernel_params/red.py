"""red: its thresholds and logarithms, max_P as a multiplication, and the table of idle times."""

from __future__ import annotations

from ringwire.netdev import NetDevice
from ringwire.netdev.tree import qdiscs
from ringwire.qdisc.red import Red
from ringwire.qdisc.red_law import RedParms
from ringwire.tools.tc import Command, QdiscCommand

STAB_ROW = 64


def lines(dev: NetDevice, command: Command) -> list[str]:
    if not isinstance(command, QdiscCommand) or command.flags is None:
        return []
    red = next(q for q in qdiscs(dev) if isinstance(q, Red) and q.parent_id == command.request.parent)
    stab = red.parms.stab
    return [
        of_parms(red.parms),
        *(f"red_stab {row} {stab[row : row + STAB_ROW].hex()}" for row in range(0, len(stab), STAB_ROW)),
    ]


def of_parms(parms: RedParms) -> str:
    """The line that all kinds with this law have."""
    spec = parms.spec
    m, sh1, sh2 = reciprocal_value(parms.per_packet)
    return (
        f"red qth_min={spec.qth_min} qth_max={spec.qth_max} Wlog={spec.wlog} Plog={spec.plog} max_P={parms.max_p}"
        f" Scell_log={spec.scell_log} max_P_reciprocal_m={m} sh1={sh1} sh2={sh2}"
    )


def reciprocal_value(divisor: int) -> tuple[int, int, int]:
    """(multiplier, two shifts) that divide 32 bits by a constant (Granlund and Montgomery, 1994)."""
    log = (divisor - 1).bit_length()
    multiplier = ((1 << 32) * ((1 << log) - divisor) // divisor + 1) & 0xFFFF_FFFF
    return multiplier, min(log, 1), max(log - 1, 0)
