#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Builds every fuzz target with clang, libFuzzer, ASan and UBSan into build-fuzz and runs each for
# TIME seconds, one after the other. Usage: tools/fuzz.sh [target ...]; from the environment:
#   TIME=60    seconds a target
#   KEEP=0     1: put the minimised corpus back into fuzz/corpus (KEEP_MAX files a target at most)
#   BUILD=build-fuzz
# Starts from fuzz/corpus/<target> and the inputs of earlier runs (build-fuzz/corpus/<target>, minimised
# after each run). A finding is left in build-fuzz/findings and makes the script fail; minimise it,
# name it after the bug and put it into fuzz/regress/<target>/, where the ordinary tests replay it.
set -eu

cd "$(dirname "$0")/.."
TIME=${TIME:-60}
BUILD=${BUILD:-build-fuzz}
KEEP=${KEEP:-0}
KEEP_MAX=${KEEP_MAX:-160}

if ! command -v clang >/dev/null; then
	echo "tools/fuzz.sh: clang is missing (apt-get install clang)" >&2
	exit 1
fi
if [ ! -f "$BUILD/build.ninja" ]; then
	CC=clang meson setup "$BUILD" -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
		-Dbuildtype=debugoptimized -Dtests=disabled >/dev/null
fi
ninja -C "$BUILD" ${NINJAFLAGS:-} >"$BUILD/build.log" 2>&1 || { tail -30 "$BUILD/build.log" >&2; exit 1; }

targets=$*
[ -n "$targets" ] || targets=$(cd fuzz && ls fuzz_*.c | sed -n 's/^fuzz_\(.*\)\.c$/\1/p' | grep -v 'util$')
mkdir -p "$BUILD/findings"

# Longest input a target has a use for.
max_len() {
	case $1 in
	dhcp4 | load_answer | packet | options | journal_row | expr) echo 2048 ;;
	*) echo 8192 ;;
	esac
}

# Words of a target's language, drawn from the tables that define it.
words() {
	case $1 in
	config) sed -n 's/^[A-Z]*([^"]*"\([a-z0-9-]*\)".*/"\1"/p' src/config/schema/config_schema.def src/wire/options.def ;;
	command | control) sed -n 's/^COMMAND("\([a-z0-9-]*\)".*/"\1"/p' src/server/manage/commands.def
		grep -ho '"[a-z][a-z0-9-]*"' src/server/manage/command*.c ;;
	guard) sed -n 's/^O(\([0-9]*\), .*/\1/p' src/wire/options.def | while read -r c; do printf '"\\x%02x"\n' "$c"; done ;;
	expr) grep -ho '"[a-z][a-z0-9]*"' src/config/expr*.c src/config/expr.def ;;
	json) printf '%s\n' '"null"' '"true"' '"false"' '"/*"' '"*/"' '"//"' '"\\\\u"' '"<?include"' '"?>"' ;;
	esac | sort -u
}

# Reduces the corpus to the fewest files of equal coverage; into fuzz/corpus when asked, the small ones first.
minimise() {
	rm -rf "$work.min"
	mkdir -p "$work.min"
	"$bin" -merge=1 -rss_limit_mb=2048 -timeout=20 "$work.min" "$work" $seeds >>"$log" 2>&1 || return 0
	rm -rf "$work"
	mv "$work.min" "$work"
	[ "$KEEP" = 1 ] || return 0
	rm -f "fuzz/corpus/$t"/????????????????????????????????????????
	find "$work" -type f -size -3 -printf '%s %p\n' | sort -n | head -n "$KEEP_MAX" | while read -r _ f; do
		cp "$f" "fuzz/corpus/$t/"
	done
}

bad=0
printf '%-12s %12s %8s %8s %s\n' target executions seconds corpus findings
for t in $targets; do
	bin=$BUILD/fuzz/fuzz_$t
	work=$BUILD/corpus/$t
	log=$BUILD/$t.log
	seeds=
	dict=
	mkdir -p "$work"
	for d in "fuzz/corpus/$t" "fuzz/regress/$t"; do [ -d "$d" ] && seeds="$seeds $d"; done
	words "$t" >"$BUILD/$t.dict"
	[ -s "$BUILD/$t.dict" ] && dict=-dict=$BUILD/$t.dict
	start=$(date +%s)
	found=
	if ! "$bin" -max_total_time="$TIME" -max_len="$(max_len "$t")" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$BUILD/findings/$t-" $dict "$work" $seeds >"$log" 2>&1; then
		found="FAILED, see $log"
		bad=1
	fi
	n=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)
	end=$(date +%s)
	[ -n "$found" ] || minimise
	printf '%-12s %12s %8s %8s %s\n' "$t" "${n:-?}" "$((end - start))" "$(ls "$work" | wc -l)" "${found:-none}"
done
exit $bad
