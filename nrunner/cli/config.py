"""``nrunner config``: each setting, its value and where it came from.

Not responsible for reading configuration (``nrunner.layer``).
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from nrunner.cli.output import say, say_json, table
from nrunner.cli.settings import configuration
from nrunner.config import OPTIONS, Config
from nrunner.userfolder import user_folder

__all__ = ["config"]


@click.command()
@click.argument("what", type=click.Choice(["reference"]), required=False)
@click.option("as_json", "--json", is_flag=True, help="Write JSON.")
@click.option("--datadir", is_flag=True, help="Show the folders that are used, and nothing else.")
def config(what: str | None, as_json: bool, datadir: bool) -> None:
    """Show each setting, its value and where it came from.

    With "reference": what each setting means, and how it can be given.
    """
    settings = configuration()
    values = {key: option.sort.to_json(settings.value(key)) for key, option in OPTIONS.items()}
    if what is not None:
        _refer()
    elif datadir:
        folders = [(key, _shown(values[key])) for key in _FOLDERS]
        table([*folders, *((name, str(folder)) for name, folder in _homes().items())])
    elif as_json:
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
    else:
        table((key, _shown(value), settings.source(key)) for key, value in values.items())


_FOLDERS = ("run.results_dir", "cache.dir")


def _homes() -> dict[str, Path]:
    return {
        "configuration": user_folder("config"),
        "data": user_folder("data"),
        "caches": user_folder("cache"),
        "memories": user_folder("state"),
    }


def _refer() -> None:
    defaults = Config()
    for key, option in OPTIONS.items():
        say(key)
        say("~" * len(key))
        say(f"{option.help}\n")
        default = option.default_text or _shown(option.sort.to_json(defaults.value(key)))
        say(f"* Default: {default}")
        say(f"* Environment: {option.variable}")
        say(f"* Option: {option.flag or 'none'}\n")


def _shown(value: object) -> str:
    if isinstance(value, str) and value.isprintable():
        return value
    return "none" if value is None else json.dumps(value, ensure_ascii=False)
