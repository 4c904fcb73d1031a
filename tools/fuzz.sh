#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Builds the libFuzzer targets with clang, ASan and UBSan and runs each for the seconds given,
# starting from its corpus. New inputs stay in build-fuzz/; a finding is kept there as well, printed,
# and makes the exit code 1.
set -eu

seconds=${1:-60}
cd "$(dirname "$0")/.."
dir=build-fuzz
[ -e $dir/build.ninja ] || CC=clang meson setup $dir --buildtype=debugoptimized -Dfuzz=true -Dtests=disabled \
	-Db_sanitize=address,undefined -Db_lundef=false
ninja -C $dir

failed=
for target in "$dir"/fuzz/fuzz_*; do
	[ -f "$target" ] && [ -x "$target" ] || continue
	name=${target##*/fuzz_}
	mkdir -p "$dir/corpus/$name" "$dir/found"
	echo "== $name, $seconds s"
	"$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 \
		-artifact_prefix="$dir/found/$name-" "$dir/corpus/$name" "fuzz/corpus/$name" || failed="$failed $name"
done
if [ -n "$failed" ]; then
	echo "findings:$failed (inputs in $dir/found)"
	exit 1
fi
echo "no findings"
