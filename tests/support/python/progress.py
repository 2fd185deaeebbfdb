# SPDX-License-Identifier: MIT
"""What a long run says of itself: one line on a terminal that changes; elsewhere, a line for each thing done."""
import json
import os
import sys

import machine


def clock(seconds):
    return f"{max(0, int(seconds)) // 60}:{max(0, int(seconds)) % 60:02d}"


def remembered(path):
    """How long each thing took the last time."""
    try:
        return json.loads(machine.text_of(path))
    except ValueError:
        return {}


class Progress:
    """left: how many seconds are planned for what is not done yet."""

    def __init__(self, planned_seconds):
        self.left, self.terminal = planned_seconds, sys.stderr.isatty()

    def left_after(self, seconds):
        return clock(self.left - seconds)

    def line(self, text, stays):
        if self.terminal:
            sys.stderr.write("\r\033[K" + text[:os.get_terminal_size(sys.stderr.fileno()).columns - 1])
        if not self.terminal and stays:
            sys.stderr.write(text)
        if stays:
            sys.stderr.write("\n")
        sys.stderr.flush()
