"""The way of a photo: claimed out of the inbox, read, painted, delivered and archived; and the records of these steps.

Runs in the job threads of the daemon process; commands read the records (`audit`, `journal`) and paint with `trace`.
May import `inbox`, `processes` (never a `*_process` or `ray_*` module), `storage`, `config`, `status`, `provenance` and
the recipes and steps of `transfer`; no torch, numpy or Pillow.
"""
