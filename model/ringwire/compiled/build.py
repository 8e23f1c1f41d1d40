"""Build the model in C: mark its classes, let mypyc write C, compile that with all cores."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ringwire.compiled import MANIFEST, VARIABLE, build_folder, digest, modules, source_files
from ringwire.compiled.classes import marked
from ringwire.places import PACKAGE, BuildError, alone

PACKAGES = ("action", "checks", "driver", "filter", "host", "netdev", "nic", "qdisc", "traffic", "transport")
"""Whose work is done for each packet ..."""
MODULES = (
    "bql",
    "cosim.capture",
    "cosim.direct",
    "cosim.world",
    "experiment.bins",
    "experiment.environment",
    "experiment.job",
    "experiment.packets",
    "experiment.probes",
    "experiment.supers",
    "experiment.wirefile",
    "gso",
    "packet",
    "pcap",
    "replay.job",
    "replay.packets",
    "replay.source",
    "replay.wire",
    "rig.host",
    "skb",
    "sock",
    "socket",
    "timestamping",
)
"""... and modules that are."""
LEFT = {
    "filter.dissect": "a class whose attributes begin as those of the class",
    "netdev.ethtool_ops": "protocols that are asked for at run time",
    "nic.generate": "never runs with packets",
}
"""What mypyc does not take or nobody waits for, and why."""

Tell = Callable[[str], None]


def compile_model(tell: Tell) -> Path:
    """Build unless it is there; ``tell`` hears what is done. Returns the build's folder."""
    folder = build_folder()
    if modules() is not None:
        return folder
    if find_spec("mypyc") is None:
        raise BuildError('mypyc is missing: pip install "ringwire[compiled]"')
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise BuildError(f"Python.h is missing: sudo apt-get install libpython{version}-dev")
    if shutil.which("gcc") is None:
        raise BuildError("gcc is missing: sudo apt-get install gcc")
    with alone(folder):
        if modules() is None:  # another process may have built it meanwhile
            _make(folder, tell)
    return folder


def _make(folder: Path, tell: Tell) -> None:
    work = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    made_of = digest()
    names = chosen()
    tell(f"{len(names)} modules to C")
    _write_sources(work, names)
    extensions = _generate(work, names)
    _Compiler(work, tell).make(extensions)
    files = {extension["name"]: _library(extension) for extension in extensions}
    (work / MANIFEST).write_text(json.dumps({"digest": made_of, "modules": files}), encoding="utf-8")
    for name in ("ringwire", "build"):
        shutil.rmtree(work / name)
    shutil.rmtree(folder, ignore_errors=True)
    work.rename(folder)


def chosen() -> list[str]:
    """The modules to compile, by dotted name."""
    found = [_dotted(path) for path in source_files() if path.name != "__init__.py"]
    wanted = {f"ringwire.{name}" for name in MODULES}
    inside = tuple(f"ringwire.{name}." for name in PACKAGES)
    left = {f"ringwire.{name}" for name in LEFT}
    return [name for name in found if (name in wanted or name.startswith(inside)) and name not in left]


def _dotted(path: Path) -> str:
    parts = ("ringwire", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _write_sources(work: Path, names: Iterable[str]) -> None:
    """The package as mypyc is to see it."""
    sources = {_dotted(path): path.read_text(encoding="utf-8") for path in source_files()}
    changed = marked(sources, names)
    for path in source_files():
        target = work / "ringwire" / path.relative_to(PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        name = _dotted(path)
        target.write_text(changed.get(name, sources[name]), encoding="utf-8")
    (work / "ringwire" / "py.typed").touch()


def _generate(work: Path, names: Iterable[str]) -> list[dict[str, Any]]:
    """Extension modules as :mod:`ringwire.compiled.generate` describes them."""
    command = [sys.executable, "-m", "ringwire.compiled.generate", *names]
    environment = {**os.environ, "MYPYPATH": ".", VARIABLE: "0"}
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    (work / "mypyc.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode:
        said = next((line for line in done.stdout.splitlines() if "error:" in line), done.stderr.strip()[-200:])
        raise BuildError(f"mypyc: {said} (all of it: {work / 'mypyc.log'})")
    extensions: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return extensions


def _library(extension: dict[str, Any]) -> str:
    return f"{extension['name']}{sysconfig.get_config_var('EXT_SUFFIX')}"


class _Compiler:
    """Runs the C compiler, as many at a time as there are cores."""

    def __init__(self, work: Path, tell: Tell) -> None:
        self._work = work
        self._tell = tell
        self._cc = [*(["ccache"] if shutil.which("ccache") else []), "gcc"]
        self._lock = threading.Lock()
        self._done = 0

    def make(self, extensions: list[dict[str, Any]]) -> None:
        """Compile and link; BuildError with the compiler's first complaint."""
        sources = {source: each for each in extensions for source in each["sources"]}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            steps = [pool.submit(self._compile, source, each, len(sources)) for source, each in sources.items()]
            for step in steps:
                step.result()
            for step in [pool.submit(self._link, each) for each in extensions]:
                step.result()

    def _compile(self, source: str, extension: dict[str, Any], total: int) -> None:
        includes = [*extension["include_dirs"], sysconfig.get_path("include")]
        flags = [flag for flag in extension["flags"] if flag != "-Werror"]
        where = [f"-I{folder}" for folder in includes]
        self._run([*self._cc, "-fPIC", "-DNDEBUG", "-w", *flags, *where, "-c", source, "-o", _object(source)])
        with self._lock:
            self._done += 1
            self._tell(f"{self._done} of {total} C files compiled")

    def _link(self, extension: dict[str, Any]) -> None:
        objects = [_object(source) for source in extension["sources"]]
        self._run(["gcc", "-shared", *objects, "-o", _library(extension)])

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, cwd=self._work, capture_output=True, text=True, check=False)
        if done.returncode:
            said = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr[:200])
            raise BuildError(f"{command[0]}: {said}")


def _object(source: str) -> str:
    return f"build/{source.replace('/', '_')}.o"
