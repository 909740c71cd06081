"""Files whose parameters do not say how large a chunk is, as other writers', or say what is not so: no byte of the process's
memory is ever read as a pixel, a chunk of a wrong size is refused where that is certain, and never one that is right. See
unsized.py.

HDF5 2.2 and later check sizes themselves, so here are those before.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from common import child
from unsized import LARGE, LARGE_BYTES, N_LINKS, SMALL, SMALL_BYTES, STRINGS, TABLE, pixels

HOSTS = ["h5py", "tables", "debian"]
REFUSED = "the chunk decodes to {} bytes, the chunks of the open datasets with these parameters have 800; other chunks are not affected"
CLAIM = "the chunk decodes to {} bytes, the parameters (cd_values) say {}, as an open dataset's chunks have; other chunks"
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


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("writable", [False, True])
def test_sound_chunks_are_read_whatever_their_parameters_claim(host, writable, folder):
    names = ["claimed", "absurd", "checked-before"]
    found = child("read", host=host, folder=folder, names=names + ["rechunked"], writable=writable)
    full = pixels(LARGE).tolist()
    first = np.array(full)
    first[1:] = 0
    right_ones = {"claimed": first.tolist(), "absurd": first.tolist(), "rechunked": first.tolist(), "checked-before": full}
    assert found == right_ones


@pytest.mark.parametrize("host", HOSTS)
def test_a_chunk_that_contradicts_a_true_claim_is_refused_with_writable_files_and_virtual_datasets_too(host, folder):
    for holding, writable in [((), False), ((), True), (("virtual",), False), (("virtual", "claimed"), True)]:
        found = child("read", host=host, folder=folder, names=["claimed-short"], holding=holding, writable=writable)
        assert CLAIM.format(SMALL_BYTES, LARGE_BYTES) in found["claimed-short"]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("pattern", [0x5A, 0x2D])
def test_a_claim_that_the_chunk_agrees_with_is_not_believed_against_the_dataset(host, pattern, folder):
    env, names = dict(MALLOC_PERTURB_=pattern), ["rechunked-short"]
    found = child("read", host=host, folder=folder, names=names, env=env)
    assert REFUSED.format(SMALL_BYTES) in found["rechunked-short"]
    found = child("read", host=host, folder=folder, names=names, writable=True, env=env)
    assert_zeros_behind(found["rechunked-short"])


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("writable", [False, True])
def test_a_short_chunk_behind_a_shuffle_shows_no_memory(host, writable, folder):
    found = child("read", host=host, folder=folder, names=["shuffled-short"], writable=writable)
    assert REFUSED.format(SMALL_BYTES) in found["shuffled-short"]


@pytest.mark.parametrize("host", HOSTS)
def test_the_size_of_a_table_is_known(host, folder):
    n_bytes = 33 * TABLE.itemsize
    expected = f"the chunk decodes to {n_bytes} bytes, the chunks of the open datasets with these parameters have"
    assert f"{expected} {40 * TABLE.itemsize};" in child("read_table", host=host, folder=folder)
    assert not any(child("read_table", host=host, folder=folder, writable=True, env=dict(MALLOC_PERTURB_=0x5A)))


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("n_held, n_churned", [(3, 0), (600, 0), (600, 5), (600, 2000), (3000, 40)])
def test_a_dataset_that_is_opened_beside_very_many_is_not_missed(host, n_held, n_churned, folder):
    arguments = dict(host=host, folder=folder, n_held=n_held, n_churned=n_churned, env=dict(MALLOC_PERTURB_=0x5A))
    for found in child("read_among_many", name="short", **arguments):
        assert_zeros_behind(found)
