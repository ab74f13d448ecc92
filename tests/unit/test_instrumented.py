"""Tests of Avocado are told in Avocado's way; all others are left alone."""

from __future__ import annotations

from nrunner.instrumented import told
from nrunner.runnable import Runnable

OURS = Runnable("avocado-instrumented", "t.py:T.test")


def test_parameters_are_a_variant_without_a_name() -> None:
    runnable = told(OURS, {"A": "1", "B": "2"})
    assert runnable.variant == {
        "paths": ["/"],
        "variant_id": None,
        "variant": [["/", [["/", "A", "1"], ["/", "B", "2"]]]],
    }
    assert runnable.variant_id is None


def test_a_variant_that_is_there_stays() -> None:
    own = Runnable(OURS.kind, OURS.uri, variant={"variant_id": "x", "variant": []})
    assert told(own, {"A": "1"}) == own


def test_loggers_are_named_as_its_runner_reads_them() -> None:
    streams = ("my.progress:INFO", "other")
    assert told(OURS, {}, streams).config == {
        "job.run.store_logging_stream": {"__encoded_set__": ["my.progress:INFO", "other"]}
    }


def test_other_kinds_are_left_alone() -> None:
    assert told(Runnable("exec-test", "x"), {"A": "1"}, ("y",)) == Runnable("exec-test", "x")
    assert told(OURS, {}) is OURS
