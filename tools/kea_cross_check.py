#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Compares the verdicts of Debian's kea-dhcp4 -t and of usher-server -t on random configurations: combinations of
spellings, scopes, option data, definitions, classes, reservations and timers. A configuration that Kea accepts and
usher-server refuses is printed with the reasons; --both shows the opposite, too. Run by hand:

    tools/kea_cross_check.py build/usher-server [--n 300] [--seed 1] [--both] [--keep DIR] [--ask FILE...]
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile

KEA = shutil.which("kea-dhcp4", path="/usr/sbin:/sbin:/usr/bin")


class Make:
    """Text of one configuration. Pairs are text already, so that a key may be spelled in Kea's ways."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.next_id = 0

    def maybe(self, p=0.3):
        return self.r.random() < p

    def pick(self, *words):
        return self.r.choice(words)

    def text(self, s):
        return '"%s"' % s

    def bool(self):
        return self.pick("true", "false")

    def number(self, *values):
        return str(self.pick(*values))

    def comment(self):
        return self.pick("", "", "", "", " // word\n", " # word\n", " /* word */ ")

    def list(self, items):
        sep = "," + self.comment()
        return "[ %s ]" % sep.join(items)

    def map(self, pairs, context=True):
        pairs = [p for p in pairs if p]
        if context and self.maybe(0.1):
            pairs.append('"user-context": { "%s": %s }' % (self.pick("a", "comment"), self.pick('1', '"x"', "[]", "{ }")
                                                           if self.maybe() else '"x"'))
        elif context and self.maybe(0.1):
            pairs.append('"comment": "x"')
        self.r.shuffle(pairs)
        return "{%s %s }" % (self.comment(), ", ".join(pairs))

    def lifetimes(self):
        yield self.maybe() and '"valid-lifetime": ' + self.number(0, 1, 3600, 4294967295)
        if self.maybe(0.2):
            yield '"min-valid-lifetime": 0'
            yield '"max-valid-lifetime": 4294967295'
        yield self.maybe(0.2) and '"renew-timer": ' + self.number(0, 900, 4294967295)
        yield self.maybe(0.2) and '"rebind-timer": ' + self.number(0, 1800, 1000)

    def tuning(self):
        yield self.maybe(0.15) and '"calculate-tee-times": ' + self.bool()
        if self.maybe(0.15):
            yield '"t1-percent": ' + self.pick("0.5", ".5", "0.25", "5e-1", "0.50")
            yield '"t2-percent": ' + self.pick("0.875", ".75", "0.9")
        yield self.maybe(0.15) and '"cache-threshold": ' + self.pick("0.25", ".5", "0.1")
        yield self.maybe(0.15) and '"cache-max-age": ' + self.number(0, 1000)
        yield self.maybe(0.15) and '"next-server": ' + self.text(self.pick("192.0.2.5", "0.0.0.0"))
        yield self.maybe(0.15) and '"server-hostname": ' + self.text(self.pick("", "boot", "a" * 63))
        yield self.maybe(0.15) and '"boot-file-name": ' + self.text(self.pick("", "pxelinux.0", "/x/y z", "b" * 127))
        yield self.maybe(0.15) and '"authoritative": ' + self.bool()
        yield self.maybe(0.15) and '"match-client-id": ' + self.bool()
        yield self.maybe(0.15) and '"store-extended-info": ' + self.bool()
        yield self.maybe(0.15) and '"reservation-mode": ' + self.text(self.pick("all", "disabled", "global", "out-of-pool"))
        yield self.maybe(0.1) and '"ddns-send-updates": ' + self.bool()
        yield self.maybe(0.1) and '"ddns-override-no-update": ' + self.bool()
        yield self.maybe(0.1) and '"ddns-replace-client-name": ' + self.text(
            self.pick("never", "always", "when-present", "when-not-present"))
        yield self.maybe(0.1) and '"ddns-generated-prefix": ' + self.text(self.pick("myhost", "h"))
        yield self.maybe(0.1) and '"ddns-qualifying-suffix": ' + self.text(self.pick("example.org", "example.org.", ""))
        yield self.maybe(0.1) and '"ddns-update-on-renew": ' + self.bool()
        yield self.maybe(0.1) and '"hostname-char-set": ' + self.text(self.pick("", "[^A-Za-z0-9.-]", "[^a-z]"))
        yield self.maybe(0.1) and '"hostname-char-replacement": ' + self.text(self.pick("", "x", "-"))

    def option(self):
        """One entry of option-data."""
        ip = "192.0.2.%d" % self.r.randrange(1, 250)
        forms = [
            ("routers", 3, ip + self.pick("", ",192.0.2.9", " , 192.0.2.9"), "04C0000201"[2:]),
            ("domain-name-servers", 6, ip + ", 192.0.2.7", "C0000201C0000202"),
            ("domain-name", 15, self.pick("example.org", "a b", "x"), "6578"),
            ("ntp-servers", 42, ip, "C0000201"),
            ("time-offset", 2, self.pick("-3600", "0", "3600", "0x10"), "FFFFF1F0"),
            ("ip-forwarding", 19, self.pick("true", "false", "1", "0"), "01"),
            ("default-ip-ttl", 23, self.pick("64", "0x40", "255"), "40"),
            ("interface-mtu", 26, self.pick("1500", "0x5dc", "68"), "05DC"),
            ("path-mtu-plateau-table", 25, self.pick("576,1500", "576 , 1500", "576"), "024005DC"),
            ("static-routes", 33, "10.0.0.1,192.0.2.1", "0A000001C0000201"),
            ("policy-filter", 21, "10.0.0.0,255.0.0.0", "0A000000FF000000"),
            ("boot-size", 13, self.pick("10", "0xa"), "000A"),
            ("host-name", 12, "host", "686F7374"),
            ("domain-search", 119, self.pick("a.example, b.example", "example.org"), "016100"),
            ("tftp-server-name", 66, "tftp.example", "74"),
            ("boot-file-name", 67, self.pick("x.bin", "a, b"), "78"),
            ("vendor-class-identifier", 60, "class", "78"),
            ("nis-domain", 40, "nis", "78"),
            ("netbios-node-type", 46, self.pick("8", "0x8"), "08"),
            ("uap-servers", 98, "http://x/", "78"),
            ("pana-agent", 136, ip, "C0000201"),
            ("capwap-ac-v4", 138, ip, "C0000201"),
            ("tcode", 101, "Europe/Zurich", "78"),
            ("slp-service-scope", 79, "true, scope", "0178"),
            ("slp-directory-agent", 78, "true, 192.0.2.1", "01C0000201"),
            ("nds-servers", 85, ip, "C0000201"),
            ("v4-captive-portal", 114, "https://x/", "78"),
            ("sip-ua-cs-domains", 141, "a.example", "016100"),
            ("rdnss-selection", 146, "1,192.0.2.1,192.0.2.2,a.example", "01C0000201C0000202016100"),
            ("v4-portparams", 159, "2,3/4", "02033000"),
            ("vendor-encapsulated-options", 43, "", "010101"),
            ("subnet-mask", 1, "255.255.255.0", "FFFFFF00"),
            ("dhcp-lease-time", 51, "100", "00000064"),
            ("dhcp-renewal-time", 58, "100", "00000064"),
        ]
        name, code, data, raw = self.pick(*forms)
        pairs = []
        how = self.r.randrange(5)
        if how in (0, 1, 2):
            pairs.append('"name": "%s"' % name)
        if how in (1, 3, 4):
            pairs.append('"code": ' + self.pick(str(code), str(code)))
        if self.maybe(0.25):
            pairs.append('"csv-format": false')
            pairs.append('"data": "%s"' % self.pick(raw, raw.lower(), "0x" + raw if self.maybe(0.3) else raw,
                                                    " ".join(raw[i:i + 2] for i in range(0, len(raw), 2)),
                                                    ":".join(raw[i:i + 2] for i in range(0, len(raw), 2)), "'quoted'"
                                                    if self.maybe(0.2) else raw))
        else:
            if data or self.maybe(0.5):
                pairs.append('"data": "%s"' % data)
            if self.maybe(0.2):
                pairs.append('"csv-format": true')
        if self.maybe(0.2):
            pairs.append('"space": "dhcp4"')
        if self.maybe(0.2):
            pairs.append('"always-send": ' + self.bool())
        return self.map(pairs)

    def own_option(self):
        kind, data, extra = self.pick(*self.own)
        return self.map(['"name": "%s"' % kind, '"data": "%s"' % data] + extra)

    def options(self, p=0.35):
        if self.maybe(p):
            many = [self.own_option() if self.own and self.maybe(0.25) else self.option()
                    for _ in range(self.r.randrange(0, 4))]
            yield '"option-data": ' + self.list(many)

    def definitions(self):
        """Definitions of own options; self.own: data for each."""
        types = {"uint8": "7", "uint16": "0x7", "uint32": "4294967295", "int8": "-128", "int16": "-1", "int32": "5",
                 "boolean": "true", "string": "word, word", "fqdn": "a.example", "ipv4-address": "192.0.2.3",
                 "ipv6-address": "2001:db8::1", "ipv6-prefix": "2001:db8::/32", "psid": "3/4", "tuple": "word",
                 "binary": "010203", "empty": ""}
        self.own, defs = [], []
        for i in range(self.r.randrange(0, 5)):
            t = self.pick(*types, "record")
            name, code = "own-%d" % i, 224 + i
            pairs = ['"name": "%s"' % name, '"code": %d' % code, '"type": "%s"' % t]
            data = types.get(t, "")
            if t == "record":
                fields = [self.pick("uint8", "uint16", "ipv4-address", "boolean", "int32") for _ in range(self.r.randrange(2, 5))]
                pairs.append('"record-types": "%s"' % self.pick(", ", ",", " , ").join(fields))
                data = ", ".join(types[f] for f in fields)
            elif self.maybe() and t not in ("empty", "string", "binary"):
                pairs.append('"array": true')
                data = data + "," + data
            if self.maybe(0.3):
                pairs.append('"space": "dhcp4"')
            if self.maybe(0.2):
                pairs.append('"encapsulate": "%s"' % self.pick("", "own-space"))
            defs.append(self.map(pairs))
            self.own.append((name, data, []))
        if self.maybe():
            defs.append(self.map(['"name": "sub"', '"code": %s' % self.pick("1", "254", "0"), '"type": "uint8"',
                                  '"space": "own-space"']))
            self.own.append(("sub", "9", ['"space": "own-space"']))
        if self.maybe():
            defs.append(self.map(['"name": "vend"', '"code": 2', '"type": "string"', '"space": "vendor-4491"']))
            self.own.append(("vend", "x", ['"space": "vendor-4491"']))
            self.own.append(("vivso-suboptions", "4491", []))
        if defs or self.maybe(0.1):
            yield '"option-def": ' + self.list(defs)

    def expression(self, depth=0):
        if depth < 2 and self.maybe():
            a, b = self.expression(depth + 1), self.expression(depth + 1)
            return self.pick("(%s) and (%s)" % (a, b), "%s or %s" % (a, b), "not (%s)" % a)
        s = self.pick("option[60].hex", "option[61].hex", "relay4[1].hex", "substring(option[60].hex,0,3)", "pkt4.mac",
                      "concat(option[60].hex, 'x')", "option[12].text", "hexstring(pkt4.mac, ':')", "pkt.iface",
                      "vendor-class[4491].data", "vendor[4491].option[1].hex", "ifelse(option[60].exists, 'a', 'b')",
                      "option[82].option[1].hex", "option[host-name].hex", "substring(pkt4.mac, -3, all)",
                      "int32totext(option[57].hex)", "uint16totext(option[57].hex)", "addrtotext(pkt4.giaddr)", "pkt4.hlen",
                      "pkt4.msgtype", "option[0x3c].hex", "option[own-0].hex" if self.own else "option[60].hex")
        return self.pick("%s == '%s'" % (s, self.pick("PXE", "a b", "")), "option[60].exists", "%s == 0x%s" % (
            s, self.pick("01ab", "1", "AB")), "member('%s')" % self.pick(*self.classes, "KNOWN", "ALL"), "pkt4.giaddr == 192.0.2.1",
            "relay4[2].exists", "pkt4.msgtype == 1", "vendor[*].exists", "pkt.src == 192.0.2.1", "%s == pkt4.mac" % s)

    def class_entries(self):
        self.classes, entries = ["early"], []
        for name in ["early"] + self.pick([], ["one"], ["one", "two", "three"]):
            pairs = ['"name": "%s"' % name]
            if name == "early" or self.maybe(0.8):
                pairs.append('"test": "%s"' % self.expression() if name != "early" else '"test": "%s"' % "option[60].exists")
            if self.maybe(0.2):
                pairs.append('"only-if-required": ' + self.bool())
            pairs += list(self.options(0.2))
            if self.maybe(0.15):
                pairs.append('"valid-lifetime": 100')
            if self.maybe(0.1):
                pairs.append('"next-server": "192.0.2.9", "server-hostname": "x", "boot-file-name": "y"')
            entries.append(self.map(pairs))
            self.classes.append(name)
        return '"client-classes": ' + self.list(entries)

    def guard(self):
        if self.maybe(0.15):
            yield '"client-class": "%s"' % self.pick(*self.classes, "KNOWN", "UNKNOWN", "VENDOR_CLASS_x", "no-such")
        if self.maybe(0.15):
            yield '"require-client-classes": ' + self.list(self.text(self.pick(*self.classes)) for _ in range(2))

    def host(self, net):
        self.next_id += 1
        n = self.next_id
        who = self.pick('"hw-address": "%s"' % self.pick("02:00:00:00:00:%02x", "02:00:00:00:00:%02X", "2:0:0:0:0:%x") % n,
                        '"client-id": "%s"' % self.pick("01:02:%02x", "0102%02x", "'word%d'", "0x0102%02x") % n,
                        '"duid": "00:03:00:01:02:%02x"' % n, '"circuit-id": "%s"' % self.pick("'port %d'", "0xab%02x", "ab%02x") % n,
                        '"flex-id": "\'s%d\'"' % n)
        pairs = [who]
        if self.maybe(0.6):
            pairs.append('"ip-address": "%s.%d"' % (net, 200 + n % 50) if n < 50 else "")
        if self.maybe(0.4):
            pairs.append('"hostname": "%s"' % self.pick("h%d" % n, "h%d.example.org" % n, ""))
        if self.maybe(0.2):
            pairs.append('"client-classes": ' + self.list([self.text(self.pick(*self.classes, "free"))]))
        if self.maybe(0.2):
            pairs.append('"next-server": "192.0.2.6"')
        if self.maybe(0.1):
            pairs.append('"server-hostname": "x", "boot-file-name": "y"')
        pairs += list(self.options(0.2))
        return self.map(pairs)

    def relay(self):
        if self.maybe(0.15):
            yield '"relay": ' + self.pick('{ "ip-addresses": [ "192.0.2.1", "192.0.2.2" ] }', '{ "ip-addresses": [ ] }',
                                          '{ "ip-address": "192.0.2.1" }')

    def subnet(self, i, interface=True):
        net = "10.%d.0" % i
        pools = []
        for k in range(self.r.randrange(0, 3)):
            low = 10 + 40 * k
            pairs = ['"pool": "%s"' % self.pick("%s.%d - %s.%d", "%s.%d-%s.%d", " %s.%d - %s.%d ") % (net, low, net, low + 9)
                     if self.maybe(0.8) else '"pool": "%s.%d/%s"' % (net, 128 + 16 * k, self.pick("28", "29", " 30"))]
            pools.append(self.map(pairs + list(self.options(0.15)) + list(self.guard())))
        pairs = ['"subnet": "%s"' % self.pick("%s.0/24", "%s.0/ 24", " %s.0/24") % net if self.maybe(0.2)
                 else '"subnet": "%s.0/24"' % net,
                 '"pools": ' + self.list(pools) if pools or self.maybe(0.5) else None]
        if self.maybe(0.7):
            pairs.append('"id": %s' % self.pick(str(i), str(i), str(i * 1000000)))
        if interface and self.maybe(0.3):
            pairs.append('"interface": "%s"' % self.pick("lo", ""))
        if self.maybe(0.25):
            pairs.append('"reservations": ' + self.list(self.host(net) for _ in range(self.r.randrange(0, 4))))
        return self.map(pairs + list(self.options()) + list(self.relay()) + list(self.guard()) + list(self.lifetimes()) +
                        list(self.tuning()))

    def services(self):
        yield '"interfaces-config": ' + self.map([
            self.pick('"interfaces": [ ]', '"interfaces": [ "*" ]', '"interfaces": [ "lo" ]', '"interfaces": [ "*", "lo" ]'),
            self.maybe() and '"dhcp-socket-type": ' + self.text(self.pick("raw", "udp")),
            self.maybe() and '"outbound-interface": ' + self.text(self.pick("same-as-inbound", "use-routing")),
            self.maybe(0.2) and '"re-detect": ' + self.bool(),
            self.maybe(0.2) and '"service-sockets-max-retries": 0, "service-sockets-retry-wait-time": 1, '
                                '"service-sockets-require-all": false'])
        yield '"lease-database": ' + self.map(['"type": "memfile"', self.maybe() and '"persist": ' + self.bool(),
                                               self.maybe() and '"lfc-interval": 0', self.maybe() and '"name": "/tmp/x.csv"',
                                               self.maybe() and '"max-row-errors": 0'], False)
        yield self.maybe() and '"sanity-checks": { "lease-checks": "%s" }' % self.pick("none", "warn", "fix", "fix-del", "del")
        yield self.maybe() and '"expired-leases-processing": ' + self.map([
            '"reclaim-timer-wait-time": %d' % self.pick(0, 10), self.maybe() and '"hold-reclaimed-time": 0',
            self.maybe() and '"max-reclaim-leases": 0', self.maybe() and '"unwarned-reclaim-cycles": 5'], False)
        yield self.maybe() and '"multi-threading": ' + self.map(['"enable-multi-threading": ' + self.bool(), self.maybe() and
                                                                '"thread-pool-size": 2', self.maybe() and '"packet-queue-size": 9'], False)
        yield self.maybe() and '"host-reservation-identifiers": ' + self.pick(
            '[ "hw-address", "duid", "circuit-id", "client-id", "flex-id" ]', '[ "client-id" ]')
        yield self.maybe() and '"dhcp-ddns": ' + self.map(['"enable-updates": ' + self.bool(), self.maybe() and
                                                          '"server-ip": "127.0.0.1"', self.maybe() and '"server-port": 53001',
                                                          self.maybe() and '"max-queue-size": 10', self.maybe() and
                                                          '"ncr-protocol": "UDP", "ncr-format": "JSON"'])
        yield self.maybe() and '"dhcp-queue-control": { "enable-queue": true, "queue-type": "kea-ring4", "capacity": 9 }'
        for key, values in (("echo-client-id", None), ("decline-probation-period", (0, 100)), ("server-tag", ("x",)),
                            ("statistic-default-sample-count", (0, 5)), ("statistic-default-sample-age", (5,)),
                            ("parked-packet-limit", (0, 9)), ("ip-reservations-unique", None), ("dhcp4o6-port", (0,)),
                            ("reservations-lookup-first", None), ("reservations-global", None),
                            ("reservations-in-subnet", None), ("early-global-reservations-lookup", None)):
            if self.maybe(0.15):
                v = self.pick(*values) if values else self.bool()
                yield '"%s": %s' % (key, '"%s"' % v if values and isinstance(v, str) else v)
        yield self.maybe(0.15) and '"compatibility": ' + self.map(['"%s": %s' % (k, self.bool()) for k in (
            "lenient-option-parsing",)], False)
        yield self.maybe() and '"loggers": ' + self.list([self.map([
            '"name": "%s"' % self.pick("kea-dhcp4", "*", "kea-dhcp4.leases"), '"severity": "%s"' % self.pick("INFO", "DEBUG", "warn"),
            self.maybe() and '"debuglevel": 9', self.maybe() and '"%s": %s' % (self.pick("output_options", "output_options"),
                                                                             self.list([self.map([
                '"output": "%s"' % self.pick("stdout", "stderr", "syslog", "syslog:local0", "/tmp/x.log"),
                self.maybe() and '"flush": ' + self.bool(), self.maybe() and '"maxsize": %d' % self.pick(0, 9, 10240000),
                self.maybe() and '"maxver": 4', self.maybe() and '"pattern": "%m\\n"'], False)]))])])
        yield self.maybe(0.2) and '"control-socket": { "socket-type": "unix", "socket-name": "/tmp/x.sock" }'
        yield self.maybe(0.1) and '"hooks-libraries": [ ]'

    def config(self):
        defs = list(self.definitions())
        classes = self.class_entries()
        pairs = defs + [classes] + list(self.services()) + list(self.options(0.5)) + list(self.lifetimes()) + list(self.tuning())
        subnets = [self.subnet(i) for i in range(1, self.r.randrange(1, 4))]
        if subnets or self.maybe():
            pairs.append('"subnet4": ' + self.list(subnets))
        if self.maybe():
            nets = [self.map(['"name": "%s"' % name, '"subnet4": ' + self.list([self.subnet(i, False), self.subnet(i + 1, False)])] +
                             list(self.options(0.2)) + list(self.relay()) + list(self.guard()) + list(self.tuning()))
                    for i, name in ((20, "floor"), (30, "a b"))]
            pairs.append('"shared-networks": ' + self.list(nets[:self.r.randrange(0, 3)]))
        if self.maybe(0.2):
            pairs.append('"reservations": ' + self.list(self.host("10.1.0") for _ in range(2)))
        return '{ "Dhcp4": %s }\n' % self.map(pairs)


def ask(program, path):
    env = dict(os.environ, KEA_PIDFILE_DIR="/tmp", KEA_LOCKFILE_DIR="none")
    r = subprocess.run([program, "-t", path], capture_output=True, text=True, check=False, env=env, errors="replace")
    return r.returncode == 0, r.stdout + r.stderr


def compare(usher, path, both):
    """One line for each configuration on which the programs differ; True: they agree."""
    kea_good, kea_text = ask(KEA, path)
    good, text = ask(usher, path)
    if good == kea_good:
        return True
    if not good:
        print("%s: refused here only:" % path)
        print("\n".join("    " + line for line in text.splitlines() if not line.startswith("warning:")))
        return False
    if both:
        print("%s: refused by Kea only: %s" % (path, next((x for x in kea_text.splitlines() if "rror" in x), "")[-200:]))
    return not both


def main():
    p = argparse.ArgumentParser()
    p.add_argument("usher")
    p.add_argument("--n", type=int, default=300)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--both", action="store_true")
    p.add_argument("--keep", help="directory for the configurations")
    p.add_argument("--ask", nargs="+", default=[], help="configurations to compare in place of random ones")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        where = a.keep or tmp
        os.makedirs(where, exist_ok=True)
        paths = list(a.ask)
        for i in range(0 if a.ask else a.n):
            paths.append(os.path.join(where, "%d.conf" % (a.seed + i)))
            with open(paths[-1], "w", encoding="utf-8") as f:
                f.write(Make(a.seed + i).config())
        bad = sum(not compare(a.usher, path, a.both) for path in paths)
        good = sum(ask(KEA, path)[0] for path in paths[:50])
    print("%d of %d differ; of the first %d Kea accepts %d" % (bad, len(paths), len(paths[:50]), good))
    return 1 if bad else 0


sys.exit(main())
