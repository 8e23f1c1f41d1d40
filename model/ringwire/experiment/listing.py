"""What ``ringwire list`` shows."""

from __future__ import annotations

import sys
import tomllib
from typing import Any

from ringwire.experiment.commands import SCENARIOS
from ringwire.experiment.reader import shown_keys
from ringwire.experiment.scenario import COMMON_KEYS
from ringwire.qdisc.registry import QDISCS
from ringwire.traffic.flow import FLOWS


def listing() -> dict[str, dict[str, str]]:
    """By what it is: names and a line on each."""
    scenarios = {
        file.name.removesuffix(".toml"): str(tomllib.loads(file.read_text(encoding="utf-8")).get("title", ""))
        for file in sorted(SCENARIOS.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".toml")
    }
    kinds = {kind: FLOWS.find(kind) for kind in FLOWS.kinds()}
    return {
        "scenarios": scenarios,
        "flows": {kind: f"{_first_line(cls)} Keys: {', '.join(shown_keys(cls))}." for kind, cls in kinds.items()},
        "keys of every flow": {", ".join(COMMON_KEYS): ""},
        "qdiscs": {", ".join(QDISCS.kinds()): ""},
    }


def _first_line(cls: type[Any]) -> str:
    """What its module says of itself."""
    return (sys.modules[cls.__module__].__doc__ or cls.__doc__ or "").strip().split("\n")[0]
