"""``nrunner dut list``: devices and how they are, as far as is known."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from nrunner.cli.dut_choice import _complete
from nrunner.cli.dut_overview import told_health
from nrunner.cli.main import main
from nrunner.duthealth import Failed, Health, State, Taken
from nrunner.dutmemory import DutMemory
from nrunner.inventory import Dut, read_inventory

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJBb2QkZm1dYVSJpxbZ5L0ql9yTTvGYjuKq1W3G4o3bX"
LAB = f"""
[dut.one]
address = "192.0.2.1"
host_key = "{KEY}"
tags = ["nvme", "arm64"]
[dut.two]
address = "192.0.2.2"
port = 2222
user = "me"
slots = 4
[dut.three]
address = "192.0.2.3"
tags = ["arm64", "rc"]
retired = "its fan is noisy"
"""


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job_results: Path) -> Path:
    del job_results
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "duts.toml"
    path.write_text(LAB)
    return path


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> list[list[str]]:
    assert main(["dut", "list", *words]) == 0
    return [line.split(None, 5) for line in capsys.readouterr().out.splitlines()]


def test_devices_are_listed_with_what_is_known_of_them(lab, capsys):
    one, two, _ = read_inventory(lab).duts
    DutMemory().note(one, Taken("job 1234567", time.time() + 50))
    until = time.time() + 10
    DutMemory().note(two, Failed("no answer within 8 s"))
    rows = listed(capsys)
    assert [row[:5] for row in rows] == [
        ["one", "owned", "root@192.0.2.1", "1", "arm64,nvme"],
        ["two", "quarantined", "me@192.0.2.2:2222", "4", "-"],
        ["three", "retired", "root@192.0.2.3", "1", "arm64,rc"],
    ]
    assert rows[0][5].startswith("job 1234567 (until ")
    clock = [time.strftime("%H:%M:%S", time.localtime(until + late)) for late in (0, 1, 2)]
    assert rows[1][5] in [f"no answer within 8 s (until {each})" for each in clock]
    assert rows[2][5] == "its fan is noisy (in its inventory)"


def test_devices_are_chosen_by_name_and_tags(capsys):
    assert [row[0] for row in listed(capsys, "two", "one")] == ["one", "two"]
    assert [row[0] for row in listed(capsys, "--dut-tags", "arm64,!rc")] == ["one"]
    assert main(["dut", "list", "tow"]) == 4
    assert "did you mean 'two'?" in capsys.readouterr().err


def test_the_list_is_there_for_programs(capsys, lab, tmp_path):
    lab.rename(tmp_path / "lab.toml")
    assert main(["dut", "list", "--json", "--inventory", "lab.toml", "two"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "name": "two",
            "address": "192.0.2.2",
            "port": 2222,
            "user": "me",
            "tags": [],
            "slots": 4,
            "enrolled": False,
            "state": "free",
            "reason": "",
            "since": None,
            "until": None,
            "failures": 0,
        }
    ]


def test_without_an_inventory_it_is_said_where_one_would_be(lab, capsys, tmp_path):
    lab.unlink()
    assert main(["dut", "list"]) == 4
    assert f"neither {tmp_path}/duts.toml nor " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("health", "told"),
    [
        (Health(), "its host key is not known: nrunner dut enrol x"),
        (Health(State.QUARANTINED, "link", 1.0, 10.0, 1), "link (looked at again before it is"),
        (Health(State.BORKED, "no answer", 20.0), "no answer (since "),
    ],
)
def test_a_state_is_told_with_its_reason(health, told):
    assert told_health(Dut("x", "192.0.2.1"), health, 50.0).startswith(told)


def test_a_shell_completes_the_names_of_devices(lab):
    assert _complete(None, None, "t") == ["two", "three"]
    lab.write_text("[")
    assert _complete(None, None, "t") == []
