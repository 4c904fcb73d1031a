# SPDX-License-Identifier: MPL-2.0
"""A configuration that is refused leaves nothing behind, removes nothing and runs no code of a library; and users of the
control channel who are not the server's own may name files in its directories only."""

import json
import os
import signal
import socket
import subprocess
import time

from lib.hook_library import compile_library
from lib.netns import wait_for
from lib.runner import test
from lib.server import SANITIZED, slack, subnet

NOBODY = 65534
_LIBRARY = """
#include <usher/hook.h>
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void constructed(void)
{
	close(open(TRACE, O_WRONLY | O_CREAT, 0644));
}
int usher_hook_version(void) { return USHER_HOOK_ABI; }
int usher_hook_load(usher_lib *lib) { (void)lib; return 0; }
"""


def _traced(t, directory, name="traced.so"):
    """A hook library whose constructor makes a file. The library, the file."""
    trace = t.lab.path("constructed")
    return compile_library(os.path.join(directory, name), _LIBRARY, "-DTRACE=\"%s\"" % trace), trace


def _as_nobody(s, name, arguments):
    """A command by a user who is neither root nor the server's."""
    os.chmod(s.socket_path, 0o777)
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            with socket.socket(socket.AF_UNIX) as c:
                c.settimeout(slack(10))
                c.connect(s.socket_path)
                c.sendall(json.dumps({"command": name, "arguments": arguments}).encode())
                while part := c.recv(1 << 16):
                    os.write(into, part)
        finally:
            os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as f:
        answer = f.read()
    os.waitpid(pid, 0)
    return json.loads(answer)


def _listing(*dirs):
    """Everything in the directories: names, kinds, inodes, modes, sizes."""
    out = {}
    for d in dirs:
        for root, names, files in os.walk(d):
            for n in names + files:
                st = os.lstat(os.path.join(root, n))
                out[os.path.join(root, n)] = (st.st_ino, st.st_mode, st.st_uid, st.st_size)
    return out


def _dead_socket(path):
    with socket.socket(socket.AF_UNIX) as c:
        c.bind(path)
    return path


def _open_dirs(t, *names):
    """Directories that everybody may look into: the lab's own are root's."""
    top = t.lab.path("")
    while top not in ("/", "/tmp"):
        os.chmod(top, os.stat(top).st_mode | 0o055)
        top = os.path.dirname(top.rstrip("/"))
    made = [t.lab.path(n) for n in names]
    for d in made:
        os.makedirs(d, exist_ok=True)
        os.chmod(d, 0o755)
    return made


def _conf(s, **more):
    c = json.loads(json.dumps(s.conf))
    c.update(more)
    return c


def _log_to(path):
    return [{"name": "kea-dhcp4", "severity": "INFO", "output-options": [{"output": path}]}]


# One thing that is wrong, each found at another step of applying.
def _refusals(s, dirs, library):
    nets = [subnet("10.%d.%d.0/24" % (n // 250 + 1, n % 250), None, id=n + 1) for n in range(1100)]
    yield "syntax", {"valid-lifetime": "long"}
    yield "pool", {"subnet4": [subnet("10.77.0.0/24", "10.9.0.1 - 10.9.0.9")]}
    yield "network", {"shared-networks": [{"name": "n", "subnet4": nets}], "subnet4": []}
    yield "no library", {"hooks-libraries": [{"library": library}, {"library": dirs[2] + "/none.so"}]}
    yield "text as library", {"hooks-libraries": [{"library": library}, {"library": s.conf_path}]}
    yield "directory as library", {"hooks-libraries": [{"library": library}, {"library": dirs[2]}]}
    yield "FIFO as library", {"hooks-libraries": [{"library": library}, {"library": dirs[2] + "/fifo.so"}]}
    yield "foreign library", {"hooks-libraries": [{"library": library}, {"library": dirs[2] + "/foreign.so"}]}
    yield "cut library", {"hooks-libraries": [{"library": library}, {"library": dirs[2] + "/cut.so"}]}
    yield "program as library", {"hooks-libraries": [{"library": library}, {"library": "/bin/true"}]}
    yield "socket in use", {"control-sockets": [{"socket-type": "unix", "socket-name": dirs[1] + "/dead"},
                                                {"socket-type": "unix", "socket-name": dirs[1] + "/alive"}]}
    yield "file as socket", {"control-sockets": [{"socket-type": "unix", "socket-name": dirs[1] + "/dead"},
                                                 {"socket-type": "unix", "socket-name": s.conf_path}]}
    yield "too many logs", {"loggers": _log_to(dirs[0] + "/new.log") + [
        {"name": "kea-dhcp4.leases", "severity": "INFO",
         "output-options": [{"output": "%s/%d.log" % (dirs[0], n)} for n in range(20)]}]}


@test(timeout=120, tags=("asan",))
def test_H11_refusals_leave_nothing(t):
    """Files are compared before and after refusals of each kind; a library in front runs no constructor."""
    t.wire()
    dirs = _open_dirs(t, "logs", "run", "hooks")
    library, trace = _traced(t, dirs[2])
    compile_library(dirs[2] + "/foreign.so", "int foreign;")
    os.mkfifo(dirs[2] + "/fifo.so")
    with open(library, "rb") as whole, open(dirs[2] + "/cut.so", "wb") as cut:
        cut.write(whole.read()[:700])
    _dead_socket(dirs[1] + "/dead")
    alive = socket.socket(socket.AF_UNIX)
    alive.bind(dirs[1] + "/alive")
    alive.listen(8)
    s = t.server()
    where = [*dirs, s.dir]
    for kind, wrong in _refusals(s, dirs, library):
        # the steps before it would make files, and remove one
        conf = _conf(s, **{"loggers": _log_to(dirs[0] + "/new.log"),
                           "control-sockets": [{"socket-type": "unix", "socket-name": dirs[1] + "/dead"}]})
        del conf["control-socket"]
        conf.update(wrong)
        running = s.config_fingerprint()
        for command in ("config-test", "config-set", "config-reload"):
            if command == "config-reload":
                s.write_conf(conf)
            before = _listing(*where)
            r = s.command(command, None if command == "config-reload" else {"Dhcp4": conf})
            after = _listing(*where)
            before.pop(s.log_path), after.pop(s.log_path)
            assert r["result"] == 1, "%s, %s: %s" % (kind, command, r)
            assert before == after, "%s, %s: %s" % (kind, command, set(before.items()) ^ set(after.items()))
            assert not os.path.exists(trace), "%s, %s: a library's constructor has run" % (kind, command)
        s.write_conf()
        assert s.config_fingerprint() == running
        if kind not in ("socket in use", "file as socket"):
            checked = _conf(s, **wrong)
            with open(dirs[0] + "/checked", "w", encoding="utf-8") as f:
                json.dump({"Dhcp4": checked}, f)
            assert subprocess.run([t.binary, "-t", f.name], capture_output=True, check=False).returncode == 1, kind
            assert not os.path.exists(trace), "%s, -t: a library's constructor has run" % kind
            os.remove(f.name)
    # and the good one of them does all of that
    conf = _conf(s, **{"loggers": _log_to(dirs[0] + "/new.log"), "hooks-libraries": [{"library": library}],
                       "control-sockets": [{"socket-type": "unix", "socket-name": dirs[1] + "/dead"}]})
    del conf["control-socket"]
    s.ok("config-set", {"Dhcp4": conf})
    assert os.path.exists(trace) and os.path.exists(dirs[0] + "/new.log")
    s.socket_path = dirs[1] + "/dead"
    s.ok("version-get")
    alive.close()


def _legal_log(**parameters):
    return {"hooks-libraries": [{"library": "libdhcp_legal_log.so", "parameters": parameters}]}


@test(timeout=90, tags=("asan",))
def test_H6_files_that_a_stranger_may_name(t):
    """Each kind of file: below its directory or in force already; root and the file may name any."""
    t.wire()
    logs, run, hooks, data, scripts, other, legal, _ = _open_dirs(t, "logs", "run", "hooks", "data", "scripts", "other",
                                                                  "legal", "legal/below")
    library, trace = _traced(t, other)
    os.symlink(other, legal + "/link")
    os.symlink(other, hooks + "/link")
    inside = os.path.join(hooks, "inside.so")
    subprocess.run(["cp", library, inside], check=True)
    with open(other + "/script.lua", "w", encoding="utf-8") as f:
        f.write("return 1\n")
    for users in (data + "/u", other + "/users"):
        with open(users, "w", encoding="utf-8"):
            pass
    for directory in (scripts, other):
        with open(directory + "/script.sh", "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\n")
        os.chmod(f.name, 0o755)
    s = t.server(start=False)
    s.env.update(KEA_LOG_FILE_DIR=logs, KEA_CONTROL_SOCKET_DIR=run, KEA_HOOKS_PATH=hooks, KEA_DHCP_DATA_DIR=data,
                 KEA_HOOK_SCRIPTS_PATH=scripts, KEA_LEGAL_LOG_DIR=legal)
    s.start()
    socket_at = {"socket-type": "unix", "socket-name": s.socket_path}
    bad = [
        ({"hooks-libraries": [{"library": library}]}, library, hooks),
        ({"hooks-libraries": [{"library": hooks + "/../other/traced.so"}]}, "/../other/traced.so", hooks),
        ({"hooks-libraries": [{"library": hooks + "/link/traced.so"}]}, hooks + "/link/traced.so", hooks),
        ({"hooks-libraries": [{"library": "./traced.so"}]}, "./traced.so", hooks),
        ({"hooks-libraries": [{"library": "lua", "parameters": {"script": other + "/script.lua"}}]},
         other + "/script.lua", hooks),
        ({"hooks-libraries": [{"library": "libdhcp_run_script.so", "parameters": {"name": other + "/script.sh"}}]},
         other + "/script.sh", scripts),
        ({"hooks-libraries": [{"library": "libdhcp_user_chk.so", "parameters": {"registry": other + "/users", "outcome": "o"}}]},
         other + "/users", data),
        ({"hooks-libraries": [{"library": "libdhcp_user_chk.so", "parameters": {"registry": "u", "outcome": other + "/o"}}]},
         other + "/o", logs),
        (_legal_log(path=other), other, legal),
        (_legal_log(path=legal + "/link"), legal + "/link", legal),
        (_legal_log(path=legal, prerotate=other + "/script.sh"), other + "/script.sh", scripts),
        (_legal_log(path=legal, postrotate="../other/script.sh"), "../other/script.sh", scripts),
        ({"hooks-libraries": [{"library": "libdhcp_run_script.so", "parameters": {"name": ".."}}]}, "..", scripts),
        ({"loggers": _log_to(other + "/x.log")}, other + "/x.log", logs),
        ({"loggers": _log_to(logs + "x.log")}, logs + "x.log", logs),
        ({"loggers": _log_to(logs + "/../x.log")}, logs + "/../x.log", logs),
        ({"control-socket": {"socket-type": "unix", "socket-name": other + "/ctl"}}, other + "/ctl", run),
        ({"control-socket": None, "control-sockets": [socket_at, {"socket-type": "unix", "socket-name": logs + "/c"}]},
         logs + "/c", run),
        ({"lease-database": {"type": "memfile", "name": other + "/leases.csv"}}, other + "/leases.csv", data),
        ({"lease-database": {"type": "memfile", "persist": False, "name": "/etc/passwd"}}, "/etc/passwd", data),
    ]
    where = [logs, run, hooks, data, other]
    before = _listing(*where)
    for change, path, directory in bad:
        conf = {k: v for k, v in _conf(s, **change).items() if v is not None}
        for command in ("config-test", "config-set"):
            r = _as_nobody(s, command, {"Dhcp4": conf})
            assert r["result"] == 1 and path in r["text"] and directory in r["text"], "%s: %s" % (change, r)
            assert r["arguments"]["errors"][0]["line"] == 1 and r["arguments"]["errors"][0]["column"] > 1, r
    assert _listing(*where) == before and not os.path.exists(trace)
    # all in one answer
    conf = _conf(s, **{"hooks-libraries": [{"library": library}], "loggers": _log_to("/etc/x"),
                       "lease-database": {"type": "memfile", "name": "/etc/y"}})
    assert len(_as_nobody(s, "config-test", {"Dhcp4": conf})["arguments"]["errors"]) == 3
    # a test is no reason to run a library that may be loaded
    good = _conf(s, **{"hooks-libraries": [
        {"library": inside}, {"library": "libdhcp_run_script.so", "parameters": {"name": "script.sh"}},
        *_legal_log(path=legal, prerotate="script.sh", postrotate="")["hooks-libraries"],
        *_legal_log(path="below")["hooks-libraries"], *_legal_log(**{"base-name": "x"})["hooks-libraries"]], "loggers": _log_to("in.log")})
    assert _as_nobody(s, "config-test", {"Dhcp4": good})["result"] == 0
    assert not os.path.exists(trace), "a stranger's config-test ran a constructor"
    # names in force are no news; those of root's config-set are in force
    s.ok("config-set", {"Dhcp4": _conf(s, loggers=_log_to(other + "/root.log"))})
    r = _as_nobody(s, "config-set", {"Dhcp4": _conf(s, loggers=_log_to(other + "/root.log"))})
    assert r["result"] == 0, r
    r = _as_nobody(s, "config-set", {"Dhcp4": good})
    assert r["result"] == 0, r
    assert os.path.exists(trace) and os.path.exists(logs + "/in.log")
    # the configuration file is not the requester's
    s.write_conf(_conf(s, loggers=_log_to(other + "/file.log")))
    assert _as_nobody(s, "config-reload", {})["result"] == 0
    assert os.path.exists(other + "/file.log")


@test()
def test_H6_switch_X(t):
    """-X: paths that others may not name are a warning."""
    t.wire()
    logs, other = _open_dirs(t, "logs", "other")
    s = t.server(start=False)
    s.env.update(KEA_LOG_FILE_DIR=logs)
    s.start(args=["-X"])
    conf = _conf(s)
    conf["loggers"][0]["output-options"] = [{"output": "stdout"}, {"output": other + "/x.log"}]
    conf["loggers"][0].pop("output_options", None)
    assert _as_nobody(s, "config-set", {"Dhcp4": conf})["result"] == 0
    assert os.path.exists(other + "/x.log")
    assert s.logged("may name only files below %s" % logs)


def _refused_starts(s, dirs, library):
    """Configurations that refuse a start, each at another step; the last one after the lease file is open."""
    for kind, wrong in _refusals(s, dirs, library):
        yield kind, wrong, None
    bad_rows = {"lease-database": {"type": "memfile", "name": dirs[0] + "/foreign.csv"}}
    yield "foreign lease file", bad_rows, "not,a,lease\n"
    yield "library that fails", {"hooks-libraries": [{"library": dirs[2] + "/fails.so"}]}, None


@test(timeout=120)
def test_H11_a_refused_start_leaves_nothing(t):
    """No log, socket, pid or lock file of a start that is refused, and none is removed; the reason is on standard output."""
    t.wire()
    dirs = _open_dirs(t, "logs", "run", "hooks")
    library, trace = _traced(t, dirs[2])
    compile_library(dirs[2] + "/foreign.so", "int foreign;")
    compile_library(dirs[2] + "/fails.so", _FAILS, "-DOFF=0", "-DLOAD=-1")
    os.mkfifo(dirs[2] + "/fifo.so")
    with open(library, "rb") as whole, open(dirs[2] + "/cut.so", "wb") as cut:
        cut.write(whole.read()[:700])
    _dead_socket(dirs[1] + "/dead")
    alive = socket.socket(socket.AF_UNIX)
    alive.bind(dirs[1] + "/alive")
    alive.listen(8)
    s = t.server(start=False)
    s.env.update(KEA_PIDFILE_DIR=dirs[1])
    for kind, wrong, leases in _refused_starts(s, dirs, library):
        conf = _conf(s, **{"loggers": _log_to(dirs[0] + "/new.log"),
                           "control-sockets": [{"socket-type": "unix", "socket-name": dirs[1] + "/new"}]})
        del conf["control-socket"]
        conf["lease-database"] = {"type": "memfile", "persist": True, "name": dirs[0] + "/leases.csv", "lfc-interval": 0}
        conf.update(wrong)
        s.write_conf(conf)
        with open(conf["lease-database"]["name"], "w", encoding="utf-8") as f:
            f.write(leases or "")
        before = _listing(*dirs)
        r = subprocess.run(["ip", "netns", "exec", s.ns.name, t.binary, "-c", s.conf_path], capture_output=True, text=True,
                           check=False, timeout=slack(20), env=dict(os.environ, **s.env))
        after = _listing(*dirs)
        assert r.returncode == 1 and ("_FAIL" in r.stdout), "%s: %s" % (kind, r)
        before.pop(dirs[0] + "/leases.csv", None), after.pop(dirs[0] + "/leases.csv", None)
        assert before == after, "%s: %s" % (kind, set(before.items()) ^ set(after.items()))
    # a start that is not refused has all of its lines in the log file
    s.conf["loggers"] = _log_to(dirs[0] + "/new.log")
    s.start()
    s.term()
    with open(dirs[0] + "/new.log", encoding="utf-8") as f:
        log = f.read()
    assert all(log.count(w) == 1 for w in ("DHCP4_STARTING", "DHCPSRV_MEMFILE_DB", "DHCP4_STARTED", "DHCP4_SHUTDOWN ")), log
    alive.close()


_FAILS = """
#include <usher/hook.h>
int usher_hook_version(void) { return USHER_HOOK_ABI + OFF; }
int usher_hook_load(usher_lib *lib) { (void)lib; return LOAD; }
"""


def _every_way(t, s, conf):
    """The problems that each way of reading a configuration reports: a list of texts each."""
    s.write_conf(conf)
    out = {}
    for flag in ("-t", "-T"):
        r = subprocess.run([t.binary, flag, s.conf_path], capture_output=True, text=True, check=False)
        assert r.returncode == 1, r
        out[flag] = [x for x in r.stderr.splitlines() if "warning" not in x and not x.endswith("problems")]
    r = subprocess.run([t.binary, "-c", s.conf_path], capture_output=True, text=True, check=False, timeout=slack(20),
                       env=dict(os.environ, **s.env))
    assert r.returncode == 1, r
    out["-c"] = [x for x in r.stdout.splitlines() if "DHCP4_CONFIG_LOAD_FAIL" in x]
    for command in ("config-reload", "config-test", "config-set"):
        r = s.command(command, None if command == "config-reload" else {"Dhcp4": conf})
        assert r["result"] == 1, r
        for e in r["arguments"]["errors"]:
            assert e.get("line") and e.get("column") and e["text"], e
        out[command] = [e["text"] for e in r["arguments"]["errors"]]
    return out


@test(timeout=120)
def test_A7_every_library_and_every_limit_in_one_run(t):
    """Libraries, limits of the server, control sockets and mistakes in keys are named together, by each way of checking."""
    t.wire()
    work = t.lab.path("bad")
    os.makedirs(work)
    old, new = (compile_library(os.path.join(work, n), _FAILS, "-DOFF=%d" % off, "-DLOAD=0") for n, off in (("old.so", -1), ("new.so", 1)))
    fails, fails2 = (compile_library(os.path.join(work, n), _FAILS, "-DOFF=0", "-DLOAD=-1") for n in ("fails.so", "fails2.so"))
    for name, text in (("one.lua", "x = = 1\n"), ("two.lua", "haka.rule{ on = 7, eval = print }\n")):
        with open(os.path.join(work, name), "w", encoding="utf-8") as f:
            f.write(text)
    s = t.server(start=False)
    s.env["KEA_LOCKFILE_DIR"] = "none"
    s.start()
    # the checks of a start must not meet the lease file and the socket of the server that runs
    other = {"lease-database": {"type": "memfile", "persist": False},
             "control-socket": {"socket-type": "unix", "socket-name": os.path.join(work, "ctl")}}
    nets = [[subnet("10.%d.%d.0/24" % (b + n // 250, n % 250), None, id=1000 * b + n + 1) for n in range(1100)]
            for b in (1, 11)]
    files = [{"library": work + "/none.so"}, {"library": work}, {"library": s.conf_path}]
    logs = [{"name": "kea-dhcp4.l%d" % n, "severity": "INFO", "output_options": [{"output": "%s/%d.log" % (work, n)}]}
            for n in range(70)]
    socket_file = {"control-socket": {"socket-type": "unix", "socket-name": s.conf_path}}
    groups = [
        # files that are no libraries, two networks, loggers, outputs, a socket, and two mistakes of the text
        (8 + 2, {"hooks-libraries": files, "loggers": logs, "valid-lifetme": 5, "option-data": [{"name": "nonsense", "data": "1"}],
                 "shared-networks": [{"name": "a%d" % i, "subnet4": n} for i, n in enumerate(nets)], "subnet4": [],
                 **socket_file}),
        (2, {"hooks-libraries": [{"library": old}, {"library": new}]}),
        (4, {"hooks-libraries": [{"library": fails}, {"library": fails2}] + [
            {"library": "lua", "parameters": {"script": "%s/%s.lua" % (work, n)}} for n in ("one", "two")]}),
    ]
    for n, change in groups:
        conf = _conf(s, **{**other, **change})
        for way, found in _every_way(t, s, conf).items():
            expected = n
            if "option-data" in change and way in ("-t", "-T"):
                expected -= 1  # the sockets of a running server are no fault of its file
            assert len(found) == expected, "%s: %d of %d\n%s" % (way, len(found), expected, "\n".join(found))
