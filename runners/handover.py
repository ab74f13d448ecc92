"""What tests are told of requirements that hold: variables of their environment.

Not responsible for making a requirement hold.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from nrunner.runners import registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Optional

    from nrunner.runnable import Requirement

__all__ = ["handed_over", "interpreter_of"]


def handed_over(
    requirements: Iterable[Requirement], base_dir: str, config: Mapping[str, Any]
) -> dict[str, str]:
    """Return the variables that tests with these requirements get; raise RequirementError.

    What they name stays there for as long as this process lives.
    """
    variables: dict[str, str] = {}
    for each in requirements:
        if each.kind in registry.HANDING_KINDS:
            runner = registry.requirement_runner(each.kind)
            runner.config = config
            variables.update(runner.variables(each, base_dir))
    return variables


def interpreter_of(
    requirements: Iterable[Requirement], base_dir: str, config: Mapping[str, Any]
) -> Optional[str]:
    """Return the Python in which tests with these requirements run; None if any will do."""
    found = None
    for each in requirements:
        if each.kind in registry.HANDING_KINDS:
            runner = registry.requirement_runner(each.kind)
            runner.config = config
            found = runner.interpreter(each, base_dir) or found
    return found
