#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Runs clang-tidy on the C files that differ from a commit (SINCE, else the last one that the upstream branch has, else
# HEAD~1), or on the files named. The checks are in .clang-tidy; those listed there as errors make the script fail.
set -eu

cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
since=${SINCE:-$(git merge-base HEAD '@{upstream}' 2>/dev/null || git rev-parse HEAD~1)}

if [ ! -f "$BUILD/compile_commands.json" ]; then
	echo "tools/tidy.sh: no $BUILD/compile_commands.json: run make build" >&2
	exit 1
fi
files=$*
[ -n "$files" ] || files=$(git diff --name-only --diff-filter=d "$since" -- 'src/*.c')
if [ -z "$files" ]; then
	echo "no C file of src differs from $since"
	exit 0
fi
# flags of gcc that clang does not know are no news
# shellcheck disable=SC2086 # a list of names
printf '%s\n' $files | xargs -P "$(nproc)" -n 4 clang-tidy -p "$BUILD" --quiet \
	--extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-ignored-optimization-argument \
	--extra-arg=-enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang
