import os
from pathlib import Path

import pytest

from nrunner.errors import RequirementError
from nrunner.runnable import Requirement
from nrunner.runners import kernel_module
from nrunner.runners.kernel_module import KernelModule


@pytest.fixture(autouse=True)
def _kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "modules").write_text("dm_mod 200704 1 - Live 0x0\nvirtio_net 1 0 - Live 0x0\n")
    (tmp_path / "sys/loop").mkdir(parents=True)
    built_in = tmp_path / "lib" / os.uname().release / "modules.builtin"
    built_in.parent.mkdir(parents=True)
    built_in.write_text("kernel/fs/ext4/ext4.ko\nkernel/drivers/tty/n-hdlc.ko.xz\n")
    for name in ("PROC", "SYS", "LIB"):
        path = {"PROC": "modules"}.get(name, name.lower())
        monkeypatch.setattr(kernel_module, name, str(tmp_path / path))


@pytest.mark.parametrize("name", ["dm_mod", "dm-mod", "virtio-net", "loop", "ext4", "n_hdlc"])
def test_a_module_that_is_loaded_or_built_in_is_found(name: str) -> None:
    assert KernelModule().check(Requirement("kernel-module", name), "/") is None


def test_one_that_is_not_is_named_with_the_kernel() -> None:
    reason = KernelModule().check(Requirement("kernel-module", "nbd"), "/")
    assert reason == f"the kernel {os.uname().release} has no module 'nbd' loaded or built in"


def test_a_kernel_without_modules_has_what_is_built_in(tmp_path: Path) -> None:
    (tmp_path / "modules").unlink()
    assert KernelModule().check(Requirement("kernel-module", "ext4"), "/") is None
    assert KernelModule().check(Requirement("kernel-module", "dm_mod"), "/")


def test_one_that_is_not_to_be_loaded_is_not() -> None:
    requirement = Requirement("kernel-module", "nbd", kwargs={"load": False})
    with pytest.raises(RequirementError, match="is not to be loaded"):
        KernelModule().fulfil(requirement, "/")
