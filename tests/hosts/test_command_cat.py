"""`darkchunk cat` writes what h5py reads."""

import io
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from test_command import COMMAND, PIXELS, everything, run


def cat(*arguments):
    environment = dict(os.environ, DARKCHUNK_PYTHON=sys.executable)
    environment.pop("HDF5_PLUGIN_PATH")
    done = subprocess.run([str(part) for part in (COMMAND, "cat", *arguments)], env=environment, capture_output=True, timeout=300)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize("selection", ["", "[3]", "[2:17:4]", "[-3:,::2,5:11]", "[...,7]", "[5:5]"])
def test_selections_are_those_of_numpy(tmp_path, selection):
    everything(tmp_path / "a.h5")
    expected = eval(f"PIXELS{selection}")
    for path in ("/entry/data/data", "/drle", "/virtual"):
        array = np.load(io.BytesIO(cat(f"{tmp_path}/a.h5:{path}{selection}", "--as", "npy")))
        assert array.dtype == expected.dtype and array.shape == expected.shape and (array == expected).all(), path
    assert cat(f"{tmp_path}/a.h5:/bitshuffle{selection}") == expected.tobytes()


def pages(path):
    from PIL import Image, ImageSequence

    with Image.open(path) as image:
        return np.array([np.array(page) for page in ImageSequence.Iterator(image)])


def test_a_tiff_has_a_page_for_each_frame(tmp_path):
    pytest.importorskip("PIL")
    kinds = ["u1", "<u2", ">u2", "<i4", "<f4"]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for kind in kinds:
            file.create_dataset(kind, data=(PIXELS % 200).astype(kind), chunks=(3, 33, 47), compression="gzip")
    for number, kind in enumerate(kinds):
        run("cat", f"{tmp_path}/a.h5:/{kind}[4:9]", "-o", tmp_path / f"{number}.tif")
        assert (pages(tmp_path / f"{number}.tif") == PIXELS[4:9] % 200).all(), kind
    (tmp_path / "one.tif").write_bytes(cat(f"{tmp_path}/a.h5:/<u2[7]", "--as", "tiff"))
    assert (pages(tmp_path / "one.tif") == PIXELS[7] % 200).all()


def test_what_cannot_be_written_is_said(tmp_path):
    everything(tmp_path / "a.h5")
    (tmp_path / "taken.npy").touch()
    for dataset, more, text in [
        ("/entry/data/data[30]", ("-o", tmp_path / "x.npy"), "no place 30"),
        ("/entry/data/data[1,2,3,4]", ("-o", tmp_path / "x.npy"), "4 selections for the shape"),
        ("/compound", ("-o", tmp_path / "x.npy"), "no numbers"),
        ("/strings", ("-o", tmp_path / "x.raw"), "variable length"),
        ("/nothing", ("-o", tmp_path / "x.raw"), "nothing"),
        ("/empty", (), "no elements"),
        ("/drle", ("-o", tmp_path / "taken.npy"), "is there already"),
        ("/drle", ("-o", tmp_path / "no" / "folder.npy"), "No such file"),
    ]:
        assert text in run("cat", f"{tmp_path}/a.h5:{dataset}", *more, code=2), dataset
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "a.h5.raw", "taken.npy"]
