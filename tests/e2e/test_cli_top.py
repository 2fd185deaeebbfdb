# SPDX-License-Identifier: MIT
"""cancelctl top, on a terminal of its own and as one picture of text."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios

from canceld_e2e import delete, eventually, main
from cli import CANCELCTL, CliCase, call, environment

KEYS_LINE = "q quit   p pause   n namespace   + - interval"


class Once(CliCase):
    def test_one_picture_shows_it_all(self):
        self.daemon(ephemeral=False)
        owner = self.session(client_name=b"worker")
        gen = owner.store(b"told")
        owner.store(b"not-told")
        self.one("cancel", "told", "--reason", "first")
        owner.acknowledge(owner.notices(wait_ms=10000))
        owner.op(delete(b"told", gen))
        self.one("cancel", "not-told", "--reason", "why not", "--actor", "me")
        picture = self.human("top", "--once", "--interval", "100ms")
        lines = picture.splitlines()
        self.assertEqual(len(lines), 24)
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertIn(f"canceld {self.url()}"[:60], lines[0])
        self.assertRegex(lines[1], r"live 0  cancelling 1  armed 0  sessions 1")
        self.assertRegex(lines[2], r"stores \d+\.\d/s  cancels \d+\.\d/s  deletes \d+\.\d/s  "
                                   r"unacknowledged 1")
        self.assertRegex(lines[3], r"journal pending \d")
        self.assertRegex(picture, r"REQUESTED→DELIVERED p50[<>]\d+\w+ p99[<>]")
        self.assertIn("█", picture)
        self.assertRegex(picture, r"CANCELLING worker +not-told")
        self.assertRegex(picture, r"USER +me +not-told +why not")
        self.assertIn(KEYS_LINE, lines[23])

    def test_without_a_terminal_it_says_so(self):
        self.daemon()
        said = call("--server", self.url(), "top")
        self.assertEqual((said.code, said.out), (1, ""), said)
        self.assertIn("--once", said.err)


class Terminal(CliCase):
    """A terminal's other end: what top writes, without interpreting it."""

    def open(self, *arguments, rows=24, columns=80):
        self.main, side = pty.openpty()
        self.addCleanup(os.close, self.main)
        self.before = termios.tcgetattr(side)
        self.side = side
        self.addCleanup(os.close, side)
        self.resize(rows, columns)
        self.text = b""
        self.process = subprocess.Popen(
            [CANCELCTL, "--server", self.url(), "top", "--interval", "200ms", *arguments],
            stdin=side, stdout=side, stderr=side, start_new_session=True,
            env=environment(TERM="xterm", LC_ALL="C.UTF-8"),
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.addCleanup(self.clean)

    def clean(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def resize(self, rows, columns):
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        while select.select([self.main], [], [], 0)[0]:
            try:
                self.text += os.read(self.main, 1 << 16)
            except OSError:
                break
        return self.text.decode(errors="replace")

    def await_text(self, text):
        eventually(lambda: text in self.read(), what=repr(text))

    def press(self, keys):
        os.write(self.main, keys)

    def end(self):
        # What it writes has to be read, else it waits for that.
        eventually(lambda: self.read() and self.process.poll() is not None, what="its end")
        self.read()

    def assertGivenBack(self):
        self.assertIn("\x1b[?1049l", self.read())
        self.assertEqual(termios.tcgetattr(self.side)[:4], self.before[:4])

    def test_it_lives_and_ends_by_a_key(self):
        self.daemon()
        self.open()
        self.await_text(KEYS_LINE)
        self.one("store", "a-new-one", "--ttl", "60s")
        self.await_text("a-new-one")
        self.press(b"q")
        self.end()
        self.assertEqual(self.process.returncode, 0)
        self.assertGivenBack()

    def test_a_key_of_others_does_nothing_to_the_terminal(self):
        self.daemon()
        self.session().store(b"\x1b]0;owned\x07\x1b[31mk")
        self.open()
        self.await_text(r"\033]0;owned\a\033[31mk")
        self.press(b"q")
        self.end()
        self.assertNotIn("\x1b]0;", self.read())

    def test_a_namespace_is_asked_for(self):
        self.daemon()
        self.one("--namespace", "other", "store", "elsewhere", "--ttl", "60s")
        self.open()
        self.await_text("NAMESPACE default")
        self.press(b"n")
        self.await_text("namespace:")
        self.press(b"other\r")
        self.await_text("elsewhere")
        self.press(b"q")
        self.end()
        self.assertEqual(self.process.returncode, 0)

    def test_it_pauses(self):
        self.daemon()
        self.open()
        self.await_text(KEYS_LINE)
        self.press(b"p")
        self.await_text("PAUSED")
        before = self.one("stats")["stats"]["ops_list"]
        self.one("store", "unseen", "--ttl", "60s")
        eventually(lambda: self.one("stats")["stats"]["ops_stats"] > 6)
        self.assertEqual(self.one("stats")["stats"]["ops_list"], before)
        self.assertNotIn("unseen", self.read())
        self.press(b"p")
        self.await_text("unseen")
        self.press(b"q")
        self.end()

    def test_it_follows_the_size_of_the_terminal(self):
        self.daemon()
        self.one("store", "k", "--ttl", "60s")
        self.open(rows=24, columns=80)
        self.await_text(KEYS_LINE)
        self.text = b""
        self.resize(40, 120)
        self.await_text("GEN")  # a column that only wide terminals have
        self.text = b""
        self.resize(5, 20)
        self.await_text("…")
        self.press(b"q")
        self.end()
        self.assertEqual(self.process.returncode, 0)

    def test_nothing_new_is_nothing_sent(self):
        """No flicker: what has not changed is not drawn again."""
        self.daemon()
        self.open()
        self.await_text(KEYS_LINE)
        asked = self.one("stats")["stats"]["ops_stats"]
        self.read()
        self.text = b""
        eventually(lambda: self.one("stats")["stats"]["ops_stats"] > asked + 10)
        said = self.read()
        self.assertNotIn(KEYS_LINE, said)
        self.assertNotIn("\x1b[2J", said)
        self.assertLess(len(said), 2000, said)
        self.press(b"q")
        self.end()

    def test_a_daemon_that_goes_away_is_said_and_comes_back(self):
        daemon = self.daemon()
        self.open()
        self.await_text(KEYS_LINE)
        daemon.kill()
        eventually(lambda: re.search("UNAVAILABLE|TIMED_OUT", self.read()), seconds=20,
                   what="that the daemon is away")
        daemon.start()
        self.one("store", "after", "--ttl", "60s")
        eventually(lambda: "after" in self.read(), seconds=20, what="the daemon's return")
        self.press(b"q")
        self.end()
        self.assertEqual(self.process.returncode, 0)

    def test_a_signal_gives_the_terminal_back(self):
        self.daemon()
        self.open()
        self.await_text(KEYS_LINE)
        self.press(b"\x03")
        self.end()
        self.assertNotEqual(self.process.returncode, 0)
        self.assertGivenBack()
        self.open()
        self.await_text(KEYS_LINE)
        self.process.send_signal(signal.SIGTERM)
        self.end()
        self.assertGivenBack()


if __name__ == "__main__":
    main()
