"""Experiments' files: what they hold, and the line, key and allowed values of what is wrong in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ringwire.experiment.rigtables import BqlKnobs
from ringwire.experiment.tomlfile import ExperimentError, TomlFile
from ringwire.host.cpu import HostCosts
from ringwire.traffic.probe import Probe
from ringwire.traffic.udp import Udp
from tests.experiments import PATH, experiment

HEAD = 'duration = "1ms"\n[nic]\ndevice = "twin"\n'
FLOW = '[[flow]]\nkind = "probe"\n'
QUEUES = "1, 2, 4, 8, 16"
SERIES = "latency, throughput, flow, bql, ring, qdisc, interrupts, wire, path, tso"
NIC_KEYS = (
    "device, queues, ring, txqueuelen, tx_usecs, tx_frames, completion_threshold, completion_timer, report_every, "
    "napi_budget, watchdog, tso, csum, driver, select_queue, jump, bql"
)

WRONG = [
    ("", 'x.toml:1: duration is missing; needed: how long traffic runs, such as duration = "100ms"'),
    ("duration = 1ms", "x.toml:1: column 13: Expected newline or end of document after a statement"),
    ('a = """\nb\n', "x.toml:2: Unterminated string"),
    (
        HEAD.replace("[nic]", "[nik]") + FLOW,
        "x.toml:2: no key nik; allowed: title, duration, warmup, drain, seed, folder, link, nic, host, setup, probes, "
        "flow",
    ),
    (HEAD + "rign = 64\n" + FLOW, f"x.toml:4: no key nic.rign; allowed: {NIC_KEYS}"),
    (
        HEAD + "# a comment\n\nring = 100\n" + FLOW,
        "x.toml:6: nic.ring 100; allowed: 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768",
    ),
    (HEAD + 'ring = "many"\n' + FLOW, 'x.toml:4: nic.ring = "many": not a whole number'),
    (HEAD + "ring = true\n" + FLOW, "x.toml:4: nic.ring = true: not a whole number"),
    (HEAD + "queues = 3\n" + FLOW, f"x.toml:4: nic.queues 3; allowed: {QUEUES}"),
    ('duration = "1ms"\nnic.device = "qemu"\n' + FLOW, "x.toml:2: nic.device qemu; allowed: verilator, icarus, twin"),
    ('duration = "1ms"\nnic = 3\n' + FLOW, "x.toml:2: nic is not a table"),
    (
        HEAD + "tx_frames = 8\n" + FLOW,
        "x.toml:4: nic.tx_frames 8: the last packets would never be reclaimed; add nic.tx_usecs",
    ),
    (HEAD + 'tso = "maybe"\n' + FLOW, 'x.toml:4: nic.tso = "maybe": not a switch; allowed: on, off, true, false'),
    (
        HEAD + 'bql = "maybe"\n' + FLOW,
        'x.toml:4: nic.bql = "maybe"; allowed: on, off, {limit_min, limit_max, hold}',
    ),
    (
        HEAD + "bql = { max = 3000 }\n" + FLOW,
        "x.toml:4: no key nic.bql.max; allowed: limit_min, limit_max, hold",
    ),
    (
        HEAD + 'bql = { limit_max = "4g" }\n' + FLOW,
        'x.toml:4: nic.bql.limit_max = "4g": more than 4294967295',
    ),
    (
        HEAD + "bql = { limit_max = 4000000000 }\n" + FLOW,
        "x.toml:4: nic.bql.limit_max 4000000000; allowed: 0 to 1879048192",
    ),
    (HEAD + '[link]\nrate = "1gib"\n' + FLOW, 'x.toml:5: link.rate = "1gib": not a rate (units: bit, '),
    (
        HEAD + '[link]\nrate = "200gbit"\n' + FLOW,
        "x.toml:5: link.rate 200G: 512 bits at 250 MHz carry 128G; lower it, or raise link.width or link.clock",
    ),
    (
        HEAD + '[link]\njitter = "10ns"\n' + FLOW,
        "x.toml:5: link.jitter: the twin's memory is always on time; allowed with nic.device verilator and icarus",
    ),
    (
        HEAD + "[link]\nlatency = -1\n" + FLOW,
        "x.toml:5: link.latency = -1: not a time (units: s, ms, us, ns; ns if none)",
    ),
    (HEAD + "[host]\ncpus = 65\n" + FLOW, "x.toml:5: host.cpus 65; allowed: 1 to 64"),
    (HEAD + "[host]\nbulk = 0\n" + FLOW, "x.toml:5: host.bulk 0; allowed: 1 to 1024"),
    (HEAD + "[host]\nbulk = 1025\n" + FLOW, "x.toml:5: host.bulk 1025; allowed: 1 to 1024"),
    (HEAD + '[host]\nbulk = "none"\n' + FLOW, 'x.toml:5: host.bulk = "none": not a whole number'),
    (
        HEAD + '[host]\ncost = "cheap"\n' + FLOW,
        'x.toml:5: host.cost = "cheap"; allowed: server, free, or a table of single costs',
    ),
    (HEAD + '[host.cost]\nxmit = "1q"\n' + FLOW, 'x.toml:5: host.cost.xmit = "1q": not a time (units: us, '),
    (
        HEAD + "[host.cost]\ncoffee = 1\n" + FLOW,
        "x.toml:5: no key host.cost.coffee; allowed: base, syscall, qdisc_enqueue, ",
    ),
    ('warmup = "2ms"\n' + HEAD + FLOW, 'x.toml:1: warmup = "2ms": allowed: 0ns to 999999ns'),
    ("seed = -1\n" + HEAD + FLOW, "x.toml:1: seed -1; allowed: 0 to 4294967295"),
    ('duration = "0s"\n' + FLOW, 'x.toml:1: duration = "0s": allowed: 1us to 86400s'),
    (
        HEAD + '[probes]\nseries = ["latency", "cwnd"]\n' + FLOW,
        f"x.toml:5: probes.series = ['latency', 'cwnd']: no series \"cwnd\"; allowed: {SERIES}",
    ),
    (HEAD + '[probes]\ninterval = "1ns"\n' + FLOW, 'x.toml:5: probes.interval = "1ns": allowed: 1us to 3600s'),
    (HEAD, "x.toml:1: no [[flow]]: nothing would be sent; ringwire list shows which kinds there are"),
    (HEAD + '[[flow]]\nname = "a"\n', "x.toml:4: flow[1].kind is missing; there are game, pcap, probe, "),
    (
        HEAD + FLOW + '[[flow]]\nkind = "carrier"\n',
        "x.toml:7: flow[2].kind: no kind of flow 'carrier' (there are game, ",
    ),
    (HEAD + FLOW + "size = 20\n", "x.toml:6: flow[1].size 20; allowed: 42 to 16640"),
    (
        HEAD + FLOW + "sise = 20\n",
        "x.toml:6: no key flow[1].sise; allowed: kind, name, start, stop, queue, cpu, path, source, ",
    ),
    (HEAD + FLOW + "queue = 1\n", "x.toml:6: flow[1].queue = 1: allowed: 0 to 0"),
    (HEAD + FLOW + "cpu = 2\n", "x.toml:6: flow[1].cpu = 2: allowed: 0 to 0"),
    (HEAD + FLOW + 'start = "2ms"\n', 'x.toml:6: flow[1].start = "2ms": allowed: 0ns to 1ms'),
    (HEAD + FLOW + 'name = "a"\n' + FLOW + 'name = "a"\n', 'x.toml:9: flow[2].name = "a": needed: a name of its own'),
    (HEAD + FLOW + 'destination = "10.0.0"\n', "x.toml:6: flow[1].destination 10.0.0: '10.0.0' does not appear to be"),
    (
        HEAD + FLOW + 'destination = "fe80::1"\n',
        "x.toml:6: flow[1].destination fe80::1: of another version than source",
    ),
    (
        HEAD + '[[flow]]\nkind = "udp"\n',
        "x.toml:4: flow[1]: rate_bps is missing: without a rate or pps only sndbuf would",
    ),
    (
        HEAD + '[[flow]]\nkind = "udp"\nrate = "1mbit"\npattern = "bursty"\n',
        "x.toml:7: flow[1].pattern bursty; allowed: constant, poisson, onoff",
    ),
    (
        HEAD + '[[flow]]\nkind = "pcap"\nfile = "nowhere.pcap"\n',
        "x.toml:6: flow[1].file nowhere.pcap: No such file or directory",
    ),
    (HEAD + '[[flow]]\nkind = "pcap"\n', "x.toml:4: flow[1].file is missing"),
    (HEAD + FLOW + "path = { limit_packets = 3 }\n", "x.toml:6: flow[1].path.limit_packets has no effect without rate"),
    (
        HEAD + '[[flow]]\nkind = "udp"\nrate = "1mbit"\noff = "1ms"\n',
        'x.toml:7: flow[1].off has no effect without pattern = "onoff"',
    ),
    (HEAD + "[path]\n" + FLOW, "x.toml:4: path is not an array of tables; needed: [[path]]"),
    (
        HEAD + '[[path]]\ndelay = "1ms"\n' + FLOW + 'path = "a"\n',
        "x.toml:4: [[path]] number 1: needed: a name of its own",
    ),
    (
        HEAD + '[setup]\nlines = """\n\ntc qdisc add dev eth0 root pfifi\n"""\n' + FLOW,
        "x.toml:7: column 28: 'pfifi': Error: Specified qdisc kind is unknown. (allowed: bfifo",
    ),
    (HEAD + '[setup]\nlines = "ethtool -G eth0 tx 100"\n' + FLOW, "x.toml:5: column 20: '100': "),
    (HEAD + 'driver = "nowhere.py:Driver"\n' + FLOW, "x.toml:4: nic.driver nowhere.py: FileNotFoundError"),
]


@pytest.mark.parametrize(("text", "says"), WRONG)
def test_what_is_wrong_is_named_with_its_line_its_key_and_what_is_allowed(text: str, says: str) -> None:
    with pytest.raises(ExperimentError) as refused:
        experiment(text)
    assert str(refused.value).startswith(says)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"nic__ring": "100"}, "--set nic.ring=100: nic.ring 100; allowed: 64, "),
        ({"nic__rign": "64"}, "--set nic.rign=64: no key nic.rign; allowed: device, "),
        ({"flow__call__size": "64"}, "--set flow.call.size=64: no flow 'call'; there are probe"),
        ({"flow__probe__size": "1"}, "--set flow.probe.size=1: flow[1].size 1; allowed: 42 to 16640"),
        ({"duration__x": "1"}, "--set duration.x=1: duration is not a table"),
        ({"flow__probe": "3"}, "--set flow.probe=3: there are several; needed: flow.NAME.KEY=VALUE"),
        ({"path__dsl__rate": "1mbit"}, "--set path.dsl.rate=1mbit: x.toml has no [[path]]"),
        ({"warmup": '"-1ms"'}, '--set warmup="-1ms": warmup = "-1ms": not a time (units: us, '),
        (
            {"nic__bql": "{limit_min=2, limit_max=1}"},
            "--set nic.bql={limit_min=2, limit_max=1}: nic.bql.limit_min 2: more",
        ),
        ({"nic__tx_usecs": "1e9"}, "--set nic.tx_usecs=1e9: nic.tx_usecs 1000000000; allowed: 0 to 1000000"),
        ({"link__rate": "0"}, "--set link.rate=0: link.rate = 0: nothing would ever be sent; allowed: 1M or more"),
        (
            {"link__rate": '"0bit"'},
            '--set link.rate="0bit": link.rate = "0bit": nothing would ever be sent; allowed: 1M',
        ),
        ({"nic..ring": "1"}, "--set nic..ring=1: not a key; allowed: TABLE.KEY=VALUE, flow.NAME.KEY=VALUE"),
    ],
)
def test_what_is_wrong_with_a_set_option_is_named_as_it_was_given(settings: dict[str, str], says: str) -> None:
    with pytest.raises(ExperimentError) as refused:
        experiment(HEAD + FLOW, PATH, **settings)
    assert str(refused.value).startswith(says)


def test_values_may_have_units_or_be_plain_numbers_and_reach_the_rig() -> None:
    text = """
title = "all"
duration = 2000000
warmup = "1ms"
seed = 9
[link]
rate = "2.5gbit"
width = 64
clock = "312.5MHz"
mtu = "9k"
latency = "1us"
[nic]
device = "twin"
queues = 2
ring = 1024
tx_usecs = "50us"
tx_frames = 32
completion_threshold = 4
completion_timer = "5us"
tso = false
csum = "on"
bql = { limit_min = "10k", hold = "500ms" }
[host]
cpus = 2
bulk = 8
cost = { base = "free", xmit = "200ns", poll_ns = 10 }
jitter = "1us"
[[flow]]
kind = "udp"
rate = "10mbit"
size = "1k"
stop = "1ms"
queue = 1
"""
    made = experiment(text)
    rig = made.rig
    assert (made.title, made.duration_ns, made.warmup_ns, made.seed) == ("all", 2_000_000, 1_000_000, 9)
    assert (rig.line_rate_bps, rig.width, rig.clock_mhz, rig.mtu) == (2_500_000_000, 64, 312.5, 9216)
    assert (rig.cpus, rig.bulk, rig.try_out().max_bulk) == (2, 8, 8)
    assert (rig.queues, rig.ring, rig.tx_usecs, rig.tx_frames) == (2, 1024, 50, 32)
    assert (rig.cpl_threshold, rig.cpl_timer_ns, rig.tso, rig.csum, rig.bql) == (4, 5000, False, True, True)
    assert made.bql == BqlKnobs(10_240, None, 500_000_000)
    costs = rig.costs
    assert (costs.xmit_ns, costs.poll_ns, costs.jitter_ns, costs.syscall_ns) == (200, 10, 1000, 0)
    [entry] = made.entries
    assert isinstance(entry.flow, Udp)
    assert (entry.flow.rate_bps, entry.flow.size_bytes, entry.stop_ns, entry.queue) == (10_000_000, 1024, 1_000_000, 1)


@pytest.mark.parametrize("given", ["50", '"50"', "50.0", '"50us"', "5e1", '"0.05ms"'])
def test_a_plain_number_of_tx_usecs_is_microseconds_however_it_is_written(given: str) -> None:
    assert experiment(HEAD + FLOW, PATH, nic__tx_usecs=given).rig.tx_usecs == 50


def test_a_set_option_replaces_a_value_or_adds_one() -> None:
    made = experiment(HEAD + FLOW, nic__ring="64", link__rate="5mbit", flow__probe__size="100", host__cost='"free"')
    assert (made.rig.ring, made.rig.line_rate_bps, made.rig.costs) == (64, 5_000_000, HostCosts.free())
    assert made.entries[0].flow.size_bytes == 100  # type: ignore[attr-defined]


def test_flows_without_a_name_are_called_after_their_kind() -> None:
    names = [entry.flow.name for entry in experiment(HEAD + FLOW * 3).entries]
    assert names == ["probe", "probe-2", "probe-3"]


def test_a_line_is_found_behind_texts_of_several_lines_comments_and_headers() -> None:
    file = TomlFile(PATH, 'a = 1\nb = """\n[[c]]\nx = 1\n"""\n# d\n\n[[c]]\nx = [\n  1,\n  2,\n]\n[[c]]\ny.z = 3\n')
    lines = [file.line(place) for place in (("a",), ("b",), ("c", 0), ("c", 0, "x"), ("c", 1), ("c", 1, "y", "z"))]
    assert lines == [1, 2, 8, 9, 13, 14]
    assert file.line(("c", 1, "absent")) == 13


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ExperimentError, match="not UTF-8 text; needed: a TOML file"):
        TomlFile.read(path)


# -- what flows share


@dataclass(eq=False)
class Wan:
    """Something that flows may share."""

    name: str = ""
    delay_ns: int = 1000
    rate_bps: int | None = None

    def __post_init__(self) -> None:
        if self.delay_ns > 10**9:
            raise ValueError(f"delay_ns {self.delay_ns}; allowed: 0 to 1000000000")


@dataclass
class Over(Probe):
    """A probe that goes over one."""

    kind = "test-over"
    wan: Wan | None = None


OVER = '[[flow]]\nkind = "test-over"\nwan = "far"\n'


def test_flows_share_the_objects_that_they_name_and_have_those_that_they_spell_out_alone() -> None:
    text = HEAD + '[[wan]]\nname = "far"\ndelay = "20ms"\nrate = "10mbit"\n' + OVER * 2
    text += '[[flow]]\nkind = "test-over"\nwan = { delay = "1ms" }\n'
    first, second, third = (entry.flow.wan for entry in experiment(text).entries)  # type: ignore[attr-defined]
    assert first is second
    assert (first.name, first.delay_ns, first.rate_bps) == ("far", 20_000_000, 10_000_000)
    assert (third.name, third.delay_ns, third.rate_bps) == ("", 1_000_000, None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD + OVER, 'x.toml:6: flow[1].wan = "far": no wan of that name; there is no [[wan]]'),
        (
            HEAD + '[[wan]]\nname = "near"\n' + OVER,
            'x.toml:8: flow[1].wan = "far": no wan of that name; there are near',
        ),
        (
            HEAD + '[[wan]]\nname = "far"\ndelay = "2s"\n' + OVER,
            "x.toml:6: wan[1].delay 2000000000; allowed: 0 to 1000000000",
        ),
        (HEAD + '[[wan]]\nname = "far"\nloss = 1\n' + OVER, "x.toml:6: no key wan[1].loss; allowed: name, delay, rate"),
        (HEAD + "wan = 1\n" + OVER.replace('"far"', "3"), "x.toml:4: no key nic.wan; allowed: "),
        (HEAD + OVER.replace('"far"', "3"), "x.toml:6: flow[1].wan is neither a table nor the name of a [[wan]]"),
    ],
)
def test_what_is_wrong_with_a_shared_object_is_named(text: str, says: str) -> None:
    with pytest.raises(ExperimentError) as refused:
        experiment(text)
    assert str(refused.value).startswith(says)
