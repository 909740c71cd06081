"""Numbers that are the same each time."""

import numpy


def random(seed):
    return numpy.random.default_rng(seed)
