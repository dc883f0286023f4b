"""Minimise a loss over pictures in [0, 1], step by step. Runs in painter processes; imports torch and `..devices`."""
