"""Seeded chance with a train/test split.

Every grammar draws through a Dice. What it draws with `draw` is split by a hash
of the drawn value: one value in twelve belongs to the test side and never
occurs in training text, so evaluate.py asks for things the model has not seen.
"""

import random
import zlib
from dataclasses import dataclass, field


@dataclass
class Talk:
    """One conversation. turns are (role, text); roles are those of ROLES."""

    category: str
    turns: list = field(default_factory=list)


ROLES = ("system", "user", "assistant", "tool")


class Dice:
    def __init__(self, seed, test=False, stage="first"):
        self.random = random.Random(seed)
        self.test = test
        self.stage = stage

    def pick(self, items):
        return self.random.choice(items)

    def some(self, items, count):
        return self.random.sample(items, count)

    def number(self, low, high):
        """A number from low to high, both included."""
        return self.random.randint(low, high)

    def chance(self, p):
        return self.random.random() < p

    def draw(self, make):
        """Calls make until its result is on this dice's side of the split."""
        while True:
            value = make()
            if held_out(value) == self.test:
                return value


def held_out(value):
    return zlib.crc32(repr(value).encode()) % 12 == 0
