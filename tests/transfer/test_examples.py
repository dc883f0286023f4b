"""The examples in the docstrings, run as a reader runs them."""

import subprocess
import sys
import textwrap
from types import ModuleType

import pytest

from daemon import transfer
from daemon.transfer import terms
from daemon.transfer.network import own


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "words", "end", "shown"),
    [
        (transfer, "Image.fromarray(", "assert again.shape == photo.shape", ""),
        (terms, "terms={", "assert painting.shape == photo.shape", "strokes"),
        (own, "network=Small()", "assert painting.shape == photo.shape", ""),
    ],
    ids=["paint", "a loss of one's own", "a network of one's own"],
)
def test_the_example_runs(module: ModuleType, words: str, end: str, shown: str) -> None:
    """`shown`: a word of the last line that the example prints."""
    lines = (module.__doc__ or "").splitlines()
    code = textwrap.dedent("\n".join(line for line in lines if not line or line.startswith("    ")))
    assert words in code
    done = subprocess.run([sys.executable, "-c", f"{code}\n{end}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert shown in "".join(done.stdout.splitlines()[-1:])
