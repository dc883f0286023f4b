"""The five folders under one root, the durable steps on files, and the lock: one daemon per root.

Runs in the daemon process and in commands; child processes use `files` alone. May import `errors`, `events`,
`filenames` and `text`, and nothing outside the standard library.
"""
