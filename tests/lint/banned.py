# SPDX-License-Identifier: MIT
"""Calls that this code does without."""
import re

import tree

EVERYWHERE = re.compile(r".")
BELOW_SERVER = re.compile(r"^runtime/(base|actor|registry|journal|wire)/(?!check\.c$)")
NOT_MAIN = re.compile(r"^(runtime|clients/c)/(?!.*\bmain\.c$)(?!c/examples?/)(?!.*example)")
NOT_TESTS = re.compile(r"^(?!tests/)")
TESTS = re.compile(r"^tests/")

# What, where it is banned, and what to do instead.
BANNED = (
    (r"(?:str(?:n?cpy|n?cat)|stpcpy|v?sprintf|gets)", EVERYWHERE, "say how big the room is"),
    (r"(?:atoi|atol|atoll|atof)", EVERYWHERE, "strtol and its kin can tell of an error"),
    (r"(?:strtok|asctime|ctime|gmtime|localtime|strerror_l|rand|srand)", EVERYWHERE,
     "it keeps a state that nobody sees"),
    (r"(?:assert)", EVERYWHERE, "a release build drops it: ASSERT stays"),
    (r"(?:signal)", EVERYWHERE, "sigaction says what it does"),
    (r"(?:alloca)", EVERYWHERE, "the stack has no bound that it could tell"),
    (r"(?:system|popen)", NOT_TESTS, "no shell in between"),
    (r"(?:nng_msg_insert)", EVERYWHERE, "it corrupts the heap in NNG 1.5.2"),
    (r"(?:printf|fprintf|puts|perror|syslog)", BELOW_SERVER, "nothing below server/ logs"),
    (r"(?:exit|_exit|quick_exit)", NOT_MAIN, "only main ends the process"),
    (r"(?:sleep|usleep|nanosleep|nng_msleep)", TESTS, "wait for a condition: CHECK_EVENTUALLY"),
)


def main():
    findings = []
    for path in tree.files(".c", ".h"):
        code = tree.code(path)
        for names, where, instead in BANNED:
            if not where.search(path):
                continue
            for match in re.finditer(rf"(?<![\w.>]){names}\s*\(", code):
                line = code.count("\n", 0, match.start()) + 1
                findings.append(f"{path}:{line}: {match.group().rstrip('( ')}: {instead}")
    tree.finish(findings, "banned calls")


main()
