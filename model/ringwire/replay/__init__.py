"""The main job: a capture goes through the stack, the driver and the device, and what is on the wire comes out."""

from ringwire.replay.config import DEFAULT_RATES, SIMULATORS, ReplayConfig, ReplayError, ReplayFailed
from ringwire.replay.report import ReplayReport
from ringwire.replay.run import replay

__all__ = ["DEFAULT_RATES", "SIMULATORS", "ReplayConfig", "ReplayError", "ReplayFailed", "ReplayReport", "replay"]
