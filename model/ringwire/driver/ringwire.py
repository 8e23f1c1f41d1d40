"""ringwire's own driver: finds the device, sets its queues up, and stands between them and the stack.

The hot path is in ``tx_ring``; here is what happens once in a while.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

from ringwire.driver.config import MAX_MOD_FRAMES, MAX_NS, MAX_RATE_BPS, BusyError, ConfigError, DriverConfig
from ringwire.driver.dump import hang
from ringwire.driver.offload import features_check
from ringwire.driver.recovery import QueueReset, read_state
from ringwire.driver.setup_tc import SetupTc
from ringwire.driver.statistics import link_stats, statistics
from ringwire.driver.tx_ring import ChargedPort, TxRing
from ringwire.netdev import Feature, NetDevice, TxQueue
from ringwire.netdev.ethtool_ops import Coalesce, LinkStats
from ringwire.nic.pacer import byte_time, wire_bytes
from ringwire.nic.registers import (
    GLOBAL_OFFSETS,
    ID_VALUE,
    MAX_DESCRIPTORS,
    MAX_FRAME,
    MAX_PRIORITY,
    MAX_RING_LOG2,
    MAX_WEIGHT,
    MIN_RING_LOG2,
    MIN_WEIGHT,
    VERSION_VALUE,
    queue_register,
)
from ringwire.skb import Skb

FEATURES = Feature.ALL
"""What the device does for a packet; where it can't, or is not to, the stack does it before."""
DEVICE_NS = 300
"""From the pick of a frame to its first beat on the wire, without the read itself: some 40 cycles, also of 156 MHz.

With a bound that leaves them out, the wire would wait for a frame whose read could have begun.
"""
SLOWEST_BUS_BPS = 10_000_000_000
"""Of a device: 64 bits at 156.25 MHz. A line that is no slower may take as long for a frame as its read does."""
CHANNEL_DRAIN_NS = 10_000_000
"""How long a queue that is no longer used may finish what it holds."""
PRIV_FLAGS = {"head-writeback": "head_write_back", "complete-at-fetch": "complete_at_fetch"}
"""Private flags of ethtool, and the settings that they are."""
_ERROR = 2
"""Of Q_STATUS: the queue stands until a reset."""
_log = logging.getLogger(__name__)


def commit_bound(rate_bps: int, read_latency_ns: int, frame: int) -> int:
    """The fewest wire bytes that may be committed so that the wire never waits, ``frame`` being the longest frame's.

    When a frame begins, the next to be read must still have ahead of it what the wire takes while it is read: memory's
    latency, its way through the device, and its own beats, which is nothing on a slow wire and a frame's time on one
    that is as fast as the bus. The frame on the wire counts whole, so one more. With two more where one is enough, a
    frame of a higher priority would wait for three.
    """
    during_read = -(-rate_bps * (read_latency_ns + DEVICE_NS) // 8_000_000_000)
    own_beats = -(-frame * min(rate_bps, SLOWEST_BUS_BPS) // SLOWEST_BUS_BPS)
    return during_read + frame + own_beats


class ProbeError(Exception):
    """There is no device that this driver can drive."""


class RingwireDriver:
    """One device. ``open`` it, let time pass, and it is ``up``; packets that come meanwhile wait in their qdisc."""

    max_ring_entries: ClassVar[int] = 1 << MAX_RING_LOG2
    ring_allowed: ClassVar[str] = f"a power of two, {1 << MIN_RING_LOG2} to {1 << MAX_RING_LOG2}"
    coalesce_allowed: ClassVar[str] = (
        f"tx-usecs 0 to {MAX_NS // 1000}; tx-frames 0 to {MAX_MOD_FRAMES}, "
        "above 1 only with tx-usecs or adaptive-tx; adaptive-tx on or off"
    )

    def __init__(
        self,
        port: ChargedPort,
        dev: NetDevice,
        config: DriverConfig | None = None,
        queue_ports: Sequence[ChargedPort] | None = None,
    ) -> None:
        """``queue_ports``, one a queue, say on which CPU each queue's interrupts and polls run."""
        self.config = DriverConfig() if config is None else config
        self.up = False
        """Its queues are set up; one that is being reset comes back by itself."""
        self._port = port
        self._dev = dev
        self._wanted = False
        if dev.mtu + dev.hard_header_len > MAX_FRAME:
            raise ConfigError(f"{dev.name}: MTU {dev.mtu} makes frames of more than {MAX_FRAME} bytes")
        ports = [port] * dev.num_tx_queues if queue_ports is None else list(queue_ports)
        if len(ports) != dev.num_tx_queues:
            raise ConfigError(f"{dev.name}: {dev.num_tx_queues} queues can't run on {len(ports)} ports")
        budget = self.config.budget
        self.rings = [TxRing(port, txq, budget, self._trouble) for port, txq in zip(ports, dev.tx_queues, strict=True)]
        self._resets: list[QueueReset | None] = [None] * dev.num_tx_queues
        for ring in self.rings:
            ring.txq.stop()
            ring.port.on_interrupt(ring.txq.index, ring.napi.schedule)
        dev.features = dev.hw_features = FEATURES
        dev.features_check = self.ndo_features_check
        dev.tx_timeout = self.ndo_tx_timeout
        dev.is_up = False
        dev.watchdog.timeout = -(-self.config.tx_timeout_ms * dev.hz // 1000)
        dev.max_mtu = MAX_FRAME - dev.hard_header_len
        dev.ndo_set_tx_maxrate = self.ndo_set_tx_maxrate
        dev.offloads.ndo_setup_tc = SetupTc(self, dev)
        dev.speed_mbps = self.config.line_rate_bps // 1_000_000
        dev.ndo_open, dev.ndo_stop, dev.ndo_change_mtu = self.open, self.close, self.ndo_change_mtu
        dev.ndo_change_carrier = self.ndo_change_carrier
        dev.driver = self

    # -- finding the device, setting it up

    def open(self) -> None:
        """Probe the device, then set it up. ProbeError comes from the read that finds something else."""
        if self.up:
            raise ConfigError(f"{self._dev.name} is up, or not down yet")
        self._wanted = self._dev.is_up = True
        self._port.read(GLOBAL_OFFSETS["ID"], self._found_id)

    def _found_id(self, value: int) -> None:
        if value != ID_VALUE:
            raise ProbeError(f"{self._dev.name}: ID reads {value:#010x}, not {ID_VALUE:#010x}")
        self._port.read(GLOBAL_OFFSETS["VERSION"], self._found_version)

    def _found_version(self, value: int) -> None:
        if value >> 16 != VERSION_VALUE >> 16:
            raise ProbeError(f"{self._dev.name}: version {value >> 16}.{value & 0xFFFF} is not {VERSION_VALUE >> 16}.x")
        self._port.read(GLOBAL_OFFSETS["CAPS"], self._found_caps)

    def _found_caps(self, value: int) -> None:
        if value & 0xFF < self._dev.num_tx_queues:
            raise ProbeError(f"{self._dev.name}: the device has {value & 0xFF} queues, not {self._dev.num_tx_queues}")
        if self._wanted and not self.up:
            self.up = True
            self._set_up_wire()
            self._dev.watchdog.start()
            for txq in self._dev.tx_queues[self._dev.real_num_tx_queues :]:
                txq.start()  # one that is not in use is not stuck
            for queue in self._queues():
                self._exchange(queue)

    def _set_up_wire(self) -> None:
        config, write = self.config, self._port.write
        rate = config.line_rate_bps
        unit = byte_time(rate) if rate else 0
        write(GLOBAL_OFFSETS["BYTE_TIME_LO"], unit & 0xFFFFFFFF)
        write(GLOBAL_OFFSETS["BYTE_TIME_HI"], unit >> 32)
        write(GLOBAL_OFFSETS["COMMIT_BOUND"], self.commit_bound())
        write(GLOBAL_OFFSETS["CTRL"], 1 | config.complete_at_fetch << 1 | (not rate) << 2)

    def _queues(self) -> range:
        """Those in use."""
        return range(self._dev.real_num_tx_queues)

    def commit_bound(self) -> int:
        """COMMIT_BOUND for this rate and MTU; 0 without a rate."""
        config = self.config
        frame = wire_bytes(self._dev.mtu + self._dev.hard_header_len)
        return commit_bound(config.line_rate_bps, config.read_latency_ns, frame) if config.line_rate_bps else 0

    def _exchange(self, queue: int) -> None:
        """Give a queue that has none, or is empty and reset, rings as configured, and let it run."""
        self.rings[queue].allocate(self.config)
        self._start(queue)

    def _start(self, queue: int) -> None:
        """Let a queue that is empty and reset run."""
        ring = self.rings[queue]
        self._resets[queue] = None
        ring.napi.enable()
        ring.set_up()
        if self._dev.carrier:
            self._let_go(ring)

    def _let_go(self, ring: TxRing) -> None:
        """Packets may come."""
        ring.held = False
        ring.txq.wake()

    # -- what the stack calls

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        """Take a packet, or NETDEV_TX_BUSY."""
        return self.rings[txq.index].xmit(skb, xmit_more)

    def ndo_features_check(self, skb: Skb, features: int) -> int:
        """Which of the features work for this packet."""
        if skb.gso_size or skb.csum_flags or skb.vlan_tci is not None:
            return features_check(skb, features, min(MAX_DESCRIPTORS, self.config.ring_entries - 1))
        return features

    def ndo_tx_timeout(self, txq: TxQueue) -> None:
        """The transmit watchdog found a queue stuck: say which and how, and reset it.

        How takes some register reads; a queue that has come to move meanwhile is reset all the same, as in Linux.
        """
        ring = self.rings[txq.index]
        _log.warning("transmit queue timed out: %s", ring.describe())

        def reset(registers: dict[str, int]) -> None:
            _log.warning("%s", hang(ring.snapshot(), registers))
            self.reset_queue(txq.index)

        if self._resets[txq.index] is None:
            read_state(ring, reset)

    # -- what happens once in a while

    def _trouble(self, ring: TxRing) -> None:
        """A poll found its queue broken, or nothing where something was announced."""
        if ring.broken:
            self._failed(ring)
        else:
            ring.port.read(queue_register("STATUS", ring.txq.index), partial(self._found_status, ring))

    def _found_status(self, ring: TxRing, value: int) -> None:
        """An interrupt announced nothing: either the device could not write its completions, or it was mistaken."""
        if value & _ERROR:
            self._failed(ring)
        elif not ring.held:
            ring.arm()

    def _failed(self, ring: TxRing) -> None:
        if not ring.held:
            _log.warning("transmit queue failed: %s", ring.describe())
            self.reset_queue(ring.txq.index)

    def reset_queue(self, queue: int, drain_ns: int = 0) -> None:
        """Reset one queue and let it run again; what it holds after ``drain_ns`` is lost."""
        if self.up and queue in self._queues() and self._resets[queue] is None:
            self._halt(queue, drain_ns, self._start)

    def set_ring(self, entries: int, drain_ns: int = 0) -> None:
        """ethtool -G: rings of another size. What is in flight after ``drain_ns`` is lost. ConfigError if refused."""
        self.config = replace(self.config, ring_entries=entries)

        if self.up and self._wanted:
            for queue in self._queues():
                self._halt(queue, drain_ns, self._renew)

    def _renew(self, queue: int) -> None:
        """New rings, as configured, for a queue that is empty and reset."""
        self.rings[queue].release()
        self._exchange(queue)

    def link_down(self) -> None:
        """The link is lost: the device is without carrier, and what it holds, which will never leave, is given up."""
        self._dev.carrier_off()
        if self.up:
            for queue in self._queues():
                self.reset_queue(queue)

    def link_up(self) -> None:
        """The link is back. A queue whose reset has not ended follows when it has."""
        self._dev.carrier_on()
        if self.up and self._wanted:
            for queue in self._queues():
                if self._resets[queue] is None:
                    self._let_go(self.rings[queue])

    def ndo_change_carrier(self, on: bool) -> None:
        """ip link set carrier."""
        (self.link_up if on else self.link_down)()

    def close(self, drain_ns: int = 0) -> None:
        """Stop the device; what is in flight after ``drain_ns`` is lost. It has ended when ``up`` is False."""
        self._wanted = self._dev.is_up = False
        self._dev.watchdog.stop()
        if self.up:
            for queue in self._queues():
                self._halt(queue, drain_ns, self._release)

    def _release(self, queue: int) -> None:
        """A queue that is empty and reset is not needed any more."""
        self.rings[queue].release()
        self._resets[queue] = None
        if self._wanted:
            self.rings[queue].txq.start()  # one that is not in use is not stuck
        else:
            self.up = any(self._resets)

    def _halt(self, queue: int, drain_ns: int, then: Callable[[int], None]) -> None:
        """Drain and reset a queue, then do ``then``; where that has begun for another reason, this one replaces it."""
        under_way = self._resets[queue]
        if under_way is None:
            self._resets[queue] = QueueReset(self.rings[queue], drain_ns, partial(then, queue))
        else:
            under_way.then = partial(then, queue)

    @property
    def ring_entries(self) -> int:
        """ethtool -g tx."""
        return self.config.ring_entries

    @property
    def coalesce(self) -> Coalesce:
        """ethtool -c."""
        config = self.config
        return Coalesce(config.mod_ns, config.mod_frames, config.adaptive_tx)

    def set_coalesce(self, mod_ns: int, mod_frames: int, adaptive_tx: bool = False) -> None:
        """ethtool -C tx-usecs, tx-frames and adaptive-tx, at any time. ConfigError if refused."""
        self.config = replace(self.config, mod_ns=mod_ns, mod_frames=mod_frames, adaptive_tx=adaptive_tx)
        if self.up:
            for queue in self._queues():
                self.rings[queue].set_moderation(self.config)

    @property
    def priv_flags(self) -> dict[str, bool]:
        """ethtool --show-priv-flags."""
        return {flag: getattr(self.config, name) for flag, name in PRIV_FLAGS.items()}

    def set_priv_flags(self, flags: Mapping[str, bool]) -> None:
        """ethtool --set-priv-flags. Another way of write-back needs each queue reset, which loses nothing that can be
        sent in 10 ms. BusyError for complete-at-fetch while the device is up: time stamps of what is in flight would
        be of one kind or the other, and nobody knew which.
        """
        wanted = replace(self.config, **{PRIV_FLAGS[flag]: on for flag, on in flags.items()})
        if wanted.complete_at_fetch != self.config.complete_at_fetch and (self.up or self._wanted):
            raise BusyError(
                f"complete-at-fetch changes while {self._dev.name} is down: ip link set {self._dev.name} down"
            )
        renew = wanted.head_write_back != self.config.head_write_back
        self.config = wanted
        if renew and self.up and self._wanted:
            for queue in self._queues():
                self._halt(queue, CHANNEL_DRAIN_NS, self._renew)

    def set_channels(self, count: int, drain_ns: int = CHANNEL_DRAIN_NS) -> None:
        """ethtool -L tx: use the first ``count`` queues, also under traffic. ConfigError if there are not so many.

        Queues that are to go finish what they hold for up to ``drain_ns``; what waits in their qdiscs is dropped.
        """
        if not 1 <= count <= len(self.rings):
            raise ConfigError(f"{self._dev.name} has 1 to {len(self.rings)} transmit queues, not {count}")
        before = self._dev.real_num_tx_queues
        if self.up and self._wanted:
            for queue in range(before, count):
                if self._resets[queue] is None:
                    self.rings[queue].txq.stop()
                    self._exchange(queue)
                else:  # it has not even gone yet
                    self._halt(queue, 0, self._renew)
        self._dev.set_real_num_tx_queues(count)
        if self.up and self._wanted:
            for queue in range(count, before):
                self._halt(queue, drain_ns, self._release)

    # -- how queues share the wire (docs/scheduling.md)

    def ndo_set_tx_maxrate(self, txq: TxQueue, mbps: int) -> None:
        """sysfs tx_maxrate: limit a queue to so many Mbit/s of its frames' bytes, 0 for no limit."""
        if not 0 <= mbps <= MAX_RATE_BPS // 1_000_000:
            raise ConfigError(f"tx_maxrate is 0 to {MAX_RATE_BPS // 1_000_000} Mbit/s, not {mbps}")
        ring = self.rings[txq.index]
        ring.knobs.byte_time = byte_time(mbps * 1_000_000) if mbps else 0
        self._set_turns(ring)

    def set_weight(self, queue: int, weight: int) -> None:
        """Have a queue share the wire by bytes: so many in each round of its priority, 0 for a frame a turn."""
        if weight and not MIN_WEIGHT <= weight <= MAX_WEIGHT:
            raise ConfigError(f"a weight is 0 or {MIN_WEIGHT} to {MAX_WEIGHT} bytes, not {weight}")
        self.rings[queue].knobs.weight = weight
        self._set_turns(self.rings[queue])

    def set_priority(self, queue: int, priority: int) -> None:
        """Strict priority of a queue, 0 to 7; PFC stops it by this number as well."""
        if not 0 <= priority <= MAX_PRIORITY:
            raise ConfigError(f"a priority is 0 to {MAX_PRIORITY}, not {priority}")
        self.rings[queue].knobs.priority = priority
        self._set_turns(self.rings[queue])

    def set_launch_time(self, queue: int, on: bool, drop_late: bool = True) -> None:
        """Have packets with a departure time (``skb.tstamp``) leave at it, as etf's offload asks."""
        self.rings[queue].launches, self.rings[queue].drops_late = on, on and drop_late

    def _set_turns(self, ring: TxRing) -> None:
        if self.up:
            ring.knobs.set_turns()

    def ndo_change_mtu(self, mtu: int) -> None:
        """The bound on what is committed to the wire counts full-sized frames."""
        if self.up:
            self._port.write(GLOBAL_OFFSETS["COMMIT_BOUND"], self.commit_bound())

    # -- what one can know

    def describe(self) -> str:
        """Each queue's state, a line each."""
        return "\n".join(ring.describe() for ring in self.rings)

    def statistics(self) -> dict[str, int]:
        """ethtool -S: per queue what went well, and by name what did not."""
        return statistics(self.rings)

    def link_stats(self) -> LinkStats:
        """ip -s link: totals of all queues."""
        return link_stats(self.rings)
