#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Instructions an exchange costs, counted by callgrind, against the numbers kept in baseline.json.

Counts do not depend on other load of the machine, so 3 % more is a regression and not noise: then
the exit code is 1. Less is reported. After a change that is meant: bench/micro/run.py --update.

The last line is `N passed, N failed, N skipped`."""

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, ROOT)
sys.dont_write_bytecode = True

from bench.lib import configs, numbers  # noqa: E402

BASELINE = os.path.join(HERE, "baseline.json")
TOLERANCE = 0.03
STRANGERS = 65536


class Row:
    """One measurement. conf: (directory) -> the configuration; args: of usher-micro; offers, acks: a
    counted exchange has so many."""

    def __init__(self, name, conf, args, offers=1, acks=1, n=2000):
        self.name, self.conf, self.n, self.offers, self.acks = name, conf, n, offers, acks
        self.args = args.split()


def _small(directory, **more):
    return configs.kea(configs.one_subnet(), os.path.join(directory, "leases.csv"), **more)


def _memory_only(_directory):
    return configs.kea(configs.one_subnet())


def _info(directory):
    return _small(directory, loggers=[{"name": "kea-dhcp4", "severity": "INFO", "output_options": [
        {"output": os.path.join(directory, "log"), "maxsize": 0}]}])


def _full(directory):
    return configs.kea(configs.one_subnet(pool="10.64.0.0/16"), os.path.join(directory, "leases.csv"))


def _nearly_full(directory):
    return configs.kea(configs.one_subnet(pool="10.64.0.0/12"), os.path.join(directory, "leases.csv"))


def _large(directory):
    return configs.kea(configs.many_subnets(10000, 100000), os.path.join(directory, "leases.csv"),
                       **{"client-classes": configs.many_classes(200)})


def _classes(directory):
    return _small(directory, **{"client-classes": configs.many_classes(200)})


def _subnets(directory):
    return configs.kea(configs.many_subnets(1000, 0), os.path.join(directory, "leases.csv"))


def _with(library, subnet=None, **parameters):
    """A library's usual configuration: (directory) -> the configuration. @ in a parameter: the directory."""
    def conf(directory):
        entry = {"library": "libdhcp_%s.so" % library}
        if parameters:
            entry["parameters"] = {k: v.replace("@", directory) if isinstance(v, str) else v for k, v in parameters.items()}
        made = _small(directory, **{"hooks-libraries": [entry]})
        made["Dhcp4"]["subnet4"][0].update(subnet or {})
        return made
    return conf


def _run_script(directory):
    script = os.path.join(directory, "script")
    with open(script, "w", encoding="utf-8") as f:
        f.write("#!/bin/true\n")
    os.chmod(script, 0o700)
    return _with("run_script", name=script)(directory)


def _user_chk(directory):
    registry = os.path.join(directory, "users")
    with open(registry, "w", encoding="utf-8") as f:
        f.writelines('{"type": "HW_ADDR", "id": "02:00:00:00:%02x:%02x"}\n' % (i >> 8, i & 255) for i in range(100))
    return _with("user_chk", registry=registry, outcome=os.path.join(directory, "outcome"))(directory)


ROWS = [
    # the longest one first, so that the others run beside it
    Row("dora-large-config", _large, "-p dora -g 10.0.0.1 -k 256 -S 10000 -j 1000000 -s 10.250.0.1", n=1500),
    Row("dora-nearly-full-pool", _nearly_full, "-p dora -f 10.64.0.0 -F 1046000"),
    Row("dora-relayed", _small, "-p dora"),
    Row("dora-direct", _small, "-p dora -d"),
    Row("dora-memory-only", _memory_only, "-p dora"),
    Row("dora-log-info", _info, "-p dora"),
    Row("dora-one-at-a-time", _small, "-p dora -b 1", n=1000),
    Row("dora-1000-subnets", _subnets, "-p dora -g 10.0.0.1 -k 256 -S 1000 -s 10.250.0.1"),
    Row("dora-200-classes", _classes, "-p dora", n=1000),
    Row("renew", _small, "-p renew -a 1000", offers=0),
    Row("renew-cached", _small, "-p renew -a 10", offers=0),
    Row("release", _small, "-p release -a 10", offers=0, acks=0),
    Row("discover", _small, "-p discover", acks=0),
    Row("discover-full-pool", _full, "-p discover -f 10.64.0.0 -F %d" % STRANGERS, offers=0, acks=0),
    # dora-relayed with a hook library; only the worker's instructions count, not those of the library's threads
    Row("with-bootp", _with("bootp"), "-p dora"),
    Row("with-class_cmds", _with("class_cmds"), "-p dora"),
    Row("with-flex_id", _with("flex_id", **{"identifier-expression": "hexstring(pkt4.mac, ':')"}), "-p dora"),
    Row("with-flex_option", _with("flex_option", options=[{"code": 67, "add": "ifelse(option[12].exists, option[12].text, 'none')"}]),
        "-p dora"),
    Row("with-host_cache", _with("host_cache"), "-p dora"),
    Row("with-lease_cmds", _with("lease_cmds", **{"binding-variables": [
        {"name": "mac", "expression": "hexstring(pkt4.mac, ':')", "source": "query"}]}), "-p dora"),
    Row("renew-lease_cmds", _with("lease_cmds", **{"binding-variables": [
        {"name": "mac", "expression": "hexstring(pkt4.mac, ':')", "source": "query"}]}), "-p renew -a 1000", offers=0),
    Row("with-lease_query", _with("lease_query", requesters=["10.0.0.1"]), "-p dora"),
    Row("with-legal_log", _with("legal_log", path="@"), "-p dora"),
    Row("with-limits", _with("limits", {"user-context": {"limits": {
        "address-limit": 1000000, "rate-limit": "1000000 packets per second"}}}), "-p dora"),
    Row("with-perfmon", _with("perfmon", **{"enable-monitoring": True}), "-p dora"),
    Row("with-run_script", _run_script, "-p dora"),
    Row("with-user_chk", _user_chk, "-p dora"),
]


def callgrind(binary, row, keep=None):
    """Instructions an exchange. RuntimeError when it fails or not every client was answered as it has
    to be: another path would be counted."""
    # in memory: a sync has no instructions of ours, and takes its time on a busy disk
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    directory = tempfile.mkdtemp(prefix="usher-micro-", dir=memory)
    try:
        conf = os.path.join(directory, "usher.conf")
        out = os.path.join(directory, "callgrind.out")
        with open(conf, "w", encoding="utf-8") as f:
            json.dump(row.conf(directory), f)
        # an environment of our own: its size moves the stack
        p = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out, "--instr-atstart=no",
                            "--collect-atstart=no", binary, "-c", conf, "-n", str(row.n), *row.args],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300, check=False,
                           env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
        if p.returncode:
            raise RuntimeError("%s: exit %d: %s" % (row.name, p.returncode, p.stderr.strip()[-1000:]))
        said = json.loads(p.stdout)
        want = {"exchanges": row.n, "offers": row.n * row.offers, "acks": row.n * row.acks}
        if said != want:
            raise RuntimeError("%s: %s, and should be %s" % (row.name, said, want))
        with open(out, encoding="utf-8") as f:
            total = numbers.callgrind_total(f.read())
        if keep:
            os.makedirs(keep, exist_ok=True)
            shutil.copy(out, os.path.join(keep, "callgrind.out." + row.name))
        return round(total / row.n)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def compiler(build):
    """Returns the compiler of the build: another one gives other counts."""
    p = subprocess.run([os.path.join(build, "usher-server"), "-W"], stdout=subprocess.PIPE, text=True, check=False)
    m = re.search(r"^compiler: (.+)", p.stdout, re.M)
    return m.group(1) if m else "unknown"


def judge(name, now, kept, built, kept_built):
    """Returns (good, message) of one row. built, kept_built: compilers."""
    if kept is None:
        return False, "no kept number; keep this one with bench/micro/run.py --update"
    change = now / kept - 1
    if change > TOLERANCE:
        why = "" if built == kept_built else " (kept with compiler %s, this is %s)" % (kept_built, built)
        return False, "%+.1f %%: regression%s; if it is intended: bench/micro/run.py --update" % (100 * change, why)
    if change < -TOLERANCE:
        return True, "%+.1f %%: better; keep it with bench/micro/run.py --update" % (100 * change)
    return True, "%+.1f %%" % (100 * change)


def measure(rows, binary, jobs, keep):
    """{name: instructions or RuntimeError}"""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        running = {r.name: pool.submit(callgrind, binary, r, keep) for r in rows}
    return {name: f.exception() or f.result() for name, f in running.items()}


def load(path):
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return {"compiler": None, "instructions": {}}


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--build", default=os.path.join(ROOT, "build"), help="a release build")
    a.add_argument("--only", help="rows whose name has one of these parts (comma between)")
    a.add_argument("--update", action="store_true", help="keep what is measured now")
    a.add_argument("--json", help="write the numbers into this file, - for the output")
    a.add_argument("--keep", help="keep callgrind's files here, for callgrind_annotate")
    a.add_argument("--jobs", type=int, default=os.cpu_count(), help="rows at a time")
    o = a.parse_args()
    rows = [r for r in ROWS if not o.only or any(p in r.name for p in o.only.split(","))]
    binary = os.path.join(o.build, "bench", "micro", "usher-micro")
    missing = [t for t in ("valgrind", binary) if not shutil.which(t)]
    if missing:
        print("FAIL %s is missing (make deps, a release build with the tests' packages)" % ", ".join(missing))
        print("0 passed, 1 failed, 0 skipped")
        return 1
    began, kept, built = time.monotonic(), load(BASELINE), compiler(o.build)
    result = measure(rows, binary, o.jobs, o.keep)
    good = {name: v for name, v in result.items() if not isinstance(v, Exception)}
    failed = 0
    print("%-24s %12s %12s" % ("instructions an exchange", "now", "kept"))
    for r in sorted(rows, key=lambda r: ROWS.index(r)):
        v = result[r.name]
        ok, text = (False, str(v)) if isinstance(v, Exception) else judge(
            r.name, v, kept["instructions"].get(r.name), built, kept["compiler"])
        if o.update and r.name in good:
            ok, text = True, "kept"
        failed += not ok
        print("%-24s %12s %12s  %s%s" % (r.name, good.get(r.name, "-"), kept["instructions"].get(r.name, "-"),
                                         "" if ok else "FAIL ", text))
    if o.json:
        with sys.stdout if o.json == "-" else open(o.json, "w", encoding="utf-8") as f:
            json.dump({"compiler": built, "instructions": good}, f, indent=1, sort_keys=True)
            f.write("\n")
    if o.update:
        kept["instructions"].update(good)
        if not o.only:
            kept["instructions"] = good
        kept["compiler"] = built
        with open(BASELINE, "w", encoding="utf-8") as f:
            json.dump(kept, f, indent=1, sort_keys=True)
            f.write("\n")
    if o.json != "-":
        print("%d s" % (time.monotonic() - began))
        print("%d passed, %d failed, 0 skipped" % (len(rows) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
