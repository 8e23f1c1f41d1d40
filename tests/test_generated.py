"""Files that follow from the register and descriptor tables are what those tables give."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringwire.checks.names import MEANINGS
from ringwire.faults import FAULTS, document
from ringwire.nic import generate

ROOT = Path(__file__).parent.parent


def test_generated_files_are_not_stale() -> None:
    assert generate.stale(ROOT) == []


def test_the_page_of_bugs_is_not_stale() -> None:
    assert (ROOT / document.PATH).read_text() == document.markdown(), "run python -m ringwire.faults.document"
    assert {fault.says for fault in FAULTS.values()} <= MEANINGS.keys()


def test_a_stale_file_is_named_with_the_command_that_renews_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main([str(tmp_path)]) == 0
    assert generate.main(["--check", str(tmp_path)]) == 0
    for name in generate.OUTPUTS:
        path = tmp_path / name
        text = path.read_text()
        path.write_text(text.replace("0x", "0X", 1) if "0x" in text else text + " ")
        assert generate.main(["--check", str(tmp_path)]) == 1
        out = capsys.readouterr().out
        assert name in out
        assert "python -m ringwire.nic.generate" in out
        path.write_text(text)
