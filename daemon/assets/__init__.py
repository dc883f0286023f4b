"""The files that ship with the package: where each of them is. Runs in every process; imports nothing of ours."""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
STYLES: Final = FOLDER / "styles"  # where `builtin:NAME` is
CONTENTS: Final = FOLDER / "contents"  # the photographs of `styled demo`
GALLERY_PAGE: Final = FOLDER / "gallery.html"
EMBEDDED_WEIGHTS: Final = FOLDER / "embedded.safetensors"
