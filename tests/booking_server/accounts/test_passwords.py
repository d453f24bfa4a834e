# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which passwords are refused, and which are not?"""

import pytest

from booking_server.accounts.passwords import LENGTH_MAX, LENGTH_MIN, common, fits, hash_password
from booking_server.errors import Invalid

ABOUT = ("birgit.makela@example.org", "Birgit Mäkelä", "Omnia Hub")


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("x" * (LENGTH_MIN - 1), "at least"),
        ("long one " * 30, "at most"),
        ("1qaz2wsx3edc", "Many people"),
        ("QwertyQwerty", "Many people"),
        ("aaaaaaaaaaaaaaaa", "Many people"),
        ("birgit.makela@example.org", "made of your name"),
        ("omnia hub 2026", "made of your name"),
        ("Birgit Mäkelä 1", "made of your name"),
        ("hubkeyhubkey1", "made of your name"),
    ],
)
def test_what_is_tried_first_is_refused_with_what_to_do(password: str, says: str) -> None:
    """Too short, too long, common however it is written, or made of the names beside it."""
    with pytest.raises(Invalid, match=says) as refused:
        hash_password(password, about=ABOUT)
    assert refused.value.field == "password"


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "ääkköset ja öljyä",
        "        spaces    too ",
        "🔑🚪🏠 kolme sanaa",
        "Birgit rides a bicycle home",
    ],
)
def test_no_sign_is_demanded_and_none_refused(password: str) -> None:
    """Words, spaces, any alphabet; a name within something long; and it is compared exactly as it was typed."""
    kept = hash_password(password, about=ABOUT)
    assert fits(kept, password)
    assert not fits(kept, password.strip() + "x")
    assert not fits(kept, "x" * (LENGTH_MAX + 1))


def test_the_list_is_of_passwords_that_could_be_chosen() -> None:
    """More than the three thousand that OWASP ASVS 5.0, 6.2.4 asks for, each long enough to be allowed otherwise."""
    assert len(common()) >= 3000
    assert min(map(len, common())) >= LENGTH_MIN
