"""Randomness by name: the same keys give the same stream, on every machine.

A draw belongs to (run seed, data, example), never to a batch or a method: batch size and the
order of work change nothing, and all methods see the same crops.
"""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def seed_of(*keys: object) -> int:
    """A 64-bit seed for the keys (by their text)."""
    text = "\x1f".join(map(str, keys))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def generator(*keys: object) -> "np.random.Generator":
    """An independent random stream for the keys."""
    import numpy as np

    return np.random.Generator(np.random.Philox(key=seed_of(*keys)))
