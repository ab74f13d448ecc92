"""Files that tests require, fetched before any job, as Avocado's users do it."""

from __future__ import annotations

import hashlib
import json

from tests.functional.sandbox import Sandbox


def requiring(*names: str) -> str:
    needs = [{"type": "asset", "name": f"{name}.bin", "locations": [name]} for name in names]
    return json.dumps({"kind": "noop", "requirements": needs})


def test_what_tests_require_is_fetched_before_any_job(sandbox: Sandbox) -> None:
    sandbox.write("one", "data", executable=False)
    sandbox.write("good.json", requiring("one"), executable=False)
    sandbox.write("bad.json", requiring("one", "gone"), executable=False)
    end = sandbox.run("assets", "fetch", "--timeout", "30", "good.json")
    assert (end.code, end.out, end.err) == (0, "asset one.bin: it is in the cache\n", "")
    assert sandbox.run("run", "--offline", "good.json").code == 0

    end = sandbox.run("assets", "fetch", "bad.json", "nowhere.json")
    assert (end.code, end.out) == (2, "asset one.bin: it is in the cache\n")
    assert "could not resolve nowhere.json: does not exist" in end.err
    assert "could not fetch asset gone.bin: it is not in the cache" in end.err
    assert sandbox.run("assets", "fetch", "--ignore-errors", "bad.json").code == 0
    sandbox.write("odd.json", requiring("two").replace("locations", "location"), executable=False)
    end = sandbox.run("assets", "fetch", "odd.json")
    assert end.code == 2
    assert "could not fetch asset two.bin: unknown key 'location'" in end.err
    sandbox.write("new.json", requiring("two"), executable=False)
    end = sandbox.run("assets", "fetch", "--timeout", "0.001", "new.json")
    assert (end.code, end.err) == (
        2,
        "nrunner: could not fetch asset two.bin: it took more than 0.001 s\n",
    )


def test_a_file_is_registered_by_its_name_and_hash(sandbox: Sandbox) -> None:
    sandbox.write("one", "data", executable=False)
    digest = hashlib.sha1(b"data").hexdigest()
    assert sandbox.run("assets", "register", "kept", "one", "--hash", digest).code == 0
    end = sandbox.run("assets", "register", "other", "one", "--hash", "0" * 40)
    assert (end.code, f"its sha1 is {digest}, not {'0' * 40}" in end.err) == (2, True)
    (sandbox.here / "one").unlink()
    need = {"type": "asset", "name": "kept", "asset_hash": digest}
    sandbox.write("t.json", json.dumps({"kind": "noop", "requirements": [need]}), executable=False)
    assert sandbox.run("run", "t.json").code == 0
    assert [each["status"] for each in sandbox.results()["tests"]] == ["PASS"]


def test_a_registered_file_is_found_by_its_name_alone(sandbox: Sandbox) -> None:
    for text in ("old", "new"):
        sandbox.write(text, f"#!/bin/sh\n: {text}\n")
        assert sandbox.run("assets", "register", "disk.img", text).code == 0
    needs = [{"type": "asset", "name": name} for name in ("disk.img", "unknown.img")]
    for need in needs:
        name = need["name"].partition(".")[0]
        recipe = {
            "kind": "exec-test",
            "uri": "/bin/sh",
            "args": ["-c", f"cat $NRUNNER_ASSET_{name.upper()}_IMG"],
        }
        sandbox.write(f"{name}.json", json.dumps({**recipe, "requirements": [need]}))
    assert sandbox.run("run", "--offline", "disk.json", "unknown.json").code == 0
    known, unknown = sandbox.results()["tests"]
    assert known["status"] == "PASS", known
    assert (sandbox.job / known["outputs"]["stdout"]).read_text() == "#!/bin/sh\n: new\n"
    assert (unknown["status"], unknown["cause"]) == ("SKIP", "requirement")
    assert "no location is known" in unknown["detail"]


def test_files_are_listed_and_removed_as_is_asked(sandbox: Sandbox) -> None:
    assert sandbox.run("assets", "list").out == ""
    for name, text in (("small", "x"), ("large", "x" * 5000)):
        sandbox.write(name, text, executable=False)
        assert sandbox.run("assets", "register", name, name).code == 0
    names = [each.split()[0] for each in sandbox.run("assets", "list").lines]
    assert (names[0], sorted(names[1:])) == ("asset", ["large", "small"])
    chosen = sandbox.run("assets", "list", "--by-size-filter", ">=1K").lines
    assert [each.split()[0] for each in chosen] == ["asset", "large"]
    assert chosen[1].split()[1] == hashlib.sha256(b"x" * 5000).hexdigest()[:10]
    assert sandbox.run("assets", "list", "--by-days", "1").out == ""
    end = sandbox.run("assets", "purge", "--by-size-filter", "<10")
    assert (end.code, end.lines[-1], end.lines[0].split()[0]) == (0, "removed 1 of 2", "small")
    end = sandbox.run("assets", "purge")
    assert (end.code, end.err.startswith("nrunner: could not choose by --by-days")) == (4, True)
    assert sandbox.run("assets", "purge", "--by-days", "0").lines[-1] == "removed 1 of 1"
