# SPDX-License-Identifier: MIT
"""Which Python a program of the tests runs in."""
import importlib.util
import os
import sys

OF_THE_SYSTEM = "/usr/bin/python3"


def with_protobuf():
    """Begins anew in the system's Python where this one (the first on the PATH) knows nothing of protobuf."""
    here, there = os.path.realpath(sys.executable), os.path.realpath(OF_THE_SYSTEM)
    if importlib.util.find_spec("google") is None and here != there and os.path.exists(there):
        os.execv(OF_THE_SYSTEM, [OF_THE_SYSTEM, *sys.argv])
