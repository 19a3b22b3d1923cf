"""Note F1: how many of the written notes are heard in an estimate.

Conventions
-----------
The piano roll of ``jaccard_melodia16k`` becomes notes: a run of frames with one pitch, gaps up to
30 ms closed, of at least 60 ms. Written and heard notes are matched one to one by ``mir_eval``:
the same semitone (within 50 cents), onsets at most ``tolerance`` apart, ends left out. Precision
is the share of heard notes that are written, recall that of written notes that are heard, F1 their
harmonic mean. The usual tolerance of 50 ms is too strict for what is bowed: of real strings of
``starlet`` 9 % of the notes are found within it, and 53 % within 100 ms, which is the default.

References
----------
Bay, Ehmann & Downie, "Evaluation of multiple-F0 estimation and tracking systems", ISMIR 2009;
Raffel et al., "mir_eval: a transparent implementation of common MIR metrics", ISMIR 2014.
"""

# Shapes: T frames; P = 128 MIDI pitches; N notes.

from collections.abc import Iterator, Sequence

import numpy as np

from timbrebench.benchmarks.metrics import pitch
from timbrebench.benchmarks.metrics.pairs import cut_to_shorter
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.interfaces import PairMetric
from timbrebench.core.records import Clip, Note

RATE = 16000
FRAME_SECONDS = pitch.HOP / RATE
GAP = round(0.03 / FRAME_SECONDS)  # frames of silence within a note
SHORTEST = round(0.06 / FRAME_SECONDS)  # frames
END = 0.1  # seconds


class NoteF1(PairMetric):
    """Precision, recall and F1 of written notes."""

    def measure(self, reference: Clip, estimate: Clip) -> dict[str, float]:
        if reference.notes is None:
            raise CannotMeasure(f"the written notes of '{reference.track}' are not known")
        _, est = cut_to_shorter(reference, estimate)
        if len(est) < pitch.FRAME:
            raise CannotMeasure(f"{len(est)} samples are shorter than a frame of {pitch.FRAME}")
        # What begins at the very end is too short to be heard: it counts on neither side.
        end = len(est) / RATE - END
        written = [n for n in reference.notes if n.onset < end]
        if not written:
            raise CannotMeasure("no note is written within the estimate's length")
        tolerance = self.options.tolerance
        heard = [n for n in transcribed(pitch.melodia16k(est)) if n.onset < end]
        return scores(written, heard, tolerance)


def transcribed(roll: np.ndarray) -> Iterator[Note]:
    """Piano roll [T, P] bool → its notes."""
    for key in np.flatnonzero(roll.any(axis=0)):
        frames = np.flatnonzero(roll[:, key])
        for run in np.split(frames, np.flatnonzero(np.diff(frames) > GAP + 1) + 1):
            if len(run) and run[-1] + 1 - run[0] >= SHORTEST:
                yield Note(run[0] * FRAME_SECONDS, (run[-1] + 1) * FRAME_SECONDS, int(key))


def scores(written: Sequence[Note], heard: Sequence[Note], tolerance: float) -> dict[str, float]:
    """Written and heard notes → values by measure."""
    if not heard:
        return {"note_f1": 0.0, "note_precision": 0.0, "note_recall": 0.0}
    from mir_eval.transcription import precision_recall_f1_overlap

    sides = [part for notes in (written, heard) for part in (_times(notes), _hertz(notes))]
    precision, recall, f1, _ = precision_recall_f1_overlap(
        *sides, onset_tolerance=tolerance, offset_ratio=None
    )
    return {
        "note_f1": float(f1),
        "note_precision": float(precision),
        "note_recall": float(recall),
    }


def _times(notes: Sequence[Note]) -> np.ndarray:
    """[N, 2] seconds; a note of no length would be refused."""
    return np.array([(n.onset, max(n.end, n.onset + FRAME_SECONDS)) for n in notes])


def _hertz(notes: Sequence[Note]) -> np.ndarray:
    return 440 * 2 ** ((np.array([n.pitch for n in notes]) - 69) / 12)
