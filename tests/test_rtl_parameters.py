"""What the engine is not built for is refused, in one line that names the parameter and its range."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ringwire.cosim.build import Design
from ringwire.places import hardware_root

REFUSED = {
    "DATA_W=1024": "DATA_W is 1024; 64, 128, 256 or 512 is allowed",
    "DATA_W=96": "DATA_W is 96; 64, 128, 256 or 512 is allowed",
    "QUEUES=3": "QUEUES is 3; 1, 2, 4, 8 or 16 is allowed",
    "QUEUES=32": "QUEUES is 32; 1, 2, 4, 8 or 16 is allowed",
    "BUF_KIB=16": "BUF_KIB is 16; 32, 64 or 128 is allowed",
    "FAULTS=2": "FAULTS is 2; 0 or 1 is allowed",
}


@pytest.mark.parametrize("setting", REFUSED)
def test_the_rtl_refuses_to_run_with_a_parameter_out_of_range(setting: str, tmp_path: Path) -> None:
    rtl = hardware_root() / "rtl"
    model = tmp_path / "model.vvp"
    command = ["iverilog", "-g2012", f"-I{rtl}", "-sringwire_tx", f"-Pringwire_tx.{setting}", f"-o{model}"]
    subprocess.run([*command, *map(str, sorted(rtl.glob("*.sv")))], check=True, capture_output=True, timeout=60)
    ran = subprocess.run(["vvp", "-n", str(model)], capture_output=True, text=True, timeout=60)
    assert ran.returncode != 0
    assert f"ringwire_tx: {REFUSED[setting]}" in ran.stdout


@pytest.mark.parametrize("data_w", [32, 96, 1024])
def test_a_design_of_another_width_is_refused_in_one_line(data_w: int) -> None:
    with pytest.raises(ValueError) as refusal:
        Design(data_w=data_w)
    assert str(refusal.value) == f"data_w is one of 64, 128, 256, 512, not {data_w}"


@pytest.mark.parametrize("queues", [0, 3, 32])
def test_a_design_of_another_number_of_queues_is_refused_in_one_line(queues: int) -> None:
    with pytest.raises(ValueError) as refusal:
        Design(queues=queues)
    assert str(refusal.value) == f"queues is one of 1, 2, 4, 8, 16, not {queues}"
