# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Optical flow: predicted fields [B, H, W, 2] in pixels against the true ones.

The rows are computed on the host in float64, over the pixels whose truth is known; whatever
stands in the others, NaN or 1e30, changes nothing. In a known pixel a prediction that is NaN
or infinite is not left out: it makes every end-point error that holds the pixel NaN, and it
counts as an outlier. The name of each metric in `FLOW_METRICS` ends with its pooling.

    prediction: `flow` [B, H, W, 2].
    batch: `flow` [B, H, W, 2], `flow_known` bool [B, H, W]; and `occlusion`, `foreground` and
        `invalid` [B, H, W], 0 or 1, -1 where it is not known. A metric of a part of the image gives
        weight 0 to examples without such pixels, or without the map.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from perceiver_bench.metrics.base import MeanOfExamples, PooledOverElements
from perceiver_bench.task import Metric

Values = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""`(error, speed)` [B, H, W] in pixels -> what is summed over them."""
Region = Callable[[Mapping[str, Any], np.ndarray], np.ndarray]
"""`(batch, speed)` -> where in [B, H, W] it is summed."""

# KITTI's outliers are wrong by more than both.
_FL_PIXELS = 3.0
_FL_SHARE_OF_SPEED = 0.05


def error_and_speed(
    prediction: Mapping[str, Any], batch: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the end-point error and the true speed, float64 [B, H, W] in pixels.

    Both are 0 where the truth is not known. An error that is no finite number is NaN.

    Raises:
        ValueError: if the prediction is not of the truth's shape.
    """
    truth, predicted = np.asarray(batch["flow"]), np.asarray(prediction["flow"])
    if predicted.shape != truth.shape:
        raise ValueError(f"predicted flow {predicted.shape} for a true flow {truth.shape}")
    known = np.asarray(batch["flow_known"])[..., None]
    truth, predicted = (np.where(known, flow, 0).astype(np.float64) for flow in (truth, predicted))
    with np.errstate(over="ignore", invalid="ignore"):
        error, speed = _length(predicted - truth), _length(truth)
    return np.where(np.isfinite(error), error, np.nan), speed


def _length(vectors: np.ndarray) -> np.ndarray:
    # Many times faster than np.hypot, and exact for what float32 holds.
    return np.sqrt(vectors[..., 0] ** 2 + vectors[..., 1] ** 2)


def _metric(
    values: Values,
    region: Region,
    pooling: PooledOverElements | MeanOfExamples,
    unit: str,
    optional: bool = False,
) -> Metric:
    """Returns the metric of `values` over the known pixels of `region`."""

    def rows(prediction: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, np.ndarray]:
        error, speed = error_and_speed(prediction, batch)
        counted = np.asarray(batch["flow_known"]) & region(batch, speed)
        sums = np.where(counted, values(error, speed), 0).sum(axis=(1, 2), dtype=np.float64)
        return {"sum": sums, "weight": counted.sum(axis=(1, 2), dtype=np.float64)}

    return Metric(
        rows=rows, pooling=pooling, unit=unit, direction="lower", optimum=0.0, optional=optional
    )


def _end_point_error(error: np.ndarray, _: np.ndarray) -> np.ndarray:
    return error


def _fl_outlier(error: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Returns KITTI's outliers: above 3 px and above 5 % of the true speed."""
    # Said by what is right, so that NaN is wrong.
    return ~((error <= _FL_PIXELS) | (error <= _FL_SHARE_OF_SPEED * speed))


def _above(pixels: float) -> Values:
    return lambda error, _: ~(error <= pixels)


def _everywhere(_: Mapping[str, Any], speed: np.ndarray) -> np.ndarray:
    return np.ones(speed.shape, bool)


def _marked(name: str, value: int) -> Region:
    """Returns the region where the map `name` has `value`; none without the map."""

    def region(batch: Mapping[str, Any], speed: np.ndarray) -> np.ndarray:
        return np.asarray(batch[name]) == value if name in batch else np.zeros(speed.shape, bool)

    return region


# Sintel's site has speeds lower than 10, between 10 and 40, and larger than 40 pixels a frame:
# both ends belong to the middle.
_SPEEDS: Mapping[str, Region] = {
    "s0_10": lambda _, speed: speed < 10,
    "s10_40": lambda _, speed: (speed >= 10) & (speed <= 40),
    "s40_plus": lambda _, speed: speed > 40,
}
_MAPS: Mapping[str, Region] = {
    "matched": _marked("occlusion", 0),
    "unmatched": _marked("occlusion", 1),
    "foreground": _marked("foreground", 1),
    "background": _marked("foreground", 0),
    # As Sintel's server counts; the papers count all.
    "valid": _marked("invalid", 0),
}
_PIXELS, _SHARE = PooledOverElements(), PooledOverElements(scale=100.0)
_IMAGES, _SHARE_OF_IMAGES = MeanOfExamples(), MeanOfExamples(scale=100.0)

FLOW_METRICS: Mapping[str, Metric] = {
    "end_point_error_over_pixels": _metric(_end_point_error, _everywhere, _PIXELS, "px"),
    "end_point_error_over_images": _metric(_end_point_error, _everywhere, _IMAGES, "px"),
    "fl_all_over_pixels": _metric(_fl_outlier, _everywhere, _SHARE, "%"),
    "fl_all_over_images": _metric(_fl_outlier, _everywhere, _SHARE_OF_IMAGES, "%"),
    **{
        f"outliers_above_{pixels}px_over_pixels": _metric(_above(pixels), _everywhere, _SHARE, "%")
        for pixels in (1, 3, 5)
    },
    **{
        f"end_point_error_{name}_over_pixels": _metric(
            _end_point_error, region, _PIXELS, "px", optional=True
        )
        for name, region in {**_SPEEDS, **_MAPS}.items()
    },
    **{
        f"fl_{name}_over_pixels": _metric(_fl_outlier, _MAPS[name], _SHARE, "%", optional=True)
        for name in ("foreground", "background")
    },
}
"""All by name, of which a task picks its own."""
