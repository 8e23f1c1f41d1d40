"""What is wrong on a transmit path, found while it runs and named by the class of the bug."""

from ringwire.checks.finding import BugFound, Finding, Findings
from ringwire.checks.statistics import read_statistics
from ringwire.checks.watch import Watch

__all__ = ["BugFound", "Finding", "Findings", "Watch", "read_statistics"]
