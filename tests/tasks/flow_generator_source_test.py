# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Generated pairs by number, and the ranges that they are drawn from."""

import concurrent.futures
import dataclasses
import json
import math
import pickle

import pytest
from flow_made_pairs import PLAIN, smooth_texture
from perceiver_bench.tasks.flow.generator import (
    GeneratedSource,
    Textures,
)
from PIL import Image

from perceiver_bench import overrides
from perceiver_bench.config.flow_generator import _BOUNDS, GeneratorConfig
from perceiver_bench.errors import UserError


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("textures")
    for number in range(3):
        Image.fromarray(smooth_texture(number)).save(folder / f"{number}.png")
    textures = Textures(folder, split="train", seed=5)
    return GeneratedSource(GeneratorConfig(), textures, (24, 32), 12, 5, "train")


def digest(example):
    return {n: v if n == "name" else (str(v.dtype), v.tobytes()) for n, v in example.items()}


class TestSource:
    def test_a_pair_depends_on_its_number_alone(self, source):
        forward = [digest(source[i]) for i in range(12)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            threads = list(pool.map(lambda i: digest(source[i]), reversed(range(12))))
        copy = pickle.loads(pickle.dumps(source))
        assert forward == threads[::-1]
        assert digest(copy[7]) == forward[7]
        assert len({str(one["images"]) for one in forward}) == 12
        assert forward[3]["name"] == "train_000003"

    def test_other_seeds_and_splits_have_other_pairs(self, source):
        others = [
            dataclasses.replace(source, seed=6),
            dataclasses.replace(source, split="validation"),
        ]
        flows = [one[i]["flow"].tobytes() for one in (source, *others) for i in range(12)]
        assert len(set(flows)) == 36

    def test_it_ends(self, source):
        assert len(source) == 12
        for index in (12, -1):
            with pytest.raises(IndexError, match="of 12"):
                source[index]

    def test_its_fingerprint_tells_all_that_decides(self, source):
        others = [
            dataclasses.replace(source, seed=6),
            dataclasses.replace(source, split="validation"),
            dataclasses.replace(source, num_pairs=13),
            dataclasses.replace(source, size=(32, 24)),
            dataclasses.replace(source, config=PLAIN),
            dataclasses.replace(source, textures=Textures(None, split="train", seed=5)),
        ]
        prints = [one.fingerprint for one in (source, *others)]
        assert len({one["sha256"] for one in prints}) == 7
        again = pickle.loads(pickle.dumps(source)).fingerprint
        assert json.dumps(again) == json.dumps(prints[0])


class TestConfig:
    def test_a_range_is_set_by_two_numbers(self):
        config = overrides.apply(GeneratorConfig(), ["translation=0,0.25", "num_objects=2,4"])
        assert config.translation == (0.0, 0.25)
        assert config.num_objects == (2, 4)

    @pytest.mark.parametrize(
        "override",
        [
            "translation=0,10",
            "rotation=10,5",
            "num_objects=-1,3",
            "num_corners=2,3",
            "noise_probability=1.5",
            "aspect=0,1",
            "translation_power=0",
        ],
    )
    def test_an_impossible_range_is_told(self, override):
        name = override.partition("=")[0]
        with pytest.raises(UserError, match=rf"{override}.*{name} is .* is due"):
            overrides.apply(GeneratorConfig(), [override])

    def test_nan_is_no_number(self):
        with pytest.raises(ValueError, match="finite"):
            GeneratorConfig(rotation=(0.0, math.nan))

    def test_every_field_has_its_bounds(self):
        names = {f.name for f in dataclasses.fields(GeneratorConfig)}
        assert {n for n in names if not n.endswith("probability")} == set(_BOUNDS)
