# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Several sources as one, each with its share of the examples."""

import math
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from perceiver_bench.errors import UserError
from perceiver_bench.task import Example, Source


class Mixture:
    """Several sources by shares; a `Source` in which each has its share of the examples.

    A pass is as long as it takes to see every example of every source: those of the others
    come more than once.
    """

    def __init__(self, sources: Mapping[str, Source], shares: Mapping[str, float]) -> None:
        self.sources, self._shares = dict(sources), dict(shares)
        total = sum(shares.values())
        whole = max(len(source) * total / shares[name] for name, source in sources.items())
        counts = [max(round(whole * shares[name] / total), 1) for name in sources]
        self._last = np.cumsum(counts)

    def __len__(self) -> int:
        return int(self._last[-1])

    def __getitem__(self, index: int) -> Example:
        which = int(np.searchsorted(self._last, index, side="right"))
        first = int(self._last[which - 1]) if which else 0
        source = list(self.sources.values())[which]
        return {**source[(index - first) % len(source)], "index": index}

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The facts of every source, under its name, with its share."""
        return {
            name: {**source.fingerprint, "share": self._shares[name]}
            for name, source in self.sources.items()
        }


def mixture_shares(mixture: str, example: str) -> dict[str, float]:
    """Returns the share of each name of `data.mixture`, written as in `example`.

    Raises:
        UserError: unless it reads `name:share,...` with plain names and positive shares.
    """
    shares = {}
    for entry in filter(None, mixture.split(",")):
        name, _, share = entry.partition(":")
        try:
            shares[name] = float(share)
            if not (0 < shares[name] < math.inf and name and name == pathlib.Path(name).name):
                raise ValueError
        except ValueError:
            raise UserError(
                f"data.mixture={mixture}: write names and shares as {example}"
            ) from None
    return shares
