# SPDX-License-Identifier: MPL-2.0
"""Configurations of Kea's form, small and large, made the same way each time."""

import socket
import struct

# The usual options of a site; every measured server gets them.
OPTIONS = [
    {"name": "routers", "data": "10.0.0.1"},
    {"name": "domain-name-servers", "data": "10.0.0.2, 10.0.0.3"},
    {"name": "domain-name", "data": "example.org"},
    {"name": "ntp-servers", "data": "10.0.0.4"},
]


def ip(n):
    return socket.inet_ntoa(struct.pack("!I", n))


def number(text):
    return struct.unpack("!I", socket.inet_aton(text))[0]


def kea(subnets, lease_file=None, interfaces=("*",), **more):
    """The Dhcp4 map. lease_file None: leases in memory only. more: further members, replacing."""
    conf = {
        "interfaces-config": {"interfaces": list(interfaces)},
        "lease-database": {"type": "memfile", "persist": lease_file is not None, "lfc-interval": 0},
        "valid-lifetime": 3600, "renew-timer": 900, "rebind-timer": 1800,
        "option-data": OPTIONS,
        "loggers": [{"name": "kea-dhcp4", "severity": "WARN", "output_options": [{"output": "stderr"}]}],
        "subnet4": subnets,
    }
    if lease_file is not None:
        conf["lease-database"]["name"] = lease_file
    conf.update(more)
    return {"Dhcp4": conf}


def one_subnet(net="10.0.0.0/8", pool="10.64.0.0 - 10.127.255.255"):
    return [{"id": 1, "subnet": net, "pools": [{"pool": pool}]}]


def many_subnets(n, n_hosts, first="10.0.0.0", mac_prefix="02:10", pool=(64, 250), **each):
    """n /24s from first on. Host h is reserved for the client whose hardware address ends in h, in
    subnet h % n, outside of the pool while there are fewer than 60 a subnet."""
    base, subnets = number(first), []
    for i in range(n):
        net = base + i * 256
        hosts = [{"hw-address": "%s:%s" % (mac_prefix, struct.pack("!I", h).hex(":")),
                  "ip-address": ip(net + 2 + h // n), "hostname": "host-%d" % h}
                 for h in range(i, n_hosts, n)]
        subnets.append({"id": i + 1, "subnet": "%s/24" % ip(net),
                        "pools": [{"pool": "%s - %s" % (ip(net + pool[0]), ip(net + pool[1]))}],
                        "option-data": [{"name": "routers", "data": ip(net + 1)}], "reservations": hosts, **each})
    return subnets


def many_classes(n):
    """Tests of the kinds that are usual; the usual client is in none of them."""
    kinds = ("option[60].text == 'vendor-%d'", "substring(option[60].hex, 0, 10) == 'vendor-%03d'",
             "option[77].text == 'class-%d'", "option[82].option[1].text == 'port-%d'")
    return [{"name": "class-%d" % i, "test": kinds[i % len(kinds)] % i} for i in range(n)]
