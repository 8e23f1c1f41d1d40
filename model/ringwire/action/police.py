"""police: a token bucket, or two, or a measured rate, and a verdict each for what conforms and what exceeds.

With ``peakrate`` it is the meter of two rates and two buckets of which both must have tokens. A two-rate three-colour
marker (RFC 2698) is two of them in a row: the first one's excess is red, the second one's yellow. After
net/sched/act_police.c of Linux 6.12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ringwire.action.base import Action, ActionDevice
from ringwire.qdisc.classify import OK, RECLASSIFY, SHOT
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.psched import U32, Rate, RateCfg, precompute, ticks_to_ns, xmit_ticks
from ringwire.skb import Skb


@dataclass(frozen=True, slots=True)
class PoliceParams:
    """As tc sends it; 0 = not given."""

    rate: Rate | None = None
    burst: int = 0
    """Bytes."""
    mtu: int = 0
    """Longer packets exceed; 0: 255 cells."""
    cell: int = 3
    """Logarithm of the size of a cell, 8 bytes by default: then packets of more than 2040 bytes exceed."""
    peakrate: Rate | None = None
    avrate: int = 0
    """Bytes a second, as measured."""
    packet_rate: int = 0
    packet_burst: int = 0
    exceed: int = RECLASSIFY
    conform: int = OK


class Police(Action[PoliceParams]):
    """Buckets count in nanoseconds of their rate; all are full at first."""

    kind: ClassVar[str] = "police"
    params_type = PoliceParams

    def setup(self, dev: ActionDevice) -> None:
        self.updated_ns = dev.now_ns()

    def change(self, dev: ActionDevice, params: PoliceParams) -> None:
        if params.avrate and self.estimator is None:
            raise QdiscError("EINVAL")
        if params.rate is not None and params.packet_rate:
            raise QdiscError("EINVAL", "packet-per-second and byte-per-second rate limits not allowed in same action")
        self._params = params
        self.rate = RateCfg(params.rate) if params.rate is not None else None
        self.peak = RateCfg(params.peakrate) if params.peakrate is not None and self.rate is not None else None
        self.mtu = params.mtu or (255 << params.cell if self.rate is not None else U32)
        self.burst_ns = self.tokens = ticks_to_ns(self.burst_ticks)
        self.peak_burst_ns = self.peak_tokens = self.peak.l2t_ns(self.mtu) if self.peak is not None else 0
        self.avrate = params.avrate
        mult, shift = precompute(params.packet_rate) if params.packet_rate else (0, 0)
        self.packet_ns = mult >> shift
        self.packet_burst_ns = self.packet_tokens = ticks_to_ns(self.packet_burst_ticks)
        self.limited = self.rate is not None or params.packet_rate > 0
        self.exceed, self.conform = params.exceed, params.conform

    @property
    def burst_ticks(self) -> int:
        params = self._params
        return xmit_ticks(params.rate.bytes_per_s, params.burst) if params.rate is not None else 0

    @property
    def packet_burst_ticks(self) -> int:
        params = self._params
        return xmit_ticks(params.packet_rate, params.packet_burst) if params.packet_rate else 0

    def params(self) -> PoliceParams:
        return self._params

    def act(self, skb: Skb, dev: ActionDevice) -> int:
        verdict = self.exceed
        measured = self.estimator
        too_fast = self.avrate and measured is not None and measured.bytes_per_s >= self.avrate
        if not too_fast and self._fits(skb, dev):
            if not self.limited:
                return self.conform
            if self._take(skb.pkt_len, dev.now_ns()):
                verdict = self.conform
                self.drops += verdict == SHOT
                return verdict
        self.overlimits += 1
        self.drops += verdict == SHOT
        return verdict

    def _fits(self, skb: Skb, dev: ActionDevice) -> bool:
        """Whether the packet, or each of its segments, is within ``mtu`` with its link header."""
        if skb.gso_size:
            return skb.hdr_len + skb.gso_size <= self.mtu
        return skb.pkt_len + (dev.hard_header_len if skb.at_ingress else 0) <= self.mtu

    def _take(self, length: int, now: int) -> bool:
        """Take a packet's tokens from all buckets, or from none."""
        passed = now - self.updated_ns
        peak_tokens = packet_tokens = 0
        tokens = min(passed, self.burst_ns)
        if self.peak is not None:
            peak_tokens = min(tokens + self.peak_tokens, self.peak_burst_ns) - self.peak.l2t_ns(length)
        if self.rate is not None:
            tokens = min(tokens + self.tokens, self.burst_ns) - self.rate.l2t_ns(length)
        else:
            tokens = 0
            packet_tokens = min(passed, self.packet_burst_ns) + self.packet_tokens
            packet_tokens = min(packet_tokens, self.packet_burst_ns) - self.packet_ns
        if tokens < 0 or peak_tokens < 0 or packet_tokens < 0:
            return False
        self.updated_ns = now
        self.tokens, self.peak_tokens, self.packet_tokens = tokens, peak_tokens, packet_tokens
        return True
