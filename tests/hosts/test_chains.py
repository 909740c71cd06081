"""A seeded sample of the filter chains that `cargo xtask prove chains` tries: each is read by us and by hdf5plugin."""

import random

import pytest

import chains

N_SAMPLES = 240
# Every filter of ours with every one in front of it, then some of all.
FIRST = {(case[0], case[1]): name for name, case in chains.cases().items()}
REST = sorted(set(chains.cases()) - set(FIRST.values()))
SAMPLE = [*FIRST.values(), *random.Random(36114).sample(REST, N_SAMPLES - len(FIRST))]

WRITTEN = [(writer, name) for name in SAMPLE for writer in chains.writers(chains.cases()[name][0])]
READ_BY_BOTH = [name for name in SAMPLE if chains.cases()[name][0] in chains.BOTH_HAVE]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return chains.outcomes(SAMPLE, tmp_path_factory.mktemp("chains"))


@pytest.mark.parametrize(("writer", "name"), WRITTEN)
def test_a_chain_is_read_by_both(found, writer, name):
    readers = ["ours", "theirs"] if name in READ_BY_BOTH else ["ours"]
    assert found[0][writer, name] == dict.fromkeys(readers, "ok")


def test_most_chunks_went_through_our_filter(found):
    """A filter that is optional may leave a chunk as it is, for example one that gzip has packed already."""
    n_written = {writer: sum(key[0] == writer for key in found[0]) for writer in chains.FOLDER}
    assert all(n > 0.75 * n_written[writer] for writer, n in found[1].items()), found[1]
