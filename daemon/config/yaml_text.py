"""YAML as groups, lists and texts, with plain words for every mistake.

yaml.BaseLoader also leaves every value a text, but drops tags without a word, keeps the last of two equal names, knows
no merges (`<<`) and cannot tell an empty setting from ''. So this module reads PyYAML's nodes itself.
"""

import codecs
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from daemon.config.checks import yaml_flaw
from daemon.errors import ConfigError
from daemon.text import escape, quoted


def parse_yaml(raw: bytes, name: str, largest: int) -> tuple[dict[str, Any], list[str]]:
    """The settings, and the problems in them. Raises ConfigError if the text as a whole cannot be read."""
    if len(raw) > largest:
        raise ConfigError([f"{name}: is larger than {largest >> 10} KiB, too large for a file of settings"])
    try:
        text = raw.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{name}: line {line}: is not UTF-8 text; save it as UTF-8"]) from None
    document = _Document(name)
    try:
        data = document.value(yaml.SafeLoader(text).get_single_node(), "")
    except yaml.MarkedYAMLError as error:
        where = _where(error.problem_mark or error.context_mark)
        raise ConfigError([f"{name}: {where}: {yaml_flaw(f'{error.problem} {error.context}')}"]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError([f"{name}: line {line}: has a control character; remove it"]) from None
    except (RecursionError, ValueError, OverflowError):  # the last two: an escape beyond Unicode, "\UFFFFFFFF"
        raise ConfigError([f"{name}: is nested too deeply or has a broken escape; write plain settings"]) from None
    if data is not None and not isinstance(data, dict):
        raise ConfigError([f"{name}: holds {quoted(data)} instead of settings; write name: value lines"])
    return data or {}, document.problems


def style_line(name: str, pictures: Sequence[tuple[str, float]], settings: Mapping[str, object]) -> str:
    """A style as a line of config.yaml: `night: {picture: night.jpg, style_weight: 2}`. `pictures`: with weights."""
    if len(pictures) == 1:
        style: dict[str, object] = {"picture": pictures[0][0]}
    else:
        style = {"pictures": [{"file": file, "weight": _short(weight)} for file, weight in pictures]}
    style |= {setting: _short(value) for setting, value in settings.items()}
    text: str = yaml.safe_dump({name: style}, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
    return re.sub(r"'(builtin:\w+)'", r"\1", text[1:-2])


def without(raw: bytes, name: str) -> bytes:
    """A text that `parse_yaml` accepts, without its setting `name`; unchanged if the setting is not there, b"" if no
    other setting is there."""
    node = yaml.compose(raw.removeprefix(codecs.BOM_UTF8).decode(), yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        return raw
    kept = [(key, value) for key, value in node.value if key.value != name]
    if len(kept) == len(node.value):
        return raw
    node.value = kept
    return yaml.serialize(node, Dumper=yaml.SafeDumper, allow_unicode=True).encode() if kept else b""


def _short(value: object) -> object:
    """2 instead of 2.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class _Document:
    """Turns PyYAML's nodes into dicts, lists and texts (None for an empty value), and never builds another object."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[str] = []
        self._known: dict[int, Any] = {}  # by node, so that aliases of aliases cost nothing

    def value(self, node: yaml.Node | None, place: str) -> Any:
        """`place`: the dotted name of the setting at this node."""
        if node is None:
            return None
        if id(node) not in self._known:
            self._known[id(node)] = self._value(node, place)
        return self._known[id(node)]

    def _value(self, node: yaml.Node, place: str) -> Any:
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        if not tag.isalpha():  # str, int, null …; "!include" and "python/object" are not
            self.problems.append(f"{self.name}: {_where(node.start_mark)}: a tag, {quoted(tag)}; remove it")
        if isinstance(node, yaml.MappingNode):
            return self._group(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, f"{place}.{i}") for i, child in enumerate(node.value, start=1)]
        return None if tag == "null" else node.value

    def _group(self, node: yaml.MappingNode, place: str) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                where = _where(key.start_mark)
                self.problems.append(f"{self.name}: {where}: a list or group as a name; write a word as the name")
                continue
            name = f"{place}.{escape(key.value)}".removeprefix(".")
            line = key.start_mark.line + 1
            if key.tag == "tag:yaml.org,2002:merge":
                sources = self.value(value, name)
                for source in sources if isinstance(sources, list) else [sources]:
                    merged = {**source, **merged} if isinstance(source, dict) else merged
            elif key.value in own:
                self.problems.append(f"{name}: is set twice, in lines {lines[key.value]} and {line}; keep one")
            else:
                own[key.value], lines[key.value] = self.value(value, name), line
        return {**merged, **own}


def _where(mark: yaml.Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
