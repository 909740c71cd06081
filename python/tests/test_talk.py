"""The talk's own files: variable-length entries of N images, and one line with an index."""

import h5py
import numpy as np
import pytest
import tables
from support import frames

import darkchunk
from darkchunk import talk

SHAPE = (33, 47)
IMAGES = frames(shape=(23, *SHAPE))
KEYS = [
    3,
    -1,
    slice(2, 9),
    slice(20, None, -3),
    [5, 1, 1],
    (4, 7, 9),
    (slice(1, 3), 5),
    (2, slice(3, 9), slice(None, None, 2)),
]
KEYS += [(..., 4), (slice(None), [3, 1]), slice(3, 3), (7, -1, -1), ...]


def stream(pixels, threshold=1):
    """The talk's encoder, a pixel after another."""
    out, run = [], 0
    for pixel in [*pixels.reshape(-1).tolist(), None]:
        if pixel is not None and pixel < threshold and run < 32768:
            run += 1
            continue
        if run:
            out.append(-run if run > 1 else 0)
        run = 0
        if pixel is not None and pixel < threshold:
            run = 1
        elif pixel is not None:
            out.append(pixel)
    return np.array(out, "<i2")


STREAMS = [stream(image) for image in IMAGES]


def entries(path, n=5, **attributes):
    """By PyTables, as the talk did."""
    with tables.open_file(path, "w") as file:
        array = file.create_vlarray("/run/detector", "images", tables.Int16Atom(), createparents=True, title="Images")
        for first in range(0, len(STREAMS), n):
            array.append(np.concatenate(STREAMS[first : first + n]))
        file.create_array("/run", "mass_spectra", np.arange(6.0))
        for name, value in {"image_shape": np.array(SHAPE), "N": n, **attributes}.items():
            array.attrs[name] = value


def line(path, dtype="<i2", with_end=False):
    lengths = np.array([len(part) for part in STREAMS])
    starts = np.concatenate([[0], np.cumsum(lengths)])
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=np.concatenate(STREAMS).astype(dtype), maxshape=(None,), chunks=(1000,))
        file["starts"] = starts if with_end else starts[:-1]
        file["spectra"], file["link"] = np.arange(5), h5py.SoftLink("/spectra")
        file.attrs["sample"] = "N2"


def same(images):
    assert images.shape == IMAGES.shape
    assert len(images) == len(IMAGES)
    assert (np.asarray(images) == IMAGES).all()
    assert all((one == image).all() for one, image in zip(images, IMAGES, strict=True))
    for key in KEYS:
        expected = IMAGES[key]
        assert np.shape(images[key]) == expected.shape and (images[key] == expected).all(), key
    for key in (23, -24, (0, 33), (0, 0, 0, 0)):
        with pytest.raises(IndexError):
            images[key]


@pytest.mark.parametrize("n", [1, 5, 23, 50])
def test_entries_are_read_as_images(tmp_path, n):
    entries(tmp_path / "a.h5", n)
    path = "/run/detector/images"
    for arguments in [{"shape": SHAPE}, {"shape": "image_shape", "images_per_entry": "N" if n <= 23 else None}]:
        with talk.open(tmp_path / "a.h5", path, **arguments) as images:
            same(images)
    with h5py.File(tmp_path / "a.h5") as file:
        same(talk.open(file, path, SHAPE))
        assert file


@pytest.mark.parametrize("dtype", ["<i2", ">i2"])
@pytest.mark.parametrize("with_end", [False, True])
def test_one_line_is_read_as_images(tmp_path, dtype, with_end):
    line(tmp_path / "a.h5", dtype, with_end)
    with talk.open(tmp_path / "a.h5", "data", SHAPE, index="starts") as images:
        same(images)


def test_runs_go_on_from_one_image_into_the_next(tmp_path):
    """An encoder that takes an entry for one image."""
    images = np.zeros((5, 200, 300), "i2")
    images[0, 0, 0] = images[1, 0, 1] = images[3, 199, 299] = 7
    images[4, 199, 298] = 9
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("images", (2,), h5py.vlen_dtype("<i2"))
        dataset[0], dataset[1] = stream(images[:3]), stream(images[3:])
    with talk.open(tmp_path / "a.h5", "images", (200, 300)) as found:
        assert found.shape == images.shape and (found[:] == images).all()


def test_files_that_are_no_such_recordings_are_refused(tmp_path):
    entries(tmp_path / "entries.h5")
    line(tmp_path / "line.h5")
    path = "/run/detector/images"
    for file, arguments, error, text in [
        ("entries", (path, (33, 48)), darkchunk.DamagedError, "no images of 1584"),
        ("entries", (path, SHAPE, None, 4), darkchunk.DamagedError, "entry 0 has 5 images, not 4"),
        ("entries", (path, SHAPE, None, "M"), darkchunk.UnsupportedError, "no attribute 'M'"),
        ("entries", (path, SHAPE, "/run/mass_spectra"), darkchunk.UnsupportedError, "need no index"),
        ("entries", ("/run/mass_spectra", SHAPE), darkchunk.UnsupportedError, "float64"),
        ("entries", ("/run", SHAPE), darkchunk.UnsupportedError, "no dataset"),
        ("entries", (path, (0, 47)), ValueError, "0 x 47"),
        ("line", ("data", SHAPE), darkchunk.UnsupportedError, "as `index`"),
        ("line", ("data", SHAPE, "data"), darkchunk.DamagedError, "do not grow"),
        ("line", ("data", (33, 48), "starts"), darkchunk.DamagedError, "image 0"),
    ]:
        with pytest.raises(error, match=text), talk.open(tmp_path / f"{file}.h5", *arguments) as images:
            images[0]


def test_hostile_starts_and_streams_are_errors(tmp_path):
    line(tmp_path / "a.h5")
    rng = np.random.default_rng(3)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        good = file["starts"][()]
        for bad in [-1, 1 << 62, -(1 << 63), good[4] + 1]:
            file["starts"][5] = bad
            with pytest.raises(darkchunk.DamagedError):
                talk.open(file, "data", SHAPE, "starts")[4]
        file["starts"][...] = good
        for _ in range(50):
            file["data"][...] = rng.integers(-32768, 32768, file["data"].shape)
            with pytest.raises(darkchunk.DamagedError, match="image"):
                talk.open(file, "data", SHAPE, "starts")[int(rng.integers(0, 23))]


def test_a_damaged_entry_is_an_error_and_the_others_are_read(tmp_path):
    entries(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        bad = file["/run/detector/images"][1].copy()
        bad[0] = -32768
        file["/run/detector/images"][1] = bad
        images = talk.open(file, "/run/detector/images", SHAPE)
        assert (images[12] == IMAGES[12]).all()
        with pytest.raises(darkchunk.DamagedError, match=r"image 7 .*entry 1"):
            images[7]


@pytest.mark.parametrize(("filter", "per_chunk"), [(None, 1), (darkchunk.Bitshuffle(), 4)])
def test_convert_makes_an_ordinary_file(tmp_path, filter, per_chunk):
    entries(tmp_path / "entries.h5")
    line(tmp_path / "line.h5")
    path, out = "/run/detector/images", tmp_path / "out.h5"
    talk.convert(tmp_path / "entries.h5", out, path, SHAPE, filter=filter, frames_per_chunk=per_chunk)
    with h5py.File(out) as file:
        assert file[path].shape == IMAGES.shape and (file[path][()] == IMAGES).all()
        assert file[path].chunks == (per_chunk, *SHAPE)
        assert file[path].attrs["N"] == 5 and "FLAVOR" not in file[path].attrs
        assert (file["/run/mass_spectra"][()] == np.arange(6)).all()
    with tables.open_file(out) as file:
        assert (file.get_node(path)[3] == IMAGES[3]).all()
    with pytest.raises(FileExistsError):
        talk.convert(tmp_path / "line.h5", out, "data", SHAPE, "starts")
    talk.convert(tmp_path / "line.h5", tmp_path / "b.h5", "data", SHAPE, "starts", filter=filter)
    with h5py.File(tmp_path / "b.h5") as file:
        assert (file["data"][()] == IMAGES).all() and "starts" not in file
        assert file.get("link", getlink=True).path == "/spectra" and file.attrs["sample"] == "N2"


def test_convert_leaves_nothing_where_it_fails(tmp_path):
    entries(tmp_path / "a.h5")
    path = "/run/detector/images"
    for error, arguments in [
        (darkchunk.Error, {"filter": darkchunk.DRLE(50)}),
        (darkchunk.DamagedError, {"images_per_entry": 4}),
    ]:
        with pytest.raises(error):
            talk.convert(tmp_path / "a.h5", tmp_path / "out.h5", path, SHAPE, **arguments)
        assert [file.name for file in tmp_path.iterdir()] == ["a.h5"]
