# SPDX-License-Identifier: MIT
"""The systemd unit: systemd finds nothing wrong with it; its exposure is 0.5 of 10 at the most, and 1.2 with the
drop-in for the network; and it lets the daemon make every call that the daemon's own filter lets it make."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

EXPOSURE_TENTHS_MAX = {"ipc": 5, "network": 12}
SKIPPED = 77
SCORE = re.compile(r"exposure level .*: ([0-9.]+)")
CALL = re.compile(r"^    \{CALL\((\w+)\)", re.MULTILINE)
# SQLite, run by root alone: the unit's user is not.
ROOT = {"fchown"}
UNIT = "runtime/server/canceld.service.in"
DROP_IN = "runtime/server/network.conf"
CALLS = "runtime/server/sandbox_calls.c"


def text_of(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


def unit_findings(name, text):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "canceld.service")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        checked = analyze("--man=no", "verify", path)
        scored = analyze("security", "--offline=true", f"--threshold={EXPOSURE_TENTHS_MAX[name]}", path)
    said = checked.stderr.strip()
    findings = [f"{name}: {line}" for line in said.splitlines()]
    found = SCORE.search(scored.stdout)
    if found is None or checked.returncode != 0:
        findings.append(f"{name}: systemd-analyze ended with {checked.returncode} and {scored.returncode}")
    else:
        print(f"* exposure, {name}: {found.group(1)} of 10")
        if float(found.group(1)) * 10 > EXPOSURE_TENTHS_MAX[name]:
            findings.append(f"{name}: exposure {found.group(1)}")
    return findings


def calls_of(word):
    """A call by its name, or those of a set, and of the sets in it."""
    if not word.startswith("@"):
        return {word}
    lines = analyze("syscall-filter", word).stdout.splitlines()[1:]
    calls = set()
    for line in lines:
        name = line.strip()
        if name and not name.startswith("#"):
            calls |= calls_of(name)
    return calls


def allowed_calls(text):
    """As systemd reads it: the first line allows, those with ~ take away, and others add."""
    allowed = calls_of("@default")
    for line in re.findall(r"^SystemCallFilter=(.*)$", text, re.MULTILINE):
        words = set().union(*(calls_of(word) for word in line.lstrip("~").split()))
        allowed = allowed - words if line.startswith("~") else allowed | words
    return allowed


def calls_findings(root, text):
    """The daemon's own list, without what only instrumented builds have."""
    listed = set(CALL.findall(text_of(root, CALLS).split("#ifdef CANCELD_INSTRUMENTED")[0]))
    if len(listed) < 50 or "openat" not in listed:
        return [f"{CALLS}: the list is not found in it"]
    return [f"the unit forbids {name}, which the daemon may make"
            for name in sorted(listed - ROOT - allowed_calls(text))]


def main(root):
    if shutil.which("systemd-analyze") is None:
        print("left out: there is no systemd-analyze")
        return SKIPPED
    text = text_of(root, UNIT).replace("@CMAKE_INSTALL_FULL_BINDIR@/canceld", "/bin/true")
    findings = unit_findings("ipc", text)
    findings += unit_findings("network", text.replace("[Install]", text_of(root, DROP_IN) + "[Install]"))
    findings += calls_findings(root, text)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
