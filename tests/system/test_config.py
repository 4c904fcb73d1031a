# SPDX-License-Identifier: MPL-2.0
"""Configurations as other programs write them, and every way to have one checked: the verdicts of -t, -T, a start,
config-test and config-set agree, and all of them name file, line and column."""

import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time

from lib import dhcp
from lib.client import Client, mac_of
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack, subnet

DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "config")
KEA = shutil.which("kea-dhcp4", path="/usr/sbin:/sbin:/usr/bin") or "/usr/sbin/kea-dhcp4"


def _ctl(t):
    return os.path.join(os.path.dirname(t.binary), "usherctl")


def _appliance(t, name):
    """The Dhcp4 map of an appliance, with this test's interface and files."""
    with open(os.path.join(DATA, "appliances", name + ".json"), encoding="utf-8") as f:
        conf = json.load(f)["Dhcp4"]
    s = t.server(start=False)
    conf["interfaces-config"]["interfaces"] = ["srv0"]
    conf["lease-database"]["name"] = s.lease_path
    for c in [conf.get("control-socket")] + conf.get("control-sockets", []):
        if c and c["socket-type"] == "unix":
            c["socket-name"] = s.socket_path
    conf["loggers"] = s.conf["loggers"]
    s.conf = conf
    return s


@test(timeout=60, cases={"vyos": ("vyos", "192.168.1.1/24", "192.168.1.10", b"printer.lan.example", (15, b"lan.example")),
                         "opnsense": ("opnsense", "192.168.1.1/24", "192.168.1.20", b"nas", (42, bytes([192, 168, 1, 1]))),
                         "pfsense": ("pfsense", "192.168.1.1/24", "192.168.1.50", b"desk.home.arpa",
                                     (95, b"ldap://ldap.home.arpa/dc=home,dc=arpa")),
                         "sonic": ("sonic", "192.168.0.254/21", None, None, (147, bytes([192, 168, 0, 5])))})
def test_B1_appliances_load_and_serve(t, case):
    name, addr, reserved, hostname, option = case
    port = t.wire(addr)
    s = _appliance(t, name)
    s.start()
    c = Client(port, bytes.fromhex("525400000001"), options=[(55, bytes([1, 3, 6, 15, option[0]]))])
    ack = c.dora()
    assert reserved in (None, ack.yiaddr), "%s instead of %s" % (ack.yiaddr, reserved)
    assert ack.get(option[0]) == option[1], ack.options
    assert hostname is None or ack.get(dhcp.HOSTNAME) == hostname, ack.options
    other = Client(port, mac_of(1))
    assert other.dora().yiaddr != ack.yiaddr
    # the commands of the libraries that the configuration names
    assert s.ok("lease4-get", {"ip-address": ack.yiaddr})["hw-address"] == "52:54:00:00:00:01"
    assert s.ok("stat-lease4-get")["result-set"]["rows"]
    names = s.ok("list-commands")
    assert "lease4-wipe" in names and "stat-lease4-get" in names
    libraries = [h["library"] for h in s.ok("config-get")["Dhcp4"]["hooks-libraries"]]
    assert len(libraries) == 2 and libraries[0].endswith("libdhcp_lease_cmds.so"), libraries


def _verdicts(t, s, conf):
    """Returns the verdict of each way: {way: is it good}. s runs with another configuration."""
    path = os.path.join(s.dir, "checked.conf")
    other = os.path.join(s.dir, "other")
    os.makedirs(other, exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"Dhcp4": conf}, f, indent=1)
    good = {}
    for flag in ("-t", "-T"):
        good[flag] = subprocess.run([t.binary, flag, path], capture_output=True, check=False).returncode == 0
    good["config-test"] = s.command("config-test", {"Dhcp4": conf})["result"] == 0
    good["config-set"] = s.command("config-set", {"Dhcp4": conf})["result"] == 0
    mine = json.loads(json.dumps(conf))
    mine["lease-database"]["name"] = os.path.join(other, "leases.csv")
    twin = t.server(start=False, name="twin%d" % len(t.servers))
    if "control-socket" in mine and mine["control-socket"]["socket-name"] == s.socket_path:
        mine["control-socket"]["socket-name"] = twin.socket_path
    twin.conf = mine
    twin.write_conf()
    p = subprocess.Popen([t.binary, "-c", twin.conf_path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         env=dict(os.environ, **twin.env))
    started = False
    for line in p.stdout:
        if "DHCP4_STARTED" in line:
            started = True
            p.terminate()
    p.wait(slack(10))
    good["-c"] = started
    return good


@test(timeout=90)
def test_A5_every_check_has_the_same_verdict(t):
    t.wire()
    s = t.server()
    missing = os.path.join(s.dir, "no", "such")
    cases = [
        (True, {}),
        (True, {"hooks-libraries": [{"library": "libdhcp_lease_cmds.so"}, {"library": "/x/libdhcp_stat_cmds.so"}]}),
        (False, {"hooks-libraries": [{"library": "/usr/lib/x86_64-linux-gnu/kea/hooks/libdhcp_ha.so"}]}),
        (False, {"hooks-libraries": [{"library": os.path.join(missing, "own.so")}]}),
        (True, {"loggers": [{"name": "kea-dhcp4", "output_options": [{"output": os.path.join(missing, "log")},
                                                                     {"output": "stdout"}]}]}),
        (True, {"interfaces-config": {"interfaces": ["srv0", "nosuch0"]}}),
        (True, {"subnet4": [subnet(interface="nosuch1")]}),
        (False, {"valid-lifetme": 5}),
        (False, {"option-data": [{"name": "nonsense", "data": "1"}]}),
        (True, {"control-socket": {"socket-type": "unix", "socket-name": os.path.join(missing, "ctl")}}),
    ]
    for expected, change in cases:
        good = _verdicts(t, s, dict(s.conf, **change))
        assert set(good.values()) == {expected}, "%s: %s" % (change, good)
        assert s.command("config-set", {"Dhcp4": s.conf})["result"] == 0


@test(timeout=30)
def test_A6_a_log_that_cannot_be_written_is_named_with_its_place(t):
    t.wire()
    s = t.server(loggers=[{"name": "kea-dhcp4", "output_options": [{"output": "/no/such/dir/kea.log"}]}])
    with open(s.conf_path, encoding="utf-8") as f:
        lines = f.read().splitlines()
    n = next(i for i, line in enumerate(lines) if "kea.log" in line) + 1
    where = "%s:%d:%d: " % (s.conf_path, n, lines[n - 1].index(": ") + 3)
    line = next(x for x in s.log().splitlines() if "/no/such/dir/kea.log" in x)
    assert where in line, line
    out = subprocess.run([t.binary, "-t", s.conf_path], capture_output=True, text=True, check=False)
    assert out.returncode == 0 and where in out.stderr, out


@test(timeout=30)
def test_A7_a_refused_start_and_reload_log_every_problem(t):
    t.wire()
    s = t.server(start=False)
    path = os.path.join(DATA, "problems.json")
    out = subprocess.run([t.binary, "-c", path], capture_output=True, text=True, check=False, env=dict(os.environ, **s.env))
    assert out.returncode != 0 and out.stdout.count("DHCP4_CONFIG_LOAD_FAIL") == 39, out.stdout
    s.start()
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(s.conf_path, "w", encoding="utf-8") as f:
        f.write(text)
    s.hup()
    wait_for("the refusals", lambda: s.log().count("DHCP4_DYNAMIC_RECONFIGURATION_FAIL") == 39)
    r = s.command("config-reload")
    assert r["result"] == 1 and len(r["arguments"]["errors"]) == 39, r
    assert {"line", "column", "text", "file"} <= set(r["arguments"]["errors"][0])


_NO_JSON = [
    "{ \"Dhcp4\": {\n\t\"valid-lifetime\": 5,\n\t\"valid-lifetime\": 6,\n\t\"renew-timer\": yes\n\t\"rebind-timer\": 7,,\n"
    "\t\"nonsense\": 1,\n\t\"next-server\": \"\\q\", \"subnet4\": [ {} {} ] } }",
    "{ \"Dhcp4\": {\n\t\"valid-lifetime\" 5,\n\t\"authoritative\": TRUE,\n\t\"renew-timer\": 1.,\n\t\"subnet4\": [ ] ] } }",
    "{ \"Dhcp4\": {\n\t\"valid-lifetime\": five,\n\t\"boot-file-name\": \"open,\n\t\"renew-timer\": 1\n} }",
    "{ \"Dhcp4\": {\n\t\"valid-lifetime\": five, valid: 6\n} }",
    "{ \"Dhcp4\": { \"valid-lifetime\": 5 /* open\n} }",
    "{ \"Dhcp4\": { \"valid-lifetime\": 0x5, \"subnet4\": [ { \"id\": }, { \"id\": 2",
]


@test(timeout=60)
def test_A7_a_text_that_is_no_json_has_all_its_problems_by_all_ways(t):
    t.wire()
    s = t.server()
    before = s.ok("config-hash-get")["hash"]
    with open(os.path.join(DATA, "problems.json"), encoding="utf-8") as f:
        texts = [f.read()] + _NO_JSON
    path = os.path.join(s.dir, "checked.conf")
    for text in texts:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        out = subprocess.run([t.binary, "-t", path], capture_output=True, text=True, check=False)
        # Those that stand in the text; a brace that is missing at its end is the request's to have or not.
        file_end = (text.count("\n") + 1, len(text) - text.rfind("\n"))
        want = {(int(m[1]), int(m[2]), m[3])
                for m in re.finditer(r"(?m)^%s:(\d+):(\d+): (found [^ ]+|.{12})" % re.escape(path), out.stderr)}
        want = {w for w in want if w[:2] < file_end and "warning" not in w[2]}
        assert out.returncode == 1 and want, (text, out)
        for name in ("config-test", "config-set"):
            r = json.loads(s.raw(b'{ "command": "%s", "arguments":\n%s }' % (name.encode(), text.encode()),
                                 close_write=True))
            assert r["result"] == 1, r
            if "arguments" not in r:  # one problem alone has Kea's form
                [(line, column, words)] = want
                assert "line %d, column %d: %s" % (line + 1, column, words) in r["text"], (text, want, r)
                continue
            errors = {(e["line"] - 1, e["column"], re.match("found [^ ]+|.{12}", e["text"])[0])
                      for e in r["arguments"]["errors"]}
            assert want <= errors, (text, want - errors, errors)
            assert len(errors - want) <= 1, (text, errors - want)
            assert all(e["text"] in r["text"] for e in r["arguments"]["errors"]), r
    assert s.ok("config-hash-get")["hash"] == before


@test(timeout=30)
def test_A3_names_without_a_directory(t):
    port = t.wire()
    s = t.server(start=False)
    s.conf["lease-database"]["name"] = "own.csv"
    s.conf["control-socket"]["socket-name"] = "own.sock"
    s.conf["loggers"] = [{"name": "kea-dhcp4", "output_options": [{"output": "own.log"}, {"output": "stdout"}]}]
    dirs = {}
    for what in ("KEA_DHCP_DATA_DIR", "KEA_CONTROL_SOCKET_DIR", "KEA_LOG_FILE_DIR"):
        dirs[what] = os.path.join(s.dir, what)
        os.mkdir(dirs[what], 0o750)
    s.env.update(dirs)
    s.socket_path = os.path.join(dirs["KEA_CONTROL_SOCKET_DIR"], "own.sock")
    s.lease_path = os.path.join(dirs["KEA_DHCP_DATA_DIR"], "own.csv")
    with open(s.lease_path, "w", encoding="utf-8") as f:
        f.write("address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"
                "10.77.0.99,02:00:00:00:00:99,,3600,4000000000,1,0,0,,0,\n")
    s.start()
    assert s.ok("lease4-get", {"ip-address": "10.77.0.99"})["hw-address"] == "02:00:00:00:00:99"
    Client(port, mac_of(1)).dora()
    assert os.path.getsize(os.path.join(dirs["KEA_LOG_FILE_DIR"], "own.log")) > 0


@test(timeout=30)
def test_A4_rows_that_cannot_be_read_do_not_keep_the_server_from_starting(t):
    t.wire()
    s = t.server(start=False)
    with open(s.lease_path, "w", encoding="utf-8") as f:
        f.write("address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n")
        f.write("nonsense,02:00:00:00:00:01,,3600,4000000000,1,0,0,,0,\n" * 150)
        f.write("10.77.0.99,02:00:00:00:00:99,,3600,4000000000,1,0,0,,0,\n")
    s.start()
    assert s.ok("lease4-get", {"ip-address": "10.77.0.99"})["hw-address"] == "02:00:00:00:00:99"


@test(timeout=30)
def test_A8_an_interface_that_does_not_exist_is_reported(t):
    t.wire()
    s = t.server(interfaces=("srv0", "nosuch0"), subnets=[subnet(interface="nosuch1")])
    missing = s.ok("status-get")["missing"]
    assert len(missing) == 2 and "nosuch0" in missing[0] and "nosuch1" in missing[1], missing
    assert s.conf_path in missing[0], missing
    wait_for("both log lines", lambda: s.log().count("does not exist") == 2)
    other = t.lab.ns("other")
    t.lab.veth(s.ns, "nosuch0", other, "x0")
    s.ns.addr("nosuch0", "10.78.0.1/24")
    wait_for("the interface to be seen", lambda: len(s.ok("status-get")["missing"]) == 1)


@test(timeout=30)
def test_a_control_socket_without_directory_comes_when_the_directory_does(t):
    port = t.wire()
    s = t.server(start=False)
    where = os.path.join(s.dir, "later")
    s.socket_path = os.path.join(where, "ctl")
    s.conf["control-socket"]["socket-name"] = s.socket_path
    s.start(wait=False)
    Client(port, mac_of(1)).dora(tries=5)
    wait_for("the warning", lambda: "cannot be opened" in s.log())
    os.mkdir(where, 0o750)
    s.wait_ready()
    # a configuration whose socket cannot be opened does not lock the operator out
    r = s.command("config-set", {"Dhcp4": dict(s.conf, **{"control-socket": {
        "socket-type": "unix", "socket-name": os.path.join(s.dir, "no", "ctl")}})})
    assert r["result"] == 0, r
    assert "1 control sockets" in s.ok("status-get")["missing"][0]


@test(timeout=30)
def test_I1_own_settings_stand_where_kea_accepts_them(t):
    t.wire()
    s = t.server(**{"user-context": {"usher": {"offer-hold-time": 20, "durability": "interval", "interval-ms": 50,
                                               "udp-offload": False}}})
    assert "user-context" not in [w for w in s.log().splitlines() if "CONFIG_WARNING" in w]
    p = s.lab.popen(s.ns, [KEA, "-t", s.conf_path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                    env=dict(os.environ, **s.env))
    out, _ = p.communicate(timeout=slack(20))
    assert p.returncode == 0, out
    conf = json.loads(json.dumps(s.conf))
    own = conf.pop("user-context")
    conf["lease-database"]["user-context"] = own
    assert s.command("config-set", {"Dhcp4": conf})["result"] == 0
    wait_for("a warning that names the place that Kea accepts", lambda: "belongs into user-context.usher of Dhcp4" in s.log())
    bad = s.command("config-test", {"Dhcp4": dict(s.conf, **{"user-context": {"usher": {"durabilty": "none"}}})})
    assert bad["result"] == 1 and "did you mean 'durability'" in bad["text"], bad


@test(timeout=30)
def test_I8_usherctl_names_the_file_and_its_lines(t):
    t.wire()
    s = t.server()
    path = os.path.join(s.dir, "new.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write("// a comment, and spellings of Kea's\n{ \"Dhcp4\": {\n\t\"t1-percent\": .5,\n\t\"valid-lifetime\": 010,\n"
                "\t\"renew-timer\": \"x\",\n\t\"nonsense\": 1,\n\t\"loggers\": [],\n} }\n")
    out = subprocess.run([_ctl(t), "-s", s.socket_path, "config-test", "@" + path], capture_output=True, text=True, check=False)
    assert out.returncode == 1, out
    lines = (out.stdout + out.stderr).splitlines()
    assert any(x.startswith("%s:5:17: 'renew-timer'" % path) for x in lines), lines
    assert any(x.startswith("%s:6:2: unknown keyword 'nonsense'" % path) for x in lines), lines
    with open(path, "w", encoding="utf-8") as f:
        f.write("{ \"Dhcp4\": {\n\t\"valid-lifetime\": 5000\n\t\"renew-timer\": 50 true\n} }\n")
    out = subprocess.run([_ctl(t), "-s", s.socket_path, "config-test", "@" + path], capture_output=True, text=True, check=False)
    lines = (out.stdout + out.stderr).splitlines()
    assert any(x.startswith(path + ":3:2: found") for x in lines), lines
    assert any(x.startswith(path + ":3:20: found") for x in lines), lines
    # problems in a file that is included have its name and lines
    part = os.path.join(s.dir, "part.json")
    with open(part, "w", encoding="utf-8") as f:
        f.write("[ // subnets\n  { \"id\": 1,\n    \"subnet\": \"10.77.0.0/24\",\n    \"nonsense\": 1, \"renew-timer\": \"x\" } ]\n")
    with open(path, "w", encoding="utf-8") as f:
        f.write("{ \"Dhcp4\": {\n\t\"subnet4\": <?include \"part.json\"?>,\n\t\"rebind-timer\": \"y\" } }\n")
    out = subprocess.run([_ctl(t), "-s", s.socket_path, "config-test", "@" + path], capture_output=True, text=True, check=False)
    lines = (out.stdout + out.stderr).splitlines()
    for want in (part + ":4:5: unknown keyword 'nonsense'", part + ":4:35: 'renew-timer'", path + ":3:18: 'rebind-timer'"):
        assert any(x.startswith(want) for x in lines), (want, lines)
    good = s.conf_path
    out = subprocess.run([_ctl(t), "-s", s.socket_path, "config-test", "@" + good], capture_output=True, text=True, check=False)
    assert out.returncode == 0, out


@test(timeout=30)
def test_B1_a_trial_without_keas_libraries(t):
    port = t.wire()
    s = t.server(start=False, **{"hooks-libraries": [{"library": "/usr/lib/kea/hooks/libdhcp_ha.so", "parameters": {}},
                                                     {"library": "libdhcp_lease_cmds.so"},
                                                     # of another origin: absent, and a library that is not for Usher
                                                     {"library": "/opt/kea/hooks/webhook.so"},
                                                     {"library": "/etc/hostname"}]})
    s.write_conf()
    out = subprocess.run([t.binary, "-t", s.conf_path], capture_output=True, text=True, check=False)
    assert out.returncode == 1 and "libdhcp_ha.so: not supported yet" in out.stderr, out
    out = subprocess.run([t.binary, "-t", s.conf_path, "--ignore-unknown-hooks"], capture_output=True, text=True, check=False)
    assert out.returncode == 0 and out.stderr.count("runs without it") == 3, out
    s.start(args=("--ignore-unknown-hooks",))
    Client(port, mac_of(1)).dora()
    assert s.command("config-test", {"Dhcp4": s.conf})["result"] == 0


def _lines_of(t, binary, pattern):
    """Lines of a start and an end with this pattern, from a log file."""
    s = t.server(start=False, name=os.path.basename(binary), binary=binary)
    path = os.path.join(s.dir, "pattern.log")
    s.conf["loggers"] += [{"name": "kea-dhcp4.dhcp4", "severity": "INFO",
                            "output_options": [{"output": path, "pattern": pattern}]}]
    s.start()
    s.term()
    with open(path, encoding="utf-8") as f:
        return f.read().splitlines()


@test(timeout=60)
def test_B11_lines_have_the_form_of_the_pattern_in_kea_too(t):
    """Both programs write their DHCP4_STARTED line in the same form; process, thread and time differ."""
    t.wire()
    pattern = "%D{%Y-%m-%d %H:%M:%S.%q}|%d{%s.%Q}|%-8p|%8.2p|%c|%-10c{1}|%i|%%|%h|%.7m|%m%n"
    shape = (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\|\d{10}\.\d{3}\.\d{3}\|INFO    \|FO\|kea-dhcp4\.dhcp4\|dhcp4     \|"
             r"\d+\|%\|" + re.escape(socket.gethostname()) + r"\|.{7}\|DHCP4_STARTED .*")
    for binary in (KEA, t.binary):
        lines = _lines_of(t, binary, pattern)
        started = [line for line in lines if "DHCP4_STARTED" in line]
        assert len(started) == 1 and re.fullmatch(shape, started[0]), "%s: %s" % (binary, lines)


@test(timeout=60)
def test_B11_the_log_file_has_what_the_start_says_about_leases(t):
    t.wire()
    s = t.server(start=False)
    path = os.path.join(s.dir, "usher.log")
    s.conf["loggers"][0]["output_options"] = [{"output": path}]
    s.start()
    s.term()
    with open(path, encoding="utf-8") as f:
        log = f.read()
    for word in ("DHCP4_STARTING", "DHCPSRV_MEMFILE_DB", "DHCPSRV_CFGMGR_NEW_SUBNET4", "DHCP4_CONFIG_COMPLETE",
                 "[kea-dhcp4.dhcp4/", "DHCP4_STARTED"):
        assert word in log, log


def _history(s, name):
    return [v for v, _when in s.ok("statistic-get", {"name": name})[name]]


@test(timeout=60)
def test_C6_samples_are_taken_at_changes_not_when_they_are_read(t):
    port = t.wire()
    s = t.server()
    c = Client(port, mac_of(1))

    def three_in_a_row():
        """Under load two packets may share a sample; then another try."""
        c.dora()
        time.sleep(0.2)
        history = _history(s, "pkt4-received")
        return history if history[:3] == list(range(history[0], history[0] - 3, -1)) else None
    history = wait_for("a sample of each packet", three_in_a_row, slack(20))
    assert len(history) <= 20
    s.ok("statistic-sample-count-set-all", {"max-samples": 2})
    assert len(_history(s, "pkt4-received")) == 2


@test(timeout=60)
def test_G16_words_of_digits_are_text_where_the_argument_is(t):
    port = t.wire()
    s = t.server()
    c = Client(port, mac_of(1), cid=b"\x01\x02", options=[(dhcp.HOSTNAME, b"123")])
    c.dora()

    def ctl(*words):
        return json.loads(subprocess.run([_ctl(t), "-s", s.socket_path, *words, "--json"], capture_output=True, text=True,
                                         check=False).stdout)
    assert len(ctl("lease4-get-by-hostname", "hostname=123")["arguments"]["leases"]) == 1
    assert len(ctl("lease4-get-by-client-id", "client-id=0102")["arguments"]["leases"]) == 1
    for words in (("statistic-get", "name=123"), ("statistic-get", "name=true")):
        assert ctl(*words)["result"] == 0, words
    # an argument of another command's, and those that are numbers
    assert ctl("lease4-add", "ip-address=10.77.0.99", "hw-address=020000000099", "hostname=99", "subnet-id=1",
               "valid-lft=600", "fqdn-fwd=false")["result"] == 0
    assert s.ok("lease4-get", {"ip-address": "10.77.0.99"})["hostname"] == "99"
    assert ctl("statistic-sample-count-set", "name=pkt4-sent", "max-samples=2")["result"] == 0
    assert ctl("lease4-get-page", "from=start", "limit=5")["result"] == 0
    assert ctl("packet-trace-start", "hw-address=020000000001", "packets=5")["result"] == 0


# Definitions and data of one option each: code, type, "array", data, raw?
_FORMS = [("uint8", False, "0102", True), ("uint16", False, "0102FF", True), ("boolean", False, "05", True),
          ("boolean", False, "01", False), ("boolean", True, "0102", True), ("empty", False, "0102", True),
          ("psid", False, "04C00002", True), ("ipv4-address", False, "C000020102", True), ("int8", False, "-1", False),
          ("uint16", True, "1, 0x20,3", False), ("string", False, "a, b", False), ("fqdn", False, "A.example.ORG", False),
          ("record", False, "7, word, more", False), ("tuple", False, "word", False), ("binary", False, "0a0b", False),
          ("uint32", False, "7, 8", False), ("ipv4-address", True, "192.0.2.1 ,192.0.2.2", False)]


@test(timeout=60)
def test_B7_both_programs_send_the_same_octets(t):
    """Answers of Kea and of this server to one client, option by option. Sent unasked: the list of a Client has none of them."""
    port = t.wire()
    defs, data = [], []
    for i, (kind, array, text, raw) in enumerate(_FORMS):
        d = {"name": "o%d" % i, "code": 224 + i, "type": kind, "array": array}
        if kind == "record":
            d["record-types"] = "uint8,string"
        defs.append(d)
        data.append({"code": 224 + i, "name": "o%d" % i, "csv-format": not raw, "data": text,
                     "always-send": True})
    codes = [224 + i for i in range(len(_FORMS))]
    answers = {}
    for binary in (KEA, t.binary):
        s = t.server(start=False, name=os.path.basename(binary), binary=binary)
        s.conf.update({"option-def": defs, "option-data": data})
        s.start()
        offer = Client(port, mac_of(1), options=[(55, bytes(codes))]).dora()
        answers[binary] = {c: offer.get(c) for c in codes}
        s.term()
    different = {(c, _FORMS[c - 224]): (answers[KEA][c], answers[t.binary][c]) for c in codes
                 if answers[KEA][c] != answers[t.binary][c]}
    assert not different, "Kea, and here: %s" % different


@test(timeout=30)
def test_C6_config_get_has_the_running_limits_of_samples(t):
    """As in Kea: limits that a command sets for all statistics are in config-get and config-write
    until another configuration."""
    t.wire()
    s = t.server()

    def limits():
        d = s.ok("config-get")["Dhcp4"]
        return d["statistic-default-sample-count"], d["statistic-default-sample-age"]
    assert limits() == (20, 0)
    assert s.command("statistic-sample-count-set-all", {"max-samples": 7})["result"] == 0
    assert limits() == (7, 0)
    assert s.command("statistic-sample-count-set-all", {"max-samples": 0})["result"] == 1
    assert s.command("statistic-sample-age-set-all", {"duration": 90})["result"] == 0
    assert limits() == (7, 90)
    with open(s.ok("config-write", {"filename": "written.conf"})["filename"], encoding="utf-8") as f:
        assert json.load(f)["Dhcp4"]["statistic-default-sample-count"] == 7
    assert s.command("config-reload")["result"] == 0
    assert limits() == (20, 0)


@test(timeout=60)
def test_H7_a_configuration_may_be_a_fifo(t):
    """A start and a check read a FIFO to its end, as from `<(generate)`; a reload of one that nobody writes to, and of a
    script that is one, is refused by name within a few seconds, and commands are answered then."""
    port = t.wire()
    s = t.server(start=False)
    s.write_conf()
    os.rename(s.conf_path, s.conf_path + ".text")
    os.mkfifo(s.conf_path)
    feed = "cat %s.text > %s" % (s.conf_path, s.conf_path)
    with subprocess.Popen(["sh", "-c", feed]):
        assert subprocess.run([t.binary, "-t", s.conf_path], check=False, timeout=slack(10)).returncode == 0
    with subprocess.Popen(["sh", "-c", feed]):
        s.start(write=False)
    Client(port, mac_of(1)).dora()
    r = s.command("config-reload", timeout=slack(10))
    assert r["result"] == 1 and s.conf_path in r["text"], r
    s.hup()
    wait_for("the refusal", lambda: s.log().count("DHCP4_DYNAMIC_RECONFIGURATION_FAIL") == 2, slack(10))
    fifo = t.lab.path("rules.lua")
    os.mkfifo(fifo)
    conf = dict(s.conf, **{"hooks-libraries": [{"library": "lua", "parameters": {"script": fifo}}]})
    for command in ("config-test", "config-set"):
        r = s.command(command, {"Dhcp4": conf}, timeout=slack(10))
        assert r["result"] == 1 and "no regular file" in r["text"], r
    with subprocess.Popen(["sh", "-c", feed]):
        assert s.command("config-reload", timeout=slack(10))["result"] == 0
    Client(port, mac_of(2)).dora()


class _Later(threading.Thread):
    """A command whose answer comes later: `answer`, and `at`, the time of its arrival."""

    def __init__(self, s, name, arguments=None):
        super().__init__(daemon=True)
        self.s, self.name_, self.arguments, self.answer, self.at = s, name, arguments, None, None
        self.start()

    def run(self):
        self.answer = self.s.command(self.name_, self.arguments, timeout=slack(20))
        self.at = time.monotonic()

    def get(self):
        self.join(slack(20))
        assert self.answer, "%s: no answer" % self.name_
        return self.answer


@test(timeout=90)
def test_H7_commands_beside_a_reload(t):
    """While a reload reads a FIFO that nobody writes to, other commands are answered at once. Commands about the
    configuration wait for their turn, and so does SIGHUP. SIGTERM ends the server cleanly in the middle of it."""
    t.wire()
    s = t.server()
    os.rename(s.conf_path, s.conf_path + ".text")
    os.mkfifo(s.conf_path)
    reload = _Later(s, "config-reload")
    wait_for("the reload", lambda: s.log().count("DHCP4_DYNAMIC_RECONFIGURATION ") == 1, slack(5))
    change = _Later(s, "config-set", {"Dhcp4": dict(s.conf, **{"valid-lifetime": 4321})})
    wait_for("config-set", lambda: "'config-set'" in s.log(), slack(5))  # two connections: their order is not given
    check = _Later(s, "config-test", {"Dhcp4": dict(s.conf, **{"valid-lifetime": "long"})})
    slowest, answers = 0, 0
    while not reload.at:
        began = time.monotonic()
        s.ok("version-get")
        if s.ok("config-get")["Dhcp4"]["valid-lifetime"] == 4321:
            reload.join(slack(5))  # its answer is on the way
            assert reload.at, "config-set took effect before the reload ended"
        slowest, answers = max(slowest, time.monotonic() - began), answers + 2
    assert answers > 20 and slowest < slack(0.5), "%d answers, one after %.2f s" % (answers, slowest)
    assert reload.get()["result"] == 1 and s.conf_path in reload.answer["text"], reload.answer
    # The threads of _Later can be late: the order is in the log, and in the effect of config-set.
    assert check.get()["result"] == 1 and "valid-lifetime" in check.answer["text"], check.answer
    assert s.ok("config-get")["Dhcp4"]["valid-lifetime"] == 4321, "config-test was answered before config-set"
    assert change.get()["result"] == 0, change.answer
    wait_for("the line of config-set", lambda: "AUDIT command 'config-set'" in s.log(), slack(5))
    assert s.log().index("AUDIT command 'config-reload'") < s.log().index("AUDIT command 'config-set'")
    s.hup()
    wait_for("the second reload", lambda: s.log().count("DHCP4_DYNAMIC_RECONFIGURATION ") == 2, slack(5))
    change = _Later(s, "config-set", {"Dhcp4": s.conf})
    time.sleep(0.2)
    assert s.command("version-get")["result"] == 0 and not change.at
    began = time.monotonic()
    assert s.term() == 0
    assert time.monotonic() - began < slack(0.6), "the reload did not end early"
    assert not os.path.exists(s.socket_path)
    change.get()
    assert change.answer["result"] == 1 and "the program ends" in change.answer["text"], change.answer
