"""Programs whose exit status is the result: executable scripts and binaries.

Not responsible for what runs them; that is ``nrunner.runners.exec_test``.
"""

from __future__ import annotations

from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.executable import glance
from nrunner.runnable import Runnable

__all__ = ["ExecTestResolver"]


class ExecTestResolver:
    """Takes executable files that begin with ``#!`` or are binaries; asked last."""

    name = "exec-test"
    description = "executable files: scripts and binaries"
    priority = 10

    def resolve(self, reference: str, context: Context) -> Resolution:
        """Answer with one Runnable whose uri is the path as it was typed."""
        path = reference.removeprefix("exec-test:")
        seen = glance(context.base_dir, path)
        if seen.is_executable and seen.is_program:
            runnable = Runnable("exec-test", path, config=context.config)
            return Resolution(reference, Answer.SUCCESS, (runnable,), resolver=self.name)
        reason = ""
        if seen.is_executable:
            reason = "it is executable, but neither a script (#!) nor an ELF binary"
        elif seen.is_program:
            reason = "it is not executable (chmod +x makes it so)"
        elif seen.exists:
            reason = "it is not an executable file"
        return Resolution(reference, Answer.NOT_MINE, reason=reason, resolver=self.name)
