"""The studio: every picture that ships with the package, drawn by code from fixed seeds."""
