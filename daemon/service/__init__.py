"""Start and stop of the daemon, and everything that runs beside the jobs: threads, reload, systemd, housekeeping,
hooks, metrics.

Runs in the daemon process. May import jobs, gallery, inbox, processes, storage, config and the plain files beside the
packages; of transfer only modules that load no torch (recipe, errors, layers, the description of weights), except for
`check --deep`.
"""
