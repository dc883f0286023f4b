"""styled, the style daemon: photographs dropped into a folder come out of another as paintings."""

__version__ = "0.1.0"
