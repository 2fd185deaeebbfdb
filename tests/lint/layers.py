# SPDX-License-Identifier: MIT
"""A file includes only what its own layer and those below it offer, and a foreign library's header
only where that library is wrapped."""
import os
import re

import tree

LAYERS = ("base", "table", "actor", "registry", "journal", "wire", "server")  # lowest first
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)

# A foreign header and the only files that may include it.
FOREIGN = (
    (re.compile(r"^nng/"), re.compile(r"^(runtime/wire/(endpoint|link|listener)[^/]*|clients/c/.*|tests/.*|bench/.*)$")),
    (re.compile(r"canceld\.pb-c\.h$"), re.compile(r"^(runtime/wire/codec[^/]*|clients/c/.*|tests/.*|bench/.*)$")),
    (re.compile(r"^(google/protobuf|protobuf)-c/"), re.compile(r"^(runtime/wire/(codec|arena)[^/]*|clients/c/.*|tests/.*|bench/.*)$")),
    (re.compile(r"^sqlite3\.h$"), re.compile(r"^(runtime/journal/(journal_file|row)[^/]*|tests/.*|bench/.*)$")),
    # The journal knows of the registry what it is given, nothing of how it decides.
    (re.compile(r"^registry/(?!(journal_record|frame|answer)\.h$)"), re.compile(r"^(?!runtime/journal/)")),
)


def layer_of(name):
    head = name.split("/")[0]
    return LAYERS.index(head) if "/" in name and head in LAYERS else None


def is_beside(path, name):
    return os.path.exists(os.path.join(tree.root(), os.path.dirname(path), name))


def refusal(path, name):
    """Why `path` must not include `name`, or None."""
    for header, places in FOREIGN:
        if header.search(name) and not places.match(path):
            return "that library is wrapped elsewhere"
    layer = layer_of(name)
    if path.startswith("runtime/local/"):
        if layer is not None and layer > LAYERS.index("registry"):
            return "the embedded registry stands on the registry"
        if name == "canceld/client.h":
            return "the embedded registry and the client library share canceld/words.h alone"
    elif path.startswith("runtime/"):
        if name.startswith("local/"):
            return "nothing of the daemon stands on the embedded registry"
        own = layer_of(path[len("runtime/"):])
        if own is not None and layer is not None and layer > own:
            return "it is of a higher layer"
        if name.startswith("canceld/"):
            return "the daemon does not know its clients"
    elif path.startswith("clients/c/"):
        if layer is not None and name != "wire/sp.h":
            return "the client library shares wire/sp.h alone"
    elif path.startswith("clients/cli/"):
        if name != "canceld/client.h" and not is_beside(path, name):
            return "cancelctl knows canceld/client.h alone"
    return None


def main():
    findings = []
    for path in tree.files(".c", ".h"):
        for kind, name in INCLUDE.findall(tree.text(path)):
            if kind == "<" and not any(header.search(name) for header, _ in FOREIGN):
                continue
            reason = refusal(path, name)
            if reason:
                findings.append(f"{path} includes {name}: {reason}")
    tree.finish(findings, "includes against the layers")


main()
