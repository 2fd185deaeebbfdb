# SPDX-License-Identifier: MIT
"""What a figure depends on: the machine, the compiler, the peers' versions, the commit."""
import datetime
import functools
import os
import platform
import re
import shutil
import subprocess

# Name, command, and what of its output is the version.
VERSIONS = (
    ("gcc", ["gcc", "--version"], r"\) (\S+)"),
    ("g++", ["g++", "--version"], r"\) (\S+)"),
    ("NNG", ["pkg-config", "--modversion", "nng"], r"(\S+)"),
    ("protobuf-c", ["pkg-config", "--modversion", "libprotobuf-c"], r"(\S+)"),
    ("Go", ["go", "version"], r"go(\d\S*)"),
    ("Erlang", ["dpkg-query", "-W", "-f", "${Version}", "erlang-base"], r"(?:\d+:)?([\d.]+)"),
    ("CAF", ["dpkg-query", "-W", "-f", "${Version}", "libcaf-dev"], r"([\d.]+)"),
    ("go-cache", ["dpkg-query", "-W", "-f", "${Version}", "golang-github-patrickmn-go-cache-dev"], r"([\d.]+)"),
    ("Redis", ["redis-server", "--version"], r"v=(\S+)"),
    ("NATS", ["nats-server", "--version"], r"v?(\d\S*)"),
    ("GLib", ["pkg-config", "--modversion", "glib-2.0"], r"(\S+)"),
    ("liburcu", ["pkg-config", "--modversion", "liburcu"], r"(\S+)"),
    ("NNG (package)", ["dpkg-query", "-W", "-f", "${Version}", "libnng-dev"], r"([\d.]+)"),
)


def output_of(command):
    """What it prints; nothing where it is not there or fails."""
    if not shutil.which(command[0]):
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def text_of(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


@functools.lru_cache(maxsize=None)
def versions():
    found = {}
    for name, command, pattern in VERSIONS:
        match = re.search(pattern, output_of(command))
        if match:
            found[name] = match.group(1)
    package = found.pop("NNG (package)", None)
    if package:
        found.setdefault("NNG", package)
    return found


def field(text, name):
    match = re.search(rf"^{name}\s*[:=]\s*\"?([^\"\n]*)", text, re.MULTILINE)
    return match.group(1).strip() if match else ""


def commit(root):
    """The commit, and whether the tree differs from it (the report's own pages aside)."""
    name = output_of(["git", "-C", root, "rev-parse", "--short=12", "HEAD"]).strip()
    if not name:
        return "not a git tree"
    changed = output_of(["git", "-C", root, "status", "--porcelain", "--", ".", ":!docs", ":!README.md"]).strip()
    return name + (" with changes" if changed else "")


def machine(root):
    cpuinfo = text_of("/proc/cpuinfo")
    cache = text_of("/sys/devices/system/cpu/cpu0/cache/index2/size").strip()
    last = text_of("/sys/devices/system/cpu/cpu0/cache/index3/size").strip()
    memory_kib = field(text_of("/proc/meminfo"), "MemTotal").split(" ")[0]
    huge = re.search(r"\[(\w+)\]", text_of("/sys/kernel/mm/transparent_hugepage/enabled"))
    return {
        "cpu": field(cpuinfo, "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "cache": f"L2 {cache}, L3 {last}" if cache and last else "",
        "virtual": "hypervisor" in field(cpuinfo, "flags").split(),
        "memory_gib": round(int(memory_kib) / 2**20, 1) if memory_kib else None,
        "huge_pages": huge.group(1) if huge else "",
        "kernel": f"{platform.system()} {platform.release()}",
        "system": field(text_of("/etc/os-release"), "PRETTY_NAME"),
        "versions": versions(),
    }


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def busy_seconds():
    """CPU time that this machine spent on anything so far, and what its host took away."""
    fields = text_of("/proc/stat").split("\n", 1)[0].split()[1:]
    ticks = [int(f) for f in fields] + [0] * 8
    second = os.sysconf("SC_CLK_TCK")
    user, nice, system, _idle, _wait, irq, softirq, steal = ticks[:8]
    return (user + nice + system + irq + softirq) / second, steal / second
