"""From a file in inbox/ to a settled photo.

Runs in the daemon process; `scan` also in commands. Imports `events`, `filenames` and `text`, no other package of ours.
"""
