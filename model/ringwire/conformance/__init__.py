"""The driver conformance suite: any driver that plugs into a replay, judged rule by rule."""

from ringwire.conformance.rules import RULES, Rule
from ringwire.conformance.suite import Report, check, conformance

__all__ = ["RULES", "Report", "Rule", "check", "conformance"]
