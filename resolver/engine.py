"""Turns references into Resolutions: asks the resolvers, walks folders, expands globs.

Every reference ends as SUCCESS, CORRUPT, or NOT_MINE with a reason that helps. Not responsible
for what a file is; resolvers decide that.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from nrunner.record import replace
from nrunner.resolver.base import Answer, Context, Declined, Resolution, Resolver
from nrunner.resolver.reference import (
    exists,
    expand,
    impossible,
    is_file,
    is_folder,
    is_pattern,
    missing,
    shown,
)

__all__ = ["expand", "resolve"]

_NAMED_ONCE = frozenset({"python-unittest"})
"""Resolvers that may find one test through several files (a package that loads its modules)."""


def resolve(
    references: Sequence[str], resolvers: Sequence[Resolver], context: Context
) -> list[Resolution]:
    """Return one or more Resolutions per reference, in the order of the references.

    ``NAME:reference`` asks the resolver of that name alone (``tap:./check.sh``).
    """
    ordered = sorted(resolvers, key=lambda each: (-each.priority, each.name))
    for each in ordered:
        expect = getattr(each, "expect", None)
        if expect is not None:
            expect(references, context)
    return [
        resolution
        for reference in references
        for resolution in _resolve_one(reference, ordered, context)
    ]


def _resolve_one(
    reference: str, resolvers: Sequence[Resolver], context: Context
) -> list[Resolution]:
    if ":" not in reference and is_file(context.base_dir, reference):
        # As nearly all are: there is nothing else to look for.
        return [_ask(reference, "", reference, resolvers, context)]
    reason = impossible(reference, context.base_dir)
    if reason:
        return [_refusal(reference, reason)]
    prefix, rest, chosen = _prefix(reference, resolvers, context.base_dir)
    if is_folder(context.base_dir, rest):
        return _in_folder(reference, prefix, rest, chosen, context)
    if is_pattern(rest) and not exists(context.base_dir, rest):
        return _in_glob(reference, prefix, rest, chosen, context)
    return [_ask(reference, prefix, rest, chosen, context)]


def _prefix(
    reference: str, resolvers: Sequence[Resolver], base_dir: Path
) -> tuple[str, str, Sequence[Resolver]]:
    """Split ``NAME:rest`` where NAME is a resolver's, unless a file is called just that."""
    name, colon, rest = reference.partition(":")
    chosen = [each for each in resolvers if each.name == name]
    if not colon or not rest or not chosen or exists(base_dir, reference):
        return "", reference, resolvers
    return name + ":", rest, chosen


def _in_folder(
    reference: str, prefix: str, folder: str, resolvers: Sequence[Resolver], context: Context
) -> list[Resolution]:
    files = list(_walk(folder, context.base_dir))
    declined: list[Declined] = []
    found = list(_claimed(reference, prefix, files, resolvers, context, declined))
    if found:
        return _with_declined(found, declined)
    none = f"{_counted(len(files))} in it, none of them a test" if files else "it holds no files"
    return [_refusal(reference, f"folder {shown(folder)} has no tests: {none}", declined)]


def _in_glob(
    reference: str, prefix: str, pattern: str, resolvers: Sequence[Resolver], context: Context
) -> list[Resolution]:
    import glob

    # unlike Path.glob this takes absolute patterns and those with ..
    matches = sorted(glob.glob(pattern, root_dir=context.base_dir, recursive=True))  # noqa: PTH207
    if not matches:
        # a resolver may know names that merely look like patterns
        answer = _ask(reference, prefix, pattern, resolvers, context)
        if answer.answer is not Answer.NOT_MINE:
            return [answer]
        return [_refusal(reference, f"pattern {shown(pattern)} matches nothing")]
    files: dict[PurePath, str] = {}
    for match in matches:
        within = _walk(match, context.base_dir) if is_folder(context.base_dir, match) else [match]
        for file in within:
            # "./**" matches "./", below which "a.sh" is found, and "./a.sh" itself
            files.setdefault(PurePath(file), file)
    declined: list[Declined] = []
    found = list(_claimed(reference, prefix, files.values(), resolvers, context, declined))
    if found:
        return _with_declined(found, declined)
    reason = f"pattern {shown(pattern)} matches {_counted(len(files))}, none of them a test"
    return [_refusal(reference, reason, declined)]


def _with_declined(found: list[Resolution], declined: list[Declined]) -> list[Resolution]:
    return [replace(found[0], declined=tuple(declined)), *found[1:]]


def _counted(files: int) -> str:
    return "1 file" if files == 1 else f"{files} files"


def _claimed(
    reference: str,
    prefix: str,
    files: Iterable[str],
    resolvers: Sequence[Resolver],
    context: Context,
    declined: list[Declined],
) -> Iterator[Resolution]:
    """Yield the answers for those files that somebody claims; add who declined, and why."""
    seen: set[tuple[str, str | None, str]] = set()
    files = list(files)
    for resolver in resolvers:
        foresee = getattr(resolver, "foresee", None)
        if foresee is not None:
            foresee([prefix + each for each in files], context)
    for file in files:
        answer, reasons = _first(prefix + file, resolvers, context)
        declined += reasons
        if answer is None:
            continue
        runnables = answer.runnables
        if answer.resolver in _NAMED_ONCE:
            keys = [(each.kind, each.uri, repr(each.kwargs)) for each in runnables]
            runnables = tuple(
                each for each, key in zip(runnables, keys, strict=True) if key not in seen
            )
            seen.update(keys)
        if runnables or answer.answer is Answer.CORRUPT:
            yield Resolution(reference, answer.answer, runnables, answer.reason, answer.resolver)


def _ask(
    reference: str, prefix: str, rest: str, resolvers: Sequence[Resolver], context: Context
) -> Resolution:
    answer, declined = _first(prefix + rest, resolvers, context)
    if answer is not None and not declined and answer.reference == reference:
        return answer
    if answer is not None:
        return replace(answer, reference=reference, declined=tuple(declined))
    reasons = [f"{each.resolver}: {each.reason}" for each in declined]
    if exists(context.base_dir, rest):
        told = "; ".join(reasons) or "no resolver knows such files"
        return _refusal(reference, f"{shown(rest)} is not a test ({told})", declined)
    path = rest.partition(":")[0] or rest
    told = "; ".join([missing(path, context.base_dir), *reasons])
    return _refusal(reference, told, declined)


def _first(
    asked: str, resolvers: Sequence[Resolver], context: Context
) -> tuple[Resolution | None, list[Declined]]:
    """Return the first answer that ends the search, and who declined with what reason."""
    declined: list[Declined] = []
    for resolver in resolvers:
        answer = resolver.resolve(asked, context)
        if answer.answer is not Answer.NOT_MINE:
            return answer, declined
        if answer.reason:
            declined.append(Declined(asked, resolver.name, answer.reason))
    return None, declined


def _refusal(reference: str, reason: str, declined: Iterable[Declined] = ()) -> Resolution:
    return Resolution(reference, Answer.NOT_MINE, (), reason, declined=tuple(declined))


def _walk(folder: str, base_dir: Path) -> Iterator[str]:
    """Yield the files below `folder`, in order of name, as the user would type them.

    Hidden entries, caches and virtual environments are left out; a folder is entered once,
    however many links lead to it, and none that lies above.
    """
    above = {_identity(each) for each in (base_dir / folder).resolve().parents}
    yield from _entries(folder.rstrip("/") or "/", base_dir, above)


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _entries(folder: str, base_dir: Path, entered: set[tuple[int, int]]) -> Iterator[str]:
    try:
        identity = _identity(base_dir / folder)
        entries = sorted(os.scandir(base_dir / folder), key=lambda each: each.name)
    except OSError:
        return
    if identity in entered or any(each.name == "pyvenv.cfg" for each in entries):
        return
    entered.add(identity)
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__pycache__":
            continue
        path = entry.name if folder == "." else f"{folder.rstrip('/')}/{entry.name}"
        if is_folder(base_dir, path):
            yield from _entries(path, base_dir, entered)
        elif is_file(base_dir, path):
            yield path
