# SPDX-License-Identifier: MPL-2.0
"""Faults of the machine under usher-client: the interface, signals, files, the script, the control
channel, limits. The rows of the client's hostile list are in the names (doc/client-hostile.md)."""

import glob
import json
import os
import random
import re
import resource
import signal
import socket
import subprocess
import time

from lib import dhcp
from lib.client_stage import Stage
from lib.dhcp import DECLINE, DISCOVER, INFORM, REQUEST
from lib.hostile_dhcp import ADDRESS, HostileServer, ips, reply, u32
from lib.netns import sh, wait_for
from lib.runner import test
from lib.server import SANITIZED, slack
from lib.usher_client import UsherClient

_SERVE = ("--no-probe",)


def _first(s, *args):
    """Started, with its first lease."""
    q = s.start(*(args or _SERVE))
    s.offer(q)
    s.ack(s.requested())
    return s.bound()


# --- the interface ----------------------------------------------------------------------------------------


@test(timeout=40)
def test_client_75_renamed(t):
    """The index counts: the new name is reported, and used to renew."""
    s = Stage(t, start=False)
    _first(s)
    for cmd in (("down",), ("name", "other0"), ("up",)):
        s.cli.ip("link", "set", "cli0" if cmd != ("up",) else "other0", *cmd)
    s.c.ifname = "other0"
    s.ack(s.server.wait(REQUEST))
    assert s.bound()["interface"] == "other0"
    assert s.c.command("renew")["result"] == 0
    s.ack(s.server.wait(REQUEST))
    s.bound()
    s.end()


@test(timeout=40)
def test_client_76_new_mac(t):
    """Another hardware address while bound: INIT-REBOOT with it, and the identifier that is made of it."""
    s = Stage(t, start=False)
    _first(s)
    new = "02:00:00:00:00:56"
    s.cli.ip("link", "set", "cli0", "address", new)
    q = s.server.wait(REQUEST)
    assert q.msg.chaddr == q.mac == dhcp.mac_bytes(new) and q.msg.get(61) == b"\1" + q.mac
    assert q.ip(50) == s.good and q.ip(54) is None
    s.ack(q)
    s.bound()
    s.end()


@test(timeout=40, cases={"bridge": "bridge", "netns": "netns", "removed": "removed"})
def test_client_77_taken_away(t, how):
    """Enslaved, moved to another namespace, removed: the end, with its exit code; the address is not left."""
    s = Stage(t, start=False)
    _first(s)
    if how == "bridge":
        s.cli.ip("link", "add", "br7", "type", "bridge")
        s.cli.ip("link", "set", "cli0", "master", "br7")
    elif how == "netns":
        s.cli.ip("link", "set", "cli0", "netns", t.lab.ns("else").name)
    else:
        s.cli.ip("link", "del", "cli0")
    assert s.c.proc.wait(slack(5)) == 3, s.c.output()
    assert "gone" in s.c.output()
    wait_for("the address to go", lambda: not s.c.addresses(), slack(2))
    wait_for("the socket to go", lambda: not os.path.exists(s.c.socket), slack(2))


@test(timeout=40)
def test_client_78_no_mac(t):
    """Where there is no Ethernet with ARP: refused, and said so."""
    t.wire()
    ns = t.lab.ns("cli")
    ns.ip("tuntap", "add", "tun0", "mode", "tun")
    ns.ip("link", "set", "cli0", "arp", "off")
    for name in ("lo", "tun0", "cli0"):
        c = UsherClient(t, ns, name, ifname=name).start("-f")
        assert c.proc.wait(slack(5)) == 3 and "%s: it is not an Ethernet with ARP" % name in c.output(), c.output()
    c = UsherClient(t, ns, "none", ifname="nosuch0").start("-f")
    assert c.proc.wait(slack(5)) == 3 and "nosuch0: " in c.output(), c.output()


@test(timeout=40)
def test_client_79_address_was_there(t):
    """The address of the initial ramdisk is taken over: never removed on the way."""
    s = Stage(t, start=False)
    s.cli.ip("addr", "add", ADDRESS + "/24", "dev", "cli0")
    seen = t.lab.path("monitor")
    with open(seen, "wb") as out:
        t.lab.popen(s.cli, ["ip", "-4", "monitor", "address"], stdout=out)

        def said():
            with open(seen, encoding="utf-8") as f:
                return f.read()

        def listening():
            # nothing tells when it has its socket: changes are made until it tells of one
            s.cli.ip("addr", "replace", "10.9.9.8/32", "dev", "lo")
            return "10.9.9.8" in said()
        wait_for("the monitor to listen", listening, slack(5))
        _first(s)
        s.cli.ip("addr", "add", "10.9.9.9/32", "dev", "lo")
        wait_for("the monitor", lambda: "10.9.9.9" in said(), slack(5))
    assert "Deleted" not in said(), said()
    assert "valid_lft 3600sec" in said(), said()
    s.end()


@test(timeout=40)
def test_client_80_overflow(t):
    """A storm on another interface, then a change of ours: known."""
    s = Stage(t, start=False)
    s.cli.ip("link", "add", "st0", "type", "veth", "peer", "name", "st1")
    _first(s)
    os.kill(s.c.proc.pid, signal.SIGSTOP)
    # more than the queue of a netlink socket holds
    batch = "".join("link set st0 mtu %d\n" % (1000 + i % 400) for i in range(1500))
    subprocess.run(["ip", "-n", s.cli.name, "-b", "-"], input=batch, text=True, check=True)
    s.cli.ip("addr", "del", s.good + "/24", "dev", "cli0")
    s.srv.ip("link", "set", "srv0", "down")
    os.kill(s.c.proc.pid, signal.SIGCONT)
    wait_for("the loss of the link", lambda: not s.c.state()["link"], slack(5))
    assert "address-removed" not in s.c.output()
    s.srv.ip("link", "set", "srv0", "up")
    s.ack(s.server.wait(REQUEST))
    s.bound()
    s.end()


# --- signals ----------------------------------------------------------------------------------------------


def _selecting(s):
    s.start(*_SERVE)


def _requesting(s):
    s.offer(s.start(*_SERVE))
    s.requested()


def _probing(s):
    s.offer(s.start("--probe", "rfc5227"))
    s.ack(s.requested())


def _declined(s):
    s.offer(s.start("--probe", "rfc5227"))
    q = s.requested()
    wait_for("a probe", lambda: s.server.poll(0.05) or any(a.probe for a in s.server.arps), slack(5))
    s.server.arp(2, s.good, sha=b"\2\0\0\0\0\x99")
    s.ack(q)
    s.server.wait(DECLINE)


def _bound(s):
    _first(s)


def _after(command):
    def go(s):
        _first(s)
        assert s.c.command(command)["result"] == 0
    return go


def _no_link(s):
    s.srv.ip("link", "set", "srv0", "down")
    s.c.start("-f", *_SERVE)
    wait_for("the control channel", s.c.answers, slack(5))


def _init_reboot(s):
    _first(s)
    s.srv.ip("link", "set", "srv0", "down")


def _rebooting(s):
    _init_reboot(s)
    s.c.wait_state("INIT-REBOOT")
    s.srv.ip("link", "set", "srv0", "up")
    s.server.wait(REQUEST)


def _init(s):
    for wait in (s.start(*_SERVE), None):
        s.offer(wait or s.server.wait(DISCOVER))
        s.server.send(s.requested(), dhcp.NAK)


def _informing(s, answer=False):
    s.cli.ip("addr", "add", "10.77.0.77/24", "dev", "cli0")
    s.c.start("-f", "--inform")
    q = s.server.wait(INFORM)
    if answer:
        s.server.send(q, dhcp.ACK, reply(yiaddr="0.0.0.0", no=(51,)))


def _ipv6_only(s):
    s.server.send(s.start("--no-probe", "--request-options=+108"), dhcp.OFFER, reply({108: u32(600)}))


_STATES = {
    "SELECTING": _selecting, "REQUESTING": _requesting, "PROBING": _probing, "DECLINED": _declined, "BOUND": _bound,
    "RENEWING": _after("renew"), "REBINDING": _after("rebind"), "RELEASED": _after("release"), "NO-LINK": _no_link,
    "INIT-REBOOT": _init_reboot, "REBOOTING": _rebooting, "INIT": _init, "INFORMING": _informing,
    "INFORMED": lambda s: _informing(s, True), "IPV6-ONLY": _ipv6_only,
}


@test(timeout=60, cases={n.replace("-", "_").lower(): n for n in _STATES})
def test_client_83_signals_in(t, name):
    """In every state: those that ask for something leave a client that answers, those that end it end it at
    once, with 0, and nothing on the interface."""
    s = Stage(t, start=False)
    for sig in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT):
        _STATES[name](s)
        s.c.wait_state(name)
        s.c.proc.send_signal(sig)
        if sig not in (signal.SIGTERM, signal.SIGINT):
            for _ in range(3):
                assert s.c.state()["state"], sig
            s.c.proc.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert s.c.proc.wait(slack(5)) == 0, (sig, s.c.output())
        assert time.monotonic() - began < slack(0.5), "%s: took its time" % sig
        left = ["10.77.0.77/24"] if name.startswith("INFORM") else []
        wait_for("the address to go", lambda: s.c.addresses() == left, slack(2))
        s.srv.ip("link", "set", "srv0", "up")
        s.cli.ip("addr", "flush", "dev", "cli0")
        for f in glob.glob(os.path.join(s.c.dir, "*.lease")):
            os.unlink(f)
        s.server.close()
        s.server = HostileServer(s.srv, "srv0")
    s.server.close()


@test(timeout=60)
def test_client_83_many_signals(t):
    """10,000 in a row, and stopped and continued in between: it is there, and has a lease again."""
    t.wire()
    t.server()
    c = UsherClient(t, t.lab.ns("cli"), hook=False).start("-f", *_SERVE)
    c.wait_address()
    rng = random.Random(83)
    kinds = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGCHLD)
    for i in range(10000):
        c.proc.send_signal(rng.choice(kinds))
        if i % 500 == 0:
            c.proc.send_signal(signal.SIGSTOP)
            c.proc.send_signal(signal.SIGCONT)
    assert c.state()["state"]
    c.command("restart")
    c.wait_state("BOUND")
    c.wait_address()
    assert c.end() == 0


@test(timeout=40)
def test_client_84_second_instance(t):
    """A second one is refused with its exit code and a sentence, and the first does not notice; the socket of
    one that was killed is nobody's."""
    t.wire()
    t.server()
    ns = t.lab.ns("cli")
    c = UsherClient(t, ns).start("-f", *_SERVE)
    addr = c.wait_address()
    c.wait_state("BOUND")
    seconds = [t.lab.popen(ns, c.args("-f", *_SERVE), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(3)]
    for p in seconds:
        out, _ = p.communicate(timeout=slack(5))
        assert p.returncode == 4 and b"another client" in out, out
    assert c.state()["state"] == "BOUND" and c.addresses() == [addr]
    assert c.stats()["sent"]["DHCPDISCOVER"] == 1
    helper = c.helper_pid()
    for pid in (helper, c.proc.pid):
        os.kill(pid, signal.SIGKILL)
    c.proc.wait(5)
    assert os.path.exists(c.socket)
    log = len(c.output())
    c.start("-f", *_SERVE)
    # the server may repeat a lease that is a second old
    wait_for("the new one", lambda: re.search(r"for 3[56]\d\d s", c.output()[log:]), slack(15))
    c.wait_state("BOUND")
    assert c.addresses() == [addr], c.addresses()
    assert c.end() == 0


# --- files ------------------------------------------------------------------------------------------------


def _dir_full(s):
    path = s.t.lab.tmpfs("full", "64k")
    with open(os.path.join(path, "filler"), "wb") as f:
        try:
            f.write(bytes(1 << 20))
        except OSError:
            pass
    return path


def _dir_read_only(s):
    path = s.t.lab.tmpfs("ro", "64k")
    sh("mount", "-o", "remount,ro", path)
    return path


def _dir_missing(s):
    return s.t.lab.path("not", "there")


def _dir_file(s):
    path = s.t.lab.path("a-file")
    with open(path, "wb"):
        pass
    return path


@test(timeout=40, cases={"full": _dir_full, "read_only": _dir_read_only, "missing": _dir_missing, "a_file": _dir_file})
def test_client_85_state_dir(t, make):
    """Where a lease cannot be saved: it is used all the same, and that is said."""
    s = Stage(t, start=False)
    s.c.start("-f", *_SERVE, "--state-dir", make(s))
    s.offer(s.server.wait(DISCOVER))
    s.ack(s.requested())
    s.bound()
    s.c.wait_error("save-lease: ")
    s.lease()
    s.end()


def _kept(s):
    """The file of a good lease, and where it is."""
    path = os.path.join(s.c.dir, "client-cli0.lease")
    _first(s, "--no-probe", "--keep-lease")
    wait_for("the lease file", lambda: os.path.exists(path), slack(5))
    assert s.c.end() == 0
    with open(path, "rb") as f:
        return path, f.read()


@test(timeout=60)
def test_client_85_lease_file(t):
    """A kept lease that is damaged, of another version, a link, a pipe, a directory, another's: as if there
    were none, and a good one is written in its place."""
    s = Stage(t, start=False)
    path, good = _kept(s)
    aside = s.t.lab.path("aside")
    with open(aside, "wb") as f:
        f.write(good)

    def put(data):
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, 0o600)
    damages = [lambda n=n: put(good[:n]) for n in (0, 1, 7, len(good) // 2, len(good) - 1)]
    damages += [lambda: put(good + b"\0"), lambda: put(b"\xff" * 100000), lambda: put(good[:4] + b"\xff" + good[5:]),
                lambda: put(bytes(len(good))), lambda: os.symlink(aside, path), lambda: os.mkfifo(path),
                lambda: os.mkdir(path), lambda: (put(good), os.chown(path, 65534, 65534)),
                lambda: (put(good), os.chmod(path, 0o622))]
    for n, damage in enumerate(damages):
        os.unlink(s.c.log_path)
        if os.path.lexists(path):
            os.unlink(path)
        damage()
        q = s.start("--keep-lease", *_SERVE)
        assert "kept lease: " in s.c.output() or os.path.isdir(path), (n, s.c.output())
        s.offer(q)
        s.ack(s.requested())
        s.bound()
        if os.path.isdir(path):
            s.c.wait_error("save-lease: ")
        assert s.c.end() == 0
        if os.path.isdir(path):
            os.rmdir(path)
            continue
        with open(path, "rb") as f:
            assert len(f.read()) == len(good) and not os.path.islink(path), n
        s.server.drain()
    with open(aside, "rb") as f:
        assert f.read() == good
    put(good)
    s.c.start("-f", "--keep-lease", *_SERVE)
    s.ack(s.server.wait(REQUEST))
    s.bound()
    s.end()


# --- the script -------------------------------------------------------------------------------------------

_HOOKS = {
    "killed": ("kill -9 $$", "script: exit status 137"),
    "fails": ("exit 7", "script: exit status 7"),
    "prints": ("head -c 1000000000 /dev/zero; head -c 1000000000 /dev/zero >&2", None),
    "daemon": ("setsid sleep 30 & echo $! >>%(dir)s/daemons", None),
    "missing": (None, "script: exit status 127"),
    "not_executable": ("#", "script: exit status 126"),
    "directory": ("/", "script: exit status 126"),
}


@test(timeout=60, cases={n: n for n in _HOOKS})
def test_client_86_script(t, name):
    """A script that dies, floods, leaves a daemon, is not there: said, and nothing else of it matters."""
    s = Stage(t, start=False)
    s.c = UsherClient(t, s.cli, "scripted")
    text, error = _HOOKS[name]
    if name == "missing":
        os.unlink(s.c.hook)
    elif name == "not_executable":
        os.chmod(s.c.hook, 0o644)
    elif name == "directory":
        s.c.hook = s.c.dir
    else:
        s.c.set_hook(text % {"dir": s.c.dir} if "%(" in text else text)
    with open(os.devnull, "wb") as null:
        s.c.proc = t.lab.popen(s.cli, s.c.args("-f", *_SERVE), stdin=subprocess.DEVNULL, stdout=null, stderr=null)
    s.offer(s.server.wait(DISCOVER))
    s.ack(s.requested())
    s.bound()
    if error:
        s.c.wait_error(error)
    s.lease()
    if name == "daemon":
        _check_daemons(s)
    assert s.c.pages() * 4096 < 16 << 20 or SANITIZED
    s.end()


def _check_daemons(s):
    """They hold nothing of ours but the output, and live on when we end."""
    pids = wait_for("daemons", lambda: _numbers(os.path.join(s.c.dir, "daemons")), slack(5))
    for pid in pids:
        # the program that the shell starts opens its own libraries for a moment
        wait_for("only /dev/null to be open in the daemon", lambda: _open_files(pid) == {"/dev/null"}, slack(5))
        os.kill(pid, signal.SIGKILL)


def _open_files(pid):
    names = set()
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            names.add(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
        except FileNotFoundError:
            pass  # closed meanwhile
    return names


def _numbers(path):
    try:
        with open(path, encoding="utf-8") as f:
            return [int(line) for line in f]
    except FileNotFoundError:
        return []


# --- the environment of the script ------------------------------------------------------------------------

_SHELLS = {"dash": "/bin/dash", "bash": "/bin/bash", "ash": "/usr/bin/busybox ash"}
_STRINGS = (12, 14, 15, 17, 18, 40, 47, 56, 60, 62, 64, 66, 67, 86, 98, 100, 101, 113, 114, 119, 120, 141, 209, 210, 224, 252)
# Uses each value as careless scripts do: words, patterns, eval, another shell.
_CARELESS = """#!%(shell)s
cd %(dir)s
env >>%(dump)s
for name in hostname domain rootpath nisdomain message tftp bootfile tzstr tzdbstr search sname boot_file opt14 opt18 opt47 \\
	opt60 opt64 opt86 opt98 opt114 opt120 opt209 opt210 opt224 opt252 new_host_name new_domain_name new_root_path \\
	new_dhcp_message new_tftp_server_name new_bootfile_name new_domain_search new_pcode new_tcode; do
	eval "value=\\$$name"
	[ -n "$value" ] || continue
	eval "copy=$value"
	eval "echo $name='$value'" >/dev/null
	eval "echo \\"$value\\"" >/dev/null
	%(shell)s -c "echo $value" >/dev/null
	echo $value >/dev/null
	set -- $value
	[ $# -eq 1 ] || echo "words_$name=$#" >>%(dump)s
	[ "$name" = search ] || [ "$*" = "$value" ] || echo "pattern_$name=1" >>%(dump)s
done
echo "end=$reason" >>%(dump)s
"""


def _payloads():
    touch = "touch canary"
    for text in (";%s;", "$(%s)", "`%s`", "|%s", "&%s&", "&& %s", "\n%s\n", "'&%s #", "'; %s; '", "\";%s;\"", "() { :;}; %s",
                 "x\0;%s", "\\n;%s", "${x:=$(%s)}", "<(%s)", "-c %s", "$IFS;%s", "a b\tc %s", "{%s,}", "!%s", "\x1b]0;%s\x07"):
        yield (text % touch).encode()
    yield from (b">canary", b"*", b"~root", b"[a-z]*", b"?", b"..", b"-rf", b"", b"\xff\xfe", b"\xc3\xa4",
                b"a=b;c", bytes(range(1, 256)))


@test(timeout=60, cases=_SHELLS)
def test_client_49_script_values(t, shell):
    """Strings that mean something to a shell, in every option and in both fields, to a script that is careless:
    nothing is run, no value is more than one word, and names are clean or not there."""
    s = Stage(t, start=False)
    s.c = UsherClient(t, s.cli, "told")
    dump, canary = t.lab.path("dump"), os.path.join(s.c.dir, "canary")
    with open(s.c.hook, "w", encoding="utf-8") as f:
        f.write(_CARELESS % {"shell": shell, "dump": dump, "dir": s.c.dir})
    s.c.start("-f", *_SERVE)
    s.offer(s.server.wait(DISCOVER))
    for n, value in enumerate(_payloads()):
        if n:
            s.offer(s.begin())
        label = bytes([min(len(value), 63)]) + value[:63] + b"\0"
        options = {c: label if c in (119, 120) else value for c in _STRINGS}
        if len(value) > 60:
            options = {c: options[c] for c in (12, 15, 56, 67)}
        if os.path.exists(dump):
            os.unlink(dump)
        s.ack(s.requested(), options, sname=value[:63], file=value[:127])
        s.bound()
        wait_for("the script", lambda: os.path.exists(dump) and "end=BOUND" in open(dump, encoding="latin-1").read(),
                 slack(10))
        _check_dump(open(dump, encoding="latin-1").read(), value)
        assert not os.path.exists(canary), value
    s.end()


def _check_dump(text, value):
    for line in text.splitlines():
        name, eq, v = line.partition("=")
        assert eq and name.replace("_", "a").isalnum(), (value, line)
        assert not name.startswith(("words_", "pattern_")), (value, line)
        assert not set(v) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:,@%+= "), (value, line)
        if name in ("hostname", "domain", "new_host_name", "tftp", "bootfile", "new_root_path", "search"):
            assert v.encode() == value, (value, line)


# --- the control channel ----------------------------------------------------------------------------------


def _connect(c):
    x = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    x.settimeout(slack(5))
    x.connect(c.socket)
    return x


_BAD_REQUESTS = [
    b"", b"\0", b"{", b"[]", b"null", b"1", b'"state"', b"{}", b'{"command": 1}', b'{"command": null}',
    b'{"command": ["state"]}', b'{"command": "state", "arguments": []}', b'{"command": "state", "arguments": "x"}',
    b'{"version": 99}', b'{"command": "STATE"}', b'{"command": "state\\u0000x"}', b'{"command": "' + b"x" * 4000 + b'"}',
    b"[" * 4000, b'{"a":' * 600, b"\xff\xfe", b'{"command": "transition"}', b'{"command": "transition", "arguments": {"to": 7}}',
    b'{"command": "transition", "arguments": {"to": ""}}', b'{"command": "transition", "arguments": {"to": "' + b"B" * 3000 + b'"}}',
]


@test(timeout=60)
def test_client_87_control(t):
    """Requests that are malformed, too long, by the thousand, of users without the right, from a thousand at a time."""
    t.wire()
    t.server()
    c = UsherClient(t, t.lab.ns("cli"), hook=False).start("-f", *_SERVE)
    addr = c.wait_address()
    c.wait_state("BOUND")
    for text in _BAD_REQUESTS:
        with _connect(c) as x:
            x.send(text)
            if text:
                assert json.loads(x.recv(65536))["result"] in (1, 2), text[:60]
    with _connect(c) as x:
        x.send(b" " * 20000)
        assert x.recv(65536) == b""
    fds = c.n_fds()
    held = [_connect(c) for _ in range(4)]
    refused = 0
    for _ in range(1000):
        try:
            held.append(_connect(c))
        except OSError:
            refused += 1
        while len(held) > 200:
            held.pop(100).close()
    for x in held:
        x.close()
    wait_for("the descriptors to go", lambda: c.n_fds() <= fds, slack(5))
    assert c.state()["state"] == "BOUND"
    with _connect(c) as x:
        for _ in range(5000):
            x.send(b'{"command": "state"}')
            assert json.loads(x.recv(65536))["result"] == 0
    _greedy(c)
    denied = t.lab.popen(c.ns, ["setpriv", "--reuid=65534", "--clear-groups", os.path.join(os.path.dirname(t.binary),
                         "usherctl"), "client", "-s", c.socket, "state"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out, _ = denied.communicate(timeout=slack(5))
    assert denied.returncode and b"ermission" in out, out
    assert c.addresses() == [addr] and c.end() == 0


def _greedy(c):
    """Asks and asks and does not read; listens and does not read."""
    asks, listens = _connect(c), _connect(c)
    listens.send(b'{"command": "events"}')
    asks.setblocking(False)
    for _ in range(2000):
        try:
            asks.send(b'{"command": "state"}')
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            break
    for _ in range(300):
        assert c.command("renew")["result"] in (0, 4)
    c.wait_state("BOUND")
    asks.close()
    listens.close()


# --- limits -----------------------------------------------------------------------------------------------


def _limit_files(n):
    return ["prlimit", "--nofile=%d" % n]


_BARE = {
    "files_16": _limit_files(16),
    "memory": ["prlimit", "--as=%d" % (4 << 20)],
    "pid_1": ["unshare", "-pf", "--kill-child", "--mount-proc"],
    "no_proc": ["unshare", "-m", "sh", "-c", "umount -l /proc && exec \"$@\"", "sh"],
    "no_null": ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /dev && exec \"$@\"", "sh"],
    "closed": ["sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh"],
    "no_locked": ["prlimit", "--memlock=0", "--core=0", "--msgqueue=0", "--sigpending=0"],
    "no_files": ["prlimit", "--fsize=0"],
}


@test(timeout=40, cases={n: n for n in _BARE})
def test_client_88_bare(t, name):
    """In a world with next to nothing in it: a lease, a renewal, an end."""
    if SANITIZED and name in ("memory", "no_proc"):
        return  # the runtime of a sanitizer lives in neither
    s = Stage(t, start=False)
    s.c = UsherClient(t, s.cli, "bare")
    s.c.start("-f", *_SERVE, wrap=_BARE[name])
    s.offer(s.server.wait(DISCOVER))
    s.ack(s.requested())
    s.bound()
    assert s.c.command("renew")["result"] == 0
    s.ack(s.server.wait(REQUEST))
    s.bound()
    pid = s.c.proc.pid
    while True:  # the processes that the wrapper started
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="utf-8") as f:
            children = f.read().split()
        with open("/proc/%d/comm" % pid, encoding="utf-8") as f:
            if f.read().startswith("usher-client"):
                break
        pid = int(children[0])
    os.kill(pid, signal.SIGTERM)
    s.c.proc.wait(slack(5))
    wait_for("the address to go", lambda: not s.c.addresses(), slack(5))
    s.server.close()


@test(timeout=40, cases={"files_2": _limit_files(2), "files_5": _limit_files(5), "files_8": _limit_files(8),
                         "memory": ["prlimit", "--as=%d" % (256 << 10)]})
def test_client_88_nothing(t, wrap):
    """With less than that: a lease, or an end with a reason; no spinning, no waiting for ever."""
    s = Stage(t, start=False)
    s.c.start("-f", "-n", "--timeout", "1", *_SERVE, wrap=wrap)
    code = s.c.proc.wait(slack(6))
    assert code != 0
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert used.ru_utime < slack(2), used
    s.server.close()


@test(timeout=90)
def test_client_89_thousand(t):
    """1,000 leases: the same descriptors, the same memory, in both halves."""
    s = Stage(t, start=False)
    _first(s)
    helper = s.c.helper_pid()

    def cycle(n):
        for i in range(n):
            command = ("restart", "release", "renew", "rebind")[i % 4]
            s.server.drain()
            assert s.c.command(command)["result"] == 0, command
            if command == "release":
                s.server.drain()
                assert s.c.command("renew")["result"] == 0
            if command in ("restart", "release"):
                s.offer(s.server.wait(DISCOVER))
            s.ack(s.server.wait(REQUEST))
            while s.c.state()["state"] != "BOUND":
                pass

    def held():
        # a packet socket is closed at the end of a step, an answer freed when it is sent
        fds = min(len(os.listdir("/proc/%d/fd" % s.c.proc.pid)) for _ in range(5) if not time.sleep(0.01))
        with open("/proc/%d/statm" % helper, encoding="utf-8") as f:
            return fds, len(os.listdir("/proc/%d/fd" % helper)), s.c.pages(), int(f.read().split()[0])
    cycle(100)
    before = held()
    cycle(900)
    after = held()
    assert after[:2] == before[:2], (before, after)
    assert SANITIZED or all(a <= b + 4 for a, b in zip(after[2:], before[2:])), (before, after)
    s.end()


@test(timeout=60)
def test_client_90_port_is_taken(t):
    """Somebody has port 68: leases are had and extended all the same, by frames."""
    s = Stage(t, start=False)
    with s.cli:
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        other.bind(("", 68))
    q = s.start(*_SERVE)
    s.offer(q)
    s.ack(s.requested(), {51: u32(10), 58: u32(1), 59: u32(4)})
    s.bound()
    s.c.wait_error("open-udp: ", 3)
    q = s.server.wait(REQUEST)
    assert q.broadcast and s.c.state()["state"] == "RENEWING"
    s.ack(q)
    s.bound()
    assert s.c.command("rebind")["result"] == 0
    s.ack(s.server.wait(REQUEST))
    s.bound()
    other.close()
    # two that say so share it
    with s.cli:
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("", 68))
    assert s.c.command("renew")["result"] == 0
    q = s.server.wait(REQUEST)
    assert not q.broadcast
    s.ack(q)
    s.bound()
    other.close()
    s.end()
