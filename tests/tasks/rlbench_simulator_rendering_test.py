# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Rendering: rays against geometry worked by hand and against GL, and which one is chosen."""

import logging as python_logging

import numpy as np
import pytest
from perceiver_bench.tasks.rlbench.simulator import TASKS, EmbeddedSimulator, placements, rendering
from perceiver_bench.tasks.rlbench.simulator.ray_caster import RayCaster
from perceiver_bench.tasks.rlbench.simulator.scene import Scene, body, geom
from perceiver_bench.tasks.rlbench.simulator.world import World

from perceiver_bench.errors import UserError

SIZE = 48
GL = [name for name in ("egl", "osmesa") if not rendering._fault(name)]


@pytest.fixture
def fresh_choice():
    """Forgets what was found to work, before and after."""
    rendering._best.cache_clear()
    rendering._fault.cache_clear()
    yield
    rendering._best.cache_clear()
    rendering._fault.cache_clear()


def front_world(shape):
    """Returns a world with a red shape 1 m before the front camera, on its axis."""
    world = World(Scene(body("thing", shape)))
    world.clear()
    camera = placements.CAMERAS["front"]
    ahead = -np.cross(-np.array(camera.left), camera.up)
    world.place("thing", np.array(camera.position) + ahead)
    world.data.joint("hand").qpos[:3] = [0, 0, 3]
    world.refresh()
    world.locate()
    return world


def test_depth_of_a_sphere_is_worked_by_hand():
    radius = 0.2
    world = front_world(geom("sphere", [radius], (1, 0, 0), class_="drawn"))
    rgb, depth = RayCaster(world, SIZE, False).render("front")
    # (1 + s^2) d^2 - 2 d + 1 - r^2 = 0 for a ray of slope s to the axis.
    rays = placements.rays(placements.CAMERAS["front"], SIZE)
    square = 1 + rays[..., 0] ** 2 + rays[..., 1] ** 2
    inner = 1 - square * (1 - radius**2)
    is_hit = inner > 1e-3
    np.testing.assert_allclose(
        depth[is_hit], (1 - np.sqrt(inner[is_hit])) / square[is_hit], rtol=1e-5
    )
    assert (rgb[is_hit][:, 0] > 0).all()
    assert not rgb[is_hit][:, 1:].any()
    assert not (rgb[inner < -1e-3] == rgb[is_hit][0]).all(-1).any()


def test_matt_light_on_a_box_is_worked_by_hand():
    world = front_world(geom("box", [0.2, 0.2, 0.2], (1, 1, 1), class_="drawn"))
    world.model.light_dir[:] = [[-1, 0, 0], [0, -0.6, -0.8]]
    world.refresh()
    rgb, depth = RayCaster(world, SIZE, False).render("front")
    ambient = world.model.vis.headlight.ambient[0]
    first, second = world.model.light_diffuse[:, 0]
    # The camera sees the side that faces +x, which the first light meets at a right angle,
    # and the top, where only the second light falls, at an angle of cosine 0.8.
    side = round(255 * (ambient + first))
    top = round(255 * (ambient + 0.8 * second))
    is_white = (rgb.max(-1) == rgb.min(-1)) & (depth < 1.3)
    found = {int(value) for value in rgb[is_white][:, 0]}
    assert found == {side, top}


def test_a_shadow_takes_its_light_away():
    simulator = EmbeddedSimulator(SIZE, backend="rays")
    simulator.reset("stack_blocks", 0, 1)
    world = simulator._world
    lit, depth = RayCaster(world, SIZE, False).render("front")
    shaded, same = RayCaster(world, SIZE, True).render("front")
    np.testing.assert_array_equal(depth, same)
    difference = lit.astype(int) - shaded
    assert difference.min() == 0
    assert 20 < (difference.max(-1) > 20).sum() < 0.2 * SIZE**2


@pytest.mark.skipif(not GL, reason="needs EGL or OSMesa")
@pytest.mark.parametrize("task", TASKS)
def test_rays_and_gl_agree(task):
    views = []
    for backend in ("rays", GL[0]):
        simulator = EmbeddedSimulator(SIZE, backend=backend)
        observation, _ = simulator.reset(task, 0, 3)
        views.append(observation.cameras)
        simulator.close()
    for name in placements.CAMERAS:
        ray, gl = views[0][name], views[1][name]
        is_off = np.abs(ray.depth - gl.depth) > 1e-3
        # GL has corners where cylinders and balls are round, and rounds at edges elsewhere.
        assert is_off.mean() < 0.005
        colours = np.abs(ray.rgb.astype(int) - gl.rgb).max(-1)
        assert (colours > 3).mean() < 0.005


def test_pictures_depend_on_the_gripper_and_on_the_seed():
    simulator = EmbeddedSimulator(SIZE, backend="rays", camera_names=("front", "wrist"))
    first, _ = simulator.reset("pick_and_lift", 0, 0)
    other, _ = simulator.reset("pick_and_lift", 0, 1)
    assert (first.cameras["front"].rgb != other.cameras["front"].rgb).any()
    pose = other.gripper_pose.copy()
    pose[2] = 1.0
    moved = simulator.step(pose, True, False).observation
    assert (moved.cameras["wrist"].rgb != other.cameras["wrist"].rgb).any()
    assert set(moved.cameras) == {"front", "wrist"}


@pytest.mark.usefixtures("fresh_choice")
def test_no_gl_falls_back_to_rays_and_says_so(monkeypatch, caplog):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(rendering.ctypes.util, "find_library", lambda _: None)
    with caplog.at_level(python_logging.WARNING, logger="absl"):
        assert rendering.choose() == "rays"
    (message,) = caplog.messages
    assert message.startswith("no GL on this machine (egl: the library libEGL is not installed")
    assert "falls back to casting rays" in message


@pytest.mark.usefixtures("fresh_choice")
def test_a_crashing_driver_is_told(monkeypatch):
    monkeypatch.setattr(rendering.ctypes.util, "find_library", lambda name: name)
    monkeypatch.setattr(rendering, "_PROBE", "import os; os._exit(3)")
    with pytest.raises(UserError, match="'egl' does not work here: ends with code 3"):
        rendering.choose("egl")


@pytest.mark.usefixtures("fresh_choice")
def test_the_second_choice_is_taken(monkeypatch):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(rendering.ctypes.util, "find_library", lambda name: name)
    monkeypatch.setattr(rendering, "_PROBE", "import sys; sys.exit(sys.argv[1] == 'egl')")
    assert rendering.choose() == "osmesa"


@pytest.mark.usefixtures("fresh_choice")
def test_a_user_can_switch_gl_off(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "disable")
    assert rendering.choose() == "rays"


def test_unknown_ways_and_sizes_are_refused():
    with pytest.raises(UserError, match="'vulkan': known are egl, osmesa, rays"):
        rendering.choose("vulkan")
    simulator = EmbeddedSimulator(2000, backend="rays")
    with pytest.raises(UserError, match="picture size 2000"):
        simulator.reset("reach_target", 0, 0)
    with pytest.raises(UserError, match=r"\['back'\] unknown; RLBench has front"):
        EmbeddedSimulator(8, camera_names=("back",), backend="rays")


@pytest.mark.parametrize("backend", ["rays", *GL])
def test_simulators_live_beside_each_other(backend):
    first = EmbeddedSimulator(16, backend=backend)
    second = EmbeddedSimulator(24, backend=backend)
    before, _ = first.reset("reach_target", 1, 1)
    other, _ = second.reset("close_jar", 1, 1)
    assert other.cameras["front"].rgb.shape == (24, 24, 3)
    second.close()
    second.close()
    after = first.observe()
    for name, view in before.cameras.items():
        np.testing.assert_array_equal(view.rgb, after.cameras[name].rgb)
        np.testing.assert_array_equal(view.depth, after.cameras[name].depth)
    first.close()
    with pytest.raises(UserError, match="no episode is set up"):
        first.observe()
