"""``nrunner jobs serve``: jobs on a page, those that run and those that did.

Not responsible for the page (``nrunner.results.page``), nor for answers (``nrunner.gallery``).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from typing import Any

import click

from nrunner.cli.chosen import chosen_job, complete_job, every_job, results_folder_of
from nrunner.cli.flags import setting_flags
from nrunner.cli.output import say
from nrunner.errors import ExitCode
from nrunner.layout import JobFolder, id_of, short_id
from nrunner.status.entrance import Entrance
from nrunner.status.keys import Keys
from nrunner.status.listener import TcpOptions, listen_tcp
from nrunner.status.token import make_token, page_link

__all__ = ["serve"]

_MOST = 100
"""Jobs shown where none is named."""


@click.command()
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=complete_job)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of 127.0.0.1.")
@setting_flags("run.results_dir")
def serve(jobs: tuple[str, ...], port: int, **flags: Any) -> int:
    """Show each JOB on a page in the browser, until Ctrl-C; without a JOB, the latest 100.

    A job that runs can be followed there and cancelled. The address that is printed works once, in
    one browser; the page can make links for others.
    """
    chosen = [chosen_job(name, flags) for name in jobs]
    base = results_folder_of(flags)
    path = f"/jobs/{short_id(id_of(chosen[0]))}" if len(chosen) == 1 else ""
    asyncio.run(_serve(lambda: chosen or every_job(base)[-_MOST:], port, path))
    return ExitCode.OK


async def _serve(find: Callable[[], Sequence[JobFolder]], port: int, path: str) -> None:
    from nrunner.gallery import make_gallery
    from nrunner.status.app import runner_of

    options = TcpOptions(make_token(), port=port)
    keys = Keys(options.token)
    listener = listen_tcp(options, loopback_only=True)
    entrance = Entrance()
    runner = runner_of(make_gallery(find, keys, entrance.note_question))
    with listener:
        await runner.setup()
        assert runner.server is not None
        entrance.open(runner.server, listener)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        _say_now(f"PAGE       : {page_link(address + path, keys.link())}")
        try:
            await _interrupted()
        finally:
            entrance.close()
            await runner.cleanup()


def _say_now(text: str) -> None:
    import sys

    say(text)
    if sys.stdout is not None:
        sys.stdout.flush()


async def _interrupted() -> None:
    """Wait for Ctrl-C, or to be told to end."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    await over.wait()
