import pytest

from nrunner.errors import RecipeError
from nrunner.resolver.python_docstring import (
    directives,
    is_idempotent,
    requirements_of,
    tags_of,
)
from nrunner.runnable import Requirement


def test_tags_of_all_lines_are_joined() -> None:
    text = """A test.

    :avocado: tags=slow,net:virtio
    :nrunner: tags=net:e1000, arch:x86_64:v2
    words :avocado: tags=not-this
    """
    assert tags_of(directives(text)) == {
        "slow": None,
        "net": frozenset({"virtio", "e1000"}),
        "arch": frozenset({"x86_64:v2"}),
    }


def test_what_else_avocado_knows_means_nothing_here() -> None:
    for word in ("enable", "disable", "recursive", "no-such-thing"):
        found = list(directives(f":avocado: {word}"))
        assert (tags_of(found), requirements_of(found)) == ({}, ())


def test_requirements_are_those_of_recipes() -> None:
    text = """:avocado: dependency={"type": "package", "name": "gcc"}
    :nrunner: requires=[{"type": "file", "uri": "a"}, {"type": "file", "uri": "b"}]"""
    assert requirements_of(directives(text)) == (
        Requirement("package", kwargs={"name": "gcc"}),
        Requirement("file", "a"),
        Requirement("file", "b"),
    )


def test_a_test_can_say_that_running_it_twice_does_no_harm() -> None:
    assert is_idempotent(directives("Words.\n\n  :nrunner: idempotent\n"))
    assert not is_idempotent(directives(":avocado: idempotent\n:nrunner: tags=idempotent"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (':nrunner: requires={"type"', "not JSON"),
        (":avocado: dependency=[3]", "expected an object"),
        (':nrunner: requires={"uri": "x"}', 'key "type" is missing'),
        (":nrunner: tags=a,,b", "'' is no tag"),
        (":nrunner: tags=a:", "'a:' is no tag"),
        (":nrunner: tag=a", 'unknown directive "tag"; did you mean "tags"?'),
        (":nrunner: require={}", 'did you mean "requires"?'),
        (":nrunner: xyz", "known are tags, requires, idempotent"),
        (":nrunner: idempotent=no", "idempotent=no: it takes no value"),
    ],
)
def test_a_broken_directive_is_refused(line: str, words: str) -> None:
    found = list(directives(line))
    with pytest.raises(RecipeError) as caught:
        (tags_of(found), requirements_of(found))
    assert words in str(caught.value)
