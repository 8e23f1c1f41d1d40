"""From a configuration to a report: the world that was asked for is made, and the wire's file put in its place."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ringwire.faults import fault_named
from ringwire.places import BuildError
from ringwire.replay import job
from ringwire.replay.config import ReplayConfig, ReplayError, ReplayFailed
from ringwire.replay.report import Measured, ReplayReport
from ringwire.replay.survey import Survey, survey
from ringwire.rig.plugin import resolved
from ringwire.rig.run import RunFailed, run_on

JOB = "ringwire.replay.job.run"


class Progress:
    """What a replay tells while it runs; a front end shows it."""

    def surveyed(self, found: Survey) -> None:
        """The capture can be replayed, and this is what there is to do."""

    def advanced(self, frames: int, simulated_ns: int) -> None:
        """So many frames are on the wire."""


def replay(config: ReplayConfig, out: Path | None = None, progress: Progress | None = None) -> ReplayReport:
    """Replay a capture; its wire goes to the pcap file ``out``, which appears whole or not at all.

    :class:`ReplayError`, one line, if that is not possible. A replay that went through but showed what it must not
    is reported, not raised: see ``ReplayReport.ok``.
    """
    progress = Progress() if progress is None else progress
    if out is not None:
        _check_out(out, config.capture)

    def tell(text: str) -> None:
        frames, simulated_ns = text.split()
        progress.advanced(int(frames), int(simulated_ns))

    with tempfile.TemporaryDirectory(prefix="ringwire-replay-") as folder:
        packets = Path(folder).resolve() / "packets"
        found = survey(config, packets)
        progress.surveyed(found)
        return ReplayReport(config, found, _measure(job.Job(config, found, packets, None), out, tell))


def _check_out(out: Path, capture: Path) -> None:
    if out.exists() and not out.is_file():
        raise ReplayError(f"--out {out}: not a regular file")
    if out.exists() and capture.exists() and out.samefile(capture):
        raise ReplayError(f"--out {out}: that is the capture itself; name another file")


def _measure(work: job.Job, out: Path | None, tell: Callable[[str], None]) -> Measured:
    """Run the replay; the wire is written beside ``out`` and takes its place at the end."""
    if out is None:
        return _run(work, tell)
    target = out.resolve()
    try:
        with tempfile.TemporaryDirectory(prefix=".ringwire-", dir=target.parent) as folder:
            written = Path(folder) / "wire.pcap"
            measured = _run(replace(work, out=written), tell)
            written.replace(target)
            return measured
    except OSError as error:
        raise ReplayError(f"--out {out}: {error.strerror or error}") from None


def _run(work: job.Job, tell: Callable[[str], None]) -> Measured:
    config = work.config
    if config.sim != "twin":  # a simulator runs in a folder of its own
        settled = replace(config, driver=resolved(config.driver), select_queue=resolved(config.select_queue))
        work = replace(work, config=settled)
    try:
        measured = run_on(config, JOB, work, tell, fault=fault_named(config.fault))
    except BuildError as error:
        raise ReplayError(str(error)) from error
    except RunFailed as error:
        raise ReplayFailed(str(error)) from error
    assert isinstance(measured, Measured)
    return measured
