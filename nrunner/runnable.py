"""What to run: Runnable and Requirement, to and from JSON.

Not responsible for when or where it runs (``nrunner.task``, spawners), nor for what its kind
means (runners). The schemas in ``nrunner/schemas`` describe the same JSON for people; the checks
here are the ones that hold wherever tests run, too.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from nrunner.errors import RecipeError
from nrunner.record import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

__all__ = ["IDEMPOTENT", "Requirement", "Runnable", "Tags"]

if TYPE_CHECKING:
    Tags = Mapping[str, Optional[frozenset[str]]]
else:
    Tags = Mapping
"""Tag name to its values, or to None for a tag without values (``slow``, ``net:virtio``)."""

IDEMPOTENT = "runner.idempotent"
"""Key of a Runnable's configuration: whether running it twice does no harm."""

_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Requirement:
    """Something that must hold in an environment before a Runnable can start there."""

    kind: str
    uri: str | None = None
    args: tuple[str, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The whole requirement as canonical text: two that are equal are fulfilled once."""
        return json.dumps(self.to_json(), sort_keys=True)

    @property
    def title(self) -> str:
        """What people call it: the kind, and what it is about as far as that is known."""
        name = self.uri or self.kwargs.get("name")
        if not isinstance(name, str) or not name:
            return self.kind
        if "://" in name:  # what it holds that is secret stays hidden
            name = name.partition("?")[0].rpartition("/")[2].rpartition("@")[2] or "from a URL"
        return f"{self.kind} {name}"

    def to_json(self) -> dict[str, Any]:
        """Return the form used in recipes: type, uri, args, and kwargs beside them."""
        known: dict[str, Any] = {"type": self.kind}
        if self.uri is not None:
            known["uri"] = self.uri
        if self.args:
            known["args"] = list(self.args)
        return {**self.kwargs, **known}

    @classmethod
    def from_json(cls, data: Any) -> Requirement:
        """Read the recipe form; raise RecipeError that names the key."""
        if not isinstance(data, Mapping):
            raise RecipeError(f"requirement: expected an object, got {_kind_of(data)}")
        if "type" not in data:
            raise RecipeError('requirement: key "type" is missing')
        rest = {key: data[key] for key in data if key not in ("type", "uri", "args")}
        return cls(
            _text(data, "type"),
            _text_or_none(data, "uri"),
            _texts(data, "args"),
            rest,
        )


@dataclass(frozen=True)
class Runnable:
    """A description of one thing to run; `kind` says which runner knows how."""

    kind: str
    uri: str | None = None
    args: tuple[str, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    requirements: tuple[Requirement, ...] = ()
    tags: Tags = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    variant: Mapping[str, Any] | None = None
    identifier: str | None = None

    @property
    def name(self) -> str:
        """What people call it: the identifier if it has one, else the uri, else the kind."""
        return self.identifier or self.uri or self.kind

    @property
    def variant_id(self) -> str | None:
        """The name of its variant, as it appears in task ids."""
        if self.variant is None:
            return None
        name = self.variant.get("variant_id")
        return None if name is None else str(name)

    def to_json(self) -> dict[str, Any]:
        """Return the recipe form, without keys that say nothing."""
        data: dict[str, Any] = {"kind": self.kind}
        if self.uri is not None:
            data["uri"] = self.uri
        if self.args:
            data["args"] = list(self.args)
        if self.kwargs:
            data["kwargs"] = dict(self.kwargs)
        if self.requirements:
            data["requirements"] = [each.to_json() for each in self.requirements]
        if self.tags:
            data["tags"] = tags_to_json(self.tags)
        if self.config:
            data["config"] = dict(self.config)
        if self.variant is not None:
            data["variant"] = dict(self.variant)
        if self.identifier is not None:
            data["identifier"] = self.identifier
        return data

    @classmethod
    def from_json(cls, data: Any) -> Runnable:
        """Read the recipe form; raise RecipeError that names the key.

        ``dependencies`` is accepted as another word for ``requirements``; so are ``tags``,
        ``variant`` and ``dependencies`` inside ``kwargs``, where Avocado's recipes carry them.
        """
        if not isinstance(data, Mapping):
            raise RecipeError(f"recipe: expected an object, got {_kind_of(data)}")
        if "kind" not in data:
            raise RecipeError('recipe: key "kind" is missing')
        kwargs = dict(_object(data, "kwargs"))
        merged = dict(data)
        for key in [key for key in _IN_KWARGS if key in kwargs]:
            if data.get(key) is not None:
                raise RecipeError(f'key "{key}" is given twice: in the recipe and in its kwargs')
            merged[key] = kwargs.pop(key)
        variant = merged.get("variant")
        if variant is not None and not isinstance(variant, Mapping):
            raise RecipeError(f'key "variant": expected an object, got {_kind_of(variant)}')
        return cls(
            kind=_text(data, "kind"),
            uri=_text_or_none(data, "uri"),
            args=_texts(data, "args"),
            kwargs=kwargs or _NOTHING,
            requirements=_requirements(merged),
            tags=tags_from_json(merged.get("tags")),
            config=_object(data, "config") or _NOTHING,
            variant=variant,
            identifier=_text_or_none(data, "identifier"),
        )


_IN_KWARGS = ("tags", "variant", "dependencies", "requirements")


def tags_to_json(tags: Tags) -> dict[str, list[str] | None]:
    """Return tags as JSON: values sorted, null where a tag has none."""
    return {key: None if values is None else sorted(values) for key, values in tags.items()}


def tags_from_json(data: Any) -> Tags:
    """Read tags from JSON; raise RecipeError that names the tag."""
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise RecipeError(f'key "tags": expected an object, got {_kind_of(data)}')
    tags: dict[str, frozenset[str] | None] = {}
    for key, values in data.items():
        if values is None:
            tags[str(key)] = None
        elif isinstance(values, (list, tuple)) and all(isinstance(each, str) for each in values):
            tags[str(key)] = frozenset(values)
        else:
            raise RecipeError(f'key "tags.{key}": expected a list of strings or null')
    return tags


def _requirements(data: Mapping[str, Any]) -> tuple[Requirement, ...]:
    found: list[Requirement] = []
    for key in ("requirements", "dependencies"):
        items = data.get(key)
        if items is None:
            continue
        if not isinstance(items, (list, tuple)):
            raise RecipeError(f'key "{key}": expected a list, got {_kind_of(items)}')
        for number, item in enumerate(items):
            try:
                found.append(Requirement.from_json(item))
            except RecipeError as error:
                raise RecipeError(f'key "{key}[{number}]": {error}') from error
    return tuple(found)


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        got = "an empty one" if value == "" else _kind_of(value)
        raise RecipeError(f'key "{key}": expected a non-empty string, got {got}')
    return value


def _text_or_none(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise RecipeError(f'key "{key}": expected a string, got {_kind_of(value)}')
    return value


def _texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = data.get(key)
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        raise RecipeError(f'key "{key}": expected a list of strings, got {_kind_of(value)}')
    for number, each in enumerate(value):
        if not isinstance(each, str):
            raise RecipeError(f'key "{key}[{number}]": expected a string, got {_kind_of(each)}')
    return tuple(value)


def _object(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    if value is None:
        return _NOTHING
    if not isinstance(value, Mapping):
        raise RecipeError(f'key "{key}": expected an object, got {_kind_of(value)}')
    return value


def _kind_of(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    if value is None:
        return "null"
    return names.get(
        type(value), "a number" if isinstance(value, (int, float)) else "something else"
    )
