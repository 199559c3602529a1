# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What a worker runs of the transformers library: a forward pass, a training step.

Random weights, float32, eager attention: what the library does when it is asked for the
network and nothing else. JAX is not imported, so the peak of memory is the library's own.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from perceiver_bench.benchmark.worker import Job
from perceiver_bench.config import FlowInput, ImageInput, ModelConfig, MultimodalInput, TextInput
from perceiver_bench.errors import UserError

# Into so many calls the library's own example cuts the outputs of the multimodal network;
# each call encodes again, for the library has no other way.
_NUM_CALLS = 128


def _libraries() -> tuple[Any, Any]:
    """Returns torch and transformers.

    Raises:
        UserError: with the command that installs them.
    """
    try:
        import torch
        import transformers
    except ImportError as error:
        raise UserError(
            f"needs torch and transformers ({error}): pip install torch transformers"
        ) from error
    return torch, transformers


def _network(settings: dict[str, Any]) -> Any:
    """Builds the network of a config.json with random weights."""
    torch, transformers = _libraries()
    torch.manual_seed(0)
    cls = getattr(transformers, settings["architectures"][0])
    return cls(transformers.PerceiverConfig(**settings, attn_implementation="eager"))


def _calls(config: ModelConfig, batch: dict[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    """Yields the arguments of every call that one run needs."""
    torch, _ = _libraries()
    match config.input:
        case TextInput():
            yield {"inputs": torch.from_numpy(batch["inputs"]).long()}
        case ImageInput():
            images = torch.from_numpy(batch["images"])
            yield {"inputs": images.permute(0, 3, 1, 2).contiguous()}
        case FlowInput(size=size):
            # The library leaves the 3x3 neighbourhoods to its caller. Their values do not
            # matter to the time that the network takes.
            yield {"inputs": torch.rand(1, 2, 27, *size) * 2 - 1}
        case MultimodalInput() as inputs:
            video = torch.from_numpy(batch["images"]).permute(0, 1, 4, 2, 3).contiguous()
            modalities = {
                "image": video,
                "audio": torch.from_numpy(batch["audio"]),
                "label": torch.zeros(1, inputs.num_classes),
            }
            num_audio = inputs.audio_samples // inputs.audio_patch
            num_calls = min(_NUM_CALLS, num_audio)
            points = zip(
                torch.arange(num_audio).tensor_split(num_calls),
                torch.arange(math.prod(inputs.video_size)).tensor_split(num_calls),
                strict=True,
            )
            for audio, image in points:
                chosen = {"audio": audio, "image": image, "label": None}
                yield {"inputs": modalities, "subsampled_output_points": chosen}


def _outputs(logits: Any) -> dict[str, Any]:
    return dict(logits) if isinstance(logits, dict) else {"logits": logits}


def forward(config: ModelConfig, settings: dict[str, Any], batch: dict[str, np.ndarray]) -> Job:
    """Returns a forward pass of the network that a config.json describes.

    Raises:
        UserError: if torch or transformers is not installed.
    """
    torch, _ = _libraries()
    network = _network(settings).eval()
    calls = list(_calls(config, batch))

    @torch.inference_mode()
    def run(calls: list[dict[str, Any]]) -> dict[str, Any]:
        parts = [_outputs(network(**arguments).logits) for arguments in calls]
        last = parts[-1]
        # The label comes whole with every call.
        joined = {name: torch.cat([part[name] for part in parts], dim=1) for name in last}
        return joined | {"label": last["label"]} if "label" in last else joined

    run(calls[:1])
    return Job(lambda: run(calls), {})


def train(config: ModelConfig, settings: dict[str, Any], batch: dict[str, np.ndarray]) -> Job:
    """Returns a training step with AdamW; the loss is the mean square of every output.

    torch has no LAMB; the update is a small part of a step at any rate.

    Raises:
        UserError: if torch or transformers is not installed.
    """
    torch, _ = _libraries()
    network = _network(settings).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, eps=1e-6, weight_decay=0.01)
    (arguments,) = _calls(config, batch)

    def run() -> dict[str, Any]:
        outputs = _outputs(network(**arguments).logits)
        loss = torch.stack([array.square().mean() for array in outputs.values()]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss.detach()}

    run()
    return Job(run, {})
