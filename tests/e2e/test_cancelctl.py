# SPDX-License-Identifier: MIT
"""cancelctl: what it answers, its exit codes, and real commands that are cancelled from elsewhere."""
import json
import os
import signal
import subprocess
import time

from canceld_e2e import BINARIES, PATIENCE, Case, eventually, get, main, over_both, pb

DONE, OTHER, USAGE, GONE, STALE, LATE, TAKEN, NO_DAEMON = range(8)
NOT_STARTED, CANNOT_START, NOT_FOUND = 125, 126, 127


def cancelctl(url, *arguments, **how):
    """Runs it to its end: exit code, stdout, stderr."""
    done = subprocess.run([os.path.join(BINARIES, "cancelctl"), "--server", url, *arguments],
                          capture_output=True, text=True, timeout=60 * PATIENCE, **how)
    return done.returncode, done.stdout, done.stderr


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(child) for child in children.read().split()]


class Cancelctl:
    def ctl(self, *arguments):
        return cancelctl(self.url(), *arguments)

    def said(self, code, *arguments):
        """The JSON object that it prints, once the exit code is as expected."""
        status, out, err = self.ctl("--json", *arguments)
        self.assertEqual(status, code, out + err)
        return json.loads(out)

    def store(self, key, *arguments):
        return self.said(DONE, "store", key, "--ttl", "60s", *arguments)["gen"]

    def command(self, *arguments, run=(), **how):
        """`cancelctl run --key k -- arguments` on its way, its operation stored."""
        process = subprocess.Popen(
            [os.path.join(BINARIES, "cancelctl"), "--server", self.url(), "run", "--key", "k", *run,
             "--", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
        self.addCleanup(self.end, process)
        eventually(lambda: self.live() or process.poll() is not None, what="the operation")
        return process

    def end(self, process):
        """The command too: it would outlive its cancelctl, and hold the pipes."""
        if process.poll() is None:
            for child in children_of(process.pid):
                os.killpg(child, signal.SIGKILL)
            process.kill()
        process.communicate()

    def live(self):
        found = self.peer().op(get(b"k")).operations
        return bool(found) and found[0].state == pb.STATE_LIVE

    def outcome(self):
        return self.said(DONE, "get", "k")["outcome"]


@over_both
class Asking(Cancelctl):
    def setUp(self):
        self.daemon("--limit-finished", "4")

    def test_a_stored_operation_is_kept_after_cancelctl_has_gone(self):
        gen = self.store("k", "--meta", "what it is")
        found = self.said(DONE, "get", "k")
        self.assertEqual((found["gen"], found["state"], found["meta"]), (gen, "LIVE", "what it is"))
        self.assertEqual(self.said(DONE, "count")["count"], 1)

    def test_a_live_key_is_not_stored_twice_unless_it_is_asked_for(self):
        first = self.store("k")
        self.assertEqual(self.said(TAKEN, "store", "k", "--ttl", "60s")["gen"], first)
        second = self.store("k", "--policy", "supersede")
        self.assertNotEqual(first, second)
        self.assertEqual(self.said(DONE, "get", "k", "--gen", first)["state"], "CANCELLING")

    def test_each_answer_of_cancel_has_its_exit_code(self):
        gen = self.store("k")
        self.assertEqual(self.said(GONE, "cancel", "nothing")["answer"], "NOT_FOUND")
        self.assertEqual(self.said(DONE, "cancel", "k", "--reason", "why")["answer"], "REQUESTED")
        again = self.said(DONE, "cancel", "k")
        self.assertEqual(again["answer"], "ALREADY_REQUESTED")
        self.assertEqual(self.said(DONE, "get", "k")["cause"]["text"], "why")
        self.said(DONE, "delete", "k", "--gen", gen, "--outcome", "cancelled")
        finished = self.said(GONE, "cancel", "k", "--gen", gen)
        self.assertEqual((finished["answer"], finished["outcome"]), ("FINISHED", "CANCELLED"))

    def test_a_forgotten_gen_is_stale_where_its_key_lives_on(self):
        gen = self.store("k")
        self.said(DONE, "delete", "k", "--gen", gen)
        current = self.store("k")
        for number in range(5):
            key = f"other{number}"
            self.said(DONE, "delete", key, "--gen", self.store(key))
        stale = self.said(STALE, "cancel", "k", "--gen", gen)
        self.assertEqual((stale["answer"], stale["gen"]), ("STALE_GEN", current))
        self.assertEqual(self.said(STALE, "delete", "k", "--gen", gen)["answer"], "STALE_GEN")

    def test_an_armed_cancel_is_listed_and_taken_back(self):
        self.assertEqual(self.said(DONE, "cancel", "k", "--arm", "10s")["answer"], "ARMED")
        self.assertEqual(self.said(DONE, "armed")["key"], "k")
        self.assertEqual(self.said(DONE, "disarm", "k")["answer"], "DISARMED")
        self.said(DONE, "cancel", "k", "--arm", "10s")
        born = self.said(OTHER, "store", "k", "--ttl", "60s")
        self.assertEqual(born["answer"], "BORN_CANCELLED")

    def test_a_wait_ends_with_the_operation_or_at_its_deadline(self):
        gen = self.store("k")
        late = self.said(LATE, "wait", "k", "--until", "ended", "--deadline", "100ms")
        self.assertEqual((late["answer"], late["state"]), ("TIMED_OUT", "LIVE"))
        self.said(DONE, "delete", "k", "--gen", gen, "--outcome", "failed")
        ended = self.said(DONE, "wait", "k", "--gen", gen, "--until", "ended")
        self.assertEqual(ended["outcome"], "FAILED")

    def test_a_kept_operation_has_no_owner_that_could_stop(self):
        self.store("k")
        eventually(lambda: "owner" not in self.said(DONE, "get", "k"), what="its session's end")
        status, out, err = self.ctl("--json", "cancel", "k", "--ack", "stopped", "--deadline", "5s")
        self.assertEqual(json.loads(out)["level"], "RECORDED", out)
        self.assertTrue(json.loads(out)["no_owner"], out)

    def test_namespaces_keep_the_same_key_apart(self):
        gen = self.store("k")
        self.assertNotEqual(self.said(DONE, "--namespace", "other", "store", "k", "--ttl", "1s")["gen"],
                            gen)
        self.said(DONE, "--namespace", "other", "cancel", "k")
        self.assertEqual(self.said(DONE, "get", "k")["state"], "LIVE")

    def test_a_list_has_a_line_for_each_operation(self):
        keys = [f"k{number:04}" for number in range(300)]
        session = self.session()
        for key in keys:
            session.store(key.encode(), meta=b"m" * 500)  # more than one page
        status, out, _ = self.ctl("--json", "list")
        self.assertEqual(status, DONE)
        self.assertEqual(sorted(json.loads(line)["key"] for line in out.splitlines()), keys)

    def test_keys_that_are_no_text_are_escaped_and_in_json_base64(self):
        self.session().store(b"\xff\n")
        self.assertIn("\\377\\n", self.ctl("list")[1].replace("\\xff", "\\377"))
        self.assertEqual(self.said(DONE, "list")["key_b64"], "/wo=")

    def test_ping_and_stats_answer(self):
        self.assertEqual(self.said(DONE, "ping")["answer"], "PONG")
        self.assertEqual(self.said(DONE, "stats")["stats"]["limit_finished"], 4)

    def test_a_wrong_command_line_is_a_usage_error_with_a_sentence(self):
        for arguments in ([], ["no-such-command"], ["store"], ["store", "k"],
                          ["store", "k", "--ttl", "soon"], ["cancel", "k", "--ack", "maybe"],
                          ["delete", "k"], ["cancel", "k", "--gen", "x"], ["run", "--key", "k"]):
            with self.subTest(arguments=arguments):
                status, out, err = self.ctl(*arguments)
                self.assertEqual(status, USAGE, out + err)
                self.assertGreater(len(err.strip()), 10)

    def test_without_a_daemon_it_says_so(self):
        nowhere = f"ipc://{self.running.directory}/nowhere"
        for arguments in (["ping"], ["cancel", "k"], ["store", "k", "--ttl", "1s"]):
            status, _, err = cancelctl(nowhere, *arguments)
            self.assertEqual(status, NO_DAEMON)
            self.assertGreater(len(err.strip()), 10)


@over_both
class Running(Cancelctl):
    def setUp(self):
        self.daemon()

    def test_a_command_that_ends_by_itself_gives_its_own_code_and_outcome(self):
        for script, code, outcome in (("exit 0", 0, "COMPLETED"), ("exit 3", 3, "FAILED"),
                                      ("kill -KILL $$", 128 + 9, "FAILED")):
            status, _, err = self.ctl("run", "--key", "k", "--", "sh", "-c", script)
            self.assertEqual(status, code, err)
            self.assertEqual(self.outcome(), outcome)

    def test_a_running_command_is_stopped_from_another_process(self):
        command = self.command("sleep", "600")
        answer = self.said(DONE, "cancel", "k", "--ack", "stopped", "--deadline", "20s")
        self.assertEqual((answer["level"], answer["outcome"]), ("STOPPED", "CANCELLED"))
        self.assertEqual(command.wait(20 * PATIENCE), 128 + signal.SIGTERM)

    def test_the_whole_process_group_is_stopped(self):
        command = self.command("sh", "-c", "sleep 600 & echo $!; wait")
        grandchild = int(command.stdout.readline())
        self.said(DONE, "cancel", "k", "--ack", "stopped", "--deadline", "20s")
        command.wait(20 * PATIENCE)
        eventually(lambda: not os.path.exists(f"/proc/{grandchild}/cwd"), what="its end")

    def test_a_command_that_ignores_the_signal_is_killed_after_the_grace(self):
        command = self.command("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done",
                               run=["--grace", "500ms"])
        command.stdout.readline()
        begin = time.monotonic()
        answer = self.said(DONE, "cancel", "k", "--ack", "stopped", "--deadline", "20s")
        self.assertEqual(answer["level"], "STOPPED")
        self.assertGreaterEqual(time.monotonic() - begin, 0.5)
        self.assertEqual(command.wait(20 * PATIENCE), 128 + signal.SIGKILL)

    def test_a_command_that_finishes_well_in_spite_of_a_cancel_decides_its_own_code(self):
        command = self.command("sh", "-c", "trap 'exit 0' INT; echo up; while :; do sleep 0.1; done",
                               run=["--signal", "INT"])
        command.stdout.readline()
        answer = self.said(DONE, "cancel", "k", "--ack", "stopped", "--deadline", "20s")
        self.assertEqual(answer["level"], "STOPPED")
        self.assertEqual(command.wait(20 * PATIENCE), 0)

    def test_a_cancel_that_waits_for_stopped_with_a_stubborn_command_says_delivered(self):
        command = self.command("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done",
                               run=["--grace", "60s"])
        command.stdout.readline()
        answer = self.said(LATE, "cancel", "k", "--ack", "stopped", "--deadline", "500ms")
        self.assertEqual(answer["level"], "DELIVERED")
        os.killpg(children_of(command.pid)[0], signal.SIGKILL)
        self.assertEqual(command.wait(20 * PATIENCE), 128 + signal.SIGKILL)

    def test_a_signal_to_cancelctl_is_passed_on(self):
        command = self.command("sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done")
        command.stdout.readline()
        command.send_signal(signal.SIGTERM)
        self.assertEqual(command.wait(20 * PATIENCE), 7)
        self.assertEqual(self.outcome(), "FAILED")

    def test_a_time_limit_cancels_the_command(self):
        status, _, err = self.ctl("run", "--key", "k", "--ttl", "300ms", "--", "sleep", "600")
        self.assertEqual(status, 128 + signal.SIGTERM, err)
        found = self.said(DONE, "get", "k")
        self.assertEqual((found["outcome"], found["cause"]["code"]), ("CANCELLED", "DEADLINE"))

    def test_a_command_whose_key_is_taken_or_cancelled_before_is_not_started(self):
        marker = os.path.join(self.running.directory, "marker")
        self.command("sleep", "600")
        self.assertEqual(self.ctl("run", "--key", "k", "--", "touch", marker)[0], NOT_STARTED)
        self.said(DONE, "cancel", "early", "--arm", "10s")
        self.assertEqual(self.ctl("run", "--key", "early", "--", "touch", marker)[0], NOT_STARTED)
        self.assertFalse(os.path.exists(marker))

    def test_a_command_that_is_not_there_or_cannot_run_gives_the_code_of_env(self):
        self.assertEqual(self.ctl("run", "--key", "k", "--", "no-such-command-anywhere")[0], NOT_FOUND)
        self.assertEqual(self.ctl("run", "--key", "k", "--", "/etc/passwd")[0], CANNOT_START)

    def test_without_a_daemon_a_command_is_not_started_unless_told_so(self):
        nowhere = f"ipc://{self.running.directory}/nowhere"
        self.assertEqual(cancelctl(nowhere, "run", "--key", "k", "--", "true")[0], NOT_STARTED)
        status, _, _ = cancelctl(nowhere, "run", "--key", "k", "--no-daemon=run", "--", "sh", "-c",
                                 "exit 9")
        self.assertEqual(status, 9)

    def test_a_command_goes_on_when_the_daemon_is_killed_and_started_again(self):
        command = self.command("sh", "-c", "echo up; read line; exit 5", stdin=subprocess.PIPE)
        command.stdout.readline()
        self.running.restart()
        said = iter(command.stderr.readline, "")
        self.assertTrue(any("LOST_POSSIBLE" in line for line in said))
        command.stdin.write("\n")
        command.stdin.close()
        self.assertEqual(command.wait(20 * PATIENCE), 5)

    def test_a_killed_cancelctl_is_a_lost_owner(self):
        self.running.close()
        self.daemon("--limit-grace-ms", "300")
        command = self.command("sleep", "600")
        (child,) = children_of(command.pid)
        command.kill()
        command.wait()
        os.killpg(child, signal.SIGKILL)
        ended = self.said(DONE, "wait", "k", "--until", "ended", "--deadline", "20s")
        self.assertEqual(ended["outcome"], "OWNER_LOST")


if __name__ == "__main__":
    main()
