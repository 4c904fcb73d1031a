# SPDX-License-Identifier: MPL-2.0
"""Network namespaces, veth pairs and bridges of one test.

A Lab owns everything it makes: namespaces, temporary directory, mounts and processes. Their names
carry the process id of the runner (`ush-<pid>-<n>-<name>`), so that the remains of a killed runner
are recognised as stale and removed by the next one, while a runner beside us is left alone. Processes
are ended by their id only."""

import atexit
import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

PREFIX = "ush-"
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def sh(*args, check=True, timeout=20):
    """Runs a command; its output as text. RuntimeError when it fails and check is set."""
    p = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True, errors="replace", timeout=timeout, check=False)
    if check and p.returncode:
        raise RuntimeError("%s: exit %d: %s" % (" ".join(map(str, args)), p.returncode, p.stdout.strip()))
    return p.stdout


def setns(fd):
    if _libc.setns(fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns: " + os.strerror(ctypes.get_errno()))


def die_with_parent():
    """In a child before exec: killed when the test that started it is."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class NetNs:
    """One namespace. `with ns:` moves the calling thread into it; sockets opened there stay there."""

    def __init__(self, name):
        self.name = name
        sh("ip", "netns", "add", name)
        self.fd = os.open("/run/netns/" + name, os.O_RDONLY | os.O_CLOEXEC)
        self._home = threading.local()
        self.ip("link", "set", "lo", "up")

    def __enter__(self):
        self._home.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        setns(self.fd)
        return self

    def __exit__(self, *exc):
        setns(self._home.fd)
        os.close(self._home.fd)

    def ip(self, *args, check=True):
        return sh("ip", "-n", self.name, *args, check=check)

    def run(self, *args, check=True, timeout=20):
        return sh("ip", "netns", "exec", self.name, *args, check=check, timeout=timeout)

    def popen(self, args, **kw):
        """A process in this namespace; dies with the test."""
        def enter():
            die_with_parent()
            setns(self.fd)
        return subprocess.Popen([str(a) for a in args], preexec_fn=enter, **kw)

    def pids(self):
        """Of the processes in it."""
        return [int(p) for p in sh("ip", "netns", "pids", self.name, check=False).split() if int(p) != os.getpid()]

    def mac(self, ifname):
        return re.search(r"link/ether (\S+)", self.ip("link", "show", ifname)).group(1)

    def ifindex(self, ifname):
        return int(self.ip("-o", "link", "show", ifname).split(":")[0])

    def addr(self, ifname, *addrs):
        for a in addrs:
            self.ip("addr", "add", a, "dev", ifname)
        self.ip("link", "set", ifname, "up")

    def tx_off(self, ifname):
        """The kernel fills in checksums before a frame leaves, as a real wire would see them."""
        self.run("ethtool", "-K", ifname, "tx", "off")

    def tx_on(self, ifname):
        self.run("ethtool", "-K", ifname, "tx", "on")

    def close(self):
        os.close(self.fd)
        _delete_ns(self.name)


def _delete_ns(name):
    for pid in sh("ip", "netns", "pids", name, check=False).split():
        if pid.isdigit() and int(pid) != os.getpid():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
    sh("ip", "netns", "del", name, check=False)


def _mounts_under(path):
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as f:
        return [m for m in (line.split()[1] for line in f) if m == path or m.startswith(path + "/")]


def _remove_dir(path):
    for m in reversed(_mounts_under(path)):
        sh("umount", "-l", m, check=False)
    shutil.rmtree(path, ignore_errors=True)


def _alive(pid):
    return os.path.exists("/proc/%d" % pid)


def remove_stale():
    """Removes the remains of runners that have ended."""
    for line in sh("ip", "netns", "list", check=False).splitlines():
        m = re.match(re.escape(PREFIX) + r"(\d+)-", line)
        if m and not _alive(int(m.group(1))):
            _delete_ns(line.split()[0])
    for name in os.listdir(tempfile.gettempdir()):
        m = re.match(re.escape(PREFIX) + r"(\d+)-", name)
        if m and not _alive(int(m.group(1))):
            _remove_dir(os.path.join(tempfile.gettempdir(), name))


class Lab:
    """The world of one test. owner: process id in the names; n: number of the test in the run."""

    def __init__(self, owner, n):
        self.prefix = "%s%d-%d-" % (PREFIX, owner, n)
        self.dir = tempfile.mkdtemp(prefix=self.prefix)
        os.chmod(self.dir, 0o755)
        self.spaces = {}
        self.procs = []
        self.closers = []
        atexit.register(self.close)

    def ns(self, name):
        if name not in self.spaces:
            self.spaces[name] = NetNs(self.prefix + name)
        return self.spaces[name]

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def script(self, name, body):
        """A shell script in the temporary directory; its path."""
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\n" + body)
        os.chmod(path, 0o755)
        return path

    def veth(self, a, if_a, b, if_b):
        """A cable between two namespaces, both ends up, transmit offload off."""
        sh("ip", "link", "add", if_a, "netns", a.name, "type", "veth", "peer", "name", if_b, "netns", b.name)
        for ns, ifname in ((a, if_a), (b, if_b)):
            ns.tx_off(ifname)
            ns.ip("link", "set", ifname, "up")

    def bridge(self, ns, name, *ports):
        ns.ip("link", "add", name, "type", "bridge")
        for p in ports:
            ns.ip("link", "set", p, "master", name)
            ns.ip("link", "set", p, "up")
        ns.ip("link", "set", name, "up")

    def popen(self, ns, args, **kw):
        p = ns.popen(args, **kw)
        self.procs.append(p)
        return p

    def tmpfs(self, name, size):
        path = self.path(name)
        os.makedirs(path)
        sh("mount", "-t", "tmpfs", "-o", "size=%s,mode=755" % size, "none", path)
        return path

    def close(self):
        atexit.unregister(self.close)
        for c in reversed(self.closers):
            try:
                c()
            except Exception as e:  # the rest must still be torn down
                print("teardown: %r" % e)
        self.closers = []
        for p in self.procs:
            end_process(p, 0)
        for ns in self.spaces.values():
            ns.close()
        self.spaces = {}
        _remove_dir(self.dir)


def end_process(p, grace):
    """SIGTERM, after grace seconds SIGKILL; the exit code. grace 0: SIGKILL at once."""
    if p.poll() is None and grace:
        p.send_signal(signal.SIGTERM)
        try:
            return p.wait(grace)
        except subprocess.TimeoutExpired:
            pass
    if p.poll() is None:
        p.kill()
    return p.wait(60)  # the kernel closes thousands of packet sockets one after another


def wait_for(what, cond, timeout=10.0, step=0.02):
    """Polls cond until it is true; raises an AssertionError that names the condition, when it takes longer."""
    end = time.monotonic() + timeout
    while True:
        r = cond()
        if r:
            return r
        if time.monotonic() > end:
            raise AssertionError("waited %.1f s for %s" % (timeout, what))
        time.sleep(step)


def fill_disk(directory):
    """A file that takes all space that is left on the disk of the directory; its path."""
    path = os.path.join(directory, "hog")
    with open(path, "wb", buffering=0) as f:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    f.write(bytes(size))
            except OSError:
                pass
    return path
