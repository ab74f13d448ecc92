import subprocess
import sys
from pathlib import Path

import pytest

from nrunner.resolver.base import Answer, Context
from nrunner.resolver.registry import BUILT_IN, load_resolvers, plugins

GOOD = """
from nrunner.resolver.base import Answer, Resolution
class Good:
    name, description, priority = "good", "a good one", 99
    def resolve(self, reference, context):
        return Resolution(reference, Answer.SUCCESS, resolver=self.name)
"""


def _install(site: Path, name: str, code: str, entry: str) -> None:
    (site / f"{name}.py").write_text(code)
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir()
    text = f"[console_scripts]\nx = y:z\n\n[nrunner.resolvers]\n# ours\n{entry}\n[other]\na = b:c\n"
    (folder / "entry_points.txt").write_text(text)


def test_ours_are_all_there() -> None:
    resolvers, errors = load_resolvers(path=[])
    assert errors == []
    assert {each.name for each in resolvers} == set(BUILT_IN)
    assert all(each.description for each in resolvers)


def test_the_priorities_put_the_particular_before_the_general() -> None:
    ordered = sorted(load_resolvers(path=[])[0], key=lambda each: -each.priority)
    names = [each.name for each in ordered]
    assert names[:2] == ["hint", "runnable-recipe"]
    assert names.index("exec-runnables-recipe") == len(names) - 2
    assert names[-1] == "exec-test"


def test_another_distribution_can_add_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path, "good_plugin", GOOD, "good = good_plugin:Good [extra]")
    monkeypatch.syspath_prepend(str(tmp_path))
    resolvers, errors = load_resolvers([str(tmp_path), "/no/such/folder"])
    assert errors == []
    [good] = [each for each in resolvers if each.name == "good"]
    assert good.resolve("x", Context(tmp_path)).answer is Answer.SUCCESS
    assert plugins([str(tmp_path)])[-1].distribution == "good_plugin-1.0"


@pytest.mark.parametrize(
    ("code", "target", "words"),
    [
        ("import no_such_module", "bad_plugin:Bad", "ModuleNotFoundError"),
        ("Bad = 3", "bad_plugin:Bad", "TypeError"),
        ("class Bad: name = 'x'", "bad_plugin:Bad", "no description, priority, resolve"),
        ("", "bad_plugin:Bad.worse", "AttributeError"),
        ("", "", "ValueError"),
    ],
)
def test_a_broken_one_is_named_and_harms_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, target: str, words: str
) -> None:
    _install(tmp_path, "bad_plugin", code, f"bad = {target}")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "bad_plugin", raising=False)
    resolvers, [error] = load_resolvers([str(tmp_path)])
    assert len(resolvers) == len(BUILT_IN)
    assert "'bad'" in str(error)
    assert "bad_plugin-1.0" in str(error)
    assert words in str(error)


def test_a_name_of_ours_cannot_be_taken(tmp_path: Path) -> None:
    _install(tmp_path, "evil", GOOD, "tap = evil:Good")
    assert {each.name: each.target for each in plugins([str(tmp_path)])} == BUILT_IN


def test_loading_ours_imports_nothing_heavy() -> None:
    code = (
        "import sys; from nrunner.resolver.registry import load_resolvers; load_resolvers();"
        "print(sorted({'asyncio', 'importlib.metadata', 'jsonschema'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import sys; sys.path[:0] = sys.argv[1:];" + code, *sys.path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
