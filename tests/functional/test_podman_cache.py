"""What was prepared in containers is kept for later jobs, within limits, and not from under any."""

from __future__ import annotations

import json
from typing import Any

from nrunner.spawners.podman.layers import LAYER_LABEL
from tests.containers import podman
from tests.functional.sandbox import Run, Sandbox, wait_until
from tests.functional.test_podman_run import box, check_nothing_left, run, verdicts

__all__ = ["box"]


def needy(box: Sandbox, name: str, script: str = "true") -> str:
    """Write a test that requires something no other test does; return its reference."""
    make = f"echo {box.mark} > /made-{name}"
    need = {"type": "exec-test", "uri": "/bin/sh", "args": ["-c", make]}
    words = ["-c", f"cat /made-{name}; {script}"]
    recipe = {"kind": "exec-test", "uri": "/bin/sh", "args": words, "requirements": [need]}
    box.write(f"{name}.json", json.dumps(recipe), executable=False)
    return f"{name}.json"


def job(box: Sandbox, reference: str, **settings: str) -> Run:
    """Start a job; what a test awaits is a file in the folder where nrunner was started."""
    env = {f"NRUNNER_CACHE_LAYERS_{name.upper()}": value for name, value in settings.items()}
    box.env |= {"NRUNNER_CACHE_LAYERS_SIZE": "none", **env}
    return run(box, reference, "--max-parallel-tasks", "1")


def layers(box: Sandbox) -> dict[str, dict[str, Any]]:
    """Return what nrunner says of layers, by the word that tells ours apart; podman has them."""
    listed = json.loads(box.run("cache", "list", "--json").out)["layers"]
    for each in listed:
        assert images(each["name"]) != [], "it is not there"
    return {each["name"]: each for each in listed}


def images(name: str) -> list[str]:
    """Return the images of a layer."""
    return podman("images", "-q", "--filter", f"label={LAYER_LABEL}={name}").split()


def test_what_is_too_much_goes_but_not_what_another_job_uses(box: Sandbox) -> None:
    until = f"while [ ! -e {box.here}/go ]; do sleep 0.05; done"
    first = job(box, needy(box, "one", until))
    first.wait_started(1)
    (one,) = layers(box).values()
    assert one["in_use"]
    assert one["holds"] == ["exec-test /bin/sh"]
    assert 0 < one["size"] < 1 << 20, "what it is based on was counted"

    # The limit is kept by a job for its own layers, without being asked.
    assert job(box, needy(box, "two"), size="1").wait().code == 0
    assert list(layers(box)) == [one["name"]], "what a job uses was removed, or what none uses not"
    said = box.run("cache", "clear", "--yes")
    assert "in use, and therefore kept: 1 layer" in said.out, said.err

    box.write("go", "")
    assert first.wait().code == 0
    (one,) = layers(box).values()
    assert not one["in_use"]
    again = job(box, "one.json")
    assert again.wait().code == 0
    assert list(layers(box)) == [one["name"]]
    assert not list(box.job.glob("test-results/requirements/*")), "it was made again"
    assert "removed 1 layer" in box.run("cache", "clear", "--yes").out
    assert images(one["name"]) == []
    check_nothing_left(box)


def test_what_was_not_used_for_long_goes(box: Sandbox) -> None:
    assert job(box, needy(box, "one"), age="1d").wait().code == 0
    (one,) = layers(box).values()
    assert job(box, needy(box, "two"), age="0.01s").wait().code == 0
    assert layers(box) == {}
    assert images(one["name"]) == []


def test_a_layer_that_somebody_removed_is_made_again(box: Sandbox) -> None:
    box.write("wait.sh", f"#!/bin/sh\nwhile [ ! -e {box.here}/go ]; do sleep 0.05; done\n")
    reference = needy(box, "one")
    job = run(box, "wait.sh", reference, "--max-parallel-tasks", "1")
    wait_until(lambda: ready(box, 2), "the second test is prepared while the first one runs")
    (one,) = layers(box)
    podman("rmi", "-f", *images(one))
    box.write("go", "")
    done = job.wait()
    assert verdicts(box) == {"wait.sh": "PASS", "/bin/sh": "PASS"}, done.out
    assert len(list(box.job.glob("test-results/requirements/*"))) == 2
    podman("rmi", "-f", *images(one))
    assert run(box, reference).wait().code == 0
    assert len(list(box.job.glob("test-results/requirements/*"))) == 1
    assert "removed 1 layer" in box.run("cache", "clear", "--yes").out
    assert images(one) == []
    check_nothing_left(box)


def ready(box: Sandbox, number: int) -> bool:
    """Whether all that a task requires holds."""
    return any((each["task"], each["phase"]) == (number, "READY") for each in box.moves())
