#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the fuzzers as OSS-Fuzz wants them: with $CC, $CXX, $CFLAGS, $CXXFLAGS and $LIB_FUZZING_ENGINE, into
# $OUT, from $SRC/canceld. Whatever is not set is what clang has: so it works standing alone too, and leaves the
# fuzzers in build/oss-fuzz/out. It needs what the daemon needs (README.md), and clang.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
if [ -n "${SRC:-}" ] && [ -f "$SRC/canceld/tests/fuzz/build.sh" ]; then
    source=$SRC/canceld
fi
work=${WORK:-$source/build/oss-fuzz}
out=${OUT:-$work/out}
engine=${LIB_FUZZING_ENGINE:--fsanitize=fuzzer}
: "${CC:=clang}" "${CXX:=clang++}"
: "${CFLAGS:=-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all}"
: "${CXXFLAGS:=$CFLAGS}"
export CC CXX CFLAGS CXXFLAGS

# The libraries that the fuzzers need go along with them, for they run on another machine.
mkdir -p "$out/lib" "$work/cmake"
cmake -S "$source" -B "$work/cmake" -G Ninja -DCMAKE_BUILD_TYPE= -DCANCELD_FUZZ_ENGINE="$engine" \
    -DCANCELD_FUZZ_LINKER="$CXX" \
    -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON -DCMAKE_INSTALL_RPATH="\$ORIGIN/lib"
ninja -C "$work/cmake" canceld_fuzzers

for fuzzer in "$work"/cmake/tests/fuzz_*; do
    name=$(basename "$fuzzer")
    cp "$fuzzer" "$out/$name"
    LD_LIBRARY_PATH="$work/cmake/clients/c" ldd "$fuzzer" |
        sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | grep -v -E '/lib(c|m|dl|pthread|rt|gcc_s)\.so' |
        while read -r library; do
            cp -u "$library" "$out/lib/"
        done
    python3 - "$here/corpus/${name#fuzz_}" "$out/${name}_seed_corpus.zip" <<'PYTHON'
import pathlib, sys, zipfile
with zipfile.ZipFile(sys.argv[2], "w", zipfile.ZIP_DEFLATED) as archive:
    for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
        archive.write(path, path.name)
PYTHON
done
