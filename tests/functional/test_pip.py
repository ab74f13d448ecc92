"""Packages of Python in virtual environments of jobs, from wheels that are made here."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from nrunner.errors import RequirementError, RunnerError
from nrunner.runnable import Requirement
from nrunner.runners.pip import Pip
from tests.functional.sandbox import Sandbox


def make_wheel(folder: Path, name: str, version: str, requires: str = "") -> None:
    """Make a wheel with one module that holds its version, and a command."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        code = f"VERSION = {version!r}\ndef main(): print({name + ' ' + version!r})\n"
        wheel.writestr(f"{name}.py", code)
        meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
        wheel.writestr(f"{info}/METADATA", meta)
        tags = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{info}/WHEEL", tags)
        wheel.writestr(f"{info}/entry_points.txt", f"[console_scripts]\n{name} = {name}:main\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    make_wheel(folder, "nrone", "1.0")
    make_wheel(folder, "nrone", "2.0")
    make_wheel(folder, "nrtwo", "1.0", "nrone<2")
    return folder


def want(wheels: Path, **kwargs: Any) -> Requirement:
    more = {"find_links": str(wheels), "no_index": True}
    return Requirement("pip", kwargs={**more, **kwargs})


def runner(folder: Path) -> Pip:
    pip = Pip()
    pip.config = {"agent.kept_dir": str(folder / "kept"), "runner.python": sys.executable}
    return pip


def test_all_that_is_required_in_one_environment_holds_together(
    tmp_path: Path, wheels: Path
) -> None:
    pip, base = runner(tmp_path), str(tmp_path)
    assert "no virtual environment venv-default" in str(pip.check(want(wheels, name="nrtwo"), base))
    pip.fulfil(want(wheels, name="nrtwo"), base)
    assert pip.check(want(wheels, name="nrtwo"), base) is None
    newer = want(wheels, name="nrone==2.0")
    assert pip.check(newer, base) == "not in the virtual environment yet: nrone==2.0"
    with pytest.raises(RequirementError, match=r"pip says: ERROR: Cannot install .*nrone==2\.0"):
        pip.fulfil(newer, base)
    assert pip.check(want(wheels, name="nrtwo"), base) is None
    with pytest.raises(RequirementError, match=r"pip says: ERROR: .* requirement nrnone"):
        pip.fulfil(want(wheels, name="nrnone"), base)
    told = pip.variables(want(wheels, name="nrtwo"), base)
    assert told["PATH"].startswith(f"{told['VIRTUAL_ENV']}/bin:")
    assert pip.interpreter(newer, base) == f"{told['VIRTUAL_ENV']}/bin/python"
    assert os.access(f"{told['VIRTUAL_ENV']}/bin/nrone", os.X_OK)
    other = want(wheels, name="nrone==2.0", environment="new")
    assert pip.variables(want(wheels, name="nrtwo"), base) == told
    with pytest.raises(RequirementError, match=r"venv-new-.* is not there any more"):
        pip.variables(other, base)
    assert pip.resource(other) == "virtual environment 'new'"


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ({}, "needs a uri"),
        ({"name": "--target=/usr"}, "'--target=/usr' is no package"),
        ({"name": "a", "environment": "../x"}, "expected letters"),
        ({"name": "a", "no_index": "perhaps"}, "expected true or false"),
        ({"name": "a", "find_link": "x"}, 'did you mean "find_links"'),
    ],
)
def test_what_is_wrong_with_a_description_is_named(
    tmp_path: Path, wheels: Path, kwargs: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RunnerError, match=reason):
        runner(tmp_path).check(want(wheels, **kwargs), str(tmp_path))


def test_without_a_folder_there_is_no_environment(tmp_path: Path, wheels: Path) -> None:
    with pytest.raises(RequirementError, match="nobody has said where"):
        Pip().check(want(wheels, name="nrone"), str(tmp_path))


def test_an_interpreter_that_has_no_venv_says_so(tmp_path: Path, wheels: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'Error: No module named venv'; exit 1\n")
    broken.chmod(0o755)
    with pytest.raises(RequirementError, match=r"no virtual environment can be made .*No module"):
        runner(tmp_path).fulfil(want(wheels, name="nrone", python="./python"), str(tmp_path))


TEST = '''
import unittest

class T(unittest.TestCase):
    def test_with(self):
        """
        :nrunner: requires={requirement}
        """
        import nrone
        self.assertEqual(nrone.VERSION, "2.0")

    def test_without(self):
        with self.assertRaises(ImportError):
            import nrone
'''


def test_tests_that_require_it_run_where_it_is_and_no_others(
    sandbox: Sandbox, wheels: Path
) -> None:
    need = want(wheels, name="nrone").to_json()
    sandbox.write("test_x.py", TEST.replace("{requirement}", json.dumps(need)), executable=False)
    sandbox.write(
        "check.sh", '#!/bin/sh\nset -e\n[ "$(nrone)" = "nrone 2.0" ]\n[ -d "$VIRTUAL_ENV" ]\n'
    )
    sandbox.write("bare.sh", "#!/bin/sh\n! command -v nrone\n")
    recipes = [
        {"kind": "exec-test", "uri": "./check.sh", "requirements": [need]},
        {"kind": "exec-test", "uri": "./bare.sh"},
        {"kind": "exec-test", "uri": "./check.sh", "requirements": [{**need, "name": "nrnone"}]},
    ]
    sandbox.write("needy.json", json.dumps(recipes), executable=False)
    end = sandbox.run("run", "test_x.py", "needy.json")
    assert end.code == 0, end
    found = [(each["name"], each["status"]) for each in sandbox.results()["tests"]]
    assert [status for _, status in found] == ["PASS", "PASS", "PASS", "PASS", "SKIP"], found
    assert list(sandbox.job.rglob("pyvenv.cfg")) == []
    sandbox.wait_nothing_runs()
