"""Small tests of kinds that are in files, one for each way to end: what both contracts run.

Not responsible for the runners, nor for kinds whose tests are no files.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from nrunner.runnable import Runnable

__all__ = ["GolangTests", "PytestTests", "PythonUnittestTests", "RobotTests"]


class _Tests:
    """Tests named ``good``, ``bad``, ``endless``, in the case that `style` gives them."""

    kind: str
    files: Mapping[str, str]
    uri: str
    config: Mapping[str, Any] = MappingProxyType({})

    def passing(self, folder: Path) -> Runnable:
        return self._test(folder, "good")

    def failing(self, folder: Path) -> Runnable:
        return self._test(folder, "bad")

    def endless(self, folder: Path) -> Runnable:
        return self._test(folder, "endless")

    def impossible(self, folder: Path) -> Runnable:
        return self._test(folder, "nosuch")

    def style(self, name: str) -> str:
        return name

    def _test(self, folder: Path, name: str) -> Runnable:
        for file, text in self.files.items():
            (folder / file).write_text(text)
        return Runnable(self.kind, self.uri.format(self.style(name)), config=dict(self.config))


class PytestTests(_Tests):
    kind = "pytest"
    uri = "test_it.py::test_{}"
    config = MappingProxyType({"runner.python": sys.executable})  # not every one has a pytest
    files = MappingProxyType(
        {
            "test_it.py": """
import time
def test_good():
    pass
def test_bad():
    assert "good" == "bad"
def test_endless():
    time.sleep(60)
"""
        }
    )

    @pytest.fixture(autouse=True)
    def _no_plugins(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


class PythonUnittestTests(_Tests):
    kind = "python-unittest"
    uri = "test_it.py:T.test_{}"
    files = MappingProxyType(
        {
            "test_it.py": """
import time, unittest
class T(unittest.TestCase):
    def test_good(self): pass
    def test_bad(self): self.fail("on purpose")
    def test_endless(self): time.sleep(60)
"""
        }
    )


class GolangTests(_Tests):
    kind = "golang"
    uri = "it_test.go:Test{}"
    files = MappingProxyType(
        {
            "go.mod": "module example.com/it\n",
            "it_test.go": """package it
import ("testing"; "time")
func TestGood(t *testing.T) {}
func TestBad(t *testing.T) { t.Error("on purpose") }
func TestEndless(t *testing.T) { time.Sleep(time.Minute) }
""",
        }
    )

    def style(self, name: str) -> str:
        return name.capitalize()


class RobotTests(_Tests):
    kind = "robot"
    uri = "it.robot:It.{}"
    config = MappingProxyType({"runner.python": sys.executable})
    files = MappingProxyType(
        {
            "it.robot": """
*** Test Cases ***
Good
    Log    fine
Bad
    Fail    on purpose
Endless
    Sleep    60
"""
        }
    )

    def style(self, name: str) -> str:
        return name.capitalize()
