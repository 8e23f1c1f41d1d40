"""What ``ringwire list`` shows."""

from __future__ import annotations

import sys
import tomllib
from typing import Any

from ringwire.experiment.entries import COMMON_KEYS
from ringwire.experiment.reader import shown_keys
from ringwire.experiment.shipped import find, names
from ringwire.qdisc.registry import QDISCS
from ringwire.traffic.flow import FLOWS
from ringwire.transport.congestion import ALGORITHMS


def listing() -> dict[str, dict[str, str]]:
    """By what it is: names and a line on each."""
    scenarios = {name: str(tomllib.loads(find(name)[1]).get("title", "")) for name in names()}
    kinds = {kind: FLOWS.find(kind) for kind in FLOWS.kinds()}
    return {
        "scenarios": scenarios,
        "flows": {kind: f"{_first_line(cls)} Keys: {', '.join(shown_keys(cls))}." for kind, cls in kinds.items()},
        "keys of every flow": {", ".join(COMMON_KEYS): ""},
        "congestion controls": {", ".join(ALGORITHMS.kinds()): ""},
        "qdiscs": {", ".join(QDISCS.kinds()): ""},
    }


def _first_line(cls: type[Any]) -> str:
    """What its module says of itself."""
    return (sys.modules[cls.__module__].__doc__ or cls.__doc__ or "").strip().split("\n")[0]
