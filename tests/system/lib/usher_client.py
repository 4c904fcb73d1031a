# SPDX-License-Identifier: MPL-2.0
"""usher-client under test: its process, its files, its control channel, the state of its interface."""

import json
import os
import re
import signal
import socket
import struct
import subprocess
import time

from lib.netns import wait_for
from lib.server import slack

_HOOK = "#!/bin/sh\necho \"$1 $reason ${ip:-none} ${new_ip_address:-none} ${old_ip_address:-none}\" >>%s\n%s\n"


class UsherClient:
    """One usher-client on ifname of ns. hook: with a script, which writes the reason of each run to hook.log."""

    def __init__(self, t, ns, name="client", hook=True, ifname="cli0"):
        self.t, self.ns, self.ifname = t, ns, ifname
        self.binary = os.path.join(os.path.dirname(t.binary), "usher-client")
        self.dir = t.lab.path(name)
        os.makedirs(self.dir)
        self.socket = os.path.join(self.dir, "ctl")
        self.pid_file = os.path.join(self.dir, "pid")
        self.hook_log = os.path.join(self.dir, "hook.log")
        self.log_path = os.path.join(self.dir, "log")
        self.proc = None
        self.hook = os.path.join(self.dir, "hook") if hook else None
        if hook:
            self.set_hook()

    def set_hook(self, more=""):
        with open(self.hook, "w", encoding="utf-8") as f:
            f.write(_HOOK % (self.hook_log, more))
        os.chmod(self.hook, 0o755)

    def args(self, *args):
        script = ["--script", self.hook] if self.hook else []
        return [self.binary, "-i", self.ifname, "--state-dir", self.dir, "--socket", self.socket, *script, *args]

    def start(self, *args, wrap=()):
        """wrap: a command in front, such as prlimit."""
        with open(self.log_path, "ab") as log:
            self.proc = self.t.lab.popen(self.ns, [*wrap, *self.args(*args)], stdin=subprocess.DEVNULL, stdout=log,
                                         stderr=log)
        return self

    def output(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def hooks(self):
        try:
            with open(self.hook_log, encoding="utf-8") as f:
                return [line.split() for line in f]
        except FileNotFoundError:
            return []

    def addresses(self):
        return re.findall(r"inet (\S+)", self.ns.ip("-4", "addr", "show", self.ifname, check=False))

    def address(self):
        a = self.addresses()
        return a[0] if len(a) == 1 else None

    def wait_address(self, timeout=10):
        try:
            return wait_for("an address", self.address, slack(timeout))
        except AssertionError as e:
            raise AssertionError("%s; it said: %s" % (e, self.output()[-1500:])) from None

    def command(self, name, **args):
        """The answer to one command."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(5)
            s.connect(self.socket)
            s.send(json.dumps({"command": name, "arguments": args}).encode())
            return json.loads(s.recv(65536))

    def state(self):
        return self.command("state")["arguments"]

    def answers(self):
        """Whether the control channel answers: its socket exists for a moment before the client listens on it."""
        try:
            return bool(self.state())
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def wait_state(self, name, timeout=10):
        wait_for("state " + name, lambda: self.state()["state"] == name, slack(timeout))

    def end(self, timeout=5):
        """SIGTERM; the exit code."""
        self.proc.send_signal(signal.SIGTERM)
        return self.proc.wait(slack(timeout))

    def daemon_pid(self):
        with open(self.pid_file, encoding="utf-8") as f:
            return int(f.read())

    def stats(self):
        return self.command("statistics")["arguments"]

    def errors(self):
        """Returns the failures, oldest first, as "action: cause"."""
        return ["%s: %s" % (e["what"], e["cause"]) for e in self.command("errors")["arguments"]["errors"]]

    def wait_error(self, text, timeout=5):
        wait_for("the error '%s'" % text, lambda: any(text in e for e in self.errors()), slack(timeout))

    # --- the process -------------------------------------------------------------------------------------

    def helper_pid(self):
        """The privileged half."""
        with open("/proc/%d/task/%d/children" % (self.proc.pid, self.proc.pid), encoding="utf-8") as f:
            return int(f.read())

    def n_fds(self):
        return len(os.listdir("/proc/%d/fd" % self.proc.pid))

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.proc.pid, encoding="utf-8") as f:
            v = f.read().rsplit(")", 1)[1].split()
        return (int(v[11]) + int(v[12])) / os.sysconf("SC_CLK_TCK")

    def pages(self):
        """Of address space: an answer that is being sent has some of its own, so the least of a few looks."""
        def look():
            with open("/proc/%d/statm" % self.proc.pid, encoding="utf-8") as f:
                return int(f.read().split()[0])
        return min(look() for _ in range(10) if not time.sleep(0.005))


class Configured:
    """The kernel's configuration of interface cli0 at the moment when now() is called, by its own notices: they are in
    the socket's queue before the call that caused them returns, so no later change is counted."""

    _GROUPS = 0x10 | 0x40  # RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE
    _NEWADDR, _DELADDR, _NEWROUTE, _DELROUTE = 20, 21, 24, 25

    def __init__(self, ns):
        with ns:
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
            self.sock.bind((0, self._GROUPS))
        self.sock.setblocking(False)
        self.address = self.default_route = False

    def now(self):
        """(has it an address, has it a default route)."""
        while True:
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                return self.address, self.default_route
            while data:
                length, kind = struct.unpack_from("=IH", data)
                self._note(kind, data[16:length])
                data = data[(length + 3) & ~3:]

    def _note(self, kind, body):
        if kind in (self._NEWADDR, self._DELADDR):
            self.address = kind == self._NEWADDR
        elif kind in (self._NEWROUTE, self._DELROUTE) and body[1] == 0:  # rtm_dst_len
            self.default_route = kind == self._NEWROUTE

    def close(self):
        self.sock.close()
