"""``nrunner config``: each setting, its value and where it came from.

Not responsible for reading configuration (``nrunner.layer``).
"""

from __future__ import annotations

import json

import click

from nrunner.cli.output import say_json, table
from nrunner.cli.settings import configuration
from nrunner.config import OPTIONS

__all__ = ["config"]


@click.command()
@click.option("as_json", "--json", is_flag=True, help="Write JSON.")
def config(as_json: bool) -> None:
    """Show each setting, its value and where it came from."""
    settings = configuration()
    values = {key: option.sort.to_json(settings.value(key)) for key, option in OPTIONS.items()}
    if as_json:
        say_json(
            {
                key: {
                    "value": value,
                    "source": settings.source(key),
                    "variable": OPTIONS[key].variable,
                    "flag": OPTIONS[key].flag,
                    "help": OPTIONS[key].help,
                }
                for key, value in values.items()
            }
        )
        return
    table((key, _shown(value), settings.source(key)) for key, value in values.items())


def _shown(value: object) -> str:
    if isinstance(value, str) and value.isprintable():
        return value
    return "none" if value is None else json.dumps(value, ensure_ascii=False)
