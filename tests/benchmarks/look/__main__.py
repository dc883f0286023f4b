"""How our paintings look beside others': `python -m tests.benchmarks.look [--sheets FOLDER] [--judge FILE]`.

First look: a contact sheet of each pair (`--sheets FOLDER`), or blind sheets (`python -m tests.benchmarks.look.blind`).
The figures are a guard: what they say is wrong is wrong, but better figures are no better painting.

    tone             the layout of light: correlation of the blurred luminance with the photo's, 1 is the same
    specks           pixels in 10,000 that stand out alone, beyond the style's own
    border_tone, border_contrast  the frame against the picture within, beyond the photo's own; 0 is none
    smooth           the distance to the style in the photo's smooth places; less is more painted
    content          how far the deep features are from the photo's, 0 to 1

The last two need `--judge FILE`: weights of a network that painted none of the pictures.
`--pair CONTENT STYLE …`: files or names of what ships, instead of six pairs; `--weights FILE`: other weights than the
embedded ones, for every column; `--keep FOLDER`: what others paint is kept there and not painted again, for while a
recipe is tuned; `--consistency 512 2048`: the same photo at two sizes.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import machine
from tests.benchmarks.look import columns, consistency


def main(arguments: Sequence[str] | None = None) -> None:
    parser = machine.asked("look", __doc__, 512)
    parser.add_argument("--preset", default="fine", help="of ours")
    parser.add_argument("--style-weight", type=float, default=1.0, help="of ours")
    parser.add_argument("--sheets", type=Path, help="folder for a contact sheet of each pair")
    parser.add_argument("--columns", nargs="+", default=[*columns.PEERS, columns.OURS])
    parser.add_argument("--keep", type=Path, help="folder where the others' paintings are kept")
    parser.add_argument("--share", type=float, default=1.0, help="of the others' evaluations, for a trial")
    parser.add_argument("--judge", type=Path, metavar="FILE", help="weights of a network that painted nothing here")
    parser.add_argument("--consistency", nargs=2, type=int, metavar=("SMALL", "LARGE"))
    given = parser.parse_args(arguments)
    mode = consistency if given.consistency else columns
    result = mode.run(given)
    if given.json:
        print(json.dumps(result, indent=2))
    else:
        mode.print_rest(result)


if __name__ == "__main__":
    main()
