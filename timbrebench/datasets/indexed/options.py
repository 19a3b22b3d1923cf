"""What of every indexed corpus can be set. Light."""

from typing import Any

from timbrebench.core.options import option


def index_option() -> Any:
    """The field ``index``."""
    return option(None, "mirdata's index file (default: in ROOT/indexes, or where mirdata has it)")
