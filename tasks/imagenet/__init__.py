# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Image classification on ImageNet and CIFAR-10 (paper, appendix A)."""

from perceiver_bench import api

try:
    import array_record  # noqa: F401
    import PIL  # noqa: F401
    import simplejpeg  # noqa: F401
except ImportError as error:
    raise api.MissingDependency(
        "Pillow, simplejpeg or array_record is missing; pip install 'perceiver-bench[imagenet]'"
    ) from error

from . import cifar10, ilsvrc2012, resolution

__all__ = ["cifar10", "ilsvrc2012", "resolution"]
