"""Words that all filter kinds have in common: class, actions, police."""

from __future__ import annotations

from dataclasses import dataclass

from ringwire.action import ActionSpec
from ringwire.tools.tc.action_reader import read_actions, read_old_police
from ringwire.tools.tc.errors import said, take
from ringwire.tools.units import parse_classid
from ringwire.tools.words import Words


@dataclass(slots=True)
class Common:
    """What was read of them."""

    classid: int | None = None
    police: ActionSpec | None = None
    actions: tuple[ActionSpec, ...] = ()
    takes_police: bool = True

    def read(self, words: Words) -> bool:
        """Take the next word, and those that belong to it, if it is one of them."""
        name = words.peek()
        if "classid".startswith(name) or name == "flowid":
            take(words)
            word = take(words)
            try:
                self.classid = parse_classid(word.text)
            except ValueError:
                raise said(word, 'Illegal "classid"') from None
        elif "action".startswith(name):
            take(words)
            self.actions = read_actions(words)
        elif self.takes_police and "police".startswith(name):
            take(words)
            self.police = read_old_police(words)
        else:
            return False
        return True

    @property
    def pipeline(self) -> tuple[ActionSpec, ...]:
        """The policer in the older style is what the kernel looks at first; it knows one or the other."""
        return (self.police,) if self.police is not None else self.actions
