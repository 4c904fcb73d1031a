# SPDX-License-Identifier: MPL-2.0
"""The servers that are measured, each with the configuration its manual would have it run with for the
same service: one subnet 10.0.0.0/8, relays on the link, the same four options, leases of an hour, its
default durability unless a Setup says otherwise. prepare() writes the files and gives the command."""

import dataclasses
import json
import os
import time

from bench.lib import configs

SERVER, RELAY, NET = "10.0.0.1", "10.0.0.2", "10.0.0.0/8"
STRANGER = "02:f1"
KEA_HEADER = ("address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,"
              "user_context\n")


@dataclasses.dataclass
class Setup:
    """The demands of a run on a server. pool None: the server's usual one. leases: so many of strangers are in
    its file, from the pool's (or the address leases_from's) first address on."""
    direct: bool = False
    pool: tuple = None
    leases: int = 0
    leases_from: str = None
    cache: bool = True		# lease caching as the server has it by default
    subnets: list = None	# usher-server alone: another topology
    relays: list = dataclasses.field(default_factory=list)	# several relay agents; none: the usual one
    more: dict = dataclasses.field(default_factory=dict)	# members of Dhcp4, usher-server alone
    log_level: str = "WARN"
    database: dict = None	# lease-database, of servers that have Kea's configuration


def _strangers(setup, pool):
    """(address, hardware address) of each lease in the file."""
    first = configs.number(setup.leases_from or pool[0])
    for i in range(setup.leases):
        a = first + i
        yield ("%d.%d.%d.%d" % (a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255),
               "%s:%02x:%02x:%02x:%02x" % (STRANGER, i >> 24, i >> 16 & 255, i >> 8 & 255, i & 255))


def _write(path, head, lines):
    with open(path, "w", encoding="ascii", buffering=1 << 20) as f:
        f.write(head)
        f.writelines(lines)


class Peer:
    """name: in tables; binary: the program that must be installed; cores: how many it may use (0: all);
    window: at most so many clients at a time (0: as many as the row has)."""

    name = binary = None
    cores = 1
    window = 0
    reads_frames = False	# checks checksums of frames itself, so the cable has to fill them in
    pool = ("10.64.0.0", "10.127.255.255")
    env = {}

    def command(self, directory, setup):
        raise NotImplementedError

    def lease_path(self, directory):
        return os.path.join(directory, "leases")

    def write_leases(self, path, setup, pool):
        raise NotImplementedError

    def prepare(self, directory, setup):
        """Writes the server's files; returns the command line."""
        pool = setup.pool or self.pool
        if setup.leases:
            self.write_leases(self.lease_path(directory), setup, pool)
        return self.command(directory, dataclasses.replace(setup, pool=pool))


class Kea(Peer):
    """Debian's kea-dhcp4 on its lease file."""

    binary = "/usr/sbin/kea-dhcp4"
    no_cache = 0.0001	# of an hour; Kea does not take 0

    def __init__(self, threads=1):
        self.threads = threads
        self.name = "Kea, %d thread%s" % (threads, "s" * (threads > 1))
        self.cores = 1 if threads == 1 else 0

    def lease_path(self, directory):
        return os.path.join(directory, "leases.csv")

    def write_leases(self, path, setup, pool):
        end = int(time.time()) + 86400
        tail = ",,86400,%d,1,0,0,,0,\n" % end
        _write(path, KEA_HEADER, (a + "," + mac + tail for a, mac in _strangers(setup, pool)))

    def configuration(self, directory, setup):
        many = self.threads > 1
        c = configs.kea(setup.subnets or configs.one_subnet(NET, "%s - %s" % setup.pool), self.lease_path(directory),
                        ["srv0"], **{
                            "multi-threading": {"enable-multi-threading": many,
                                                **({"thread-pool-size": self.threads} if many else {})},
                            "loggers": [{"name": "kea-dhcp4", "severity": setup.log_level, "output_options": [
                                {"output": os.path.join(directory, "log")}]}]})
        d = c["Dhcp4"]
        d["interfaces-config"]["dhcp-socket-type"] = "raw" if setup.direct else "udp"
        if setup.database:
            d["lease-database"] = setup.database
        if not setup.cache:
            d["cache-threshold"] = self.no_cache
        return c

    def command(self, directory, setup):
        conf = os.path.join(directory, "kea.conf")
        with open(conf, "w", encoding="utf-8") as f:
            json.dump(self.configuration(directory, setup), f)
        self.env = {"KEA_PIDFILE_DIR": directory, "KEA_LOCKFILE_DIR": "none", "KEA_DHCP_DATA_DIR": directory,
                    "KEA_CONTROL_SOCKET_DIR": directory}
        return [self.binary, "-c", conf]


class Usher(Kea):
    """usher-server, with Kea's configuration. durability: commit, interval, none."""

    no_cache = 0.0

    def __init__(self, binary, threads=1, durability=None, name="usher-server"):
        super().__init__(threads)
        self.binary, self.durability, self.name = binary, durability, name

    def configuration(self, directory, setup):
        c = super().configuration(directory, setup)
        d = c["Dhcp4"]
        d["multi-threading"] = {"enable-multi-threading": True, "thread-pool-size": self.threads}
        d["control-socket"] = {"socket-type": "unix", "socket-name": os.path.join(directory, "ctl")}
        if self.durability:
            d["user-context"] = {"usher": {"durability": self.durability}}
        d.update(setup.more)
        return c


class Dhcpd(Peer):
    """ISC dhcpd: reads frames, syncs each lease (its default). It walks lists as long as a pool (37 leases a
    second with 262,144 addresses in one), so its range is cut into pools of 1,024, each with a statement of
    its own: without one it makes one pool of them again."""

    name, binary, reads_frames = "dhcpd", "/usr/sbin/dhcpd", True
    pool = ("10.64.0.0", "10.67.255.255")
    PIECE = 1024

    def lease_path(self, directory):
        return os.path.join(directory, "dhcpd.leases")

    def write_leases(self, path, setup, pool):
        now = int(time.time())
        text = ("lease %%s {\n  starts epoch %d;\n  ends epoch %d;\n  cltt epoch %d;\n  binding state active;\n"
                "  next binding state free;\n  hardware ethernet %%s;\n}\n" % (now, now + 86400, now))
        _write(path, "authoring-byte-order little-endian;\n", (text % x for x in _strangers(setup, pool)))

    def command(self, directory, setup):
        first, last = map(configs.number, setup.pool)
        pools = "".join("  pool { max-lease-time 3600; range %s %s; }\n" % (configs.ip(a), configs.ip(min(a + self.PIECE - 1, last)))
                        for a in range(first, last + 1, self.PIECE))
        conf = os.path.join(directory, "dhcpd.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write("default-lease-time 3600;\nmax-lease-time 3600;\nping-check false;\nauthoritative;\n%s"
                    "subnet 10.0.0.0 netmask 255.0.0.0 {\n"
                    "  option routers 10.0.0.1;\n  option domain-name-servers 10.0.0.2, 10.0.0.3;\n"
                    '  option domain-name "example.org";\n  option ntp-servers 10.0.0.4;\n%s}\n'
                    % ("" if setup.cache else "dhcp-cache-threshold 0;\n", pools))
        leases = self.lease_path(directory)
        with open(leases, "a", encoding="utf-8"):
            pass
        return [self.binary, "-4", "-f", "-q", "--no-pid", "-user", "root", "-group", "root", "-cf", conf,
                "-lf", leases, "srv0"]


class Dnsmasq(Peer):
    """dnsmasq with its lease file. It holds no offered address, offers one address to several clients that
    ask at a time and then refuses all but one of them: it is fastest with few at a time."""

    name, binary, window = "dnsmasq", "/usr/sbin/dnsmasq", 4
    reads_frames = False
    pool = ("10.64.0.0", "10.64.255.255")

    def write_leases(self, path, setup, pool):
        end = int(time.time()) + 86400
        _write(path, "", ("%d %s %s * *\n" % (end, mac, a) for a, mac in _strangers(setup, pool)))

    def command(self, directory, setup):
        conf = os.path.join(directory, "dnsmasq.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write("port=0\nno-ping\nno-resolv\nno-hosts\nuser=root\nbind-interfaces\ninterface=srv0\n"
                    "except-interface=lo\ndhcp-authoritative\ndhcp-lease-max=20000000\npid-file=\n"
                    "dhcp-range=%s,%s,255.0.0.0,3600\ndhcp-leasefile=%s\nquiet-dhcp\n"
                    "log-facility=%s\n" % (*setup.pool, self.lease_path(directory), os.path.join(directory, "log")) +
                    "dhcp-option=option:router,10.0.0.1\ndhcp-option=option:dns-server,10.0.0.2,10.0.0.3\n"
                    "dhcp-option=option:domain-name,example.org\ndhcp-option=option:ntp-server,10.0.0.4\n")
        return [self.binary, "--conf-file=" + conf, "--keep-in-foreground"]


class Responder(Peer):
    """The generator's other half: answers without state, leases, or disk. The lower bound of all servers."""

    name = "stateless responder"

    def __init__(self, binary):
        self.binary = binary

    def command(self, directory, setup):
        return [self.binary, "--responder", "--bind", SERVER]
