"""The description of the control API in OpenAPI 3.1, as data.

A test holds it against the routes and against real answers. Not responsible for carrying
anything out (``app``).
"""

from __future__ import annotations

from typing import Any

import nrunner
from nrunner.phase import Phase
from nrunner.result import Cause, Result

__all__ = ["describe"]

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_WHOLE: Json = {"type": "integer"}
_NUMBER: Json = {"type": "number"}
_TRUTH: Json = {"type": "boolean"}
_MAYBE_TEXT: Json = {"type": ["string", "null"]}
_MAYBE_WHOLE: Json = {"type": ["integer", "null"]}
_MAYBE_NUMBER: Json = {"type": ["number", "null"]}
_COUNTS: Json = {"type": "object", "additionalProperties": _WHOLE}
_RESULT: Json = {"enum": [each.value for each in Result]}
_CAUSE: Json = {"enum": [each.value for each in Cause]}
_TAG: Json = {"type": ["array", "null"], "items": _TEXT}
_PHASE: Json = {"enum": [each.value for each in Phase]}


def describe() -> Json:
    """Return the whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nrunner control API",
            "version": nrunner.__version__,
            "description": "One running job: its tasks, their output, its events, and how to stop "
            "it. Served on a unix socket to the user the job belongs to, and on loopback TCP with "
            "a bearer token where that was asked for.",
        },
        "security": [{}, {"token": []}],
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths() -> Json:
    number = _parameter("number", "path", "The task's place in the job, from 1.", _WHOLE)
    return {
        "/": _get("The page for people", _content("The page, without data", _HTML, _TEXT)),
        "/api/v1/job": _get("The job and its counts", _answer("The job", "Job")),
        "/api/v1/tasks": _get(
            "Tasks in order, a page at a time",
            _answer("A page of tasks; `next` is where the following one starts", "TaskPage"),
            [
                _parameter("start", "query", "The first number wanted.", _from_1_to(10**9)),
                _parameter("limit", "query", "How many at most.", _from_1_to(1000)),
                _words("phase", "Only in these phases, with commas.", _PHASE),
                _words("result", "Only with these results, with commas.", _RESULT),
            ],
        ),
        "/api/v1/tasks/{number}": _get("One task", _answer("The task", "Task"), [number]),
        "/api/v1/tasks/{number}/log/{stream}": _get(
            "What a task has written so far; takes one Range",
            {**_content("The bytes", "text/plain", _TEXT), **_part()},
            [number, _parameter("stream", "path", "", {"enum": ["stdout", "stderr"]})],
        ),
        "/api/v1/tasks/{number}/cancel": _post("Cancel one task", [number]),
        "/api/v1/cancel": _post(
            "Cancel the job, as Ctrl-C once does",
            [_parameter("kill", "query", "Kill what runs, as Ctrl-C twice does.", _TRUTH)],
        ),
        "/api/v1/events": _get(
            "The job's events as they happen, as server-sent events",
            _content("Events; ids count up, and `reset` means: read all again", _SSE, _TEXT),
            [
                _parameter("Last-Event-ID", "header", "Go on after this event.", _WHOLE),
                _parameter("after", "query", "The same, where no header can be set.", _WHOLE),
            ],
        ),
        "/api/v1/session": _link("Exchange the token of a link, shown as bearer, for one to keep"),
        "/api/v1/link": _link("Make the token of a link for another browser; it works once"),
        "/api/v1/openapi.json": _get(
            "This description", _content("OpenAPI 3.1", _JSON, {"type": "object"})
        ),
    }


_HTML = "text/html"
_JSON = "application/json"
_SSE = "text/event-stream"


def _get(summary: str, answers: Json, parameters: list[Json] | None = None) -> Json:
    return {"get": _operation(summary, answers, parameters or [])}


def _post(summary: str, parameters: list[Json]) -> Json:
    answers = _content("It was asked for; the events tell when it is done", _JSON, _DONE, "202")
    return {"post": _operation(summary, answers, parameters)}


def _link(summary: str) -> Json:
    answers = _content("The token", _JSON, _object(token=_TEXT), "201")
    return {"post": _operation(summary, answers, [])}


_DONE: Json = {
    "type": "object",
    "required": ["cancelled"],
    "properties": {"cancelled": {"const": True}},
}


def _operation(summary: str, answers: Json, parameters: list[Json]) -> Json:
    failed = _content("What was wrong", _JSON, _reference("Error"), "default")
    return {"summary": summary, "parameters": parameters, "responses": {**answers, **failed}}


def _answer(description: str, name: str) -> Json:
    return _content(description, _JSON, _reference(name))


def _content(description: str, sort: str, schema: Json, status: str = "200") -> Json:
    return {status: {"description": description, "content": {sort: {"schema": schema}}}}


def _part() -> Json:
    return _content("The part that was asked for", "text/plain", _TEXT, "206")


def _parameter(name: str, place: str, description: str, schema: Json) -> Json:
    return {
        "name": name,
        "in": place,
        "description": description,
        "required": place == "path",
        "schema": schema,
    }


def _from_1_to(most: int) -> Json:
    return {"type": "integer", "minimum": 1, "maximum": most}


def _words(name: str, description: str, word: Json) -> Json:
    parameter = _parameter(name, "query", description, {"type": "array", "items": word})
    return {**parameter, "style": "form", "explode": False}


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Json) -> Json:
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _schemas() -> Json:
    return {
        "Job": _object(
            id=_TEXT,
            folder=_TEXT,
            command=_list(_TEXT),
            total=_WHOLE,
            remaining=_WHOLE,
            time_start=_NUMBER,
            elapsed=_NUMBER,
            results=_COUNTS,
            causes=_COUNTS,
            exit_code=_WHOLE,
            interrupted=_TEXT,
            facts={"type": "object"},
            events=_WHOLE,
            clock=_NUMBER,
            over=_TRUTH,
        ),
        "TaskPage": _object(tasks=_list(_reference("Task")), next=_MAYBE_WHOLE, events=_WHOLE),
        "Task": _object(
            number=_WHOLE,
            id=_TEXT,
            kind=_TEXT,
            uri=_MAYBE_TEXT,
            reference=_TEXT,
            suite=_TEXT,
            phase=_PHASE,
            attempt=_WHOLE,
            environment=_TEXT,
            running=_MAYBE_NUMBER,
            variant=_MAYBE_TEXT,
            tags={"type": "object", "additionalProperties": _TAG},
            requirements=_list(_TEXT),
            verdict={"oneOf": [{"type": "null"}, _reference("Verdict")]},
        ),
        "Verdict": _verdict(),
        "Attempt": _attempt(),
        "Error": _object(error=_object(code=_WHOLE, message=_TEXT)),
    }


def _verdict() -> Json:
    step = {"type": "array", "prefixItems": [_PHASE, _NUMBER], "minItems": 2, "maxItems": 2}
    return _object(
        result=_RESULT,
        cause=_CAUSE,
        detail=_TEXT,
        time_start=_NUMBER,
        time_end=_NUMBER,
        elapsed=_NUMBER,
        returncode=_MAYBE_WHOLE,
        class_name=_MAYBE_TEXT,
        fail_class=_MAYBE_TEXT,
        traceback=_MAYBE_TEXT,
        whiteboard=_TEXT,
        log_dir=_MAYBE_TEXT,
        outputs={"type": "object", "additionalProperties": _TEXT},
        attempts=_list(_reference("Attempt")),
        phases=_list(step),
    )


def _attempt() -> Json:
    return _object(
        number=_WHOLE,
        environment=_TEXT,
        result=_RESULT,
        cause=_CAUSE,
        detail=_TEXT,
        time_start=_MAYBE_NUMBER,
        time_end=_NUMBER,
        elapsed=_NUMBER,
        returncode=_MAYBE_WHOLE,
        core=_TRUTH,
        layer=_TEXT,
        doing=_TEXT,
        leaks=_list({"type": "object"}),
        unkillable=_list({"type": "object"}),
    )
