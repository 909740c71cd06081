"""One PNG of a recording: a single shot beside the sum of all frames.

    picture.py FILE PNG TITLE
"""

import sys

import h5py
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from read_back import find_frames, with_h5py


def main():
    path, png, title = sys.argv[1:]
    name, shape, _ = find_frames(path)
    with h5py.File(path, "r") as file:
        shot = file[name][shape[0] // 2]
    total = sum(batch.sum(axis=0, dtype=np.int64) for batch in with_h5py(path, name, shape))
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for axis, image, label in zip(axes, (shot, total), ("a single shot", f"the sum of {shape[0]} frames")):
        # The square root shows weak and strong spots alike; a few hot pixels must not set the scale.
        top = np.percentile(image, 99.9) or image.max() or 1
        shown = axis.imshow(np.sqrt(np.clip(image, 0, top)), cmap="magma", interpolation="nearest")
        axis.set_title(label)
        figure.colorbar(shown, ax=axis, shrink=0.8, label="square root of counts")
    figure.suptitle(title)
    # 200 colours are enough for one colour map, and make a small file.
    figure.canvas.draw()
    Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB").quantize(200).save(png, optimize=True)


if __name__ == "__main__":
    main()
