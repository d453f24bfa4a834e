# SPDX-License-Identifier: AGPL-3.0-or-later
"""docs/protocol.md says what the code does: every name on the wire stands in it, and its tables are the code's."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from access_contract import envelope, messages, topics
from access_contract.decide import CHECKS
from access_contract.entries import ENTRY_TABLE
from access_contract.snapshot import DoorRules, LockDown, Right, Snapshot, TagRights, Unlocking
from access_contract.vocabulary import ClockQuality, DoorId, DoorMode, Reason

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
MESSAGES = [*messages.FromDoor.__args__, *messages.ToDoor.__args__]
EVENTS = [*messages.What.__args__]
FIELDS = sorted(
    {
        field.encode_name
        for shape in (
            *MESSAGES,
            *EVENTS,
            messages.Event,
            Right,
            TagRights,
            Snapshot,
            DoorRules,
            Unlocking,
            LockDown,
            envelope.Envelope,
        )
        for field in msgspec.structs.fields(shape)
    }
)


def kind_of(shape: type[msgspec.Struct]) -> str:
    return str(shape.__struct_config__.tag)


@pytest.mark.parametrize("word", [*Reason, *DoorMode, *ClockQuality, *envelope.CAUSES, *FIELDS])
def test_every_word_on_the_wire_is_on_the_page(word: str) -> None:
    """A builder of another door meets no word that the page does not name."""
    assert f"`{word}`" in PAGE or f".{word}`" in PAGE


@pytest.mark.parametrize("shape", MESSAGES, ids=kind_of)
def test_every_message_has_its_section_with_all_fields(shape: type[msgspec.Struct]) -> None:
    """Each message has a heading, and its section names each of its fields."""
    section = PAGE.split(f"### `{kind_of(shape)}`", 1)[1].split("\n##", 1)[0]
    for field in msgspec.structs.fields(shape):
        assert field.encode_name == "v" or f"`{field.encode_name}`" in section


@pytest.mark.parametrize("shape", EVENTS, ids=kind_of)
def test_every_event_has_its_row_with_all_fields(shape: type[msgspec.Struct]) -> None:
    """Each kind of event has a row that names each of its fields."""
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{kind_of(shape)}` |"))
    assert all(f"`{field.encode_name}`" in row for field in msgspec.structs.fields(shape))


def test_the_order_of_checks_is_the_codes() -> None:
    """The page prints the checks in the order in which decide() makes them."""
    assert "\n".join(f"{number}. {check}" for number, check in enumerate(CHECKS, 1)) in PAGE


def test_the_entry_table_is_the_codes() -> None:
    """The page's entry table is the code's, row by row."""
    rows = "\n".join(f"| `{leaf}` | `{until}` | `{outcome}` |" for (leaf, until), outcome in ENTRY_TABLE.items())
    assert rows in PAGE


def test_every_topic_is_on_the_page() -> None:
    """The page lists each topic that the code can build, and the page's limits are the code's."""
    door = DoorId("<door>")
    built = [topics.up(door, c) for c in get_args(topics.Up)] + [topics.down(door, c) for c in get_args(topics.Down)]
    assert all(f"`{topic}`" in PAGE for topic in [*built, topics.status(door), topics.all_down(door)])
    assert f"no message over {messages.MESSAGE_BYTES_MAX:,} bytes".replace(",", " ") in PAGE
    assert f"at most {messages.PART_BYTES_MAX:,} bytes".replace(",", " ") in PAGE
    assert f"At most {messages.EVENTS_IN_FLIGHT_MAX} events" in PAGE


def test_the_page_names_no_field_that_is_not_there() -> None:
    """Every field in the first column of a table exists in the code."""
    known = {*FIELDS, *(kind_of(shape) for shape in EVENTS)}
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `") and "hubkey/v1" not in line]
    named = {word.rpartition(".")[2] for row in rows for word in row.replace("`", "").replace(",", " ").split()}
    assert named - known - {"open", "closed", "unseen"} == set()
