"""The faults of the published system that can be mended one at a time (docs/ldm.md).

``ldm[variant=published;correct=objective+range]`` is the published system but for these two, so
that the effect of each is measured; with no word it stays as it was published.
"""

from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.methods.ldm.plugin import Options

CORRECTIONS = {
    "objective": "the style is another clip of the same instrument, from another track",
    "schedule": "noise grows until almost no signal is left, where generation begins",
    "attention": "what cross-attention says is added to the features",
    "norm": "features of the U-Net are normalised (GroupNorm)",
    "range": "mels in the tanh's own -1..1, by the range of the training set",
    "latents": "encoded once, in eval mode, and standardised by channel; the decoder learns from "
    "noisy ones, in the first stage only; no KL at |z| = 1",
    "optimiser": "warm-up, cosine, clipped gradients, averaged weights",
}
ALL = "all"
# Those that the autoencoder depends on: it is trained once for cells that differ in the others.
OF_THE_AUTOENCODER = frozenset({"range", "latents", "optimiser"})


def corrections_of(options: Options) -> frozenset[str]:
    """The words of the option ``correct``; BenchError where one is unknown or out of place."""
    words = [word.strip() for word in options.correct.split("+") if word.strip()]
    for word in words:
        if word not in (*CORRECTIONS, ALL):
            raise UnknownName("correction of ldm:", word, (*CORRECTIONS, ALL))
    if words and options.variant != "published":
        raise BenchError(
            f"ldm[variant={options.variant}] has nothing to correct.",
            hint="Write ldm[variant=published;correct=...].",
        )
    return frozenset(CORRECTIONS if ALL in words else words)
