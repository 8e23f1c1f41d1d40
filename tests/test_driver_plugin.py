"""A driver of one's own in a replay: the example works, and what a driver does wrong is named."""

from __future__ import annotations

import inspect
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.minimal_driver import MinimalDriver
from ringwire.cli import BAD_INPUT, main
from ringwire.driver.config import DriverConfig
from ringwire.driver.port import DevicePort
from ringwire.host.napi import Napi
from ringwire.netdev import NETDEV_TX_OK, NetDevice, TxQueue
from ringwire.replay import ReplayConfig, ReplayError, ReplayFailed, replay
from ringwire.skb import Skb
from tests.captures import REAL_MIX, REAL_MIX_WIRE, flows, pcap, stamped, wire_frames
from tests.frames import UDP, Frame

NOTHING: dict[str, int] = {}
ROOT = Path(__file__).parent.parent
EXAMPLE = "examples/minimal_driver.py:MinimalDriver"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    capture = tmp_path / "small.pcap"
    frames = [Frame(protocol=UDP, payload=bytes((n,)) * 500).build() for n in range(200)]
    capture.write_bytes(pcap(stamped(frames)))
    return capture


@pytest.mark.parametrize("sim", ["twin", "verilator"])
@pytest.mark.parametrize("name", [str(ROOT / EXAMPLE), "examples.minimal_driver:MinimalDriver"])
def test_the_example_carries_the_capture(sim: str, name: str, tmp_path: Path) -> None:
    out = tmp_path / "wire.pcap"
    report = replay(ReplayConfig(REAL_MIX, sim=sim, driver=name), out)
    assert report.measured.problems == []
    assert flows(wire_frames(out)) == flows(wire_frames(REAL_MIX_WIRE))


def test_the_example_survives_a_small_ring_and_the_ring_indexs_wrap(small: Path) -> None:
    report = replay(ReplayConfig(small, sim="twin", driver="examples.minimal_driver:MinimalDriver", ring=64, bql=False))
    assert report.measured.problems == []


class UnmapsEarly(MinimalDriver):
    """Undoes its mappings as soon as the doorbell has rung."""

    def doorbell(self) -> None:
        super().doorbell()
        for number, (skb, addrs) in enumerate(self.in_flight):
            for addr in addrs:
                self.port.memory.unmap(addr)
            self.in_flight[number] = (skb, [])


class NeverUnmaps(MinimalDriver):
    """Leaks its mappings."""

    def poll(self, budget: int) -> int:
        for number, (skb, _) in enumerate(self.in_flight):
            self.in_flight[number] = (skb, [])
        return super().poll(budget)


class NeverRings(MinimalDriver):
    """Takes packets and does not tell the device."""

    def doorbell(self) -> None: ...


class CountsTwice(MinimalDriver):
    """Tells BQL of more bytes than it was given."""

    def poll(self, budget: int) -> int:
        done = super().poll(budget)
        self.txq.completed(1, 1514)
        return done


class ForgetsBql(MinimalDriver):
    """Never tells BQL of a completion."""

    def open(self) -> None:
        super().open()
        self.txq = Forgetful(self.txq.dev, 0)


class Forgetful(TxQueue):
    def completed(self, packets: int, count: int) -> None: ...


class SendsTwice(MinimalDriver):
    """Puts every tenth packet on the ring twice."""

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        if self.tail % 10 == 3:
            super().ndo_start_xmit(Skb(len=skb.len, data=skb.data), txq, True)
        return super().ndo_start_xmit(skb, txq, xmit_more)


class DropsSome(MinimalDriver):
    """Gives up the second segment of each super-packet, and the last of the third one."""

    packets = 0

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        self.packets += 1
        if self.packets % 5 == 2 or self.packets == 15:
            txq.dev.drop(skb)
            if not xmit_more:
                self.doorbell()
            return NETDEV_TX_OK
        return super().ndo_start_xmit(skb, txq, xmit_more)


class NeverDone(MinimalDriver):
    """Returns the budget, whatever it has done: the softirq polls again at once."""

    def poll(self, budget: int) -> int:
        port, self.port = self.port, NoArm(self.port)  # type: ignore[assignment]
        super().poll(budget)
        self.port = port
        return budget


class NoArm:
    """A port on which a poll writes nothing, so that it takes no time."""

    def __init__(self, port: DevicePort) -> None:
        self.memory = port.memory

    def write(self, register: int, value: int) -> None: ...


class PollsOn(MinimalDriver):
    """The same, and each poll takes 100 ns."""

    def poll(self, budget: int) -> int:
        self.port.charge(100)  # type: ignore[attr-defined]
        napi, self.napi = self.napi, Napi(self.port, self.poll)
        super().poll(budget)
        self.napi = napi
        return budget


class Careless:
    def __init__(self, port: DevicePort, dev: NetDevice, config: DriverConfig) -> None:
        raise ValueError("no such chip")


class Unfinished:
    def __init__(self, port: DevicePort, dev: NetDevice, config: DriverConfig) -> None: ...


class Detached(MinimalDriver):
    def __init__(self, port: DevicePort, dev: NetDevice, config: DriverConfig) -> None:
        super().__init__(port, NetDevice(port, driver=self), config)


class Exits(MinimalDriver):
    """Ends the program instead of opening the device."""

    def open(self) -> None:
        raise SystemExit(0)


class Slips(MinimalDriver):
    """Looks for what is not there."""

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        return super().ndo_start_xmit(skb, txq, xmit_more) if self.tail < 5 else NOTHING["oops"]


class Misuses(MinimalDriver):
    """Has ringwire's own code raise."""

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        return self.port.memory.map(b"")


def slip(dev: NetDevice, skb: Skb) -> int:
    return NOTHING["oops"]


def second(dev: NetDevice, skb: Skb) -> int:
    return 1


def problems(driver: type[MinimalDriver], capture: Path) -> list[str]:
    return replay(ReplayConfig(capture, sim="twin", driver=f"{__name__}:{driver.__name__}")).measured.problems


def step(code: Callable[..., object], words: str) -> str:
    """Where this file has the line of a function that has these words, as messages say it."""
    lines, first = inspect.getsourcelines(code)
    line = first + next(number for number, text in enumerate(lines) if words in text)
    return rf"\(tests/test_driver_plugin.py, line {line}, in {code.__name__}\)"


@pytest.mark.parametrize("sim", ["twin", "icarus"])
def test_where_an_exception_came_from_is_said(sim: str, small: Path) -> None:
    def run(**settings: object) -> None:
        replay(ReplayConfig(small, sim=sim, width=64, **settings))  # type: ignore[arg-type]

    with pytest.raises(ReplayFailed, match="^KeyError: 'oops' " + step(Slips.ndo_start_xmit, "oops") + "$"):
        run(driver=f"{__name__}:Slips")
    with pytest.raises(ReplayFailed, match="^MemoryUseError: a .* " + step(Misuses.ndo_start_xmit, "map(") + "$"):
        run(driver=f"{__name__}:Misuses")
    with pytest.raises(ReplayFailed, match="^KeyError: 'oops' " + step(slip, "oops") + "$"):
        run(select_queue=f"{__name__}:slip", queues=4)


def test_where_a_file_or_a_driver_fails_before_the_run_is_said(tmp_path: Path, small: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("\n1 / 0\n")
    where = rf"{file}: ZeroDivisionError: division by zero \({file}, line 2, at the top level\)"
    with pytest.raises(ReplayError, match=where):
        ReplayConfig(small, driver=f"{file}:Mine")
    with pytest.raises(ReplayError, match=where):
        ReplayConfig(small, load=(str(file),))
    with pytest.raises(ReplayError, match=step(Careless.__init__, "no such chip")):
        ReplayConfig(small, driver=f"{__name__}:Careless")


def test_a_discipline_that_fails_is_named_with_file_and_line(
    tmp_path: Path, small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.py"
    text = (ROOT / "examples/shortest_first.py").read_text()
    file.write_text(text.replace('"shortest"', '"slips"').replace("heappop(self.heap)[2]", '{}["oops"]'))
    line = 1 + next(number for number, line in enumerate(file.read_text().splitlines()) if "oops" in line)
    with pytest.raises(ReplayFailed, match=rf"^KeyError: 'oops' \({file}, line {line}, in dequeue\)$"):
        replay(ReplayConfig(small, sim="twin", load=(str(file),), qdisc="slips"))
    file = tmp_path / "another.py"
    file.write_text(text.replace('"shortest"', '"slips2"').replace("self.dev.tx_queue_len", '{}["oops"]'))
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    with pytest.raises(SystemExit) as ended:
        main(["tc", "--load", str(file), "qdisc add dev eth0 root slips2"])
    assert ended.value.code == BAD_INPUT
    line = 1 + next(number for number, line in enumerate(file.read_text().splitlines()) if "oops" in line)
    assert capsys.readouterr().err == f"ringwire: KeyError: 'oops' ({file}, line {line}, in setup)\n"


def test_a_mapping_that_is_undone_too_early_is_a_dma_fault(small: Path) -> None:
    found = problems(UnmapsEarly, small)
    assert any("DMA fault" in problem for problem in found)
    assert any("ERR_READ" in problem for problem in found)


def test_a_mapping_that_is_never_undone_is_counted(small: Path) -> None:
    assert "mapping-leak: 200 DMA mappings were never undone" in problems(NeverUnmaps, small)


def test_a_poll_that_goes_on_when_all_is_done_is_named(tmp_path: Path) -> None:
    capture = tmp_path / "one.pcap"
    capture.write_bytes(pcap(stamped([Frame().build()])))
    found = problems(PollsOn, capture)
    assert len(found) == 1 and found[0].startswith("poll-endless: PollsOn.poll took nothing "), found


def test_a_packet_sent_twice_is_named(small: Path) -> None:
    assert any("of the wire" in problem for problem in problems(SendsTwice, small))


def test_segments_that_a_driver_drops_are_counted_as_frames(tmp_path: Path) -> None:
    capture = tmp_path / "super.pcap"
    capture.write_bytes(pcap(stamped([Frame(payload=bytes(1460 * 5)).build()] * 4)))
    report = replay(ReplayConfig(capture, sim="twin", driver=f"{__name__}:DropsSome"))
    found = report.measured
    assert found.problems == []
    assert (found.packets, found.frames, found.dropped_frames, found.dropped_packets) == (4, 15, 5, 1)


@pytest.mark.parametrize(
    ("driver", "says"),
    [
        (Exits, r"RuntimeError: what ran in this world called exit\(0\)"),
        (NeverDone, r"poll-endless: NeverDone.poll took nothing 100 times in a row .* the softirq would spin on it"),
        (NeverRings, r"Stuck: waited .* for every packet to be sent or dropped\s+minimal: tail \d+, device told 0"),
        (ForgetsBql, r"Stuck: waited .* for every packet to be sent or dropped\s+minimal: .* 0 in flight"),
        (CountsTwice, r"BqlOvercompletion: eth0 tx-0: completed 1514 bytes with \d+ in flight"),
    ],
)
def test_a_driver_that_can_not_go_on_says_why(driver: type[MinimalDriver], says: str, small: Path) -> None:
    with pytest.raises(ReplayFailed, match=says):
        problems(driver, small)


@pytest.mark.parametrize("sim", ["twin", "icarus"])
def test_a_discipline_that_keeps_what_it_has_is_named(
    sim: str, tmp_path: Path, small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.py"
    text = (ROOT / "examples/shortest_first.py").read_text()
    kind = f"hoards_{sim}"
    file.write_text(text.replace('"shortest"', f'"{kind}"').replace("if not self.heap", "if True"))
    words = ["replay", str(small), "--out", str(tmp_path / "o.pcap"), "--load", str(file), "--qdisc", kind]
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    with pytest.raises(SystemExit):
        main([*words, "--sim", sim, "--width", "64"])
    said = capsys.readouterr().err.splitlines()[-1]
    wait = rf"tx-0: (\d+) packets, \d+ bytes wait in qdisc {kind} 8001:"
    assert re.search(rf"Stuck: .*; {wait}; 0 of \1 packets that came were sent or dropped$", said), said


def test_packets_that_a_plug_holds_are_counted(small: Path) -> None:
    mq = "tc qdisc replace dev eth0 root handle 1: mq\ntc qdisc replace dev eth0 parent 1:2 handle 20: plug"
    pick = f"{__name__}:second"
    with pytest.raises(ReplayFailed, match=r"\n  tx-1: \d+ packets, \d+ bytes wait in qdisc plug 20: parent 1:2\n"):
        replay(ReplayConfig(small, sim="twin", queues=2, setup=mq, select_queue=pick))
    htb = """
        tc qdisc replace dev eth0 root handle 1: htb default 10
        tc class add dev eth0 parent 1: classid 1:10 htb rate 1gbit
        tc qdisc add dev eth0 parent 1:10 handle 10: plug
    """
    for queues, whose in ((1, "tx-0"), (2, "all queues")):
        says = rf"\n  {whose}: (\d+) packets, \d+ bytes wait in qdisc plug 10: parent 1:10\n  0 of \1 packets"
        with pytest.raises(ReplayFailed, match=says):
            replay(ReplayConfig(small, sim="twin", queues=queues, setup=htb))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere", "not of the form package.module:Class"),
        ("nowhere:Driver", "ModuleNotFoundError: No module named 'nowhere'"),
        ("nowhere.py:Driver", "No such file or directory"),
        ("examples.minimal_driver:Nothing", "examples.minimal_driver has no class Nothing"),
        ("examples.minimal_driver:__name__", "examples.minimal_driver has no class __name__"),
        (f"{__name__}:Careless", r"Careless: __init__\(port, dev, config\): ValueError: no such chip"),
        (f"{__name__}:Unfinished", "Unfinished has no up, open, ndo_start_xmit, describe"),
        (f"{__name__}:Detached", "Detached: __init__ has to make it the device's: dev.driver = self"),
    ],
)
def test_a_driver_that_is_not_there_is_refused(name: str, says: str, small: Path) -> None:
    with pytest.raises(ReplayError, match=says):
        ReplayConfig(small, driver=name)
