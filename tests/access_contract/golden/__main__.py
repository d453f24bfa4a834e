# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes the golden files that are missing; never touches one that is there."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from access_contract import envelope
from access_contract.messages import Answer
from tests.access_contract import golden

contents = {name: msgspec.json.encode(sample, order="deterministic") for name, sample in golden.SAMPLES.items()}
answer = golden.SAMPLES["answer"]
assert isinstance(answer, Answer)
contents["envelope"] = envelope.seal(
    answer, door=golden.DOOR, key_id="k1", key=golden.KEY, expires_at=golden.AT + timedelta(seconds=5)
)
for name, content in contents.items():
    path = golden.FOLDER / f"{name}.json"
    if not path.exists():
        path.write_bytes(content)
