"""What of youtube can be set. Light."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from timbrebench.core.options import option


@dataclass(frozen=True)
class Options:
    """What is fetched, what is taken of it, and how it is kept."""

    csv: str | None = option(None, "list of recordings: columns instrument, title, url")
    seconds: float = option(1800.0, "at most so many seconds of a recording", low=3, high=7200)
    balance: bool = option(True, "every recording is cut to the length of the shortest one")
    trim_db: float = option(
        20.0, "beginning and end that are so many dB below the loudest are cut; 0: none", low=0
    )
    rate: int = option(22050, "rate of the recordings in Hz", low=8000, high=48000)
    format: str = option(
        "flac", "how recordings are kept; mp3 as in the paper", choices=("flac", "mp3")
    )
    rows: int = option(1000, "rows of the list that are taken", low=1, high=100_000)
    max_mib: int = option(512, "a longer download is refused, in MiB", low=1, high=16_384)
    max_hours: float = option(2.0, "a longer recording is refused, in hours", low=0.01, high=2)
    deadline: float = option(
        3600.0, "seconds after which fetching a recording is given up", low=10, high=86_400
    )
    allow_private: bool = option(
        False, "hosts in private networks, and the proxy of the environment, may be asked"
    )


def given(options: Options) -> dict[str, Any]:
    """Those that are not their defaults."""
    defaults = asdict(Options())
    return {name: v for name, v in asdict(options).items() if v != defaults[name]}


def words(values: Mapping[str, Any]) -> tuple[str, ...]:
    """How a command line says options."""
    texts = {name: str(v).lower() if isinstance(v, bool) else str(v) for name, v in values.items()}
    return tuple(word for name, v in texts.items() for word in ("-o", f"youtube.{name}={v}"))
