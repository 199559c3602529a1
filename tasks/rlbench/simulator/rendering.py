# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""RGB-D pictures of a world: through EGL, through OSMesa, or without any GL at all.

Which works is tried once, in a process of its own: a broken driver may crash the process
that asks, and the two kinds of GL exclude each other in one process.
"""

import ctypes.util
import functools
import importlib
import os
import subprocess
import sys
from typing import Any, Protocol

import numpy as np
from absl import logging

from perceiver_bench import api

from .engine import mujoco
from .ray_caster import RayCaster
from .scene import LARGEST_PICTURE
from .world import World

BACKENDS = ("egl", "osmesa", "rays")
"""The ways to render, the preferred first."""

_MODULES = {"egl": "mujoco.egl", "osmesa": "mujoco.osmesa"}
_LIBRARIES = {"egl": "EGL", "osmesa": "OSMesa"}
# What MuJoCo itself takes as a wish for no GL.
_OFF = ("disable", "disabled", "off", "false", "0")
_PROBE = """
import os, sys
os.environ["MUJOCO_GL"] = sys.argv[1]
import mujoco
context = mujoco.GLContext(8, 8)
context.make_current()
model = mujoco.MjModel.from_xml_string("<mujoco/>")
mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value).free()
context.free()
"""
_PATIENCE = 60.0


class Renderer(Protocol):
    """Renders one world in pictures of one size."""

    def render(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns what a camera sees: uint8 [H, W, 3], and depth in metres [H, W]."""
        ...

    def close(self) -> None:
        """Frees what the renderer holds."""
        ...


def choose(forced: str | None = None) -> str:
    """Returns the back end to render with, and logs which and why.

    Raises:
        UserError: if the forced one does not exist or does not work here.
    """
    if forced is None:
        return _best()
    if forced not in BACKENDS:
        raise api.UserError(f"rendering with {forced!r}: known are {', '.join(BACKENDS)}")
    fault = _fault(forced)
    if fault:
        raise api.UserError(f"rendering with {forced!r} does not work here: {fault}")
    return forced


@functools.cache
def _best() -> str:
    wish = os.environ.get("MUJOCO_GL", "").strip().lower()
    if wish in _OFF:
        logging.info("MUJOCO_GL=%s: renders by casting rays", wish)
        return "rays"
    faults = []
    for name in ("egl", "osmesa"):
        fault = _fault(name)
        if not fault:
            logging.info("renders with %s", name)
            return name
        faults.append(f"{name}: {fault}")
    logging.warning(
        "no GL on this machine (%s): falls back to casting rays, which is slower",
        "; ".join(faults),
    )
    return "rays"


@functools.cache
def _fault(name: str) -> str:
    """Returns why a back end does not work here; nothing if it does."""
    if name == "rays":
        return ""
    if not sys.platform.startswith("linux"):
        return "it is for Linux"
    if ctypes.util.find_library(_LIBRARIES[name]) is None:
        return f"the library lib{_LIBRARIES[name]} is not installed"
    command = [sys.executable, "-c", _PROBE, name]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer in {_PATIENCE:.0f} s"
    if done.returncode == 0:
        return ""
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"ends with code {done.returncode}"


def make(backend: str, world: World, size: int, *, shadows: bool) -> Renderer:
    """Returns a renderer of a world for square pictures of `size` pixels.

    Shadows please people and take most of the time.

    Raises:
        UserError: if the size is not from 1 to 1024.
    """
    if not 1 <= size <= LARGEST_PICTURE:
        raise api.UserError(f"picture size {size}: it has to be from 1 to {LARGEST_PICTURE}")
    if backend == "rays":
        return RayCaster(world, size, shadows)
    return _GL(world, size, shadows, importlib.import_module(_MODULES[backend]).GLContext)


class _GL:
    """Renders by MuJoCo's own renderer in a GL context of its own."""

    def __init__(self, world: World, size: int, shadows: bool, context_class: Any):
        self._world = world
        self._size = size
        self._context = context_class(size, size)
        self._context.make_current()
        self._is_closed = False
        self._scene = mujoco.MjvScene(world.model, maxgeom=500)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW.value] = shadows
        scale = mujoco.mjtFontScale.mjFONTSCALE_100.value
        self._renderer = mujoco.MjrContext(world.model, scale)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._renderer)
        self._renderer.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR.value
        self._rectangle = mujoco.MjrRect(0, 0, size, size)
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED.value
        self._options = mujoco.MjvOption()

    def render(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        model, data = self._world.model, self._world.data
        self._context.make_current()
        self._camera.fixedcamid = model.camera(name).id
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(
            model, data, self._options, None, self._camera, everything, self._scene
        )
        self._shift_half_a_pixel()
        mujoco.mjr_render(self._rectangle, self._scene, self._renderer)
        rgb = np.empty((self._size, self._size, 3), np.uint8)
        depth = np.empty((self._size, self._size), np.float32)
        mujoco.mjr_readPixels(rgb, depth, self._rectangle, self._renderer)
        return rgb[::-1].copy(), self._metres(depth[::-1])

    def close(self) -> None:
        if not self._is_closed:
            self._context.make_current()
            self._renderer.free()
            self._context.free()
            self._is_closed = True

    def _shift_half_a_pixel(self) -> None:
        """Makes the middle of pixel (0, 0) the corner of the picture, as `cameras` has it."""
        for camera in self._scene.camera:
            half = (camera.frustum_top - camera.frustum_bottom) / self._size / 2
            camera.frustum_center -= half
            camera.frustum_top += half
            camera.frustum_bottom += half

    def _metres(self, depth: np.ndarray) -> np.ndarray:
        """Returns metres of a buffer in which 1 is near and 0 far."""
        camera = self._scene.camera[0]
        near, far = float(camera.frustum_near), float(camera.frustum_far)
        return near * far / (near + depth.astype(np.float64) * (far - near))
