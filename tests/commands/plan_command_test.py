# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=plan`, what is kept between runs, and the flags of `--mode=benchmark`."""

import pathlib

import jax
import pytest
import tiny_runs
from flax import nnx
from random_networks import random_batch

from perceiver_bench.commands import setup
from perceiver_bench.commands.plan import describe
from perceiver_bench.model import plan, presets
from perceiver_bench.model.perceiver import PerceiverIO


def test_a_plan_shows_every_path_with_its_operations_and_marks_the_cheapest():
    lines = describe("flow", []).splitlines()
    assert lines[0].startswith("flow: 41,057,134 parameters")
    marked = [line.split() for line in lines if line.lstrip().startswith("*")]
    assert [words[1] for words in marked] == ["pool", "read"]
    costs = [float(line.split()[-2].replace(",", "")) for line in lines if line.endswith("GFLOP")]
    assert float(marked[0][2].replace(",", "")) == min(costs[:3])
    assert float(marked[1][2].replace(",", "")) == min(costs[3:])
    assert "16 heads, 24 layers" in lines[-1]


def test_a_plan_follows_changes_of_the_network():
    two_heads = describe("flow_tiny", ["decoder.cross_attention.num_heads=2"])
    assert "2 heads: plain" in two_heads
    assert "read (" in describe("flow_tiny", [])


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("language_bert_tiny", 0),
        ("perceiver_fourier_tiny", 1),
        ("imagenet_conv_tiny", 2),
        ("flow_apart_tiny", 2),
        ("multimodal_tiny", 2),
    ],
)
def test_a_plan_has_every_cross_attention_once(name, count):
    config = presets.preset(name)
    batch = {key: one for key, one in random_batch(config, 1).items() if "_points" not in key}
    model = nnx.eval_shape(lambda: PerceiverIO(config, rngs=nnx.Rngs(0)))
    with plan.recorded() as choices:
        nnx.eval_shape(lambda model: model(batch), model)
    lines = [line for line in describe(name, []).splitlines() if "cross-attention" in line]
    assert len(lines) == len(choices) == count
    for line, (cross, _, path) in zip(lines, choices, strict=True):
        assert f" {cross.num_queries:,} queries [{cross.query_channels}] " in line
        assert f" {cross.num_keys:,} inputs [{cross.key_channels}], " in line
        assert f": {path} (" in line
        assert ("in each of 2 blocks" in line) == name.startswith("perceiver")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mode=plan"], "--model: exactly one is due"),
        (["--mode=plan", "--model=flaw"], "--model=flaw: no such model. Did you mean 'flow'"),
        (["--mode=plan", "--model=flow", "--set=encoder.num_latents=0"], "at least 1 is due"),
        (["--mode=benchmark", "--job=forwards"], "--job=forwards: no such job."),
        (["--mode=benchmark", "--model=flow,x"], "--model=x: no such model"),
        (["--mode=benchmark", "--job=growth", "--model=language"], "growth is measured with flow"),
    ],
)
def test_wrong_flags_are_one_line(arguments, message, capfd):
    assert message in tiny_runs.complaint(capfd, *arguments)


@pytest.fixture
def no_cache():
    """JAX without a cache of compiled code, and with the one of the tests again afterwards."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    jax.config.update("jax_compilation_cache_dir", before)


@pytest.mark.usefixtures("no_cache")
def test_training_keeps_compiled_programs_in_its_workdir_for_each_processor(tmp_path, monkeypatch):
    folders = []
    for flags in ("avx2", "avx2,avx512f", "avx2"):
        jax.config.update("jax_compilation_cache_dir", None)
        monkeypatch.setattr(setup, "cpu_flags", lambda flags=flags: flags)
        setup.cache_compilations(tmp_path)
        folders.append(pathlib.Path(jax.config.jax_compilation_cache_dir))
    assert {folder.parent for folder in folders} == {tmp_path / "compilation_cache"}
    assert folders[0] == folders[2] != folders[1]


@pytest.mark.usefixtures("no_cache")
def test_a_cache_that_is_named_already_stays(tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "other"))
    setup.cache_compilations(tmp_path)
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "other")
