"""What of starlet can be set. Light."""

from dataclasses import dataclass

from timbrebench.core.options import option


@dataclass(frozen=True)
class Options:
    """Pieces alternate: for melody and accompaniment, and for one line played by all."""

    pieces: int = option(96, "training pieces", low=1, high=100000)
    valid_pieces: int = option(8, "validation pieces", low=1, high=10000)
    test_pieces: int = option(10, "test pieces", low=1, high=10000)
    seconds: float = option(20.0, "length of a piece in seconds", low=3, high=600)
    tempo_low: float = option(66.0, "slowest tempo in beats a minute", low=30, high=240)
    tempo_high: float = option(132.0, "fastest tempo in beats a minute", low=30, high=240)
    seed: int = option(0, "seed of the pieces")
    soundfont: str | None = option(None, "SoundFont 2 file (default: TimGM6mb.sf2 of pretty_midi)")
    test_soundfont: str | None = option(None, "another SoundFont for the test pieces")
    test_grammar: str = option(
        "same",
        "how the test pieces are written: like the others, or by a grammar held out",
        choices=("same", "heldout"),
    )
    midi: str | None = option(None, "folder of MIDI files to play in place of composed pieces")
    level_db: float = option(
        0.0, "each recording is made quieter by up to so many dB, at random", low=0, high=40
    )
    reverb: float = option(0.0, "share of the room in the sound, a room a piece", low=0, high=1)
    timing_ms: float = option(
        0.0, "each note of each instrument is moved by up to so many ms, at random", low=0, high=200
    )
