"""Avocado's flags that change nothing here, and those that are not there, each with its reason.

Not responsible for the rest of Avocado's flags, which are settings (``nrunner.config``).
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ACCEPTED", "LEFT_OUT", "parameter"]

ACCEPTED: Mapping[str, str] = {
    "--dry-run-no-cleanup": "a dry run leaves nothing that could be cleaned up",
    "--journal": "there is always a journal",
    "--log-test-data-directories": "nothing in Avocado 113 looks at it either",
}
"""Flags without a value, and why they change nothing."""


LEFT_OUT: Mapping[str, str] = {
    "--capabilities": "spawners tell the scheduler what they can",
    "--create-reports": "nrunner jobs show --json JOB has what other tools can compare",
    "--diff-filter": "what became of tests is told, and nothing else",
    "--mux-yaml": "have Avocado write it as JSON: avocado variants --mux-yaml FILE"
    " --json-variants-dump OUT; then --json-variants-load OUT",
    "--spawner-podman-avocado-egg": "the agent brings itself into containers",
    "--spawner-podman-bin": "podman's service is talked to; the setting podman.socket says where",
    "--status-server-disable-auto": "the status server is always a socket of the job's own",
    "--status-server-listen": "--status-tcp opens a port, with a token",
    "--status-server-uri": "tests find the status server by themselves, wherever they run",
}
"""Flags that are refused, and what to do or why there is nothing to be done."""


def parameter(flag: str) -> str:
    """Return the name of the parameter that a flag sets."""
    return flag.lstrip("-").replace("-", "_")
