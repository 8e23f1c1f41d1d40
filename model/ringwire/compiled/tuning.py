"""Builds the device on Verilator for the traffic that experiments have: gcc is told what runs, and how often.

A model is tens of thousands of lines through which every clock edge goes. A build that counts runs some traffic of each
kind; guided by that, gcc lays what runs in a row and what never does aside. Results are the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from ringwire.cosim.build import Design, build, training
from ringwire.cosim.harness import Traffic, without_python
from ringwire.cosim.world import WorldSettings
from ringwire.experiment.run import run_experiment
from ringwire.experiment.scenario import Source, read_experiment
from ringwire.nic.pacer import byte_time
from ringwire.places import PACKAGE
from ringwire.replay import ReplayConfig, replay

GBIT = 10**9
TRAFFIC = (
    Traffic(frames=10_000),
    Traffic(frames=50_000, frame_bytes=60),
    Traffic(frames=2_000, byte_time=byte_time(GBIT)),
)
"""The device by itself: at its bus's limit, and with pauses."""
CAPTURE = PACKAGE / "data" / "real_mix.pcap"
EXPERIMENT = """
duration = "40ms"
[link]
rate = "1gbit"
[[flow]]
kind = "tcp"
name = "bulk"
[[flow]]
kind = "probe"
"""


def tune(data_w: int, queues: int, tell: Callable[[str], None]) -> Path:
    """Build the device of this width (bits) and so many queues for its traffic; ``tell`` hears what is done.

    Returns the build's folder. BuildError if the tools are missing.
    """
    design = Design("verilator", data_w, queues)
    tell("a build that counts")
    with training(design):
        tell("traffic by itself")
        for traffic in TRAFFIC:
            without_python(traffic, design, WorldSettings())
        tell("a capture")
        for tso in (False, True):
            replay(ReplayConfig(CAPTURE, sim="verilator", width=data_w, queues=queues, tso=tso))
        tell("experiments")
        for tso in (False, True):
            settings = (("link.width", str(data_w)), ("nic.queues", str(queues)), ("nic.tso", str(tso).lower()))
            with tempfile.TemporaryDirectory() as name:
                run_experiment(read_experiment(Source(Path("bulk.toml"), EXPERIMENT, settings)), Path(name) / "out")
    tell("the build for them")
    return build(design).folder
