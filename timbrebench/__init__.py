"""timbrebench: a fair comparison of musical timbre-transfer and synthesis methods."""

__version__ = "0.1.0"
