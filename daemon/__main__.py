"""The command, by either name: `styled` and `python -m daemon`.

It stays almost empty because spawned children import their parent's main module again.
"""


def main() -> None:
    from daemon.cli.app import run_command

    run_command()


if __name__ == "__main__":
    main()
