# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perceiver_bench import overrides, registry
from perceiver_bench.errors import UserError
from perceiver_bench.model import presets

RUN = registry.get("glue/sst2").presets["tiny"]


@pytest.mark.parametrize(
    ("change", "read", "value"),
    [
        ("train.steps=7", lambda c: c.train.steps, 7),
        ("train.optimizer.learning_rate=1e-4", lambda c: c.train.optimizer.learning_rate, 1e-4),
        ("train.optimizer.learning_rate=2", lambda c: c.train.optimizer.learning_rate, 2.0),
        ("train.optimizer.clip_norm=none", lambda c: c.train.optimizer.clip_norm, None),
        ("train.optimizer.clip_norm=0.5", lambda c: c.train.optimizer.clip_norm, 0.5),
        ("train.optimizer.name=lamb", lambda c: c.train.optimizer.name, "lamb"),
        ("model.remat=True", lambda c: c.model.remat, True),
        ("model.remat=false", lambda c: c.model.remat, False),
        ("data.model=a=b.model", lambda c: c.data.model, "a=b.model"),
        (
            "model.encoder.cross_attention.qk_channels=8",
            lambda c: c.model.encoder.cross_attention.qk_channels,
            8,
        ),
    ],
)
def test_a_value_gets_the_type_of_its_field(change, read, value):
    changed = read(overrides.apply(RUN, [change]))
    assert changed == value
    assert type(changed) is type(value)


def test_one_field_changes_and_the_original_does_not():
    changed = overrides.apply(RUN, ["model.encoder.num_latents=5"])
    assert RUN.model.encoder.num_latents == 8
    assert changed.train is RUN.train
    back = overrides.apply(changed, ["model.encoder.num_latents=8"])
    assert back == RUN


@pytest.mark.parametrize("text", ["20,30", "(20, 30)", "[20,30]"])
def test_tuples(text):
    config = overrides.apply(presets.flow(), [f"input.size={text}"])
    assert config.input.size == (20, 30)
    config = overrides.apply(presets.flow(), [f"input.position.max_resolution={text}"])
    assert config.input.position.max_resolution == (20, 30)
    with pytest.raises(UserError, match="2 values are due"):
        overrides.apply(presets.flow(), ["input.size=3"])
    with pytest.raises(UserError, match="'x' is not of type int"):
        overrides.apply(presets.flow(), ["input.size=3,x"])


def test_the_last_of_two_counts():
    assert overrides.apply(RUN, ["train.steps=1", "train.steps=2"]).train.steps == 2


def test_a_contradiction_inside_a_configuration_is_told():
    config = overrides.apply(RUN, ["model.encoder.share_blocks=false"])
    with pytest.raises(UserError, match=r"--set=.*repeat_cross_attention.*shared blocks only"):
        overrides.apply(config, ["model.encoder.repeat_cross_attention=true"])


@given(st.text(max_size=30))
def test_any_text_gives_a_configuration_or_one_clear_error(text):
    try:
        changed = overrides.apply(RUN, [text])
    except UserError as error:
        message = str(error)
    else:
        message = "--set="
        assert dataclasses.is_dataclass(changed)
    assert message.startswith("--set=")


@given(st.text(max_size=12))
def test_any_value_of_a_number_is_a_number_or_an_error(text):
    try:
        steps = overrides.apply(RUN, [f"train.steps={text}"]).train.steps
    except UserError:
        return
    assert type(steps) is int
    assert steps == int(text)
