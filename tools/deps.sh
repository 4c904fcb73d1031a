#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Installs the Debian packages of the purposes named (build, lab, test, fuzz, tidy, prove, bench) that are missing;
# runs apt only when one is. Daemons that come with a package are not started: a machine on which the
# tests were run must not serve DHCP because of it.
set -eu

list=$(dirname "$0")/../packaging/debian-packages.txt
want=
for purpose in "$@"; do
	want="$want $(sed -n "s/#.*//; s/^$purpose://p" "$list" | tr '\n' ' ')"
done

missing=
for p in $want; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true)
	[ "$status" = installed ] || missing="$missing $p"
done
# Node.js may come from elsewhere than Debian
browser=$(dirname "$0")/../tests/browser
case " $* " in
*" test "*)
	command -v npm >/dev/null || missing="$missing nodejs npm"
	;;
*) browser= ;;
esac

# The tests of the web page: two packages of npm, with fixed versions.
install_browser() {
	[ -n "$browser" ] && [ ! -e "$browser/node_modules/playwright-core" ] || return 0
	npm ci --prefix "$browser" --no-audit --no-fund --ignore-scripts
}

if [ -z "$missing" ]; then
	install_browser
	exit 0
fi

if [ "$(id -u)" -ne 0 ]; then
	echo "missing packages:$missing (run as root to install them)" >&2
	exit 1
fi

echo "installing:$missing"
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
# shellcheck disable=SC2086 # a list of words
apt-get -q install -y --no-install-recommends $missing
install_browser
