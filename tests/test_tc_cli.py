"""ringwire tc: what tc prints, its exit codes, and where the offending word stands."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from ringwire.tools.tc import Tc, TcError
from tests.stack_bench import StackBench
from tests.test_cli import Ringwire, ringwire

__all__ = ["ringwire"]


def test_lines_and_words_are_carried_out_on_eth0(ringwire: Ringwire) -> None:
    code, out, err = ringwire("tc", "-j", "qdisc", "show", "dev", "eth0")
    assert (code, json.loads(out)[0]["kind"], err) == (0, "pfifo_fast", "")
    lines = (
        "qdisc add dev eth0 root handle 1: prio",
        "filter add dev eth0 parent 1: protocol ip prio 1 basic match 'cmp(u8 at 9 layer 1 eq 17)' flowid 1:1",
        "filter show dev eth0",
    )
    code, out, err = ringwire("tc", *lines)
    assert (code, err) == (0, "")
    assert out.endswith("handle 0x1 flowid 1:1 \n  cmp(u8 at 9 layer 1 eq 17)\n\n")
    code, out, _ = ringwire("tc", "-s", *lines)
    assert out.endswith("(rule hit 0 success 0)\n\n"), "switches are for every line"
    words = ["filter", "add", "dev", "eth0", "parent", "1:", "prio", "1", "basic", "match"]
    code, _, err = ringwire("tc", *words, "cmp(u8 at 9 layer 1 eq 17)", "flowid", "1:1")
    assert (code, err.splitlines()[0]) == (2, "Error: Parent Qdisc doesn't exists.")


def test_devices_are_those_that_are_asked_for(ringwire: Ringwire) -> None:
    code, out, _ = ringwire("tc", "--dev", "a:2", "--dev", "b:1:9000", "qdisc", "show")
    assert code == 0
    assert [line.partition(" bands")[0] for line in out.splitlines()] == [
        "qdisc mq 0: dev a root ",
        "qdisc pfifo_fast 0: dev a parent :1",
        "qdisc pfifo_fast 0: dev a parent :2",
        "qdisc pfifo_fast 0: dev b root refcnt 2",
    ]
    lines = ("qdisc add dev b clsact", "filter add dev b egress prio 1 matchall action mirred egress redirect dev a")
    assert ringwire("tc", "--dev", "a:2", "--dev", "b:1:9000", *lines)[0] == 0
    rate = ("tc", "--dev", "a:1:1500:2gbit", "--dev", "b")
    code, out, _ = ringwire(*rate, "qdisc add dev a root tbf rate 10% burst 5k limit 5k", "qdisc show dev a")
    assert code == 0 and "root refcnt 2 rate 200Mbit burst 5100b" in out
    code, _, err = ringwire(*rate, "qdisc add dev b root tbf rate 10% burst 5k limit 5k")
    assert (code, err) == (
        1,
        'property "speed" in file /sys/class/net/b/speed is currently unknown\nFailed to parse /sys/class/net/b/speed\n'
        'tbf: illegal value for "rate": "10%"\nringwire: column 31: \'10%\'\n',
    )
    for wrong in ("a:x", ":1", "a:0", "a:1:2:3", "a:1:60", "a:1:1500:x", "a:1:1500:1gbit:1"):
        code, out, err = ringwire("tc", "--dev", wrong, "qdisc")
        assert (code, out, err.count("\n")) == (2, "", 1) and f"--dev {wrong!r}; allowed: " in err


def test_a_device_named_teql_is_a_link_equalizer_whose_kind_the_others_have(ringwire: Ringwire) -> None:
    devices = ("--dev", "teql0", "--dev", "eth0", "--dev", "eth1", "--dev", "teql3")
    lines = ("qdisc add dev eth0 root teql0", "qdisc add dev eth1 root teql3", "qdisc show")
    code, out, err = ringwire("tc", *devices, *lines)
    assert (code, err) == (0, "")
    assert [line.partition(" bands")[0] for line in out.splitlines()] == [
        "qdisc pfifo_fast 0: dev teql0 root refcnt 2",
        "qdisc teql0 8001: dev eth0 root refcnt 2 ",
        "qdisc teql3 8001: dev eth1 root refcnt 2 ",
        "qdisc pfifo_fast 0: dev teql3 root refcnt 2",
    ]
    code, _, err = ringwire("tc", *devices, "qdisc add dev teql0 root teql0")
    assert (code, err.splitlines()[0]) == (2, "RTNETLINK answers: Too many levels of symbolic links")
    code, _, err = ringwire("tc", *devices, "qdisc add dev eth0 root teql1")
    assert (code, err.splitlines()[0]) == (2, "Error: Specified qdisc kind is unknown.")
    assert ", teql0, teql3" in err
    code, _, err = ringwire("tc", "qdisc add dev eth0 root teql0")
    assert code == 2 and ", tbf" in err and ", teql0" not in err
    code, _, err = ringwire("tc", "--dev", "teql0:2", "qdisc")
    assert code == 2 and "--dev 'teql0:2'; allowed: teql0: it has one queue" in err


def test_its_devices_take_the_offloads_of_the_driver(ringwire: Ringwire) -> None:
    lines = (
        "qdisc add dev eth0 root handle 1: mqprio num_tc 2 map 0 1 queues 1@0 3@1 hw 1",
        "qdisc add dev eth0 parent 1:1 etf clockid CLOCK_TAI delta 300000 offload",
        "qdisc show dev eth0",
    )
    code, out, err = ringwire("tc", "--dev", "eth0:4", *lines)
    assert (code, err) == (0, "")
    assert out.startswith("qdisc mqprio 1: root tc 2 map 0 1 ") and " queues:(0:0) (1:3) \n" in out
    assert "parent 1:1 clockid TAI delta 300000 offload on deadline_mode off skip_sock_check off\n" in out
    rates = "mqprio num_tc 2 map 0 1 queues 1@0 1@1 mode channel shaper bw_rlimit min_rate 1mbit 2mbit max_rate 5mbit 0"
    code, out, _ = ringwire("tc", "--dev", "eth0:4", f"qdisc add dev eth0 root {rates}", "qdisc show")
    assert code == 0 and "\tmin_rate:1Mbit 2Mbit \tmax_rate:5Mbit 0bit" in out


CHANNEL = "queues 4@0 mode channel shaper bw_rlimit"
CBS = "cbs idleslope 5000 sendslope -5000 hicredit 1 locredit -1"


@pytest.mark.parametrize(
    ("options", "said", "word"),
    [
        (f"{CBS} offload 1", "Error: Specified device failed to setup cbs hardware offload.", "offload"),
        (f"{CBS} o 1", "Error: Specified device failed to setup cbs hardware offload.", "o"),
        ("taprio num_tc 1 map 0 queues 4@0 sched-entry S 1 10000000 flags 2",
         "Error: Device failed to setup taprio offload.", "flags"),
        ("taprio num_tc 1 map 0 queues 4@0 sched-entry S 1 10000000 clockid TAI flags 2",
         "Error: The 'clockid' cannot be specified for full offload.", "clockid"),
        ("mqprio num_tc 9 map 0", "Error: 9 traffic classes can't share 4 queues.", "num_tc"),
        ("mqprio num_tc 2 map 0 5", "Error: Invalid traffic class in priority to traffic class mapping.", "map"),
        ("mqprio num_tc 1 map 0 queues 9@0", "Error: sch_mqprio_lib: Queues 9:0 for TC 0 exceed the 4 TX queues "
         "available.", "queues"),
        (f"mqprio num_tc 1 map 0 {CHANNEL} max_rate 10mbit",
         "Error: max_rate needs a class with one queue: queues have limits, not classes.", "max_rate"),
        ("etf offload", "Error: Dynamic clockids are not supported.", "etf"),
        ("etf clockid MONOTONIC offload", "Error: Invalid clockid. CLOCK_TAI must be used.", "clockid"),
        ("etf clockid TAI delta -1", "Error: Delta must be positive.", "delta"),
    ],
)  # fmt: skip
def test_what_the_driver_refuses_points_at_the_option(options: str, said: str, word: str, ringwire: Ringwire) -> None:
    line = f"qdisc add dev eth0 root {options}"
    code, out, err = ringwire("tc", "--dev", "eth0:4", line)
    assert (code, out) == (2, "")
    assert err == f"{said}\nringwire: column {f'{line} '.index(f' {word} ') + 2}: {word!r}\n"


def test_a_device_without_offloads_is_pointed_at_as_well() -> None:
    run = Tc([StackBench(name="eth0", num_tx_queues=2).dev]).run
    for options, word in (
        ("etf clockid TAI offload", "offload"),
        (f"{CBS} offload 1", "offload"),
        ("mqprio num_tc 2 map 0 hw 1", "hw"),
        ("mqprio num_tc 2 map 0", "mqprio"),
        ("taprio num_tc 1 map 0 queues 2@0 sched-entry S 1 10000000 flags 2", "flags"),
    ):
        with pytest.raises(TcError) as caught:
            run(f"qdisc add dev eth0 root {options}")
        assert caught.value.word.text == word, caught.value


def test_a_batch_stops_at_the_first_error_unless_forced(
    ringwire: Ringwire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "# set up\nqdisc add dev eth0 root \\\n  handle 1: prio\nqdisc foo dev eth0\nqdisc show dev eth0\n"
    file = tmp_path / "lines"
    file.write_text(text)
    said = f"""Command "foo" is unknown, try "tc qdisc help".
Command failed {file}:4
ringwire: {file}:4, column 7: 'foo'"""
    code, out, err = ringwire("tc", "-batch", file)
    assert (code, out) == (1, "") and err.startswith(said)
    code, out, err = ringwire("tc", "-force", "-batch", file)
    assert code == 1 and out.startswith("qdisc prio 1: root") and err.startswith(said)
    monkeypatch.setattr("sys.stdin", io.StringIO(text.replace("foo", "show")))
    code, out, _ = ringwire("tc", "-j", "-b", "-")
    assert (code, out.count('"kind":"prio"')) == (0, 2), "switches are for every line"
    code, _, err = ringwire("tc", "-b", tmp_path / "nothing")
    assert code == 1 and err.startswith(f'Cannot open file "{tmp_path / "nothing"}" for reading: No such file')


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("filter add dev eth0 parent 1: prio 1 basic match meta(foo eq 3)", 1,
         "meta: unknown meta id\n\n... meta(foo eq >>3)<< ...\n... meta(>>foo<< eq 3)...\nIllegal \"ematch\"\n"
         "ringwire: column 55: 'foo'\n"),
        ("filter add dev eth0 parent 1: prio 1 matchall action police rate 1mbit burst 4q", 255,
         "Error: argument \"4q\" is wrong: buffer\nringwire: column 78: '4q'\n"),
        ("qdisc add dev eth0 parent 7: prio", 2,
         "Error: Failed to find specified qdisc.\nringwire: column 27: '7:'\n"),
        ("qdisc add dev eth9 root prio", 1,
         "Cannot find device \"eth9\"\nringwire: column 15: 'eth9' (allowed: eth0)\n"),
        ("qdisc show dev", 255,
         "Command line is not complete. Try option \"help\"\nringwire: column 15, the end of the line\n"),
        ("filter add dev eth0 prio 1 flower ct_state 3", 2, "ringwire: column 35: 'ct_state': no such key; there are "),
        ("qdisc add dev eth0 root foo", 2,
         "Error: Specified qdisc kind is unknown.\nringwire: column 25: 'foo' (allowed: bfifo, "),
        ("qdisc add dev eth0 root foo limit 10", 1,
         "Unknown qdisc \"foo\", hence option \"limit\" is unparsable\nringwire: column 25: 'foo' (allowed: bfifo, "),
        ("qdisc del dev eth0 root foo", 2,
         "Error: Invalid qdisc name: must match existing qdisc.\nringwire: column 25: 'foo'\n"),
        ("filter add dev eth0 prio 1 matchall action pedit munge", 2, "ringwire: column 44: 'pedit': no such action"),
    ],
)  # fmt: skip
def test_what_fails_exits_as_tc_does_and_points_at_the_word(
    line: str, code: int, said: str, ringwire: Ringwire
) -> None:
    got, out, err = ringwire("tc", *line.split())
    assert (got, out) == (code, "") and err.startswith(said)
    got, out, err = ringwire("tc", "qdisc show dev eth0", line)
    assert got == code and out.startswith("qdisc pfifo_fast") and "ringwire: line 2, column" in err


def test_its_help_says_what_it_takes(ringwire: Ringwire) -> None:
    code, out, err = ringwire("tc", "--help")
    assert (code, err) == (0, "")
    for word in ("--dev", "-batch", "-force", "-s, -d, -j", "standard error says in which column", "Examples:"):
        assert word in " ".join(out.split())


def test_warnings_are_on_standard_error(ringwire: Ringwire) -> None:
    lines = (
        "qdisc add dev eth0 clsact",
        "filter add dev eth0 egress prio 1 matchall action drop index 5",
        "actions add action drop index 3",
        "actions flush action gact",
    )
    assert ringwire("tc", *lines) == (0, "", "Warning: Unable to flush all TC actions.\n")
