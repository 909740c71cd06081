"""Files go both ways between our plugins and hdf5plugin's: each in a process of its own, with its own plugin folder."""

import itertools

import pytest

from common import BITSHUFFLE, BLOSC, COMPRESSORS, LZ4, PLUGINS, SHUFFLES, ZSTD, child, sample

SIZES = {1: "<u1", 2: "<i2", 3: "V3", 4: "<u4", 8: "<f8", 12: "V12"}
FOLDER = {"ours": PLUGINS, "theirs": "/nonexistent"}
LENGTHS = [1, 7, 8, 129, 4099, 100_003]


def cases():
    yield from ((f"bitshuffle-{block}", BITSHUFFLE, (block, 0)) for block in [0, 64])
    yield from ((f"bitshuffle-lz4-{block}", BITSHUFFLE, (block, 2)) for block in [0, 64, 2048])
    yield from ((f"bitshuffle-zstd-{level}", BITSHUFFLE, (0, 3, level)) for level in [1, 3, 9, 22])
    yield from ((f"lz4-{block}", LZ4, (block,)) for block in [0, 100, 4096])
    yield from ((f"zstd-{level}", ZSTD, (level,)) for level in [1, 3, 9, 19, 22])
    for compressor, name in enumerate(COMPRESSORS):
        for shuffle, shuffle_name in enumerate(SHUFFLES):
            # All levels; of Zstd's, which take their time, some.
            for level in [0, 1, 5, 9] if name == "zstd" else range(10):
                yield f"blosc-{name}-{shuffle_name}-{level}", BLOSC, (0, 0, 0, 0, level, shuffle, compressor)


CASES = {label: (number, values) for label, number, values in cases()}
DIRECTIONS = ["theirs-ours", "ours-theirs", "ours-ours"]
# Each case with one size at least.
N_SIZES = len(SIZES)
FIRST = [(label, list(SIZES)[index % N_SIZES]) for index, label in enumerate(CASES)]
PAIRS = [*FIRST, *sample([pair for pair in itertools.product(CASES, SIZES) if pair not in set(FIRST)], 120)]


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """{"direction case size length": "ok" or what went wrong}."""
    found = {}
    for writer in ["ours", "theirs"]:
        path = tmp_path_factory.mktemp("exchange") / f"{writer}.h5"
        work = dict(path=path, cases=CASES, sizes=SIZES, pairs=PAIRS, lengths=LENGTHS)
        written = child("exchange_write", plugin_path=FOLDER[writer], who=writer, **work)
        for reader in ["ours", "theirs"]:
            read = child("exchange_read", plugin_path=FOLDER[reader], who=reader, path=path)
            found |= {f"{writer}-{reader} {what}": outcome for what, outcome in (read | written).items()}
    return found


@pytest.mark.parametrize(("label", "size"), PAIRS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_every_length_is_read_as_it_was_written(results, direction, label, size):
    outcomes = {length: results[f"{direction} {label} {size} {length}"] for length in LENGTHS}
    assert set(outcomes.values()) == {"ok"}, outcomes
