"""librosa's compiled parts, made once on a machine, by one process alone."""


def compile_librosa() -> None:
    """numba keeps each of them in two files. Processes that make the same at once mix theirs up,
    and what is loaded of that crashes (numba issue 10128): so this comes before they start."""
    import librosa.beat
    import librosa.core.audio
    import librosa.util.utils  # noqa: F401
