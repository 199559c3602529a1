# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""YAML without its surprises: mappings, lists and texts, and nothing that acts.

Scalars stay the texts that a person wrote. YAML itself would read `no` as False, `010` as 8,
`1:30` as 90 and a digest of decimal digits as a number.
"""

import pathlib
from typing import Any

import yaml

from perceiver_bench.errors import UserError

MAX_BYTES = 2**18
"""Far above a file that a person reads; parsing as much as this takes seconds."""

_MAX_DEPTH = 8


class _Loader(yaml.SafeLoader):
    """Builds the tree of a document without aliases, tags and deep nesting."""

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Returns the next node; raises ValueError for what is refused."""
        event = self.peek_event()
        line = event.start_mark.line + 1
        # A few aliases of aliases stand for more values than any memory holds.
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise ValueError(f"line {line}: has an anchor or alias (& or *); write the value out")
        if event.tag is not None:
            raise ValueError(f"line {line}: has the tag {event.tag!r:.60}; leave it out")
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError(f"line {line}: is nested deeper than {_MAX_DEPTH} levels; flatten it")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def read(path: pathlib.Path) -> Any:
    """Returns a file's one document: dicts, lists and texts, and None for a plain `null`.

    Raises:
        UserError: if the file cannot be read, is larger than `MAX_BYTES`, is no YAML, or has
            aliases, tags or a key twice; naming the file and the line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"is larger than {MAX_BYTES:,} bytes; split it")
        node = yaml.compose(content.decode("utf-8"), Loader=_Loader)
        return None if node is None else _plain(node)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is no UTF-8 text ({error.reason}); save it as such") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise UserError(f"{path}: {where}is no YAML ({error.problem or error.context})") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: is no YAML ({' '.join(str(error).split())})") from error
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error


def _plain(node: yaml.Node) -> Any:
    """Returns the value of a node; raises ValueError for keys that are no texts, or repeated."""
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    if isinstance(node, yaml.ScalarNode):
        is_null = node.style is None and node.tag == "tag:yaml.org,2002:null"
        return None if is_null else node.value
    found: dict[str, Any] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ValueError(f"line {line}: a key has to be a word")
        if key.value in found:
            raise ValueError(f"line {line}: field {key.value!r:.60} stands there twice; delete one")
        found[key.value] = _plain(value)
    return found
