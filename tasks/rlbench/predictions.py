# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What `--mode=predict` writes: how each episode ended, success by task, videos, film strips."""

import collections
import csv
import dataclasses
import io
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from perceiver_bench import api

from .film_strips import film_strip
from .policy import CAUSES
from .simulator import Cause, EmbeddedSimulator
from .simulator.replays import outcome, replay
from .simulator.video import film

_NUM_DRAWN = 2
# In pixels.
_FILM_SIZE = 320
_PANEL_SIZE = 200
# A spreadsheet takes a text that begins with one of them for a formula, and runs it.
_STARTS_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@dataclasses.dataclass(frozen=True)
class _Episode:
    """What was asked, and what the network did; `actions` are [num_keyframes, 9]."""

    task: str
    variation: int
    seed: int
    run: int
    instruction: str
    success: bool
    cause: Cause | None
    actions: np.ndarray

    @property
    def name(self) -> str:
        return f"{self.task}_variation{self.variation}_seed{self.seed}"

    @property
    def outcome(self) -> str:
        return outcome(self.success, self.cause)


def write_files(
    source: Callable[[Any, pathlib.Path, str], api.Source],
    split: str,
    make_simulator: Callable[[Any], EmbeddedSimulator] | None,
    config: Any,
    assets: Mapping[str, bytes],
    data_dir: pathlib.Path,
    run: api.Predict,
) -> Iterator[tuple[str, bytes]]:
    """Yields the files of one split.

    `episodes.csv` has a row for every run of an episode, in the data's order; an instruction
    that a spreadsheet would run as a formula begins with an apostrophe. `success.md` has the
    success of each task with its interval, and how many runs failed for which cause. Of the
    first two episodes of each task, and the first two failures of each cause, there are
    `strips/TASK_variationV_seedS.png` and `videos/TASK_variationV_seedS.mp4`, made by carrying
    the actions of the first run out again.

    Args:
        source: opens the data. Examples have `task`, `variation`, `seed` and `run`, and may
            have an `instruction`; of others it is the embedded simulator's.
        split: of the data.
        make_simulator: makes the simulator that the episodes ran in, of the configuration;
            None for one that does not repeat itself, whose episodes cannot be drawn.
        config: the data configuration.
        assets: are not needed.
        data_dir: where the data are.
        run: yields predictions `success` [], `cause` [] (0, or from 1 on the place of a
            `Cause`), `num_keyframes` [], and `actions` [most, 9], of which the first
            `num_keyframes` were carried out.

    Raises:
        UserError: if actions that are carried out again lead to another end.
    """
    del assets
    simulator = make_simulator(config) if make_simulator else None
    try:
        episodes = [
            _episode(example, prediction, simulator)
            for example, _, prediction in run(source(config, data_dir, split))
        ]
        drawn = _drawn(episodes) if simulator else []
        yield "episodes.csv", _table(episodes)
        yield "success.md", _summary(episodes, drawn, is_embedded=simulator is not None)
        if simulator:
            for episode in drawn:
                yield from _drawings(simulator, episode)
    finally:
        if simulator:
            simulator.close()


def _episode(
    example: api.Example, prediction: api.Arrays, simulator: EmbeddedSimulator | None
) -> _Episode:
    task, variation = example["task"], int(example["variation"])
    told = simulator.instructions(task, variation)[0] if simulator else ""
    cause = int(prediction["cause"])
    return _Episode(
        task=task,
        variation=variation,
        seed=int(example["seed"]),
        run=int(example["run"]),
        instruction=example.get("instruction", told),
        success=bool(prediction["success"] > 0.5),
        cause=CAUSES[cause - 1] if cause else None,
        actions=np.array(prediction["actions"][: int(prediction["num_keyframes"])]),
    )


def _drawn(episodes: Sequence[_Episode]) -> list[_Episode]:
    """Returns the first episodes of each task and the first failures of each cause, in order."""
    drawn: dict[str, _Episode] = {}
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    for episode in episodes:
        if episode.name in drawn:  # another run of it
            continue
        kinds = [("task", episode.task)]
        if not episode.success:
            kinds.append(("outcome", episode.outcome))
        if any(counts[kind] < _NUM_DRAWN for kind in kinds):
            drawn[episode.name] = episode
        counts.update(kinds)
    return list(drawn.values())


def _drawings(simulator: EmbeddedSimulator, episode: _Episode) -> Iterator[tuple[str, bytes]]:
    """Yields the film strip and the video of an episode."""
    again = replay(simulator, episode.task, episode.variation, episode.seed, episode.actions)
    # Where the network gave up, nothing ends the replay.
    is_same = again.success == episode.success and again.cause in (None, episode.cause)
    if not is_same or again.num_keyframes != len(episode.actions):
        raise api.UserError(
            f"videos/{episode.name}.mp4: the actions led to {episode.outcome} after"
            f" {len(episode.actions)} keyframes, and carried out again to {again.outcome} after"
            f" {again.num_keyframes}; no episode of a simulator that does not repeat itself is"
            " drawn, and episodes.csv and success.md are complete"
        )
    again = dataclasses.replace(again, cause=episode.cause)
    content = film_strip(simulator, again, episode.instruction, _PANEL_SIZE)
    yield f"strips/{episode.name}.png", content
    yield f"videos/{episode.name}.mp4", film(simulator, again, episode.instruction, _FILM_SIZE)


def _table(episodes: Sequence[_Episode]) -> bytes:
    """Returns a CSV file in UTF-8."""
    file = io.StringIO(newline="")
    # Lines end in \r\n, the module's own choice: else an instruction with a \r would break.
    writer = csv.writer(file)
    writer.writerow(
        ("task", "variation", "seed", "run", "instruction", "success", "cause", "num_keyframes")
    )
    for one in episodes:
        writer.writerow(
            (
                *(one.task, one.variation, one.seed, one.run, _text(one.instruction)),
                *(int(one.success), one.cause or "", len(one.actions)),
            )
        )
    return file.getvalue().encode("utf-8", "backslashreplace")


def _text(text: str) -> str:
    return f"'{text}" if text.startswith(_STARTS_OF_FORMULAS) else text


def _summary(
    episodes: Sequence[_Episode], drawn: Sequence[_Episode], *, is_embedded: bool
) -> bytes:
    """Returns a page in Markdown."""
    tasks = list(dict.fromkeys(one.task for one in episodes))
    header = ["task", "episodes", "runs", "success", "95 % interval", *CAUSES]
    lines = ["# Success", "", _row(header), _row(["---", *["---:"] * (len(header) - 1)])]
    lines += [_row(_cells(task, [one for one in episodes if one.task == task])) for task in tasks]
    if len(tasks) > 1:
        lines.append(_row(_cells("mean over tasks", episodes)))
    lines += ["", "The last columns count the runs that failed, by cause."]
    if is_embedded:
        lines += [
            "The episodes are the embedded simulator's, which is not RLBench: its success rates"
            " do not compare with those that are published for RLBench."
        ]
    for episode in drawn:
        name = episode.name
        lines += ["", f"[![{name}](strips/{name}.png)](videos/{name}.mp4)"]
    return "\n".join([*lines, ""]).encode()


def _cells(name: str, episodes: Sequence[_Episode]) -> list[str]:
    """Returns the cells of some episodes: how many, their success, failures by cause."""
    tasks = sorted({one.task for one in episodes})
    rows = {
        "sum": np.array([one.success for one in episodes], np.float64),
        "weight": np.ones(len(episodes)),
        "task": np.array([tasks.index(one.task) for one in episodes]),
        "variation": np.array([one.variation for one in episodes]),
        "seed": np.array([one.seed for one in episodes]),
    }
    pooling = api.MeanOverTasks()
    low, high = pooling.interval(rows)
    return [
        name,
        str(len({one.name for one in episodes})),
        str(len(episodes)),
        f"{pooling.value(rows):.1f} %",
        f"{low:.1f} to {high:.1f} %",
        *(str(sum(one.cause == cause for one in episodes)) for cause in CAUSES),
    ]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
