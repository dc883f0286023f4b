"""Reads config.yaml into frozen models, says what is wrong with its settings, and what a reload changed.

Runs in the daemon and in every command. Imports assets, errors, filenames, text and transfer's recipe. No other package
uses yaml; pydantic is used here and in provenance.
"""
