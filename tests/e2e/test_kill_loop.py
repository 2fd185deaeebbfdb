# SPDX-License-Identifier: MIT
"""The kill loop: the daemon is killed again and again under load, and no answered cancel is lost.

CANCELD_KILLS says how often, over both transports together; 1,000 by one command:
    CANCELD_KILLS=1000 ctest --preset release -R kill_loop -V
"""
import os
import subprocess
import tempfile

from canceld_e2e import BINARIES, PATIENCE, PROGRAMS, main, over_both, scale

KILLS = int(os.environ.get("CANCELD_KILLS", "0")) or scale(200)


@over_both
class KillLoop:
    def test_no_answered_cancel_is_lost_through_kill_9(self):
        seed = os.environ.get("CANCELD_TEST_SEED", str(int.from_bytes(os.urandom(4), "big")))
        directory = tempfile.TemporaryDirectory(prefix="canceld-e2e-")
        self.addCleanup(directory.cleanup)
        url = f"ipc://{directory.name}/s" if self.transport == "ipc" else "tcp://127.0.0.1:0"
        program = [os.path.join(PROGRAMS, "kill_loop"), os.path.join(BINARIES, "canceld"), url,
                   os.path.join(directory.name, "state"), str((KILLS + 1) // 2), seed]
        done = subprocess.run(program, capture_output=True, text=True, timeout=(120 + KILLS) * PATIENCE)
        for line in done.stdout.splitlines():
            self.say(line)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    main()
