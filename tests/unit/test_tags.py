import pytest

from nrunner.errors import UsageError
from nrunner.runnable import Tags
from nrunner.tags import TagFilter

SLOW: Tags = {"slow": None}
VIRTIO: Tags = {"net": frozenset({"virtio", "e1000"}), "fast": None}
NONE: Tags = {}


@pytest.mark.parametrize(
    ("expressions", "tags", "admitted"),
    [
        ([], NONE, True),
        (["slow"], SLOW, True),
        (["slow"], VIRTIO, False),
        (["slow,fast"], SLOW, False),
        (["fast,net"], VIRTIO, True),
        (["slow", "fast"], VIRTIO, True),
        (["-slow"], SLOW, False),
        (["-slow"], VIRTIO, True),
        (["-slow"], NONE, False),
        (["net:virtio"], VIRTIO, True),
        (["net:virtio,net:e1000"], VIRTIO, True),
        (["net:virtio,net:other"], VIRTIO, False),
        (["net:virtio"], SLOW, False),
        (["slow:yes"], SLOW, False),
        (["-net:virtio"], VIRTIO, False),
        (["-net:other"], VIRTIO, True),
        (["net:a:b"], {"net": frozenset({"a:b"})}, True),
        ([" fast , -slow "], VIRTIO, True),
    ],
)
def test_the_grammar_is_that_of_avocado(expressions: list[str], tags: Tags, admitted: bool) -> None:
    assert TagFilter.parse(expressions).admits(tags) is admitted


def test_include_empty_admits_what_has_no_tags() -> None:
    tag_filter = TagFilter.parse(["slow"], include_empty=True)
    assert tag_filter.admits(NONE)
    assert not tag_filter.admits(VIRTIO)


def test_include_empty_key_admits_what_lacks_the_key_only() -> None:
    tag_filter = TagFilter.parse(["net:other"], include_empty_key=True)
    assert tag_filter.admits(SLOW)
    assert not tag_filter.admits(VIRTIO)
    assert not tag_filter.admits({"net": None})
    assert not TagFilter.parse(["fast"], include_empty_key=True).admits(SLOW)


@pytest.mark.parametrize("bad", ["", "-", "a,,b", "a,", ":x", "net:", "-net:", "a b"])
def test_bad_syntax_is_a_usage_error_that_shows_the_expression(bad: str) -> None:
    with pytest.raises(UsageError) as caught:
        TagFilter.parse(["fine", bad])
    assert repr(bad) in str(caught.value)
