"""What does the text say, and where does each part of it stand?

    text  --libyaml events-->  nodes with places  --aliases expanded, bounded-->  plain data + places of keys and values

YAML 1.2 core schema: `NO` is text, `0o14` is twelve, a duplicate key is an error. Events are read one by one instead
of letting the library build the tree, because they stop at a bound: neither deep nesting nor a bomb of aliases gets
further than a message. Nothing here raises for what a person may have written; it all becomes problems.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml
import yamlcore

from config.problems import KeyPath, Place, Problem, problem
from config.units import shown

Data = None | bool | int | float | str | list["Data"] | dict[str, "Data"]
"""What YAML and JSON have in common."""

MAX_BYTES = 4 << 20
"""Two thousand routes take about a tenth of it."""
MAX_DEPTH = 48
"""The format itself needs less than ten."""
MAX_NODES = 500_000
"""Values after the expansion of aliases."""
MAX_DIGITS = 300
"""Of a number; beyond it reading one gets slow, and none of ours has more than twelve."""

_CORE_TAGS = {f"tag:yaml.org,2002:{kind}": kind for kind in ("str", "int", "float", "bool", "null")}


@dataclass(slots=True)
class Document:
    """Plain data and where its parts stand. What the environment set stands at the place of its variable."""

    file: str
    root: Data
    values: dict[KeyPath, Place]
    keys: dict[KeyPath, Place]
    problems: list[Problem]

    def place(self, path: KeyPath) -> Place:
        """Of the value, or of the nearest thing around it that was written."""
        for length in range(len(path), -1, -1):
            place = self.values.get(path[:length])
            if place is not None:
                return place
        return Place(self.file, 1, 1)

    def key_place(self, path: KeyPath) -> Place:
        return self.keys.get(path) or self.place(path)


@dataclass(slots=True, eq=False)
class _Node:
    place: Place
    scalar: Data = None
    items: list[_Node] | None = None
    entries: dict[str, tuple[Place, _Node]] | None = None
    is_open: bool = True
    """Still being read: an alias to it would contain itself."""


class _Stop(Exception):
    """Reading on makes no sense; the reason is already among the problems."""


@dataclass(slots=True)
class _Level:
    """A collection being read; `key` is the mapping key whose value comes next."""

    node: _Node
    path: KeyPath
    key: str | None = None
    key_place: Place | None = None
    skips: bool = False
    """The next value belongs to a key that was refused."""


def parse(text: str, *, file: str) -> Document:
    """Read one document. Its problems are in the result; without a readable root, `root` is None."""
    reader = _Reader(file)
    document = Document(file, None, {}, {}, reader.problems)
    try:
        root = reader.read(text)
        _Expansion(document).expand(root, ())
    except _Stop:
        document.root = None
    return document


def parse_value(text: str) -> tuple[bool, Data]:
    """A value of any kind, as an environment variable holds it: (whether it is YAML, the value)."""
    document = parse(text, file="")
    return not document.problems, document.root


def decode(content: bytes, *, file: str) -> tuple[str, tuple[Problem, ...]]:
    """UTF-8, with or without a byte order mark."""
    try:
        return content.decode("utf-8-sig"), ()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        place = Place(file, line, column)
        return "", (problem(place, (), f"the byte 0x{content[error.start]:02x}", "text in UTF-8"),)


class _Reader:
    """Events to nodes."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._anchors: dict[str, _Node] = {}
        self._levels: list[_Level] = []
        self._root: _Node | None = None
        self._count = 0

    def read(self, text: str) -> _Node:
        try:
            encoded = text.encode()
        except UnicodeEncodeError as error:
            raise self._stop(self._offset(text, error.start), "half a surrogate pair", "text in UTF-8") from None
        if len(encoded) > MAX_BYTES:
            raise self._stop(Place(self.file, 1, 1), f"{len(encoded)} bytes", f"at most {MAX_BYTES} bytes")
        try:
            self._read_events(yamlcore.CCoreLoader(text))
        except yaml.reader.ReaderError as error:
            place = self._offset(text, error.position if isinstance(error.position, int) else 0)
            raise self._stop(
                place, f"a character that YAML does not allow ({error.reason})", "printable text"
            ) from None
        except yaml.MarkedYAMLError as error:
            raise self._syntax_error(text, error) from None
        if self._root is None:
            raise self._stop(Place(self.file, 1, 1), "an empty file", "a mapping with regions, services and routes")
        return self._root

    def _read_events(self, loader: yamlcore.CCoreLoader) -> None:
        try:
            while loader.check_event():
                self._take(loader, loader.get_event())
        finally:
            loader.dispose()

    def _take(self, loader: yamlcore.CCoreLoader, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            if self._root is not None:
                raise self._stop(self._at(event), "a second document", "one document a file")
        elif isinstance(event, yaml.ScalarEvent):
            self._check_tag(event)
            node = _Node(self._at(event), is_open=False)
            level = self._levels[-1] if self._levels else None
            if level is not None and level.node.entries is not None and level.key_place is None:
                self._take_key(loader, event, level)
                return
            node.scalar = self._scalar(loader, event, node.place)
            self._anchor(event, node)
            self._place_value(node)
        elif isinstance(event, yaml.AliasEvent):
            self._place_value(self._aliased(event))
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            self._open(event)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._levels.pop().node.is_open = False

    def _open(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent) -> None:
        self._check_tag(event)
        node = _Node(self._at(event))
        if isinstance(event, yaml.SequenceStartEvent):
            node.items = []
        else:
            node.entries = {}
        self._anchor(event, node)
        path = self._place_value(node)
        self._levels.append(_Level(node, path))
        if len(self._levels) > MAX_DEPTH:
            raise self._stop(node.place, f"values nested {len(self._levels)} deep", f"at most {MAX_DEPTH}")

    def _take_key(self, loader: yamlcore.CCoreLoader, event: yaml.ScalarEvent, level: _Level) -> None:
        place = self._at(event)
        level.key_place = place
        key = self._scalar(loader, event, place)
        entries = level.node.entries or {}
        if not isinstance(key, str):
            self._report(place, level.path, f"the key {shown(key)}", "a key that is text")
            level.skips = True
        elif key in entries:
            first = entries[key][0].line
            self._report(place, (*level.path, key), f"the key a second time, first in line {first}", "each key once")
            level.skips = True
        else:
            level.key = key

    def _place_value(self, node: _Node) -> KeyPath:
        """Put a value where it belongs; its path."""
        self._count += 1
        if self._count > MAX_NODES:
            raise self._stop(node.place, f"more than {MAX_NODES} values", "fewer")
        if not self._levels:
            self._root = node
            return ()
        level = self._levels[-1]
        if level.node.items is not None:
            level.node.items.append(node)
            return (*level.path, len(level.node.items) - 1)
        if level.key_place is None:
            raise self._stop(node.place, "a list or mapping as a key", "a key that is text", level.path)
        path = level.path if level.key is None else (*level.path, level.key)
        if level.key is not None and level.node.entries is not None:
            level.node.entries[level.key] = (level.key_place, node)
        level.key, level.key_place, level.skips = None, None, False
        return path

    def _anchor(self, event: yaml.NodeEvent, node: _Node) -> None:
        if event.anchor is not None:
            self._anchors[event.anchor] = node

    def _aliased(self, event: yaml.AliasEvent) -> _Node:
        node = self._anchors.get(event.anchor or "")
        if node is None:
            raise self._stop(self._at(event), f"the alias *{event.anchor}", "an anchor of that name before it")
        if node.is_open:
            raise self._stop(self._at(event), f"the alias *{event.anchor} inside what it stands for", "no loops")
        return node

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag is not None and event.tag != "!":
            self._report(self._at(event), (), f"the tag {shown(event.tag)}", "no tags")

    def _scalar(self, loader: yamlcore.CCoreLoader, event: yaml.ScalarEvent, place: Place) -> Data:
        tag = str(loader.resolve(yaml.ScalarNode, event.value, event.implicit)) if event.tag is None else ""
        kind = _CORE_TAGS.get(tag, "str")
        if kind in {"int", "float"} and len(event.value) > MAX_DIGITS:
            self._report(place, (), f"a number of {len(event.value)} digits", f"at most {MAX_DIGITS}")
            return None
        node = yaml.ScalarNode(tag, event.value)
        if kind == "int":
            return int(loader.construct_yaml_int_core(node))
        if kind == "float":
            number = float(loader.construct_yaml_float_core(node))
            if not math.isfinite(number):
                self._report(place, (), shown(event.value), "a number that is finite")
                return None
            return number
        if kind == "bool":
            return bool(loader.construct_yaml_bool_core(node))
        return None if kind == "null" else str(event.value)

    def _at(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1) if mark is not None else Place(self.file, 1, 1)

    def _offset(self, text: str, position: int) -> Place:
        before = text[:position]
        return Place(self.file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)

    def _report(self, place: Place, path: KeyPath, found: str, expected: str) -> None:
        self.problems.append(problem(place, path, found, expected))

    def _stop(self, place: Place, found: str, expected: str, path: KeyPath = ()) -> _Stop:
        self._report(place, path, found, expected)
        return _Stop()

    def _syntax_error(self, text: str, error: yaml.MarkedYAMLError) -> _Stop:
        mark = error.problem_mark or error.context_mark
        place = Place(self.file, mark.line + 1, mark.column + 1) if mark is not None else Place(self.file, 1, 1)
        lines = text.splitlines()
        line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
        if mark is not None and "\t" in line[: mark.column + 1] and line[: mark.column + 1].strip() == "":
            return self._stop(place, "a tab", "spaces, because YAML does not indent with tabs")
        context = f" {error.context}" if error.context else ""
        return self._stop(place, f"YAML that cannot be read ({error.problem or 'malformed'}{context})", "YAML 1.2")


@dataclass(slots=True)
class _Expansion:
    """Nodes to plain data; an alias is expanded where it stands, and keeps the place of what it stands for."""

    document: Document
    count: int = field(default=0)

    def expand(self, root: _Node, path: KeyPath) -> None:
        self.document.root = self._data(root, path)

    def _data(self, node: _Node, path: KeyPath) -> Data:
        self.count += 1
        if self.count > MAX_NODES or len(path) > MAX_DEPTH:
            self.document.problems.append(
                problem(node.place, path[:4], "aliases that expand beyond all bounds", f"at most {MAX_NODES} values")
            )
            raise _Stop
        self.document.values[path] = node.place
        if node.items is not None:
            return [self._data(item, (*path, index)) for index, item in enumerate(node.items)]
        if node.entries is not None:
            data: dict[str, Data] = {}
            for key, (place, value) in node.entries.items():
                self.document.keys[(*path, key)] = place
                data[key] = self._data(value, (*path, key))
            return data
        return node.scalar


def as_json(data: Data | Mapping[str, Data]) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass")


def child(data: Data, part: str | int) -> Data:
    """What stands below a key or position; None where nothing does."""
    if isinstance(data, dict) and isinstance(part, str):
        return data.get(part)
    if isinstance(data, list) and isinstance(part, int) and 0 <= part < len(data):
        return data[part]
    return None
