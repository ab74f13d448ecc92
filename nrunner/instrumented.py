"""What Avocado's own tests are told in Avocado's way: parameters, and which loggers to keep (pure).

They know no environment but their parameters, and their runner reads Avocado's settings. Not
responsible for running them (``nrunner.runners.executable_runner``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nrunner.record import replace
from nrunner.runnable import Runnable

__all__ = ["KINDS", "told"]

KINDS = frozenset({"avocado-instrumented"})
"""The kinds that this is for."""
_STREAMS = "job.run.store_logging_stream"


def told(
    runnable: Runnable, parameters: Mapping[str, str], streams: Sequence[str] = ()
) -> Runnable:
    """Return a Runnable with `parameters`, unless it has a variant, and its loggers to keep."""
    if runnable.kind not in KINDS:
        return runnable
    if parameters and runnable.variant is None:
        runnable = replace(runnable, variant=_variant(parameters))
    if streams and _STREAMS not in runnable.config:
        # As Avocado's recipes write a set.
        config = {**runnable.config, _STREAMS: {"__encoded_set__": list(streams)}}
        runnable = replace(runnable, config=config)
    return runnable


def _variant(parameters: Mapping[str, str]) -> dict[str, Any]:
    node = ["/", [["/", name, value] for name, value in parameters.items()]]
    return {"paths": ["/"], "variant_id": None, "variant": [node]}
