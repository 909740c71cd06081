"""`examples/aravis_recorder.c`: a GenICam camera in the program, and a GigE Vision camera whose packets get lost on the way."""

import contextlib
import fcntl
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from common import PLUGINS, environment
from test_c_programs import compile_program

NAME = "/entry/instrument/detector/data"
SERVER = shutil.which("arv-fake-gv-camera-0.8")


def aravis_flags():
    done = subprocess.run(["pkg-config", "--cflags", "--libs", "aravis-0.8"], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("Aravis is not here: apt-get install libaravis-dev libusb-1.0-0-dev aravis-tools-cli")
    return done.stdout.split()


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return compile_program("examples/aravis_recorder.c", tmp_path_factory.mktemp("aravis"), aravis_flags())


def record(program, camera, n_frames, file, rate):
    command = [program, camera, str(n_frames), file, str(rate)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment(PLUGINS))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    print(found)
    assert found["stored"] >= n_frames
    return found


def check(file, found):
    """What the file, the recorder and the source say of the frames is the same."""
    assert found["incomplete"] == found["source_incomplete"]
    # Aravis counts how often frames were lost as a whole, not how many.
    assert (found["lost"] > 0) == (found["source_gaps"] > 0) and found["lost"] >= found["source_gaps"]
    assert found["missing"] + found["after_last"] == found["incomplete"] + found["lost"]
    with h5py.File(file) as opened:
        frames, beside = opened[NAME][:], opened[f"{NAME}_darkchunk"]
        status = beside["frame_status"][:]
        assert len(frames) == len(status) == found["stored"] + found["missing"]
        assert (status == 1).sum() == found["stored"] and (status == 0).sum() == found["missing"]
        stored = np.flatnonzero(status == 1)
        assert (np.diff(beside["host_time"][:][stored].astype("i8")) >= 0).all()
        assert not frames[status == 0].any() and all(frames[number].any() for number in stored)
    return frames, stored


@contextlib.contextmanager
def the_port():
    """The port of cameras of GigE Vision is for one at a time: other tests of this machine that have it are awaited."""
    with open(Path(tempfile.gettempdir()) / "darkchunk-tests-port-3956", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_listening():
    """Whether somebody has the port of cameras of GigE Vision, 3956."""
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(f":{3956:04X}") for line in lines)


def test_a_camera_in_the_program_is_recorded_without_a_loss(program, tmp_path):
    # Its numbers begin with 65401: they pass the end of what GigE Vision counts to. Where the program does not run for the time of its 64
    # buffers, the camera does not wait for it: then once more, and more slowly on a machine that is busy for long.
    for attempt, rate in enumerate([300] * 5 + [100] * 3 + [20] * 3):
        file = tmp_path / f"{attempt}.h5"
        found = record(program, "Fake_1", 200, file, rate)
        losses = (found["incomplete"], found["lost"], found["missing"])
        if losses == (0, 0, 0):
            break
    assert losses == (0, 0, 0)
    frames, stored = check(file, found)
    # It goes on while the program ends.
    assert found["stored"] <= found["source_completed"]
    # The camera's pattern moves from frame to frame.
    assert frames.dtype == np.uint8 and (frames[stored[0]] != frames[stored[1]]).any()


@pytest.mark.skipif(SERVER is None, reason="no arv-fake-gv-camera-0.8: apt-get install aravis-tools-cli")
def test_frames_that_a_network_has_torn_are_missing_as_the_source_counts_them(program, tmp_path):
    with the_port(), subprocess.Popen([SERVER, "-i", "127.0.0.1", "-s", "GV01"], stdout=subprocess.DEVNULL) as camera:
        try:
            end = time.monotonic() + 120
            while not is_listening() and time.monotonic() < end:
                time.sleep(0.05)
            assert is_listening() and camera.poll() is None
            # The program waits 0.3 s for what was on its way when it stops the camera. On a busy machine a frame may
            # come later, which the source counts all the same: then once more.
            for attempt in range(5):
                file = tmp_path / f"{attempt}.h5"
                found = record(program, "Aravis-Fake-GV01", 60, file, 100)
                if (found["stored"], found["incomplete"]) == (found["source_completed"], found["source_incomplete"]):
                    break
        finally:
            camera.kill()
    assert found["stored"] == found["source_completed"]
    check(file, found)
