"""Files that other programs wrote are read with the values they state; frames of real detectors round-trip."""

import hashlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from common import BITSHUFFLE, BLOSC, CONFIGS, DATA, DRLE, HOSTS, LZ4, ZSTD, child

OURS = {BITSHUFFLE, BLOSC, LZ4, ZSTD}
INTEROP = [
    "hdfgroup_h5ex_d_blosc.h5",
    "hdfgroup_h5ex_d_bshuf.h5",
    "hdfgroup_h5ex_d_lz4.h5",
    "hdfgroup_h5ex_d_zstd.h5",
    "hdf5plugin_blosc.h5",
    "bitshuffle_regression_0.4.0.h5",
    "jhdf_lz4_datasets.hdf5",
    "pytables_blosc_bigendian.h5",
]
EIGER = "mx/eiger4m_1frame_bslz4_uint32.h5"
IMAGES = [
    ("vmi/minipix_tracks_int16.h5", "exposure_0p5s", 1),
    ("vmi/minipix_tracks_int16.h5", "exposure_3s", 1),
    ("vmi/minipix_tracks_int16.h5", "exposure_29s", 1),
    ("vmi/timepix3_camera_hits_tot_int16.h5", "frames_100ms", 1),
    ("vmi/timepix3_camera_hits_tot_int16.h5", "frame_all", 20),
    ("vmi/o2_anu1024_accumulated_int16.h5", "image", 1),
    ("lowlight_camera/stuck_beads_camera_uint16.h5", "frames", 514),
    (EIGER, "entry/data/data", None),
    ("mx/pilatus6m_thaumatin_3frames_int32.h5", "frames", None),
    ("mx/jungfrau_module_raw_and_photons.h5", "raw", 1),
    ("mx/jungfrau_module_raw_and_photons.h5", "photons_int16", 1),
    ("mx/jungfrau_module_raw_and_photons.h5", "calibration/pedeG0", None),
    ("saxs_xpcs/eiger9m_quadrants_5frames_uint32.h5", "port_50020", None),
    ("saxs_xpcs/eiger9m_quadrants_5frames_uint32.h5", "port_50070", None),
    ("saxs_xpcs/coherent_diffraction_siemens_star_uint16.h5", "frames", 1),
    ("tomography/dls_24737_projections_uint16.h5", "projections", 100),
    ("timeseries/confocal_particles_uint8.h5", "frames", None),
]


def compressed(file):
    """The datasets of a file that have one of our filters, by name."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            plist = item.id.get_create_plist()
            if {plist.get_filter(index)[0] for index in range(plist.get_nfilters())} & OURS:
                found[name] = item

    file.visititems(visit)
    return found


@pytest.mark.parametrize("name", INTEROP)
def test_files_of_other_programs_have_the_values_they_state(data_folder, name):
    with h5py.File(data_folder / "interop" / name, "r") as file:
        for path, dataset in compressed(file).items():
            expected, data = stated(file, name, path), dataset[:]
            assert expected is None or np.array_equal(data, expected), path
        assert compressed(file)


def stated(file, name, path):
    if name.startswith("bitshuffle_regression"):
        return file["original"][path.split("/", 1)[1]][:]
    if name.startswith("jhdf"):
        return np.arange(20)
    if name.startswith("pytables"):
        return np.arange(10)
    if name == "hdf5plugin_blosc.h5":
        return np.arange(1_000_000, dtype=np.float32).reshape(100, 100, 100)
    if "zstd" not in name:
        i, j = np.mgrid[:32, :64]
        return i * j - j
    return None


@pytest.mark.parametrize("name", [*(f"interop/{name}" for name in INTEROP), EIGER])
def test_other_plugins_read_the_same_from_these_files(data_folder, name):
    theirs = child("digests", plugin_path="/nonexistent", path=data_folder / name)
    with h5py.File(data_folder / name, "r") as file:
        ours = {path: hashlib.sha256(dataset[:].tobytes()).hexdigest() for path, dataset in compressed(file).items()}
    assert ours and ours.items() <= theirs.items()


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", ["hdfgroup_h5ex_d_bshuf.h5", "hdfgroup_h5ex_d_blosc.h5", "hdfgroup_h5ex_d_lz4.h5"])
def test_every_host_reads_them(data_folder, host, name):
    expected = stated(None, name, "DS1").astype(np.int32)
    shown = child("digest_of_host", host=host, path=data_folder / "interop" / name, dataset="DS1", dtype="<i4")
    assert shown == hashlib.sha256(expected.tobytes()).hexdigest()


@pytest.mark.parametrize("label", CONFIGS)
@pytest.mark.parametrize("image", IMAGES, ids=lambda image: f"{Path(image[0]).stem}-{image[1]}")
def test_real_frames_round_trip(data_folder, tmp_path, image, label):
    name, path, threshold = image
    number, values = CONFIGS[label]
    with h5py.File(data_folder / name, "r") as file:
        data = file[path][:4]
    if number == DRLE and threshold is None:
        assert data.dtype not in (np.int16, np.uint16)
        with pytest.raises(ValueError, match="DRLE is for int16 and uint16"):
            write(tmp_path / "file.h5", data, number, values)
        return
    if number == DRLE:
        values = (threshold, *values[1:])
    write(tmp_path / "file.h5", data, number, values)
    with h5py.File(tmp_path / "file.h5", "r") as file:
        dataset = file["data"]
        masks = [dataset.id.get_chunk_info(index).filter_mask for index in range(dataset.id.get_num_chunks())]
        bare = label == "drle-bare"
        expected = above(threshold, data, bare) if number == DRLE else data
        assert np.array_equal(dataset[:], expected)
        if number == DRLE:
            too_bright = [bare and bool((frame > 32767).any()) for frame in framed(data)]
            assert masks == too_bright, "what a bare stream cannot hold is stored raw, and only that"


def framed(data):
    return data.reshape(-1, *data.shape[-2:])


def above(threshold, data, bare):
    """What DRLE keeps: pixels from the threshold on, and whole frames that a bare stream cannot hold."""
    is_raw = lambda frame: bare and (frame > 32767).any()  # noqa: E731
    kept = [frame if is_raw(frame) else np.where(frame >= threshold, frame, 0) for frame in framed(data)]
    return np.array(kept).reshape(data.shape)


def test_the_mask_of_a_real_detector_is_kept_and_small(data_folder, tmp_path):
    """EIGER 4M's gaps and dead pixels, as a 16-bit detector marks them."""
    with h5py.File(data_folder / "mx/eiger4m_1frame_bslz4_uint32.h5", "r") as file:
        counts = file["entry/data/data"][:]
    masked = counts == 2**32 - 1
    assert masked.sum() > 250_000
    data = np.where(masked, 65535, np.minimum(counts, 65534)).astype("<u2")
    sizes = []
    for name, frame in [("masked", data), ("unmasked", np.where(masked, 0, data).astype("<u2"))]:
        write(tmp_path / f"{name}.h5", frame, DRLE, (2,))
        with h5py.File(tmp_path / f"{name}.h5", "r") as file:
            dataset = file["data"]
            assert dataset.id.get_chunk_info(0).filter_mask == 0
            assert np.array_equal(dataset[:], np.where(frame >= 2, frame, 0))
            sizes.append(dataset.id.get_storage_size())
    assert 0 < sizes[0] - sizes[1] < 20_000, sizes


def write(path, data, number, values):
    with h5py.File(path, "w") as file:
        chunks = (1,) * (data.ndim - 2) + data.shape[-2:]
        file.create_dataset("data", data=data, chunks=chunks, compression=number, compression_opts=values)


def test_drle_at_threshold_1_loses_nothing_of_counting_detectors(data_folder, tmp_path):
    with h5py.File(data_folder / "vmi/minipix_tracks_int16.h5", "r") as file:
        for path, dataset in file.items():
            data = dataset[:]
            write(tmp_path / f"{path}.h5", data, DRLE, (1,))
            with h5py.File(tmp_path / f"{path}.h5", "r") as stored:
                assert np.array_equal(stored["data"][:], data)
                assert stored["data"].id.get_storage_size() < data.nbytes / 5


def test_this_is_the_data_that_the_tests_name():
    if DATA.is_dir():
        assert all((DATA / name).is_file() for name, _, _ in IMAGES)
    else:
        pytest.skip(f"real data is not here ({DATA}); set DARKCHUNK_DATA")
