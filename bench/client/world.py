# SPDX-License-Identifier: MPL-2.0
"""One client at a time on one end of a cable, a server on the other, in namespaces that remove themselves however
the run ends: the system tests' own."""

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
import types

from bench.lib import measure, numbers
from lib import dhcp_servers, netns, runner

SERVERS = {"usher-server": dhcp_servers.Usher, "Kea": dhcp_servers.Kea}
_PRIVATE = ("mount -t tmpfs none /run && for d in /var/lib/dhcpcd /var/lib/dhcp; do "
            "! test -d $d || mount -t tmpfs none $d || exit; done; exec \"$@\"")


class Failed(Exception):
    """A measurement that cannot be made; the others continue."""


def _read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def version(binary):
    """The Debian package of a program, and its version; None when there is none. Debian's list has some programs
    where they were before /bin and /sbin became links."""
    path = os.path.realpath(shutil.which(binary))
    for known in (path, path.removeprefix("/usr")):
        if v := measure.version(types.SimpleNamespace(binary=known)):
            return v
    return None


def guard():
    """A process that outlives this one however it ends, and then removes its namespaces and files."""
    parent = os.getpid()
    r, w = os.pipe()
    if os.fork():
        os.close(r)
        return w  # open for as long as we are
    os.close(w)
    os.setsid()
    os.read(r, 1)
    while os.path.exists("/proc/%d" % parent):  # not yet waited for
        time.sleep(0.1)
    netns.remove_stale()
    os._exit(0)


class Labs:
    """Numbers the labs; each `with labs.new() as t` is the laboratory of a system test, and is removed behind it."""

    def __init__(self, build):
        netns.remove_stale()
        self.guard = guard()
        self.n, self.options = 0, types.SimpleNamespace(binary=os.path.join(build, "usher-server"), long=False)

    def new(self):
        self.n += 1
        return _Lab(self.n, self.options)


class _Lab:
    def __init__(self, n, options):
        self.lab = netns.Lab(os.getpid(), n)
        self.t = runner.Test(self.lab, options)

    def __enter__(self):
        return self.t

    def __exit__(self, *exc):
        try:
            for s in self.t.servers:
                s.teardown()
        finally:
            self.lab.closers = []
            self.lab.close()


class Rig:
    """Server and cable; runs clients one after the other."""

    def __init__(self, t, build, server):
        self.t, self.timed, self.usher = t, os.path.join(build, "bench", "client", "usher-timed"), os.path.join(
            build, "usher-client")
        t.wire()
        t.lab.tmpfs("server", "64m")  # the memory of its disk is not the client's
        SERVERS[server](t, "10.77.0.1", dhcp_servers.Times(3600, 1800, 3150))
        self.ns = t.lab.ns("cli")

    def run(self, client, strace=None):
        return Run(self, client, strace)


class Run:
    """One run of a client, from exec until the `with` ends it. strace: file for its system calls."""

    def __init__(self, rig, client, strace):
        self.rig, self.client, self.strace = rig, client, strace
        self.dir = tempfile.mkdtemp(dir=rig.t.lab.dir)
        os.chmod(self.dir, 0o755)
        self.proc = self.address = self.route = self.wall = None

    def __enter__(self):
        argv = self.client.command(self.dir, self.rig.usher)
        if self.strace:
            argv = ["strace", "-f", "-qq", "-ttt", "-o", self.strace, *argv]
        self.rig.ns.ip("link", "set", "cli0", "up")
        time.sleep(0.05)
        try:
            with open(os.path.join(self.dir, "output"), "wb") as out:
                self.proc = self.rig.t.lab.popen(self.rig.ns, [
                    "unshare", "-mu", "--propagation", "private", "sh", "-c", _PRIVATE, "sh", self.rig.timed, "cli0",
                    str(self.client.seconds), *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out,
                    env=dict(os.environ, PATH="/usr/sbin:/usr/bin:/sbin:/bin"))
            self._result()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _result(self):
        if not select.select([self.proc.stdout], [], [], self.client.seconds + 5)[0]:
            raise Failed("%s: no word" % self.client.name)
        line = self.proc.stdout.readline()
        r = json.loads(line) if line.startswith(b"{") else {}
        if not r.get("address"):
            raise Failed("%s got no address: %s" % (self.client.name, _read(os.path.join(self.dir, "output"))[-500:]))
        self.address, self.route, self.wall = r["address"], r["route"], r["wall"] / 1e9

    def pids(self):
        """The client's processes: all of the namespace but the ones that the laboratory started."""
        return [p for p in self.rig.ns.pids() if p != self.proc.pid and
                os.path.basename(os.readlink("/proc/%d/exe" % p)) != "strace"]

    def memory(self):
        """kB: (sum of peaks, sum of proportional shares at rest, number of processes)."""
        peak = share = n = 0
        for p in self.pids():
            peak += numbers.proc_field(_read("/proc/%d/status" % p), "VmHWM")
            share += numbers.proc_field(_read("/proc/%d/smaps_rollup" % p), "Pss")
            n += 1
        return peak, share, n

    def mapped(self):
        """Files that its processes run: {path: octets}."""
        return {path: os.path.getsize(path) for p in self.pids()
                for path in numbers.mapped_files(_read("/proc/%d/maps" % p))}

    def __exit__(self, *exc):
        end = time.monotonic() + 10
        while (pids := self.rig.ns.pids()) and time.monotonic() < end:
            for p in pids:
                try:
                    os.kill(p, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)
        if self.proc:
            self.proc.kill()
            self.proc.wait(10)
            self.proc.stdin.close()
            self.proc.stdout.close()
            if self.proc in self.rig.t.lab.procs:
                self.rig.t.lab.procs.remove(self.proc)
        self.rig.ns.ip("addr", "flush", "dev", "cli0", "scope", "global")
        self.rig.ns.ip("neigh", "flush", "dev", "cli0", check=False)
        shutil.rmtree(self.dir, ignore_errors=True)
