"""Weighted sums over bins that share pixels: as numpy's, and as pyFAI's integration."""

import pickle
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import support
from support import frames

import darkchunk

SHAPE = (9, 33, 47)
MASKED = 65535


def csr(dense):
    """A matrix in compressed rows, as scipy has them."""
    rows = [np.flatnonzero(row) for row in dense]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    data = np.concatenate([row[found] for row, found in zip(dense, rows, strict=True)])
    return SimpleNamespace(data=data, indices=np.concatenate(rows), indptr=starts, format="csr")


def test_weighted_sums_are_those_of_a_matrix_times_the_images(tmp_path):
    rng = np.random.default_rng(2)
    images = frames("<u2", SHAPE)
    images[:, 5, 7] = MASKED
    dense = np.where(rng.random((13, 33 * 47)) < 0.1, rng.random((13, 33 * 47), np.float32), 0).astype(np.float32)
    bins = darkchunk.Bins(csr(dense))
    assert len(bins) == 13
    flat = images.reshape(len(images), -1)[2:].astype(float)
    for filter in (darkchunk.DRLE(threshold=1), darkchunk.Bitshuffle(), None):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_dataset("a", data=images, chunks=(2, 33, 47), compression=filter)
        with darkchunk.open(tmp_path / "a.h5", "a", threads=2) as dataset:
            for ignore in (None, MASKED):
                kept = np.ones(flat.shape) if ignore is None else (flat != ignore).astype(float)
                for given in (bins, pickle.loads(pickle.dumps(bins))):
                    found = dataset.integrate(given, 2, ignore=ignore)
                    assert np.allclose(found.sums, (flat * kept) @ dense.T, 1e-9)
                    assert np.allclose(found.squares, (flat**2 * kept) @ dense.T, 1e-9)
                    assert np.allclose(found.weights, kept @ dense.T, 1e-9)
            with pytest.raises(ValueError, match="pixel"):
                dataset.integrate(darkchunk.Bins(SimpleNamespace(data=[1.0], indices=[33 * 47], indptr=[0, 1])))


def test_what_is_no_matrix_in_compressed_rows_is_refused():
    with pytest.raises(TypeError, match="compressed rows"):
        darkchunk.Bins(np.eye(3))
    with pytest.raises(TypeError, match="compressed rows"):
        darkchunk.Bins(SimpleNamespace(data=[], indices=[], indptr=[0], format="csc"))
    for indices, starts in [([-1], [0, 1]), ([0], [0, 2]), ([0], [])]:
        with pytest.raises(ValueError, match="matrix"):
            darkchunk.Bins(SimpleNamespace(data=[1.0], indices=indices, indptr=starts))


def eiger(tmp_path):
    """A file with frames of an EIGER, real ones where they are; its dataset."""
    real = support.DATA / "mx/eiger4m_1frame_bslz4_uint32.h5"
    if real.exists():
        return real, "entry/data/data"
    made = np.random.default_rng(3).poisson(2, (2, 514, 1030)).astype("<u4")
    made[:, 250:264] = 2**32 - 1
    with h5py.File(tmp_path / "eiger.h5", "w") as file:
        file.create_dataset("a", data=made, chunks=(1, 514, 1030), compression=darkchunk.Bitshuffle())
    return tmp_path / "eiger.h5", "a"


@pytest.mark.parametrize("split", ["no", "bbox", "full"])
def test_an_integration_of_eiger_frames_is_that_of_pyfai(tmp_path, split):
    pytest.importorskip("pyFAI", reason="pyFAI is not installed")
    from pyFAI.detectors import Detector
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    path, name = eiger(tmp_path)
    with darkchunk.open(path, name, threads=2) as dataset:
        frame, masked = dataset[0], int(np.iinfo(np.uint32).max)
        height, width = frame.shape
        detector = Detector(75e-6, 75e-6, max_shape=frame.shape)
        where = {"poni1": 0.47 * height * 75e-6, "poni2": 0.51 * width * 75e-6, "wavelength": 1e-10}
        integrator = AzimuthalIntegrator(dist=0.2, detector=detector, **where)
        theirs = integrator.integrate1d(
            frame, 1000, method=(split, "csr", "cython"), mask=frame == masked, correctSolidAngle=False
        )
        (found,) = integrator.engines.values()
        ours = dataset.integrate(darkchunk.Bins(found.engine), 0, 1, ignore=masked)
        assert np.allclose(ours.sums[0], theirs.sum_signal, 1e-9)
        assert np.allclose(ours.weights[0], theirs.sum_normalization, 1e-6, 1e-6)
        is_there = theirs.sum_normalization > 1e-3
        average = (ours.sums[0] / np.where(is_there, ours.weights[0], 1))[is_there]
        assert is_there.sum() > 500 and np.allclose(average, theirs.intensity[is_there], 1e-5)
