"""What a person or a program reads of the running daemon: the terminal, the log, the journal, the file of events.

Runs in the daemon's process. Imports status, config, previews, events, text and transfer's steps; only here is rich.
"""
