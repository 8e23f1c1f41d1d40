"""An experiment's file as it was run, to be run again: with what was set from outside, and what its place had said."""

from __future__ import annotations

import json
import re
from typing import Any

from ringwire.experiment.reader import Reader, literal
from ringwire.experiment.scenario import Experiment
from ringwire.experiment.tomlfile import TomlFile

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def as_run(experiment: Experiment) -> str:
    """The file's own text, or that of a file with what ``--set`` and the like have changed, without its comments.

    A title that followed from the file's name is in it, and so is the folder beside which the files were that it names.
    """
    source, folder = experiment.source, str(experiment.folder.resolve())
    values = Reader(TomlFile(source.path, source.text), source.overrides).values
    added: dict[str, Any] = {}
    if "title" not in values:
        added["title"] = experiment.title
    if experiment.names_files and values.get("folder") != folder:
        added["folder"] = folder
    notes = [f"# with the kinds of flows of {name}" for name in source.load]
    if source.overrides or added.keys() & values.keys():
        notes.insert(0, f"# {source.path.name} with other values")
        return "".join(f"{note}\n" for note in notes) + toml_text({**added, **values, **added})
    head = [*notes, *(f"{key} = {toml_value(value)}" for key, value in added.items())]
    return "".join(f"{line}\n" for line in head) + source.text


def toml_text(values: dict[str, Any]) -> str:
    """A TOML file that holds these values: nested dicts are tables, lists of dicts arrays of tables."""
    lines: list[str] = []
    _add_table(lines, "", values)
    return "\n".join(lines) + "\n"


def _add_table(lines: list[str], name: str, table: dict[str, Any]) -> None:
    nested: list[tuple[str, str, dict[str, Any]]] = []
    for key, value in table.items():
        where = f"{name}.{_key(key)}" if name else _key(key)
        if isinstance(value, dict):
            nested.append((f"[{where}]", where, value))
        elif isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            nested += [(f"[[{where}]]", where, each) for each in value]
        else:
            lines.append(f"{_key(key)} = {toml_value(value)}")
    for head, where, value in nested:
        lines += ["", head]
        _add_table(lines, where, value)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _text(key)


def toml_value(value: Any) -> str:
    """A value as TOML writes it on the right of a key."""
    if isinstance(value, str):
        if "\n" in value:
            return '"""\n' + "\n".join(_text(line)[1:-1] for line in value.split("\n")) + '"""'
        return _text(value)
    if isinstance(value, list):
        return f"[{', '.join(toml_value(each) for each in value)}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {toml_value(each)}' for key, each in value.items())} }}"
    return literal(value)


def _text(text: str) -> str:
    # JSON escapes all that TOML wants escaped, but for DEL
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
