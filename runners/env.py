"""env: the requirement that an environment variable is set, maybe to a value that fits.

It cannot be fulfilled: who sets variables is the user, or ``runner.env``. What a variable holds is
never shown, since it may be a secret.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from nrunner.runnable import Requirement
from nrunner.runners.base import RequirementRunner
from nrunner.runners.demand import Demand, variables_of_tests

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["Env"]


class Env(RequirementRunner):
    """Looks at a variable that tests get."""

    kind = "env"
    description = "an environment variable that has to be set"

    def check(self, requirement: Requirement, base_dir: str) -> Optional[str]:
        """Return None if the variable is as it should be, else what is wrong."""
        demand = Demand(requirement, "value", "pattern")
        name, value, pattern = demand.name(), demand.text("value"), demand.pattern("pattern")
        found = variables_of_tests(self.config).get(name)
        if found is None:
            return f"the environment variable {name} is not set"
        if value is not None and found != value:
            return f"the environment variable {name} is not {value!r}"
        if pattern is not None and not pattern.search(found):
            return f"the environment variable {name} does not match {pattern.pattern!r}"
        return None
