# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import hypothesis
import hypothesis.strategies as st
import jax
import pytest
from flax import nnx
from random_networks import random_batch

from perceiver_bench.model import plan, presets
from perceiver_bench.model.perceiver import PerceiverIO

CROSS = plan.Cross(
    batch=1,
    num_queries=2048,
    num_keys=182_528,
    heads=1,
    query_channels=512,
    key_channels=322,
    qk_channels=322,
    v_channels=322,
    scored_queries=512,
    scored_keys=65,
)


@hypothesis.given(
    rows=st.integers(1, 1024), queries=st.integers(1, 200_000), keys=st.integers(1, 200_000)
)
def test_blocks_bound_the_scores_and_cut_one_side(rows, queries, keys):
    blocks = plan.plan_blocks(rows, queries, keys)
    assert rows % blocks.num_rows == 0
    assert 1 <= blocks.num_queries <= queries
    assert 1 <= blocks.num_keys <= keys
    assert blocks.num_queries == queries or blocks.num_keys == keys
    if blocks.num_rows > 1:
        assert (blocks.num_queries, blocks.num_keys) == (queries, keys)
    scores = blocks.num_rows * blocks.num_queries * blocks.num_keys
    single = 1 in (blocks.num_queries, blocks.num_keys)
    assert scores <= plan.max_scores() or single


@hypothesis.given(
    outer=st.integers(1, 500), inner=st.integers(1, 5000), others=st.integers(1, 5000)
)
def test_blocks_of_a_grid_are_whole_rows_without_padding(outer, inner, others):
    rows = plan.rows_of_grid(outer, inner, others)
    assert outer % rows == 0
    assert rows == 1 or rows * inner * others <= plan.max_scores()


def test_operations_of_the_flow_encoder_by_hand():
    found = plan.path_operations(CROSS)
    queries, keys = 2048, 182_528
    around = queries * 512 * 322 + queries * 322 * 512  # the query's and the output's map
    assert found["plain"] == 2 * (around + 2 * keys * 322 * 322 + 2 * queries * keys * 322)
    assert found["pool"] == 2 * (around + 2 * queries * 322 * 322 + 2 * queries * keys * 65)
    assert min(found, key=found.get) == "pool"


def test_many_heads_are_not_folded():
    assert plan.path_operations(CROSS._replace(heads=2)).keys() == {"plain"}


def test_a_path_can_be_forced_where_it_exists():
    assert plan.choose(CROSS, can_fold=True) == "pool"
    assert plan.choose(CROSS, can_fold=False) == "plain"
    with plan.forced("read"):
        assert plan.choose(CROSS, can_fold=True) == "read"
        assert plan.choose(CROSS, can_fold=False) == "plain"
    with plan.forced("plain"):
        assert plan.choose(CROSS, can_fold=True) == "plain"
        assert plan.plan_blocks(8, 2048, 182_528) == (8, 2048, 182_528)
    assert plan.choose(CROSS, can_fold=True) == "pool"


@pytest.mark.parametrize(("rows", "folds"), [(1, False), (2, False), (10_000, True)])
def test_linear_maps_are_folded_for_many_rows(rows, folds):
    # 100 -> 100 -> 10: the kernel costs 100 * 100 * 10, a row 11,000 or 2,000.
    assert plan.fold_linear(rows, [100, 100, 10]) == folds


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("language", ["plain", "plain"]),
        ("imagenet_fourier", ["pool", "pool"]),
        ("imagenet_learned", ["pool", "pool"]),
        ("imagenet_conv", ["pool", "pool"]),
        ("flow", ["pool", "read"]),
        ("multimodal", ["pool", "read"]),
    ],
)
def test_paths_of_the_released_networks(name, paths):
    config = presets.preset(name)
    batch = jax.eval_shape(lambda: random_batch(config))
    batch = {key: value for key, value in batch.items() if not key.endswith("_points")}
    model = nnx.eval_shape(lambda: PerceiverIO(config, rngs=nnx.Rngs(0)))
    structure, state = nnx.split(model)
    with plan.recorded() as choices:
        jax.eval_shape(lambda state, batch: nnx.merge(structure, state)(batch), state, batch)
    assert [choice.path for choice in choices] == paths
    for choice in choices:
        assert choice.operations[choice.path] == min(choice.operations.values())
