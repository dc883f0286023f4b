"""The studio: code that draws every picture of the package from fixed seeds, and trains the embedded weights.

For developers, outside the daemon; nothing in the daemon imports this package.
"""
