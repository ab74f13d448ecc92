"""``nrunner list``: the tests that references lead to, without running them.

Not responsible for reading the command line (``nrunner.cli.form``, ``nrunner.cli.commands``), nor
for resolving (``nrunner.resolver.engine``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nrunner.cli.form import Form
from nrunner.cli.output import say_error, say_json, table
from nrunner.cli.request import Request, make_request, plugged_resolve
from nrunner.cli.settings import flags_of, working_folder
from nrunner.errors import ExitCode
from nrunner.planner import context_of, refusal, tag_filter
from nrunner.requirement import requiring
from nrunner.resolver.base import Answer, Resolution
from nrunner.runnable import Runnable, Tags, tags_to_json

__all__ = ["FORM", "list_tests"]


FORM = Form(
    settings=(
        "filter.by_tags",
        "filter.by_tags_include_empty",
        "filter.by_tags_include_empty_key",
        "resolver.static",
        "runner.python",
    ),
    texts={"--job": "job_file"},
    switches={"--json": "as_json", "-v": "verbose", "--verbose": "verbose"},
)
"""What can be said after ``nrunner list``."""


def list_tests(asked: Mapping[str, Any], command: Sequence[str]) -> int:
    """Write the tests that the parameters of a command line lead to; return the exit code."""
    request = make_request(asked["references"], asked["job_file"], flags_of(asked))
    found, refused = _resolve(request)
    if asked["as_json"]:
        say_json({"tests": [_to_json(*each) for each in found], "refused": _refused_json(refused)})
    else:
        rows = (_row(runnable) for _, _, runnable in found)
        wide = ((*_row(runnable), _needs(runnable)) for _, _, runnable in found)
        table(wide if asked["verbose"] else rows)
    for each in refused:
        say_error(f"could not resolve {refusal(each)}")
    return ExitCode.JOB_FAILED if refused else ExitCode.OK


Found = tuple[str, str, Runnable]
"""Suite, reference, and what it leads to."""


def _resolve(request: Request) -> tuple[list[Found], list[Resolution]]:
    resolve, here = plugged_resolve(), working_folder()
    found: list[Found] = []
    refused: list[Resolution] = []
    for suite in request.suites:
        wanted = tag_filter(suite.config)
        for each in resolve(suite.references, context_of(suite.config, here)):
            if each.answer is not Answer.SUCCESS:
                refused.append(each)
            found += [
                (suite.name, each.reference, requiring(runnable, suite.requirements))
                for runnable in each.runnables
                if wanted.admits(runnable.tags)
            ]
    return found, refused


def _row(runnable: Runnable) -> tuple[str, ...]:
    from nrunner.results.text import visible

    return (visible(runnable.kind), visible(runnable.name), visible(_tags_text(runnable.tags)))


def _needs(runnable: Runnable) -> str:
    from nrunner.results.text import visible

    return ", ".join(visible(each.title) for each in runnable.requirements)


def _tags_text(tags: Tags) -> str:
    """Return tags in the form in which tests have them: ``slow,net:virtio``."""
    words: list[str] = []
    for key, values in tags.items():
        words += [key] if values is None else [f"{key}:{value}" for value in sorted(values)]
    return ",".join(words)


def _to_json(suite: str, reference: str, runnable: Runnable) -> dict[str, Any]:
    return {
        "reference": reference,
        "suite": suite,
        "name": runnable.name,
        **runnable.to_json(),
        "tags": tags_to_json(runnable.tags),
    }


def _refused_json(refused: Sequence[Resolution]) -> list[dict[str, str]]:
    return [
        {"reference": each.reference, "answer": each.answer.value, "reason": each.reason}
        for each in refused
    ]
