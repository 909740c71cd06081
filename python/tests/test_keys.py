"""What stands in brackets means what it means to h5py, and what it means to numpy where h5py does not take it."""

import h5py
import numpy as np
import pytest
from support import IS_FULL

from darkchunk._keys import selection

SHAPE = (7, 5, 6)
DATA = np.arange(np.prod(SHAPE)).reshape(SHAPE)


def applied(key):
    """What the selection chooses, put together by numpy alone."""
    chosen = selection(key, SHAPE)
    if chosen is None:
        return None
    parts = [
        range(start, start + count * step, step)[:: -1 if flipped else 1]
        for start, count, step, flipped in zip(chosen.start, chosen.count, chosen.step, chosen.flipped, strict=True)
    ]
    if chosen.listed:
        parts[chosen.listed[0]] = chosen.listed[1]
    return DATA[np.ix_(*(np.asarray(part, int) for part in parts))].reshape(chosen.shape)


def random_key(rng):
    def one(n):
        kind = rng.integers(0, 6)
        if kind == 0:
            return int(rng.integers(-n, n))
        if kind == 1:
            return np.uint8(rng.integers(0, n))
        low, high = sorted(rng.integers(-n - 2, n + 3, 2).tolist())
        if kind == 2:
            return slice(low, high, int(rng.integers(1, 4)))
        if kind == 3:
            return slice(None, None, int(rng.choice([-3, -2, -1, 1, 2])))
        return slice(None)

    keys = [one(n) for n in SHAPE[: rng.integers(0, len(SHAPE) + 1)]]
    if rng.random() < 0.4:
        place = int(rng.integers(0, len(keys) + 1))
        keys = keys[:place] + [Ellipsis] + [one(n) for n in SHAPE[len(SHAPE) - (len(keys) - place) :]]
    if rng.random() < 0.3 and not any(isinstance(key, (int, np.integer)) for key in keys):
        places = [index for index, key in enumerate(keys) if key is not Ellipsis]
        if places and Ellipsis not in keys:
            axis = int(rng.choice(places))
            keys[axis] = rng.integers(-SHAPE[axis], SHAPE[axis], rng.integers(0, 5)).tolist()
    return tuple(keys)


@pytest.mark.parametrize("seed", range(200 if IS_FULL else 20))
def test_random_keys_choose_what_numpy_chooses(seed):
    rng = np.random.default_rng(seed)
    for _ in range(50):
        key = random_key(rng)
        found = applied(key)
        expected = DATA[tuple(np.asarray(k, int) if isinstance(k, list) else k for k in key)]
        assert found is not None and found.shape == np.shape(expected) and np.array_equal(found, expected), key


@pytest.mark.parametrize(
    "key",
    [3, (..., 2), slice(1, 9, 2), (slice(None), 4), ([1, 3, 6],), (2, [0, 1, 4]), np.arange(7) % 2 == 0]
    + [(2, slice(1, 4), [0, 5]), ([0, 2], slice(None, None, 2), -1), (0, ..., [2]), (1, slice(None), [])],
)
def test_h5py_takes_the_same(tmp_path, key):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["a"] = DATA
        assert np.array_equal(applied(key), file["a"][key])


@pytest.mark.parametrize(
    "key", [7, -8, (0, 5), (slice(None), [5]), ([-8],), (1, 2, 3, 4), (..., ...), np.ones(6, bool)]
)
def test_what_is_outside_is_an_index_error(key):
    with pytest.raises(IndexError):
        selection(key, SHAPE)


@pytest.mark.parametrize("key", ["field", 1.5, None, True, ([1, 2], [3, 4]), np.ones(SHAPE, bool), [0.5]])
def test_other_kinds_are_left_to_h5py(key):
    assert selection(key, SHAPE) is None
