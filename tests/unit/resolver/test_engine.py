import io
import json
import os
from pathlib import Path, PurePath

import pytest

from nrunner.errors import UsageError
from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.engine import expand, resolve
from nrunner.resolver.exec_test import ExecTestResolver
from nrunner.resolver.runnable_recipe import RunnableRecipeResolver
from nrunner.resolver.tap import TapResolver
from nrunner.runnable import Runnable

RESOLVERS = [ExecTestResolver(), TapResolver(), RunnableRecipeResolver()]


class Taker:
    """Takes everything, and remembers what it was asked."""

    description = "takes everything"

    def __init__(self, name: str, priority: int, answer: Answer = Answer.SUCCESS) -> None:
        self.name = name
        self.priority = priority
        self.answer = answer
        self.asked: list[str] = []

    def resolve(self, reference: str, context: Context) -> Resolution:
        self.asked.append(reference)
        runnables = (Runnable("noop", reference),) if self.answer is Answer.SUCCESS else ()
        return Resolution(reference, self.answer, runnables, "because", self.name)


def _script(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def _resolve(base_dir: Path, *references: str) -> list[Resolution]:
    return resolve(references, RESOLVERS, Context(base_dir))


def _uris(resolutions: list[Resolution]) -> list[str | None]:
    return [runnable.uri for each in resolutions for runnable in each.runnables]


def _refused(base_dir: Path, reference: str) -> str:
    [resolution] = _resolve(base_dir, reference)
    assert resolution.answer is Answer.NOT_MINE
    assert resolution.reference == reference
    assert resolution.runnables == ()
    assert resolution.reason.isprintable()
    return resolution.reason


class Seer(Taker):
    """Is told before what it will be asked."""

    def __init__(self) -> None:
        super().__init__("seer", 1)
        self.foreseen: list[list[str]] = []

    def foresee(self, references: list[str], context: Context) -> None:
        assert self.asked == []
        self.foreseen.append(references)


def test_a_resolver_is_told_of_all_files_of_a_folder_before_it_is_asked(tmp_path: Path) -> None:
    for name in ("a", "b/c"):
        _script(tmp_path / "f" / name)
    seer = Seer()
    resolve(["seer:f", "f/a"], [seer], Context(tmp_path))
    assert seer.foreseen == [["seer:f/a", "seer:f/b/c"]]
    assert seer.asked == ["seer:f/a", "seer:f/b/c", "f/a"]


def test_resolvers_are_asked_from_high_to_low_priority_until_one_takes_it(tmp_path: Path) -> None:
    low, high = Taker("low", 1), Taker("high", 2, Answer.NOT_MINE)
    [resolution] = resolve(["x"], [low, high], Context(tmp_path))
    assert resolution.resolver == "low"
    assert high.asked == low.asked == ["x"]


def test_a_corrupt_answer_ends_the_search(tmp_path: Path) -> None:
    low, high = Taker("low", 1), Taker("high", 2, Answer.CORRUPT)
    [resolution] = resolve(["x"], [low, high], Context(tmp_path))
    assert (resolution.answer, resolution.reason) == (Answer.CORRUPT, "because")
    assert low.asked == []


def test_a_name_and_a_colon_ask_that_resolver_alone(tmp_path: Path) -> None:
    low, high = Taker("low", 1), Taker("high", 2)
    [resolution] = resolve(["low:x"], [low, high], Context(tmp_path))
    assert resolution.resolver == "low"
    assert resolution.reference == "low:x"
    assert (high.asked, low.asked) == ([], ["low:x"])


def test_answers_stand_in_the_order_of_the_references(tmp_path: Path) -> None:
    for name in "ba":
        _script(tmp_path / name)
    assert _uris(_resolve(tmp_path, "b", "a", "b")) == ["b", "a", "b"]


def test_a_folder_is_walked_in_order_and_nobodys_files_are_left_out(tmp_path: Path) -> None:
    for name in ("t/b.sh", "t/a.sh", "t/sub/c.sh", "t/.git/hook", "t/.x", "t/__pycache__/y"):
        _script(tmp_path / name)
    (tmp_path / "t/README").write_text("text")
    found = _resolve(tmp_path, "t/")
    assert _uris(found) == ["t/a.sh", "t/b.sh", "t/sub/c.sh"]
    assert {each.reference for each in found} == {"t/"}
    assert _uris(_resolve(tmp_path / "t", ".")) == ["a.sh", "b.sh", "sub/c.sh"]
    assert _uris(_resolve(tmp_path / "t", "..")) == ["../t/a.sh", "../t/b.sh", "../t/sub/c.sh"]


def test_a_virtual_environment_in_a_folder_is_not_searched(tmp_path: Path) -> None:
    _script(tmp_path / "t/a.sh")
    _script(tmp_path / "t/venv/bin/tool")
    (tmp_path / "t/venv/pyvenv.cfg").touch()
    assert _uris(_resolve(tmp_path, "t")) == ["t/a.sh"]


def test_links_that_lead_in_circles_end(tmp_path: Path) -> None:
    _script(tmp_path / "t/a.sh")
    _script(tmp_path / "outside.sh")
    (tmp_path / "t/loop").symlink_to("..")
    (tmp_path / "t/self").symlink_to("self")
    assert _uris(_resolve(tmp_path, "t")) == ["t/a.sh"]
    assert "self" in _refused(tmp_path, "t/self")


def test_what_is_corrupt_in_a_folder_is_told_beside_what_is_good(tmp_path: Path) -> None:
    _script(tmp_path / "t/a.sh")
    (tmp_path / "t/bad.json").write_text('{"kind": "noop", "urii": 1}')
    good, bad = _resolve(tmp_path, "t")
    assert good.answer is Answer.SUCCESS
    assert bad.answer is Answer.CORRUPT
    assert bad.reference == "t"
    assert bad.reason.startswith("t/bad.json:1: ")


def test_a_folder_without_tests_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "some").mkdir()
    (tmp_path / "some/a.txt").touch()
    (tmp_path / "some/b.json").write_text("{}")
    assert _refused(tmp_path, "empty") == "folder empty has no tests: it holds no files"
    assert "2 files in it, none of them a test" in _refused(tmp_path, "some")


def test_a_pattern_is_expanded_in_order(tmp_path: Path) -> None:
    for name in ("t/b.sh", "t/a.sh", "t/sub/c.sh"):
        _script(tmp_path / name)
    (tmp_path / "t/notes.sh").touch()
    assert _uris(_resolve(tmp_path, "t/*.sh")) == ["t/a.sh", "t/b.sh"]
    assert _uris(_resolve(tmp_path, "t/**/c.sh")) == ["t/sub/c.sh"]
    assert _uris(_resolve(tmp_path, f"{tmp_path}/t/s*")) == [f"{tmp_path}/t/sub/c.sh"]


@pytest.mark.parametrize("pattern", ["./**", ".//**", "t/./**", "t/**"])
def test_a_pattern_leads_to_a_file_once_however_it_is_written(tmp_path: Path, pattern: str) -> None:
    _script(tmp_path / "t/a.sh")
    _script(tmp_path / "t/sub/b.sh")
    paths = [PurePath(*Path(uri).parts[-2:]) for uri in _uris(_resolve(tmp_path, pattern))]
    assert paths == [PurePath("t/a.sh"), PurePath("sub/b.sh")]


def test_files_that_a_pattern_leads_to_through_a_link_are_not_taken_for_each_other(
    tmp_path: Path,
) -> None:
    _script(tmp_path / "a.sh")
    _script(tmp_path / "other/a.sh")
    (tmp_path / "other/real").mkdir()
    (tmp_path / "link").symlink_to("other/real")
    assert _uris(_resolve(tmp_path, "*/../a.sh")) == ["link/../a.sh", "other/../a.sh"]


def test_a_pattern_that_matches_nothing_or_no_tests_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    assert _refused(tmp_path, "*.py") == "pattern *.py matches nothing"
    assert "matches 1 file, none of them a test" in _refused(tmp_path, "*.txt")


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    _script(tmp_path / "a[1].sh")
    assert _uris(_resolve(tmp_path, "a[1].sh")) == ["a[1].sh"]


@pytest.mark.parametrize(
    ("reference", "nearest"),
    [
        ("tests/tset_a.sh", "tests/test_a.sh"),
        ("tests/other/thing", "tests/"),
        ("tets/test_a.sh", "tests"),
        ("nothing-like-it", "."),
        ("tests/test_a.sh/more", "tests/test_a.sh/"),
    ],
)
def test_a_missing_file_names_the_nearest_existing_path(
    tmp_path: Path, reference: str, nearest: str
) -> None:
    _script(tmp_path / "tests/test_a.sh")
    reason = _refused(tmp_path, reference)
    assert f"{reference} does not exist; the nearest existing path is {nearest}" == reason


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("", "empty"),
        ("a\0b", "NUL"),
        ("a\nb", "a\\nb does not exist"),
        ("\x1b[31m\r", "\\x1b[31m\\r matches nothing"),
        ("x" * 10240, "10240 characters"),
        ("a/" * 5120, "characters"),
        ("../" * 40 + "no-such-thing", "does not exist"),
        ("\udcff", "does not exist"),
        ("tap:", "does not exist"),
        (":", "does not exist"),
    ],
)
def test_names_that_mean_trouble_get_a_clear_answer(
    tmp_path: Path, reference: str, words: str
) -> None:
    reason = _refused(tmp_path, reference)
    assert words in reason
    assert len(reason) < 1000


def test_a_file_nobody_takes_says_why_each_declined(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    assert (
        _refused(tmp_path, "a.txt")
        == "a.txt is not a test (exec-test: it is not an executable file)"
    )


def test_a_thousand_references_resolve_quickly(tmp_path: Path) -> None:
    _script(tmp_path / "a.sh")
    start = os.times().user
    assert len(_uris(_resolve(tmp_path, *["a.sh"] * 1000))) == 1000
    assert os.times().user - start < 1


def test_a_dash_reads_references_from_standard_input() -> None:
    stdin = io.BytesIO(b"a b\r\n\n# not this\nc\xff\n")
    assert expand(["x", "-", "y"], stdin) == ["x", "a b", "c\udcff", "y"]


def test_references_with_newlines_can_be_given_between_nuls() -> None:
    assert expand(["-"], io.StringIO("a\nb\0#c\0")) == ["a\nb", "#c"]


def test_an_at_sign_reads_references_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("a\nb")
    assert expand([f"@{tmp_path}/list"], io.BytesIO()) == ["a", "b"]


def test_a_list_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    for name, words in (("lits", "the nearest existing path is"), ("", "directory"), ("\0", "NUL")):
        (tmp_path / "list").touch()
        with pytest.raises(UsageError, match=words):
            expand([f"@{tmp_path}/{name}"], io.BytesIO())


def test_a_recipe_and_a_folder_of_recipes_keep_repeated_runnables(tmp_path: Path) -> None:
    recipe = [{"kind": "noop", "uri": "x"}] * 2
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(recipe))
    assert _uris(_resolve(tmp_path, ".")) == ["x"] * 4
