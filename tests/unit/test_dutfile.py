import tomllib
from concurrent.futures import ThreadPoolExecutor

import pytest

from nrunner.dutfile import store_host_key, with_host_key
from nrunner.errors import ConfigError

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJBb2QkZm1dYVSJpxbZ5L0ql9yTTvGYjuKq1W3G4o3bX"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "# lab\n[dut.a]  # first\naddress = 'a'\n\n[dut.b]\naddress = 'b'",
            "# lab\n[dut.a]  # first\nhost_key = 'KEY'\naddress = 'a'\n\n[dut.b]\naddress = 'b'",
        ),
        (
            "[dut.b]\naddress = 'b'\n[dut.a]\naddress = 'a'\nhost_key = 'x'  # of May\nslots = 2",
            "[dut.b]\naddress = 'b'\n[dut.a]\naddress = 'a'\nhost_key = 'KEY'  # of May\nslots = 2",
        ),
        (
            "[dut.'a']\r\naddress = 'a'\r\n",
            "[dut.'a']\r\nhost_key = 'KEY'\r\naddress = 'a'\r\n",
        ),
        ("  [dut.a]\n  address = 'a'\n", "  [dut.a]\n  host_key = 'KEY'\n  address = 'a'\n"),
        ("[dut.a]\nhost_key = ''\n", "[dut.a]\nhost_key = 'KEY'\n"),
    ],
)
def test_a_key_is_written_and_nothing_else_is_changed(text, expected):
    assert with_host_key(text, "a", KEY) == expected.replace("'KEY'", f'"{KEY}"')


@pytest.mark.parametrize(
    "text",
    [
        "dut.a.address = 'a'\n",
        "[dut]\na = { address = 'a' }\n",
        "[dut.a]\nhost_key = '''old\n'''\naddress = 'a'\n",
        "[dut.a.secrets]\nX = { env = 'Y' }\n[dut.a]\naddress = 'a'\n",
    ],
)
def test_what_cannot_be_changed_safely_is_left_alone(text):
    changed = with_host_key(text, "a", KEY)
    assert changed is None or tomllib.loads(changed)["dut"]["a"]["host_key"] == KEY


def test_a_file_keeps_its_mode_and_the_link_to_it(tmp_path):
    real, link = tmp_path / "real.toml", tmp_path / "duts.toml"
    real.write_text("[dut.a]\naddress = 'a'\n")
    real.chmod(0o640)
    link.symlink_to(real)
    store_host_key(link, "a", KEY)
    assert tomllib.loads(real.read_text())["dut"]["a"]["host_key"] == KEY
    assert real.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert sorted(tmp_path.iterdir()) == [link, real]


def test_no_key_is_lost_where_several_are_written_at_once(tmp_path):
    file = tmp_path / "duts.toml"
    names = [f"d{number}" for number in range(20)]
    file.write_text("".join(f"[dut.{name}]\naddress = 'a'\n" for name in names))
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: store_host_key(file, name, f"{KEY} {name}"), names))
    found = tomllib.loads(file.read_text())["dut"]
    assert {name: found[name].get("host_key") for name in names} == {
        name: f"{KEY} {name}" for name in names
    }
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_written_is_said_with_what_to_add(tmp_path):
    file = tmp_path / "duts.toml"
    file.write_text("dut.a.address = 'a'\n")
    with pytest.raises(ConfigError, match=r"not of a form .*add to it: host_key = .ssh-ed25519 A"):
        store_host_key(file, "a", KEY)
    with pytest.raises(ConfigError, match=r"no such file.*add to the entry of a: host_key"):
        store_host_key(tmp_path / "none", "a", KEY)
