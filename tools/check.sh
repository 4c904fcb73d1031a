#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Everything that has to hold, counted: three builds (release; ASan and UBSan; TSan) with their unit,
# scenario and fuzz-regression tests, and the system tests on all three, the whole of them on the
# release build; instructions an exchange against the kept numbers. With four processors and more the sanitizer builds run in the
# background, with the lowest priority, during the system tests of the release build. Continues after a failure, sums up at the end;
# the last line is always `N passed, N failed, N skipped` and the exit code is 1 when something failed.
# LONG=1: the long loops.
set -u

cd "$(dirname "$0")/.." || exit 1
# without root the tests of sockets and namespaces would leave themselves out
if [ "$(id -u)" -ne 0 ]; then
	echo "tools/check.sh: root is needed" >&2
	exit 1
fi
passed=0 failed=0 skipped=0
summary=()
failures=() # their lines once more at the end, where a shortened log still has them
declare -A builder=() # directory: process that builds it
began=$SECONDS

# note NAME PASSED FAILED SKIPPED
note() {
	passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
	summary+=("$(printf '%-34s %4d passed, %d failed, %d skipped' "$1" "$2" "$3" "$4")")
}

# directory: the suite that is run in it; the programs, its tests and nothing else are built
declare -A suite_of=([build-tsan]=threads)

# targets_of DIR: the files to build; none: all
targets_of() {
	[ -n "${suite_of[$1]:-}" ] || return 0
	meson introspect "$1" --targets --tests --force-object-output | python3 -c '
import json, os, sys
build, suite = os.path.realpath(sys.argv[1]), ":" + sys.argv[2]
tree = json.load(sys.stdin)
needed = {d for t in tree["tests"] if any(s.endswith(suite) for s in t["suite"]) for d in t["depends"]}
for t in tree["targets"]:
    if t["installed"] or t["id"] in needed:
        print(*(os.path.relpath(f, build) for f in t["filename"]), sep="\n")
' "$1" "${suite_of[$1]}"
}

# build DIR MESON-ARGS...: output to DIR.log
build() {
	local dir=$1 files
	shift
	# a tree that was set up before the tests' packages came has no tests: Meson looks for the packages again
	{ if [ -e "$dir/build.ninja" ]; then meson configure "$dir" -Dtests=enabled; else
		meson setup "$dir" -Dtests=enabled "$@"; fi && ninja -C "$dir" build.ninja && mapfile -t files < <(targets_of "$dir") &&
		ninja -C "$dir" "${files[@]}"; } >"$dir.log" 2>&1
}

# begin_build DIR MESON-ARGS...: in the background, with the lowest priority
begin_build() {
	{ renice -n 19 -p "$BASHPID" >/dev/null && build "$@"; } &
	builder[$1]=$!
}

# begin_sanitizers: once
begin_sanitizers() {
	[ -z "${builder[build-asan]:-}" ] || return 0
	begin_build build-asan --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false
	begin_build build-tsan --buildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false
}

# built DIR: waits; 0 when it is built
built() {
	echo "== build $1"
	if wait "${builder[$1]}"; then
		rm -f "$1.log"
		return 0
	fi
	grep -E 'error|ERROR|FAILED|warning' "$1.log" | head -40
	tail -5 "$1.log"
	rm -f "$1.log"
	note "build $1" 0 1 0
	return 1
}

# field LOG NAME: the number Meson printed behind "NAME:"
field() {
	sed -n "s/^$2: *\([0-9][0-9]*\) *$/\1/p" "$1" | tail -1 | grep . || echo 0
}

# meson_tests TITLE DIR ARGS...
meson_tests() {
	local title=$1 dir=$2 log
	shift 2
	log=$(mktemp)
	echo "== $title"
	"${prefix[@]}" meson test -C "$dir" --no-rebuild --print-errorlogs "$@" 2>&1 | tee "$log" |
		grep -vE '^(ninja: |Full log|$)'
	local ok bad
	ok=$(($(field "$log" 'Ok') + $(field "$log" 'Expected Fail')))
	bad=$(($(field "$log" 'Fail') + $(field "$log" 'Unexpected Pass') + $(field "$log" 'Timeout')))
	[ $((ok + bad)) -gt 0 ] || bad=1 # no tests at all is a failure
	note "$title" "$ok" "$bad" "$(field "$log" 'Skipped')"
	rm -f "$log"
}

# counted_tests TITLE SCRIPT ARGS...: a script that ends as this one does
counted_tests() {
	local title=$1 log last
	shift
	log=$(mktemp)
	echo "== $title"
	"${prefix[@]}" python3 "$@" 2>&1 | tee "$log"
	last=$(tail -1 "$log")
	mapfile -O "${#failures[@]}" -t failures < <(grep -a '^FAIL' "$log" | sed "s/^/$title: /")
	if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		note "$title" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "${BASH_REMATCH[3]}"
	else
		note "$title" 0 1 0
	fi
	rm -f "$log"
}

# system_tests TITLE ARGS...
system_tests() {
	counted_tests "$1" tests/system/run.py --jobs 3 "${@:2}"
}

prefix=()
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-second_deadlock_stack=1}

begin_build build --buildtype=release
release=no
if built build; then
	release=yes
	meson_tests "unit tests, release" build
	counted_tests "instructions an exchange" bench/micro/run.py
fi
[ "$(nproc)" -lt 4 ] || begin_sanitizers
# the views of the page are left as pictures
[ $release = no ] || USHER_SCREENSHOTS=${USHER_SCREENSHOTS:-$PWD/build/screenshots} system_tests "system tests, release, 4 workers" --workers 4 ${LONG:+--long}
begin_sanitizers

if built build-asan; then
	meson_tests "unit tests, ASan and UBSan" build-asan -t 3 --no-suite lint # reads sources: no sanitizer sees more
	USHER_SANITIZED=1 system_tests "system tests, ASan and UBSan, 1 worker" --workers 1 --binary build-asan/usher-server --tag asan
fi

# TSan's shadow memory needs the kernel's address randomisation out of the way
prefix=(setarch -R)
if built build-tsan; then
	meson_tests "unit tests with threads, TSan" build-tsan -t 10 --suite threads
	USHER_SANITIZED=1 system_tests "system tests, TSan, 4 workers" --workers 4 --binary build-tsan/usher-server --tag tsan
fi

echo
echo "== summary, $((SECONDS - began)) s"
printf '%s\n' "${summary[@]}" ${failures[@]+"${failures[@]}"}
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
