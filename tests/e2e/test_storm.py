# SPDX-License-Identifier: MIT
"""The storms: a million cancels against finishes, and a million cycles on one key."""
import os
import subprocess

from canceld_e2e import MIB, PATIENCE, PROGRAMS, SANITIZED, Case, count, main, over_both, scale


@over_both
class Storm:
    def storm(self, mode, number):
        seed = os.environ.get("CANCELD_TEST_SEED", str(int.from_bytes(os.urandom(4), "big")))
        done = subprocess.run([os.path.join(PROGRAMS, "storm"), mode, self.url(), str(number), seed],
                              capture_output=True, text=True, timeout=240 * PATIENCE)
        for line in done.stdout.splitlines():
            self.say(line)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def assertNothingLive(self):
        self.assertEqual(self.peer().op(count()).count, 0)

    def test_a_million_cancels_against_finishes_leave_both_sides_of_one_mind(self):
        self.daemon()
        self.storm("race", scale(1000000))
        self.assertNothingLive()

    def test_a_million_cycles_of_store_and_delete_on_one_key_leave_memory_flat(self):
        daemon = self.daemon()
        # The finished memory fills up once, and is part of the base.
        self.storm("cycles", 200000 if not SANITIZED else 70000)
        base = daemon.rss()
        self.storm("cycles", scale(1000000))
        grown = daemon.rss() - base
        self.say(f"RSS {base >> 10} KiB, grown by {grown >> 10} KiB")
        if not SANITIZED:
            self.assertLess(grown, MIB)
        self.assertNothingLive()


if __name__ == "__main__":
    main()
