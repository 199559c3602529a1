# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Films episodes: what a camera sees while actions are carried out, as an mp4 file."""

import contextlib
import pathlib
import uuid
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream
from PIL import Image, ImageDraw, ImageFont

from perceiver_bench import api

from .embedded import EmbeddedSimulator
from .gripper import Tick

# Of 100 moments a second, so that the film runs at the pace of simulated time.
_EVERY = 5
_FRAMES_PER_SECOND = 20
_LAST_STILL = 15
_CAPTION = 28
_QUALITY = "23"


def write_video(path: pathlib.Path, frames: Iterable[np.ndarray], frames_per_second: int) -> None:
    """Writes an mp4 file, H.264 where PyAV has it and MPEG-4 elsewhere; it appears whole.

    Args:
        path: ends in `.mp4`.
        frames: uint8 [H, W, 3] of one size with even sides.
        frames_per_second: its pace.

    Raises:
        UserError: if there are no frames, a side is odd, or the file cannot be written.
    """
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex}.mp4")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(temporary), "w") as container:
            stream: VideoStream | None = None
            for frame in frames:
                stream = stream or _stream(container, frame, frames_per_second)
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
                container.mux(stream.encode(picture))
            if stream is None:
                raise api.UserError(f"{path}: a video needs at least one frame")
            container.mux(stream.encode(None))
        temporary.replace(path)
    except (OSError, FFmpegError) as error:
        raise api.UserError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def film(
    simulator: EmbeddedSimulator,
    path: pathlib.Path,
    caption: str,
    *,
    size: int = 320,
) -> Iterator[None]:
    """Films what is done within the `with` block, with a caption such as the instruction.

    Raises:
        UserError: if no episode is set up, or the file cannot be written.
    """
    frames = [_frame(simulator, size, caption)]
    before = simulator.on_tick
    count = 0

    def on_tick(tick: Tick) -> None:
        nonlocal count
        before(tick)
        count += 1
        if count % _EVERY == 0:
            frames.append(_frame(simulator, size, caption))

    simulator.on_tick = on_tick
    try:
        yield
    finally:
        simulator.on_tick = before
    frames += [frames[-1]] * _LAST_STILL
    write_video(path, frames, _FRAMES_PER_SECOND)


def _stream(container: OutputContainer, frame: np.ndarray, frames_per_second: int) -> VideoStream:
    height, width = frame.shape[:2]
    if height % 2 or width % 2:
        raise api.UserError(f"a video of {width} x {height} pixels: both have to be even")
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    stream = container.add_stream(codec, rate=Fraction(frames_per_second))
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    if codec == "libx264":
        stream.options = {"crf": _QUALITY}
    return stream


def _frame(simulator: EmbeddedSimulator, size: int, caption: str) -> np.ndarray:
    """Returns a picture, smoothed from one of twice the size, over a line of text."""
    large = simulator.picture(2 * size).astype(np.uint16)
    smooth = large.reshape(size, 2, size, 2, 3).mean((1, 3)).astype(np.uint8)
    picture = Image.new("RGB", (size, size + _CAPTION), (250, 250, 250))
    picture.paste(Image.fromarray(smooth), (0, 0))
    font = ImageFont.load_default(size=14)
    ImageDraw.Draw(picture).text((8, size + 5), caption, (30, 30, 30), font=font)
    return np.asarray(picture)
