"""config.yaml: reading it, the settings as frozen models, what is wrong with them, and what a reload changed.

Runs in the daemon and in every command. Imports assets, errors, filenames, text and transfer's recipe; only here is
yaml, and pydantic only here and in provenance.
"""
