#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# `make run`. Without IFACE: a lab of two network namespaces joined by a cable; usher-server in the
# one, busybox udhcpc in the other; shows the exchange step by step and the lease row on disk, then
# keeps serving until Ctrl-C, or with ONCE=1 ends by itself, with 0 only if everything worked. No
# packet leaves the two namespaces. With IFACE=eth1 [CONFIG=file]: serves on that interface, in the
# foreground. Everything it made is removed at its end, also after an error or a signal.
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
server=$root/build/usher-server
ctl=$root/build/usherctl
export PATH=$PATH:/usr/sbin:/sbin

die() {
	echo "lab: $*" >&2
	exit 1
}

[ "$(id -u)" -eq 0 ] || die "run as root (sudo make run)"
[ -x "$server" ] || die "no server at $server (make build)"

prefix=ush-$$-lab
dir=$(mktemp -d "/tmp/$prefix-XXXXXX") || exit 1
server_pid= client_pid= tail_pid=

end_process() {
	[ -n "$1" ] && kill "$1" 2>/dev/null && wait "$1" 2>/dev/null
}

cleanup() {
	trap '' INT TERM HUP
	end_process "$client_pid"
	end_process "$server_pid"
	end_process "$tail_pid"
	ip netns del "$prefix-srv" 2>/dev/null
	ip netns del "$prefix-cli" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# config INTERFACE: a configuration for 10.77.0.0/24
config() {
	cat <<-END
	{
	  "Dhcp4": {
	    "interfaces-config": { "interfaces": [ "$1" ] },
	    "control-socket": { "socket-type": "unix", "socket-name": "$dir/control" },
	    "lease-database": { "type": "memfile", "name": "$dir/leases.csv", "lfc-interval": 3600 },
	    "valid-lifetime": 3600, "renew-timer": 900, "rebind-timer": 1800, "authoritative": true,
	    "loggers": [ { "name": "kea-dhcp4", "severity": "INFO", "output-options": [ { "output": "stdout" } ] } ],
	    "subnet4": [ {
	      "id": 1, "subnet": "10.77.0.0/24",
	      "pools": [ { "pool": "10.77.0.100 - 10.77.0.199" } ],
	      "option-data": [
	        { "name": "routers", "data": "10.77.0.1" },
	        { "name": "domain-name-servers", "data": "10.77.0.1" },
	        { "name": "domain-name", "data": "lab.example" }
	      ]
	    } ]
	  }
	}
	END
}

export KEA_PIDFILE_DIR=$dir KEA_LOCKFILE_DIR=none KEA_CONTROL_SOCKET_DIR=$dir

if [ -n "${IFACE:-}" ]; then
	ip link show dev "$IFACE" >/dev/null || die "no interface $IFACE"
	conf=${CONFIG:-}
	if [ -z "$conf" ]; then
		ip -o -4 addr show dev "$IFACE" | grep -q ' 10\.77\.0\.' ||
			die "without CONFIG=file, $IFACE must have an address in 10.77.0.0/24"
		conf=$dir/usher.conf
		config "$IFACE" >"$conf"
	fi
	echo "usher-server serves on $IFACE with $conf; Ctrl-C ends it"
	"$server" -c "$conf" &
	server_pid=$!
	# wait returns early when a trap runs
	wait "$server_pid"
	code=$?
	server_pid=
	exit $code
fi

step() {
	printf '\n\033[1m%s\033[0m\n' "$*"
}

indent() {
	sed 's/^/    /'
}

step "1. Two network namespaces and a cable between them: usher0 (10.77.0.1/24) - client0"
for n in srv cli; do
	ip netns add "$prefix-$n" || die "cannot make a network namespace"
	ip -n "$prefix-$n" link set lo up
done
ip link add usher0 netns "$prefix-srv" type veth peer name client0 netns "$prefix-cli" || die "cannot make a cable"
ip -n "$prefix-srv" addr add 10.77.0.1/24 dev usher0
ip -n "$prefix-srv" link set usher0 up
ip -n "$prefix-cli" link set client0 up
mac=$(ip -n "$prefix-cli" -o link show client0 | sed 's/.*link\/ether \([0-9a-f:]*\).*/\1/')
echo "    server: usher0, client: client0 with $mac"

step "2. The server's configuration"
config usher0 >"$dir/usher.conf"
indent <"$dir/usher.conf"
"$server" -t "$dir/usher.conf" >"$dir/check.log" 2>&1 || { indent <"$dir/check.log"; die "the configuration is refused"; }

step "3. usher-server starts"
: >"$dir/log"
ip netns exec "$prefix-srv" "$server" -c "$dir/usher.conf" -d >"$dir/log" 2>&1 &
server_pid=$!
for _ in $(seq 100); do
	grep -q 'server version .* started' "$dir/log" && break
	kill -0 "$server_pid" 2>/dev/null || { indent <"$dir/log"; die "the server ended"; }
	sleep 0.1
done
grep -q 'server version .* started' "$dir/log" || die "the server does not say that it started"
indent <"$dir/log"
seen=$(wc -l <"$dir/log")

step "4. busybox udhcpc asks for an address on client0"
cat >"$dir/hook" <<END
#!/bin/sh
case "\$1" in
bound|renew)
	ip addr add "\$ip/\$mask" dev "\$interface"
	echo "\$1: \$ip/\$mask, router \$router, name servers \$dns, domain \$domain, for \$lease s, from \$serverid" >>"$dir/bound" ;;
esac
END
chmod 755 "$dir/hook"
ip netns exec "$prefix-cli" busybox udhcpc -f -i client0 -s "$dir/hook" -t 10 -T 1 >"$dir/client.log" 2>&1 &
client_pid=$!
for _ in $(seq 150); do
	[ -s "$dir/bound" ] && break
	sleep 0.1
done
sed 's/^/    client: /' "$dir/client.log"
[ -s "$dir/bound" ] || { indent <"$dir/log"; die "the client got no lease"; }
sed 's/^/    client: /' "$dir/bound"

step "5. What the server did with each packet"
sleep 0.3
tail -n +$((seen + 1)) "$dir/log" | sed -E 's/^[0-9-]+ //; s/ \[kea-dhcp4[^]]*\]//; s/; /\n        /g' | indent

step "6. The lease, on disk before the ACK was sent: $dir/leases.csv"
indent <"$dir/leases.csv"
addr=$(sed -n 's/^bound: \([0-9.]*\).*/\1/p' "$dir/bound" | head -1)
grep -q "^$addr,$mac," "$dir/leases.csv" || die "no row for $addr and $mac"

step "7. The same by the command channel: lease4-get $addr"
"$ctl" -s "$dir/control" lease4-get "ip-address=$addr" | indent
[ "${PIPESTATUS[0]}" -eq 0 ] || die "the command channel does not know the lease"

step "8. The client can reach the server from its new address"
ip netns exec "$prefix-cli" busybox ping -c 1 -w 3 10.77.0.1 2>&1 | indent
[ "${PIPESTATUS[0]}" -eq 0 ] || die "no ping"

if [ -n "${ONCE:-}" ]; then
	step "9. SIGTERM ends the server cleanly"
	end_process "$client_pid"
	client_pid=
	kill "$server_pid"
	wait "$server_pid"
	code=$?
	server_pid=
	echo "    exit code $code"
	[ "$code" -eq 0 ] || die "the server ended with $code"
	printf '\neverything worked\n'
	exit 0
fi

cat <<END

The server keeps serving; Ctrl-C ends everything. In another terminal:
    ip netns exec $prefix-cli busybox udhcpc -f -q -i client0 -s /bin/true     another exchange
    $ctl -s $dir/control statistic-get-all                                     its counters
    $ctl -s $dir/control list-commands                                         what else it answers

Its log from here on:
END
tail -n 0 -f "$dir/log" &
tail_pid=$!
wait "$server_pid"
code=$?
server_pid=
die "the server ended with $code"
