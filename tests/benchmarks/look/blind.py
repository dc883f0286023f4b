"""Which of two sets of paintings a person prefers, without knowing which is which.

`python -m tests.benchmarks.look.blind A B -o DIR [--styles S]` lays the paintings of the same name in the folders A and
B side by side, in random order. The sheets are DIR/NAME.jpg, the key is DIR.key.json beside DIR. Show DIR to somebody,
who writes a line `NAME left`, `NAME right` or `NAME tie` for each. `… --answers FILE -o DIR` counts the lines, with
a sign test: how likely such a preference, or a stronger one, is by chance.
"""

import argparse
import json
import math
import random
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image

GAP = 12  # px between the pictures of a sheet


def lay_out(a: Path, b: Path, out: Path, styles: Path | None = None, seed: int | None = None) -> int:
    """Write a sheet for each name that both folders have, and the key. Returns how many. Raises SystemExit if none."""
    order = random.Random(seed)
    names = sorted({path.name for path in a.iterdir()} & {path.name for path in b.iterdir()})
    if not names:
        raise SystemExit(f"no picture in {a} has the name of a picture in {b}")
    out.mkdir(parents=True, exist_ok=True)
    key = {}
    for name in names:
        left_is_a = order.random() < 0.5
        key[Path(name).stem] = "left" if left_is_a else "right"
        pictures = [Image.open(folder / name).convert("RGB") for folder in ((a, b) if left_is_a else (b, a))]
        if styles is not None and (styles / name).exists():
            pictures.insert(0, Image.open(styles / name).convert("RGB"))
        side_by_side(pictures).save(out / f"{Path(name).stem}.jpg", quality=95)
    out.with_name(f"{out.name}.key.json").write_text(json.dumps(key, indent=1) + "\n")
    return len(names)


def side_by_side(pictures: list[Image.Image]) -> Image.Image:
    """The pictures at the height of the last."""
    height = pictures[-1].height
    scaled = [each.resize((max(1, round(each.width * height / each.height)), height)) for each in pictures]
    sheet = Image.new("RGB", (sum(each.width + GAP for each in scaled) - GAP, height), "white")
    left = 0
    for each in scaled:
        sheet.paste(each, (left, 0))
        left += each.width + GAP
    return sheet


def count(key: Mapping[str, str], answers: Iterable[str]) -> Counter[str]:
    """How often A and B were preferred, and ties. Raises SystemExit for a line that names no pair or no side."""
    found: Counter[str] = Counter(A=0, B=0, tie=0)
    for line in filter(None, map(str.strip, answers)):
        name, _, side = line.partition(" ")
        side = side.strip().lower()
        if name not in key or side not in ("left", "right", "tie"):
            raise SystemExit(f"{line!r} is not understood; write NAME left, NAME right or NAME tie")
        found["tie" if side == "tie" else "A" if side == key[name] else "B"] += 1
    return found


def chance(wins: int, losses: int) -> float:
    """The two-sided sign test: how likely a split at least as uneven is if nobody prefers either."""
    n, most = wins + losses, max(wins, losses)
    tail = float(sum(math.comb(n, k) for k in range(most, n + 1)) / 2**n)
    return min(1.0, 2 * tail)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.look.blind", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="A and B")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the folder of the sheets")
    parser.add_argument("--styles", type=Path, help="a folder with each pair's style picture, under the same name")
    parser.add_argument("--answers", type=Path, help="what was answered; the sheets must be there already")
    parser.add_argument("--seed", type=int, help="of the order; by default it is random")
    given = parser.parse_args(arguments)
    if given.answers is None:
        if len(given.folders) != 2:
            parser.error("name the two folders of paintings, or the file of answers")
        a, b = given.folders
        print(f"{lay_out(a, b, given.out, given.styles, given.seed)} pairs in {given.out}")
        return 0
    key = json.loads(given.out.with_name(f"{given.out.name}.key.json").read_text())
    found = count(key, given.answers.read_text().splitlines())
    likely = chance(found["A"], found["B"])
    print(f"A {found['A']}, B {found['B']}, ties {found['tie']}; by chance with probability {likely:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
