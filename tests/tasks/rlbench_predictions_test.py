# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What `--mode=predict` writes of episodes, whose actions are an expert's or made up."""

import csv
import io
import pathlib
import re

import av
import numpy as np
import pytest
from perceiver_bench.tasks.rlbench import predictions
from perceiver_bench.tasks.rlbench.simulator import TASKS, EmbeddedSimulator
from perceiver_bench.tasks.rlbench.simulator.task import above
from PIL import Image

from perceiver_bench import api
from perceiver_bench.errors import UserError
from perceiver_bench.metrics.success import MeanOverTasks

MOST = 3
COLUMNS = ["task", "variation", "seed", "run", "instruction", "success", "cause", "num_keyframes"]
OUTSIDE = [*above(np.array([2.0, 0.0, 1.0])), 1.0, 0.0]
ASIDE = [*above(np.array([0.2, 0.0, 1.3])), 1.0, 0.0]
TABLES = ["episodes.csv", "success.md"]


def make_simulator(config):
    assert config == "config"
    return EmbeddedSimulator(16, camera_names=(), backend="rays", max_keyframes=MOST)


@pytest.fixture(scope="module")
def simulator():
    simulator = make_simulator("config")
    yield simulator
    simulator.close()


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(predictions, "_FILM_SIZE", 32)
    monkeypatch.setattr(predictions, "_PANEL_SIZE", 32)


def example_of(task, variation=0, seed=0, run=0, **more):
    return {"task": task, "variation": variation, "seed": seed, "run": run, **more}


def prediction_of(actions, success, cause):
    padded = np.zeros((MOST, 9))
    padded[: len(actions)] = np.reshape(actions, (-1, 9))
    return {
        "success": np.float32(success),
        "cause": np.int32(cause),
        "num_keyframes": np.int32(len(actions)),
        "actions": padded,
    }


def expert_actions(simulator, task, variation, seed, wanted=None):
    simulator.reset(task, variation, seed)
    if wanted:
        simulator._task._wanted = [wanted]
    return [[*one.pose, one.is_open, one.ignore_collisions] for one in simulator.expert()]


def solved(simulator, task, variation=0, seed=0, run=0, **more):
    actions = expert_actions(simulator, task, variation, seed)
    return example_of(task, variation, seed, run, **more), prediction_of(actions, 1, 0)


def mistaken(simulator, seed):
    actions = expert_actions(simulator, "push_button", 0, seed, wanted="button1")
    return example_of("push_button", 0, seed), prediction_of(actions, 0, 2)


def failed(task, seed, actions, cause):
    return example_of(task, 1, seed), prediction_of(actions, 0, cause)


def stream(pairs, maker=make_simulator):
    """Gives the files as they come, of pairs of an example and the prediction for it."""

    def source(*arguments):
        assert arguments == ("config", pathlib.Path("data"), "test")
        return api.MemorySource([example for example, _ in pairs], {})

    def run(source):
        for index, (_, prediction) in enumerate(pairs):
            yield source[index], {}, prediction

    return predictions.write_files(source, "test", maker, "config", {}, pathlib.Path("data"), run)


def rows_of(files):
    reader = csv.DictReader(io.StringIO(files["episodes.csv"].decode(), newline=""), strict=True)
    assert reader.fieldnames == COLUMNS
    return list(reader)


def cells_of(files):
    """Gives the cells of the table in success.md by the first of each row."""
    lines = [line for line in files["success.md"].decode().splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len({len(row) for row in rows}) == 1
    return {name: cells for name, *cells in rows}


def drawings_of(files):
    return [name for name in files if name not in TABLES]


@pytest.fixture(scope="module")
def case():
    """Gives episodes that end in all ways, and the files."""
    simulator = make_simulator("config")
    pairs = [
        solved(simulator, "reach_target", 2, 7),
        mistaken(simulator, 0),
        failed("reach_target", 8, [ASIDE, OUTSIDE], 1),
        failed("push_button", 9, [ASIDE] * MOST, 3),
        failed("reach_target", 9, [], 3),
        solved(simulator, "push_button", 1, 1),
        failed("reach_target", 10, [OUTSIDE], 1),
        failed("reach_target", 11, [OUTSIDE], 1),
    ]
    simulator.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predictions, "_FILM_SIZE", 32)
        patch.setattr(predictions, "_PANEL_SIZE", 32)
        files = list(stream(pairs))
    assert [name for name, _ in files[:2]] == TABLES
    assert len(dict(files)) == len(files)
    return pairs, dict(files)


def test_a_row_for_every_episode(case):
    pairs, files = case
    rows = rows_of(files)
    assert [(row["task"], row["seed"]) for row in rows] == [
        (example["task"], str(example["seed"])) for example, _ in pairs
    ]
    assert [row["variation"] for row in rows[:3]] == ["2", "0", "1"]
    assert {row["run"] for row in rows} == {"0"}
    assert [row["success"] for row in rows] == list("10000100")
    assert [row["cause"] for row in rows] == [
        *("", "wrong object", "planner", "time", "time", "", "planner", "planner")
    ]
    assert [row["num_keyframes"] for row in rows] == list("12230211")
    assert rows[0]["instruction"] == "reach the blue target"


def wilson(right, number):
    """Returns Wilson's interval in percent by its formula, z the normal's quantile of 97.5 %."""
    z, share = 1.959963984540054, right / number
    middle = (share + z**2 / (2 * number)) / (1 + z**2 / number)
    half = z / (1 + z**2 / number)
    half *= np.sqrt(share * (1 - share) / number + z**2 / (4 * number**2))
    return f"{100 * (middle - half):.1f} to {100 * (middle + half):.1f} %"


def test_success_by_task(case):
    _, files = case
    cells = cells_of(files)
    assert list(cells) == ["task", "---", "reach_target", "push_button", "mean over tasks"]
    assert cells["task"][-3:] == ["planner", "wrong object", "time"]
    assert cells["reach_target"] == ["5", "5", "20.0 %", wilson(1, 5), "3", "0", "1"]
    assert cells["push_button"] == ["3", "3", "33.3 %", wilson(1, 3), "0", "1", "1"]
    assert cells["mean over tasks"][:3] == ["8", "8", "26.7 %"]
    assert cells["mean over tasks"][4:] == ["3", "1", "2"]
    assert "not RLBench" in files["success.md"].decode()


def test_the_mean_has_the_interval_of_the_metric(case):
    pairs, files = case
    rows = {
        "sum": np.array([prediction["success"] for _, prediction in pairs]),
        "weight": np.ones(len(pairs)),
        "task": np.array([example["task"] == "push_button" for example, _ in pairs]),
        "variation": np.array([example["variation"] for example, _ in pairs]),
        "seed": np.array([example["seed"] for example, _ in pairs]),
    }
    low, high = MeanOverTasks().interval(rows)
    assert cells_of(files)["mean over tasks"][3] == f"{low:.1f} to {high:.1f} %"


def name_of(example):
    return f"{example['task']}_variation{example['variation']}_seed{example['seed']}"


def test_the_first_of_each_task_and_of_each_cause_are_drawn(case):
    """Left out are a third episode of a task, which is a success, and a third refusal."""
    pairs, files = case
    names = [name_of(example) for number, (example, _) in enumerate(pairs) if number not in (5, 7)]
    expected = [one for name in names for one in (f"strips/{name}.png", f"videos/{name}.mp4")]
    assert drawings_of(files) == expected
    page = files["success.md"].decode()
    assert set(re.findall(r"\(([^()]+\.(?:png|mp4))\)", page)) == set(expected)


def test_strips_are_pictures_of_all_keyframes(case):
    pairs, files = case
    counts = {name_of(example): int(one["num_keyframes"]) for example, one in pairs}
    for name in drawings_of(files):
        path = pathlib.PurePath(name)
        if path.suffix == ".png":
            picture = Image.open(io.BytesIO(files[name]))
            picture.load()
            assert picture.format == "PNG"
            drawn = (np.asarray(picture)[-20] != 250).any(axis=-1)
            assert drawn.sum() == 32 * (counts[path.stem] + 1)


def test_videos_show_what_was_done(case):
    pairs, files = case
    still = {name_of(example) for example, one in pairs if one["actions"][0, 0] in (0.0, 2.0)}
    for name in drawings_of(files):
        path = pathlib.PurePath(name)
        if path.suffix == ".mp4":
            with av.open(io.BytesIO(files[name])) as container:
                frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
            assert (len(frames) == 26) == (path.stem in still)
            assert len(frames) >= 26
            assert {frame.shape for frame in frames} == {(len(frames[0]), 32, 3)}
            assert len(files[name]) < 100_000


def test_the_files_have_the_same_bytes_again(case):
    pairs, files = case
    assert dict(stream(pairs[:3])).keys() <= files.keys()
    for name, content in stream(pairs[:3]):
        if name not in TABLES:
            assert content == files[name]


def test_names_are_safe():
    for task in TASKS:
        name = predictions._Episode(task, 1, 2_000_000, 0, "", True, None, np.zeros(0)).name
        assert re.fullmatch(r"[a-z_]+_variation1_seed2000000", name)
    with pytest.raises(UserError, match="unknown"):
        list(stream([(example_of("../reach_target"), prediction_of([], 0, 3))]))


@pytest.mark.parametrize(
    ("instruction", "told"),
    [
        ('say "push", then\r\npush; ünd→', 'say "push", then\r\npush; ünd→'),
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("", ""),
        ("push the button " * 1000, "push the button " * 1000),
        ("lone \udcff", "lone \\udcff"),
    ],
    ids=["marks", "formula", "empty", "long", "no utf-8"],
)
def test_instructions_in_the_table(simulator, instruction, told):
    pair = solved(simulator, "reach_target", instruction=instruction)
    files = dict(stream([pair]))
    assert rows_of(files)[0]["instruction"] == told
    assert len(drawings_of(files)) == 2


def test_runs_of_one_episode_are_drawn_once_and_are_no_more_episodes(simulator):
    pairs = [solved(simulator, "reach_target", 0, 3, run) for run in range(4)]
    pairs += [failed("reach_target", 4, [ASIDE], 3)]
    files = dict(stream(pairs))
    assert [row["run"] for row in rows_of(files)] == list("01230")
    assert cells_of(files)["reach_target"][:4] == ["2", "5", "50.0 %", wilson(1, 2)]
    assert "mean over tasks" not in cells_of(files)
    assert len(drawings_of(files)) == 4


def test_another_simulator_is_not_drawn(simulator):
    pairs = [solved(simulator, "reach_target", instruction="reach"), mistaken(simulator, 0)]
    files = dict(stream(pairs, maker=None))
    assert list(files) == TABLES
    assert [row["instruction"] for row in rows_of(files)] == ["reach", ""]
    page = files["success.md"].decode()
    assert "embedded" not in page
    assert "](" not in page


def test_no_episodes():
    files = dict(stream([]))
    assert list(files) == TABLES
    assert rows_of(files) == []
    assert list(cells_of(files)) == ["task", "---"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"success": 0, "cause": 3}, "to failure: time after 1 keyframes.* to success after 1;"),
        ({"actions": [OUTSIDE]}, "to success after 1 keyframes.* to failure: planner after 1;"),
        ({"success": 0, "cause": 2, "actions": [OUTSIDE]}, "failure: wrong object.*planner"),
        (
            {"success": 0, "cause": 1, "actions": [OUTSIDE, ASIDE]},
            "failure: planner after 2 keyframes.*failure: planner after 1;",
        ),
    ],
    ids=["better", "worse", "other cause", "sooner"],
)
def test_another_end_is_an_error_after_the_tables(simulator, change, message):
    actions = expert_actions(simulator, "reach_target", 0, 0)
    prediction = prediction_of(
        change.get("actions", actions), change.get("success", 1), change.get("cause", 0)
    )
    files = stream([(example_of("reach_target"), prediction)])
    assert [next(files)[0], next(files)[0]] == TABLES
    with pytest.raises(UserError, match=message) as caught:
        next(files)
    assert str(caught.value).startswith("videos/reach_target_variation0_seed0.mp4: ")
    assert "\n" not in str(caught.value)


def test_the_simulator_is_closed(simulator):
    closed = []

    def maker(config):
        made = make_simulator(config)
        made.close = lambda: closed.append(made)
        return made

    files = stream([solved(simulator, "reach_target")], maker)
    assert next(files)[0] == "episodes.csv"
    assert not closed
    files.close()
    assert len(closed) == 1
