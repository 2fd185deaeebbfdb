#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a peer's Savina programs with one scheduler thread and with two, in turns, and prints the better
of the two for each row, as lines of JSON (see bench/savina/savina.h for what they measure).

    savina.py caf|erlang|go --build DIR [--quick] [--seed N] [--only ROW]

The peer is compiled into DIR when its source is newer than what is there."""
import argparse
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = {
    "caf": {
        "source": "caf/savina.cpp", "built": "savina_caf",
        "compile": ["g++", "-std=c++17", "-O2", "-DNDEBUG", "@source", "-o", "@built", "-lcaf_core", "-lpthread"],
        "run": ["@built", "--threads", "@threads"], "threads": "worker",
    },
    "erlang": {
        "source": "erlang/savina.erl", "built": "savina.beam",
        "compile": ["erlc", "-o", "@build", "@source"],
        "run": ["erl", "+S", "@threads:@threads", "-noshell", "-pa", "@build", "-s", "savina", "main", "-extra"],
        "threads": "scheduler",
    },
    "go": {
        "source": "go/savina.go", "built": "savina_go",
        "compile": ["go", "build", "-o", "@built", "@source"],
        "run": ["@built"], "threads": "thread",
    },
}
ROWS = ("count", "pingpong", "pingpong-300k", "cdict-20", "banking", "ask", "ask-deadline")


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--build", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    return parser.parse_args()


def fill(words, places):
    for name, path in places.items():
        words = [word.replace(f"@{name}", path) for word in words]
    return words


def compile_peer(peer, places):
    if os.path.exists(places["built"]) and os.path.getmtime(places["built"]) >= os.path.getmtime(places["source"]):
        return
    os.makedirs(places["build"], exist_ok=True)
    print(f"compiling {peer['source']}", file=sys.stderr)
    environment = {**os.environ, "GO111MODULE": "off"}
    subprocess.run(fill(peer["compile"], places), env=environment, check=True, stdout=sys.stderr)


def run_once(options, peer, places, threads):
    """The lines of one run of all programs, by row and peer."""
    command = fill(peer["run"], {**places, "threads": str(threads)})
    command += ["--peer", options.peer, "--seed", str(options.seed), "--runs", "2" if options.quick else "5"]
    if options.only:
        command += ["--only", options.only]
    environment = {**os.environ, "GOMAXPROCS": str(threads)}
    ended = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    lines = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    return {(line["row"], line["peer"]): line for line in lines}


def merge(turns):
    """Of the turns with one number of threads: the best of the best, the median in the middle."""
    merged = {}
    for key in turns[0]:
        lines = [turn[key] for turn in turns]
        medians = sorted(line["median"] for line in lines)
        merged[key] = {**lines[0], "value": min(line["value"] for line in lines),
                       "median": medians[len(medians) // 2], "runs": sum(line["runs"] for line in lines)}
    return merged


def better(peer, of_threads):
    """For each row the number of threads that made it faster; the other one stands in the note."""
    for key, line in of_threads[1].items():
        best, other = (1, 2) if line["value"] <= of_threads[2][key]["value"] else (2, 1)
        line = of_threads[best][key]
        yield {name: line[name] for name in ("group", "row", "peer", "unit", "value")} | {
            "note": f"best of {line['runs']} runs with {best} {peer['threads']}{'s' if best > 1 else ''}, median "
                    f"{line['median']:.1f}; {of_threads[other][key]['value']:.1f} with {other}"}


def missing(options, why):
    for row in ROWS:
        print(json.dumps({"group": "actor", "row": row, "peer": options.peer, "missing": why}))
    return 0


def main():
    options = arguments()
    peer = PEERS[options.peer]
    for program in (peer["compile"][0], peer["run"][0]):
        if not program.startswith("@") and not shutil.which(program):
            return missing(options, f"{program} is not installed")
    if options.peer == "caf" and not os.path.exists("/usr/include/caf/all.hpp"):
        return missing(options, "libcaf-dev is not installed")
    places = {"source": os.path.join(HERE, peer["source"]), "built": os.path.join(options.build, peer["built"]),
              "build": options.build}
    compile_peer(peer, places)
    turns = {1: [], 2: []}
    for _ in range(1 if options.quick else 2):
        for threads, lines in turns.items():
            lines.append(run_once(options, peer, places, threads))
    for line in better(peer, {threads: merge(lines) for threads, lines in turns.items()}):
        print(json.dumps(line), flush=True)
    return 0


sys.exit(main())
