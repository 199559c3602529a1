# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json

import pytest

from perceiver_bench import config, registry
from perceiver_bench.errors import UserError
from perceiver_bench.model import presets

RUNS = {
    f"{name}:{preset}": run
    for name in registry.names()
    for preset, run in registry.get(name).presets.items()
}


@pytest.mark.parametrize("name", [*presets.PRESETS, *RUNS])
def test_every_configuration_survives_json(name):
    one = RUNS[name] if name in RUNS else presets.preset(name)
    back = config.from_dict(json.loads(json.dumps(config.to_dict(one))))
    assert back == one
    assert hash(back) == hash(one)  # it is a static argument of compiled functions


def test_configurations_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        RUNS["glue/sst2:tiny"].train.steps = 3


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"type": "Nothing"}, "unknown type 'Nothing'"),
        ({"steps": 1}, "unknown type None"),
        ({"type": "LearnedQuery", "num_queries": 1}, "LearnedQuery of another version: .*channels"),
        ({"type": "FlowField", "extra": 1}, "FlowField of another version: .*extra"),
    ],
)
def test_a_configuration_of_another_version_is_refused(value, message):
    with pytest.raises(UserError, match=message):
        config.from_dict(value)


def test_a_head_without_a_decoder_is_the_averaged_one_alone():
    language = presets.language()
    with pytest.raises(ValueError, match="both a query and a decoder"):
        dataclasses.replace(language, decoder=None)
    with pytest.raises(ValueError, match="both a query and a decoder"):
        dataclasses.replace(language, head=config.AveragedLogits(num_classes=3))


def test_own_blocks_cannot_repeat_the_cross_attention():
    encoder = presets.language().encoder
    with pytest.raises(ValueError, match="shared blocks only"):
        dataclasses.replace(encoder, share_blocks=False, repeat_cross_attention=True)
