import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from nrunner.runners import self_command


def test_from_files_the_entry_is_a_file_of_its_own() -> None:
    python, path = self_command.self_command("unittest-child")
    assert python == sys.executable
    assert Path(path).name == "unittest_child.py"
    assert Path(path).is_file()


def test_from_a_zipapp_the_entry_is_its_first_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_command, "__loader__", SimpleNamespace(archive="/x/agent.pyz"))
    command = self_command.self_command("unittest-child", "/usr/bin/python3")
    assert command == ("/usr/bin/python3", "/x/agent.pyz", "unittest-child")
