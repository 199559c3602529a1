# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Where rays meet shapes, against MuJoCo's own ray."""

import mujoco
import numpy as np
import pytest
from perceiver_bench.tasks.rlbench.simulator import shapes
from scipy.spatial.transform import Rotation

SIZES = {"box": (0.3, 0.2, 0.1), "sphere": (0.3,), "cylinder": (0.2, 0.3)}


def model_of(kind):
    size = " ".join(map(str, SIZES[kind]))
    model = mujoco.MjModel.from_xml_string(
        f'<mujoco><worldbody><geom type="{kind}" size="{size}" contype="0" conaffinity="0"/>'
        "</worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def reference(model, data, origins, rays):
    number = np.zeros(1, np.int32)
    found = [
        mujoco.mj_ray(model, data, origin, ray, None, 1, -1, number)
        for origin, ray in zip(origins, rays, strict=True)
    ]
    return np.where(np.array(found) < 0, np.inf, found)


@pytest.mark.parametrize("kind", SIZES)
def test_distances_are_mujocos(kind):
    model, data = model_of(kind)
    generator = np.random.default_rng(0)
    outwards = Rotation.random(500, rng=generator).apply([1.0, 0.0, 0.0])
    origins = outwards * generator.uniform(0.5, 2, (500, 1))
    rays = generator.uniform(-0.35, 0.35, (500, 3)) - origins
    rays[:100] *= -1
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    found = shapes.distances(model.geom_type[0], model.geom_size[0], origins, rays)
    expected = reference(model, data, origins, rays)
    assert 100 < np.isfinite(expected).sum() < 450
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    # Lengths of a ray, not metres.
    twice = shapes.distances(model.geom_type[0], model.geom_size[0], origins, 2 * rays)
    np.testing.assert_allclose(twice, expected / 2, rtol=1e-9)


@pytest.mark.parametrize("kind", SIZES)
def test_rays_along_the_axes(kind):
    model, data = model_of(kind)
    rays = np.concatenate([np.eye(3), -np.eye(3)])
    for aside in (0.0, 0.15, 0.25):
        origins = -2 * rays + aside * np.roll(np.abs(rays), 1, axis=1)
        found = shapes.distances(model.geom_type[0], model.geom_size[0], origins, rays)
        np.testing.assert_allclose(found, reference(model, data, origins, rays), rtol=1e-9)


@pytest.mark.parametrize("kind", SIZES)
def test_from_inside_nothing_is_met(kind):
    model, _ = model_of(kind)
    found = shapes.distances(
        model.geom_type[0], model.geom_size[0], np.zeros((6, 3)), np.vstack([np.eye(3)] * 2)
    )
    assert np.isinf(found).all()


@pytest.mark.parametrize("kind", SIZES)
def test_normals_point_out_of_the_surface(kind):
    """A step along the normal leaves the shape by just as much."""
    model, data = model_of(kind)
    generator = np.random.default_rng(1)
    origins = Rotation.random(200, rng=generator).apply([1.5, 0.0, 0.0])
    rays = -origins / 1.5
    kind, size = model.geom_type[0], model.geom_size[0]
    points = origins + shapes.distances(kind, size, origins, rays)[:, None] * rays
    normals = shapes.normals(kind, size, points)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, rtol=1e-9)
    back = reference(model, data, points + 0.01 * normals, -normals)
    np.testing.assert_allclose(back, 0.01, rtol=1e-6)


def test_other_shapes_are_refused():
    with pytest.raises(NotImplementedError, match="geoms of type 3"):
        shapes.distances(3, np.ones(3), np.zeros((1, 3)), np.ones((1, 3)))
