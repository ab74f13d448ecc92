"""Which Python runs the tests, if nobody says.

Not responsible for starting it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["test_interpreter"]


def test_interpreter(environ: Mapping[str, str]) -> str:
    """Return the active virtual environment's, else python3 on PATH, else our own."""
    active = environ.get("VIRTUAL_ENV", "")
    if active:
        python = os.path.join(active, "bin", "python")  # noqa: PTH118 - a string is wanted
        if os.access(python, os.X_OK):
            return python
    found = _on_path("python3", environ)
    return _behind_shim(found, environ) if found else sys.executable


def _on_path(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the path of a program; like ``shutil.which`` without what that has to import."""
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder or ".", name)  # noqa: PTH118
        if os.path.isfile(path) and os.access(path, os.X_OK):  # noqa: PTH113
            return path
    return None


def _behind_shim(path: str, environ: Mapping[str, str]) -> str:
    """Return the interpreter that pyenv's shim stands for, if that is easily told.

    The shim is a shell script, and starting it for each test takes longer than most tests.
    """
    shim = Path(path)
    if shim.parent.name != "shims":
        return path
    root = shim.parent.parent
    for version in _versions(root, environ):
        real = root / "versions" / version / "bin" / shim.name
        return str(real) if version and os.access(real, os.X_OK) else path
    return path


def _versions(root: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the names pyenv would go by: the first one counts."""
    if environ.get("PYENV_VERSION"):
        yield environ["PYENV_VERSION"].partition(":")[0]
    here = Path.cwd()
    files = [folder / ".python-version" for folder in (here, *here.parents)]
    for file in (*files, root / "version"):
        try:
            yield file.read_text("utf-8").strip().partition("\n")[0].strip()
        except (OSError, ValueError):
            continue
