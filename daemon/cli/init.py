"""`styled init`: a folder of your own, with a commented config.yaml."""

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from daemon.assets import FOLDER
from daemon.config.load import load
from daemon.errors import JobError
from daemon.storage.layout import Folders

SHIPPED = "share/styled/config.yaml"  # in the wheel; in a checkout the file at its top


def init(folder: Path) -> Iterator[str]:
    """Make the folder with config.yaml and the five folders, and yield what a person does next.

    Raises JobError if the folder has a config.yaml already or cannot be made.
    """
    path = folder / "config.yaml"
    text = _template().read_bytes()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(text)
    except FileExistsError:
        raise JobError(f"{path} exists already.", "Edit this file, or name another folder: styled init DIR") from None
    except OSError as error:
        raise JobError(f"{error.filename}: {error.strerror}.", "Name another folder: styled init DIR") from None
    config = load(path)
    Folders(config.root).prepare(config.inbox_folders)
    yield f"{path}: every setting, with its default and a comment"
    yield f"Start: styled run --config {path}"
    yield f"Drop photographs into {folder / 'inbox'}/ or the folder of a style in it"
    yield f"Collect paintings from {folder / 'outbox'}/"


def _template() -> Path:
    checkout = FOLDER.parents[1] / "config.yaml"
    if (FOLDER.parents[1] / "pyproject.toml").is_file():
        return checkout
    shipped = (file for file in metadata.files("styled-daemon") or () if str(file).endswith(SHIPPED))
    return next((Path(str(file.locate())) for file in shipped), checkout)
