# SPDX-License-Identifier: AGPL-3.0-or-later
"""A tag number crosses the broker readable by the server alone."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from access_contract.sealing import Unsealable, seal_number, unseal_number
from access_contract.vocabulary import DoorId, InvalidTagNumber, TagNumber

KEY = X25519PrivateKey.generate()
NUMBER = TagNumber.parse("04:78:2E:21:80:1D:80")
DOOR = DoorId("kitchen")
ASK = "ask:a1"


def test_the_server_reads_what_the_door_sealed_and_two_seals_differ() -> None:
    """Sealing hides even that the same tag was tapped twice."""
    first, second = (seal_number(NUMBER, door=DOOR, about=ASK, server_key=KEY.public_key()) for _ in range(2))
    assert first != second
    assert unseal_number(first, door=DOOR, about=ASK, server_key=KEY) == NUMBER


def test_another_key_door_ask_or_purpose_and_a_flipped_bit_read_nothing() -> None:
    """A sealed number is bound to its server, its door and its ask, byte for byte: an ask cannot be replayed as a capture."""
    sealed = seal_number(NUMBER, door=DOOR, about=ASK, server_key=KEY.public_key())
    flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for wrong in (
        {"sealed": sealed, "door": DOOR, "about": ASK, "server_key": X25519PrivateKey.generate()},
        {"sealed": sealed, "door": DoorId("lab"), "about": ASK, "server_key": KEY},
        {"sealed": sealed, "door": DOOR, "about": "ask:other", "server_key": KEY},
        {"sealed": sealed, "door": DOOR, "about": "captured:a1", "server_key": KEY},
        {"sealed": flipped, "door": DOOR, "about": ASK, "server_key": KEY},
        {"sealed": b"", "door": DOOR, "about": ASK, "server_key": KEY},
    ):
        with pytest.raises(Unsealable):
            unseal_number(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "04", "0478", "zz782E21801D80", "04782E21801D8000"])
def test_a_number_of_another_length_is_refused(text: str) -> None:
    """Only 4, 7 and 10 bytes are a tag number, and the message says so."""
    with pytest.raises(InvalidTagNumber, match="tag number"):
        TagNumber.parse(text)


def test_random_and_cut_numbers_are_known_as_such() -> None:
    """A made-up or halved number is no identity; a number never shows itself whole."""
    assert TagNumber.parse("08 11 22 33").is_random
    assert TagNumber.parse("88 04 78 2E").is_cut
    assert not NUMBER.is_random
    assert not NUMBER.is_cut
    assert "782E" not in repr(NUMBER)
    assert NUMBER.last_digits == "1D80"
