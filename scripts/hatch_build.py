"""Hatch build hook: a wheel carries the RTL and its testbench; an editable install finds them in the tree."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class HardwareHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts ``rtl/`` and ``tb/`` under ``ringwire/_hw/`` of the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            build_data["force_include"] |= {"rtl": "ringwire/_hw/rtl", "tb": "ringwire/_hw/tb"}
