"""The options that several commands share. The options of the recipe come from a table."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="STYLED_CONFIG",
        help="The configuration; by default config.yaml here, then /etc/styled/config.yaml.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]

# Each setting of the recipe, as in config.yaml, with the words of its option.
RECIPE_OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "preset": "fine, tutorial, gatys or draft.",
        "size": "Long side in pixels, auto, original, or 30x20cm@300dpi.",
        "style_weight": "2: twice the style's share.",
        "content_weight": "2: twice the photo's share.",
        "smoothness": "More: softer paint; 0: no smoothing.",
        "style_scale": "2: strokes twice as large.",
        "seed": "Another number: other strokes.",
        "start": "content, noise or style.",
        "keep_colors": "no, luminance or statistics.",
        "precision": "auto or full.",
    }
)
# The same for the settings of the machine.
MACHINE_OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "device": "auto, cpu, cuda, cuda:1 or mps.",
        "threads": "CPU threads: auto or a number.",
        "weights": "auto, embedded, imagenet or a file.",
        "quality": "Of JPEG and WebP, 1 to 100.",
    }
)


def with_options(*tables: Mapping[str, str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command that takes `**settings` an option for each name in the tables. `settings` then holds the text of
    each option, None for options that were not given."""
    texts = {name: text for table in tables for name, text in table.items()}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def run(**arguments: Any) -> None:
            command(**arguments)

        own = inspect.signature(command, eval_str=True).parameters.values()
        options = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[str | None, typer.Option(metavar="VALUE", help=text)],
            )
            for name, text in texts.items()
        ]
        kept = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own if each.kind is not each.VAR_KEYWORD]
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__signature__ = inspect.Signature([*kept, *options])  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in (*kept, *options)}
        return run

    return decorate
