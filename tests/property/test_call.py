from hypothesis import given
from hypothesis import strategies as st

from nrunner.record import replace
from nrunner.runnable import Runnable
from nrunner.runners.call import Call, read_call
from nrunner.runners.executable_runner import task_run_words

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
WORD = st.one_of(TEXT, st.sampled_from(["-x", "--kind", "base64:", "json:{", "a=b", "-", ""]))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), WORD),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=5,
)
KEYS = st.text("abcXYZ_09.", min_size=1, max_size=8).filter(
    lambda key: key not in ("tags", "variant", "output_dir", "dependencies", "requirements")
)
RUNNABLES = st.builds(
    Runnable,
    kind=st.sampled_from(["noop", "exec-test", "my-kind"]),
    uri=st.one_of(st.none(), WORD),
    args=st.lists(WORD, max_size=4).map(tuple),
    kwargs=st.dictionaries(KEYS, JSON, max_size=3),
    tags=st.dictionaries(TEXT, st.one_of(st.none(), st.frozensets(TEXT, max_size=2)), max_size=2),
    config=st.dictionaries(TEXT, JSON, max_size=2),
    variant=st.one_of(st.none(), st.dictionaries(TEXT, JSON, max_size=2)),
)


@given(RUNNABLES, TEXT, st.text("0-9a-z", min_size=1, max_size=5))
def test_a_task_that_is_put_into_words_is_read_back_as_it_was(
    runnable: Runnable, task_id: str, job_id: str
) -> None:
    words = task_run_words(runnable, task_id, job_id, "/out", "/sock")
    said = {key: value for key, value in runnable.config.items() if value is not None}
    runnable = replace(runnable, config=said)  # what is null is not set
    assert read_call(words[1:], None, task=True) == Call(
        runnable, "/out", task_id, job_id, ("/sock",)
    )
