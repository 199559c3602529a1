# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Optical flow between two frames (paper, section 4.2 and appendix H)."""

from perceiver_bench import api

try:
    import cv2  # noqa: F401
    import PIL  # noqa: F401
except ImportError as error:
    raise api.MissingDependency(
        "OpenCV and Pillow are missing; pip install 'perceiver-bench[flow]'"
    ) from error

from . import flyingchairs, generated, kitti, mixture, sintel

__all__ = ["flyingchairs", "generated", "kitti", "mixture", "sintel"]
