# SPDX-License-Identifier: MIT
"""What threads share has its page: a file of the product that uses a thread, a lock or an atomic is named, by its
path in backticks, in a record of docs/decisions/, and so is each atomic field that it declares. A record names no
file that is not there."""
import os
import re

import tree

PRODUCT = re.compile(r"^(runtime|clients)/(?!.*/examples/)")
# A mask of signals makes no thread and shares nothing.
SHARES = re.compile(r"\b(pthread_(?!sigmask\b)\w+|thrd_\w+|mtx_\w+|cnd_\w+|sem_(?:init|wait|post)|"
                    r"nng_(?:mtx|cv|thread)_\w+|_Atomic|atomic_\w+|__atomic_\w+|__sync_\w+)")
FIELD = re.compile(r"\b(?:_Atomic\([^;{}]*?\)+|atomic_[a-z]\w*)\s*\*?\s*(\w+)\s*(?:\[\w*\])?\s*(?:=[^;]*)?;")
NAMED = re.compile(r"`((?:runtime|clients)/[\w./-]+\.[ch])`")
RECORDS = "docs/decisions"


def records():
    """The records' texts, by their paths."""
    place = os.path.join(tree.root(), RECORDS)
    names = sorted(os.listdir(place)) if os.path.isdir(place) else []
    return {f"{RECORDS}/{name}": tree.text(f"{RECORDS}/{name}") for name in names
            if name.endswith(".md")}


def look(path, naming):
    """What is wrong with a file, which these records name."""
    code = tree.code(path)
    first = SHARES.search(code)
    if not first:
        return
    if not naming:
        line = code.count("\n", 0, first.start()) + 1
        yield f"{path}:{line}: {first.group()}: no record in {RECORDS}/ names this file"
        return
    for field in FIELD.finditer(code):
        if not any(re.search(rf"\b{field.group(1)}\b", text) for text in naming):
            line = code.count("\n", 0, field.start(1)) + 1
            yield f"{path}:{line}: {field.group(1)}: the record of this file does not name it"


def main():
    findings = []
    pages = records()
    for path in filter(PRODUCT.match, tree.files(".c", ".h")):
        findings += look(path, [text for text in pages.values() if path in NAMED.findall(text)])
    for record, text in pages.items():
        findings += [f"{record}: there is no {path}" for path in NAMED.findall(text)
                     if not os.path.exists(os.path.join(tree.root(), path))]
    tree.finish(findings, "what threads share without a record")


main()
