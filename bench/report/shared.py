# SPDX-License-Identifier: MIT
"""What bench/run has in common with tests/prove: it stands in tests/support/python."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "support", "python"))

import child  # noqa: E402,F401
import machine  # noqa: E402,F401
import progress  # noqa: E402,F401
