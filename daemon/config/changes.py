"""What a reload changes, in words."""

from collections.abc import Iterator

from pydantic import BaseModel

from daemon.config.models import Config
from daemon.text import escape, weighted


def describe_changes(old: Config, new: Config) -> list[str]:
    """A line for each dotted setting that differs: "recipe.size: 512 → 1024", "styles.night: added"."""
    lines = [f"styles.{escape(name)}: removed" for name in old.styles if name not in new.styles]
    lines += [f"styles.{escape(name)}: added" for name in new.styles if name not in old.styles]
    before, after = dict(_flat(old)), dict(_flat(new))
    both = [name for name in before if name in after and before[name] != after[name]]
    return [f"{name}: {before[name]} → {after[name]}" for name in both] + lines


def _flat(group: BaseModel, place: str = "") -> Iterator[tuple[str, str]]:
    """The dotted name and the value, as text, of every setting."""
    for name in type(group).model_fields:
        value = getattr(group, name)
        if isinstance(value, BaseModel):
            yield from _flat(value, f"{place}{name}.")
        elif isinstance(value, dict):
            for key, each in value.items():
                yield from _flat(each, f"{place}{name}.{escape(key)}.")
        else:
            yield f"{place}{name}", _read_out(value)


def _read_out(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        return escape(" ".join(value)) or "none"
    if isinstance(value, tuple):
        return weighted(each if isinstance(each, tuple) else (each.file, each.weight) for each in value)
    return f"{value:.15g}" if isinstance(value, float) else escape(str(value))
