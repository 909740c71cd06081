"""Files of other writers, whose parameters do not say how large a chunk is: no byte of the process's memory is ever read as
a pixel, a chunk of a wrong size is refused where that is certain, and never one that is right. See unsized.py.

HDF5 2.2 and later check sizes themselves, so here are those before.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from common import child
from unsized import LARGE, N_LINKS, SMALL, STRINGS, pixels

HOSTS = ["h5py", "tables", "debian"]
REFUSED = "the chunk decodes to {} bytes, the dataset's chunks have 800; other chunks are not affected"
SMALL_BYTES, LARGE_BYTES = 128, 800
REFERENCE = Path(importlib.util.find_spec("hdf5plugin").submodule_search_locations[0]) / "plugins"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unsized")
    stored = child("create", folder=folder, plugin_path=REFERENCE)
    assert len(stored) == 7 and all(row == [[0], True] for row in stored.values()), "the parameters do not say the size"
    return folder


def right(name):
    return pixels(SMALL if name in ("small", "checked", "virtual") else LARGE).tolist()


@pytest.mark.parametrize("host", HOSTS)
def test_a_chunk_of_another_size_is_refused(host, folder):
    found = child("read", host=host, folder=folder, names=["short", "long", "large", "short"])
    assert REFUSED.format(SMALL_BYTES) in found["short"] and REFUSED.format(2 * LARGE_BYTES) in found["long"]
    assert found["large"] == right("large")


@pytest.mark.parametrize("host", HOSTS)
def test_sound_datasets_with_equal_parameters_and_other_chunks_are_read(host, folder):
    names = ["small", "large", "checked", "packed-before", "linked", "small"]
    for holding in ([], ["large"], ["small"], ["large", "small", "checked", "packed-before"]):
        found = child("read", host=host, folder=folder, names=names, holding=holding)
        assert found == {name: right(name) for name in names}
    assert child("read_held", host=host, folder=folder, holding=["large", "small", "checked"], rounds=3) == []


@pytest.mark.parametrize("host", HOSTS)
def test_a_virtual_datasets_source_that_nobody_opened_is_read(host, folder):
    found = child("read", host=host, folder=folder, names=["virtual"], holding=["large"])
    assert found["virtual"] == right("virtual")


@pytest.mark.parametrize("host", HOSTS)
def test_what_is_copied_without_being_opened_is_copied(host, folder):
    child("copy_strings", host=host, folder=folder)
    assert child("strings", path=folder / "other.h5") == STRINGS


@pytest.mark.parametrize("host", HOSTS)
def test_links_of_a_group_with_the_same_filter_are_found(host, folder):
    child("write_links", folder=folder, plugin_path=REFERENCE)
    assert child("find_links", host=host, folder=folder) == N_LINKS


def assert_zeros_behind(found):
    """What was decoded, then zeros to the end of the chunk; the other chunks were never written, and are zero."""
    flat = np.array(found).reshape(-1)
    n_decoded = SMALL_BYTES // 2
    assert flat[:n_decoded].tolist() == pixels(SMALL, 1).reshape(-1).tolist()
    assert not flat[n_decoded:].any(), "memory of the process"


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("pattern", [0x5A, 0x2D])
def test_where_a_short_chunk_is_not_refused_zeros_are_behind_it(host, folder, pattern):
    env = dict(MALLOC_PERTURB_=pattern)
    reading = [
        child("read", host=host, folder=folder, names=["short"], holding=["small"], env=env)["short"],
        child("read", host=host, folder=folder, names=["small", "short"], holding=["small"], env=env)["short"],
        child("read", host=host, folder=folder, names=["short"], holding=["virtual"], env=env)["short"],
        child("read", host=host, folder=folder, names=["short"], writable=True, env=env)["short"],
        child("read_when_the_file_is_closed", host=host, folder=folder, env=env),
    ]
    for found in reading:
        assert_zeros_behind(found)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("version", [1, 2])
def test_errors_are_handled_as_the_program_has_set(host, version, folder):
    short, *handling = child("error_handling", host=host, folder=folder, version=version)
    assert REFUSED.format(SMALL_BYTES) in short
    assert handling == [True, 0, 0]
