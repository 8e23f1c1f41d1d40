"""A TCP connection: an application that writes, Linux's sender, and a receiver behind the wire and a path.

The receiver and what it answers are worked out when a frame is told of, from the frame's bytes; only acknowledgements
come back as events, on the sender's CPU. See docs/tcp.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from ringwire.netdev.sysctl import TCP_LIMIT_OUTPUT_BYTES
from ringwire.ranges import check
from ringwire.skb import Skb
from ringwire.sock import Sock
from ringwire.traffic.flow import Environment, Flow
from ringwire.transport.congestion import ALGORITHMS
from ringwire.transport.connect import Connect
from ringwire.transport.listen import Listener
from ringwire.transport.output import WINDOW_FIELD
from ringwire.transport.packet import ACK, SEQ, SYN, Endpoints, PacketMaker, read_segment
from ringwire.transport.path import Path
from ringwire.transport.receiver import DELAYED_ACK_NS, MAX_QUICK_ACKS, RMEM_MAX, Ack, Receiver, initial_window
from ringwire.transport.rtt import UNKNOWN_US
from ringwire.transport.sender import Sender
from ringwire.transport.settings import TcpSettings
from ringwire.transport.shared import shared
from ringwire.transport.timers import FarClock

ACK_SYSCALLS = 2
"""What an acknowledgement costs the sender's CPU (interrupt, NAPI, tcp_ack), in times that a system call costs."""
PACKET_SYSCALLS = 1
"""... and to make a packet (tcp_transmit_skb, IP)."""
EPHEMERAL_PORTS = (32_768, 61_000)
"""sysctl net.ipv4.ip_local_port_range, the end excluded."""
_NS_PER_MS = 1_000_000


@dataclass(eq=False)
class TcpFlow(Flow):
    """One connection; the fields are the keys of a ``[[flow]]`` table with ``kind = "tcp"``.

    ``path`` and ``listener`` are objects, which whoever runs the flow puts in place of their names before ``start``;
    without a name a flow has its own. ValueError, naming field, value and what is allowed, for what can't be.
    """

    kind: ClassVar[str] = "tcp"

    name: str = "tcp"
    total_bytes: int | None = None
    """What the application writes in all; None: without end."""
    write_bytes: int = 131_072
    """... in one call."""
    write_interval_ns: int = 0
    """From the begin of a call to that of the next, if there is room; 0: as fast as there is."""
    path: Path | str = ""
    listener: Listener | str = ""

    congestion: str = "cubic"
    initial_cwnd: int = 10
    """Segments."""
    hystart: bool = True
    """cubic leaves slow start before there is a loss, if it can."""
    ecn: bool = False
    nodelay: bool = False
    sndbuf_bytes: int | None = None
    """The send buffer, bytes of truesize; None: it grows with the window, up to ``wmem_max_bytes``."""
    wmem_default_bytes: int = 16_384
    wmem_max_bytes: int = 4_194_304
    limit_output_bytes: int | None = None
    """Instead of sysctl net.ipv4.tcp_limit_output_bytes; 0: no small queues at all."""
    max_pacing_rate_bps: int | None = None
    """SO_MAX_PACING_RATE, bits a second: TCP paces by itself, unless fq does."""
    pacing_shift: int = 10
    min_tso_segs: int = 2
    tso_rtt_log: int = 9
    tso_win_divisor: int = 3
    rto_min_ns: int = 200_000_000

    rcv_window_bytes: int | None = None
    """The receiver's window; None: it adapts, up to half of ``rmem_max_bytes``."""
    rmem_max_bytes: int = RMEM_MAX
    delayed_ack_ns: int = DELAYED_ACK_NS
    """0: every segment is acknowledged at once."""
    quick_acks: int = MAX_QUICK_ACKS
    """So many acknowledgements of a connection are not delayed."""

    source: str = "10.0.0.1"
    destination: str = "10.0.0.2"
    source_port: int | None = None
    """None: an ephemeral one, drawn at the start."""
    destination_port: int = 5_001
    source_mac: str = "02:00:00:00:00:01"
    destination_mac: str = "02:00:00:00:00:02"
    mss_bytes: int | None = None
    """Payload of a full segment; None: what the device's MTU leaves, 1448 of 1500."""
    dscp: int = 0
    priority: int = 0
    """skb.priority (SO_PRIORITY)."""
    mark: int = 0
    """skb.mark (SO_MARK)."""
    vlan: int | None = None
    """Tag control information: 12 bits of VLAN id, and above them priority and DEI."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("total_bytes", 1, 1 << 62),
            ("write_bytes", 1, 1 << 30),
            ("write_interval_ns", 0, 1 << 62),
            ("limit_output_bytes", 0, 1 << 31),
            ("max_pacing_rate_bps", 8000, 8 * 0xFFFFFFFE),
            ("rto_min_ns", _NS_PER_MS, 120_000_000_000),
            ("rcv_window_bytes", 4096, 1 << 30),
            ("rmem_max_bytes", 131_072, 1 << 31),
            ("delayed_ack_ns", 0, 1_000_000_000),
            ("quick_acks", 0, 1 << 30),
            ("mss_bytes", 48, 9000),
            ("dscp", 0, 63),
            ("priority", 0, 0xFFFFFFFF),
            ("mark", 0, 0xFFFFFFFF),
            ("vlan", 0, 0xFFFF),
            ("sndbuf_bytes", 4608, 1 << 31),
            ("wmem_default_bytes", 4608, 1 << 31),
            ("wmem_max_bytes", 4608, 1 << 31),
        ):
            check(name, getattr(self, name), low, high)
        try:
            ALGORITHMS.find(self.congestion)
        except LookupError as error:
            raise ValueError(f"congestion {self.congestion!r}: {error}") from None
        self._endpoints(EPHEMERAL_PORTS[0])  # refuses what can't be
        rate = self.max_pacing_rate_bps
        self._settings = TcpSettings(
            congestion=self.congestion,
            initial_cwnd=self.initial_cwnd,
            ecn=self.ecn,
            nodelay=self.nodelay,
            sndbuf=self.sndbuf_bytes,
            wmem_default=self.wmem_default_bytes,
            wmem_max=self.wmem_max_bytes,
            max_pacing_rate=None if rate is None else rate // 8,
            pacing_shift=self.pacing_shift,
            min_tso_segs=self.min_tso_segs,
            tso_rtt_log=self.tso_rtt_log,
            tso_win_divisor=self.tso_win_divisor,
            rto_min_us=self.rto_min_ns // 1000,
            hystart=self.hystart,
        )
        self.sk = Sock(tcp=True)
        self.malformed = 0
        """Frames that could not be read."""
        self._failure = ""
        self.connect_ns = 0
        """From the first SYN to the SYN-ACK, once that is here."""
        self.finished_ns = 0
        """When all of ``total_bytes`` was acknowledged."""
        self.sender: Sender | None = None
        self.receiver: Receiver | None = None
        self._established_ns = self._last_arrival_ns = 0
        """At the receiver."""
        self._stopped = False
        self._writing = False
        self._next_write_ns = 0
        self._left_of_call = 0
        self._written = 0

    def _endpoints(self, source_port: int) -> Endpoints:
        """With a port of its own, unless one was given."""
        return Endpoints(
            self.source,
            self.destination,
            source_port if self.source_port is None else self.source_port,
            self.destination_port,
            self.source_mac,
            self.destination_mac,
        )

    @property
    def failed(self) -> str:
        """Why the connection is over, if it is."""
        if not self._failure and self.sender is not None and self.sender.failed:
            return "no acknowledgement"
        return self._failure

    @property
    def lookahead_ns(self) -> int:
        """The round trip without the bottleneck."""
        self.path = shared(self.path, Path, "path")
        return self.path.lookahead_ns

    def start(self, env: Environment) -> None:
        self.path = path = shared(self.path, Path, "path")
        self.listener = listener = shared(self.listener, Listener, "listener")
        endpoints = self._endpoints(env.random.randrange(*EPHEMERAL_PORTS))
        ip = 20 if endpoints.version == 4 else 40
        mss = env.dev.mtu - ip - 32
        if self.mss_bytes is not None:
            mss = min(mss, self.mss_bytes)
        if mss < 8:
            raise ValueError(f"mtu {env.dev.mtu} of {env.dev.name}; allowed for TCP: {ip + 40} and up")
        limit = self.limit_output_bytes
        if limit is None:
            limit = max(1, int(env.dev.net.sysctls[TCP_LIMIT_OUTPUT_BYTES]))
        self._settings = replace(self._settings, limit_output_bytes=limit or None)
        self._host = _Host(env, self)
        self._maker = PacketMaker(
            endpoints, dscp=self.dscp, priority=self.priority, mark=self.mark, vlan_tci=self.vlan, mss=mss
        )
        self._env, self._path, self._listener, self._far = env, path, listener, path.far(env.clock)
        self._random = env.random
        self._back_ns = path.back_ns
        self._isn = env.random.getrandbits(32)
        env.clock.call_at(env.now_ns(), self._connect)

    # -- the sender's side

    def _connect(self) -> None:
        mss = self._maker.mss + 12
        self._attempt = Connect(self._host, self._maker, self._isn, mss, ecn=self.ecn, failed=self._unanswered)

    def _unanswered(self) -> None:
        self._failure = "no answer to SYN"

    def _syn_acked(self) -> None:
        """A SYN-ACK is here: the third packet goes, and data behind it."""
        env = self._env
        env.charge(ACK_SYSCALLS * env.syscall_ns)
        if self.failed:
            return
        now_ns = env.now_ns()
        first = self.sender is None
        if first:
            attempt = self._attempt
            attempt.answered()
            self.connect_ns = now_ns - attempt.begun_ns
            window = initial_window(self._maker.mss, self.rcv_window_bytes)
            self.sender = Sender(self._host, self.sk, self._maker, self._settings, self._isn, window, self._resume)
            rtt_us = (now_ns - attempt.sent_ns) // 1000 if attempt.syns == 1 else None
            self.sender.established(rtt_us, attempt.syns)
        stamp = now_ns // _NS_PER_MS & SEQ
        self._host.send(self._maker.make(self._isn + 1, 0, 1, ACK, WINDOW_FIELD, stamp, stamp, 0), None)
        if first:
            self._next_write_ns = now_ns
            self._left_of_call = 0
            self._resume()

    def _resume(self) -> None:
        """The application is to write; as a task of its own."""
        if not self._writing and not self._stopped:
            self._writing = True
            env = self._env
            env.clock.call_at(max(env.now_ns(), self._next_write_ns if not self._left_of_call else 0), self._write)

    def _write(self) -> None:
        """One call of the application's, or what is left of one that had to wait for room."""
        self._writing = False
        sender, env = self.sender, self._env
        assert sender is not None
        if self._stopped or sender.failed:
            return
        if not self._left_of_call:
            size = self.write_bytes
            if self.total_bytes is not None:
                size = min(size, self.total_bytes - self._written)
            if not size:
                return
            env.charge(env.syscall_ns)
            self._left_of_call = size
            self._next_write_ns = env.now_ns() + self.write_interval_ns
        taken = sender.write(self._left_of_call)
        self._left_of_call -= taken
        self._written += taken
        if not self._left_of_call:
            self._resume()

    def _acknowledged(self, ack: Ack) -> None:
        env, sender = self._env, self.sender
        env.charge(ACK_SYSCALLS * env.syscall_ns)
        if sender is None or self.failed:
            return
        sender.acknowledged(ack)
        if not self.finished_ns and self.total_bytes is not None and sender.board.una > self.total_bytes:
            self.finished_ns = env.now_ns()

    def _reset(self) -> None:
        """The receiver has sent a reset."""
        self._failure = "connection reset"
        if self.sender is not None:
            self.sender.give_up()
        else:
            self._attempt.answered()

    def stop(self) -> None:
        self._stopped = True

    # -- the receiver's side

    def arrived(self, skb: Skb, frame: bytes, end_ns: int) -> int | None:
        read = read_segment(frame)
        if read is None:
            self.malformed += 1
            return None
        seq, flags, payload, ecn, stamp, echo = read
        fate = self._path.forward(end_ns, len(frame), ecn, self._random)
        if fate is None:
            return None
        now_ns, ecn = fate
        far = self._far
        if far.pending:
            far.run_until(now_ns)
        receiver = self.receiver
        if receiver is None or flags & SYN:
            receiver = self._handshake(now_ns, far, flags)
        if receiver is not None:
            self._last_arrival_ns = now_ns
            receiver.segment(now_ns, seq, payload, flags, ecn, stamp, echo)
        return now_ns

    def _handshake(self, now_ns: int, far: FarClock, flags: int) -> Receiver | None:
        """A SYN, or what comes before the listener has taken the connection."""
        listener = self._listener
        if flags & SYN:
            if self.receiver is None:
                listener.syn(now_ns, far, self, lambda at_ns: self._come_back(at_ns, self._syn_acked))
            return None
        taken = listener.ack(now_ns, self)
        if taken is None:
            self._come_back(now_ns, self._reset)
        if not taken:
            return None
        self._established_ns = now_ns
        self.receiver = Receiver(
            far,
            self._answer,
            self._isn,
            self._maker.mss,
            window=self.rcv_window_bytes,
            rmem_max=self.rmem_max_bytes,
            ecn=self.ecn,
            delayed_ack_ns=self.delayed_ack_ns,
            quick_acks=self.quick_acks,
        )
        return self.receiver

    def _answer(self, now_ns: int, ack: Ack) -> None:
        self._env.clock.call_at(now_ns + self._back_ns, partial(self._acknowledged, ack))

    def _come_back(self, now_ns: int, fn: Callable[[], None]) -> None:
        self._env.clock.call_at(now_ns + self._back_ns, fn)

    # -- what it tells

    def state(self) -> Mapping[str, float]:
        sender = self.sender
        if sender is None:
            return {}
        window, board, rtt = sender.window, sender.board, sender.rtt
        return {
            "cwnd_packets": window.cwnd,
            "ssthresh_packets": min(window.ssthresh, 1 << 20),
            "srtt_us": rtt.srtt_us,
            "min_rtt_us": 0 if rtt.min_us == UNKNOWN_US else rtt.min_us,
            "rto_us": rtt.rto_us,
            "pacing_rate_bps": 8 * (self.sk.pacing_rate or 0),
            "inflight_packets": board.in_flight,
            "inflight_bytes": sender.snd_nxt - board.una,
            "unsent_bytes": sender.buffer.unsent,
            "wmem_bytes": sender.wmem,
            "wmem_queued_bytes": sender.buffer.used,
            "sndbuf_bytes": sender.buffer.size,
            "tso_segments": sender.tso_segments(),
            "ca_state": sender.recovery.state,
        }

    def totals(self) -> Mapping[str, float]:
        found: dict[str, float] = {
            "connect_ns": self.connect_ns,
            "finished_ns": self.finished_ns,
            "failed": bool(self.failed),
            "malformed_frames": self.malformed,
        }
        sender, receiver = self.sender, self.receiver
        if sender is not None:
            recovery = sender.recovery
            found |= {
                "written_bytes": sender.buffer.written,
                "retransmits": sender.retransmits,
                "fast_recoveries": recovery.fast_recoveries,
                "rto": recovery.timeouts,
                "tail_loss_probes": sender.timer.probes,
                "ecn_reductions": recovery.ecn_reductions,
                "local_drops": sender.local_drops,
                "small_queue_waits": sender.small_queue_waits,
                "busy_retransmits": sender.busy_retransmits,
                "srtt_us": sender.rtt.srtt_us,
            }
        if receiver is not None:
            since_ns = self._last_arrival_ns - self._established_ns
            delivered = receiver.next - 1
            found |= {
                "delivered_bytes": delivered,
                "goodput_bps": delivered * 8_000_000_000 / since_ns if since_ns > 0 else 0.0,
                "duplicate_bytes": receiver.duplicate_bytes,
                "out_of_order_segments": receiver.out_of_order,
                "ce_marks": receiver.ce_marks,
                "acks": receiver.acks,
                "delayed_acks": receiver.delayed_acks,
            }
        return found


class _Host:
    """What a sender sees of its machine."""

    __slots__ = ("_charge", "_cost_ns", "_flow", "_send", "call_at", "dev", "now_ns")

    def __init__(self, env: Environment, flow: TcpFlow) -> None:
        self.dev = env.dev
        self.now_ns = env.now_ns
        self.call_at = env.clock.call_at
        self._charge, self._send, self._flow = env.charge, env.send, flow
        self._cost_ns = PACKET_SYSCALLS * env.syscall_ns

    def send(self, skb: Skb, written_ns: int | None) -> int:
        self._charge(self._cost_ns)
        return self._send(self._flow, skb, written_ns)
