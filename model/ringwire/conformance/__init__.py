"""The driver conformance suite: any driver that plugs into a replay, judged rule by rule."""

from ringwire.conformance.report import Report, Verdict
from ringwire.conformance.rtl import conformance_on_rtl
from ringwire.conformance.rules import RULES, Rule
from ringwire.conformance.suite import check, conformance, on_twin

__all__ = ["RULES", "Report", "Rule", "Verdict", "check", "conformance", "conformance_on_rtl", "on_twin"]
