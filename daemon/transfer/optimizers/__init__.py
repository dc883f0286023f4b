"""Minimise a loss over pictures in [0, 1], step by step. In painter processes; imports torch and `..devices` only."""
