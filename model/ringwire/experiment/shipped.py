"""Scenarios that come with the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from ringwire.experiment.tomlfile import ExperimentError

SCENARIOS = resources.files("ringwire.experiment") / "scenarios"


def names() -> list[str]:
    """Of all of them, sorted."""
    return sorted(file.name.removesuffix(".toml") for file in SCENARIOS.iterdir() if file.name.endswith(".toml"))


def find(name: str) -> tuple[Path, str]:
    """(path, text) of an experiment's file, or of a shipped scenario."""
    path = Path(name)
    shipped = SCENARIOS / f"{name}.toml"
    if not path.exists() and "/" not in name and shipped.is_file():
        return Path(str(shipped)), shipped.read_text(encoding="utf-8")
    try:
        return path, path.read_text(encoding="utf-8")
    except FileNotFoundError:
        there = ", ".join(names())
        raise ExperimentError(f"{name}: no such file, and no scenario of that name; there are {there}") from None
    except OSError as error:
        raise ExperimentError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ExperimentError(f"{name}: not UTF-8 text; needed: a TOML file") from None
