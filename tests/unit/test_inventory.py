import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from nrunner.errors import ConfigError, ExitCode
from nrunner.inventory import Dut, Hooks, Secret, find_inventory, read_inventory
from nrunner.schema import load_schema

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJBb2QkZm1dYVSJpxbZ5L0ql9yTTvGYjuKq1W3G4o3bX"


def read(tmp_path, text):
    file = tmp_path / "duts.toml"
    file.write_text(text)
    return read_inventory(file)


def error_of(tmp_path, text):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert caught.value.exit_code == ExitCode.USAGE
    return str(caught.value).replace(str(tmp_path) + "/", "")


def test_an_entry_needs_no_more_than_an_address(tmp_path):
    inventory = read(tmp_path, '\n[dut.one]\naddress = "192.0.2.7"\n')
    where = f"{tmp_path / 'duts.toml'}:2"
    assert inventory.duts == (Dut("one", "192.0.2.7", hooks=Hooks(folder=tmp_path), where=where),)
    (dut,) = inventory.duts
    assert (dut.port, dut.user, dut.slots, dut.python) == (22, "root", 1, "python3")
    assert dut.work == "~/.cache/nrunner-dut"


def test_an_entry_says_how_a_device_is_reached_what_it_has_and_how_its_power_is_switched(tmp_path):
    text = f"""
        [dut.board-1]
        address = "board-1.lab"
        port = 2222
        user = "tester"
        key = "keys/lab"
        host_key = "{KEY} root@board-1"
        tags = ["arm64", "nvme"]
        slots = 2
        python = "/opt/python3.9"
        work = "/var/tmp/nrunner/"
        power_on = ["pdu", "on", "7"]
        power_off = ["pdu", "off", "7"]
        power_cycle = ["pdu", "cycle", "7"]
        console = ["telnet", "serial", "7007"]
        retired = "its fan is noisy"
        [dut.board-1.secrets]
        PDU_TOKEN = {{ file = "token" }}
        PDU_USER = {{ env = "LAB_USER" }}
        """
    (dut,) = read(tmp_path, text).duts
    assert dut == Dut(
        "board-1",
        "board-1.lab",
        2222,
        "tester",
        key=tmp_path / "keys/lab",
        host_key=f"{KEY} root@board-1",
        tags=frozenset({"arm64", "nvme"}),
        slots=2,
        python="/opt/python3.9",
        work="/var/tmp/nrunner",
        hooks=Hooks(
            ("pdu", "on", "7"),
            ("pdu", "off", "7"),
            ("pdu", "cycle", "7"),
            ("telnet", "serial", "7007"),
            {"PDU_TOKEN": Secret(tmp_path / "token"), "PDU_USER": Secret(None, "LAB_USER")},
            tmp_path,
        ),
        retired="its fan is noisy",
        where=dut.where,
    )


def test_keys_may_come_from_the_agent_and_files_lie_in_a_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    text = (
        "[dut.a]\naddress = 'a'\nagent = true\n"
        "[dut.b]\naddress = 'b'\nkey = '~/.ssh/id'\n"
        "[dut.c]\naddress = 'c'\nkey = '/keys/c'\n"
    )
    duts = read(tmp_path, text).duts
    assert [dut.uses_agent for dut in duts] == [True, False, False]
    assert [str(dut.key) for dut in duts] == ["None", "/home/me/.ssh/id", "/keys/c"]


def test_an_empty_inventory_is_one(tmp_path):
    assert read(tmp_path, "").duts == ()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("", 'duts.toml:1: key "dut.x": key "address" is missing'),
        ("address = ''", 'duts.toml:2: key "dut.x.address": must not be empty'),
        ("adress = 'a'\naddress = 'a'", '"dut.x.adress": unknown key; did you mean "address"?'),
        ("address = 'a'\nport = '22'", 'duts.toml:3: key "dut.x.port": expected a whole number'),
        ("address = 'a'\nport = 0", 'duts.toml:3: key "dut.x.port": 0 is less than'),
        ("address = 'a'\nslots = 0", 'duts.toml:3: key "dut.x.slots": 0 is less than'),
        ("address = 'me@a'", "a name or an address (user and port have their own keys)"),
        ("address = 'a'\nuser = 'me@a'", '"dut.x.user": expected the name of a user'),
        ("address = 'a'\nkey = 'k'\nagent = true", '4: key "dut.x.agent": there is a key, too'),
        ("address = 'a'\nhost_key = 'SHA256:abc'", "expected a public key as known_hosts has it"),
        ("address = 'a'\ntags = ['!rc']", "'!rc' cannot be a tag"),
        ("address = 'a'\ntags = ['a,b']", "'a,b' cannot be a tag"),
        ("address = 'a'\nwork = 'tmp'", '"dut.x.work": expected a path from / or ~/'),
        ("address = 'a'\nwork = '/a\\b'", "from / or ~/, without quotes and backslashes"),
        ("address = 'a'\nwork = '~/a\"b'", "from / or ~/, without quotes and backslashes"),
        ("address = 'a'\npower_on = 'pdu on'", '"dut.x.power_on": expected a list, got a string'),
        ("address = 'a'\npower_on = []", '"dut.x.power_on": must not be empty'),
        ("address = 'a'\nconsole = ['']", '"dut.x.console": expected a program and its arguments'),
        ("address = 'a'\nsecrets = { T = 'x' }", '"dut.x.secrets.T": expected an object'),
        ("address = 'a'\nsecrets = { T = {} }", 'secrets.T": expected either "file" or "env"'),
        ("address = 'a'\nsecrets = { 'T=' = {env='X'} }", "cannot be the name of a variable"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_what_would_be_right(tmp_path, entry, message):
    assert message in error_of(tmp_path, f"[dut.x]\n{entry}\n")


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    said = error_of(tmp_path, "[dut.x]\naddress = 1\n[dut.y]\ntag = []\naddress = 'y'\n[duts]\n")
    assert said.splitlines() == [
        'use duts.toml:2: key "dut.x.address": expected a string, got a number',
        '  and duts.toml:4: key "dut.y.tag": unknown key; did you mean "tags"?',
        '  and duts.toml:6: key "duts": unknown key; did you mean "dut"?',
    ]


def test_a_device_has_a_name_that_can_be_typed(tmp_path):
    assert "a name is letters, digits" in error_of(tmp_path, "[dut.'a b']\naddress = 'a'\n")


def test_the_inventory_is_here_else_in_the_users_folder_else_where_the_setting_says(
    tmp_path, monkeypatch
):
    here, home = tmp_path / "here", tmp_path / "config"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    here.mkdir()
    (home / "nrunner").mkdir(parents=True)
    assert find_inventory("lab.toml", here) == here / "lab.toml"
    with pytest.raises(ConfigError, match=r"here/duts.toml nor .*nrunner/duts.toml is"):
        find_inventory(None, here)
    (home / "nrunner" / "duts.toml").touch()
    assert find_inventory(None, here) == home / "nrunner" / "duts.toml"
    (here / "duts.toml").touch()
    assert find_inventory(None, here) == here / "duts.toml"


def test_an_inventory_that_is_not_there_is_an_error_of_the_user(tmp_path):
    with pytest.raises(ConfigError, match=r"read the inventory of devices .*no such file"):
        read_inventory(tmp_path / "duts.toml")


def test_the_documented_inventory_is_one_and_all_keys_are_documented(tmp_path):
    whole = (Path(__file__).parents[2] / "docs" / "duts.md").read_text()
    page = whole.partition("## The inventory")[2].partition("\n## ")[0]
    first, second = read(tmp_path, re.search(r"```toml\n(.*?)```", page, re.DOTALL)[1]).duts
    assert first.hooks.power_cycle == ("./pdu", "cycle", "7")
    assert (second.uses_agent, second.slots) == (True, 4)
    documented = re.findall(r"`(\w+)`", "\n".join(re.findall(r"(?m)^\| (`.*?) \|", page)))
    assert set(documented) == set(load_schema("duts")["$defs"]["dut"]["properties"])


def test_the_example_is_one():
    path = Path(__file__).parents[2] / "examples" / "devices" / "duts.toml"
    assert [dut.name for dut in read_inventory(path).duts] == ["board-1", "server"]


def test_the_schema_is_one():
    Draft202012Validator.check_schema(load_schema("duts"))
