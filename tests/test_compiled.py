"""The model in C: which classes become what, when a build is used, and that it does what the Python files do."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ringwire import compiled, places
from ringwire.compiled import build
from ringwire.compiled.classes import marked
from ringwire.places import BuildError

NATIVE, PYTHON = "@mypyc_attr(allow_interpreted_subclasses=True)", "@mypyc_attr(native_class=False)"
HEAD = "from __future__ import annotations\nfrom dataclasses import dataclass, field\n"
CAPTURE = Path("model/ringwire/data/real_mix.pcap")


def marks(text: str, others: dict[str, str] | None = None) -> dict[str, str]:
    """What precedes each class of a module."""
    lines = marked({"m": HEAD + text, **(others or {})}, ["m"])["m"].split("\n")
    found = {}
    mark = ""
    for line in lines:
        if line.startswith("@mypyc_attr"):
            mark = line
        elif line.startswith("class "):
            found[line.split()[1].split("(")[0].rstrip(":")] = mark
            mark = ""
    return found


def test_a_class_with_one_base_is_native_and_so_is_a_dataclass() -> None:
    assert marks("class A: ...\nclass B(A): ...\n@dataclass(slots=True)\nclass C:\n    x: int\n") == dict.fromkeys(
        "ABC", NATIVE
    )


def test_what_can_not_be_native_keeps_those_above_and_below_it() -> None:
    text = """
class A: ...
class B: ...
class Two(A, B): ...
class Below(Two): ...
class Alone: ...
@dataclass(frozen=True)
class Frozen: ...
class OfFrozen(Frozen): ...
class Wrong(Exception): ...
class Worse(Wrong): ...
@other
class Decorated: ...
"""
    found = marks(text)
    assert found.pop("Alone") == NATIVE
    assert set(found.values()) == {PYTHON} and len(found) == 9


def test_a_base_that_is_not_compiled_makes_a_python_class_and_the_import_is_followed() -> None:
    text = "from o import Far as Near\nfrom p import Here\nclass A(Near): ...\nclass B(Here): ...\nclass C(Near): ...\n"
    others = {"o": "class Far: ...", "p": "from m import C as Here"}
    assert marks(text, others) == {"A": PYTHON, "B": PYTHON, "C": PYTHON}
    assert marks("class C: ...\nfrom p import Here\nclass B(Here): ...\n", others) == {"C": NATIVE, "B": NATIVE}


def test_enumerations_tuples_and_protocols_are_left_alone() -> None:
    text = "class E(IntEnum): ...\nclass N(NamedTuple): ...\nclass P(Protocol): ...\nclass D(E): ...\n"
    assert marks(text)["E"] == marks(text)["N"] == marks(text)["P"] == ""


def test_dataclasses_are_said_as_mypyc_takes_them() -> None:
    text = """
@dataclass(slots=True, eq=False)
class A:
    kind: ClassVar[str] = "a"
    x: int | None = None
    view: memoryview = field(default=None, init=False, repr=False)
"""
    lines = marked({"m": HEAD + text}, ["m"])["m"].split("\n")
    assert "@dataclass(eq=False)" in lines and "A.kind = 'a'" in lines and not any("ClassVar" in line for line in lines)
    assert '    view: "memoryview" = field(default_factory=lambda: None, init=False, repr=False)' in lines
    assert """vars(A)["__annotations__"].update({'x': 'int | None', 'view': 'memoryview'})""" in lines


def test_modules_to_compile_are_there_and_those_left_out_say_why() -> None:
    names = build.chosen()
    assert {"ringwire.nic.twin", "ringwire.qdisc.htb", "ringwire.skb"} <= set(names)
    known = {build._dotted(path) for path in compiled.source_files()}
    wanted = {f"ringwire.{name}" for name in (*build.MODULES, *build.LEFT)}
    assert wanted <= known and not {f"ringwire.{name}" for name in build.LEFT} & set(names)


def test_no_class_is_made_of_its_own_names() -> None:
    """In a compiled class they would be those of the module, or nothing."""
    for name in build.chosen():
        path = places.PACKAGE.parent / f"{name.replace('.', '/')}.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            known: set[str] = set()
            for step in node.body if isinstance(node, ast.ClassDef) else []:
                if isinstance(step, (ast.Assign, ast.AnnAssign)) and step.value is not None:
                    used = {each.id for each in ast.walk(step.value) if isinstance(each, ast.Name)}
                    assert not used & known, f"{path}:{step.lineno}"
                    targets = step.targets if isinstance(step, ast.Assign) else [step.target]
                    known |= {each.id for each in targets if isinstance(each, ast.Name)}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(places.CACHE_VARIABLE, str(tmp_path))
    compiled.build_folder().mkdir()
    return compiled.build_folder()


def write_manifest(folder: Path, digest: str) -> None:
    text = json.dumps({"digest": digest, "modules": {"ringwire.bql": "bql.so"}})
    (folder / compiled.MANIFEST).write_text(text, encoding="utf-8")


def test_a_build_is_used_only_with_the_sources_it_was_made_of(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setenv(compiled.VARIABLE, "")
    for digest in (None, "0" * 64):
        if digest is not None:
            write_manifest(cache, digest)
        assert compiled.modules() is None
        compiled.use()
        assert not compiled.in_use()
    write_manifest(cache, compiled.digest())
    monkeypatch.setenv(compiled.VARIABLE, "0")
    compiled.use()
    assert not compiled.in_use()
    monkeypatch.setenv(compiled.VARIABLE, "1")
    compiled.use()
    assert compiled.in_use()
    spec = sys.meta_path[0].find_spec("ringwire.bql", None, None)
    assert spec is not None and spec.origin == str(cache / "bql.so")
    assert sys.meta_path[0].find_spec("ringwire.skb", None, None) is None


def test_whoever_insists_is_told_in_one_line_that_there_is_none(cache: Path) -> None:
    environment = {**os.environ, compiled.VARIABLE: "1"}
    done = subprocess.run(
        [sys.executable, "-m", "ringwire", "list"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and done.stdout == ""
    said = f"no build of these sources in {cache}: run `RINGWIRE_COMPILED=0 ringwire compile`"
    assert done.stderr == f"ringwire: RINGWIRE_COMPILED=1, and {said}\n"


def test_a_tool_that_is_missing_is_named_with_its_cure(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "find_spec", lambda name: None)
    with pytest.raises(BuildError, match=r'mypyc is missing: pip install "ringwire\[compiled\]"'):
        build.compile_model(lambda text: None)
    monkeypatch.undo()
    monkeypatch.setenv(places.CACHE_VARIABLE, str(cache))
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(BuildError, match="gcc is missing: sudo apt-get install gcc"):
        build.compile_model(lambda text: None)
    monkeypatch.undo()
    monkeypatch.setenv(places.CACHE_VARIABLE, str(cache))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(cache))
    with pytest.raises(BuildError, match=r"Python\.h is missing: sudo apt-get install libpython3\.\d+-dev"):
        build.compile_model(lambda text: None)


def test_what_is_compiled_does_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host of a replay, the rest in Python: that builds, and is used, in a minute."""
    monkeypatch.setenv(places.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(build, "PACKAGES", ("host",))
    monkeypatch.setattr(build, "MODULES", ("bql", "packet", "skb"))
    said: list[str] = []
    build.compile_model(said.append)
    assert said[0] == f"{len(build.chosen())} modules to C"
    outcome = {choice: replayed(tmp_path, choice) for choice in ("0", "1")}
    assert outcome["1"] == outcome["0"]


def replayed(folder: Path, choice: str) -> tuple[bytes, Any]:
    """The wire's frames and the report of a run in a process of its own."""
    out = folder / f"out{choice}.pcap"
    show = "import sys; from ringwire import bql; from ringwire.cli import main; print(bql.__file__, file=sys.stderr); "
    command = ["replay", str(CAPTURE), "--out", str(out), "--sim", "twin", "--line-rate", "1gbit", "--json"]
    environment = {**os.environ, compiled.VARIABLE: choice}
    done = subprocess.run(
        [sys.executable, "-c", f"{show} main({command!r})"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[0].endswith(".so" if choice == "1" else ".py")
    report = json.loads(done.stdout)
    return out.read_bytes(), untimed(report)


def untimed(report: Any) -> Any:
    """Without what depends on the machine's speed."""
    timed = {"wall_s", "frames_per_wall_s", "cycles_per_wall_s"}
    return {key: value for key, value in report.items() if key not in timed}


def test_constants_are_final_and_types_and_tuples_are_not() -> None:
    text = 'LIMIT = 1 << 4\n_FEW, MANY = 1, 2\nT = TypeVar("T")\nPAIR = (1, 2)\nTable = dict[str, int]\n'
    made = marked({"m": HEAD + text}, ["m"])["m"]
    assert "LIMIT: _Final = 1 << 4\n_FEW: _Final = 1; MANY: _Final = 2\n" in made
    for line in ('T = TypeVar("T")', "PAIR = (1, 2)", "Table = dict[str, int]"):
        assert f"\n{line}\n" in made
    assert "import Final as _Final" in made
