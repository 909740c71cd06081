"""`examples/slices/tomo`: slices of a tomographic scan, beside filtered back projection in numpy."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from common import BITSHUFFLE, BLOSC, DRLE, ROOT
from test_command import run

LIBRARY = Path(os.environ.get("DARKCHUNK_TOMO", ROOT / "target" / "release" / "libh5io_tomo.so"))
pytestmark = pytest.mark.skipif(not LIBRARY.exists(), reason="cargo build --release --package h5io-tomo")

N_ANGLES, N_ROWS, WIDTH, CENTRE = 60, 6, 64, 33.5
DEGREES = np.arange(N_ANGLES) * 180.0 / N_ANGLES
# Of each row a disc: its place from the axis, its radius; attenuation 0.02 a pixel.
DISCS = [(4.0 * row - 10, 3.0 - 2 * row, 8.0 + row) for row in range(N_ROWS)]


def sinograms():
    """Attenuation (angle, row, column) of the discs, by their chords."""
    column, angle = np.arange(WIDTH), np.deg2rad(DEGREES)[:, None]
    rows = []
    for x, y, radius in DISCS:
        middle = CENTRE + x * np.cos(angle) - y * np.sin(angle)
        rows.append(0.04 * np.sqrt(np.maximum(radius**2 - (column - middle) ** 2, 0)))
    return np.stack(rows, axis=1)


def reconstructed(sinogram):
    """By the convolution and the sums of the textbook, pixel by pixel."""
    distance = np.abs(np.subtract.outer(np.arange(WIDTH), np.arange(WIDTH)))
    kernel = np.where(distance % 2, -1 / (np.pi * np.maximum(distance, 1)) ** 2, 0) + 0.25 * np.eye(WIDTH)
    down, across = np.mgrid[:WIDTH, :WIDTH] - WIDTH // 2
    image = np.zeros((WIDTH, WIDTH))
    for row, angle in zip(sinogram @ kernel, np.deg2rad(DEGREES)):
        place = CENTRE + across * np.cos(angle) - down * np.sin(angle)
        image += np.interp(place, np.arange(WIDTH), row, left=0, right=0)
    return image * np.pi / N_ANGLES


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """An NXtomo file, with dark and flat fields between the projections, and one image that is none."""
    rng = np.random.default_rng(9)
    dark, gain = rng.integers(90, 110, (N_ROWS, WIDTH)), rng.integers(9000, 11000, (N_ROWS, WIDTH))
    counts = np.rint(dark + gain * np.exp(-sinograms())).astype("u2")
    images = [dark, dark, gain + dark, *counts[:30], np.zeros_like(dark), *counts[30:], gain + dark]
    keys = [2, 2, 1, *[0] * 30, 3, *[0] * 30, 1]
    angles = [0, 0, 0, *DEGREES[:30], 90, *DEGREES[30:], 180]
    path = tmp_path_factory.mktemp("tomo") / "scan.nxs"
    stored = {
        "plain": {},
        "bitshuffle": {"compression": BITSHUFFLE, "compression_opts": (0, 2)},
        "blosc": {"compression": BLOSC, "compression_opts": (0, 0, 0, 0, 5, 2, 5)},
        "drle": {"compression": DRLE, "compression_opts": (1,)},
    }
    with h5py.File(path, "w") as file:
        for name, how in stored.items():
            chunks = {"chunks": (1, N_ROWS, WIDTH)} if how else {}
            file.create_dataset(f"entry1/tomo_entry/data/{name}", data=np.array(images, "u2"), **chunks, **how)
        file["entry1/tomo_entry/key"] = np.array(keys, "i4")
        file["entry1/tomo_entry/angles"] = np.array(angles)
        file["dark"], file["flats"] = dark.astype("f4"), np.array([gain + dark] * 2, "u2")
        file["counts"], file["attenuation"] = counts, sinograms()
        file["degrees"] = DEGREES
    return path


NXTOMO = ["image_key=/entry1/tomo_entry/key", "angles=/entry1/tomo_entry/angles", f"centre={CENTRE}"]


def slices(scan, *arguments, code=0, more=()):
    to = scan.with_name("slices.h5")
    to.unlink(missing_ok=True)
    text = run("slices", "run", scan, "-l", LIBRARY, "-o", to, *more, "--", *arguments, code=code)
    if code:
        return " ".join(text.split())
    with h5py.File(to) as file:
        return file["entry/data/data"][:]


def test_slices_are_those_of_the_textbook_and_discs_have_their_attenuation(scan):
    expected = np.stack([reconstructed(sinogram) for sinogram in sinograms().transpose(1, 0, 2)])
    given = ["dark=/dark", "flat=/flats", "angles=/degrees", f"centre={CENTRE}"]
    exact = slices(scan, "data=/attenuation", "log=0", f"centre={CENTRE}")
    assert np.abs(exact - expected).max() < 1e-6
    by_key = slices(scan, "data=/entry1/tomo_entry/data/plain", *NXTOMO)
    by_field = slices(scan, "data=/counts", *given)
    # Counts are whole, and the least is some thousands.
    for found in (by_key, by_field):
        assert np.abs(found - expected).max() < 2e-4
    down, across = np.mgrid[:WIDTH, :WIDTH] - WIDTH // 2
    for found, (x, y, radius) in zip(exact, DISCS):
        inside = np.hypot(across - x, down - y) < radius - 2
        assert abs(found[inside].mean() - 0.02) < 3e-4


def test_the_bytes_are_the_same_whatever_the_scan_is_stored_with_and_whoever_reads_it(scan):
    found = {
        slices(scan, f"data=/entry1/tomo_entry/data/{name}", *NXTOMO, more=["-j", jobs]).tobytes()
        for name, jobs in [("plain", 1), ("bitshuffle", 2), ("blosc", 3), ("drle", 1), ("drle", 4)]
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    "arguments,words",
    [
        (["data=/counts", "colour=red"], '"colour=red" means nothing'),
        (["data=/counts", "centre=x"], '"centre=x" means nothing'),
        (["data=/degrees"], "/degrees has 1 axes, which is not what it is for"),
        (["data=/counts", "angles=/entry1/tomo_entry/angles"], "60 images, 60 keys, 65 angles"),
        (["data=/counts", "image_key=/entry1/tomo_entry/key"], "60 images, 65 keys"),
        (["data=/nowhere"], "/nowhere"),
        ([], "/entry1/tomo_entry/data/data"),
    ],
)
def test_what_does_not_fit_says_so(scan, arguments, words):
    assert words in slices(scan, *arguments, code=2)


def test_without_a_file_for_slices_it_says_so(scan):
    text = run("slices", "run", scan, "-l", LIBRARY, "--", "data=/counts", code=2)
    assert "say with -o" in " ".join(text.split())
