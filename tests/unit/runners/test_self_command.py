import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from nrunner.runners import self_command


def test_from_files_the_entry_is_the_word_after_the_file_of_all_entries() -> None:
    python, path, entry = self_command.self_command("unittest-child")
    assert (python, entry) == (sys.executable, "unittest-child")
    assert Path(path).name == "entry.py"
    assert Path(path).is_file()


def test_from_a_zipapp_the_entry_is_its_first_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_command, "_home", self_command._home.__wrapped__)
    monkeypatch.setattr(self_command, "__loader__", SimpleNamespace(archive="/x/agent.pyz"))
    command = self_command.self_command("unittest-child", "/usr/bin/python3")
    assert command == ("/usr/bin/python3", "/x/agent.pyz", "unittest-child")
