import pytest

from nrunner.runners.version import Specifier


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        (">=3.9,<4", ["3.9.0", "3.99"], ["3.8.20", "4", "4.0.0"]),
        (">3.9", ["3.9.1"], ["3.9", "3.9.0", "3.8"]),
        ("<= 3.9", ["3.9.0", "2"], ["3.9.1"]),
        ("==3.11.*", ["3.11", "3.11.7"], ["3.1", "3.12", "3.110"]),
        ("==3.11", ["3.11.0"], ["3.11.7"]),
        ("!=3.11.*", ["3.12.1"], ["3.11.1"]),
        ("!=3.11.2", ["3.11.1"], ["3.11.2"]),
        ("~=3.9", ["3.9.2", "3.13"], ["3.8", "4.0"]),
        ("~=3.9.2", ["3.9.2", "3.9.9"], ["3.9.1", "3.10"]),
        ("3.11", ["3.11.7", "3.11"], ["3.12", "3"]),
        (" v3 ", ["3.1"], ["2.7"]),
    ],
)
def test_a_version_is_admitted_or_not(text: str, good: list[str], bad: list[str]) -> None:
    specifier = Specifier(text)

    def admitted(version: str) -> bool:
        return specifier.admits(tuple(map(int, version.split("."))))

    assert [each for each in good if not admitted(each)] == []
    assert [each for each in bad if admitted(each)] == []


@pytest.mark.parametrize("text", ["", ">=", "abc", ">=3.*", "~=3", ">=3.9,,<4", "3.9; 4", "=>3"])
def test_what_is_no_specifier_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"clause|only|needs"):
        Specifier(text)
