"""The libraries `tomo` and `tiff` of `darkchunk slices` beside scikit-image, astra, algotom and tifffile.

DARKCHUNK_COMMAND, DARKCHUNK_TOMO: the command and the library; DARKCHUNK_DATA: the folder of real data.
"""

import os

# With more threads algotom 1.7.0 adds up projections in a race.
os.environ["NUMBA_NUM_THREADS"] = "1"

import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

ROOT = Path(__file__).resolve().parents[2]
SCAN = Path(os.environ.get("DARKCHUNK_DATA", "none")) / "tomography" / "dls_24737_projections_uint16.h5"
WIDTH, MIDDLE = 160, 80


def run(*arguments):
    command = [os.environ["DARKCHUNK_COMMAND"], "slices", "run", *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | {"DARKCHUNK_PYTHON": sys.executable}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def by_skimage(sinogram, degrees):
    from skimage.transform import iradon

    return iradon(sinogram.T, theta=degrees, filter_name="ramp", circle=True)


def by_astra(sinogram, degrees):
    import astra

    n = sinogram.shape[1]
    volume = astra.create_vol_geom(n, n)
    projections = astra.create_proj_geom("parallel", 1.0, n, np.deg2rad(degrees))
    recipe = astra.astra_dict("FBP")
    recipe["ProjectorId"] = astra.create_projector("linear", projections, volume)
    recipe["ProjectionDataId"] = astra.data2d.create("-sino", projections, sinogram.astype("f4"))
    recipe["ReconstructionDataId"] = astra.data2d.create("-vol", volume)
    recipe["option"] = {"FilterType": "ram-lak"}
    astra.algorithm.run(astra.algorithm.create(recipe))
    return astra.data2d.get(recipe["ReconstructionDataId"])


def by_algotom(sinogram, degrees):
    from algotom.rec.reconstruction import fbp_reconstruction

    how = {"angles": np.deg2rad(degrees), "ratio": None, "filter_name": None, "apply_log": False, "gpu": False, "ncore": 1}
    return fbp_reconstruction(sinogram.astype("f4"), float(MIDDLE), block=(1, 1), **how)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """Sinograms of some rows as attenuation, their angles, and our slices, for two places of the axis."""
    if not SCAN.exists():
        pytest.skip(f"no {SCAN}")
    folder, slices = tmp_path_factory.mktemp("tomo"), {}
    for centre in (85, 85.5):
        to = folder / f"{centre}.h5"
        told = ["data=/projections", "angles=/angles_deg", "dark=/dark", "flat=/flat", f"centre={centre}"]
        run(SCAN, "-l", os.environ["DARKCHUNK_TOMO"], "-o", to, "--", *told)
        with h5py.File(to) as file:
            slices[centre] = file["entry/data/data"][:]
    with h5py.File(SCAN) as file:
        counts, dark, flat = (file[name][:].astype("f8") for name in ("projections", "dark", "flat"))
        return -np.log(np.clip((counts - dark) / (flat - dark), 1e-6, None)), file["angles_deg"][:], slices


@pytest.mark.parametrize("peer", [by_skimage, by_astra, by_algotom])
# The middle of the object; half a pixel more, for which the peers' rows are moved by a line between pixels.
@pytest.mark.parametrize(("centre", "rows"), [(85, (67, 80, 110)), (85.5, (67,))])
def test_slices_of_a_real_scan_are_those_of_others(scan, peer, centre, rows):
    attenuation, degrees, slices = scan
    x = np.arange(WIDTH + 1)
    down, across = np.mgrid[:WIDTH, :WIDTH] - MIDDLE
    circle = np.hypot(down, across) < min(centre, WIDTH - 1 - centre) - 1
    for row in rows:
        # An odd width, so that the middle is the same pixel for all.
        moved = [np.interp(x - MIDDLE + centre, np.arange(WIDTH), line, left=0, right=0) for line in attenuation[:, row]]
        theirs = peer(np.array(moved), degrees)[:WIDTH, :WIDTH]
        correlation = np.corrcoef(slices[centre][row][circle], theirs[circle])[0, 1]
        print(f"{peer.__name__}, axis {centre}, row {row}: {correlation:.4f}")
        assert correlation > 0.99


@pytest.mark.parametrize("dtype", ["u1", "i1", ">u2", "i2", "u4", "i4", "f4", "<f8"])
@pytest.mark.parametrize("big", [0, 1])
def test_tiffs_are_read_by_tifffile_and_tiffinfo(tmp_path, dtype, big):
    images = (np.arange(3 * 50 * 12).reshape(3, 50, 12) * 37 % 251 - (0 if "u" in dtype else 100)).astype(dtype)
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["data"] = images
    library = tmp_path / "tiff.so"
    flags = ["-std=c11", "-O2", "-shared", "-fPIC", f"-I{ROOT / 'ffi' / 'include'}"]
    subprocess.run(["gcc", *flags, str(ROOT / "examples" / "slices" / "tiff.c"), "-o", str(library)], check=True)
    run(tmp_path / "images.h5", "-l", library, "--", "input=data", f"folder={tmp_path}", f"big={big}")
    for number, image in enumerate(images):
        path = tmp_path / f"slice_{number}.tif"
        with tifffile.TiffFile(path) as found:
            assert found.is_bigtiff == bool(big) and len(found.pages) == 1
            assert (found.asarray() == image).all() and found.asarray().dtype == image.dtype.newbyteorder("=")
        tiffinfo = shutil.which("tiffinfo")
        assert tiffinfo, "install libtiff-tools"
        said = subprocess.run([tiffinfo, str(path)], capture_output=True, text=True)
        assert said.returncode == 0 and not said.stderr and "Image Width: 12 Image Length: 50" in said.stdout, said
