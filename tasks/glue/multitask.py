# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""One network for all of GLUE but WNLI (paper, section 4.1 and Table 2)."""

import bisect
import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from perceiver_bench import api

from . import cola, common, mnli, mrpc, qnli, qqp, rte, scores, sst2, stsb
from .multitask_metrics import DATA_SETS, TASKS, metrics, task_of
from .presets import SWEEP, fine_tuning, scratch_training
from .specs import SPECS

_TRAIN_SETS = tuple(name for name in DATA_SETS if name != "mnli_mismatched")
_NUM_CLASSES = tuple(len(SPECS[name].labels or ()) for name in _TRAIN_SETS)  # 0 of a score
_NUM_OUTPUTS = max(SPECS[name].num_outputs for name in DATA_SETS)
_NEVER = -1e30  # of a class that a task does not have


@api.register("glue/multitask")
def multitask() -> api.Task:
    """Returns the task; the network is told which task an example is of.

    The paper does not say how it samples the tasks. Here all training sets are one, so each
    task comes in proportion to its size.
    """
    singles = {
        "cola": cola.cola(),
        "mnli_matched": mnli.mnli_matched(),
        "mnli_mismatched": mnli.mnli_mismatched(),
        "mrpc": mrpc.mrpc(),
        "qnli": qnli.qnli(),
        "qqp": qqp.qqp(),
        "rte": rte.rte(),
        "sst2": sst2.sst2(),
        "stsb": stsb.stsb(),
    }

    def write_demo(folder: pathlib.Path, seed: int) -> None:
        for single in singles.values():
            single.write_demo(folder, seed)

    return api.Task(
        name="glue/multitask",
        version=1,
        summary="one network for eight tasks; the mean of their metrics on the dev sets",
        protocol="glue-dev/average-8",
        layout=f"the files of {', '.join(single.name for single in singles.values())}",
        splits=("train", "dev"),
        presets=_presets(),
        demo_presets=(),
        source=functools.partial(_source, singles),
        prepare_assets=common.prepare_assets,
        preprocess=functools.partial(_preprocess, singles),
        loss=_loss,
        metrics=metrics(
            {name: (one.main_metric, one.metrics[one.main_metric]) for name, one in singles.items()}
        ),
        baselines={},
        write_demo=write_demo,
        paper_rows=("glue/average",),
        # A query of positions is taken over: the first one asks for the task token's output.
        fresh_parts=("adapter.task_tokens", "query.task_queries", "head"),
        sweep=SWEEP,
    )


class _Joined:
    """The examples of several data sets, one set after the other; `data_set` names its own."""

    def __init__(self, parts: Mapping[str, api.Source]) -> None:
        self._names, self._parts = tuple(parts), tuple(parts.values())
        self._starts = [0, *itertools.accumulate(len(part) for part in self._parts)]
        self.fingerprint = {
            "num_examples": len(self),
            **{name: dict(part.fingerprint) for name, part in parts.items()},
        }

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, index: int) -> api.Example:
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = bisect.bisect_right(self._starts, index) - 1
        example = self._parts[number][index - self._starts[number]]
        return {**example, "data_set": self._names[number]}


def _source(
    singles: Mapping[str, api.Task], config: api.TextData, data_dir: pathlib.Path, split: str
) -> _Joined:
    """Returns all training sets as one, or all dev sets; raises UserError for one missing."""
    names = _TRAIN_SETS if split == "train" else DATA_SETS
    return _Joined({name: singles[name].source(config, data_dir, split) for name in names})


def _preprocess(
    singles: Mapping[str, api.Task], config: api.TextData, assets: Mapping[str, bytes]
) -> api.Prepare:
    """Returns `example -> arrays`: those of the example's own task, and which one that is.

    `task` and `data_set` are places in `TASKS` and `DATA_SETS`; a class `label` is a float,
    as scores are. The output to decode is the first: the task token's, or the only one.
    """
    own = {name: single.preprocess(config, assets) for name, single in singles.items()}

    def prepare(example: api.Example, generator: np.random.Generator | None) -> api.Arrays:
        name = example["data_set"]
        arrays = own[name](example, generator)
        return {
            **arrays,
            "label": arrays["label"].astype(np.float32),
            "task": np.array(task_of(name), np.int32),
            "data_set": np.array(DATA_SETS.index(name), np.int32),
            "output_positions": np.zeros(1, np.int32),
        }

    return prepare


def _loss(
    prediction: Mapping[str, Any], batch: Mapping[str, Any], label_smoothing: float
) -> jax.Array:
    """Returns the loss [B] that each example has in its own task.

    Cross-entropy over the classes of that task; of STS-B the squared error.

    Args:
        prediction: `logits` [B, tasks, outputs].
        batch: `task` and `label` [B].
        label_smoothing: 0, for a score has no classes.

    Raises:
        UserError: for any other smoothing.
    """
    task = jnp.asarray(batch["task"])
    logits = jnp.take_along_axis(prediction["logits"], task[:, None, None], axis=1)[:, 0]
    num_classes = jnp.array(_NUM_CLASSES)[task]
    is_score = num_classes == 0
    is_class = jnp.arange(logits.shape[-1]) < num_classes[:, None]
    surprise = api.cross_entropy(
        {"logits": jnp.where(is_class, logits, _NEVER)},
        {"label": jnp.where(is_score, 0, batch["label"]).astype(jnp.int32)},
    )
    error = scores.squared_error({"logits": logits}, batch, label_smoothing)
    return jnp.where(is_score, error, surprise)


def _presets() -> dict[str, api.RunConfig]:
    """Returns the three forms of Table 2 that serve several tasks, in two sizes.

    `base` is the paper's byte network (Table 11) with one of its twelve settings of
    fine-tuning (Table 13); it wants pretrained weights. `tiny` learns from nothing in seconds.
    """
    base = api.language()
    tiny = api.language(
        max_length=192,
        channels=32,
        num_latents=8,
        latent_channels=32,
        num_layers=2,
        num_heads=4,
        qk_channels=32,
    )
    # All dev sets together are as long as 2176 steps of training.
    base_training = dataclasses.replace(fine_tuning(), evaluate_every=20_000)
    tiny_training = scratch_training(steps=600, batch_size=32, learning_rate=3e-3)
    sizes = {"base": (base, base_training), "tiny": (tiny, tiny_training)}
    return {
        f"{size}_{form}": api.RunConfig(
            model=model,
            data=api.TextData(tokenizer="bytes", max_length=model.input.max_text_length),
            train=train,
        )
        for size, (network, train) in sizes.items()
        for form, model in _forms(network).items()
    }


def _forms(network: api.ModelConfig) -> dict[str, Any]:
    """Returns the forms of Table 2 of a masked language model."""
    inputs = network.input
    assert isinstance(inputs, api.TextInput)
    network = dataclasses.replace(
        network, head=api.TaskLogits(num_tasks=len(TASKS), num_outputs=_NUM_OUTPUTS)
    )
    query = api.TaskQuery(num_tasks=len(TASKS), channels=inputs.channels)
    tokens = {
        count: dataclasses.replace(inputs, num_task_tokens=count) for count in (1, len(TASKS))
    }
    return {
        "multitask_query": dataclasses.replace(network, query=query),
        "shared_token": dataclasses.replace(network, input=tokens[1]),
        "task_tokens": dataclasses.replace(network, input=tokens[len(TASKS)]),
    }
