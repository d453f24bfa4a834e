# SPDX-License-Identifier: AGPL-3.0-or-later
"""Are the server's secrets made once, kept to themselves, and is what they seal of use to nobody else?"""

from pathlib import Path

import pytest

from booking_server.config import BadConfiguration
from booking_server.keys import Unreadable, load_keys, make_keys
from tests.booking_server.hub import OTHER_TAG, TAG

ABOUT = "keytag:1"


def test_keys_are_made_once_and_readable_by_the_server_alone(tmp_path: Path) -> None:
    """A second run keeps each file; none may be read by another user."""
    first = make_keys(tmp_path)
    before = {file: file.read_bytes() for file in (tmp_path / "keys").iterdir()}
    again = make_keys(tmp_path)
    assert {file: file.read_bytes() for file in (tmp_path / "keys").iterdir()} == before
    assert {file.stat().st_mode & 0o777 for file in before} == {0o600}
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert again.current.id == first.current.id
    assert again.vault.unseal(first.vault.seal(b"secret", about=ABOUT), about=ABOUT) == b"secret"


def test_a_lost_session_key_is_made_anew_and_the_others_stay(tmp_path: Path) -> None:
    """All it costs is that everybody signs in again."""
    first = make_keys(tmp_path)
    (tmp_path / "keys" / "session.key").unlink()
    again = make_keys(tmp_path)
    assert again.session_secret != first.session_secret
    assert again.vault.index(TAG) == first.vault.index(TAG)


@pytest.mark.parametrize("damage", [b"", b"x" * 31, None])
def test_a_missing_or_damaged_key_is_named_with_what_to_do(tmp_path: Path, damage: bytes | None) -> None:
    """Never replaced in silence: what it sealed would be lost."""
    make_keys(tmp_path)
    file = tmp_path / "keys" / "vault.key"
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage)
    with pytest.raises(BadConfiguration, match=r"vault\.key: the key .*(booking-server init|backup)"):
        load_keys(tmp_path)
    with pytest.raises(BadConfiguration, match="backup"):
        make_keys(tmp_path)


def test_what_is_sealed_opens_only_as_what_it_is(tmp_path: Path) -> None:
    """Moved to another row, changed, cut, or with another server's key it is unreadable; sealed twice it differs."""
    vault, other = make_keys(tmp_path / "one").vault, make_keys(tmp_path / "other").vault
    sealed = vault.seal(TAG.uid, about=ABOUT)
    assert vault.unseal(sealed, about=ABOUT) == TAG.uid
    assert vault.seal(TAG.uid, about=ABOUT) != sealed
    for opener, content, about in (
        (vault, sealed, "keytag:2"),
        (vault, sealed[:-1] + bytes([sealed[-1] ^ 1]), ABOUT),
        (vault, sealed[:5], ABOUT),
        (vault, b"", ABOUT),
        (other, sealed, ABOUT),
    ):
        with pytest.raises(Unreadable):
            opener.unseal(content, about=about)


def test_a_number_is_found_again_but_not_guessed(tmp_path: Path) -> None:
    """The same under the same key, another for another number and under another key."""
    vault, other = make_keys(tmp_path / "one").vault, make_keys(tmp_path / "other").vault
    assert vault.index(TAG) == vault.index(TAG)
    assert len({vault.index(TAG), vault.index(OTHER_TAG), other.index(TAG)}) == 3


def test_no_secret_is_in_what_is_logged(tmp_path: Path) -> None:
    """The text of the keys, as a log or a traceback would show it."""
    keys = make_keys(tmp_path)
    for file in (tmp_path / "keys").iterdir():
        assert repr(file.read_bytes()) not in repr(keys)
        assert file.read_bytes().hex() not in repr(keys)
