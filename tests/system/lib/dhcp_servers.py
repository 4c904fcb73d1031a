# SPDX-License-Identifier: MPL-2.0
"""The five DHCP servers that usher-client is tested with, in namespace `srv`, serving 10.77.0.10 to .50 on
srv0 or to relayed clients. Each starts when it is made; active() reads its own lease file."""

import dataclasses
import os
import re
import signal
import subprocess
import time

from lib.netns import wait_for
from lib.server import slack

FIRST, LAST, ROUTER = "10.77.0.10", "10.77.0.50", "10.77.0.1"


@dataclasses.dataclass
class Times:
    """Seconds. Long ones by default: nothing happens by itself."""
    lease: int = 600
    t1: int = 300
    t2: int = 500


class DhcpServer:
    """t: the test. address: srv0's own, in another subnet when the clients are relayed. unicasts: answers a host
    without an address by unicast when it does not ask for broadcast."""

    unicasts = True

    def __init__(self, t, address, times):
        self.t, self.address, self.times = t, address, times
        self.relayed = not address.startswith("10.77.0.")
        self.proc = None
        self.start()

    def start(self):
        raise NotImplementedError

    def active(self, addr, mac):
        """Whether its lease file has addr as a running lease of mac (text)."""
        raise NotImplementedError

    def file(self, name, text=""):
        path = self.t.lab.path(name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o666)
        return path

    def read(self, name):
        try:
            with open(self.t.lab.path(name), encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def spawn(self, *args):
        with open(self.t.lab.path("peer.log"), "ab") as log:
            self.proc = self.t.lab.popen(self.t.lab.ns("srv"), args, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("%s to listen" % type(self).__name__, self._listens, slack(10))

    def _listens(self):
        assert self.proc.poll() is None, "%s ended: %s" % (type(self).__name__, self.read("peer.log")[-1000:])
        # /proc/PID/net is of the namespace of PID: a socket on UDP 67 (0x43)
        with open("/proc/%d/net/udp" % self.proc.pid, encoding="utf-8") as f:
            return re.search(r"^\s*\d+: \w+:0043 ", f.read(), re.M)


class Usher(DhcpServer):
    binary = None

    def start(self):
        self.server = self.t.server(**({"binary": self.binary} if self.binary else {}), **{
            "valid-lifetime": self.times.lease, "min-valid-lifetime": self.times.lease,
            "max-valid-lifetime": self.times.lease, "renew-timer": self.times.t1, "rebind-timer": self.times.t2,
            "option-data": [{"name": "routers", "data": ROUTER}]})

    def active(self, addr, mac):
        return self.server.active(addr, bytes.fromhex(mac.replace(":", "")))


class Kea(Usher):
    binary = "/usr/sbin/kea-dhcp4"


class Dhcpd(DhcpServer):
    def start(self):
        conf = self.file("dhcpd.conf", (
            "authoritative; ping-check false; default-lease-time %d; max-lease-time %d; min-lease-time %d;\n"
            "option dhcp-renewal-time %d; option dhcp-rebinding-time %d; dhcp-cache-threshold 0;\n"
            "subnet 10.77.0.0 netmask 255.255.255.0 { range %s %s; option routers %s; }\n"
            % (self.times.lease, self.times.lease, self.times.lease, self.times.t1, self.times.t2, FIRST, LAST, ROUTER)) +
            ("subnet 10.99.0.0 netmask 255.255.255.0 { }\n" if self.relayed else ""))
        self.spawn("dhcpd", "-4", "-f", "-cf", conf, "-lf", self.file("dhcpd.leases"), "--no-pid", "srv0")

    def active(self, addr, mac):
        last = re.findall(r"^lease %s \{\n(.*?)^\}" % re.escape(addr), self.read("dhcpd.leases"), re.M | re.S)
        return bool(last) and "binding state active;" in last[-1].replace("next binding", "next") and mac in last[-1]


class Dnsmasq(DhcpServer):
    """Its shortest lease is two minutes; T1 and T2 are options like others."""

    def start(self):
        self.spawn("dnsmasq", "-k", "-C", "/dev/null", "-p", "0", "--no-ping", "-i", "srv0", "--dhcp-authoritative",
                   "--user=root", "-l", self.t.lab.path("dnsmasq.leases"), "-x", self.t.lab.path("dnsmasq.pid"),
                   "-F", "%s,%s,255.255.255.0,%d" % (FIRST, LAST, max(120, self.times.lease)),
                   "-O", "option:router," + ROUTER, "-O", "option:T1,%d" % self.times.t1,
                   "-O", "option:T2,%d" % self.times.t2)

    def active(self, addr, mac):
        return any(line.split()[1:3] == [mac, addr] and int(line.split()[0]) > time.time()
                   for line in self.read("dnsmasq.leases").splitlines())


class Udhcpd(DhcpServer):
    """It writes its file on SIGUSR1."""

    unicasts = False

    def start(self):
        conf = self.file("udhcpd.conf", (
            "start %s\nend %s\ninterface srv0\nmin_lease 10\npidfile %s\nlease_file %s\n"
            "option subnet 255.255.255.0\noption router %s\noption lease %d\noption 0x3a %08x\noption 0x3b %08x\n"
            % (FIRST, LAST, self.t.lab.path("udhcpd.pid"), self.file("udhcpd.leases"), ROUTER, self.times.lease,
               self.times.t1, self.times.t2)))
        self.spawn("busybox", "udhcpd", "-f", "-a", "50", conf)

    def active(self, addr, mac):
        path = self.t.lab.path("udhcpd.leases")
        before = os.stat(path).st_mtime_ns
        self.proc.send_signal(signal.SIGUSR1)
        wait_for("udhcpd to write", lambda: os.stat(path).st_mtime_ns > before, slack(5))
        text = subprocess.run(["busybox", "dumpleases", "-f", path], stdout=subprocess.PIPE, text=True, check=True).stdout
        return any(line.startswith(mac) and addr in line.split() and "expired" not in line for line in text.splitlines())


ALL = {"usher": Usher, "kea": Kea, "dhcpd": Dhcpd, "dnsmasq": Dnsmasq, "udhcpd": Udhcpd}
