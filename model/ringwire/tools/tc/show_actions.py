"""How actions are printed, below their filter or by ``tc actions``; after tc/m_action.c of iproute2 6.1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ringwire.action import Action, Pipeline
from ringwire.tools.tc.actionfront import Age, action_front_end
from ringwire.tools.tc.output import Output
from ringwire.tools.units import format_rate

TICK_NS = 10_000_000
"""Ages come in hundredths of a second."""


def show_pipeline(out: Output, pipeline: Pipeline | None, now_ns: int) -> None:
    """A filter's actions; ``police`` in the older style stands in the filter's own lines."""
    if pipeline is None:
        return
    if pipeline.actions[0].old_style:
        show_old_police(out, pipeline.actions[0], now_ns)
    actions = [action for action in pipeline.actions if not action.old_style]
    if actions:
        show_actions(out, actions, 1, now_ns)


def show_actions(out: Output, actions: Sequence[Action[Any]], first: int, now_ns: int, alone: bool = False) -> None:
    """Actions with their order; ``alone``: not below a filter, so that hardware is spoken of."""
    objects = []
    for order, action in enumerate(actions, start=first):
        each = out.nested("")
        each.item("order", f"\n\taction order {order}: ", order)
        action_front_end(action.kind).show(each, action, age_of(action, now_ns))
        if out.statistics:
            _show_statistics(each, action, now_ns)
        if action.cookie:
            each.item("cookie", f"\tcookie {action.cookie.hex()}\n", action.cookie.hex())
        action.listed |= alone
        if alone:
            each.item("not_in_hw", "\tnot_in_hw\n", True)
        if action.listed:
            each.item("used_hw_stats", "\tused_hw_stats disabled\n", ["disabled"])
        out.text += each.text
        objects.append(each.json)
    out.json["actions"] = objects


def show_old_police(out: Output, action: Action[Any], now_ns: int) -> None:
    action_front_end(action.kind).show(out, action, age_of(action, now_ns))


def old_police_statistics(out: Output, pipeline: Pipeline | None) -> None:
    """The line below a filter that polices in the older style."""
    if out.statistics and pipeline is not None and pipeline.actions[0].old_style:
        action = pipeline.actions[0]
        out.text += (
            f" Sent {action.bytes} bytes {action.packets} pkts"
            f" (dropped {action.drops}, overlimits {action.overlimits}) \n"
        )


def age_of(action: Action[Any], now_ns: int) -> Age:
    first = action.first_used_ns
    return Age(
        (now_ns - action.installed_ns) // TICK_NS,
        (now_ns - action.used_ns) // TICK_NS,
        0 if first is None else (now_ns - first) // TICK_NS,
    )


def _show_statistics(out: Output, action: Action[Any], now_ns: int) -> None:
    out.text += (
        f"\tAction statistics:\n\tSent {action.bytes} bytes {action.packets} pkt"
        f" (dropped {action.drops}, overlimits {action.overlimits} requeues 0) \n\t"
    )
    stats = {
        "bytes": action.bytes,
        "packets": action.packets,
        "drops": action.drops,
        "overlimits": action.overlimits,
        "requeues": 0,
    }
    if action.estimator is not None:
        action.estimator.advance(now_ns, action.bytes, action.packets)
        rate, packets = action.estimator.bytes_per_s, action.estimator.packets_per_s
        out.text += f"rate {format_rate(rate)} {packets}pps\t"
        stats |= {"rate": rate, "pps": packets}
    out.text += "backlog 0b 0p requeues 0\n"
    out.json["stats"] = stats | {"backlog": 0, "qlen": 0}
