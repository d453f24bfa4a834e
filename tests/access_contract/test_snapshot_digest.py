# SPDX-License-Identifier: AGPL-3.0-or-later
"""Do door and server name the same snapshot by the same digest, however they came to hold it?"""

from __future__ import annotations

import hashlib
import zlib
from datetime import timedelta

import msgspec
import pytest

from access_contract import snapshot as s
from access_contract.vocabulary import TagHash
from tests.access_contract import golden

SNAPSHOT = s.decode(golden.stored("snapshot"))
VECTOR = "a64fb77ebd7800a6510a1f73eebb761840b150cb3335c864b4613a21469cb340"


def test_the_digest_of_the_first_versions_example_stands() -> None:
    """A fixed vector, also on the protocol's page: a builder of another door can check his own."""
    assert s.taken_apart(golden.stored("snapshot")).digest() == VECTOR


def test_the_digest_is_what_the_page_says() -> None:
    """Written out by hand for one window set and one tag: names, zero bytes, exact JSON, line feeds."""
    (tag, rights), (name, windows) = SNAPSHOT.tags.copy().popitem(), SNAPSHOT.window_sets.copy().popitem()
    one_set = hashlib.sha256(name.encode() + b"\0" + msgspec.json.encode(windows) + b"\n").hexdigest()
    one_tag = hashlib.sha256(tag.encode() + b"\0" + msgspec.json.encode(rights) + b"\n").hexdigest()
    buckets = [one_tag if bucket == int(tag[:2], 16) else "0" * 64 for bucket in range(256)]
    head = msgspec.json.encode(s.head_of(SNAPSHOT)).decode()
    whole = "".join(f"{line}\n" for line in [head, one_set, *buckets])
    assert s.digest_of(SNAPSHOT) == hashlib.sha256(whole.encode()).hexdigest()


def test_who_keeps_the_bytes_hashes_as_who_wrote_them() -> None:
    """Taken apart as it came, a snapshot has the digest that its writer gave it, also with fields of a later version."""
    assert s.taken_apart(s.encode(SNAPSHOT)).digest() == s.digest_of(SNAPSHOT)
    later = msgspec.json.decode(s.encode(SNAPSHOT))
    later["added_in_2031"], later["tags"][golden.TAG]["added_in_2031"] = {"x": 1}, [1]
    pieces = s.taken_apart(msgspec.json.encode(later))
    assert pieces.head.endswith(b'"added_in_2031":{"x":1}}')
    assert pieces.tags[golden.TAG].endswith(b'"added_in_2031":[1]}')
    assert s.decode(msgspec.json.encode(later)) == SNAPSHOT


def test_order_changes_nothing_and_every_part_counts() -> None:
    """The same tags in another order are the same snapshot; another number, window or right is another one."""
    other = TagHash("e4" + "0" * 62)
    two = {**SNAPSHOT.tags, other: s.TagRights(extended=True)}
    forward = msgspec.structs.replace(SNAPSHOT, tags=two)
    backward = msgspec.structs.replace(SNAPSHOT, tags=dict(reversed(two.items())))
    assert s.digest_of(forward) == s.digest_of(backward)
    later = (s.Window(golden.AT, golden.AT + timedelta(hours=9)),)
    changed = [
        msgspec.structs.replace(SNAPSHOT, number=4),
        msgspec.structs.replace(SNAPSHOT, window_sets={"w1": later}),
        msgspec.structs.replace(SNAPSHOT, tags={}),
        msgspec.structs.replace(SNAPSHOT, tags={**SNAPSHOT.tags, other: s.TagRights()}),
        forward,
    ]
    assert len({s.digest_of(one) for one in [SNAPSHOT, *changed]}) == 6


def test_what_is_packed_comes_out_whole_or_not_at_all() -> None:
    """A cut, a foreign, a followed and a bursting one are refused before they fill a small machine's memory."""
    content = s.encode(SNAPSHOT)
    packed = s.pack(content)
    assert s.unpack(packed) == content
    bomb = zlib.compress(bytes(s.UNPACKED_BYTES_MAX + 1))
    for bad in (b"", b"{}", packed[:-1], packed + b"x", bomb):
        with pytest.raises(ValueError, match="not"):
            s.unpack(bad)
