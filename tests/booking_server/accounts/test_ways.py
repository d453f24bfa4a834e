# SPDX-License-Identifier: AGPL-3.0-or-later
"""Of whom is more asked than a password?"""

import pytest

from booking_server.accounts.service import Account
from booking_server.accounts.ways import Ways, is_asked_more, may_be_held, needs_second
from booking_server.actors import Role
from booking_server.config import Config, SignIn

STRICT = Config(database="", state_folder="")
LAX, DEMO = (
    Config(database="", state_folder="", **more) for more in ({"sign_in": SignIn(second_factor="nobody")}, {"demo": True})
)


def _account(role: Role, site_id: int | None = None) -> Account:
    return Account(
        id=1,
        sign_in_name="x",
        name="x",
        by_hand=frozenset({(role, site_id)}),
        federated=frozenset(),
        person_id=None,
        closed=False,
        has_password=True,
    )


def _ways(*, app: bool = False, passkeys: int = 0) -> Ways:
    return Ways(password=True, app=app, codes_left=0, passkeys=passkeys)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.MEMBER])
def test_the_hub_asks_more_of_all_staff(role: Role) -> None:
    """Of every role, also at one site only; not in a demo, not where the settings say so, and never of members."""
    assert is_asked_more(STRICT, _account(role, 3))
    assert not is_asked_more(LAX, _account(role))
    assert not is_asked_more(DEMO, _account(role))
    assert not is_asked_more(STRICT, _account(Role.MEMBER))


def test_who_has_an_app_is_asked_for_it_everywhere() -> None:
    """Staff and members, whatever the settings; a passkey makes a password too little only where the hub asks for more."""
    for config in (STRICT, LAX, DEMO):
        for role in (Role.HOST, Role.MEMBER):
            assert needs_second(config, _account(role), _ways(app=True))
            assert not needs_second(config, _account(role), _ways())
    assert needs_second(STRICT, _account(Role.HOST), _ways(passkeys=1))
    assert not needs_second(LAX, _account(Role.HOST), _ways(passkeys=1))
    assert not needs_second(STRICT, _account(Role.MEMBER), _ways(passkeys=1))


@pytest.mark.parametrize("how", [("passkey",), ("password", "totp"), ("password", "recovery"), ("federated", "mfa")])
def test_what_proves_more_is_not_held(how: tuple[str, ...]) -> None:
    """Two factors, or a passkey, which is both."""
    assert not may_be_held(STRICT, _account(Role.HOST), how)


@pytest.mark.parametrize("how", [("password",), ("federated",), ("link",)])
def test_one_factor_is_held_where_the_hub_asks_for_more(how: tuple[str, ...]) -> None:
    """Of staff, also of a member who has just become one; never of a member."""
    assert may_be_held(STRICT, _account(Role.HOST), how)
    assert not may_be_held(STRICT, _account(Role.MEMBER), how)
    assert not may_be_held(DEMO, _account(Role.HOST), how)
