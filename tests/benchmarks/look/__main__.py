"""How good our paintings look beside others': `python -m tests.benchmarks.look [--json] [--size 512]`.

`--pair CONTENT STYLE …`: files or names of what ships, instead of six pairs; `--sheets FOLDER`: a contact sheet of
each; `--weights FILE`: other weights than the embedded ones, for every column; `--keep FOLDER`: what others paint is
kept there and not painted again, for while a recipe is tuned; `--against-random`: these weights against random ones;
`--consistency 512 2048`: the same photo at two sizes.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import machine
from tests.benchmarks.look import chance, columns, consistency


def main(arguments: Sequence[str] | None = None) -> None:
    parser = machine.asked("look", __doc__, 512)
    parser.add_argument("--preset", default="fine", help="of ours")
    parser.add_argument("--style-weight", type=float, default=1.0, help="of ours")
    parser.add_argument("--sheets", type=Path, help="folder for a contact sheet of each pair")
    parser.add_argument("--columns", nargs="+", default=[*columns.PEERS, columns.OURS])
    parser.add_argument("--keep", type=Path, help="folder where the others' paintings are kept")
    parser.add_argument("--share", type=float, default=1.0, help="of the others' evaluations, for a trial")
    parser.add_argument("--against-random", action="store_true")
    parser.add_argument("--draws", type=int, default=3, help="of random weights")
    parser.add_argument("--consistency", nargs=2, type=int, metavar=("SMALL", "LARGE"))
    given = parser.parse_args(arguments)
    mode = chance if given.against_random else consistency if given.consistency else columns
    result = mode.run(given)
    if given.json:
        print(json.dumps(result, indent=2))
    else:
        mode.print_rest(result)


if __name__ == "__main__":
    main()
