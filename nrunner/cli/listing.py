"""``nrunner list``: the tests that references lead to, without running them.

Not responsible for reading the command line (``nrunner.cli.form``, ``nrunner.cli.commands``), nor
for resolving (``nrunner.resolver.engine``).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nrunner.cli.form import Form
from nrunner.cli.output import say, say_error, say_json, table
from nrunner.cli.request import Request, make_request, plugged_resolve
from nrunner.cli.settings import flags_of, working_folder
from nrunner.errors import ExitCode, ResultsError
from nrunner.planner import context_of, refusal, tag_filter
from nrunner.record import dataclass
from nrunner.requirement import requiring
from nrunner.resolver.base import Answer, Declined, Resolution
from nrunner.runnable import Runnable, Tags, tags_to_json

__all__ = ["FORM", "list_tests"]


FORM = Form(
    settings=(
        "filter.by_tags",
        "filter.by_tags_include_empty",
        "filter.by_tags_include_empty_key",
        "resolver.static",
        "resolver.run_executables",
        "resolver.exec_runnables_recipe.arguments",
        "resolver.python_tests",
        "runner.python",
    ),
    texts={
        "--job": "job_file",
        "--json": "json",
        "--write-recipes-to-directory": "recipes_dir",
    },
    switches={"-v": "verbose", "--verbose": "verbose"},
)
"""What can be said after ``nrunner list``."""


def list_tests(asked: Mapping[str, Any], command: Sequence[str]) -> int:
    """Write the tests that the parameters of a command line lead to; return the exit code."""
    request = make_request(asked["references"], asked["job_file"], flags_of(asked))
    listing = _resolve(request)
    if asked["json"] is not None:
        _write_json(listing, asked["json"])
    if asked["json"] == "-":
        pass  # standard output belongs to it
    elif asked["verbose"]:
        _tell_all(listing)
    else:
        table(_row(each.runnable) for each in listing.found)
    if asked["recipes_dir"] is not None:
        from nrunner.cli.recipes import write_recipes

        write_recipes([each.runnable for each in listing.found], Path(asked["recipes_dir"]))
    for resolution in listing.refused:
        say_error(f"could not resolve {refusal(resolution)}")
    return ExitCode.JOB_FAILED if listing.refused else ExitCode.OK


@dataclass(frozen=True)
class _Found:
    """A test, and how it was found."""

    suite: str
    reference: str
    resolver: str
    runnable: Runnable

    def to_json(self) -> dict[str, Any]:
        return {
            "reference": self.reference,
            "suite": self.suite,
            "resolver": self.resolver,
            "name": self.runnable.name,
            **self.runnable.to_json(),
            "tags": tags_to_json(self.runnable.tags),
        }


@dataclass(frozen=True)
class _Listing:
    """What references lead to."""

    found: list[_Found]
    refused: list[Resolution]
    declined: list[Declined]

    def to_json(self) -> dict[str, Any]:
        return {
            "tests": [each.to_json() for each in self.found],
            "refused": [
                {"reference": each.reference, "answer": each.answer.value, "reason": each.reason}
                for each in self.refused
            ],
        }


def _resolve(request: Request) -> _Listing:
    resolve, here = plugged_resolve(), working_folder()
    listing = _Listing([], [], [])
    for suite in request.suites:
        wanted = tag_filter(suite.config)
        for each in resolve(suite.references, context_of(suite.config, here)):
            listing.declined.extend(each.declined)
            if each.answer is not Answer.SUCCESS:
                listing.refused.append(each)
            listing.found.extend(
                _Found(
                    suite.name,
                    each.reference,
                    each.resolver,
                    requiring(runnable, suite.requirements),
                )
                for runnable in each.runnables
                if wanted.admits(runnable.tags)
            )
    return listing


def _write_json(listing: _Listing, target: str) -> None:
    if target == "-":
        say_json(listing.to_json())
        return
    try:
        Path(target).write_text(json.dumps(listing.to_json(), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ResultsError(f"write the list to {target}: {error.strerror}") from error


def _row(runnable: Runnable) -> tuple[str, ...]:
    from nrunner.results.text import visible

    return (visible(runnable.kind), visible(runnable.name), visible(_tags_text(runnable.tags)))


_HEAD = ("Type", "Test", "Uri", "Resolver", "Tag(s)", "Requires")


def _wide_row(found: _Found) -> tuple[str, ...]:
    from nrunner.results.text import visible

    runnable = found.runnable
    needs = ", ".join(each.title for each in runnable.requirements)
    kind, name, tags = _row(runnable)
    return (kind, name, visible(runnable.uri or ""), visible(found.resolver), tags, visible(needs))


def _tell_all(listing: _Listing) -> None:
    """Write each test with all that people may want to know, who declined, and counts."""
    from nrunner.results.text import visible

    table([_HEAD, *map(_wide_row, listing.found)])
    if listing.declined:
        say("")
        why = ((each.resolver, each.reference, each.reason) for each in listing.declined)
        table([("Resolver", "Reference", "Reason"), *(tuple(map(visible, each)) for each in why)])
    runnables = [each.runnable for each in listing.found]
    _count("TEST TYPES SUMMARY", (each.kind for each in runnables))
    _count("TEST TAGS SUMMARY", (tag for each in runnables for tag in each.tags))


def _count(title: str, words: Iterable[str]) -> None:
    from nrunner.results.text import visible

    counts = Counter(words)
    if counts:
        say("\n".join(("", title, "=" * len(title))))
    for word in sorted(counts):
        say(f"{visible(word)}: {counts[word]}")


def _tags_text(tags: Tags) -> str:
    """Return tags in the form in which tests have them: ``slow,net:virtio``."""
    words: list[str] = []
    for key, values in tags.items():
        words += [key] if values is None else [f"{key}:{value}" for value in sorted(values)]
    return ",".join(words)
