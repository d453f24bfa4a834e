# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a Pi needs below Python, and the usual wirings: files, read through importlib.resources. It holds no code."""
