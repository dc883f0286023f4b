"""The commands of `styled`: their arguments, what they print, their exit codes.

Runs in the process of the command; `styled run` and `styled demo` become the daemon there. May import everything;
Pillow's side and torch only inside the command that needs them. No other package uses typer.
"""
