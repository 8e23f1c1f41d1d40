"""A network device as the stack sees it: transmit queues, knobs, root discipline and the transmit softirq."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from random import Random
from typing import Protocol

from ringwire import gso
from ringwire.host.cpu import Cpus, HostCosts
from ringwire.netdev.errors import DeviceError
from ringwire.netdev.features import ETHTOOL_NAMES, Feature, consistent
from ringwire.netdev.ingress import receive
from ringwire.netdev.namespace import Namespace
from ringwire.netdev.queue import ANY_XOFF, TxQueue
from ringwire.netdev.validate import segment_for
from ringwire.netdev.watchdog import TxWatchdog
from ringwire.netdev.xmit import dev_queue_xmit, qdisc_run, reciprocal_scale
from ringwire.netdev.xps import XpsMap
from ringwire.qdisc.base import SCHEDULED, AnyQdisc, Timer
from ringwire.qdisc.classify import FilterBlock
from ringwire.qdisc.noop import Noop
from ringwire.qdisc.offload import Offloads
from ringwire.qdisc.registry import qdisc_class
from ringwire.qdisc.teql import Equalizer
from ringwire.qdisc.traffic_classes import TrafficClasses, within
from ringwire.skb import Skb

NS_PER_S = 1_000_000_000
MIN_MTU = 68
"""Bytes: what every IPv4 link carries (RFC 791)."""
FIRST_AUTO_MAJOR = 0x8001
"""Majors from here on are given to disciplines that come without a handle."""
NO_BULK_LIMIT = 1 << 30
"""A ``max_bulk`` that is none."""
SOFTIRQ_ROUNDS = 10
"""Rounds of the transmit softirq in a row before it lets other work in."""


class Clock(Protocol):
    """Time and timers. With several CPUs, ``call_at`` is that of the CPU that the caller runs on."""

    def now_ns(self) -> int: ...
    def call_at(self, when_ns: int, fn: Callable[[], None]) -> Timer: ...


class Driver(Protocol):
    """What a device needs of its driver."""

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        """Take a packet: NETDEV_TX_OK, or NETDEV_TX_BUSY to have it back.

        With ``xmit_more`` another follows at once, so the doorbell may wait; ``txq.sent`` says if it may.
        """
        ...


class NetDevice:
    """A network interface: what ``ip link``, ``ethtool``, ``tc`` and sysfs set, and what packets meet.

    Lengths in bytes. The driver may come later, but before the first packet. With ``costs`` and ``charge`` the
    stack's own work takes simulated time; without them it takes none. XPS steers by the one of ``cpus`` that is
    running (those of ``clock`` if it is all the host's CPUs); without them there is one CPU. ``net`` holds the host's
    devices; without it the device is alone in one.
    """

    net: Namespace
    ifindex: int
    """Its number among the host's devices, from 1."""

    def __init__(
        self,
        clock: Clock,
        driver: Driver | None = None,
        *,
        name: str = "eth0",
        num_tx_queues: int = 1,
        mtu: int = 1500,
        hard_header_len: int = 14,
        tx_queue_len: int = 1000,
        features: Feature = Feature.ALL,
        hz: int = 1000,
        default_qdisc: str = "pfifo_fast",
        costs: HostCosts | None = None,
        charge: Callable[[int], None] | None = None,
        cpus: Cpus | None = None,
        net: Namespace | None = None,
    ) -> None:
        if num_tx_queues < 1:
            raise ValueError(f"{name}: a device has at least one transmit queue, not {num_tx_queues}")
        self.name = name
        (net or Namespace()).join(self)
        self.clock = clock
        self.now_ns = clock.now_ns
        self.call_at = clock.call_at
        self.hz = hz
        self.mtu = mtu
        """Bytes; :meth:`set_mtu` checks a new one and tells the driver."""
        self.min_mtu = MIN_MTU
        self.max_mtu = 0
        """0 = no bound."""
        self.hard_header_len = hard_header_len
        self.features = self.hw_features = features
        """``hw_features`` can be switched on; ``features`` are."""
        self.hw_enc_features = int(Feature.SG)
        """Bits of those that the device has for packets in tunnels; as in Linux no others unless a driver says so."""
        self.gso_max_size = 65536
        """Super-packets of this length or more, link header included, are segmented by software."""
        self.gso_max_segs = 65535
        self.dev_tx_weight = 64
        """Packets that one run of a qdisc may pull (sysctl net.core.dev_weight)."""
        self.max_bulk = NO_BULK_LIMIT
        """Packets that a qdisc gives at once at the most. Linux has no such knob; before 3.18 it gave one."""
        self.default_qdisc = default_qdisc
        self.carrier = True
        """There is a link; :meth:`carrier_off` and :meth:`carrier_on` do what else Linux does of it."""
        self._is_up = True
        self.speed_mbps = 0
        """Of the link, as far as the driver says; 0 = not known."""
        self.address = "02:00:00:00:00:01"
        self.gso = True
        """ethtool -K gso: sources may make super-packets. Those that come are segmented whatever it says."""
        self.tx_dropped = 0
        """Packets that the stack gave up without a qdisc to count them."""

        self.on_receive: Callable[[Skb], None] | None = None
        """Given each packet that comes in (:meth:`receive`) and that filters let pass; without it they are freed."""
        self.on_drop: Callable[[Skb], None] | None = None
        """Told of each packet that is dropped anywhere in the stack, before it is freed."""
        self.watchdog_armed: Callable[[int, int], None] | None = None
        """Told (expiry, slack in ns) whenever a qdisc asks for its timer."""
        self.random_u32: Callable[[], int] = partial(Random(0).getrandbits, 32)
        """What disciplines draw lots with; the same numbers in every run, unless replaced."""
        self.ndo_open: Callable[[], None] | None = None
        self.ndo_stop: Callable[[], None] | None = None
        self.ndo_change_carrier: Callable[[bool], None] | None = None
        """Has the link come and go, as whoever models the MAC does; None where that can't be asked for."""
        self.ndo_change_mtu: Callable[[int], None] | None = None
        """Told of a new MTU, in bytes, once it is in force; a ValueError refuses it."""
        self.ndo_set_tx_maxrate: Callable[[TxQueue, int], None] | None = None
        """Limits a queue's rate, Mbit/s, 0 = not; a ValueError refuses."""
        self.offloads = Offloads()
        """What the device does for disciplines; a driver that can do some sets its ``ndo_setup_tc``."""
        self.equalizers: dict[str, Equalizer] = {}
        """Those that may send through it, see :mod:`ringwire.netdev.teql`."""
        self.features_check: Callable[[Skb, int], int] | None = None
        """ndo_features_check: which of the device's features (bits of :class:`Feature`) work for this packet."""
        self.tx_timeout: Callable[[TxQueue], None] | None = None
        """ndo_tx_timeout: the transmit watchdog found this queue stuck."""
        self.segment: Callable[[Skb, bool], list[Skb]] = segment
        """Cuts a super-packet that the device can't take; with True it also completes the checksums."""
        self.complete_checksum: Callable[[Skb], None] = gso.complete_checksum

        self.charge = charge or free_of_charge
        self.enqueue_ns = costs.qdisc_enqueue_ns if costs else 0
        self.dequeue_ns = costs.qdisc_dequeue_ns if costs else 0

        self.bh_disabled = 0
        """Depth of code that softirqs must not interrupt."""
        self.output_queue: list[AnyQdisc] = []
        """Root disciplines that wait for the transmit softirq."""
        self._softirq: Timer | None = None

        self._tx_queue_len = tx_queue_len
        self.num_tx_queues = num_tx_queues
        self.real_num_tx_queues = num_tx_queues
        """Those in use, the first ones; :meth:`set_real_num_tx_queues` changes it."""
        self.tx_queues = [TxQueue(self, index) for index in range(num_tx_queues)]
        self._cpus = clock if cpus is None and isinstance(clock, Cpus) else cpus
        self.xps = XpsMap(len(self._cpus) if self._cpus is not None else 1)
        """Read it as you like; :meth:`set_xps_cpus` changes it."""
        self._traffic_classes: TrafficClasses | None = None
        self.select_queue = None
        self.watchdog = TxWatchdog(self)
        if driver is not None:
            self.driver = driver
        self._noop = Noop(self)
        self.ingress: AnyQdisc | None = None
        """ingress or clsact, whose filters see what comes and what goes."""
        self.egress_filters: FilterBlock | None = None
        """clsact's filters for what goes, if there are any: asked before a transmit queue is chosen."""
        self.keep_queue = False
        """They have chosen it (netdev_xmit_skip_txqueue)."""
        self.last_auto_major = FIRST_AUTO_MAJOR - 1
        """Of the handles that disciplines without one were given."""
        self.qdisc: AnyQdisc = self.make_default_qdisc()
        self.attach_qdisc()

    @property
    def driver(self) -> Driver:
        return self._driver

    @driver.setter
    def driver(self, driver: Driver) -> None:
        self._driver = driver
        self.start_xmit = driver.ndo_start_xmit

    def jiffies(self) -> int:
        """Linux's coarse clock, ``hz`` ticks a second."""
        return self.now_ns() * self.hz // NS_PER_S

    # -- knobs

    @property
    def is_up(self) -> bool:
        """Administratively (IFF_UP)."""
        return self._is_up

    @is_up.setter
    def is_up(self, up: bool) -> None:
        """Going down drops what is queued, and what comes from then on (dev_deactivate); the device counts it."""
        if up != self._is_up:
            self._is_up = up
            if not up:
                self.qdisc.reset()
            self.attach_qdisc()

    def open(self) -> None:
        """``ip link set up``. DeviceError (EBUSY) from a driver that can't just now."""
        if not self.is_up:
            if self.ndo_open is not None:
                try:
                    self.ndo_open()
                except ValueError as error:
                    raise DeviceError("EBUSY", "up", str(error)) from None
            self.is_up = True

    def close(self) -> None:
        """``ip link set down``: what is queued is dropped (dev_deactivate_many), then the driver stops."""
        if self.is_up:
            self.is_up = False
            if self.ndo_stop is not None:
                self.ndo_stop()

    def carrier_off(self) -> None:
        """netif_carrier_off: what is queued is dropped, and so is what comes (dev_deactivate); the watchdog rests."""
        if self.carrier:
            self.carrier = False
            self.qdisc.reset()
            self.attach_qdisc()

    def carrier_on(self) -> None:
        """netif_carrier_on: packets are taken again (dev_activate), and no queue counts as stuck for what was."""
        if not self.carrier:
            self.carrier = True
            self.attach_qdisc()
            for txq in self.tx_queues:
                txq.trans_start_ns = self.now_ns()

    def change_carrier(self, on: bool) -> None:
        """``ip link set carrier``. DeviceError (EOPNOTSUPP) where the driver has no such hook."""
        if self.ndo_change_carrier is None:
            raise DeviceError("EOPNOTSUPP", "carrier", "nothing: the driver can't have its link come and go")
        self.ndo_change_carrier(on)

    def set_mtu(self, mtu: int) -> None:
        """``ip link set mtu``, bytes. DeviceError (EINVAL) outside of what the device takes."""
        allowed = self.mtu_allowed
        if mtu < self.min_mtu:
            raise DeviceError("EINVAL", "mtu", allowed, "mtu less than device minimum")
        if self.max_mtu and mtu > self.max_mtu:
            raise DeviceError("EINVAL", "mtu", allowed, "mtu greater than device maximum")
        before, self.mtu = self.mtu, mtu
        if mtu != before and self.ndo_change_mtu is not None:
            try:
                self.ndo_change_mtu(mtu)
            except ValueError as error:
                self.mtu = before
                raise DeviceError("EINVAL", "mtu", str(error)) from None

    @property
    def mtu_allowed(self) -> str:
        """What :meth:`set_mtu` takes, for people."""
        return f"{self.min_mtu} to {self.max_mtu}" if self.max_mtu else f"{self.min_mtu} and up"

    def set_real_num_tx_queues(self, count: int) -> None:
        """netif_set_real_num_tx_queues: use the first ``count``; what is queued for the others is dropped."""
        if not 1 <= count <= self.num_tx_queues:
            raise DeviceError("EINVAL", "queues", f"1 to {self.num_tx_queues}")
        for txq in self.tx_queues[count : self.real_num_tx_queues]:
            self.qdisc.for_queue(txq.index).reset()
        self.xps.forget_from(count)
        self.real_num_tx_queues = count
        if self._traffic_classes is not None:
            self._traffic_classes = within(self._traffic_classes, count)
        self._choose_picker()

    @property
    def traffic_classes(self) -> TrafficClasses | None:
        return self._traffic_classes

    def set_traffic_classes(self, classes: TrafficClasses | None) -> None:
        """netdev_set_num_tc and its like: have each class's packets go to its queues. Steering by CPU starts anew."""
        self._traffic_classes = classes
        self.xps.forget_from(0)
        self._choose_picker()

    def tx_stopped(self, queue: int) -> bool:
        """netif_xmit_stopped, by a queue's number."""
        return self.tx_queues[queue].state & ANY_XOFF != 0

    def set_xps_cpus(self, queue: int, cpus: Iterable[int]) -> None:
        """Have a queue serve the packets of these CPUs. DeviceError: ENOENT where there is one queue only, EOVERFLOW
        for a CPU that there isn't.
        """
        if self.num_tx_queues == 1:
            raise DeviceError("ENOENT", "xps_cpus", "a device with several transmit queues")
        self.xps.assign(queue, cpus)
        self._choose_picker()

    def set_tx_maxrate(self, txq: TxQueue, mbps: int) -> None:
        """A queue's rate limit, Mbit/s, 0 = none. DeviceError: EOPNOTSUPP without a driver's hook."""
        if self.ndo_set_tx_maxrate is None:
            raise DeviceError("EOPNOTSUPP", "tx_maxrate", "nothing: the driver has no rate limit per queue")
        try:
            self.ndo_set_tx_maxrate(txq, mbps)
        except ValueError as error:
            raise DeviceError("EINVAL", "tx_maxrate", str(error)) from None
        txq.maxrate_mbps = mbps

    @property
    def wanted_features(self) -> Feature:
        """What was asked for, whether it works without the others it needs or not."""
        return self._wanted_features

    @property
    def features(self) -> Feature:
        return self._features

    @features.setter
    def features(self, features: Feature) -> None:
        """Segmentation needs fragments and checksums: without them it is off, until they come back."""
        self._wanted_features = features
        self._features = consistent(features)
        self.feature_bits = int(self._features)

    def set_features(self, switches: Mapping[str, bool]) -> None:
        """ethtool -K: switch features, by the names that they have there. ValueError, and no change, if refused."""
        wanted = self._wanted_features
        for name, on in switches.items():
            feature = ETHTOOL_NAMES.get(name)
            if feature is None:
                raise ValueError(f"{self.name}: feature {name}; allowed: {', '.join(ETHTOOL_NAMES)}")
            if on and not feature & self.hw_features:
                raise ValueError(f"{self.name}: feature {name} on: the device does not have it")
            wanted = wanted | feature if on else wanted & ~feature
        self.features = wanted

    @property
    def tx_queue_len(self) -> int:
        return self._tx_queue_len

    @tx_queue_len.setter
    def tx_queue_len(self, length: int) -> None:
        """A change drops what is queued: Linux deactivates the device for it.

        DeviceError (ENOMEM), and the old length, if a discipline can't make queues of this one.
        """
        if length < 0:
            raise ValueError(f"{self.name}: txqueuelen {length} is negative")
        if length == self._tx_queue_len:
            return
        self.qdisc.reset()
        before, self._tx_queue_len = self._tx_queue_len, length
        try:
            self._tell_tx_queue_len()
        except ValueError as error:
            self._tx_queue_len = before
            self._tell_tx_queue_len()
            raise DeviceError("ENOMEM", "txqueuelen", str(error)) from None

    def _tell_tx_queue_len(self) -> None:
        for index in range(self.num_tx_queues):
            qdisc = self.qdisc.for_queue(index)
            if index == 0 or qdisc is not self.qdisc:
                qdisc.change_tx_queue_len(self._tx_queue_len)

    # -- queueing

    def make_default_qdisc(self) -> AnyQdisc:
        """What Linux attaches by itself: the default discipline, below mq where there are several queues."""
        return qdisc_class(self.default_qdisc if self.num_tx_queues == 1 else "mq")(self)

    def set_qdisc(self, qdisc: AnyQdisc) -> None:
        """Make ``qdisc`` the root; what the old one holds is dropped."""
        self.qdisc.destroy()
        self.qdisc = qdisc
        self.attach_qdisc()

    def attach_qdisc(self) -> None:
        """Give every transmit queue its discipline, after the root or a child of it was exchanged."""
        for txq in self.tx_queues:
            txq.qdisc = self.qdisc.for_queue(txq.index) if self.carrier and self._is_up else self._noop

    @property
    def select_queue(self) -> Callable[[Skb], int] | None:
        """ndo_select_queue: a packet's transmit queue; asked where there are several, None leaves it to the stack."""
        return self._select_queue

    @select_queue.setter
    def select_queue(self, hook: Callable[[Skb], int] | None) -> None:
        self._select_queue = hook
        self._choose_picker()

    def _choose_picker(self) -> None:
        """netdev_pick_tx, decided when one of its reasons changes and not for every packet."""
        self.pick_queue: Callable[[Skb], int] = self.hash_queue
        if self._select_queue is not None:
            self.pick_queue = self._hooked_queue
        elif self.xps and self.real_num_tx_queues > 1:
            self.pick_queue = self.xps_queue
        elif self._traffic_classes is not None:
            self.pick_queue = self.class_queue

    def _hooked_queue(self, skb: Skb) -> int:
        """What the driver's hook says; a queue that is not in use becomes the first (netdev_cap_txqueue)."""
        assert self._select_queue is not None
        queue = self._select_queue(skb)
        return queue if queue < self.real_num_tx_queues else 0

    def hash_queue(self, skb: Skb) -> int:
        """The queue that the packet's hash selects, scaled to the number of queues in use."""
        return reciprocal_scale(skb.hash, self.real_num_tx_queues)

    def class_queue(self, skb: Skb) -> int:
        """The queue that the packet's hash selects among those of its traffic class."""
        classes = self._traffic_classes
        assert classes is not None
        offset, count = classes.queues[classes.prio_tc[skb.priority & 15]]
        return offset + reciprocal_scale(skb.hash, count)

    def xps_queue(self, skb: Skb) -> int:
        """The queue of the CPU that is running, by hash among several; one without a queue goes by hash over all.

        With traffic classes, "all" are those of the packet's class.
        """
        running = self._cpus.running if self._cpus is not None else None
        queues = self.xps.queues(running.index if running is not None else 0)
        classes = self._traffic_classes
        if classes is not None:
            wanted = classes.of(skb.priority)
            queues = [queue for queue in queues if classes.of_queue(queue) == wanted]
        if not queues:
            return self.hash_queue(skb) if classes is None else self.class_queue(skb)
        return queues[0] if len(queues) == 1 else queues[reciprocal_scale(skb.hash, len(queues))]

    def segment_for(self, skb: Skb) -> list[Skb]:
        """Cut a super-packet for a discipline that can't take it whole; GsoError if that is impossible."""
        return segment_for(skb, self)

    def transmit(self, skb: Skb) -> int:
        """Send a packet: :func:`ringwire.netdev.xmit.dev_queue_xmit`."""
        return dev_queue_xmit(skb, self)

    def receive(self, skb: Skb) -> bool:
        """Have a packet come in, link header first: filters see it, then ``on_receive``; False if it was dropped."""
        return receive(skb, self)

    def drop(self, skb: Skb) -> None:
        """Free a packet that will not be sent."""
        if self.on_drop is not None:
            self.on_drop(skb)
        skb.free()

    # -- the transmit softirq

    def schedule(self, qdisc: AnyQdisc) -> None:
        """__netif_schedule: run a root discipline in the transmit softirq, once however often asked."""
        if not qdisc.state & SCHEDULED:
            qdisc.state |= SCHEDULED
            self.output_queue.append(qdisc)
            if not self.bh_disabled:
                self._raise_softirq()

    def local_bh_disable(self) -> None:
        """Put softirqs off until :meth:`local_bh_enable`; a driver's poll handler does, and saves a timer."""
        self.bh_disabled += 1

    def local_bh_enable(self) -> None:
        """Let softirqs run again, at once if any wait."""
        self.bh_disabled -= 1
        if self.output_queue and not self.bh_disabled:
            self.net_tx_action()

    def net_tx_action(self) -> None:
        """The transmit softirq: run what is scheduled. After some rounds the rest lets other work go first."""
        self.bh_disabled += 1
        try:
            for _ in range(SOFTIRQ_ROUNDS):
                batch, self.output_queue = self.output_queue, []
                for qdisc in batch:
                    qdisc.state &= ~SCHEDULED
                    qdisc_run(qdisc, self)
                if not self.output_queue:
                    break
        finally:
            self.bh_disabled -= 1
        if self.output_queue:
            self._raise_softirq()

    def _raise_softirq(self) -> None:
        if self._softirq is None:
            self._softirq = self.call_at(self.now_ns(), self._softirq_runs)

    def _softirq_runs(self) -> None:
        self._softirq = None
        if self.output_queue:
            self.net_tx_action()


def segment(skb: Skb, complete: bool) -> list[Skb]:
    """Software segmentation as a device's default hook."""
    return gso.segment(skb, complete=complete)


def free_of_charge(cost_ns: int) -> None:
    """The stack's work takes no simulated time."""
