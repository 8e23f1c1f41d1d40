"""``ethtool``: what it shows, what it sets, and how it is refused."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ringwire.driver.config import ConfigError, DriverConfig
from ringwire.host.cpu import Cpus
from ringwire.host.timeline import Timeline
from ringwire.host.world import drive
from ringwire.netdev import Feature, NetDevice, dev_queue_xmit
from ringwire.netdev.errors import DeviceError
from ringwire.netdev.ethtool_ops import Coalesce
from ringwire.nic.descriptors import Status
from ringwire.nic.registers import GLOBAL_OFFSETS, Stat, queue_register
from ringwire.nic.twin import TwinConfig
from ringwire.nic.twin_world import TwinWorld
from ringwire.skb import Skb
from ringwire.tools import ethtool, features
from ringwire.tools.commands import Commands
from ringwire.tools.ethtool import Channels, Ethtool, RingParams
from ringwire.tools.features import FEATURE_NAMES, FeatureState
from ringwire.tools.refusal import Refused
from ringwire.tools.words import CommandError
from tests.driver_bench import MS, DriverBench
from tests.raw_queue import read
from tests.stack_bench import RingDriver, StackBench
from tests.tool_lab import Said, compare, modelled, real


class Knobs(RingDriver):
    """A driver with channels and nothing else."""

    def __init__(self, queues: int = 1) -> None:
        super().__init__(queues=queues)
        self.asked: list[int] = []

    def set_channels(self, count: int) -> None:
        self.asked.append(count)
        self.dev.set_real_num_tx_queues(count)

    dev: NetDevice


def device(name: str = "eth0", queues: int = 1) -> NetDevice:
    """One with channels only."""
    driver = Knobs(queues)
    driver.dev = NetDevice(Cpus(Timeline()), driver, name=name, num_tx_queues=queues)
    return driver.dev


def twin(queues: int = 1, config: DriverConfig | None = None) -> DriverBench[TwinWorld]:
    """The driver on the twin, down."""
    world = TwinWorld(TwinConfig(queues=queues), wake_on_frame=True)
    return DriverBench(world, config, queues)


# -- rings


def test_rings() -> None:
    bench = twin()
    run = Ethtool([bench.dev]).run
    assert run("ethtool -G eth0 tx 512") == ""
    assert ethtool.get_ring(bench.dev) == RingParams(tx_max=32768, tx=512)
    assert run("ethtool -g eth0") == (
        "Ring parameters for eth0:\nPre-set maximums:\n"
        "RX:\t\tn/a\nRX Mini:\tn/a\nRX Jumbo:\tn/a\nTX:\t\t32768\n"
        "Current hardware settings:\n"
        "RX:\t\tn/a\nRX Mini:\tn/a\nRX Jumbo:\tn/a\nTX:\t\t512\n"
        "RX Buf Len:\t\tn/a\nCQE Size:\t\tn/a\nTX Push:\toff\nTCP data split:\tn/a\n"
    )
    assert json.loads(run("ethtool --json --show-ring eth0")) == [
        {"ifname": "eth0", "tx-max": 32768, "tx": 512, "tx-push": False}
    ]


def test_rings_are_exchanged_while_the_device_is_up() -> None:
    async def test() -> None:
        bench = await twin().up()
        bench.send(400)
        ethtool.set_ring(bench.dev, 1024)
        await bench.world.pause(100_000)
        assert bench.driver.rings[0].config.ring_entries == 1024
        assert await read(bench.world, queue_register("RING_LOG2", 0)) == 10
        bench.send(500)
        await bench.all_done()
        assert bench.wire()[-1][:500] == bench.frames()[-1]
        bench.check()

    drive(test())


@pytest.mark.parametrize("size", [63, 65, 0, 32, 100, 65536])
def test_a_ring_of_another_size_is_refused(size: int) -> None:
    dev = twin().dev
    with pytest.raises(DeviceError, match=r"\(allowed: a power of two, 64 to 32768\)") as caught:
        ethtool.set_ring(dev, size)
    assert (caught.value.errno, ethtool.get_ring(dev).tx) == ("EINVAL", 256)
    assert bool(caught.value.message) == (size > 32768), "the kernel knows the largest size only"


# -- coalescing


def test_coalescing() -> None:
    bench = twin()
    run = Ethtool([bench.dev]).run
    run("ethtool -C eth0 tx-usecs 20 tx-frames 0x20")
    assert ethtool.get_coalesce(bench.dev) == Coalesce(20_000, 32, adaptive_tx=False)
    assert (bench.driver.config.mod_ns, bench.driver.config.mod_frames) == (20_000, 32)
    assert run("ethtool -c eth0") == (
        "Coalesce parameters for eth0:\n"
        "Adaptive RX: n/a  TX: off\n"
        "stats-block-usecs: n/a\n"
        "sample-interval: n/a\n"
        "pkt-rate-low: n/a\n"
        "pkt-rate-high: n/a\n"
        "\n"
        "rx-usecs: n/a\n"
        "rx-frames: n/a\n"
        "rx-usecs-irq: n/a\n"
        "rx-frames-irq: n/a\n"
        "\n"
        "tx-usecs: 20\n"
        "tx-frames: 32\n"
        "tx-usecs-irq: n/a\n"
        "tx-frames-irq: n/a\n"
        "\n"
        "rx-usecs-low: n/a\n"
        "rx-frame-low: n/a\n"
        "tx-usecs-low: n/a\n"
        "tx-frame-low: n/a\n"
        "\n"
        "rx-usecs-high: n/a\n"
        "rx-frame-high: n/a\n"
        "tx-usecs-high: n/a\n"
        "tx-frame-high: n/a\n"
        "\n"
        "CQE mode RX: n/a  TX: n/a\n"
        "\n"
    )
    shown = {"ifname": "eth0", "tx-usecs": 20, "tx-frames": 32, "adaptive-tx": False}
    assert json.loads(run("ethtool --json -c eth0")) == [shown]


def test_adaptive_moderation_is_switched_and_shown() -> None:
    bench = twin()
    run = Ethtool([bench.dev]).run
    run("ethtool -C eth0 adaptive-tx on tx-frames 9")
    assert ethtool.get_coalesce(bench.dev) == Coalesce(0, 9, adaptive_tx=True)
    assert "\nAdaptive RX: n/a  TX: on\n" in run("ethtool -c eth0")
    assert json.loads(run("ethtool --json -c eth0"))[0]["adaptive-tx"] is True
    run("ethtool -C eth0 tx-usecs 5")
    assert bench.driver.config.adaptive_tx, "what is not given stays"
    with pytest.raises(Refused, match=r"'0': netlink error: Invalid argument \(allowed: tx-usecs 0 to 2147483; tx-f"):
        run("ethtool -C eth0 tx-usecs 0 adaptive-tx off")
    ethtool.set_coalesce(bench.dev, adaptive_tx=False)
    assert ethtool.get_coalesce(bench.dev) == Coalesce(5_000, 9, adaptive_tx=False)


class Moderated(RingDriver):
    """A driver that can't adapt."""

    coalesce_allowed = "anything"
    coalesce = Coalesce()

    def set_coalesce(self, mod_ns: int, mod_frames: int) -> None:
        self.coalesce = Coalesce(mod_ns, mod_frames)


def test_a_driver_that_can_not_adapt_says_so() -> None:
    driver = Moderated()
    dev = NetDevice(Cpus(Timeline()), driver)
    run = Ethtool([dev]).run
    run("ethtool -C eth0 tx-usecs 7")
    assert driver.coalesce == Coalesce(7_000) and "\nAdaptive RX: n/a  TX: n/a\n" in run("ethtool -c eth0")
    with pytest.raises(Refused, match=r"cannot modify an unsupported parameter .*\(allowed: tx-usecs, tx-frames\)"):
        run("ethtool -C eth0 adaptive-tx on")
    with pytest.raises(DeviceError, match=r"adaptive-tx.*\(allowed: tx-usecs, tx-frames\)"):
        ethtool.set_coalesce(dev, adaptive_tx=True)


def test_what_is_not_given_stays_to_the_nanosecond() -> None:
    bench = twin(config=DriverConfig(mod_ns=1500))
    ethtool.set_coalesce(bench.dev, tx_frames=3)
    assert bench.driver.config.mod_ns == 1500
    bench.driver.set_coalesce(0, 0)
    assert ethtool.get_coalesce(bench.dev) == Coalesce(adaptive_tx=False)


def test_moderation_reaches_the_device() -> None:
    async def test() -> None:
        bench = await twin(2).up()
        Ethtool([bench.dev]).run("ethtool -C eth0 tx-usecs 9")
        await bench.world.pause(10_000)
        for queue in range(2):
            assert await read(bench.world, queue_register("MOD_NS", queue)) == 9000

    drive(test())


# -- channels


def test_channels() -> None:
    dev = device(queues=4)
    run = Ethtool([dev]).run
    run("ethtool -L eth0 tx 3")
    run("ethtool -L eth0 tx 3")
    assert ethtool.get_channels(dev) == Channels(tx_max=4, tx=3)
    assert isinstance(dev.driver, Knobs) and dev.driver.asked == [3], "no change, no question"
    assert run("ethtool -l eth0") == (
        "Channel parameters for eth0:\nPre-set maximums:\nRX:\t\tn/a\nTX:\t\t4\nOther:\t\tn/a\nCombined:\tn/a\n"
        "Current hardware settings:\nRX:\t\tn/a\nTX:\t\t3\nOther:\t\tn/a\nCombined:\tn/a\n"
    )
    assert json.loads(run("ethtool --json -l eth0")) == [{"ifname": "eth0", "tx-max": 4, "tx": 3}]


def test_queues_that_rest_are_not_stuck_and_others_may_be_asked_for_whether_it_is_up_or_down() -> None:
    async def test() -> None:
        bench = twin(4)
        run, world = Ethtool([bench.dev]).run, bench.world
        run("ethtool -L eth0 tx 2")
        bench.dev.watchdog.timeout = 1000
        await bench.up()
        assert [ring.held for ring in bench.driver.rings] == [False, False, True, True]
        await world.pause(3000 * MS)
        assert [txq.trans_timeout for txq in bench.dev.tx_queues] == [0] * 4, "queues that rest are not stuck"
        for value in range(8):
            bench.send(100, hash=value << 29)
        await bench.all_done()
        assert [len(bench.wire(queue)) for queue in range(4)] == [4, 4, 0, 0]
        run("ethtool -L eth0 tx 4")
        assert [ring.held for ring in bench.driver.rings] == [False] * 4
        run("ethtool -L eth0 tx 2")
        ethtool.set_ring(bench.dev, 512)
        ethtool.set_coalesce(bench.dev, tx_usecs=1)
        await world.pause(100_000)
        bench.dev.close()
        await world.run(lambda: not bench.driver.up, MS, "the driver to be down")
        run("ethtool -L eth0 tx 4")
        bench.dev.open()
        await world.run(lambda: bench.driver.up, MS, "the driver to be up")
        for value in range(8):
            bench.send(100, hash=value << 29)
        await bench.all_done()
        assert [len(bench.wire(queue)) for queue in range(4)] == [6, 6, 2, 2]
        bench.check()

    drive(test())


def test_the_disciplines_of_queues_that_rest_are_not_shown(tmp_path: Path) -> None:
    lines = ["tc qdisc replace dev rw0 root handle 1: mq", "ethtool -L rw0 tx 2", "tc qdisc show dev rw0"]
    wanted = real(tmp_path, f"{VETH}\nip link set rw0 up", lines, "ethtool", "tc")
    found = modelled(Commands([device("rw0", 4)]).run, lines)
    # the kernel lists them the other way round, and with its own default discipline
    assert [classes(said) for said in found] == [classes(said) for said in wanted] == [[], [], ["1:1", "1:2"]]


def classes(said: Said) -> list[str]:
    """Classes that have a discipline."""
    return sorted(re.findall(r"parent (\S+)", said.output))


def test_the_drivers_own_refusals() -> None:
    bench = twin(2)
    for count in (0, 3):
        with pytest.raises(ConfigError, match=f"eth0 has 1 to 2 transmit queues, not {count}"):
            bench.driver.set_channels(count)


# -- features


def test_a_switch_takes_along_what_needs_it() -> None:
    dev = twin().dev
    run = Ethtool([dev]).run
    assert run("ethtool -K eth0 sg off") == (
        "Actual changes:\n"
        "tx-scatter-gather: off\n"
        "tx-generic-segmentation: off [not requested]\n"
        "tx-tcp-segmentation: off [not requested]\n"
        "tx-tcp-ecn-segmentation: off [not requested]\n"
        "tx-tcp-mangleid-segmentation: off [not requested]\n"
        "tx-tcp6-segmentation: off [not requested]\n"
        "tx-udp-fragmentation: off [not requested]\n"
    )
    assert dev.features == Feature.HW_CSUM | Feature.VLAN_TX | Feature.USO
    assert "\ttx-tcp-segmentation: off [requested on]\n" in run("ethtool -k eth0")
    assert run("ethtool -K eth0 sg on tso off") == (
        "Actual changes:\n"
        "tx-scatter-gather: on\n"
        "tx-scatter-gather-fraglist: off [requested on]\n"
        "tx-generic-segmentation: on [not requested]\n"
        "tx-udp-fragmentation: on [not requested]\n"
    )


def test_congestion_marks_need_one_of_both_protocols() -> None:
    dev = twin().dev
    features.set_features(dev, {"tx-tcp-segmentation": False})
    assert Feature.TSO_ECN in dev.features and Feature.TSO_MANGLEID not in dev.features
    features.set_features(dev, {"tx-tcp6-segmentation": False})
    assert Feature.TSO_ECN not in dev.features


def test_gso_is_kept_for_those_who_make_packets() -> None:
    bench = StackBench()
    changes = features.set_features(bench.dev, {"gso": False})
    assert (changes.changed, changes.text(), bench.dev.gso) == ({"tx-generic-segmentation": False}, "", False)
    dev_queue_xmit(Skb(len=1000), bench.dev)
    assert len(bench.driver.sent) == 1


@pytest.mark.parametrize(
    ("name", "feature"),
    [
        ("sg", Feature.SG | Feature.UFO | Feature.TSO | Feature.TSO6 | Feature.TSO_ECN | Feature.TSO_MANGLEID),
        ("tx", Feature.ALL & ~Feature.SG & ~Feature.VLAN_TX),
        ("tso", Feature.TSO | Feature.TSO6 | Feature.TSO_ECN | Feature.TSO_MANGLEID),
        ("ufo", Feature.UFO),
        ("txvlan", Feature.VLAN_TX),
        ("tx-vlan-offload", Feature.VLAN_TX),
        ("tx-udp-segmentation", Feature.USO),
        ("tx-tcp6-segmentation", Feature.TSO6),
        ("tx-checksum-ip-generic", Feature.ALL & ~Feature.SG & ~Feature.VLAN_TX),
        ("generic-segmentation-offload", Feature.NONE),
    ],
)
def test_every_name_switches_its_features_and_back(name: str, feature: Feature) -> None:
    dev = twin().dev
    features.set_features(dev, {name: False})
    assert Feature.ALL & ~dev.features == feature
    features.set_features(dev, {name: True})
    assert dev.features == Feature.ALL


def test_what_the_device_lacks_is_fixed() -> None:
    dev = StackBench(features=Feature.SG | Feature.HW_CSUM).dev
    states = features.get_features(dev)
    assert states["tx-tcp-segmentation"] == FeatureState(active=False, requested=False, fixed=True)
    assert states["tx-scatter-gather"] == FeatureState(active=True, requested=True, fixed=False)
    assert states["highdma"] == FeatureState(active=True, requested=False, fixed=True)
    with pytest.raises(Refused) as caught:
        Ethtool([dev]).run("ethtool -K eth0 rxhash on")
    assert caught.value.printed == "Could not change any device features"
    assert caught.value.output == "Actual changes:\nrx-hashing: off [requested on]\n"
    assert "tx-scatter-gather, tx-checksum-ip-generic, tx-generic-segmentation)" in str(caught.value)
    assert dev.features == Feature.SG | Feature.HW_CSUM


def test_what_can_not_be_switched_off_stays_on() -> None:
    dev = StackBench().dev
    dev.hw_features = Feature.ALL & ~Feature.VLAN_TX
    assert features.get_features(dev)["tx-vlan-hw-insert"] == FeatureState(active=True, requested=False, fixed=True)
    changes = features.set_features(dev, {"txvlan": False, "tx-udp-segmentation": False})
    assert changes.text() == "Actual changes:\ntx-vlan-hw-insert: on [requested off]\ntx-udp-segmentation: off\n"
    assert Feature.VLAN_TX in dev.features and Feature.USO not in dev.features


# -- private flags


def test_private_flags() -> None:
    bench = twin()
    run = Ethtool([bench.dev]).run
    assert run("ethtool --show-priv-flags eth0") == (
        "Private flags for eth0:\nhead-writeback   : off\ncomplete-at-fetch: off\n"
    )
    assert run("ethtool --set-priv-flags eth0 head-writeback on complete-at-fetch on") == ""
    assert bench.driver.config == DriverConfig(head_write_back=True, complete_at_fetch=True)
    run("ethtool --set-priv-flags eth0 complete-at-fetch on head-writeback on head-writeback off")
    assert run("ethtool --show-priv-flags eth0") == (
        "Private flags for eth0:\nhead-writeback   : off\ncomplete-at-fetch: on\n"
    )
    ethtool.set_priv_flags(bench.dev, {"head-writeback": True})
    assert ethtool.get_priv_flags(bench.dev) == {"head-writeback": True, "complete-at-fetch": True}


def test_write_back_changes_under_traffic_and_completion_while_the_device_is_down() -> None:
    async def test() -> None:
        bench = await twin(2, DriverConfig(line_rate_bps=10**9)).up()
        world, run = bench.world, Ethtool([bench.dev]).run
        head_written: list[int] = []
        for state in ("on", "off"):
            for number in range(40):
                bench.send(900, hash=number % 16 << 28)
            await world.pause(30_000)
            run(f"ethtool --set-priv-flags eth0 head-writeback {state}")
            with pytest.raises(
                Refused, match=r"'complete-at-fetch': netlink error: Device or resource busy \(allowed: c"
            ):
                run("ethtool --set-priv-flags eth0 complete-at-fetch on")
            for number in range(20):
                bench.send(300, hash=number % 16 << 28)
            await bench.all_done()
            head_written.append(world.device.stats[Stat.HEAD_WRITTEN])
        assert head_written[1] > head_written[0] > 0, "by heads in between, in both directions"
        assert sum(ring.forgotten for ring in bench.driver.rings) == 0, "what was in flight was let finish"
        assert [ring.resets for ring in bench.driver.rings] == [2, 2]
        bench.check()
        bench.driver.close()
        await world.run(lambda: not bench.driver.up, MS, "the driver to be down")
        run("ethtool --set-priv-flags eth0 complete-at-fetch on")
        await bench.up()
        assert world.device.read(GLOBAL_OFFSETS["CTRL"]) == 3
        bench.check()

    drive(test())


# -- statistics


_COUNTERS = """
    packets bytes dropped forgotten busy stops wakes doorbells polls resets moderation_ns
    error_bad_length error_bad_flags error_too_long error_too_many_desc error_bad_offload error_read error_desc_read
    error_bad_doorbell error_aborted error_bad_csum error_late
"""
COUNTERS = _COUNTERS.split()
"""Of each queue, in the order in which they are shown."""


def test_statistics() -> None:
    bench = twin(2)
    bench.driver.rings[1].tx_packets, bench.driver.rings[1].tx_bytes = 12, 345_678_901_234
    bench.driver.rings[0].errors[Status.LATE] = 3
    counted = {(1, "packets"): 12, (1, "bytes"): 345_678_901_234, (0, "error_late"): 3}
    assert Ethtool([bench.dev]).run("ethtool -S eth0") == "NIC statistics:\n" + "".join(
        f"     tx{queue}_{name}: {counted.get((queue, name), 0)}\n" for queue in range(2) for name in COUNTERS
    )
    (found,) = json.loads(Ethtool([bench.dev]).run("ethtool --json --statistics eth0"))
    assert found.pop("ifname") == "eth0" and found == bench.driver.statistics()
    with pytest.raises(Refused, match="no stats available"):
        Ethtool([device()]).run("ethtool -S eth0")


# -- lines


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("ethtool -G eth0 tx 100", "column 20: '100': netlink error: Invalid argument (allowed: a power of two, 64 to"),
        ("ethtool -G eth0 tx 99999", "column 20: '99999': netlink error: requested ring size exceeds maximum (offset 36"
         "); netlink error: Invalid argument (allowed: a power of two, 64 to 32768)"),
        ("ethtool -G eth0 rx 0 tx 99999", "column 25: '99999': netlink error: requested ring size exceeds maximum (offs"
         "et 44); "),
        ("ethtool -G eth0 rx 5", "column 20: '5': netlink error: requested ring size exceeds maximum (offset 36); "),
        ("ethtool -G eth0 tx-push on", "column 25: 'on': netlink error: setting tx push not supported (offset 36); netl"
         "ink error: Operation not supported (allowed: tx)"),
        ("ethtool -G eth0 txx 5", "column 17: 'txx': ethtool (-G): unknown parameter 'txx' (allowed: rx, rx-mini, rx-"),
        ("ethtool -G eth0 tx", "column 19: ethtool (-G): no value for parameter 'tx' (allowed: 0 to 4294967295)"),
        ("ethtool --set-ring eth0 tx x", "column 28: 'x': ethtool (-G): invalid value 'x' for parameter 'tx'"),
        ("ethtool -C eth0 rx-usecs 5", "column 26: '5': netlink error: cannot modify an unsupported parameter (offset "
         "36); netlink error: Invalid argument (allowed: tx-usecs, tx-frames, adaptive-tx)"),
        ("ethtool -C eth0 adaptive-rx on", "column 29: 'on': netlink error: cannot modify an unsupported parameter"),
        ("ethtool -C eth0 tx-frames 9", "column 27: '9': netlink error: Invalid argument (allowed: tx-usecs 0 to 214748"
         "3; tx-frames 0 to 32767, above 1 only with tx-usecs or adaptive-tx; adaptive-tx on or off)"),
        ("ethtool -C eth0 tx-usecs 2147484", "column 26: '2147484': netlink error: Invalid argument (allowed: tx-us"),
        ("ethtool -C eth0 adaptive-tx yes", "column 29: 'yes': ethtool (-C): invalid value 'yes' for parameter 'adaptiv"
         "e-tx' (allowed: on or off)"),
        ("ethtool -L eth0 tx 3", "column 20: '3': netlink error: requested channel count exceeds maximum (offset 36); "
         "netlink error: Invalid argument (allowed: 1 to 2)"),
        ("ethtool -K eth0 tso", "column 20: ethtool (-K): flag '(null)' for parameter '(null)' is not followed by"),
        ("ethtool -K eth0 tsoo on", "column 17: 'tsoo': netlink error: bit name not found (offset 56); netlink error: "
         "Operation not supported (allowed: rx, tx, sg, tso, "),
        ("ethtool -K eth0 tx-tcp-segmentation off ufo on tsoo on", "column 48: 'tsoo': netlink error: bit name not"
         " found (offset 120); "),
        ("ethtool -G eth0 tx 4294967296", "column 20: '4294967296': ethtool (-G): invalid value '4294967296' for par"),
        ("ethtool -K eth0", "column 16: Could not change any device features"),
        ("ethtool -k eth1", "column 12: 'eth1': netlink error: no device matches name (offset 24); netlink error: No su"
         "ch device (allowed: eth0)"),
        ("ethtool -k eth0 x", "column 17: 'x': ethtool: unexpected parameter 'x' (allowed: nothing more)"),
        ("ethtool -a eth0", "column 9: '-a': ethtool: bad command line argument(s); For more information run ethtool "
         "-h (allowed: -g, -G, -c, -C, -l, -L, -k, -K, -S, --show-priv-flags, --set-priv-flags)"),
        ("ethtool --set-priv-flags eth0 head-writeback", "column 45: ethtool (--set-priv-flags): flag 'head-writeback' "
         "for parameter '(null)' is not followed by 'on' or 'off' (allowed: head-writeback on or head-writeback off)"),
        ("ethtool --set-priv-flags eth0 head-writeback on rx-magic on", "column 49: 'rx-magic': netlink error: bit name"
         " not found (offset 84); netlink error: Operation not supported (allowed: head-writeback, complete-at-fetch)"),
        ("ethtool --set-priv-flags eth0", "column 9: '--set-priv-flags': netlink error: Invalid argument (allowed: he"),
        ("ethtool --json --show-priv-flags eth0", "column 16: '--show-priv-flags': ethtool: bad command line argumen"),
        ("ethtool", "column 8: ethtool: bad command line argument(s); For more information run ethtool -h (allowed:"),
        ("ethtool -k", "column 11: ethtool: bad command line argument(s)"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_refused_with_the_word_and_its_column(line: str, error: str) -> None:
    bench = twin(2)
    dev, config = bench.dev, bench.driver.config
    with pytest.raises(CommandError) as caught:
        Ethtool([dev]).run(line)
    assert str(caught.value).startswith(error) and "\n" not in str(caught.value)
    assert (bench.driver.config, dev.features, dev.real_num_tx_queues) == (config, Feature.ALL, 2)


@pytest.mark.parametrize("option", ["-g", "-G", "-c", "-C", "-L", "--show-priv-flags", "--set-priv-flags"])
def test_a_driver_without_a_knob_says_so(option: str) -> None:
    words = {"-G": " tx 1", "-L": " tx 1", "-C": " tx-usecs 1", "--set-priv-flags": " any on"}.get(option, "")
    with pytest.raises(Refused) as caught:
        Ethtool([StackBench().dev]).run(f"ethtool {option} eth0{words}")
    assert caught.value.printed == "netlink error: Operation not supported"


# -- the real tool as a judge


SWITCHES = """
sg off
sg off
tx-tcp-segmentation on tx-tcp6-segmentation on
sg on tx off
tx off
tx on
tso off
tx-tcp-segmentation on
tx-tcp-mangleid-segmentation on
tx-tcp-segmentation off
tso on
tx-tcp-segmentation off
tx-tcp6-segmentation off
tso on
rxhash on tso off
rxhash off
tx-vlan-offload off
txvlan on
tx-vlan-hw-insert off
tx-udp-segmentation off
scatter-gather off
gso on
tx-generic-segmentation off
tx-tcp6-segmentation on
generic-segmentation-offload on
sg on
gso on
tx-tcp6-segmentation off tx-tcp-segmentation off
tx-tcp-ecn-segmentation on
tx-checksumming off
lro on
ntuple on
tx-checksum-ip-generic on
tx-udp-segmentation on
""".strip().splitlines()
COMPLAINTS = """
ethtool -K rw0 foo on
ethtool -K rw0 foo on tso off
ethtool -K rw0 tx-checksum-ip-generic off foo on
ethtool -K rw0 tx-checksum-ip-generic off tx-tcp-segmentation off tx-tcp6-segmentation on foo2345 on
ethtool -K rw0 tso maybe
ethtool -K rw0 tso
ethtool -K rw0
ethtool -K rw0 rxhash on
ethtool -K nodev tso off
ethtool -k nodev
ethtool -k rw0 foo
ethtool -l rw0 foo
ethtool -S rw0 foo
ethtool -S nodev
ethtool -L rw0 tx 0x2
ethtool -L rw0 tx +3
ethtool -L rw0 tx 010
ethtool -L rw0 tx 9
ethtool -L rw0 tx 0
ethtool -L rw0 tx x
ethtool -L rw0 tx -1
ethtool -L rw0 tx 4294967296
ethtool -L rw0 tx
ethtool -L rw0 tx 2 tx 3
ethtool -L rw0 combined 1
ethtool -L rw0 other 1
ethtool -L rw0 combined 0
ethtool -L rw0 foo 1
ethtool -L rw0
ethtool -L nodev tx 1
ethtool -g rw0
ethtool -g nodev
ethtool -G rw0 tx 100
ethtool -G rw0
ethtool -G rw0 tx
ethtool -G rw0 tx abc
ethtool -G rw0 foo 3
ethtool -G rw0 tx 3 tx 4
ethtool -G rw0 tx-push maybe
ethtool -G nodev tx 3
ethtool -c rw0
ethtool -C rw0 tx-usecs 3
ethtool -C rw0 tx-foo 3
ethtool -C rw0 adaptive-tx maybe
ethtool -C rw0 tx-usecs
ethtool -C nodev tx-usecs 3
ethtool --show-ring rw0
ethtool --show-priv-flags rw0
ethtool --show-priv-flags rw0 foo
ethtool --show-priv-flags nodev
ethtool --show-priv-flags
ethtool --json --show-priv-flags rw0
ethtool --set-priv-flags rw0 foo on
ethtool --set-priv-flags rw0 foo
ethtool --set-priv-flags rw0 foo maybe
ethtool --set-priv-flags rw0 foo on bar maybe
ethtool --set-priv-flags rw0
ethtool --set-priv-flags nodev foo on
ethtool
ethtool -Z rw0
ethtool -k
""".strip().splitlines()
NET = Path("/sys/class/net")
VETH = "ip link add name rw0 numtxqueues 4 type veth peer name rw1"


def test_complaints_are_ethtools(tmp_path: Path) -> None:
    wanted = real(tmp_path, VETH, COMPLAINTS, "ethtool")
    compare(COMPLAINTS, wanted, modelled(Ethtool([device("rw0", 4)]).run, COMPLAINTS))


def test_switches_do_and_print_what_the_kernels_do(tmp_path: Path) -> None:
    """The real device has features that this one has not: those and their groups are left out of the comparison."""
    lines = []
    for switch in SWITCHES:
        lines += [f"ethtool -K rw0 {switch}", "ethtool -k rw0"]
    first, *wanted = real(tmp_path, VETH, ["ethtool --json -k rw0", *lines], "ethtool")
    dev = device("rw0", 4)
    dev.features = dev.hw_features = Feature.ALL & ~Feature.UFO
    mine = json.loads(Ethtool([dev]).run("ethtool --json -k rw0"))[0]
    theirs = json.loads(first.output)[0]
    other = {name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)}
    other |= {"tcp-segmentation-offload", "tx-checksumming"}
    assert "tx-tcp-segmentation" not in other and len(mine.keys() & theirs.keys() - other) > 40
    assert [name for name in mine if name in theirs] == [name for name in theirs if name in mine], "one order"
    compare(lines, [without(said, other) for said in wanted], [
        without(said, other) for said in modelled(Ethtool([dev]).run, lines)
    ])  # fmt: skip


def without(said: Said, names: set[str]) -> Said:
    """What was said, without the lines of these features, nor a title without lines behind it."""
    kept = [line for line in said.output.splitlines() if line.strip().partition(":")[0] not in names]
    return Said("" if kept == ["Actual changes:"] else "\n".join(kept), said.error, said.status)


def test_moderation_is_laid_out_as_by_ethtool(tmp_path: Path) -> None:
    lines = ["ethtool -c tap0", "ethtool -C tap0 tx-usecs-irq 3", "ethtool -C tap0 tx-usecs-irq 3 rx-usecs-irq 9"]
    wanted = real(tmp_path, "ip tuntap add dev tap0 mode tap", lines, "ethtool")
    found = modelled(Ethtool([named(twin().dev, "tap0")]).run, lines)
    compare(lines, [numberless(said) for said in wanted], [numberless(said) for said in found])


def named(dev: NetDevice, name: str) -> NetDevice:
    dev.name = name
    return dev


def numberless(said: Said) -> Said:
    """Layout only: the devices have different parameters."""
    return Said(re.sub(r": (n/a|[0-9]+|on|off)", ": .", said.output), said.error, said.status)


def test_statistics_are_laid_out_as_by_ethtool(tmp_path: Path) -> None:
    (said,) = real(tmp_path, VETH, ["ethtool -S rw0"], "ethtool")
    for text in (said.output, Ethtool([twin().dev]).run("ethtool -S eth0")):
        title, *lines = text.splitlines(keepends=True)
        assert title == "NIC statistics:\n" and len(lines) > 10
        assert [line for line in lines if not re.fullmatch(r" {5}[a-z0-9_]+: [0-9]+\n", line)] == []


def test_rings_are_laid_out_as_by_ethtool() -> None:
    """With a device of the machine, which is read and not touched: those in a namespace have no rings."""
    if shutil.which("ethtool") is None:
        pytest.skip("no ethtool here to compare with")
    names = [path.name for path in NET.iterdir()] if NET.exists() else []
    found = [subprocess.run(["ethtool", "-g", name], capture_output=True, text=True) for name in names]
    texts = [done.stdout for done in found if done.returncode == 0]
    if not texts:
        pytest.skip("no device here that has rings")

    def layout(text: str) -> list[str]:
        return [re.sub(r"\t(n/a|[0-9]+|on|off)$", "\t.", line) for line in text.splitlines()[1:]]

    assert layout(Ethtool([twin().dev]).run("ethtool -g eth0")) == layout(texts[0])


def test_the_kernels_names_are_all_there(tmp_path: Path) -> None:
    """But for those that came after Linux 6.12."""
    (said,) = real(tmp_path, VETH, ["ethtool --json -k rw0"], "ethtool")
    theirs: dict[str, Any] = json.loads(said.output)[0]
    mine = json.loads(Ethtool([device("rw0")]).run("ethtool --json -k rw0"))[0]
    assert theirs.keys() - mine.keys() <= {"tx-tcp-accecn-segmentation"}
    assert mine.keys() - theirs.keys() == {"tx-udp-fragmentation"}
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)
