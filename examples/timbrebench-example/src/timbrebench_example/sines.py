"""``sines``: a dataset that makes its own audio.

Provenance: synthesised here, from a fixed seed. Size: 1 MB. Instruments: ``sine`` (the
fundamental alone) and ``buzz`` (partials that fall by 1/n). Split: the first track is for
testing, the second for validation, the rest for training. Licence: CC0.
"""

import numpy as np
import soundfile

from timbrebench.core.files import atomic_path, cache_root, digest
from timbrebench.core.interfaces import Dataset
from timbrebench.core.records import Corpus, Task, Track
from timbrebench.core.seeds import generator

RATE = 16000  # Hz
PARTIALS = {"sine": 1, "buzz": 10}
NOTE_SECONDS = 0.5
VERSION = 1  # of the audio: another one has another fingerprint


class Sines(Dataset):
    """Random notes of one octave."""

    @property
    def _key(self):
        return digest([VERSION, self.options.tracks, self.options.seconds])

    @property
    def _folder(self):
        return (self.root or cache_root() / "sines") / self._key

    def prepare(self, progress):
        tracks = self.corpus().tracks
        for number, track in enumerate(tracks):
            for instrument, path in track.stems.items():
                if not path.exists():
                    with atomic_path(path) as temporary:
                        audio = _play(track.id, PARTIALS[instrument], self.options.seconds)
                        soundfile.write(temporary, audio, RATE)
            progress("making sines", (number + 1) / len(tracks))

    def corpus(self):
        tracks = tuple(self._track(i) for i in range(self.options.tracks))
        task = Task("transfer", "sine", "buzz")
        return Corpus("sines", tracks, {"single": (task,)}, self._key, RATE)

    def _track(self, number):
        stems = {name: self._folder / name / f"notes{number}.wav" for name in PARTIALS}
        split = ("test", "valid")[number] if number < 2 else "train"
        return Track(f"notes{number}", stems, split, self.options.seconds)


def _play(track, partials, seconds):
    """[n] float32 at RATE Hz."""
    rng = generator("sines", track)
    time = np.arange(round(seconds * RATE)) / RATE
    notes = rng.integers(57, 70, int(seconds / NOTE_SECONDS) + 1)  # MIDI pitches
    number, since = np.divmod(time, NOTE_SECONDS)
    pitch_hz = 440 * 2 ** ((notes[number.astype(int)] - 69) / 12)
    tone = sum(np.sin(2 * np.pi * n * pitch_hz * since) / n for n in range(1, partials + 1))
    fade = np.minimum(1, np.minimum(since, NOTE_SECONDS - since) / 0.02)  # against clicks
    return (0.3 * tone * fade).astype(np.float32)
