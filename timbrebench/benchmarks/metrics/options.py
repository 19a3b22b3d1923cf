"""Options of the built-in metrics. Light."""

from dataclasses import dataclass

from timbrebench.core.options import option


@dataclass(frozen=True)
class NoteOptions:
    """Of ``note_f1``."""

    tolerance: float = option(
        0.1, "seconds that a heard onset may be off", affects="sampling", low=0.01, high=1.0
    )
