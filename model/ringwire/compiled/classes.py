"""Source text that mypyc takes as it is meant: which classes become C structures, and which stay Python's.

mypyc makes a C structure ("native") of a class with one base. One that it can't make so (frozen or decorated
otherwise than as a dataclass, an exception, a class with two bases) stays a Python class with compiled methods, and
then so do those above and below it: the two kinds can't inherit from one another. Structures may have Python
subclasses: those of faults, tests and users.

A module's constants are said to be final: else each use would look them up in the module's dictionary.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

_NO_BASES = {"ABC", "Generic", "Protocol", "object"}
_MADE_BY_PYTHON = {"Enum", "Flag", "IntEnum", "IntFlag", "NamedTuple", "StrEnum", "TypedDict"}
"""Whatever derives from these, mypyc leaves to them."""
_PYTHON = "@mypyc_attr(native_class=False)"
_NATIVE = "@mypyc_attr(allow_interpreted_subclasses=True)"
_FINAL = "_Final"
_CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]+")


class Name(NamedTuple):
    """A class by its module and its name there."""

    module: str
    name: str


def marked(sources: Mapping[str, str], compiled: Iterable[str]) -> dict[str, str]:
    """The text of each ``compiled`` module, marked; ``sources`` has the text of every module by its dotted name."""
    trees = {module: ast.parse(text) for module, text in sources.items()}
    classes = _Classes(trees, compiled)
    return {module: _mark(module, sources[module], trees[module], classes) for module in classes.modules}


class _Classes:
    """The classes of the modules to compile, and which of them stay Python's."""

    def __init__(self, trees: Mapping[str, ast.Module], compiled: Iterable[str]) -> None:
        self._known = {module: dict(_names(module, tree)) for module, tree in trees.items()}
        self.modules = {module: list(_top(trees[module])) for module in compiled}
        self._nodes = {Name(module, node.name): node for module, nodes in self.modules.items() for node in nodes}
        self._bases = {
            name: [self._resolve(name.module, base) for base in map(_name, node.bases) if base not in _NO_BASES]
            for name, node in self._nodes.items()
        }
        self._python = {
            name for name, node in self._nodes.items() if len(self._bases[name]) > 1 or not _may_be_native(node)
        }
        while more := set(self._akin()) - self._python:
            self._python |= more

    def mark(self, name: Name) -> str | None:
        """The decorator that a class gets, if any."""
        if self._is_special(name):
            return None
        return _PYTHON if name in self._python else _NATIVE

    def _akin(self) -> Iterator[Name]:
        """What stays Python's because of what it derives from, or what derives from it."""
        for name, bases in self._bases.items():
            if name in self._python:
                yield from (base for base in bases if base in self._nodes and not self._is_special(base))
            elif any(base in self._python or base not in self._nodes for base in bases) and not self._is_special(name):
                yield name

    def _is_special(self, name: Name) -> bool:
        above = {base.name for base in self._bases[name]} | set(map(_name, self._nodes[name].bases))
        return bool(above & (_MADE_BY_PYTHON | {"Protocol"}))

    def _resolve(self, module: str, name: str) -> Name:
        """Where a name that a module uses comes from."""
        found = Name(module, name)
        seen = set()
        while found not in seen:
            seen.add(found)
            found = self._known.get(found.module, {}).get(found.name, found)
        return found


def _top(tree: ast.Module) -> Iterator[ast.ClassDef]:
    return (node for node in tree.body if isinstance(node, ast.ClassDef))


def _names(module: str, tree: ast.Module) -> Iterator[tuple[str, Name]]:
    """What a module's names stand for: its own classes, and what it imports from others."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name, Name(module, node.name)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield alias.asname or alias.name, Name(node.module, alias.name)


def _name(node: ast.expr) -> str:
    """Of a base or a decorator, without subscript and arguments."""
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    if isinstance(node, ast.Call):
        return _name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any(_name(decorator) == "dataclass" for decorator in node.decorator_list)


def _may_be_native(node: ast.ClassDef) -> bool:
    for decorator in node.decorator_list:
        if _name(decorator) not in {"dataclass", "final"}:
            return False
        # a native object is unpickled attribute by attribute, which a frozen one forbids
        if isinstance(decorator, ast.Call) and {"frozen", "kw_only"} & {word.arg for word in decorator.keywords}:
            return False
    return True


def _mark(module: str, text: str, tree: ast.Module, classes: _Classes) -> str:
    """One module's text, with a decorator for each class, dataclasses as mypyc takes them, and constants."""
    lines = text.split("\n")
    future = next((at for at, line in enumerate(lines) if line.startswith("from __future__")), None)
    if future is None:  # nothing in it
        return text
    _make_final(lines, tree)
    after: list[str] = []
    marks: list[tuple[int, str]] = []
    for node in classes.modules[module]:
        mark = classes.mark(Name(module, node.name))
        if mark is not None:
            marks.append((min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1, mark))
        if mark == _NATIVE:
            # with a metaclass it would be slower, and no dataclass
            lines[node.lineno - 1] = re.sub(r"\(ABC\)|(?<=\()ABC, |, ABC(?=[,)])", "", lines[node.lineno - 1])
        if _is_dataclass(node):
            after += _quote_annotations(lines, node)
            if mark == _NATIVE:
                for decorator in node.decorator_list:
                    at = decorator.lineno - 1
                    lines[at] = re.sub(r"\(slots=True\)|, slots=True|slots=True, ", "", lines[at])
    for at, mark in sorted(marks, reverse=True):
        lines.insert(at, mark)
    lines.insert(future + 1, f"from mypy_extensions import mypyc_attr; from typing import Final as {_FINAL}")
    return "\n".join([*lines, *after, ""])


def _make_final(lines: list[str], tree: ast.Module) -> None:
    """Say of names in capitals that they stay what they are; of several in a line one by one.

    Not of tuples, which would then be of just so many elements for the type checker.
    """
    for node in tree.body:
        if not isinstance(node, ast.Assign) or len(node.targets) > 1:
            continue
        target, value, at = node.targets[0], node.value, node.lineno - 1
        if isinstance(target, ast.Name) and _CONSTANT.fullmatch(target.id) and not isinstance(value, ast.Tuple):
            lines[at] = lines[at].replace(f"{target.id} =", f"{target.id}: {_FINAL} =", 1)
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and node.end_lineno == node.lineno:
            pairs = [(ast.unparse(name), ast.unparse(what)) for name, what in zip(target.elts, value.elts, strict=True)]
            if all(_CONSTANT.fullmatch(name) for name, _ in pairs):
                lines[at] = "; ".join(f"{name}: {_FINAL} = {what}" for name, what in pairs)


def _quote_annotations(lines: list[str], node: ast.ClassDef) -> Iterator[str]:
    """Make a dataclass's annotations strings; give the lines that put them back where programs read them.

    mypyc evaluates those that are no strings, also where the name is for type checkers only, and forgets unions. A
    field without ``init`` gets its value from a factory: from elsewhere a native class would not have it.
    """
    annotations: dict[str, str] = {}
    for field in node.body:
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        annotation = field.annotation
        said = ast.unparse(annotation)
        at = field.lineno - 1
        lines[at] = re.sub(r"\bfield\(default=([^,()]+), init=", r"field(default_factory=lambda: \1, init=", lines[at])
        begin, end = annotation.col_offset, annotation.end_col_offset
        if said.startswith("ClassVar["):
            # mypyc would make it a field
            if field.value is not None:
                yield f"{node.name}.{field.target.id} = {ast.unparse(field.value)}"
                lines[at : field.end_lineno] = [""] * (field.end_lineno - at) if field.end_lineno else []
            continue
        annotations[field.target.id] = said
        if isinstance(annotation, (ast.Name, ast.Subscript)):
            lines[at] = f'{lines[at][:begin]}"{said}"{lines[at][end:]}'
    if annotations:
        yield f'vars({node.name})["__annotations__"].update({annotations!r})'
