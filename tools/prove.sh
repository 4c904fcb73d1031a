#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Frama-C's Eva over the cursors, the DHCP decoder and the option parsers (proof/README.md). Fails when
# there is an alarm that proof/ALARMS.md does not list, or when an analysis does not come to its end.
# Usage: tools/prove.sh [driver ...], of: cursor subopt overload options option
set -eu

cd "$(dirname "$0")/.."
OUT=build-proof
LIMIT=${LIMIT:-900}	# seconds an analysis

if ! command -v frama-c >/dev/null; then
	[ "$(id -u)" = 0 ] || { echo "tools/prove.sh: frama-c is missing (apt-get install frama-c-base)" >&2; exit 1; }
	apt-get install -y -qq --no-install-recommends frama-c-base >/dev/null
fi

# The code that is analysed is the code of src/, but for comments: behind a read of the cursor Eva gets
# the hint to continue separately for each length. That is a hint about precision, which Eva checks, not a premise.
rm -rf "$OUT"
mkdir -p "$OUT/base"
awk '
	/^static inline struct span rd_bytes/ { inside = 1 }
	inside && /return SPAN_NULL;/ { print "\t\t//@ split r->n;\n\t\t//@ split r->bad;\n\t\t;" }
	inside && /s = span_of\(r->p, n\);/ { print "\t//@ split n;" }
	inside && /^\treturn s;/ { print "\t//@ split r->n;\n\t//@ split r->bad;\n\t;"; inside = 0 }
	{ print }
' src/base/cursor.h >"$OUT/base/cursor.h"
[ "$(grep -c '//@ split' "$OUT/base/cursor.h")" = 5 ] || { echo "tools/prove.sh: rd_bytes looks different now" >&2; exit 1; }

# And behind a compression pointer, for each place it may lead to.
sed 's|^\tw->r = rd_init(span_sub(w->whole, to, .*|\t//@ split to;\n&|' src/wire/fqdn.c >"$OUT/fqdn.c"
[ "$(grep -c '//@ split' "$OUT/fqdn.c")" = 1 ] || { echo "tools/prove.sh: walk_pointer looks different now" >&2; exit 1; }

bad=0
printf '%-10s %8s %12s %8s %s\n' driver seconds statements alarms ''
# prove NAME CPP-FLAGS FILES...
prove() {
	name=$1
	cpp=$2
	shift 2
	case " $wanted " in *" $name "*) ;; *) return 0 ;; esac
	start=$(date +%s)
	if ! timeout "$LIMIT" frama-c -cpp-extra-args="-I$OUT -Isrc -D_GNU_SOURCE $cpp" -machdep gcc_x86_64 "$@" \
		-eva -eva-slevel 2000000 -eva-auto-loop-unroll 300 -eva-split-limit 2048 -eva-interprocedural-splits \
		-eva-interprocedural-history -eva-partition-history 40 -eva-no-show-progress \
		-then -report-csv "$OUT/$name.csv" >"$OUT/$name.log" 2>&1; then
		printf '%-10s %8s FAILED, see %s\n' "$name" "$(($(date +%s) - start))" "$OUT/$name.log"
		bad=1
		return 0
	fi
	awk -F '\t' 'NR > 1 && $6 != "Valid" && $6 != "Considered valid" && $6 != "Dead" { sub(/_[0-9]+$/, "", $4); print $2 ": " $4 ": " $5 ": " $7 }' \
		"$OUT/$name.csv" | sort -u >"$OUT/$name.alarms"
	printf '%-10s %8s %12s %8s\n' "$name" "$(($(date +%s) - start))" \
		"$(sed -n 's/.* \([0-9]*\) statements reached.*/\1/p' "$OUT/$name.log")" "$(wc -l <"$OUT/$name.alarms")"
	while IFS= read -r alarm; do
		if grep -qF "    $alarm" proof/ALARMS.md; then
			printf '  explained: %s\n' "$alarm"
		else
			printf '  ALARM: %s\n' "$alarm"
			bad=1
		fi
	done <"$OUT/$name.alarms"
}

wanted=${*:-cursor subopt overload options option}
message="src/wire/dhcp4_decode.c src/wire/dhcp4.c"
text="src/wire/option_codec.c src/wire/option_def.c src/wire/option_fields_read.c src/wire/option_put.c src/wire/option_route.c src/wire/option_dnr.c $OUT/fqdn.c"
# shellcheck disable=SC2086 # lists of files
{
	prove cursor "" proof/driver_cursor.c
	prove subopt "" proof/driver_subopt.c src/wire/dhcp4.c
	prove overload -DOVERLOAD proof/driver_dhcp4.c $message
	prove options "" proof/driver_dhcp4.c $message
	prove option "" proof/driver_option.c $text src/wire/dhcp4.c
}
exit $bad
