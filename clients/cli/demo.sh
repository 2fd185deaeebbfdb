#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# canceld-demo: real commands on real files of this machine, cancelled from other processes. It
# prints each answer with the time that it took, checks it against the contract, and exits with 1
# where one is not as it has to be. Everything happens in a directory of its own.
set -u

bin=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/canceld-demo.XXXXXX")
export CANCELD_SERVER="ipc://$dir/s"
export LC_ALL=C
wrong=0
answer='' code=0 took_ms=0

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
    bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[1;31m' plain=$'\e[0m'
else
    bold='' dim='' green='' red='' plain=''
fi

# ---- the stage ----------------------------------------------------------------------------------

now_ms() {
    local now=${EPOCHREALTIME/[.,]/}
    echo $((now / 1000))
}

# Ends what the demo started: by the ids that were noted, and the commands by their groups.
clean_up() {
    local file
    for file in "$dir"/*.group; do
        [[ -s $file ]] && kill -KILL -- "-$(<"$file")" 2>/dev/null
    done
    [[ -n ${daemon:-} ]] && kill -TERM "$daemon" 2>/dev/null && wait "$daemon" 2>/dev/null
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

die() {
    echo "canceld-demo: $*" >&2
    exit 1
}

# eventually SECONDS COMMAND...: asks until the command succeeds.
eventually() {
    local deadline=$(($(now_ms) + $1 * 1000))
    shift
    until "$@" >/dev/null 2>&1; do
        (($(now_ms) < deadline)) || return 1
        sleep 0.02
    done
}

chapter() {
    printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

# As one would type it.
quoted() {
    local argument
    for argument; do
        case $argument in
        *[\ \*]*) printf " '%s'" "$argument" ;;
        *) printf ' %s' "$argument" ;;
        esac
    done
}

# ask ARGUMENT...: runs cancelctl, prints what was asked, the answer and its time.
ask() {
    local begin_ms
    printf '  %s$ cancelctl%s%s\n' "$dim" "$(quoted "$@")" "$plain"
    begin_ms=$(now_ms)
    answer=$("$bin/cancelctl" "$@" 2>&1)
    code=$?
    took_ms=$(($(now_ms) - begin_ms))
    [[ -n $answer ]] && printf '  %s\n' "${answer//$'\n'/$'\n  '}"
    printf '  %s= %d, after %d ms%s\n' "$dim" "$code" "$took_ms" "$plain"
}

# check SENTENCE CONDITION...: the condition is a command.
check() {
    local sentence=$1
    shift
    if "$@"; then
        printf '  %sok%s      %s\n' "$green" "$plain" "$sentence"
    else
        printf '  %sNOT SO%s  %s\n' "$red" "$plain" "$sentence"
        wrong=$((wrong + 1))
    fi
}

# answer_is CODE PATTERN: of the last ask.
answer_is() {
    # shellcheck disable=SC2053 # it is a pattern
    [[ $code -eq $1 && $answer == $2 ]]
}

group_is_gone() {
    ! kill -0 -- "-$(<"$dir/$1.group")" 2>/dev/null
}

# start KEY SCRIPT: runs the script as an operation in the background; $! is cancelctl. The script
# stands in the demo's directory, and notes its process group there.
start() {
    local key=$1 script=$2
    (cd "$dir" && exec "$bin/cancelctl" run --key "$key" -- \
        sh -c "echo \$\$ >$key.group; $script" 2>"$dir/$key.said") &
}

is_live() {
    [[ $("$bin/cancelctl" get "$1") == "LIVE $1 "* && -s $dir/$1.group ]]
}

# grows_to KIB FILE
grows_to() {
    (($(wc -c <"$dir/$2") >= $1 * 1024))
}

# ---- the play -----------------------------------------------------------------------------------

[[ -x $bin/canceld && -x $bin/cancelctl ]] || die "canceld and cancelctl have to stand beside it, in $bin"

# A short grace, so that nobody has to wait long for the last chapter.
"$bin/canceld" --ephemeral --listen "$CANCELD_SERVER" --limit-grace-ms 1500 \
    >"$dir/ready" 2>"$dir/log" &
daemon=$!
eventually 10 grep -q ready "$dir/ready" || die "canceld did not get ready: $(<"$dir/log")"

printf '%scanceld: the only cancel that tells the truth%s\n' "$bold" "$plain"
printf 'A daemon listens on %s\n' "$CANCELD_SERVER"

chapter '1. Three commands begin to work, each under a key'
printf '  compress  tar and gzip -9 of all of /usr\n'
printf '  sort      the names of all files in /usr, again and again\n'
printf '  hash      sha256sum of some thousand files\n'
start compress 'tar -cf - /usr 2>/dev/null | gzip -9 >archive.tar.gz'
compress=$!
start sort 'while find /usr 2>/dev/null | sort -r | sort >names; do :; done'
sort=$!
disown
start hash 'find /usr -type f -readable -size -4096k 2>/dev/null | head -n 12000 | tr "\n" "\0" |
    xargs -0 sha256sum >sums'
hash=$!
for key in compress sort hash; do
    eventually 10 is_live $key || die "$key did not begin: $(<"$dir/$key.said")"
done
ask list
check 'all three are LIVE' answer_is 0 '*LIVE*LIVE*LIVE*'

chapter '2. Someone else stops the compression, and waits until it has stopped'
eventually 10 grows_to 2048 archive.tar.gz
ask cancel compress --ack stopped --reason 'the user pressed Stop' --actor demo
check 'the answer is REQUESTED, and the owner itself reported the end' \
    answer_is 0 'REQUESTED compress *level=STOPPED outcome=CANCELLED*'
check "nothing of it is left, after $(($(wc -c <"$dir/archive.tar.gz") / 1024)) KiB of archive" \
    group_is_gone compress
wait $compress
check "the command's own end reached its caller: exit 143, by SIGTERM" test $? -eq 143
printf '  %sits owner was told:%s %s\n' "$dim" "$plain" "$(<"$dir/compress.said")"
ask cancel compress
check 'a second Stop is told how it ended, and why' \
    answer_is 3 'FINISHED compress *outcome=CANCELLED*cause=USER*pressed Stop*'

chapter '3. One is left to finish, and is stopped too late'
ask wait hash --deadline 60s
check 'it completed' answer_is 0 'ENDED hash *outcome=COMPLETED*'
wait $hash
check "exit 0, with $(wc -l <"$dir/sums") files hashed" test $? -eq 0
ask cancel hash --ack stopped
check 'no lie about a cancel: FINISHED, COMPLETED' answer_is 3 'FINISHED hash *outcome=COMPLETED*'

chapter '4. A Stop comes before the work that it is meant for'
ask cancel upload --arm 10s --reason 'changed my mind'
check 'nothing is there yet, so it is ARMED' answer_is 0 'ARMED upload*'
ask run --key upload -- touch "$dir/uploaded"
check 'the operation is BORN_CANCELLED, and its command never began' \
    answer_is 125 '*BORN_CANCELLED upload *changed my mind*'
check 'not one byte was written' test ! -e "$dir/uploaded"
ask run --key upload -- touch "$dir/uploaded"
check 'the Stop was used up: the next upload is left alone' test "$code" -eq 0 -a -e "$dir/uploaded"

chapter '5. An owner dies (kill -9) with its work undone'
died_ms=$(now_ms) # before the kill: the shell may be slow to come back from it
kill -KILL $sort
ask wait sort --deadline 10s
lost_ms=$(($(now_ms) - died_ms))
check 'it ended as OWNER_LOST' answer_is 0 'ENDED sort *outcome=OWNER_LOST*'
check "not before the grace of 1500 ms, and at most 1 s after it: $lost_ms ms" \
    test $lost_ms -ge 1500 -a $lost_ms -le 2500
ask cancel sort --ack stopped
check 'nobody claims that the work has stopped: OWNER_LOST' answer_is 1 'OWNER_LOST sort *'

chapter '6. What is left'
ask list
check 'nothing is live' answer_is 0 ''

echo
if ((wrong > 0)); then
    printf '%s%d answers were not what the contract says%s\n' "$red" $wrong "$plain"
    exit 1
fi
printf '%sEvery answer was what the contract says.%s\n' "$green" "$plain"
