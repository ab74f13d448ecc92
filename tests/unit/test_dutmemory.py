import json
import stat

from nrunner.duthealth import Failed, Health, Restored, Retired, Returned, State, Taken
from nrunner.dutmemory import DutMemory, identity_of
from nrunner.inventory import Dut
from nrunner.record import replace

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJBb2QkZm1dYVSJpxbZ5L0ql9yTTvGYjuKq1W3G4o3bX"
DUT = Dut("one", "192.0.2.1", host_key=f"{KEY} root@one")
OTHER = Dut("two", "192.0.2.1", 2222)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def memory(tmp_path, clock=None):
    return DutMemory(tmp_path / "state", clock or Clock())


def test_a_device_of_which_nothing_is_known_is_free(tmp_path):
    assert memory(tmp_path).health(DUT) == Health()
    assert not (tmp_path / "state").exists()


def test_what_was_noted_is_known_to_others_of_this_user_and_nobody_else(tmp_path):
    noted = memory(tmp_path).note(DUT, Failed("no answer"))
    memory(tmp_path).note(OTHER, Taken("job 2", 2000.0))
    assert noted == Health(State.QUARANTINED, "no answer", 1000.0, 1010.0, 1)
    assert memory(tmp_path).health(DUT) == noted
    assert memory(tmp_path).health(OTHER) == Health(State.OWNED, "job 2", 1000.0, 2000.0)
    for path in (tmp_path / "state", *(tmp_path / "state").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_device_is_known_by_its_address_and_host_key_whatever_its_name(tmp_path):
    memory(tmp_path).note(DUT, Retired("broken"))
    assert memory(tmp_path).health(replace(DUT, name="three", host_key=KEY)).reason == "broken"
    assert memory(tmp_path).health(replace(DUT, host_key=KEY[:-2] + "aa")) == Health()
    assert memory(tmp_path).health(replace(DUT, address="192.0.2.9")) == Health()
    assert identity_of(OTHER) == "192.0.2.1:2222"


def test_time_goes_on_for_what_is_remembered(tmp_path):
    clock = Clock()
    memory(tmp_path, clock).note(DUT, Taken("job", 1500.0))
    clock.now = 1500.0
    assert memory(tmp_path, clock).health(DUT) == Health(since=1500.0)


def test_what_an_inventory_says_is_out_of_service_is(tmp_path):
    retired = replace(DUT, retired="its fan is noisy")
    assert memory(tmp_path).note(retired, Returned()).state is State.RETIRED
    health = memory(tmp_path).health(retired)
    assert (health.state, health.reason) == (State.RETIRED, "its fan is noisy (in its inventory)")
    assert memory(tmp_path).health(DUT) == Health()


def test_a_file_that_is_broken_is_as_good_as_none(tmp_path):
    memory(tmp_path).note(DUT, Retired("broken"))
    (tmp_path / "state" / "duts.json").write_text("{")
    assert memory(tmp_path).health(DUT) == Health()
    memory(tmp_path).note(DUT, Failed("x"))
    content = json.loads((tmp_path / "state" / "duts.json").read_text())
    content["other"] = {"state": "of the future"}
    content["another"] = 3
    (tmp_path / "state" / "duts.json").write_text(json.dumps(content))
    assert memory(tmp_path).health(DUT).failures == 1


def test_what_cannot_be_stored_is_remembered_until_the_end(tmp_path):
    (tmp_path / "state").write_text("in the way")
    once = memory(tmp_path)
    once.note(DUT, Failed("first"))
    assert once.health(DUT).reason == "first"
    assert once.note(DUT, Restored()).state is State.FREE
    assert memory(tmp_path).health(DUT) == Health()


def test_devices_of_which_nothing_is_heard_for_long_are_forgotten_but_for_the_retired(tmp_path):
    clock = Clock()
    memory(tmp_path, clock).note(DUT, Failed("x"))
    memory(tmp_path, clock).note(OTHER, Retired("old"))
    clock.now += 100 * 86400
    memory(tmp_path, clock).note(Dut("new", "192.0.2.3"), Failed("x"))
    content = json.loads((tmp_path / "state" / "duts.json").read_text())
    assert sorted(each["name"] for each in content.values()) == ["new", "two"]
