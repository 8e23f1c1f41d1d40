"""The ``ringwire`` command.

Exit codes: 0 it worked; 1 it ran and something was wrong; 2 it can't be done as asked (bad input, missing tool);
70 a fault of ringwire's own; 130 interrupted. Errors are one line on stderr; results go to stdout, progress to stderr.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from types import FrameType
from typing import IO, Any, NoReturn, TypeVar

import click
from rich.console import Console

from ringwire import __version__
from ringwire.compiled.commands import compile_command, tune_command
from ringwire.conformance import conformance, conformance_on_rtl
from ringwire.cosim.run import SimulationFailed
from ringwire.experiment.commands import list_command, new_command, run_command
from ringwire.experiment.commands_report import report_command, sweep_command
from ringwire.experiment.commands_results import results_command
from ringwire.experiment.tomlfile import ExperimentError
from ringwire.faults import FAULTS, FaultError, fault_named
from ringwire.places import BuildError
from ringwire.progress import ProgressBar
from ringwire.registry import LoadError, load_file
from ringwire.replay import ReplayConfig, ReplayError, ReplayFailed, ReplayReport, replay
from ringwire.replay.config import SIMULATORS
from ringwire.rig.plugin import PluginError, driver_factory
from ringwire.rig.values import parse_clock, parse_line_rate, parse_numbers, parse_words
from ringwire.tools.tc_cli import DEFAULT_DEVICE, make_devices, run_tc
from ringwire.tools.units import parse_size
from ringwire.whose import in_one_line, place, told

DEBUG_VARIABLE = "RINGWIRE_DEBUG"
BAD_INPUT, FAILED, INTERNAL, INTERRUPTED, TERMINATED = 2, 1, 70, 130, 143

T = TypeVar("T", bound=Callable[..., Any])

_EPILOG = """\b
Examples:
  ringwire replay in.pcap --out out.pcap
  ringwire replay in.pcap --out out.pcap --sim twin --line-rate 1gbit --json
  ringwire replay in.pcap --out out.pcap --qdisc "bfifo limit 30000" --bql off --pace capture
  ringwire replay in.pcap --out out.pcap --queues 4 --tx-usecs 50 --tx-frames 16 --waves build/waves
  ringwire replay in.pcap --out out.pcap --load shortest_first.py --qdisc "shortest limit 100"
  ringwire replay in.pcap --out out.pcap --config setup.sh --then "tc -s qdisc show" --then "ethtool -S eth0"
"""

_TC_EPILOG = """\b
Examples:
  ringwire tc -batch setup.tc
  ringwire tc --dev eth0:4 --dev eth1:1:9000 -s -batch setup.tc
  ringwire tc -j qdisc show
  ringwire tc "qdisc add dev eth0 root handle 1: prio" \\
              "filter add dev eth0 parent 1: protocol ip prio 1 u32 match ip dport 53 0xffff flowid 1:1" \\
              "filter show dev eth0"
  ringwire tc -b - < setup.tc
"""

SWITCH = click.Choice(["on", "off"])
_DEFAULTS = {field.name: field.default for field in fields(ReplayConfig)}


def knob(
    option: str, name: str, metavar: str, text: str, parse: Callable[[str], object] | None = None, shown: str = ""
) -> Callable[[T], T]:
    """An option for a field of :class:`ReplayConfig`: of its type, or read by ``parse``, which raises ValueError."""
    default = _DEFAULTS[name]

    def read(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        try:
            return parse(value) if parse is not None and value is not None else value
        except ValueError as error:
            raise click.BadParameter(f"{value!r}: {error}", ctx, param) from None

    return click.option(
        option,
        name,
        metavar=metavar,
        type=str if parse is not None else type(default),
        callback=read,
        help=f"{text}  [{shown or default}]",
    )


load_option = click.option(
    "--load",
    metavar="FILE.py",
    multiple=True,
    help="Disciplines, filters or actions of your own, which lines may then name. Repeatable.",
)


def list_faults(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """``--fault list``: a line each, and that is all."""
    if value == "list":
        for fault in FAULTS.values():
            click.echo(f"{fault.name:26}{fault.text}")
        ctx.exit()
    return value


class Interrupted(Exception):
    """Ctrl-C. An exception of its own, because click answers KeyboardInterrupt with a line of its own."""


class Terminated(BaseException):
    """SIGTERM. No SystemExit, which a user's driver may raise as well, and which is then named as its mistake."""


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted from None


@click.group(
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """A NIC's transmit path, from the socket to the wire: Linux-like software on a simulated Verilog device."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@cli.command("replay", epilog=_EPILOG)
@click.argument("capture", metavar="IN.pcap", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="OUT.pcap", help="What was on the wire.")
@knob("--sim", "sim", "NAME", "verilator, icarus, or twin: a behavioural device, no simulator.")
@knob("--mtu", "mtu", "BYTES", "TCP over it is segmented; UDP over it is refused.")
@knob(
    "--line-rate", "line_rate_bps", "RATE", "As in tc: 100G, 10gbit, 5mbit.", parse_line_rate, "by width, 10G to 100G"
)
@knob("--width", "width", "BITS", "Data path: 64, 128, 256 or 512.")
@knob("--clock", "clock_mhz", "FREQUENCY", "The device's clock.", parse_clock, "250MHz; 156.25MHz for 64 bits")
@knob("--queues", "queues", "N", "Transmit queues: 1, 2, 4, 8 or 16.")
@knob("--ring", "ring", "N", "Descriptors of a ring: a power of two, 64 to 32768.")
@knob(
    "--qdisc",
    "qdisc",
    "WORDS",
    'Root discipline as in tc: pfifo, "bfifo limit 30000".',
    parse_words,
    "pfifo_fast, below mq",
)
@knob("--txqueuelen", "txqueuelen", "PACKETS", "The device's queue length, as ip link sets it.")
@click.option("--bql", type=SWITCH, default="on", help="Byte queue limits.  [on]")
@click.option("--tso", type=SWITCH, default="on", help="Segmentation by the device.  [on]")
@click.option("--csum", type=SWITCH, default="on", help="Checksums by the device; without them no segmentation.  [on]")
@knob(
    "--pace",
    "pace",
    "NAME",
    "fast: behind a socket buffer that waits. capture: at the capture's times. launch: ahead of them, and the device "
    "holds each packet until its time.",
)
@click.option(
    "--late",
    type=click.Choice(["send", "drop"]),
    default="send",
    help="At the pace launch: what the device does with a packet whose time has passed.  [send]",
)
@knob("--sndbuf", "sndbuf", "SIZE", "The socket buffer at the fast pace, as in tc: 208k.", parse_size)
@knob("--tx-usecs", "tx_usecs", "US", "Interrupt moderation, as ethtool -C.")
@knob("--tx-frames", "tx_frames", "N", "Interrupt moderation, as ethtool -C.")
@knob("--cpl-threshold", "cpl_threshold", "N", "Completions that the device gathers: 1 to 16.")
@knob("--cpl-timer", "cpl_timer_ns", "NS", "... or for how long.")
@knob("--report-every", "report_every", "N", "Have each N-th packet of a batch reported, and the last.")
@knob("--napi-budget", "napi_budget", "N", "Completions that one poll may take.")
@knob("--watchdog", "watchdog_ms", "MS", "Reset a queue that has been stopped for longer.")
@knob(
    "--weights",
    "weights",
    "N,N,...",
    "Bytes a round of each queue in the device's scheduler.",
    parse_numbers,
    "0,0,...",
)
@knob("--priorities", "priorities", "N,N,...", "Strict priority of each queue there, 0 to 7.", parse_numbers, "0,0,...")
@knob(
    "--select-queue",
    "select_queue",
    "MODULE:FUNC",
    "A function (dev, skb) of your own that chooses the transmit queue; FILE.py:FUNC does as well.",
    parse_words,
    "XPS, then hash",
)
@knob("--cpus", "cpus", "N", "CPUs of the host. Each sends some flows; queue N interrupts CPU N, counted round.")
@knob("--mem-latency", "mem_latency_ns", "NS", "Latency of host memory.")
@click.option(
    "--host",
    type=click.Choice(["server", "free"]),
    default="server",
    help="What the host's own work costs: as on a server, or no time at all.  [server]",
)
@knob(
    "--driver", "driver", "MODULE:CLASS", "A driver of your own; FILE.py:CLASS does as well.", parse_words, "ringwire's"
)
@click.option(
    "--config",
    "setup",
    metavar="FILE",
    type=click.File(encoding="utf-8"),
    help="Lines of tc, ethtool, ip, and echo into sysfs, for eth0; - is standard input.",
)
@load_option
@click.option(
    "--then", "afterwards", metavar="LINE", multiple=True, help='A line for the end: "tc -s qdisc show". Repeatable.'
)
@click.option(
    "--fault",
    metavar="NAME",
    default="",
    is_eager=True,
    callback=list_faults,
    help="Put a classic bug in; list: which there are. docs/bugs.md says more.  [none]",
)
@knob("--dma-order", "dma_order_ns", "NS", "Hide what is written to rings from the device so long, or to a barrier.")
@knob("--lose-doorbells", "doorbell_loss", "SHARE", "Doorbells that get lost on the bus, 0 to 1.")
@knob("--delay-doorbells", "doorbell_delay", "SHARE", "Doorbells that are up to 10 us late, 0 to 1.")
@click.option("--no-jump", is_flag=True, help="Simulate every clock cycle, also while only time passes.")
@knob("--seed", "seed", "N", "Of all that is random.")
@click.option("--waves", type=click.Path(path_type=Path), metavar="PATH", help="Record waves to PATH.fst; slow.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
def replay_command(
    out: Path,
    bql: str,
    tso: str,
    csum: str,
    host: str,
    late: str,
    no_jump: bool,
    waves: Path | None,
    as_json: bool,
    setup: IO[str] | None,
    afterwards: tuple[str, ...],
    **given: Any,
) -> None:
    """Replay a capture through stack, driver and device; write what leaves on the wire.

    IN.pcap is any Ethernet pcap or pcapng. A TCP packet over the MTU is a super-packet; TCP and UDP checksums are
    made anew; IP fragments, truncated frames and unknown protocols pass untouched. OUT.pcap has the wire's own
    time stamps in nanoseconds, from 0, or on the capture's own scale with --pace capture and launch. It appears
    whole or not at all. The exit code is 0 only if every packet is accounted for and nothing was wrong on the way.
    """
    config = ReplayConfig(
        bql=bql == "on",
        tso=tso == "on",
        csum=csum == "on",
        free_host=host == "free",
        drop_late=late == "drop",
        jump=not no_jump,
        waves=waves,
        setup=read_lines(setup),
        afterwards=afterwards,
        **{name: value for name, value in given.items() if value is not None},
    )
    with ProgressBar(config.sim, Console(stderr=True)) as progress:
        report = replay(config, out, progress)
    show(report, as_json)
    if not report.ok:
        sys.exit(FAILED)


@cli.command("conformance")
@click.argument("driver", metavar="[MODULE:CLASS]", default="")
@click.option("--fault", metavar="NAME", default="", is_eager=True, callback=list_faults, help="As in replay.  [none]")
@click.option(
    "--sim", type=click.Choice(SIMULATORS), default="twin", help="verilator, icarus, or twin: no simulator.  [twin]"
)
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
def conformance_command(driver: str, fault: str, sim: str, as_json: bool) -> None:
    """Judge a driver: which rules it keeps, and which bugs of docs/bugs.md it has.

    MODULE:CLASS, or FILE.py:CLASS, is a driver as replay takes one; without it, ringwire's own is judged. Each rule is
    a short run, on the twin or on the RTL. The exit code is 0 only if no rule is broken; what the driver does not offer
    is skipped.
    """
    try:
        wanted = fault_named(fault)
        if wanted is not None and wanted.driver is not None and driver:
            raise FaultError(f"{fault}: it is in ringwire's own driver; leave {driver} away")
        if wanted is not None and not wanted.goes_into(sim):
            raise FaultError(f"{fault}: it is in the twin alone; add --sim twin")
        factory = driver_factory(driver)
        if sim == "twin":
            report = conformance(factory, fault=wanted)
        else:
            report = conformance_on_rtl(driver, fault=wanted, sim=sim)
    except FaultError as error:
        raise ReplayError(f"--fault {error}") from error
    except (PluginError, BuildError) as error:
        raise ReplayError(str(error)) from error
    click.echo(json.dumps(report.as_json(), indent=1) if as_json else "\n".join(report.lines()))
    if not report.ok:
        sys.exit(FAILED)


@cli.command(
    "tc",
    epilog=_TC_EPILOG,
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
    options_metavar="[--dev NAME[:QUEUES[:MTU[:SPEED]]]]... [--load FILE.py]...",
)
@click.option(
    "--dev",
    "devices",
    metavar="NAME[:QUEUES[:MTU[:SPEED]]]",
    multiple=True,
    help=f"A device that the lines may name, teqlN a TEQL master; SPEED as 10gbit. Repeatable.  [{DEFAULT_DEVICE}]",
)
@load_option
@click.argument("line", nargs=-1, type=click.UNPROCESSED, metavar="-batch FILE | LINE...")
def tc_command(devices: tuple[str, ...], load: tuple[str, ...], line: tuple[str, ...]) -> None:
    """Carry out lines of tc: qdisc, class, filter and actions.

    LINE is the words of one line, or several arguments of a line each. With -batch, lines come from FILE, - for
    standard input, up to the first that fails, or all of them with -force. tc's -s, -d, -j and -p come before either.

    Devices are made for the lines and gone after them: show what you set up in the same command. They take the offloads
    that ringwire's device has (etf, mqprio). It prints what tc prints and exits as tc does: 0, 1 or 255 for a line that
    is wrong, 2 for one that the kernel refuses. Then a line on standard error says in which column the offending word
    stands. 2 is also what tc could do and there is no model of.
    """
    try:
        for path in load:
            load_file(path)
    except LoadError as error:
        raise ReplayError(f"--load {error}") from error
    try:
        made = make_devices(devices)
    except ValueError as error:
        raise ReplayError(f"--dev {error}") from error
    sys.exit(
        run_tc(made, line, lambda text: click.echo(text, nl=False), lambda text: click.echo(text, nl=False, err=True))
    )


for command in (
    compile_command,
    tune_command,
    run_command,
    list_command,
    new_command,
    report_command,
    sweep_command,
    results_command,
):
    cli.add_command(command)


def read_lines(file: IO[str] | None) -> str:
    """A file of command lines."""
    try:
        return file.read() if file is not None else ""
    except (UnicodeDecodeError, OSError) as error:
        raise ReplayError(f"--config {getattr(file, 'name', '')}: {error}") from None


def show(report: ReplayReport, as_json: bool) -> None:
    """Print a report to stdout."""
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=1))
    else:
        click.echo(report.measured.printed, nl=False)
        Console().print(report.table())


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit: the console script. Whatever goes wrong ends in one line."""
    end_cleanly_on_sigterm()
    try:
        code = cli.main(args=argv, prog_name="ringwire", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        _say(_click_text(error))
        sys.exit(BAD_INPUT)
    except ReplayError as error:
        _say(str(error))
        _trace(error)
        sys.exit(FAILED if isinstance(error, ReplayFailed) else BAD_INPUT)
    except ExperimentError as error:
        _say(str(error))
        _trace(error)
        sys.exit(FAILED if error.began else BAD_INPUT)
    except (Interrupted, KeyboardInterrupt):
        _say("interrupted; nothing was written")
        sys.exit(INTERRUPTED)
    except Terminated:
        sys.exit(TERMINATED)
    except BrokenPipeError:
        # whoever read the output has had enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Exception as error:
        if DEBUG_VARIABLE in os.environ:
            raise
        if place(error):
            _say(told(error))
            sys.exit(BAD_INPUT)
        _say(f"internal error: {type(error).__name__}: {error}; {DEBUG_VARIABLE}=1 shows where")
        sys.exit(INTERNAL)


def _click_text(error: click.ClickException) -> str:
    text = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "ringwire"
    return f"{text}; see {command} --help"


def _trace(error: BaseException | None) -> None:
    """Where it came from, for who has asked for that; a simulator's process has a trace of its own."""
    if DEBUG_VARIABLE in os.environ:
        traceback.print_exc()
        while error is not None:
            if isinstance(error, SimulationFailed):
                print(error.details, file=sys.stderr, flush=True)
            error = error.__cause__


def _say(text: str) -> None:
    print(f"ringwire: {in_one_line(text)}", file=sys.stderr, flush=True)


def end_cleanly_on_sigterm() -> None:
    """Have SIGTERM raise :class:`Terminated`: every ``finally`` runs, nothing half-written and no simulator stays."""

    def terminate(number: int, frame: FrameType | None) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)
