"""A replayed capture as a flow: at its own times, at other speed, or as fast as a send buffer lets it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from ringwire.pcap import CaptureError, read_capture
from ringwire.ranges import check
from ringwire.skb import Skb
from ringwire.socket import SNDBUF_MIN, WMEM_DEFAULT, Socket
from ringwire.traffic.capture import MIN_MTU, Capture
from ringwire.traffic.flow import Environment, Flow

PACES = ("capture", "fast")


@dataclass
class Pcap(Flow):
    """Sends the packets of a pcap or pcapng file, made anew as :mod:`ringwire.traffic.capture` says."""

    kind: ClassVar[str] = "pcap"

    file: str
    """Beside the experiment's own file, unless its path is absolute."""
    pace: str = "capture"
    """capture: at the capture's times; fast: as soon as there is room in the send buffer."""
    speed: float = field(default=1.0, metadata={"needs": ("pace", "capture")})
    """How many times faster than it was captured."""
    loop: bool = False
    """Begin anew at the end."""
    mtu: int = 1500
    """A TCP packet over it is a super-packet."""
    sndbuf_bytes: int = field(default=WMEM_DEFAULT, metadata={"needs": ("pace", "fast")})
    """Of the fast pace: bytes of truesize."""
    folder: str = field(default="", repr=False)
    """Where the experiment's file is."""
    _stopped: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.pace not in PACES:
            raise ValueError(f"pace {self.pace}; allowed: {', '.join(PACES)}")
        check("speed", self.speed, 1e-6, 1e6)
        check("mtu", self.mtu, MIN_MTU, 1 << 16)
        check("sndbuf_bytes", self.sndbuf_bytes, SNDBUF_MIN, 1 << 40)
        path = Path(self.folder) / self.file
        self._capture = Capture(path, mtu=self.mtu)
        try:
            deque(read_capture(path), maxlen=0)  # to its end: what is wrong there is told now
            first = next(iter(self._capture), None)
        except (CaptureError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error).removeprefix(f"{path}: ")
            raise ValueError(f"file {self.file}: {reason}") from None
        if first is None:
            raise ValueError(f"file {self.file}: holds no packet")

    def start(self, env: Environment) -> None:
        self._env = env
        if self.pace == "fast":
            self._socket = Socket(
                env.dev,
                self.sndbuf_bytes,
                clock=env.clock,
                syscall_ns=env.syscall_ns,
                batch=1 if env.syscall_ns else 16,
                transmit=lambda skb: env.send(self, skb),
            )
            self._socket.send(skb for _, skb in self._packets())
        else:
            self._rest = self._packets()
            self._schedule()

    def stop(self) -> None:
        self._stopped = True

    def _packets(self) -> Iterator[tuple[float, Skb]]:
        """(ns since the start, packet); an end begins anew where the last packet's time was, if asked for."""
        begin_ns = 0.0
        while not self._stopped:
            first_ns: int | None = None
            at_ns = begin_ns
            for time_ns, skb in self._capture:
                if self._stopped:
                    return
                first_ns = time_ns if first_ns is None else first_ns
                at_ns = begin_ns + (time_ns - first_ns) / self.speed
                yield at_ns, skb
            if not self.loop:
                return
            begin_ns = at_ns

    def _schedule(self) -> None:
        following = next(self._rest, None)
        if following is None:
            return
        if not hasattr(self, "_zero_ns"):
            self._zero_ns = self._env.now_ns()
        self._due_ns = self._zero_ns + round(following[0])
        self._next = following[1]
        self._env.clock.call_at(self._due_ns, self._write)

    def _write(self) -> None:
        if self._stopped:
            return
        env = self._env
        env.charge(env.syscall_ns)
        # stamps of a capture may go back: what comes too late for its time was written now
        env.send(self, self._next, min(self._due_ns, env.now_ns()))
        self._schedule()
