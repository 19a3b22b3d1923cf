"""Instrument accuracy: whether estimates are heard as the target by a classifier.

Conventions
-----------
A multinomial logistic regression on the embedding's vectors, standardised, is fitted to training
clips of every instrument of the corpus (those that play alone), each instrument with equal weight.
A clip is heard as the instrument with the greatest mean log-probability over its vectors; the
value is the share of estimates that are heard as their target. The row tells what the others were
heard as, and how real clips that are not among the training clips do (``floor``), and the
unchanged source (``ceiling``): a classifier that does not know real music says nothing of
estimates.

References
----------
Accuracy of an instrument classifier as a measure of transfer: Cífka et al., "Self-supervised
VQ-VAE for one-shot music style transfer", ICASSP 2021, use a trained timbre metric likewise.
"""

# Shapes: n vectors of d dimensions; C instruments.

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from timbrebench.core.embedded import Embedded, EmbeddingMetric
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.records import Clip

STRENGTH = 0.1  # inverse of the L2 penalty
ROUNDS = 200  # of the solver, at most


class InstrumentAccuracy(EmbeddingMetric):
    """Share of estimates that are heard as their target."""

    def measure(
        self, references: Sequence[Clip], estimates: Sequence[Clip]
    ) -> tuple[dict[str, float], dict[str, Any]]:
        wanted = {clip.instrument for clip in estimates}
        known = {clip.instrument for clip in references}
        if lacking := sorted(wanted - known):
            raise CannotMeasure(f"no training clip plays {', '.join(lacking)} alone")
        if len(known) < 2:
            raise CannotMeasure("one instrument alone cannot be told from others")
        real = {name: self._side("references", references, name) for name in sorted(known)}
        hear = _fitted({name: of.vectors for name, of in real.items()})
        heard = Counter[str]()
        right, count = 0, 0
        skipped: dict[str, str] = {}
        for name in sorted(wanted):
            made = self._side("estimates", estimates, name)
            skipped |= made.skipped
            answers = [hear(vectors) for vectors in made.by_clip]
            heard.update(answers)
            right += answers.count(name)
            count += len(answers)
        details = {
            "n": count,
            "n_reference_files": sum(len(of.by_clip) for of in real.values()),
            "instruments": sorted(known),
            "heard_as": dict(heard.most_common()),
            "embedding": self.embedding.info.name,
            "skipped": skipped,
            "grey": False,
        }
        return {"instrument_accuracy": right / count}, details

    def _side(self, side: str, clips: Sequence[Clip], instrument: str) -> Embedded:
        return self.embed(side, [c for c in clips if c.instrument == instrument])


Hear = Callable[[np.ndarray], str]
_known: dict[bytes, Hear] = {}  # the last one: what bounds a value is heard by the same


def _fitted(by_name: Mapping[str, np.ndarray]) -> Hear:
    """The classifier of these vectors, fitted once."""
    content = hashlib.blake2b(digest_size=16)
    for name, vectors in by_name.items():
        content.update(name.encode())
        content.update(vectors.tobytes())
    key = content.digest()
    if key not in _known:
        _known.clear()
        _known[key] = classifier(by_name)
    return _known[key]


def classifier(by_name: Mapping[str, np.ndarray]) -> Hear:
    """Vectors [n, d] of each instrument → a function from a clip's vectors [m, d] to a name."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names = list(by_name)
    vectors = np.concatenate([by_name[name] for name in names])
    labels = np.repeat(np.arange(len(names)), [len(by_name[name]) for name in names])
    solver = LogisticRegression(C=STRENGTH, max_iter=ROUNDS, class_weight="balanced")
    model = make_pipeline(StandardScaler(), solver).fit(vectors, labels)

    def hear(of_clip: np.ndarray) -> str:
        return names[int(model.predict_log_proba(of_clip).mean(axis=0).argmax())]

    return hear
