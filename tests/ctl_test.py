#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Texts of the programs about themselves, without a server: --version and --help of each, exit code 2 for wrong usage,
usherctl's help from the rows of the commands, its suggestions, options behind the command. ctl_test.py BUILD."""

import os
import subprocess
import sys

BUILD = sys.argv[1]


def run(program, *args):
    env = {k: v for k, v in os.environ.items() if not k.startswith("USHER_")}
    return subprocess.run([os.path.join(BUILD, program), *args], capture_output=True, text=True, check=False, env=env)


def expect(r, code, out="", err=""):
    assert r.returncode == code, (r.args, r.returncode, r.stdout, r.stderr)
    assert out in r.stdout and err in r.stderr, (r.args, r.stdout, r.stderr)


for program in ("usher-server", "usher-client", "usher-gate", "usherctl", "usher-load"):
    r = run(program, "--version")
    expect(r, 0)
    assert r.stdout.startswith(program + " ") or program == "usher-server", r
    expect(run(program, "--help"), 0, "usage: " if program != "usher-load" else "--")
    expect(run(program, "--no-such-option"), 2)
expect(run("usherctl"), 2, err="usage: ")
expect(run("usherctl", "-t", "5x", "status-get"), 2, err="usage: ")
expect(run("usherctl", "help"), 0, "lease4-get-page")
expect(run("usherctl", "help", "lease4-get"), 0, "arguments: ")
expect(run("usherctl", "help", "lease4-gte"), 2, err="did you mean lease4-get?")
expect(run("usherctl", "client", "help", "transition"), 0, "to:text")
expect(run("usherctl", "gate", "help"), 0, "console")
for command, name in ((("status-get",), "usher-server"), (("client", "state"), "usher-client"),
                      (("gate", "statistics"), "usher-gate")):
    for args in (("-s", "/no/such/socket", *command), (*command, "--json", "-s", "/no/such/socket")):
        r = run("usherctl", *args) if args[0] != "-s" or command[0] in ("status-get",) else \
            run("usherctl", command[0], "-s", "/no/such/socket", *command[1:])
        expect(r, 1, err="is %s running? (-s PATH names another socket)" % name)
print("done")
