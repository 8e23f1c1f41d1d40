"""Where a line acts: its device and parent, and which word an error is blamed on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ringwire.tools.tc.errors import duplicate, invarg, take
from ringwire.tools.words import Link, Word, Words

OPTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("clockid", ("clockid",)),
    ("offload", ("offload", "flags", "hw")),
    ("mutually exclusive", ("flags",)),
    ("delta", ("delta",)),
    ("priorities", ("num_tc",)),
    ("traffic class mapping", ("map",)),
    ("traffic classes", ("num_tc",)),
    ("max_rate", ("max_rate",)),
    ("rates differ", ("min_rate",)),
    ("queues", ("queues",)),
    ("max sdu", ("max-sdu",)),
    ("cycle_time", ("cycle-time",)),
    ("schedule entry", ("sched-entry",)),
    ("txtime-delay", ("txtime-delay",)),
)
"""What a message about the scheduling of queues and times says, and the options that it may be about."""


@dataclass(slots=True)
class Place:
    """Gathered while a line is read."""

    action: Word
    dev: Word | None = None
    parent: int = 0
    words: dict[str, Word] = field(default_factory=dict)
    """The words that said ``handle``, ``classid``, ``parent``, ``kind`` and so on."""
    options: list[Word] = field(default_factory=list)
    """All that stands behind the kind."""

    def read_dev(self, words: Words) -> None:
        """``dev NAME``."""
        take(words)
        if self.dev is not None:
            raise duplicate("dev", take(words))
        self.dev = take(words)
        device = (words.devices or {}).get(self.dev.text)
        words.link = Link(self.dev.text, None if device is None else device.speed_mbps)

    def blame(self, message: str) -> Word:
        """The word that the kernel's message is about."""
        lower = message.lower()
        for topic, options in OPTIONS:
            if topic in lower:
                blamed = [word for word in self.options if any(name.startswith(word.text) for name in options)]
                return blamed[0] if blamed else self.words.get("kind", self.action)
        for topic, names in (
            ("kind is unknown", ("kind",)),
            ("classifier", ("kind",)),
            ("filter kind does", ("kind",)),
            ("handle", ("handle",)),
            ("override", ("handle",)),
            ("parent", ("parent", "handle")),
            ("specified", ("classid", "parent")),
            ("class", ("classid", "parent")),
            ("name", ("kind",)),
            ("stab", ("parent",)),
            ("", ("classid", "kind", "parent")),
        ):
            if topic in lower:
                for name in names:
                    if name in self.words:
                        return self.words[name]
        return self.action


def read_id(words: Words, place: Place, name: str, parse: Callable[[str], int], complaint: str) -> int:
    """``NAME ID``; a parent is noted as the place's."""
    take(words)
    word = take(words)
    if name in place.words:
        raise duplicate(name, word)
    place.words[name] = word
    try:
        value = parse(word.text)
    except ValueError:
        raise invarg(word, complaint) from None
    if name == "parent":
        place.parent = value
    return value
