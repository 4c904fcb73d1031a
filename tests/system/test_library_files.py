# SPDX-License-Identifier: MPL-2.0
"""Files and programs of the built-in hook libraries: checks of a configuration and replays of a capture may run beside the
server that has them, and leave them alone; a start refuses a file that is another program's."""

import json
import os
import struct
import subprocess

from lib import dhcp
from lib.client import Client, mac_of
from lib.runner import test

SESSIONS = "address,seconds,milliseconds\n10.77.0.99,12,345\n"


def _capture(path):
    """A lease by a relay agent, as a file of a capture: DISCOVER, REQUEST."""
    client = Client(None, mac_of(1))
    request = client.message(dhcp.REQUEST, [(dhcp.REQUESTED, dhcp.ip4("10.77.0.10")), (dhcp.SERVER_ID, dhcp.ip4("10.77.0.1"))],
                             giaddr="10.77.0.2", hops=1)
    frames = [dhcp.frame(m.encode(), mac_of(9), mac_of(8), "10.77.0.2", "10.77.0.1", 67, 67)
              for m in (client.message(dhcp.DISCOVER, giaddr="10.77.0.2", hops=1), request)]
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for n, frame in enumerate(frames):
            f.write(struct.pack("<IIII", 1700000000 + n, 0, len(frame), len(frame)) + frame)


def _setup(t, sessions=SESSIONS):
    """A configuration with all libraries that write files or run programs; (its file, environment, directory of the files)."""
    where = t.lab.path("files")
    os.mkdir(where)
    texts = {"sessions.csv": sessions, "users.txt": '{"type": "HW_ADDR", "id": "%s"}\n' % mac_of(1).hex(":"), "outcome.txt": "mine\n"}
    for name, text in texts.items():
        with open(os.path.join(where, name), "w", encoding="utf-8") as f:
            f.write(text)
    script = t.lab.script("files/event.sh", "echo run > %s/ran\n" % where)
    radius = {"identifier-type4": "hw-address", "timeout": 1, "retries": 0, "session-history": "sessions.csv",
              "access": {"servers": [{"name": "127.0.0.1", "secret": "x"}]}, "accounting": {"servers": [{"name": "127.0.0.1", "secret": "x"}]}}
    libraries = [("host_cache", None), ("radius", radius), ("legal_log", {"path": where}), ("run_script", {"name": script}),
                 ("user_chk", {"registry": "users.txt", "outcome": "outcome.txt"})]
    conf = {"Dhcp4": {"interfaces-config": {"interfaces": ["*"]}, "lease-database": {"type": "memfile", "persist": False},
                      "subnet4": [{"id": 1, "subnet": "10.77.0.0/24", "pools": [{"pool": "10.77.0.10 - 10.77.0.19"}]}],
                      "hooks-libraries": [{"library": "libdhcp_%s.so" % n, **({"parameters": p} if p else {})} for n, p in libraries]}}
    path = t.lab.path("check.conf")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(conf, f)
    env = {d: where for d in ("KEA_DHCP_DATA_DIR", "KEA_HOOK_SCRIPTS_PATH", "KEA_LEGAL_LOG_DIR", "KEA_LOG_FILE_DIR")}
    return path, {**os.environ, **env}, where


def _files(where):
    out = {}
    for name in os.listdir(where):
        with open(os.path.join(where, name), "rb") as f:
            out[name] = (f.read(), os.fstat(f.fileno()).st_ino)
    return out


def _run(t, env, *args):
    p = subprocess.run([t.binary, *args], env=env, capture_output=True, text=True, check=False, timeout=60)
    assert "Sanitizer" not in p.stderr and "runtime error" not in p.stderr, p.stderr
    return p.returncode, p.stdout + p.stderr


@test(tags=("asan",))
def test_checks_and_replays_leave_files(t):
    """-t, -T and the replay of a lease change no file of a library, make none, and run no script."""
    conf, env, where = _setup(t)
    before = _files(where)
    for option in ("-t", "-T"):
        code, text = _run(t, env, option, conf)
        assert code == 0 and "good configuration" in text, text
        assert _files(where) == before, (option, sorted(os.listdir(where)))
    capture, answers = t.lab.path("in.pcap"), t.lab.path("out.pcap")
    _capture(capture)
    code, text = _run(t, env, "-c", conf, "-r", capture, "-w", answers)
    assert code == 0 and os.path.getsize(answers) > 2 * 240, text
    assert _files(where) == before, sorted(os.listdir(where))


@test(tags=("asan",))
def test_radius_refuses_a_foreign_file(t):
    """A start whose session-history names another program's file, here leases, is refused with its place; the file stays."""
    leases = "address,hwaddr,client_id,valid_lifetime,expire\n10.77.0.10,02:00:00:00:00:01,,3600,1\n"
    conf, env, where = _setup(t, leases)
    with open(conf, encoding="utf-8") as f:
        made = json.load(f)
    made["Dhcp4"]["interfaces-config"]["interfaces"] = []
    with open(conf, "w", encoding="utf-8") as f:
        json.dump(made, f)
    code, text = _run(t, env, "-c", conf)
    assert code != 0 and "sessions.csv:1:" in text and "no file of sessions" in text, text
    with open(os.path.join(where, "sessions.csv"), encoding="utf-8") as f:
        assert f.read() == leases
