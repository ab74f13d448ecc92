"""What the table of settings accepts, the published schema accepts too."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrunner.config import OPTIONS
from nrunner.schema import problems

values = st.one_of(
    st.booleans(),
    st.integers(-2, 300),
    st.floats(-2, 300),
    st.sampled_from(["none", "0", "90s", "1h30m", "1m1h", "h:80", "[::1]:0", "h:99999", "a=b"]),
    st.text(max_size=5),
    st.lists(st.one_of(st.integers(-2, 300), st.text(max_size=3)), max_size=2),
    st.dictionaries(st.text(max_size=3), st.one_of(st.integers(), st.text(max_size=3)), max_size=2),
)


def nested(key, value):
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


def accepts(option, value):
    try:
        option.sort.from_toml(value)
    except ValueError:
        return False
    return True


@given(key=st.sampled_from(sorted(OPTIONS)), value=values)
def test_the_schema_accepts_what_the_table_accepts(key, value):
    assert not accepts(OPTIONS[key], value) or problems(nested(key, value), "config") == []


WRONG = {
    "run.max_parallel_tasks": [0, "1", True],
    "run.job_timeout": [-1, "5x", True, []],
    "run.grace": [-1, "none"],
    "agent.orphan_deadline": [0, "0s"],
    "run.fail_fast": ["yes", 1],
    "run.spawner": ["", 1],
    "run.env": [{"A": 1}, {"A=": "x"}, "A=1"],
    "run.results": ["json", [""], [1]],
    "runner.exectest.exitcodes.skip": [256, [256], [-1]],
    "status.tcp": ["80", "h:65536", "h"],
    "run.unknown": [1],
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, each in WRONG.items() for value in each]
)
def test_the_schema_refuses_what_the_table_refuses(key, value):
    assert key not in OPTIONS or not accepts(OPTIONS[key], value)
    assert problems(nested(key, value), "config") != []
