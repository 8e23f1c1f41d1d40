"""Which colour and dash stand for a flow or a queue: the same ones in all plots of a run.

The colours are Okabe and Ito's ("Color Universal Design", 2008), which differ for colour-blind eyes too; what
vanishes on white or on a dark page is changed: yellow to an ochre, black to a grey, blue to a lighter one. Beyond them
the dash differs, and beyond three dashes of each the rest goes together as "others".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

COLOURS = ("#1283C4", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#A8901C", "#8C8C8C")
DASHES: tuple[tuple[int, ...], ...] = ((1, 0), (6, 3), (2, 2))
MOST = len(COLOURS) * len(DASHES)


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a legend. ``picks``: the page can bring it out in all plots that have it."""

    name: str
    colour: str
    dash: tuple[int, ...] = (1, 0)
    picks: bool = False

    @property
    def solid(self) -> bool:
        return self.dash == (1, 0)


class Palette:
    """Keys for names, in order."""

    def __init__(self, names: Iterable[str]) -> None:
        all_names = list(dict.fromkeys(names))
        shown = all_names if len(all_names) <= MOST else all_names[: MOST - 1]
        self.others = "" if shown == all_names else f"{len(all_names) - len(shown)} others"
        self._shown = frozenset(shown)
        self.keys: Sequence[Key] = [
            Key(name, COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS)], picks=True)
            for i, name in enumerate([*shown, self.others] if self.others else shown)
        ]

    def labels(self, names: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The key's name of each: its own, or that of the others."""
        kinds, inverse = np.unique(names.astype(str), return_inverse=True)
        labels = [name if name in self._shown else self.others for name in map(str, kinds)]
        return np.array(labels, object)[inverse]

    def of(self, labels: Iterable[str]) -> list[Key]:
        """The keys of those that appear in a plot."""
        present = set(labels)
        return [key for key in self.keys if key.name in present]
