# SPDX-License-Identifier: MIT
"""What a core file of a process would hold, read from /proc while it runs: every page that is there of every
mapping, but for those marked MADV_DONTDUMP, and for pages of programs and libraries that are as their files are:
the kernel leaves both out. No page is touched that was not there before."""
import os
import re

PAGE = os.sysconf("SC_PAGE_SIZE")
PRESENT_OR_SWAPPED = 0xC0  # the two highest bits of an entry of pagemap
OF_A_FILE = 0x20
CHUNK = 1 << 22
HUGE = 1 << 40  # more than that is the shadow of a sanitizer

HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (....) \S+ \S+ \S+ *(.*)")


class Mapping:
    def __init__(self, begin, end, mode, name):
        self.begin, self.end, self.name = begin, end, name or "anonymous"
        self.is_readable = "r" in mode
        self.is_file = self.name.startswith("/") and mode.endswith("p")
        self.is_dumped = True


def mappings(pid):
    found = []
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as smaps:
        for line in smaps:
            head = HEAD.fullmatch(line.rstrip("\n"))
            if head:
                found.append(Mapping(int(head[1], 16), int(head[2], 16), head[3], head[4]))
            elif line.startswith("VmFlags:"):
                found[-1].is_dumped = not {"dd", "io", "pf"} & set(line.split()[1:])
    return [mapping for mapping in found if mapping.name not in ("[vvar]", "[vsyscall]", "[vvar_vclock]")]


def runs(pagemap, mapping):
    """(begin, end) of the pages that are there, as long runs."""
    run = None
    for begin in range(mapping.begin, mapping.end, CHUNK * PAGE // 8):
        end = min(mapping.end, begin + CHUNK * PAGE // 8)
        entries = os.pread(pagemap, (end - begin) // PAGE * 8, begin // PAGE * 8)[7::8]  # the highest byte of each
        if not any(entries):  # quickly over what was only reserved
            entries = b""
        for i, high in enumerate(entries):
            at = begin + i * PAGE
            if not high & PRESENT_OR_SWAPPED or mapping.is_file and high & OF_A_FILE:
                continue
            if run and run[1] == at and at + PAGE - run[0] <= CHUNK:
                run[1] = at + PAGE
            else:
                if run:
                    yield run
                run = [at, at + PAGE]
    if run:
        yield run


class Dump:
    """What a core file has (`parts`), and what it leaves out (`hidden`): (name, address, bytes) of each run of pages."""

    def __init__(self, pid):
        self.parts, self.hidden = [], []
        memory, pagemap = (os.open(f"/proc/{pid}/{name}", os.O_RDONLY) for name in ("mem", "pagemap"))
        try:
            for mapping in mappings(pid):
                if mapping.is_readable and mapping.end - mapping.begin < HUGE:
                    (self.parts if mapping.is_dumped else self.hidden).extend(
                        (mapping.name, begin, os.pread(memory, end - begin, begin)) for begin, end in runs(pagemap, mapping))
        finally:
            os.close(memory)
            os.close(pagemap)

    def find(self, needle):
        """"name address" of each place where it stands in a core file."""
        return places(self.parts, needle)

    def find_hidden(self, needle):
        """The same of what a core file leaves out."""
        return places(self.hidden, needle)


def places(parts, needle):
    found = []
    for name, begin, part in parts:
        at = part.find(needle)
        while at >= 0:
            found.append(f"{name} {begin + at:#x}")
            at = part.find(needle, at + 1)
    return found


def size(parts):
    return sum(len(part) for _, _, part in parts)


def is_readable(pid):
    """Whether we may look: a process that is not dumpable shows its memory to root alone."""
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY))
    except OSError:
        return False
    return True
