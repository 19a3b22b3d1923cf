"""Which SoundFont plays. Light."""

import importlib.util
from pathlib import Path

from timbrebench.core.errors import MissingData


def default_soundfont() -> Path:
    """TimGM6mb.sf2 (GPL-2), which the pretty_midi package carries. Nothing is imported."""
    spec = importlib.util.find_spec("pretty_midi")
    path = Path(spec.origin).parent / "TimGM6mb.sf2" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise MissingData(
            "the SoundFont TimGM6mb.sf2, which the package pretty_midi carries, is not there.",
            hint="Reinstall it: pip install --force-reinstall pretty_midi",
        )
    return path


def soundfont_file(given: str | None) -> Path:
    """The file that an option names, or the default one."""
    if not given:
        return default_soundfont()
    if not Path(given).is_file():
        raise MissingData(f"there is no SoundFont {given}.", hint="Give the path of a .sf2 file.")
    return Path(given)
