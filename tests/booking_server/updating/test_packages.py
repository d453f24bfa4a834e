# SPDX-License-Identifier: AGPL-3.0-or-later
"""Can what is installed be made into a package again, to be put back without fetching anything?"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from booking_server.updating.alone import packages

INSTALLED = packages.installed("dpkg")
needs_dpkg = pytest.mark.skipif(not INSTALLED, reason="this machine's programs are not from Debian packages")


@needs_dpkg
def test_what_is_installed_is_packed_up_as_it_is(tmp_path: Path) -> None:
    """The same name, version and relations, the same files, and the scripts that belong to it; it is dpkg's own form."""
    packages.repack("dpkg", tmp_path / "package.deb")
    fields = ["Package", "Version", "Architecture", "Depends"]
    made = subprocess.run(["dpkg-deb", "-f", tmp_path / "package.deb", *fields], capture_output=True, text=True, check=True)
    assert f"Version: {INSTALLED}\n" in made.stdout
    asked = ["dpkg-query", "-W", "-f", "".join(f"{field}: ${{{field}}}\n" for field in fields), "dpkg"]
    assert sorted(
        filter(lambda line: not line.endswith(": "), subprocess.check_output(asked, text=True).splitlines())
    ) == sorted(made.stdout.splitlines())
    listed = subprocess.check_output(["dpkg-deb", "-c", tmp_path / "package.deb"], text=True)
    assert "./usr/bin/dpkg-deb" in listed
    scripts = subprocess.check_output(["dpkg-deb", "-I", tmp_path / "package.deb"], text=True)
    assert "postinst" in scripts
    assert [entry.name for entry in tmp_path.iterdir()] == ["package.deb"]


def test_what_is_not_installed_has_no_version() -> None:
    """Nor has a package of which only its settings are left."""
    assert packages.installed("no-such-package-of-hubkey") == ""
