"""Classic bugs of transmit paths, to be switched on: one of :data:`FAULTS` at a time."""

from ringwire.faults.registry import BUGS, CLASSES, FAULTS, Bug, Fault, FaultError, Where, fault_named, watch_under

__all__ = ["BUGS", "CLASSES", "FAULTS", "Bug", "Fault", "FaultError", "Where", "fault_named", "watch_under"]
