"""The C header for driver authors: compilers take it, and its structures lie in memory as the tables say."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import ringwire
from ringwire.nic import descriptors as desc
from ringwire.nic.registers import GLOBAL_OFFSETS, QUEUE_OFFSETS

FOLDER = Path(ringwire.__file__).parent / "nic"
STRUCTURES = {
    "desc": (desc.DATA_LAYOUT, desc.DESCRIPTOR_BYTES),
    "offload": (desc.OFFLOAD_LAYOUT, desc.DESCRIPTOR_BYTES),
    "cpl": (desc.COMPLETION_LAYOUT, desc.COMPLETION_BYTES),
    "head": (desc.HEAD_LAYOUT, 8),
}
JOINED = {("offload", "hdr_len"): "hdr_len_type", ("cpl", "segments"): "segments_phase"}
"""Members that hold several fields, by the first."""
INSIDE = {
    ("offload", "type"), ("offload", "id_fixed"), ("offload", "csum_partial"), ("offload", "drop_late"),
    ("offload", "reserved"),
    ("cpl", "reserved"), ("cpl", "phase"),
}  # fmt: skip
"""The other fields of those."""


def assertions() -> list[str]:
    """What has to hold, as C conditions."""
    found = [f"RINGWIRE_REG_{name} == {offset}" for name, offset in GLOBAL_OFFSETS.items()]
    found += [f"RINGWIRE_REG_Q_{name} == {offset}" for name, offset in QUEUE_OFFSETS.items()]
    for structure, (layout, size) in STRUCTURES.items():
        found.append(f"sizeof(struct ringwire_{structure}) == {size}")
        for field, lsb, _ in layout:
            key = (structure, field.lower())
            if key not in INSIDE:
                member = JOINED.get(key, field.lower())
                found.append(f"offsetof(struct ringwire_{structure}, {member}) == {lsb // 8}")
    return found


@pytest.mark.parametrize(("compiler", "suffix"), [("cc", ".c"), ("c++", ".cpp")])
def test_a_compiler_takes_the_header_and_its_structures_are_those_of_the_tables(
    compiler: str, suffix: str, tmp_path: Path
) -> None:
    assert shutil.which(compiler), f"{compiler}: make setup installs it"
    source = tmp_path / f"driver{suffix}"
    lines = ["#include <assert.h>", "#include <stddef.h>", '#include "ringwire.h"', '#include "ringwire.h"']
    lines += [f'static_assert({condition}, "{condition}");' for condition in assertions()]
    lines += ["unsigned f(const struct ringwire_cpl *c) { return RINGWIRE_CPL_PHASE(c) + RINGWIRE_CPL_SEGMENTS(c); }"]
    source.write_text("\n".join([*lines, ""]))
    standard = "c11" if suffix == ".c" else "c++17"
    command = [compiler, f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{FOLDER}"]
    done = subprocess.run([*command, "-fsyntax-only", str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
