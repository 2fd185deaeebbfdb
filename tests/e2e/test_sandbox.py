# SPDX-License-Identifier: MIT
"""The daemon in its sandbox: every thread of it is in, code that is not its own ends it (forbidden.c,
preloaded), and what was answered before is there after; a reload, a start in log mode, and the memory guarded."""
import os
import resource
import signal
import unittest

from canceld_e2e import PROGRAMS, SANITIZED, Case, cancel, eventually, main, pb

FORBIDDEN = os.path.join(PROGRAMS, "libforbidden.so")
FILTERED, FREE = "2", "0"  # as /proc has it
INSTRUMENTED = SANITIZED or bool(os.environ.get("CANCELD_INSTRUMENTED"))


class Sandbox(Case):
    def attacked(self, *flags, **how):
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return self.daemon(*flags, environment={"LD_PRELOAD": FORBIDDEN, "ASAN_OPTIONS": sanitizer}, **how)

    def of_threads(self, field):
        """What the kernel says of each thread."""
        directory = f"/proc/{self.running.pid}/task"
        found = []
        for task in os.listdir(directory):
            with open(os.path.join(directory, task, "status"), encoding="ascii", errors="replace") as status:
                found += [line.split()[1] for line in status if line.startswith(field + ":")]
        return found

    def test_every_thread_is_in_it_before_anything_is_served(self):
        daemon = self.daemon(ephemeral=False)
        self.assertGreaterEqual(len(self.of_threads("Seccomp")), 3, "main, the owner's and the journal's")
        self.assertEqual(set(self.of_threads("Seccomp")), {FILTERED})
        self.assertEqual(set(self.of_threads("NoNewPrivs")), {"1"})
        self.assertIn("seccomp is kill", daemon.log_text())

    def test_off_and_log_are_said_in_the_log(self):
        for mode, state in (("off", FREE), ("log", FILTERED)):
            daemon = self.daemon("--seccomp", mode)
            self.assertEqual(set(self.of_threads("Seccomp")), {state})
            self.assertIn(f"seccomp is {mode}", daemon.log_text())
            self.session().store(b"served")

    # Sanitizers start programs themselves, so whatever is instrumented may.
    @unittest.skipIf(INSTRUMENTED, "an instrumented daemon may start programs")
    def test_code_that_is_not_its_own_ends_it_and_nothing_answered_is_lost(self):
        daemon = self.attacked(ephemeral=False)
        gen = self.session().store(b"k")
        self.assertAnswer(self.peer().op(cancel(b"k", text="why")), "REQUESTED", journaled=True)
        daemon.signal(signal.SIGUSR1)
        self.assertEqual(daemon.wait(), -signal.SIGSYS)
        daemon.start()
        adopted = self.session().adopt(b"k", gen)
        self.assertEqual((adopted.state, adopted.cause.text), (pb.STATE_CANCELLING, b"why"))

    def test_without_it_the_same_code_has_its_way(self):
        for mode in ("off", "log"):
            daemon = self.attacked("--seccomp", mode)
            daemon.signal(signal.SIGUSR1)
            self.assertEqual(daemon.wait(), 0, "/bin/true has taken its place")

    def test_a_reload_reads_files_users_and_hosts(self):
        daemon = self.daemon(ephemeral=None)
        daemon.stop()
        path = os.path.join(daemon.directory, "conf")
        with open(path, "w", encoding="ascii") as file:
            file.write('ephemeral = true;')
        daemon.flags = ["--config", path, "--listen", "tcp://localhost:0"]
        daemon.start()
        with open(path, "w", encoding="ascii") as file:
            file.write('ephemeral = true; listen = "tcp://localhost:1"; ipc_group = "nogroup";\n'
                       'rules = ({ who = "user:nobody"; namespace = "*"; roles = "reader"; });')
        daemon.signal(signal.SIGHUP)
        eventually(lambda: "reloaded: " in daemon.log_text(), what="the reload")
        with open(path, "w", encoding="ascii") as file:
            file.write('rules = ({ who = "user:nobdoy"; namespace = "*"; roles = "reader"; });')
        daemon.signal(signal.SIGHUP)
        eventually(lambda: "there is no such user" in daemon.log_text(), what="the refusal")
        self.assertTrue(daemon.is_running())
        self.assertEqual(set(self.of_threads("Seccomp")), {FILTERED})

    def test_no_core_file_of_it_is_written_unless_it_is_said(self):
        ours = resource.getrlimit(resource.RLIMIT_CORE)
        for flags, limits in ((), (0, 0)), (("--dumpable",), ours):
            self.assertEqual(resource.prlimit(self.daemon(*flags).pid, resource.RLIMIT_CORE), limits)


if __name__ == "__main__":
    main()
