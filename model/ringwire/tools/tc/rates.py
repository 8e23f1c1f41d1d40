"""Rates that may be a share of the link's speed, ``10%``; after get_percent_rate in tc/tc_util.c of iproute2 6.1."""

from __future__ import annotations

import re

from ringwire.tools.units import parse_rate
from ringwire.tools.words import Link, Word

BIT_PER_MBIT = 1_000_000


class ShareError(ValueError):
    """A share that can't be told as a rate; ``said`` is what tc prints of it, before what it says of the word."""

    def __init__(self, said: str) -> None:
        super().__init__(said.splitlines()[0])
        self.said = said


def parse_link_rate(text: str) -> int:
    """Bytes a second. What stands here reads plain rates alone: a share needs the word (:func:`rate_of`)."""
    return parse_rate(text)


def rate_of(word: Word) -> int:
    """Bytes a second of a rate or a share. ShareError, or ValueError as :func:`parse_rate`."""
    if "%" not in word.text:
        return parse_rate(word.text)
    speed_mbps = _speed(word.link or Link())
    head = re.match(r"[0-9.%]+", word.text)
    share = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+|(?=%))%?", head.group()) if head else None
    if share is None:
        raise ShareError("Specified rate value could not be read or is malformed")
    percent = float(share.group(1) or 0)
    if percent > 100:
        raise ShareError(f"Invalid rate specified; should be between [0,100]% but is {word.text}")
    return parse_rate(f"{percent / 100 * speed_mbps * BIT_PER_MBIT:f}")


def _speed(link: Link) -> int:
    """Of the device that the line has named up to here."""
    if not link.device:
        raise ShareError("No device specified; specify device to rate limit by percentage")
    path = f"/sys/class/net/{link.device}/speed"
    if link.speed_mbps is None:
        raise ShareError(f"fopen {path}: No such file or directory")
    if not link.speed_mbps:
        raise ShareError(f'property "speed" in file {path} is currently unknown\nFailed to parse {path}')
    return link.speed_mbps
