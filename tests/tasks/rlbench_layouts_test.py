# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import pickle

import pytest
import rlbench_made_files as made
from perceiver_bench.tasks.rlbench import episodes, layouts

from perceiver_bench.errors import UserError


def folders(root, *names):
    for name in names:
        (root / name).mkdir(parents=True)
    return root


def found(root, task):
    return [(one.variation, one.number) for one in layouts.find_episodes(root, task)]


def test_the_layout_of_rlbench_is_in_the_order_of_numbers(tmp_path):
    folders(
        tmp_path,
        "close_jar/variation10/episodes/episode2",
        "close_jar/variation10/episodes/episode10",
        "close_jar/variation2/episodes/episode1",
        "close_jar/variation2/episodes/episode0",
    )
    assert found(tmp_path, "close_jar") == [(2, 0), (2, 1), (10, 2), (10, 10)]
    first = layouts.find_episodes(tmp_path, "close_jar")[0]
    assert first.path == tmp_path / "close_jar/variation2/episodes/episode0"
    assert first.task == "close_jar"


def test_the_layout_of_peract_has_no_variation_in_its_names(tmp_path):
    folders(tmp_path, *(f"a/all_variations/episodes/episode{n}" for n in (11, 9, 0)))
    assert found(tmp_path, "a") == [(None, 0), (None, 9), (None, 11)]


def test_other_files_and_folders_are_passed_over(tmp_path):
    folders(
        tmp_path,
        "a/variation0/episodes/episode0",
        "a/variation0/episodes/episode_1",
        "a/variation0/episodes/.episode2.tmp",
        "a/variationX/episodes/episode0",
        "a/variation1",
        "notes",
    )
    (tmp_path / "a/variation0/episodes/episode3").write_text("no folder")
    (tmp_path / "README").write_text("")
    assert layouts.find_tasks(tmp_path) == ("a",)
    assert found(tmp_path, "a") == [(0, 0)]


def test_tasks_of_both_layouts_are_listed(tmp_path):
    folders(tmp_path, "b/all_variations/episodes/episode0", "a/variation3/episodes/episode0")
    assert layouts.find_tasks(tmp_path) == ("a", "b")


def test_a_task_in_both_layouts_is_refused(tmp_path):
    folders(tmp_path, "a/all_variations/episodes/episode0", "a/variation0/episodes/episode0")
    with pytest.raises(UserError, match=r"a: has both all_variations and single variations"):
        layouts.find_episodes(tmp_path, "a")


@pytest.mark.parametrize("name", ["missing", "empty", "file"])
def test_a_folder_without_episodes_is_told(name, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    root = tmp_path / name
    with pytest.raises(UserError, match=f"{name}"):
        layouts.find_tasks(root)
    with pytest.raises(UserError, match=r"no episodes of reach_target; it should hold TASK"):
        layouts.find_episodes(root, "reach_target")


@pytest.mark.parametrize("write", [made.write_stock, made.write_peract])
def test_instructions_in_the_episode_go_before_those_of_the_variation(write, tmp_path):
    folder = write(tmp_path)
    (opened,) = episodes.open_episodes(tmp_path, "reach_target")
    assert opened.descriptions == tuple(made.INSTRUCTIONS)
    (folder / "variation_descriptions.pkl").write_bytes(pickle.dumps(["nearest"]))
    (folder.parents[1] / "variation_descriptions.pkl").write_bytes(pickle.dumps(["farther"]))
    (opened,) = episodes.open_episodes(tmp_path, "reach_target")
    assert opened.instruction() == "nearest"
    (folder / "variation_descriptions.pkl").unlink()
    (opened,) = episodes.open_episodes(tmp_path, "reach_target")
    assert opened.instruction() == "farther"


def test_the_variation_is_that_of_the_folder_or_of_the_file(tmp_path):
    made.write_stock(tmp_path, "a", 4, variation=7)
    made.write_peract(tmp_path, "b", 5, variation=11)
    (stock,) = episodes.open_episodes(tmp_path, "a")
    (peract,) = episodes.open_episodes(tmp_path, "b")
    assert (stock.task, stock.variation, stock.number) == ("a", 7, 4)
    assert (peract.task, peract.variation, peract.number) == ("b", 11, 5)
