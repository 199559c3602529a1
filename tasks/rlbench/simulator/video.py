# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Films episodes, as mp4 files."""

import io
import itertools
from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from PIL import Image

from .captions import caption
from .embedded import EmbeddedSimulator
from .replays import Replay, pictures

# Of 12.5 moments a second, so that a film runs at twice the pace of simulated time.
_FRAMES_PER_SECOND = 25
_LAST_STILL = 25
_QUALITY = "23"


def film(simulator: EmbeddedSimulator, replay: Replay, instruction: str, size: int) -> bytes:
    """Returns an mp4 file of an episode, with the instruction and the outcome under the picture.

    It runs at twice the pace of simulated time, and ends with a second that stands still.

    Args:
        simulator: whose last episode was the replay.
        replay: what is to be seen.
        instruction: in words; of a long one the beginning is shown.
        size: height and width of the picture in pixels, even.
    """
    notes = ["start"]
    notes += [f"keyframe {number + 1}" for number in range(replay.num_keyframes)]
    captions = [caption(size, instruction, note) for note in notes]
    moving = (
        _frame(picture, captions[moment.keyframe])
        for moment, picture in zip(
            replay.moments, pictures(simulator, replay.moments, size), strict=True
        )
    )
    end = caption(size, instruction, replay.outcome, success=replay.success)
    still = (_frame(picture, end) for picture in pictures(simulator, replay.keyframes[-1:], size))
    repeated = itertools.chain.from_iterable(itertools.repeat(one, _LAST_STILL) for one in still)
    return encode(itertools.chain(moving, repeated), _FRAMES_PER_SECOND)


def encode(frames: Iterable[np.ndarray], frames_per_second: int) -> bytes:
    """Returns an mp4 file, H.264 where PyAV has it and MPEG-4 elsewhere.

    Equal frames give equal bytes with the same version of PyAV.

    Args:
        frames: uint8 [H, W, 3], at least one; of one size, with even sides.
        frames_per_second: its pace.
    """
    file = io.BytesIO()
    frames = iter(frames)
    first = next(frames)
    with av.open(file, "w", format="mp4") as container:
        stream = _stream(container, first, frames_per_second)
        for frame in itertools.chain([first], frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return file.getvalue()


def _stream(container: OutputContainer, frame: np.ndarray, frames_per_second: int) -> VideoStream:
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    stream = container.add_stream(codec, rate=Fraction(frames_per_second))
    stream.height, stream.width = frame.shape[:2]
    stream.pix_fmt = "yuv420p"
    # With more threads the bytes would depend on the machine's number of cores.
    stream.codec_context.thread_count = 1
    if codec == "libx264":
        stream.options = {"crf": _QUALITY}
    return stream


def _frame(picture: np.ndarray, text: Image.Image) -> np.ndarray:
    """Returns a picture over its caption."""
    size = len(picture)
    frame = Image.new("RGB", (size, size + text.height))
    frame.paste(Image.fromarray(picture), (0, 0))
    frame.paste(text, (0, size))
    return np.asarray(frame)
