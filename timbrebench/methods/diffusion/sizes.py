"""Whether a network of these sizes can be built at all, in words instead of tensor errors."""

from collections.abc import Sequence

from timbrebench.core.errors import BenchError


def check_widths(owner: str, widths: Sequence[int], multiple: int, fewest: int = 1) -> None:
    """``widths`` are channels by level, each a multiple; a network has so many levels at least."""
    if len(widths) < fewest:
        raise BenchError(f"{owner}.widths has {len(widths)} levels; it takes {fewest} at least.")
    for width in widths:
        if width % multiple:
            nearest = max(multiple, round(width / multiple) * multiple)
            raise BenchError(
                f"{owner}.widths has {width}, which is no multiple of {multiple}.",
                hint=f"The nearest is {nearest}.",
            )


def check_levels(owner: str, patch: int, levels: int, **sizes: int) -> None:
    """An image is split into squares of ``patch`` pixels and halved from level to level: its
    ``sizes``, by name, must divide."""
    unit = patch * 2 ** (levels - 1)
    for name, size in sizes.items():
        if size % unit:
            raise BenchError(
                f"{owner}: the {size} {name} of its mel do not divide by {unit}, as {levels} "
                f"levels on squares of {patch} pixels need.",
                hint=f"Give {owner}.widths fewer levels, or squares of another size.",
            )
