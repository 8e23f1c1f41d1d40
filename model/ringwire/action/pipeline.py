"""The actions of a filter, carried out in order; after tcf_action_exec in net/sched/act_api.c of Linux 6.12."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ringwire.action.base import JUMP, JUMP_MASK, Action, ActionDevice
from ringwire.qdisc.classify import GOTO_CHAIN, OK, PIPE, QUEUED, REPEAT, TRAP
from ringwire.skb import Skb

MAX_ACTIONS = 32
"""Of a filter; and how often an action may be repeated, or the packet jump, before that is taken for a mistake."""


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """An action as a line asks for it: one of its own, or with an ``index`` maybe one that there is."""

    kind: str
    params: Any
    index: int = 0
    cookie: bytes = b""
    old_style: bool = False
    """``police`` without the word ``action``."""


class Pipeline:
    """The actions of one filter, in order."""

    __slots__ = ("actions",)

    def __init__(self, actions: Iterable[Action[Any]]) -> None:
        self.actions = tuple(actions)

    def run(self, skb: Skb, dev: ActionDevice) -> int:
        """Carry them out; the verdict of the last one that was."""
        actions = self.actions
        verdict, at, jumps = OK, 0, MAX_ACTIONS
        while at < len(actions):
            action = actions[at]
            now = dev.now_ns()
            if action.estimator is not None:
                action.estimator.advance(now, action.bytes, action.packets)
            action.bytes += skb.pkt_len
            action.packets += skb.gso_segs or 1
            action.used_ns = now
            if action.first_used_ns is None:
                action.first_used_ns = now
            verdict = action.act(skb, dev)
            repeats = MAX_ACTIONS
            while verdict == REPEAT:
                repeats -= 1
                if not repeats:
                    return OK
                verdict = action.act(skb, dev)
            at += 1
            if verdict == PIPE:
                continue
            if not JUMP <= verdict < GOTO_CHAIN:
                break
            at, verdict = verdict & JUMP_MASK, OK
            jumps -= 1
            if not at or not jumps:
                return OK
        if verdict in (TRAP, QUEUED):
            # nobody here is handed it
            dev.drop(skb)
        return verdict
