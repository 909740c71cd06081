"""Examples that record from detectors. What they need is in `examples/requirements.txt`."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from importlib import resources

import h5py
import numpy as np
import pytest
from support import IS_FULL, ROOT, environment

import darkchunk

NAME = "/entry/instrument/detector/data"
DETECTOR = "/entry/instrument/detector"


def captured(name):
    """A message of an EIGER2 16M, as the simulator's package has it."""
    return resources.files("tickit_devices.eiger").joinpath(f"data/stream2/{name}.cbor").read_bytes()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def recording(address, file):
    command = [sys.executable, str(ROOT / "examples/stream2_recorder.py"), address, str(file), "--timeout", "60"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment(), **pipes)


def result(recorder, code=0):
    out, err = recorder.communicate(timeout=120)
    assert recorder.returncode == code, f"{out}\n{err}"
    return json.loads(out) if out else err


def send(messages, file, code=0):
    """What the example says when a detector sends these messages."""
    zmq = pytest.importorskip("zmq")
    with zmq.Context() as context, context.socket(zmq.PUSH) as detector:
        port = detector.bind_to_random_port("tcp://127.0.0.1")
        recorder = recording(f"tcp://127.0.0.1:{port}", file)
        for message in messages:
            detector.send(message)
        return result(recorder, code)


@pytest.fixture(scope="module")
def image():
    """The captured image as CBOR has it, and its payload."""
    pytest.importorskip("zmq")
    pytest.importorskip("tickit_devices")
    cbor2 = pytest.importorskip("cbor2")
    message = dict(cbor2.loads(captured("image")))
    return message, message["data"]["threshold_1"].value[1].value.value[2]


def numbered(image, number, **more):
    import cbor2

    return cbor2.dumps(cbor2.CBORTag(55799, {**image, "image_id": number, **more}))


def started(n_images):
    import cbor2

    return cbor2.dumps({**cbor2.loads(captured("start")), "number_of_images": n_images})


def test_a_captured_image_is_stored_verbatim_with_its_metadata(tmp_path, image):
    message, payload = image
    messages = [captured("end"), started(3), *(numbered(message, number) for number in (0, 2, 1)), captured("end")]
    found = send(messages[1:], tmp_path / "run.h5")
    assert found["stored"] == {"threshold_1": 3} and found["refused"] == {} and found["is_complete"]
    with h5py.File(tmp_path / "run.h5") as file:
        data = file[NAME]
        assert data.shape == (3, 4362, 4148) and data.dtype == np.uint16
        assert all(data.id.read_direct_chunk((number, 0, 0)) == (0, payload) for number in range(3))
        pixels = data[1]
        mask = pixels == 65535
        assert 0 < mask.sum() < pixels.size / 5 and pixels[~mask].max() < 21517
        group = file[DETECTOR]
        assert group["description"][()] == b"Dectris EIGER2 Si 16M" and group["x_pixel_size"].attrs["units"] == "m"
        assert group["saturation_value"][()] == 21517
        beside = file[f"{NAME}_darkchunk"]
        assert (beside["frame_status"][:] == 1).all()
        assert np.allclose(beside["stop_time"][:], 215873 / 50e6) and beside["stop_time"].attrs["units"] == "s"
        assert file["/entry"].attrs["NX_class"] == "NXentry"
        assert file["/entry/instrument/beam/incident_wavelength"][()] == pytest.approx(0.918381)


def test_images_that_are_missing_or_damaged_are_marked(tmp_path, image):
    import cbor2

    message, payload = image
    height, width = message["data"]["threshold_1"].value[0]
    pixels = [cbor2.CBORTag(56500, ["bslz4", 2, payload[:20]])]
    damaged = {"threshold_1": cbor2.CBORTag(40, [[height, width], cbor2.CBORTag(69, pixels[0])])}
    messages = [
        started(4),
        numbered(message, 0),
        numbered(message, 2, data=damaged),
        numbered(message, 3),
        captured("end"),
    ]
    found = send(messages, tmp_path / "run.h5", code=1)
    assert found["stored"] == {"threshold_1": 2} and "frame 2" in found["refused"]["threshold_1"]
    with h5py.File(tmp_path / "run.h5") as file:
        assert file[f"{NAME}_darkchunk/frame_status"][:].tolist() == [1, 0, 4, 1]


def test_two_thresholds_and_pixels_without_compression(tmp_path, image):
    import cbor2

    message, _ = image
    frame = np.arange(24, dtype="<u4").reshape(4, 6)
    array = cbor2.CBORTag(40, [[4, 6], cbor2.CBORTag(70, frame.tobytes())])
    images = [numbered(message, n, data={"threshold_1": array, "threshold_2": array}) for n in range(2)]
    found = send([started(2), *images, captured("end")], tmp_path / "run.h5")
    assert found["stored"] == {"threshold_1": 2, "threshold_2": 2}
    with h5py.File(tmp_path / "run.h5") as file:
        for name in (DETECTOR, f"{DETECTOR}_threshold_2"):
            assert (file[name]["data"][:] == frame).all()
        assert file[f"{DETECTOR}_threshold_2/threshold_energy"][()] == pytest.approx(18900.42)


SIMULATOR = """
- type: tickit_devices.eiger.Eiger
  name: eiger
  inputs: {{}}
  host: 127.0.0.1
  port: {http}
  stream_host: 127.0.0.1
  stream_legacy_port: {legacy}
  stream_cbor_port: {cbor}
"""


def put(url, value=None):
    body = None if value is None else json.dumps({"value": value}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="PUT")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def until_it_answers(url):
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail("the simulator does not answer")


@pytest.mark.skipif(not IS_FULL, reason="the simulator takes its time: `cargo xtask prove sources`")
def test_a_series_of_the_simulator_is_recorded(tmp_path, image):
    ports = {"http": free_port(), "legacy": free_port(), "cbor": free_port()}
    (tmp_path / "eiger.yaml").write_text(SIMULATOR.format(**ports))
    command = [sys.executable, "-m", "tickit", "all", str(tmp_path / "eiger.yaml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as simulator:
        try:
            detector = f"http://127.0.0.1:{ports['http']}/detector/api/1.8.0"
            until_it_answers(f"{detector}/config/nimages")
            recorder = recording(f"tcp://127.0.0.1:{ports['cbor']}", tmp_path / "run.h5")
            put(f"{detector}/config/nimages", 5)
            put(f"{detector}/config/trigger_mode", "ints")
            put(f"http://127.0.0.1:{ports['http']}/stream/api/1.8.0/config/format", "cbor")
            for name in ("initialize", "arm", "trigger", "disarm"):
                put(f"{detector}/command/{name}")
            found = result(recorder)
        finally:
            simulator.kill()
    assert found["stored"] == {"threshold_1": 5} and found["is_complete"]
    with h5py.File(tmp_path / "run.h5") as file:
        assert file[NAME].id.read_direct_chunk((4, 0, 0))[1] == image[1]


def test_a_camera_of_gentl_is_recorded_by_its_frame_numbers(tmp_path):
    pytest.importorskip("harvesters")
    command = [
        sys.executable,
        str(ROOT / "examples/harvesters_recorder.py"),
        "60",
        str(tmp_path / "run.h5"),
        "--rate",
        "100",
    ]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["stored"], found["incomplete"]) == (60, 0)
    assert found["missing"] == found["last"] - found["first"] + 1 - 60
    with h5py.File(tmp_path / "run.h5") as file:
        status, data = file[f"{NAME}_darkchunk/frame_status"][:], file[NAME]
        assert data.shape == (len(status), 400, 400) and (status == 1).sum() == 60
        assert (status == 0).sum() == found["missing"]
        stored = np.flatnonzero(status == 1)
        # A ball that moves, before a white ground. With frames missing it may be where it was at some time.
        assert all(data[number].any() for number in stored)
        assert any((data[stored[0]] != data[number]).any() for number in stored[1:])
        assert (np.diff(file[f"{NAME}_darkchunk/host_time"][:][stored]) > 0).all()


def test_a_recording_shows_itself_in_silx_and_nexusformat(tmp_path):
    silx = pytest.importorskip("silx.io")
    nexus = pytest.importorskip("nexusformat.nexus")
    from silx.io import nxdata

    columns = {"/entry/data/rotation_angle": ("f4", 0, "degree"), f"{DETECTOR}/image_key": "u1"}
    options = {"nexus": True, "columns": columns}
    frames = np.arange(5 * 24, dtype="u2").reshape(5, 4, 6)
    with darkchunk.Recorder(tmp_path / "a.h5", NAME, (4, 6), "uint16", **options) as recorder:
        for number, frame in enumerate(frames):
            recorder.push(frame, **dict(zip(columns, (number * 36.0, 0), strict=True)))
    with silx.open(str(tmp_path / "a.h5")) as file:
        shown = nxdata.get_default(file)
        assert shown.is_valid and shown.interpretation == "image" and (shown.signal[...] == frames).all()
    tree = nexus.nxload(str(tmp_path / "a.h5"))
    assert tree.get_default().nxsignal.shape == frames.shape and (tree.plottable_data.nxsignal.nxvalue == frames).all()
    assert tree["entry/data/rotation_angle"].nxvalue.tolist() == [0, 36, 72, 108, 144]
