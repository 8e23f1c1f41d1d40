"""JSON as ethtool and iproute2 lay it out: an array of one object a device."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def compact(objects: Sequence[Mapping[str, Any]]) -> str:
    """One line."""
    return json.dumps(objects, separators=(",", ":")) + "\n"


def pretty(objects: Sequence[Mapping[str, Any]]) -> str:
    """Keys in lines of their own, indented by four; an array of values stays in its line."""
    return f"[ {','.join(_object(each, 1) for each in objects)} ]\n" if objects else "[ ]\n"


def _object(members: Mapping[str, Any], depth: int) -> str:
    if not members:
        return "{}"
    indent, end = "    " * (depth + 1), "    " * depth
    lines = (f"{indent}{json.dumps(name)}: {_value(value, depth + 1)}" for name, value in members.items())
    return "{\n" + ",\n".join(lines) + f"\n{end}}}"


def _value(value: Any, depth: int) -> str:
    if isinstance(value, Mapping):
        return _object(value, depth)
    if isinstance(value, (list, tuple)):
        return f"[ {','.join(_value(each, depth + 1) for each in value)} ]"
    return json.dumps(value)
