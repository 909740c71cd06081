"""The filters as objects: hdf5plugin's arguments, equality, pickling, and what a wrong argument says."""

import math
import pickle
from fractions import Fraction

import h5py
import hdf5plugin
import numpy as np
import pytest
from support import FILTERS, SHAPE, frames, python

import darkchunk

PAIRS = [
    "Bitshuffle()",
    "Bitshuffle(nelems=16, cname='zstd', clevel=7)",
    "Bitshuffle(0, 'none')",
    "Bitshuffle(lz4=False)",
    "Blosc()",
    "Blosc(cname='blosclz', clevel=9, shuffle=Blosc.NOSHUFFLE)",
    "Blosc('zlib', 1, Blosc.BITSHUFFLE)",
    "LZ4()",
    "LZ4(nbytes=2048)",
    "Zstd()",
    "Zstd(clevel=22)",
    "Zstd(-7)",
]


@pytest.mark.parametrize("text", PAIRS)
def test_the_same_call_means_the_same_as_in_hdf5plugin(text):
    ours, theirs = (eval(text, vars(module).copy()) for module in (darkchunk, hdf5plugin))
    assert ours == theirs and theirs == ours and hash(ours) == hash(theirs)
    assert dict(ours) == dict(theirs) and ours.filter_name == theirs.filter_name
    for name in theirs.get_config():
        assert getattr(ours, name) == getattr(theirs, name) and ours.get_config()[name] == theirs.get_config()[name]


@pytest.mark.parametrize("name", ["Bitshuffle", "Blosc", "LZ4", "Zstd"])
def test_a_file_of_either_has_parameters_that_the_other_knows(tmp_path, name):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        for module in (darkchunk, hdf5plugin):
            given = getattr(module, name)()
            dataset = file.create_dataset(module.__name__, data=frames(), chunks=SHAPE, compression=given)
            number, _, values, _ = dataset.id.get_create_plist().get_filter(0)
            for reader in (darkchunk, hdf5plugin):
                assert reader.from_filter_options(number, values) == given


@pytest.mark.parametrize("filter", FILTERS, ids=repr)
def test_a_filter_is_a_mapping_can_be_pickled_and_shows_how_it_is_made(filter):
    again = pickle.loads(pickle.dumps(filter))
    assert again == filter and type(again) is type(filter) and again.get_config() == filter.get_config()
    assert eval(repr(filter), vars(darkchunk).copy()) == filter
    assert {**filter} == {"compression": filter.filter_id, "compression_opts": filter.filter_options}
    assert filter != darkchunk.Zstd(17) and filter != 3 and len({filter, again}) == 1
    assert darkchunk.from_filter_options(filter.filter_name, filter.stored("<i2", SHAPE)) == filter


def test_h5py_takes_an_object_that_was_made_before_h5py_was_imported(tmp_path):
    code = """
import sys, darkchunk
one = darkchunk.DRLE(20)
import h5py
with h5py.File(sys.argv[1], "w") as file:
    dataset = file.create_dataset("a", (4, 5), "<i2", chunks=(4, 5), compression=one)
    assert dataset.id.get_create_plist().get_filter(0)[0] == 36114
"""
    done = python(code, tmp_path / "file.h5")
    assert done.returncode == 0, done.stderr


def test_sentinels_and_a_mandatory_filter_reach_the_file(tmp_path):
    filter = darkchunk.DRLE(50, sentinels=(65534, 65535))
    data = np.full(SHAPE, 7, "<u2")
    data[:, 3] = 65534
    dcpl = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    dcpl.set_chunk(SHAPE)
    filter.apply(dcpl)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        space = h5py.h5s.create_simple(SHAPE)
        dataset = h5py.Dataset(h5py.h5d.create(file.id, b"a", h5py.h5t.STD_U16LE, space, dcpl))
        dataset[...] = data
        number, flags, values, _ = dataset.id.get_create_plist().get_filter(0)
    assert (number, flags) == (36114, 0) and darkchunk.from_filter_options(number, values) == filter
    with h5py.File(tmp_path / "file.h5") as file:
        assert np.array_equal(file["a"][...], np.where(data == 65534, data, 0))


BOUNDED = {
    "Bounded()": (),
    "Bounded(absolute=4)": (1, 4),
    "Bounded(noise=1)": (2, 1, 1),
    "Bounded(noise=0.5)": (2, 1, 2),
    "Bounded(noise=1, gain=2.05, offset=98)": (2, 1, 1, 41, 20, 98),
    "Bounded(noise=1, unbiased=True, exact_negatives=False, verify=True, reference='mean', saturation=60000)": (
        2, 1, 1, 0, 0, 0, 0, 0, 25, 2, 60000),
    "Bounded(absolute=1, sentinels=(65534, 65535))": (
        1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 2, 65534, 65535),
}  # fmt: skip


@pytest.mark.parametrize("text", BOUNDED)
def test_the_bounds_of_an_error_are_kept_and_come_back_from_the_file(tmp_path, text):
    filter = eval(text, vars(darkchunk).copy())
    assert (
        filter.filter_options == BOUNDED[text]
        and eval(repr(filter), vars(darkchunk) | {"Fraction": Fraction}) == filter
    )
    data = np.random.default_rng(5).poisson(200, SHAPE).astype("<u2")
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_dataset("a", data=data, chunks=SHAPE, compression=filter)
    with h5py.File(tmp_path / "file.h5") as file:
        number, _, values, _ = file["a"].id.get_create_plist().get_filter(0)
        error = np.abs(file["a"][...].astype(int) - data)
    known = darkchunk.from_filter_options(number, values)
    assert known.filter_options[:2] == filter.filter_options[:2] and pickle.loads(pickle.dumps(known)) == known
    most = filter.get_config().get("absolute", 0)
    if "noise" in filter.get_config():
        most = float(filter.get_config()["noise"]) / 2 * np.sqrt(data * float(filter.get_config().get("gain", 1)))
    assert (error <= most).all() and (error.max() > 0) == bool(filter.filter_options)


FLOATS = {
    "Bounded()": (),
    "Bounded(absolute=0.375)": (3, 0, 0x3FD80000),
    "Bounded(absolute=0.1, verify=True, reference='previous')": (3, 0x9999999A, 0x3FB99999, 0, 0, 0, 0, 0, 16, 3),
    "Bounded(relative=0.0009765625)": (4, 0, 0x3F500000),
    "Bounded(absolute=2)": (1, 2),
    "Bounded(absolute=4294967296.0)": (3, 0, 0x41F00000),
    "Bounded(absolute=0.5, sentinels=(-1.0,))": (
        3, 0, 0x3FE00000, 0, 0, 0, 0, 0, 0, 0, 0, 1, 11, 0, 0, 0, 0, 1, 0xBF800000),
}  # fmt: skip


@pytest.mark.parametrize("text", FLOATS)
def test_floats_are_kept_within_their_bound_and_it_comes_back_from_the_file(tmp_path, text):
    filter = eval(text, vars(darkchunk).copy())
    assert filter.filter_options == FLOATS[text] and eval(repr(filter), vars(darkchunk).copy()) == filter
    data = np.random.default_rng(5).normal(3, 2, SHAPE).astype("<f4")
    data[0, 0, :3], data[1, 1, :3] = -1, np.nan
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_dataset("a", data=data, chunks=SHAPE, compression=filter)
    with h5py.File(tmp_path / "file.h5") as file:
        number, _, values, _ = file["a"].id.get_create_plist().get_filter(0)
        found = file["a"][...]
    known, given = darkchunk.from_filter_options(number, values), filter.get_config()
    assert pickle.loads(pickle.dumps(known)) == known and known.get_config().get("sentinels") == given.get("sentinels")
    assert known.get_config().get("absolute") == given.get("absolute")
    span = float(np.nanmax(data)) - float(np.nanmin(data))
    most = given.get("absolute", 0) + given.get("relative", 0) * span
    error = np.abs(found.astype(float) - data)
    assert np.array_equal(np.isnan(found), np.isnan(data)) and np.nanmax(error) <= most
    assert (np.nanmax(error) > 0) == bool(most)
    if "sentinels" in given:
        assert np.array_equal(found == -1, data == -1)
    chunk = darkchunk.encode_chunk(data, filter)
    assert darkchunk.decode_chunk(chunk, filter, data.dtype, SHAPE).tobytes() == found.tobytes()


def test_sentinels_of_the_wrong_kind_are_refused_with_a_text(tmp_path):
    of_floats, of_integers = (darkchunk.Bounded(absolute=1, sentinels=(value,)) for value in (1.5, 7))
    with h5py.File(tmp_path / "file.h5", "w") as file:
        for dtype, filter, text in [
            ("u2", of_floats, "sentinels are float32"),
            ("i4", of_floats, "sentinels are float32"),
            ("f4", of_integers, "sentinels are integers"),
            ("u1", darkchunk.Bounded(sentinels=(256,)), "no value of the element type"),
        ]:
            with pytest.raises(darkchunk.ArgumentError, match=text):
                darkchunk.encode_chunk(np.zeros(SHAPE, dtype), filter)
            with pytest.raises(ValueError, match=text):
                file.create_dataset("a", SHAPE, dtype, chunks=SHAPE, compression=filter)
            assert "a" not in file


STORED = {
    (1,): darkchunk.Bounded(absolute=0),
    (1, 100_000): darkchunk.Bounded(absolute=100_000),
    (1, 4_294_967_295): darkchunk.Bounded(absolute=(1 << 32) - 1),
    (2, 1, 1, 0, 2): darkchunk.Bounded(noise=1, gain=0.5),
    (2, 1, 1, 1, 1, 0, 4_294_967_295, 65_535): darkchunk.Bounded(noise=1, variance=Fraction((1 << 32) - 1, 65_535)),
    (2, 1, 1, 1, 1, 0, 100_000, 1): darkchunk.Bounded(noise=1, variance=100_000),
    (1, 2, 0, 0, 0, 0, 0, 0, 12): None,
}


@pytest.mark.parametrize("values", STORED)
def test_each_parameter_that_a_file_can_have_is_told(tmp_path, values):
    dcpl = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    dcpl.set_chunk((4, 5))
    dcpl.set_filter(36115, 0, values)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        space = h5py.h5s.create_simple((4, 5))
        h5py.h5d.create(file.id, b"a", h5py.h5t.STD_U32LE, space, dcpl)
        stored = file["a"].id.get_create_plist().get_filter(0)[2]
    with darkchunk.open(tmp_path / "file.h5", "a") as dataset:
        assert dataset.filters == (STORED[values] or (36115, stored),)
    if STORED[values]:
        assert darkchunk.from_filter_options(36115, values) == STORED[values]


def test_no_sigma_is_larger_than_what_was_asked_for():
    rng = np.random.default_rng(4)
    asked = [0.1, 0.3, math.pi, 1 / 3, 2 / 3, 65534.99, np.float64(0.7), np.float32(0.7), Fraction(10**9, 10**9 + 1)]
    asked += np.exp(rng.uniform(-4, 10, 2000)).tolist()
    for noise in asked:
        _, n, d = darkchunk.Bounded(noise=noise).filter_options
        exact = noise if isinstance(noise, Fraction) else Fraction(str(noise))
        assert 0 < n < 65536 and 0 < d < 65536 and exact * 999 / 1000 <= Fraction(n, d) <= exact, noise
    assert darkchunk.Bounded(noise=0.3).filter_options == (2, 3, 10)
    assert darkchunk.Bounded(noise=Fraction(10**9 - 1, 10**9)).filter_options == (2, 65534, 65535)


BAD = [
    ("Bounded(absolute=1, noise=1)", ValueError, "not both"),
    ("Bounded(absolute='x')", TypeError, "absolute"),
    ("Bounded(absolute=True)", TypeError, "absolute"),
    ("Bounded(noise=1e-9)", ValueError, "noise"),
    ("Bounded(noise=1, variance=1 << 32)", ValueError, "variance"),
    ("Bounded(noise=0)", ValueError, "noise"),
    ("Bounded(noise=1e9)", ValueError, "noise"),
    ("Bounded(noise='x')", (TypeError, ValueError), "noise"),
    ("Bounded(noise=1, gain=-1)", ValueError, "gain"),
    ("Bounded(reference='x')", ValueError, "reference"),
    ("Bounded(relative=1, absolute=1)", ValueError, "not both"),
    ("Bounded(absolute=-1)", ValueError, "absolute"),
    ("Bounded(absolute=float('nan'))", ValueError, "absolute"),
    ("Bounded(relative='x')", TypeError, "relative"),
    ("Bounded(relative='0.5')", TypeError, "relative"),
    ("Bounded(relative=2)", ValueError, "share"),
    ("Bounded(absolute='3')", TypeError, "absolute"),
    ("Bounded(absolute=3, gain=2)", ValueError, "noise=1"),
    ("Bounded(offset=98)", ValueError, "noise=1"),
    ("Bounded(relative=1 << 2000)", TypeError, "relative"),
    ("from_filter_options(36115, (5,))", ValueError, "no parameters"),
    ("DRLE(0)", ValueError, "threshold"),
    ("DRLE(40000)", ValueError, "threshold"),
    ("DRLE(1.5)", TypeError, "threshold"),
    ("DRLE(True)", TypeError, "threshold"),
    ("DRLE(mode='x')", ValueError, "mode"),
    ("DRLE(segment=-1)", ValueError, "segment"),
    ("DRLE(sentinels=(0,))", ValueError, "sentinels"),
    ("DRLE(sentinels=range(1, 10))", ValueError, "sentinels"),
    ("Bitshuffle(3)", ValueError, "multiple of 8"),
    ("Bitshuffle(cname='gzip')", ValueError, "'lz4'"),
    ("Bitshuffle(cname='zstd', clevel=40)", ValueError, "clevel"),
    ("Bitshuffle(cname='lz4', lz4=True)", ValueError, "not both"),
    ("Blosc(clevel=11)", ValueError, "clevel"),
    ("Blosc('brotli')", ValueError, "cname"),
    ("Blosc(shuffle=3)", ValueError, "shuffle"),
    ("LZ4(-1)", ValueError, "nbytes"),
    ("Zstd(30)", ValueError, "clevel"),
    ("Zstd(None)", TypeError, "clevel"),
    ("from_filter_options(307, ())", ValueError, "no filter of darkchunk"),
    ("get_filters('x')", ValueError, "no filter"),
    ("from_filter_options(32008, (0, 4, 2, 0, 9))", ValueError, "compression 9"),
    ("from_filter_options(32001, (2, 2, 2, 8, 5, 1, 77))", ValueError, "compressor 77"),
    ("from_filter_options(32015, (-1,))", ValueError, "a parameter"),
]


@pytest.mark.parametrize(("text", "kind", "says"), BAD)
def test_a_wrong_argument_is_refused_with_what_is_right(text, kind, says):
    with pytest.raises(kind, match=says):
        eval(text, vars(darkchunk).copy())


def test_names_numbers_and_classes_choose_filters():
    assert darkchunk.get_filters(("bshuf", 32015, darkchunk.DRLE)) == (
        darkchunk.Bitshuffle,
        darkchunk.Zstd,
        darkchunk.DRLE,
    )
    assert darkchunk.get_filters("lz4") == (darkchunk.LZ4,) and len(darkchunk.get_filters()) == 6
    assert darkchunk.FILTERS == {
        "drle": 36114,
        "bshuf": 32008,
        "blosc": 32001,
        "lz4": 32004,
        "zstd": 32015,
        "bounded": 36115,
    }
