"""What a zygote has to know of unittest: how its tests are loaded, shared, prepared and run.

Used inside the interpreter of the user's choice. Not responsible for any of that
(``nrunner.runners.unittest_child``), nor for forks.
Portable: runs on Python 3.7 with the standard library alone.
"""

from __future__ import annotations

from nrunner.runners.unittest_child import conclude, load, prepare, vanish, warm_up
from nrunner.runners.unittest_prepared import Workshop
from nrunner.runners.unittest_series import UnittestSeries as series  # noqa: N813 - a function here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Union

    from nrunner.runners.unittest_child import Loaded

__all__ = ["conclude", "load", "prepare", "series", "share", "vanish", "warm_up"]


def share(loaded: Union[Loaded, dict[str, Any]]) -> tuple[Optional[Workshop], str]:
    """Return what makes tests of a module that was loaded; None, and why, if there is no module."""
    if isinstance(loaded, dict) or loaded[0] is None:
        return None, "cannot be imported"
    return Workshop(loaded[0]), ""
