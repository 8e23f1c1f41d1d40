"""What is installed: the wheel carries the hardware and the data, and the environment is the locked one."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_a_wheel_holds_the_package_the_hardware_and_the_data(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    sources = [*ROOT.glob("rtl/*.sv*"), *ROOT.glob("tb/*.sv*"), *ROOT.glob("tb/*.c"), *ROOT.glob("tb/*.h")]
    assert len(sources) > 20
    wanted = {f"ringwire/_hw/{path.relative_to(ROOT).as_posix()}" for path in sources}
    package = ROOT / "model" / "ringwire"
    wanted |= {f"ringwire/{path.relative_to(package).as_posix()}" for path in package.rglob("*.py")}
    wanted |= {"ringwire/py.typed", "ringwire/nic/ringwire.h", "ringwire/data/real_mix.pcap"}
    templates = {path.relative_to(package).as_posix() for path in package.glob("experiment/report/templates/*")}
    assert len(templates) == 6
    wanted |= {f"ringwire/{name}" for name in templates}
    assert sorted(wanted - held) == []
    assert [name for name in held if "__pycache__" in name] == []


def test_the_lock_names_no_index_and_hashes_every_package() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text and "--index" not in text
    for requirement in text.replace("\\\n", " ").splitlines():
        if requirement.strip() and not requirement.lstrip().startswith("#"):
            assert "==" in requirement and "--hash=sha256:" in requirement
