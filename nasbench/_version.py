"""The version, on the ground floor: what is written says by which release."""

__all__ = ["__version__"]

__version__ = "0.2.0"
