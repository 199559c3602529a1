# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import fast_jit, random_weights

from perceiver_bench import overrides, registry
from perceiver_bench.data.sources import MemorySource
from perceiver_bench.evaluation import network as network_module
from perceiver_bench.evaluation import predict
from perceiver_bench.train.step import structure

LENGTH = 12
TASK = registry.get("glue/sst2")
CHANGES = ("model.encoder.num_latents=4", f"model.input.max_length={LENGTH}")
CHANGES += (f"data.max_length={LENGTH}",)
RUN = overrides.apply(TASK.presets["tiny"], CHANGES)
CONFIG = RUN.model


def source(size):
    return MemorySource([{"number": number} for number in range(size)], {})


def prepare(example, generator):
    assert generator is None
    rng = np.random.default_rng(example["number"])
    mask = (np.arange(LENGTH) < 5 + example["number"] % 7).astype(np.int32)
    return {"inputs": rng.integers(6, 262, LENGTH).astype(np.int32) * mask, "input_mask": mask}


@pytest.fixture(scope="module")
def network():
    weights = random_weights(CONFIG)
    return structure(CONFIG), *jax.tree.map(jnp.asarray, (weights.params, weights.state))


def test_a_network_predicts_each_example_as_it_does_all_at_once(network):
    """19 examples are two groups of 8 and three more; the reference knows no groups."""
    run = predict.of_network(TASK, network[0], RUN, *network[1:], prepare)
    yielded = list(run(source(19)))
    assert [example for example, _, _ in yielded] == [{"number": number} for number in range(19)]
    whole = {
        name: np.stack([prepare({"number": number}, None)[name] for number in range(19)])
        for name in ("inputs", "input_mask")
    }
    for index, (_, arrays, prediction) in enumerate(yielded):
        assert arrays.keys() == whole.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, whole[name][index])
        assert isinstance(prediction["logits"], np.ndarray)
        assert prediction["logits"].shape == (2,)
    graph, params, state = network
    expected = fast_jit(lambda batch: nnx.merge(graph, params, state)(batch))(whole)["logits"]
    ours = np.stack([prediction["logits"] for _, _, prediction in yielded])
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)
    assert len(np.unique(ours)) == ours.size  # examples in another order would differ


def test_two_sources_are_compiled_once(network, monkeypatch):
    traces, merge = [], nnx.merge

    def watched(graph, *states):
        traces.append(graph is network[0])  # the network merges parts of itself too
        return merge(graph, *states)

    monkeypatch.setattr(network_module.nnx, "merge", watched)
    run = predict.of_network(TASK, network[0], RUN, *network[1:], prepare)
    assert len(list(run(source(3)))) == 3
    assert len(list(run(source(17)))) == 17
    assert sum(traces) == 1


@settings(max_examples=20, deadline=None)
@given(size=st.integers(1, 30), group=st.integers(1, 9), limit=st.none() | st.integers(1, 40))
def test_every_example_has_its_own_prediction_once_and_in_order(size, group, limit):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            network_module.nnx, "merge", lambda *_: lambda batch: {"twice": 2 * batch["x"]}
        )
        task = dataclasses.replace(TASK, evaluation_group=group)
        run = predict.of_network(
            task,
            None,
            RUN,
            {},
            {},
            lambda example, _: {"x": np.float32([example["number"], 1])},
            limit,
        )
        yielded = list(run(source(size)))
    due = size if limit is None else min(size, limit)
    assert [example["number"] for example, _, _ in yielded] == list(range(due))
    assert [arrays["x"].tolist() for _, arrays, _ in yielded] == [[i, 1] for i in range(due)]
    assert [one["twice"].tolist() for _, _, one in yielded] == [[2 * i, 2] for i in range(due)]


@pytest.mark.parametrize(("limit", "due"), [(None, 5), (2, 2), (9, 5)])
def test_a_baseline_predicts_from_the_training_split_and_prepares_only_what_is_read(limit, due):
    prepared = []

    def baseline(train, held_out, prepare):
        del prepare
        return {"logits": np.arange(len(held_out))[:, None] + [0, len(train)]}

    def watched(example, generator):
        prepared.append(example["number"])
        return prepare(example, generator)

    run = predict.of_baseline(baseline, lambda: source(7), watched, limit)
    yielded = list(run(source(5)))
    assert [example["number"] for example, _, _ in yielded] == list(range(due))
    assert [one["logits"].tolist() for _, _, one in yielded] == [[i, i + 7] for i in range(due)]
    assert not prepared
    arrays = yielded[1][1]
    np.testing.assert_array_equal(arrays["inputs"], prepare({"number": 1}, None)["inputs"])
    assert (set(arrays), len(arrays)) == ({"inputs", "input_mask"}, 2)
    assert prepared == [1]
