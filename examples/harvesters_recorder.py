"""Records a GenTL camera through harvesters into an HDF5 file.

    pip install darkchunk h5py harvesters
    python harvesters_recorder.py 500 run.h5 --cti /opt/vendor/lib/producer.cti

The camera's buffers are lent to the recorder, which encodes them in threads; a buffer goes back to the camera when it
is released. The camera's frame number is the frame's place in the dataset, so a frame that was lost, or came
incomplete, is missing there, and `frame_status` says so. Without `--cti` the virtual camera Viky is used, which comes
with the package genicam.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import darkchunk
import genicam
import h5py
from harvesters.core import Harvester

NAME = "/entry/instrument/detector/data"
N_BUFFERS = 32
# The dtype of what harvesters hands over, by GenICam's names. Harvesters has unpacked those of 10 and 12 bits.
DTYPES = {"Mono8": "u1", "Mono10": "u2", "Mono12": "u2", "Mono12p": "u2", "Mono14": "u2", "Mono16": "u2"}
VIKY = Path(genicam.__file__).with_name("viky.cti")


def configure(camera: Any, pixel_format: str, rate: float | None) -> tuple[tuple[int, int], str]:
    """Sets the camera up; the shape and the dtype of its frames."""
    nodes = camera.remote_device.node_map
    nodes.PixelFormat.value = pixel_format
    if rate is not None:
        nodes.AcquisitionFrameRate.value = rate
    camera.num_buffers = N_BUFFERS
    return (nodes.Height.value, nodes.Width.value), DTYPES[pixel_format]


class Loan:
    """The buffers that the recorder has."""

    def __init__(self, recorder: darkchunk.Recorder) -> None:
        self._recorder, self._buffers = recorder, dict[int, Any]()

    def push(self, buffer: Any, number: int) -> str:
        """Lends a complete buffer to the recorder."""
        component = buffer.payload.components[0]
        frame = component.data.reshape(component.height, component.width)
        self._buffers[id(frame)] = buffer
        times = {"camera_time": buffer.timestamp or 0, "host_time": time.time()}
        pushed = self._recorder.push(frame, number, **times)
        self.give_back()
        return pushed

    def give_back(self) -> None:
        """Gives the camera the buffers that were released."""
        for frame in self._recorder.released():
            self._buffers.pop(id(frame)).queue()

    def give_all_back(self) -> None:
        """The same with all, of a recorder that is closed."""
        while self._buffers:
            self._buffers.popitem()[1].queue()


def acquire(camera: Any, loan: Loan, n_frames: int, timeout: float) -> dict[str, int]:
    """Records so many complete frames. The numbers begin with that of the first one that comes."""
    found = {"complete": 0, "incomplete": 0, "first": -1, "last": -1}
    while found["complete"] < n_frames:
        buffer = camera.fetch(timeout=timeout)
        number = buffer.module.frame_id
        if found["first"] < 0:
            found["first"] = number
        if not buffer.is_complete():
            found["incomplete"] += 1
            buffer.queue()
        elif loan.push(buffer, number - found["first"]) == "taken":
            found["complete"] += 1
            found["last"] = max(found["last"], number)
    return found


def record(camera: Any, path: str, n_frames: int, pixel_format: str, rate: float | None) -> dict[str, int]:
    """Records into a new file, and says what there is."""
    shape, dtype = configure(camera, pixel_format, rate)
    columns = {"camera_time": "u8", "host_time": ("f8", 0, "s")}
    options = {"nexus": True, "columns": columns, "keep_released": True}
    with h5py.File(path, "x", libver=("earliest", "v110")) as file:
        with darkchunk.Recorder(file, NAME, shape, dtype, darkchunk.Bitshuffle(), **options) as recorder:
            loan = Loan(recorder)
            camera.start()
            found = acquire(camera, loan, n_frames, timeout=10)
            statistics = recorder.finish()
        loan.give_all_back()
        camera.stop()
    return {**found, "stored": statistics.n_stored, "missing": statistics.n_missing}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("frames", type=int, help="how many complete frames")
    parser.add_argument("output", help="the new file")
    parser.add_argument(
        "--cti", default=str(VIKY), help="the producer's file; without it that of Viky, a virtual camera"
    )
    parser.add_argument("--camera", type=int, default=0, help="which of the producer's cameras")
    parser.add_argument("--format", choices=DTYPES, default="Mono8", help="the pixel format")
    parser.add_argument("--rate", type=float, help="frames a second")
    arguments = parser.parse_args()
    with Harvester() as harvester:
        harvester.add_file(arguments.cti)
        harvester.update()
        with harvester.create(arguments.camera) as camera:
            found = record(camera, arguments.output, arguments.frames, arguments.format, arguments.rate)
    print(json.dumps(found))
    return 0 if found["stored"] == arguments.frames else 1


if __name__ == "__main__":
    sys.exit(main())
