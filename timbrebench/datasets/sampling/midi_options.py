"""What of midi can be set. Light."""

from dataclasses import dataclass

from timbrebench.core.options import option

LONGEST = 7200.0  # seconds of a piece


@dataclass(frozen=True)
class Options:
    """What is played, by whom, and how it is recorded."""

    folder: str | None = option(None, "folder of .mid and .midi files, also in folders within it")
    soundfont: str | None = option(None, "SoundFont 2 file (default: TimGM6mb.sf2 of pretty_midi)")
    instruments: str = option(
        "piano/acoustic_guitar/harp/violin",
        "who plays, separated by '/': General MIDI names, or programs 0 to 127",
    )
    rate: int = option(16000, "rate of the recordings in Hz", low=8000, high=48000)
    seconds: float = option(LONGEST, "at most so many seconds of a piece", low=1, high=LONGEST)
