"""How the options of an action kind are read and printed.

Each kind has a subclass of :class:`ActionFrontEnd` in a file of its own under ``tools/tc/actions``, found by the kinds
it names; one that has none is read and printed by its dataclass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ClassVar

from ringwire.action import Action, ActionSpec, action_class
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.options import USUAL, read_options, show_options
from ringwire.tools.tc.output import Output
from ringwire.tools.units import parse_decimal
from ringwire.tools.words import Word, Words

_front_ends: dict[str, type[ActionFrontEnd]] = {}


@dataclass(frozen=True, slots=True)
class Age:
    """Since when there is an action and when it was used, in hundredths of a second."""

    installed: int
    used: int
    first_used: int
    """0: never."""


class ActionFrontEnd:
    """The ``tc`` side of an action kind."""

    kinds: ClassVar[tuple[str, ...]] = ()
    """Kinds that a subclass is for."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for kind in cls.kinds:
            _front_ends[kind] = cls

    def read(self, words: Words, kind: Word) -> ActionSpec:
        """The words of one action behind its kind: those up to the next ``action`` or that it doesn't know."""
        params_type = action_class(kind.text).params_type
        params = read_options(words, kind, params_type, USUAL, partly=True)
        spec = ActionSpec(kind.text, params_type() if params is None else params)
        return read_index(words, spec, 'Illegal "index"')

    def show(self, out: Output, action: Action[Any], age: Age) -> None:
        """An action behind its order: a line of parameters, and one of numbers."""
        out.item("kind", f"{action.kind} ", action.kind)
        show_options(out, action.params())
        show_numbers(out, action, age, "\n\t ")


def read_index(words: Words, spec: ActionSpec, complaint: str) -> ActionSpec:
    """``index N``, if that is next."""
    if words and "index".startswith(words.peek()):
        take(words)
        word = take(words)
        try:
            return replace(spec, index=parse_decimal(word.text))
        except ValueError:
            raise said(word, complaint) from None
    return spec


def show_numbers(out: Output, action: Action[Any], age: Age, before: str) -> None:
    """Index, users and age."""
    out.item("index", f"{before}index {action.index}", action.index)
    show_users(out, action, age, " ref", "")
    out.text += "\n"


def show_users(out: Output, action: Action[Any], age: Age, ref: str, after: str) -> None:
    """``ref``, ``bind``, and the age with statistics."""
    out.item("ref", f"{ref} {action.references}", action.references)
    out.item("bind", f" bind {action.bound}{after}", action.bound)
    if out.statistics:
        for value, name, text in (
            (age.installed, "installed", "installed"),
            (age.used, "last_used", "used"),
            (age.first_used, "first_used", "firstused"),
        ):
            if value:
                out.item(name, f" {text} {value // 100} sec", value // 100)


def action_front_end(kind: str) -> ActionFrontEnd:
    """The ``tc`` side of an action kind that there is."""
    _import_kinds()
    return _front_ends.get(kind, ActionFrontEnd)()


@cache
def _import_kinds() -> None:
    package = import_module(f"{__package__}.actions")
    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
