"""``tc`` lines: what they do to a device, what they print, and errors that point at a word."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ringwire.netdev import dev_queue_xmit
from ringwire.qdisc import option
from ringwire.skb import Skb
from ringwire.tools import tc
from ringwire.tools.tc import Tc, TcError, TcUnknown
from ringwire.tools.units import (
    format_classid,
    format_handle,
    format_rate,
    format_size,
    format_time_ns,
    format_time_us,
    parse_classid,
    parse_handle,
    parse_rate,
    parse_size,
    parse_time_us,
    parse_u32,
)
from ringwire.tools.words import CommandError, Word, Words
from tests.stack_bench import StackBench


@pytest.fixture
def bench() -> StackBench:
    return StackBench(name="eth0")


def root_of(bench: StackBench) -> str:
    return tc.show(bench.dev, statistics=False).strip()


def test_replace_makes_a_root_and_changes_it_in_place_the_second_time(bench: StackBench) -> None:
    run = Tc([bench.dev]).run
    assert run("tc qdisc replace dev eth0 root handle 1: pfifo limit 3") == ""
    first = bench.dev.qdisc
    run("qdisc replace dev eth0 root handle 1: pfifo limit 4")
    assert bench.dev.qdisc is first
    assert root_of(bench) == "qdisc pfifo 1: root refcnt 2 limit 4p"
    run("qdisc replace dev eth0 root pfifo")
    assert bench.dev.qdisc is first and root_of(bench).endswith("limit 4p"), "no options, no change"
    run("qdisc replace dev eth0 root handle a: pfifo")
    assert bench.dev.qdisc is not first
    assert root_of(bench) == "qdisc pfifo a: root refcnt 2 limit 1000p"


def test_a_root_without_handle_gets_one(bench: StackBench) -> None:
    run = Tc([bench.dev]).run
    run("qdisc add dev eth0 root pfifo_fast")
    run("qdisc replace dev eth0 root noqueue")
    assert root_of(bench) == "qdisc noqueue 8002: root refcnt 2"


def test_change_keeps_the_queue_and_delete_brings_the_default_back(bench: StackBench) -> None:
    run = Tc([bench.dev]).run
    run("qdisc add dev eth0 root handle 1: bfifo limit 15k")
    for ident in range(4):
        dev_queue_xmit(Skb(len=1514, id=ident), bench.dev)
    run("qdisc change dev eth0 root handle 1: bfifo limit 2mb")
    assert run("tc -s -d qdisc show dev eth0") == (
        "qdisc bfifo 1: root refcnt 2 limit 2Mb\n"
        " Sent 3028 bytes 2 pkt (dropped 0, overlimits 0 requeues 1) \n"
        " backlog 4542b 3p requeues 1\n"
    )
    run("qdisc del dev eth0 root")
    assert root_of(bench) == "qdisc pfifo_fast 0: root refcnt 2 bands 3 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1"
    assert len(bench.dropped) == 3


def test_show_lists_every_device_and_every_queues_discipline() -> None:
    one, four = StackBench(name="one"), StackBench(name="four", num_tx_queues=2)
    run = Tc([one.dev, four.dev]).run
    run("qdisc replace dev four root handle 1: mq")
    assert [line.partition(" bands")[0] for line in run("tc qdisc").splitlines()] == [
        "qdisc pfifo_fast 0: dev one root refcnt 2",
        "qdisc mq 1: dev four root ",
        "qdisc pfifo_fast 0: dev four parent 1:1",
        "qdisc pfifo_fast 0: dev four parent 1:2",
    ]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("tc qdisc replace dev eth0 root handle 1: pfifo limit 4x",
         "column 54: '4x': pfifo: Illegal value for \"limit\": \"4x\" (not a size (units: b, k, "),
        ("tc qdisc replace dev eth0 root handle 1: pfifo limt 4",
         "column 48: 'limt': pfifo: unknown parameter \"limt\""),
        ("tc qdisc replace dev eth0 root handle 1: pfifo limit",
         "column 53: Command line is not complete. Try option \"help\""),
        ("tc qdisc replace dev eth0 root pfifo_fast limit 4",
         "column 43: 'limit': qdisc 'pfifo_fast' does not support option parsing"),
        ("tc qdisc replace dev eth0 root noqueue foo",
         "column 40: 'foo': Unknown qdisc \"noqueue\", hence option \"foo\" is unparsable"),
        ("tc qdisc replace dev eth0 root handle g: pfifo",
         "column 39: 'g:': Error: argument \"g:\" is wrong: invalid qdisc ID"),
        ("tc qdisc replace dev eth0 root handle 10000: pfifo",
         "column 39: '10000:': Error: argument \"10000:\" is wrong: invalid qdisc ID"),
        ("tc qdisc replace dev eth1 root pfifo", "column 22: 'eth1': Cannot find device \"eth1\" (allowed: eth0)"),
        ("tc qdisc replace root pfifo", "column 10: 'replace': RTNETLINK answers: No such device"),
        ("tc qdisc replace dev eth0 pfifo", "column 27: 'pfifo': Error: Handle cannot be zero."),
        ("tc qdisc replace dev eth0 root", "column 27: 'root': Error: Specified qdisc kind is unknown."),
        ("tc qdisc add dev eth0 root root pfifo", "column 28: 'root': Error: \"root\" is duplicate parent ID"),
        ("tc qdisc add dev eth0 root parent 1:1 pfifo",
         "column 35: '1:1': Error: duplicate \"parent\": \"1:1\" is the second value."),
        ("tc qdisc add dev eth0 dev eth0 root pfifo",
         "column 27: 'eth0': Error: duplicate \"dev\": \"eth0\" is the second value."),
        ("tc qdisc add dev eth0 root handle 1: handle 2: pfifo",
         "column 38: 'handle': Error: duplicate \"handle\": \"handle\" is the second value."),
        ("tc qdisc add dev eth0 parent 1:10000 pfifo",
         "column 30: '1:10000': Error: argument \"1:10000\" is wrong: invalid parent ID"),
        ("tc qdisc add dev eth0 parent 2:1 handle 10: pfifo",
         "column 30: '2:1': Error: Failed to find specified qdisc."),
        ("tc qdisc", None),
        ("tc", "column 3: Command line is not complete."),
        ("", "column 1: Command line is not complete."),
        ("tc qdisc change dev eth0 root pfifo",
         "column 31: 'pfifo': Error: Qdisc not found. To create specify NLM_F_CREATE flag."),
        ("tc qdisc del dev eth0 root", "column 23: 'root': Error: Cannot delete qdisc with handle of zero."),
        ("tc qdisc show dev eth0 pfifo", "column 24: 'pfifo': What is \"pfifo\"? Try \"tc qdisc help\"."),
        ("tc -x qdisc", "column 4: '-x': Option \"-x\" is unknown, try \"tc -help\"."),
        ("tc qdisc foo dev eth0", "column 10: 'foo': Command \"foo\" is unknown, try \"tc qdisc help\"."),
        ("tc foo", "column 4: 'foo': Object \"foo\" is unknown, try \"tc help\"."),
        ("tc qdisc add dev eth0 root stab pfifo", "column 33: 'pfifo': "),
        ("tc qdisc add dev eth0 root stab overhead x pfifo",
         "column 42: 'x': Error: argument \"invalid overhead\" is wrong: overhead"),
        ("tc qdisc add dev eth0 root stab linklayer foo pfifo",
         "column 43: 'foo': Error: argument \"invalid linklayer\" is wrong: linklayer"),
        ("tc class add dev eth0 parent 1: classid 1g drr",
         "column 41: '1g': Error: argument \"1g\" is wrong: invalid class ID"),
        ("tc class add dev eth0 parent 1: classid 1:5 drr quantm 5", "column 49: 'quantm': What is \"quantm\"?"),
        ("tc class add dev eth0 parent 1: classid 1:5 drr quantum 5q", "column 57: '5q': Illegal \"quantum\""),
        ("tc class add dev eth0 parent 1: classid 1:5 tbf", "column 45: 'tbf': Error: Qdisc \"tbf\" is classless."),
        ("tc class add dev eth0 parent 1: classid 1:5 prio", "column 45: 'prio': Error: Qdisc \"prio\" is classless."),
        ("tc class add dev eth0 parent 3: classid 3:2 drr",
         "column 41: '3:2': RTNETLINK answers: No such file or directory"),
        ("tc filter add dev eth0 parent xyz u32", "column 31: 'xyz': Error: argument \"xyz\" is wrong: Invalid parent"),
        ("tc filter add dev eth0 prio 70000 u32",
         "column 29: '70000': Error: argument \"70000\" is wrong: invalid priority value"),
        ("tc filter add dev eth0 protocol foo prio 1 u32",
         "column 33: 'foo': Error: argument \"foo\" is wrong: invalid protocol"),
        ("tc filter del dev eth0", "column 11: 'del': Error: Qdisc not classful.; We have an error"),
        ("tc -batch /no/such/file", "column 11: '/no/such/file': Cannot open file \"/no/such/file\" for"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_refused_with_the_word_and_its_column(bench: StackBench, line: str, error: str | None) -> None:
    before = bench.dev.qdisc
    if error is None:
        Tc([bench.dev]).run(line)
    else:
        with pytest.raises(CommandError) as caught:
            Tc([bench.dev]).run(line)
        assert str(caught.value).startswith(error) and "\n" not in str(caught.value)
    assert bench.dev.qdisc is before


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("qdisc add dev eth0 root handle 2: pfifo", "column 32: '2:': Error: NLM_F_REPLACE needed to override."),
        ("qdisc add dev eth0 root handle 1: bfifo",
         "column 35: 'bfifo': Error: Exclusivity flag on, cannot modify."),
        ("qdisc add dev eth0 root bfifo", "column 25: 'bfifo': Error: Exclusivity flag on, cannot modify."),
        ("qdisc change dev eth0 root handle 2: bfifo", "column 35: '2:': Error: NLM_F_REPLACE needed to override."),
        ("qdisc change dev eth0 root handle 1: pfifo",
         "column 38: 'pfifo': Error: Invalid qdisc name: must match existing qdisc."),
        ("qdisc replace dev eth0 root handle 1: pfifo",
         "column 39: 'pfifo': Error: Invalid qdisc name: must match existing qdisc."),
        ("qdisc del dev eth0 root handle 2:", "column 32: '2:': Error: Invalid handle."),
        ("qdisc del dev eth0 root pfifo",
         "column 25: 'pfifo': Error: Invalid qdisc name: must match existing qdisc."),
        ("qdisc del dev eth0 handle 1:", "column 7: 'del': Error: Classid cannot be zero."),
        ("qdisc add dev eth0 parent 1:1 pfifo", "column 27: '1:1': Error: Parent qdisc is not classful."),
        ("class add dev eth0 parent 1: classid 1:1 drr", "column 38: '1:1': RTNETLINK answers: Invalid argument"),
        ("filter del dev eth0 parent 1:", "column 28: '1:': Error: Qdisc not classful.; We have an error"),
    ],
)  # fmt: skip
def test_an_existing_root_is_respected_as_by_the_kernel(bench: StackBench, line: str, error: str) -> None:
    run = Tc([bench.dev]).run
    run("qdisc add dev eth0 root handle 1: bfifo")
    with pytest.raises(TcError) as caught:
        run(line)
    assert str(caught.value).startswith(error)
    assert bench.dev.qdisc.kind == "bfifo"


@pytest.mark.parametrize(
    "line",
    [
        "filter add dev eth0 parent 1: prio 1 flower ct_state 3",
        "filter add dev eth0 parent 1: prio 1 basic match text(x)",
        "qdisc add dev eth0 root estimator 1 2 pfifo",
    ],
)
def test_what_there_is_no_model_of_is_told_apart_from_mistakes(bench: StackBench, line: str) -> None:
    with pytest.raises(TcUnknown):
        Tc([bench.dev]).run(line)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("qdisc add dev eth0 root cake bandwidth 10mbit", "25: 'cake': Error: Specified qdisc kind is unknown. ("),
        ("qdisc add dev eth0 root no_such", "25: 'no_such': Error: Specified qdisc kind is unknown. (allowed: bfifo, "),
        ("qdisc add dev eth0 root no_such x 3",
         "25: 'no_such': Unknown qdisc \"no_such\", hence option \"x\" is unparsable (allowed: bfifo, "),
        ("class add dev eth0 parent 1: classid 1:1 no_such rate 1mbit",
         "42: 'no_such': Error: Qdisc \"no_such\" is classless. (allowed: cbq, drr, dsmark, ets, hfsc, htb, qfq)"),
        ("filter add dev eth0 parent 1: prio 1 no_such",
         "38: 'no_such': Error: TC classifier not found.; We have an error talking to the kernel (allowed: basic, "),
        ("filter add dev eth0 parent 1: prio 1 tcindex mask 3", "38: 'tcindex': Error: TC classifier not found.; "),
        ("filter add dev eth0 parent 1: prio 1 no_such x",
         "38: 'no_such': Unknown filter \"no_such\", hence option \"x\" is unparsable (allowed: basic, flow, "),
    ],
)  # fmt: skip
def test_a_kind_that_there_is_not_is_refused_in_tcs_words(bench: StackBench, line: str, said: str) -> None:
    run = Tc([bench.dev]).run
    if not line.startswith("qdisc"):
        run("qdisc add dev eth0 root handle 1: prio")
    with pytest.raises(TcError) as caught:
        run(line)
    assert str(caught.value).startswith(f"column {said}")
    assert not isinstance(caught.value, TcUnknown)


def test_a_kind_that_refuses_the_device_is_pointed_at(bench: StackBench) -> None:
    bench.dev.tx_queue_len = 0
    with pytest.raises(TcError, match="column 25: 'pfifo_fast': Error: pfifo_fast needs a device with txqueuelen > 0"):
        Tc([bench.dev]).run("qdisc add dev eth0 root pfifo_fast")


@dataclass(frozen=True, slots=True)
class Params:
    rate: int | None = option("rate", shown="number")
    target: int | None = option("time", shown="number")
    depth: int = option("number", default=7)
    quiet: int | None = option("size", shown="")


def test_parameters_are_read_and_shown_by_their_units() -> None:
    words = Words("rate 8mbit target 5ms quiet 1k")
    params = tc.parse_params(words, Word("some", 1), Params)
    assert params == Params(rate=1_000_000, target=5000, depth=7, quiet=1024)
    assert tc.format_params(params) == "rate 1000000 target 5000 depth 7"
    assert tc.parse_params(Words(""), Word("some", 1), Params) is None


def test_sizes_count_in_1024s() -> None:
    assert [parse_size(text) for text in ("1514", "64b", "2k", "1.5KB", "1m", "8kbit", "1e3")] == [
        1514,
        64,
        2048,
        1536,
        1048576,
        1024,
        1000,
    ]
    for wrong in ("", "k", "-1", "4g", "1 k", "0x10", "nan", "1p"):
        with pytest.raises(ValueError):
            parse_size(wrong)


def test_rates_are_bits_unless_said_otherwise_and_count_in_1000s() -> None:
    assert [parse_rate(text) for text in ("8", "1mbit", "1mibit", "1mbps", "10Gbit", "0.5kbit", "12bit")] == [
        1,
        125_000,
        131_072,
        1_000_000,
        1_250_000_000,
        62,
        1,
    ]
    for wrong in ("fast", "1kb", "", "1e999"):
        with pytest.raises(ValueError):
            parse_rate(wrong)


def test_times_are_microseconds_unless_said_otherwise() -> None:
    assert [parse_time_us(text) for text in ("50", "5ms", "1s", "0.5us", "2secs")] == [50, 5000, 10**6, 0, 2 * 10**6]
    with pytest.raises(ValueError, match="more than 4294967295"):
        parse_time_us("5000s")


def test_numbers_may_be_decimal_hexadecimal_or_octal() -> None:
    assert [parse_u32(text) for text in ("10", "0x10", "010", "0")] == [10, 16, 8, 0]
    for wrong in ("", "ten", "-1", "4294967296", "08"):
        with pytest.raises(ValueError):
            parse_u32(wrong)


def test_handles_and_class_ids_are_hexadecimal() -> None:
    assert (parse_handle("10:"), parse_handle("ffff:")) == (0x100000, 0xFFFF0000)
    assert [parse_classid(text) for text in ("1:30", ":5", "a:", "8001:ffff")] == [0x10030, 5, 0xA0000, 0x8001FFFF]
    assert [format_handle(value) for value in (0x100000, 0x1000A, 0)] == ["10:", "1:a", "0:"]
    assert (parse_handle("1"), parse_handle("1:7"), parse_classid("10001")) == (0x10000, 0x10000, 0x10001)
    for wrong in ("", "1h", "10000:1", "1:x", "1:2:3"):
        with pytest.raises(ValueError):
            parse_classid(wrong)


def test_sizes_are_shown_in_the_largest_unit_that_fits() -> None:
    assert [format_size(size) for size in (0, 1514, 1023, 1024, 1039, 1040, 66000, 32 << 20, (1 << 20) + 1023)] == [
        "0b",
        "1514b",
        "1023b",
        "1Kb",
        "1Kb",
        "1040b",
        "66000b",
        "32Mb",
        "1Mb",
    ]


def test_state_is_shown_as_json_too(bench: StackBench) -> None:
    run = Tc([bench.dev]).run
    stab = "stab linklayer adsl tsize 100 overhead -4"
    run(f"qdisc add dev eth0 root handle 4: {stab} tbf rate 1mbit burst 5k latency 5ms")
    assert run("tc -d -j qdisc show dev eth0") == (
        '[{"kind":"tbf","handle":"4:","root":true,"refcnt":2,"options":{"rate":125000,"burst":"5Kb/1","mpu":0,'
        '"lat":5000,"linklayer":"ethernet"},"stab":{"linklayer":"atm","overhead":-4,"mtu":2047,"tsize":100}}]\n'
    )
    assert run("tc -s -d qdisc show dev eth0").splitlines()[:2] == [
        "qdisc tbf 4: root refcnt 2 rate 1Mbit burst 5Kb/1 mpu 0b lat 5ms linklayer ethernet ",
        " linklayer atm overhead -4 mtu 2047 tsize 100 ",
    ]
    assert run("tc -s class show dev eth0") == "class tbf 4:1 parent 4: \n\n"
    run("qdisc add dev eth0 parent 4:1 handle 10: pfifo")
    shown = run("tc -s -p -j qdisc show dev eth0")
    assert shown.startswith('[ {\n        "kind": "tbf",\n') and shown.count('"overlimits": 0,') == 2
    run("qdisc change dev eth0 root tbf rate 1mbit burst 5k latency 5ms")
    assert bench.dev.qdisc.stab is None, "a change without stab takes it away"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("overhead 4 mpu 64 rate 1mbit burst 5k latency 5ms peakrate 2mbit mtu 2000 linklayer atm",
         "rate 1Mbit burst 5671b peakrate 2Mbit minburst 2226b lat 4.1ms overhead 4 linklayer atm"),
        ("rate 8mbit burst 1514 limit 30000", "rate 8Mbit burst 1513b lat 28.5ms"),
        ("rate 500kbit maxburst 2000/8 latency 200ms", "rate 500Kbit burst 2000b lat 200ms"),
    ],
)  # fmt: skip
def test_tbf_is_shown_as_tc_shows_it(bench: StackBench, line: str, shown: str) -> None:
    run = Tc([bench.dev]).run
    run(f"qdisc add dev eth0 root handle 1: tbf {line}")
    assert run("qdisc show dev eth0") == f"qdisc tbf 1: root refcnt 2 {shown} \n"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("tbf rate 1mbit latency 5ms", 'tbf: the "burst" parameter is mandatory.'),
        ("tbf", 'tbf: the "rate" parameter is mandatory.\ntbf: the "burst" parameter is mandatory.\n'
                'tbf: either "limit" or "latency" is required.'),
        ("tbf rate 1mbit burst 5k latency 5ms limit 4k",
         'tbf: specifying both "latency" and "limit" is not allowed'),
        ("tbf rate 1mbit burst 5k limit 4k limit 4k", 'tbf: duplicate "limit" specification'),
        ("tbf rate 1mbit burst 5k buffer 5k", 'tbf: duplicate "buffer/burst/maxburst" specification'),
        ("tbf rate 1mbix burst 5k limit 4k", 'tbf: illegal value for "rate": "1mbix"'),
        ("tbf rate 1mbit burst 5q limit 4k", 'tbf: illegal value for "burst": "5q"'),
        ("tbf rate 1mbit burst 5k limit 4k foo", 'tbf: unknown parameter "foo"'),
        ("tbf rate 1mbit burst 5k limit 4k peakrate 1mbit",
         'tbf: when "peakrate" is specified, "mtu" must also be specified.'),
        ("tbf rate 1mbit burst 5k limit 4k peakrate 1mbit mtu 1500", "RTNETLINK answers: Invalid argument"),
        ("prio bands x", 'Illegal "bands"'),
        ("prio bands 3 1 2", 'What is "1"?'),
        ("prio bands 3 priomap 1 2 x", 'Illegal "priomap" element'),
        ("prio bands 3 priomap 1 2 5", '"priomap" element is out of bands'),
        ("prio bands 2", "RTNETLINK answers: Invalid argument"),
        ("ets", 'One of "bands", "quanta" or "strict" needs to be specified'),
        ("ets bands 3 strict 4", "Not enough total bands to cover all the strict bands and quanta"),
        ("ets bands 3 quanta 1 x", 'Illegal "quanta" element'),
        ("ets bands 3 foo", 'What is "foo"?'),
        ("ets bands 3 priomap 3", "Error: Invalid band number in priomap."),
        ("drr foo", 'What is "foo"?'),
    ],
)  # fmt: skip
def test_kinds_complain_in_their_own_words(bench: StackBench, line: str, error: str) -> None:
    with pytest.raises(TcError) as caught:
        Tc([bench.dev]).run(f"qdisc add dev eth0 root {line}")
    assert caught.value.printed == error


def test_a_batch_ends_at_the_first_error_or_goes_on_if_forced(bench: StackBench, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text("qdisc add dev eth0 root handle 1: prio\n\n# a comment\nqdisc foo\nqdisc show dev eth0\n")
    run = Tc([bench.dev]).run
    with pytest.raises(TcError) as caught:
        run(f"tc -batch {file}")
    assert caught.value.printed == f'Command "foo" is unknown, try "tc qdisc help".\nCommand failed {file}:4'
    assert (caught.value.status, caught.value.output) == (1, "")
    with pytest.raises(TcError) as caught:
        run(f"tc -force -batch {file}")
    said = [f"Command failed {file}:{number}" for number in (1, 4)]
    assert [line for line in caught.value.printed.splitlines() if line.startswith("Command failed")] == said
    assert caught.value.output.startswith("qdisc prio 1: root")


@dataclass(frozen=True, slots=True)
class Units:
    ecn: bool | None = option("flag", negative="noecn")
    mode: str | None = option("choice", choices=("slow", "fast"))
    gap: int | None = option("time_ns")
    shift: int | None = option("signed")
    share: float | None = option("percent")
    odds: float | None = option("probability")
    to: int | None = option("classid", name="default")
    quanta: tuple[int, ...] | None = option("sizes")


def test_every_unit_is_read_and_shown() -> None:
    words = Words("quanta 1k 64 ecn mode fast gap 5us shift -3 share 2.5% odds 0.02 default 1:a")
    params = tc.parse_params(words, Word("some", 1), Units)
    assert params == Units(True, "fast", 5000, -3, 0.025, 0.02, 0x1000A, (1024, 64))
    shown = "ecn mode fast gap 5us shift -3 share 2.5% odds 0.02 default 1:a quanta 1Kb 64b"
    assert tc.format_params(params) == shown
    assert tc.parse_params(Words("noecn"), Word("some", 1), Units) == Units(ecn=False)
    for wrong in ("mode medium", "shift x", "share 101%", "odds 2", "quanta", "gap", "quanta x"):
        with pytest.raises(TcError):
            tc.parse_params(Words(wrong), Word("some", 1), Units)


def test_rates_and_times_are_shown_as_tc_shows_them() -> None:
    rates = (125_000, 62_500, 1543, 1_250_000_000, 0, 1_562_500, 10**12)
    assert [format_rate(rate) for rate in rates] == [
        "1Mbit",
        "500Kbit",
        "12344bit",
        "10Gbit",
        "0bit",
        "12500Kbit",
        "8Tbit",
    ]
    assert [format_time_us(us) for us in (0, 999, 1000, 5120, 27_123, 2_500_000)] == [
        "0us",
        "999us",
        "1ms",
        "5.12ms",
        "27.1ms",
        "2.5s",
    ]
    assert [format_time_ns(ns) for ns in (20, 1670, 10**7, 3 * 10**9)] == ["20ns", "1.67us", "10ms", "3s"]
    assert [format_classid(classid) for classid in (0, 0xFFFFFFFF, 5, 0x10000, 0x1000A)] == [
        "none",
        "root",
        ":5",
        "1:",
        "1:a",
    ]
