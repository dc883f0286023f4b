"""Child processes that read, write and paint pictures, and the pools that the daemon takes them from.

The daemon's side runs in the daemon process and imports neither torch, numpy, Pillow nor Ray. The children's side runs
in a child, which finds it by its name: `painter_process` and `painting_check` (torch, numpy), `reader_process`
(`daemon.pictures`), `ray_bridge`, `ray_machines` and `ray_actor` (Ray).
"""
