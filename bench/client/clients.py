# SPDX-License-Identifier: MPL-2.0
"""The clients that are measured, each as its manual has it run in the foreground, with a script of a few lines
where one is needed: less than Debian's own do. Their fixed places (/run, /var/lib) are private and empty."""

import dataclasses
import os

_UDHCPC = """#!/bin/sh
case "$1" in
bound|renew) ip addr replace $ip/$mask dev $interface; ip route replace default via $router dev $interface ;;
esac
"""
_DHCLIENT = """#!/bin/sh
case "$reason" in
BOUND|REBOOT|RENEW|REBIND) ip addr replace $new_ip_address/$new_subnet_mask dev $interface
	ip route replace default via $new_routers dev $interface ;;
esac
"""


@dataclasses.dataclass
class Client:
    """binary: the program that must be installed. argv: its command on cli0; {dir} is a fresh directory, {usher} the build's
    client. files: written there before. acd: how it looks whether the address is free, in words; seconds: the longest
    duration of a run. detects: it looks at all."""
    name: str
    binary: str
    argv: list
    acd: str = "none"
    files: dict = dataclasses.field(default_factory=dict)
    seconds: int = 8

    @property
    def detects(self):
        return self.acd != "none"

    def command(self, directory, usher):
        for name, text in self.files.items():
            path = os.path.join(directory, name)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            os.chmod(path, 0o755)
        return [a.format(dir=directory, usher=usher) for a in self.argv]


def _usher(probe, acd, seconds=8):
    return Client("usher-client --probe=" + probe, "{usher}",
                  ["{usher}", "-f", "-i", "cli0", "--state-dir", "{dir}", "--socket", "{dir}/ctl", "--probe", probe],
                  acd, seconds=seconds)


def _udhcpc(name, *more, acd="none"):
    return Client(name, "busybox", ["busybox", "udhcpc", "-f", "-i", "cli0", "-s", "{dir}/hook", *more], acd,
                  {"hook": _UDHCPC})


def _dhcpcd(name, *lines, acd="none", seconds=12):
    return Client(name, "dhcpcd", ["dhcpcd", "-B", "-4", "-f", "{dir}/conf", "-c", "/bin/true", "cli0"], acd,
                  {"conf": "option routers\nclientid\n" + "".join(x + "\n" for x in lines)}, seconds)


USHER, USHER_FAST, USHER_RFC = _usher("off", "none"), _usher("fast", "3 probes, 0.2 s"), _usher("rfc5227", "RFC 5227", 12)
UDHCPC, UDHCPC_A = _udhcpc("udhcpc"), _udhcpc("udhcpc -a", "-a", acd="1 probe, 2 s")
DHCLIENT = Client("dhclient", "dhclient", [
    "dhclient", "-4", "-d", "-cf", "{dir}/conf", "-sf", "{dir}/hook", "-lf", "{dir}/leases", "--no-pid", "cli0"],
    files={"hook": _DHCLIENT, "conf": "request subnet-mask, routers, domain-name-servers, domain-name, host-name;\n"})
DHCPCD_BARE = _dhcpcd("dhcpcd --noarp --nodelay", "noarp", "nodelay")
DHCPCD_NOARP = _dhcpcd("dhcpcd --noarp", "noarp")
DHCPCD = _dhcpcd("dhcpcd", acd="RFC 5227, starts after 0 to 2 s")

# The cost of any program: exec, one netlink call, the kernel's notice.
FLOOR = Client("busybox ip address add (no DHCP)", "busybox", ["busybox", "ip", "address", "add", "10.77.0.9/24", "dev",
                                                               "cli0"])

ALL = [FLOOR, USHER, UDHCPC, DHCLIENT, DHCPCD_BARE, DHCPCD_NOARP, USHER_FAST, USHER_RFC, UDHCPC_A, DHCPCD]
ONE_EACH = [USHER, UDHCPC, DHCLIENT, DHCPCD]	# memory, calls and size do not depend on probing
