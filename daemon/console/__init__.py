"""What the running daemon shows to people and programs: on the terminal, in the log, in the journal, in the file of
events.

Runs in the daemon's process. Imports status, config, previews, events, text and transfer's steps; no other package of
the daemon uses rich.
"""
