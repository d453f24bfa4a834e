# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does what carries an update out run when nothing of Hubkey is installed?"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from booking_server.updating import alone


def test_a_copy_runs_with_the_standard_library_alone(tmp_path: Path) -> None:
    """Copied away and started as systemd starts it, without site-packages: every part of it is there."""
    shutil.copytree(Path(alone.__file__).parent, tmp_path / "program" / "alone")
    (tmp_path / "program" / "__main__.py").write_text("from alone.main import main, said\nprint(main.__module__)\n")
    done = subprocess.run(
        [sys.executable, "-I", "-S", tmp_path / "program"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.stdout, done.stderr) == ("alone.main\n", "")
