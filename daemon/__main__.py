"""`python -m daemon` is the same command as `styled`."""

from daemon.cli import main

if __name__ == "__main__":
    main()
