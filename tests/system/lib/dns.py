# SPDX-License-Identifier: MPL-2.0
"""A DNS server (Debian's bind9) with a zone for names and one for addresses that take updates, and Kea's kea-dhcp-ddns in front of
it."""

import json
import os
import shutil
import subprocess

from lib.netns import end_process, wait_for
from lib.server import slack

NAMED = shutil.which("named", path="/usr/sbin:/sbin:/usr/bin") or "/usr/sbin/named"
KEA_D2 = shutil.which("kea-dhcp-ddns", path="/usr/sbin:/sbin:/usr/bin") or "/usr/sbin/kea-dhcp-ddns"
FORWARD, REVERSE = "example.org.", "77.10.in-addr.arpa."
KEY, ALGORITHM, SECRET = "k1.example.", "HMAC-SHA256", "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI="
_ZONE = "$TTL 60\n@ SOA ns.example.org. root.example.org. 1 3600 600 86400 60\n@ NS ns.example.org.\n"


class Named:
    """bind9 in a namespace, at 127.0.0.1. key: updates need TSIG with KEY."""

    def __init__(self, t, ns, port=5300, key=False, name="named"):
        self.lab, self.ns, self.port, self.key = t.lab, ns, port, key
        self.dir, self.proc = t.lab.path(name), None
        os.makedirs(self.dir, exist_ok=True)
        for zone, more in (("forward", "ns A 127.0.0.1\nstatic A 192.0.2.99\n"), ("reverse", "")):
            with open(os.path.join(self.dir, zone), "w", encoding="utf-8") as f:
                f.write(_ZONE + more)
        allow = 'key "%s"' % KEY if key else "any"
        zones = "".join('zone "%s" { type primary; file "%s"; allow-update { %s; }; };\n' % (z, f, allow)
                        for z, f in ((FORWARD, "forward"), (REVERSE, "reverse")))
        with open(os.path.join(self.dir, "conf"), "w", encoding="utf-8") as f:
            f.write('options { directory "%s"; listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; '
                    'session-keyfile none; recursion no; dnssec-validation no; };\ncontrols { };\n'
                    'key "%s" { algorithm hmac-sha256; secret "%s"; };\n%s' % (self.dir, port, KEY, SECRET, zones))

    def start(self):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.proc = self.lab.popen(self.ns, [NAMED, "-g", "-n", "1", "-c", os.path.join(self.dir, "conf")],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("named", lambda: self.get("static." + FORWARD) == ["192.0.2.99"], slack(15))
        return self

    def stop(self):
        end_process(self.proc, slack(10))

    def get(self, name, kind="A"):
        """Records of a name, sorted."""
        out = self.ns.run("dig", "+short", "+time=1", "+tries=1", "-p", str(self.port), "@127.0.0.1", name, kind, check=False)
        return sorted(line for line in out.splitlines() if line and not line.startswith(";"))

    def ptr(self, addr):
        return self.get(".".join(reversed(addr.split("."))) + ".in-addr.arpa.", "PTR")

    def update(self, *lines):
        """Changes by an administrator."""
        text = "server 127.0.0.1 %d\n%s\nsend\n" % (self.port, "\n".join(lines))
        path = os.path.join(self.dir, "update")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        self.ns.run("nsupdate", *(["-y", "hmac-sha256:%s:%s" % (KEY, SECRET)] if self.key else []), path)


def d2_map(ports=(5300,), key=False):
    """The map DhcpDdns for a server of Named."""
    domain = {"dns-servers": [{"ip-address": "127.0.0.1", "port": p} for p in ports]}
    if key:
        domain["key-name"] = KEY
    return {"tsig-keys": [{"name": KEY, "algorithm": ALGORITHM, "secret": SECRET}] if key else [],
            "forward-ddns": {"ddns-domains": [dict(domain, name=FORWARD)]},
            "reverse-ddns": {"ddns-domains": [dict(domain, name=REVERSE)]}}


class KeaD2:
    """Kea's kea-dhcp-ddns in a namespace, at 127.0.0.1."""

    def __init__(self, t, ns, **conf):
        self.lab, self.ns, self.proc = t.lab, ns, None
        self.dir = t.lab.path("d2")
        os.makedirs(self.dir, exist_ok=True)
        self.conf = dict({"ip-address": "127.0.0.1", "port": 53001, "loggers": [{
            "name": "kea-dhcp-ddns", "severity": "INFO", "output_options": [{"output": "stdout"}]}]}, **conf)

    def log(self):
        with open(os.path.join(self.dir, "log"), encoding="utf-8") as f:
            return f.read()

    def start(self):
        path = os.path.join(self.dir, "conf")
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"DhcpDdns": self.conf}, f)
        env = dict(os.environ, KEA_PIDFILE_DIR=self.dir, KEA_LOCKFILE_DIR="none")
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.proc = self.lab.popen(self.ns, [KEA_D2, "-c", path], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        wait_for("kea-dhcp-ddns", lambda: "DHCP_DDNS_STARTED" in self.log(), slack(15))
        return self

    def stop(self):
        end_process(self.proc, slack(10))
