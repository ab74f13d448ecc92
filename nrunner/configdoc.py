"""What people and editors read about configuration, made from the table of settings.

``python -m nrunner.configdoc`` writes the schemas and the table in docs/config.md; a test holds
them to it. Not responsible for checking anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from nrunner.config import OPTIONS, Config, Option
from nrunner.schema import load_schema

__all__ = ["config_schema", "job_schema", "settings_table", "with_table"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_BEGIN = "<!-- settings: begin (python -m nrunner.configdoc) -->\n"
_END = "<!-- settings: end -->\n"


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``nrunner.toml``."""
    return {
        "$schema": _DIALECT,
        "title": "nrunner.toml",
        "description": "Settings of nrunner.",
        **_tree(OPTIONS.values()),
    }


def job_schema() -> dict[str, Any]:
    """Return the JSON Schema of a job file."""
    own = {
        "name": {"type": "string", "minLength": 1, "description": "Unique in the job."},
        "references": {
            "type": "array",
            "items": {"type": "string", "minLength": 1},
            "minItems": 1,
            "description": "What to run, as on the command line.",
        },
        "requirements": _requirements("What must hold before a test of the suite can start."),
    }
    job = _tree(OPTIONS.values())
    wanted = _requirements("What must hold before any test can start.")
    job["properties"] = {"requirements": wanted, **job["properties"]}
    suite = _tree(option for option in OPTIONS.values() if option.per_suite)
    suite["properties"] = {**own, **suite["properties"]}
    return {
        "$schema": _DIALECT,
        "title": "nrunner job",
        "description": "Suites to run one after the other, and settings for them.",
        "type": "object",
        "required": ["suite"],
        "additionalProperties": False,
        "properties": {
            "job": {**job, "description": "Settings for the whole job."},
            "suite": {
                "type": "array",
                "minItems": 1,
                "items": {**suite, "required": ["name", "references"]},
            },
        },
    }


def _requirements(description: str) -> dict[str, Any]:
    item = load_schema("requirements")["$defs"]["requirement"]
    return {"type": "array", "items": item, "description": description}


def _tree(options: Iterable[Option]) -> dict[str, Any]:
    """Return the schema of tables in tables, as the dots in the keys say."""
    root: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": {}}
    for option in options:
        *tables, last = option.key.split(".")
        here = root
        for name in tables:
            empty = {"type": "object", "additionalProperties": False, "properties": {}}
            here = here["properties"].setdefault(name, empty)
        here["properties"][last] = {**option.sort.schema(), "description": option.help}
    return root


def settings_table() -> str:
    """Return the table of settings in Markdown."""
    defaults = Config(results_dir="", python="")
    lines = ["| key | default | flag | meaning |", "|---|---|---|---|"]
    for key, option in OPTIONS.items():
        shown = json.dumps(option.sort.to_json(defaults.value(key)), ensure_ascii=False)
        default = option.default_text or f"`{'none' if shown == 'null' else shown}`"
        flag = f"`{option.flag}`" if option.flag else ""
        star = " *" if option.per_suite else ""
        lines.append(f"| `{key}`{star} | {default} | {flag} | {option.help} |")
    return "\n".join(lines) + "\n"


def with_table(page: str) -> str:
    """Return the page with its table of settings brought up to date."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{settings_table()}\n{_END}{after}"


def _write() -> None:
    root = Path(__file__).parent
    schemas: dict[str, Callable[[], dict[str, Any]]] = {"config": config_schema, "job": job_schema}
    for name, schema in schemas.items():
        text = json.dumps(schema(), indent=2) + "\n"
        (root / "schemas" / f"{name}.json").write_text(text, "utf-8")
    page = root.parent / "docs" / "config.md"
    page.write_text(with_table(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    _write()
