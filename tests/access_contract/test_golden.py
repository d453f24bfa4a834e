# SPDX-License-Identifier: AGPL-3.0-or-later
"""Messages written once stay readable: every file in golden/ is read by today's code to exactly what it was.

A file is added with each new message and is never edited: doors of the older version are out there.
`python -m tests.access_contract.golden` writes the files that are missing.
"""

from __future__ import annotations

import msgspec
import pytest

from access_contract import envelope, messages
from tests.access_contract import golden


@pytest.mark.parametrize("name", sorted(golden.SAMPLES))
def test_every_kind_has_a_golden_file_that_reads_back(name: str) -> None:
    """Today's code reads the stored bytes to the same message."""
    sample = golden.SAMPLES[name]
    assert msgspec.json.decode(golden.stored(name), type=type(sample)) == sample


def test_no_kind_is_without_a_golden_file() -> None:
    """A message that can be sent has a stored example."""
    kinds = {type(sample) for sample in golden.SAMPLES.values()}
    wanted = {*messages.FromDoor.__args__, *messages.ToDoor.__args__}
    events = {type(sample.what) for sample in golden.SAMPLES.values() if isinstance(sample, messages.Event)}
    assert wanted <= kinds
    assert set(messages.What.__args__) == events


def test_the_stored_envelope_opens() -> None:
    """An envelope sealed by the first version is obeyed by this one."""
    body = envelope.open_envelope(
        golden.stored("envelope"), door=golden.DOOR, keys={"k1": golden.KEY.public_key()}, now=golden.AT
    )
    assert body == golden.SAMPLES["answer"]


def test_fields_from_the_future_are_skipped() -> None:
    """A newer door or server may add fields without breaking an older reader."""
    for name, sample in golden.SAMPLES.items():
        content = msgspec.json.decode(golden.stored(name))
        later = msgspec.json.encode(content | {"added_in_2031": {"x": 1}})
        assert msgspec.json.decode(later, type=type(sample)) == sample
