# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a door and the server must agree on: words, rights, the decision, entries, messages, envelope, topics.

Pure: nothing here reads a clock, a file or a socket, and nothing here knows a framework.
"""
