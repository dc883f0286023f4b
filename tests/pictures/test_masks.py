"""A mask beside a photo: white paints, black keeps the photograph."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from daemon.errors import JobError
from daemon.pictures.masks import masked
from tests.support.made_pictures import encoded

PAINTING, PHOTO = np.ones((32, 48, 3), np.float32), np.zeros((32, 48, 3), np.float32)


def share(mask: Image.Image) -> np.typing.NDArray[np.float32]:
    """(H, W): how much of each pixel is painted."""
    return masked(PAINTING, PHOTO, io.BytesIO(encoded(mask, "PNG")), max_megapixels=4)[..., 0]


@pytest.mark.parametrize("size", [(48, 32), (480, 320), (12, 8), (32, 48)])
def test_white_paints_and_black_keeps_at_any_size(size: tuple[int, int]) -> None:
    mask = Image.new("L", size)
    mask.paste(255, (size[0] // 2, 0, *size))
    found = share(mask)
    assert found[:, :16].max() < 0.02
    assert found[:, 32:].min() > 0.98
    assert abs(share(Image.new("L", size, 128)) - 128 / 255).max() < 0.01


def test_transparent_parts_count_as_black_even_if_all_of_it_is_transparent() -> None:
    mask = Image.new("RGBA", (48, 32), (255, 255, 255, 255))
    mask.paste((255, 255, 255, 0), (0, 0, 24, 32))
    assert share(mask)[:, :20].max() < 0.02
    assert share(mask)[:, 28:].min() > 0.98
    assert share(Image.new("RGBA", (48, 32), (255, 255, 255, 0))).max() == 0


def test_a_mask_that_is_no_picture_is_refused_as_the_mask() -> None:
    with pytest.raises(JobError, match="Its mask cannot be used: It is text"):
        masked(PAINTING, PHOTO, io.BytesIO(b"no picture"), max_megapixels=1)


@pytest.mark.slow
def test_a_huge_mask_takes_the_memory_of_its_own_pixels_and_no_more() -> None:
    code = (
        "import io, re, pathlib\nimport numpy as np\nfrom PIL import Image\nfrom daemon import pictures\n"
        "out = io.BytesIO()\nImage.new('L', (10_000, 10_000), 255).save(out, 'PNG')\n"
        "blank = np.zeros((48, 64, 3), np.float32)\n"
        "pictures.masked(blank, blank, io.BytesIO(out.getvalue()), max_megapixels=200)\n"
        "status = pathlib.Path('/proc/self/status').read_text()\n"  # ru_maxrss would count what this process had
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]) >> 10)\n"
    )
    peak = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(peak) < 500, "MiB"
