# SPDX-License-Identifier: MIT
"""Rows that nobody measured, as the programs print them: enough for each goal, table and plot."""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "bench", "report"))


def line(row, peer, value, unit="ns/op", **more):
    group, name = row.split("/")
    return {"group": group, "row": name, "peer": peer, "unit": unit, "value": value, **more}


MIX = {"ours-window-64-3-clients": 70, "ours-window-1": 930, "ours-window-8": 190, "ours-window-64": 60, "ours-inline": 70, "mutex": 338, "rwlock": 390,
       "shards-16": 140, "shards-64": 121, "spin-64": 79, "copy-on-write": 2_400_000, "value-locks": 350,
       "janitor": 360, "go-mutex": 420, "go-sync-map": 610, "go-channel": 1300, "go-cache": 640}
ACTORS = {"count": (35, 240, 110, 400), "pingpong": (52, 300, 140, 480), "cdict-20": (120, 1710, 810, 1000),
          "banking": (200, 2100, 1900, 1500)}


def lines():
    """Each goal but one is met; the one that is not is the round trip."""
    found = [line("map/mix-1M", peer, value, core_ns=2.0 * value, slices=40, slices_thrown=3) for peer, value in MIX.items()]
    found += [line("map/read90-1M", peer, value) for peer, value in MIX.items()]
    found += [line("map/cleanup-1M", peer, value, p999_ns=9 * value, worst_ns=300 * value) for peer, value in MIX.items()]
    for row, values in ACTORS.items():
        found += [line(f"actor/{row}", peer, v) for peer, v in zip(("ours", "caf", "erlang", "go"), values)]
    found += [line("actor/ask", "ours", 900), line("actor/ask-deadline", "ours", 912)]
    for index, size in enumerate(("1k", "10k", "100k", "1M", "10M", "20M")):
        found.append(line(f"scale/op-{size}", "ours", 45 + 15 * index, worst_ns=9000 * (index + 2), bytes_entry=76))
        found.append(line(f"scale/op-{size}", "glib", 60 + 40 * index, worst_ns=2e4 * 10**index))
    found += [line("scale/grow-10M", "ours", 200, p999_ns=5000, worst_ns=700_000),
              line("scale/grow-10M", "glib", 300, p999_ns=6000, worst_ns=2.1e8),
              line("scale/bytes-1M", "ours-daemon", 77, "bytes/entry"), line("scale/kept-1M", "ours", 4, "percent"),
              line("scale/kept-1M", "go-map", 79, "percent"),
              line("scale/expire-1M", "ours", 30, "us", quiet_ns=20_000), line("scale/death-1M", "ours", 39, "us", quiet_ns=20_000)]
    for depth, ours, redis in ((1, 21e3, 25e3), (16, 280e3, 260e3), (64, 1.3e6, 560e3), (256, 1.7e6, 640e3)):
        found += [line(f"socket/ops-depth-{depth}", "ours", ours, "ops/s"), line(f"socket/ops-depth-{depth}", "redis", redis, "ops/s")]
    found += [line("socket/ops-frame-32", "ours", 3.1e6, "ops/s"), line("socket/round-trip", "ours", 70, "us"),
              line("socket/round-trip", "nng", 80, "us"), line("socket/round-trip", "redis", 40, "us"),
              line("socket/cancel-notice", "ours", 33, "us"), line("socket/cancel-notice", "redis", 30, "us"),
              {"group": "socket", "row": "cancel-notice", "peer": "nats", "missing": "not there: nats-server is not installed"},
              line("socket/connections-10k", "ours", 50, "MiB"), line("socket/connections-10k-cpu", "ours", 0.4, "percent"),
              line("codec/decode-store", "ours", 90), line("codec/decode-store", "protobuf-c", 410, note="32-byte key & <labels>")]
    return found
