"""Kinds of things that users bring in a file of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ringwire.qdisc.registry import QDISCS
from ringwire.registry import LoadError, load_file

EXAMPLE = Path(__file__).parent.parent / "examples" / "shortest_first.py"
TWICE = """
from ringwire.qdisc import Qdisc, option
class Mine(Qdisc):
    kind = "htb"
"""


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    QDISCS.kinds()
    monkeypatch.setattr(QDISCS, "classes", dict(QDISCS.classes))
    yield


def test_what_a_file_defines_is_known_and_it_is_carried_out_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(EXAMPLE.read_text(encoding="utf-8").replace('"shortest"', '"mine"'), encoding="utf-8")
    load_file(path)
    made = QDISCS.find("mine")
    load_file(str(path))
    assert QDISCS.find("mine") is made


def test_two_files_of_one_name_are_two(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for kind in ("one", "two"):
        path = tmp_path / kind / "mine.py"
        path.parent.mkdir()
        path.write_text(text.replace('"shortest"', f'"{kind}"'), encoding="utf-8")
        load_file(path)
    assert {"one", "two"} <= set(QDISCS.kinds())


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("gone.py", None, "No such file or directory"),
        ("mine.txt", "", "not a Python file; allowed: FILE.py"),
        ("mine.py", "import", "SyntaxError: invalid syntax"),
        ("mine.py", "raise SystemExit(3)", "SystemExit: 3"),
        ("mine.py", TWICE, "ValueError: qdisc 'htb' is ringwire.qdisc.htb.Htb already"),
    ],
)
def test_a_file_that_can_not_be_carried_out_is_named(name: str, text: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text, encoding="utf-8")
    for _ in range(2):
        with pytest.raises(LoadError) as caught:
            load_file(path)
        message = str(caught.value)
        assert message.startswith(f"{path}: {said}") and "\n" not in message
