# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perceiver_bench import errors
from perceiver_bench.metrics.flow import FLOW_METRICS

MAPS = ("occlusion", "foreground", "invalid")
REGIONS = {
    "s0_10": lambda speed, *_: speed < 10,
    "s10_40": lambda speed, *_: 10 <= speed <= 40,
    "s40_plus": lambda speed, *_: speed > 40,
    "matched": lambda _, occlusion, *__: occlusion == 0,
    "unmatched": lambda _, occlusion, *__: occlusion == 1,
    "foreground": lambda _, __, foreground, ___: foreground == 1,
    "background": lambda _, __, foreground, ___: foreground == 0,
    "valid": lambda _, __, ___, invalid: invalid == 0,
}


def reference(prediction, batch):
    """Returns, by plain loops, the value of every metric; None where nothing is counted."""
    images = []
    for b in range(len(batch["flow"])):
        pixels = []
        for y in range(batch["flow"].shape[1]):
            for x in range(batch["flow"].shape[2]):
                if not batch["flow_known"][b, y, x]:
                    continue
                (u, v), (p, q) = batch["flow"][b, y, x], prediction["flow"][b, y, x]
                error = math.dist((float(u), float(v)), (float(p), float(q)))
                speed = math.hypot(float(u), float(v))
                maps = [int(batch[name][b, y, x]) for name in MAPS]
                pixels.append((error, speed, *maps))
        images.append(pixels)

    def fl(error, speed):
        return 100.0 * (error > 3 and (speed == 0 or error / speed > 0.05))

    def over_pixels(value, region=lambda *_: True):
        values = [value(p[0], p[1]) for image in images for p in image if region(*p[1:])]
        return sum(values) / len(values) if values else None

    def over_images(value):
        means = [sum(value(p[0], p[1]) for p in image) / len(image) for image in images if image]
        return sum(means) / len(means) if means else None

    def end_point_error(error, _):
        return error

    values = {
        "end_point_error_over_pixels": over_pixels(end_point_error),
        "end_point_error_over_images": over_images(end_point_error),
        "fl_all_over_pixels": over_pixels(fl),
        "fl_all_over_images": over_images(fl),
        "fl_foreground_over_pixels": over_pixels(fl, REGIONS["foreground"]),
        "fl_background_over_pixels": over_pixels(fl, REGIONS["background"]),
    }
    for pixels in (1, 3, 5):
        values[f"outliers_above_{pixels}px_over_pixels"] = over_pixels(
            lambda e, _, p=pixels: 100.0 * (e > p)
        )
    for name, region in REGIONS.items():
        values[f"end_point_error_{name}_over_pixels"] = over_pixels(end_point_error, region)
    return values


def value_of(name, prediction, batch):
    """Returns the metric's value, or None if it has nothing to say."""
    metric = FLOW_METRICS[name]
    rows = metric.rows(prediction, batch)
    assert all(
        row.dtype == np.float64 and row.shape == (len(batch["flow"]),) for row in rows.values()
    )
    if not rows["weight"].any():
        with pytest.raises(errors.UserError, match="no examples"):
            metric.pooling.value(rows)
        return None
    return metric.pooling.value(rows)


def random_case(seed, size=(3, 5, 7), known=0.7, scale=20.0):
    rng = np.random.default_rng(seed)
    # Both near and far from each other, so that every metric has both sides.
    truth = rng.normal(size=(*size, 2)) * scale
    predicted = truth + rng.normal(size=(*size, 2)) * rng.choice([0.3, 2, 10], size=(*size, 1))
    batch = {
        "flow": truth.astype(np.float32),
        "flow_known": rng.random(size) < known,
        "occlusion": rng.integers(-1, 2, size).astype(np.int8),
        "foreground": rng.integers(-1, 2, size).astype(np.int8),
        "invalid": rng.integers(-1, 2, size).astype(np.int8),
    }
    return {"flow": predicted.astype(np.float32)}, batch


def case(truth, predicted, known=None, **maps):
    """Returns prediction and batch of single-row images from lists [B, W] of vectors."""
    truth = np.array(truth, np.float32)[:, None]
    known = np.ones(truth.shape[:3], bool) if known is None else np.array(known)[:, None]
    batch = {"flow": truth, "flow_known": known}
    batch |= {name: np.array(value, np.int8)[:, None] for name, value in maps.items()}
    return {"flow": np.array(predicted, np.float32)[:, None]}, batch


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)),
    known=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    scale=st.sampled_from([0.0, 3.0, 20.0, 100.0]),
)
def test_every_metric_is_that_of_plain_loops(seed, size, known, scale):
    prediction, batch = random_case(seed, size, known, scale)
    expected = reference(prediction, batch)
    assert expected.keys() == FLOW_METRICS.keys()
    for name, due in expected.items():
        value = value_of(name, prediction, batch)
        assert (value is None) == (due is None), name
        if due is not None:
            assert value == pytest.approx(due, abs=1e-6), name


def test_the_poolings_differ_as_worked_by_hand():
    # Four known pixels of error 1 in the first image; one of error 5, twice the speed, and
    # three unknown ones in the second.
    prediction, batch = case(
        truth=[[(0, 0)] * 4, [(2.5, 0)] * 4],
        predicted=[[(1, 0)] * 4, [(7.5, 0)] * 4],
        known=[[True] * 4, [True, False, False, False]],
    )
    assert value_of("end_point_error_over_pixels", prediction, batch) == (4 * 1 + 5) / 5
    assert value_of("end_point_error_over_images", prediction, batch) == (1 + 5) / 2
    assert value_of("fl_all_over_pixels", prediction, batch) == 100 / 5
    assert value_of("fl_all_over_images", prediction, batch) == 100 / 2


def test_the_borders_belong_where_the_benchmarks_put_them():
    # Errors of exactly 1, 3, 5 px are not above; 3.5 px of 70 is not above 5 %, 3.5 of 69 is.
    errors_of = [1, 3, 5, 3.5, 3.5, 4]
    truth = [[(0, 0), (0, 0), (1000, 0), (70, 0), (69, 0), (0, 0)]]
    predicted = [[(u + e, v) for (u, v), e in zip(truth[0], errors_of, strict=True)]]
    prediction, batch = case(truth, predicted)
    for name, share in (
        ("outliers_above_1px_over_pixels", 5),
        ("outliers_above_3px_over_pixels", 4),
        ("outliers_above_5px_over_pixels", 0),
        ("fl_all_over_pixels", 2),
    ):
        assert value_of(name, prediction, batch) == pytest.approx(100 * share / 6), name
    # Speeds of exactly 10 and 40 belong to the middle.
    prediction, batch = case([[(6, 8), (24, 32), (9.99, 0), (40.01, 0)]], [[(0, 0)] * 4])
    assert value_of("end_point_error_s10_40_over_pixels", prediction, batch) == 25
    assert value_of("end_point_error_s0_10_over_pixels", prediction, batch) == pytest.approx(9.99)
    assert value_of("end_point_error_s40_plus_over_pixels", prediction, batch) == pytest.approx(
        40.01
    )


@pytest.mark.parametrize("junk", [np.nan, np.inf, -np.inf, 1e30, 1e9, 3e38])
@pytest.mark.parametrize("where", ["flow", "prediction", "both"])
def test_what_is_not_known_changes_nothing(junk, where):
    prediction, batch = random_case(1)
    unknown = ~batch["flow_known"]
    junk_prediction = {"flow": prediction["flow"].copy()}
    junk_batch = batch | {"flow": batch["flow"].copy()}
    if where != "flow":
        junk_prediction["flow"][unknown] = junk
    if where != "prediction":
        junk_batch["flow"][unknown] = (junk, -junk)
    for name, metric in FLOW_METRICS.items():
        clean, dirty = metric.rows(prediction, batch), metric.rows(junk_prediction, junk_batch)
        np.testing.assert_array_equal(clean["sum"], dirty["sum"], err_msg=name)
        np.testing.assert_array_equal(clean["weight"], dirty["weight"], err_msg=name)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_broken_prediction_of_a_known_pixel_is_seen(broken):
    prediction, batch = case(
        [[(1, 0), (50, 0)]],
        [[(1, 0), (50, broken)]],
        occlusion=[[0, 1]],
        foreground=[[0, 1]],
        invalid=[[0, 1]],
    )
    for name in FLOW_METRICS:
        has_it = not any(part in name for part in ("s0_10", "_matched", "background", "valid"))
        if name == "end_point_error_s10_40_over_pixels":
            continue  # of which there is none
        value = value_of(name, prediction, batch)
        if not has_it:
            assert value == 0, name
        elif name.startswith("end_point_error"):
            assert math.isnan(value), name
        else:
            assert value == (100 if name == "fl_foreground_over_pixels" else 50), name
    rows = FLOW_METRICS["end_point_error_over_pixels"].rows(prediction, batch)
    assert math.isnan(FLOW_METRICS["end_point_error_over_pixels"].pooling.standard_error(rows))


def test_large_finite_errors_are_exact():
    prediction, batch = case([[(0, 0), (0, 0)]], [[(3e30, 4e30), (0, 0)]])
    value = value_of("end_point_error_over_pixels", prediction, batch)
    assert value == pytest.approx(2.5e30, rel=1e-6)


def test_maps_that_are_absent_or_not_known_give_no_weight():
    prediction, batch = random_case(2)
    without = {name: batch[name] for name in ("flow", "flow_known")}
    blank = np.full(batch["flow_known"].shape, -1, np.int8)
    for maps in ({}, {"occlusion": blank, "foreground": blank}):
        for name in (
            "end_point_error_matched_over_pixels",
            "end_point_error_unmatched_over_pixels",
            "fl_foreground_over_pixels",
        ):
            rows = FLOW_METRICS[name].rows(prediction, without | maps)
            assert not rows["weight"].any()
            assert not rows["sum"].any()
    np.testing.assert_array_equal(
        FLOW_METRICS["fl_all_over_pixels"].rows(prediction, without)["weight"],
        batch["flow_known"].sum((1, 2)),
    )


def test_sums_are_in_float64():
    # In float32 the small errors would vanish beside the large one.
    truth = np.zeros((1, 1, 1001, 2), np.float32)
    predicted = truth.copy()
    predicted[0, 0, :, 0] = [2**26, *[1 / 64] * 1000]
    batch = {"flow": truth, "flow_known": np.ones(truth.shape[:3], bool)}
    rows = FLOW_METRICS["end_point_error_over_pixels"].rows({"flow": predicted}, batch)
    assert rows["sum"].item() == 2**26 + 1000 / 64


def test_arrays_of_jax_are_read_and_inputs_are_left_alone():
    prediction, batch = random_case(3)
    before = {name: array.copy() for name, array in {**batch, "p": prediction["flow"]}.items()}
    in_jax = {name: jnp.asarray(array) for name, array in batch.items()}
    for name, metric in FLOW_METRICS.items():
        ours = metric.rows({"flow": jnp.asarray(prediction["flow"])}, in_jax)
        np.testing.assert_array_equal(ours["sum"], metric.rows(prediction, batch)["sum"], name)
    for name, array in {**batch, "p": prediction["flow"]}.items():
        np.testing.assert_array_equal(array, before[name])


def test_flows_of_different_shape_are_refused():
    prediction, batch = random_case(4)
    for flow in (prediction["flow"][:, :1, :1], prediction["flow"][:1], prediction["flow"][..., 0]):
        with pytest.raises(ValueError, match=r"predicted flow \(.*\) for a true flow \(3, 5, 7, 2"):
            FLOW_METRICS["fl_all_over_pixels"].rows({"flow": flow}, batch)


def test_what_the_metrics_say_of_themselves():
    prediction, batch = random_case(5)
    for name, metric in FLOW_METRICS.items():
        assert value_of(name, {"flow": batch["flow"]}, batch) in (metric.optimum, None)
        assert (metric.direction, metric.optimum) == ("lower", 0)
        assert metric.unit == ("px" if name.startswith("end_point_error") else "%")
        of_images = name.endswith("over_images")
        assert metric.pooling.name == ("MeanOfExamples" if of_images else "PooledOverElements")
        in_part = any(f"_{part}_over" in name for part in REGIONS)
        assert metric.optional == in_part
        assert value_of(name, prediction, batch) > 0
