#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The completion of usherctl: bash really completes, zsh and fish read their scripts, and fish completes, where these shells are installed;
every command and option that usherctl knows is offered. completion_test.py BUILD BASH ZSH FISH"""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

CTL = os.path.join(sys.argv[1], "usherctl")
BASH, ZSH, FISH = sys.argv[2:5]


def bash(*words):
    """The replies of bash for these words, of which the last one is being typed. Bash splits words at "=" and ":"."""
    parts = [p for w in words for p in (re.findall(r"[=:]+|[^=:]+", w) or [""])]
    script = 'source "$1"; shift; COMP_WORDS=(usherctl "$@"); COMP_CWORD=$#; _usherctl; printf "%s\\n" "${COMPREPLY[@]}"'
    r = subprocess.run(["bash", "-u", "-c", script, "bash", BASH, *parts], capture_output=True, text=True, check=True, timeout=60)
    assert not r.stderr, r.stderr
    return [x for x in r.stdout.split("\n") if x]


def own_words(*program):
    """The commands and options by usherctl's own help."""
    commands = subprocess.run([CTL, *program, "help"], capture_output=True, text=True, check=True).stdout
    options = subprocess.run([CTL, "--help"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^(\S+)", commands, re.M), re.findall(r"^  (?:-\w, |    )(--[\w-]+)", options, re.M)


def test_bash(d):
    for program in ((), ("server",), ("client",), ("gate",)):
        commands, options = own_words(*program)
        assert len(commands) > 5 and len(options) > 10
        offered = bash(*program, "")
        programs = [] if program else ["client", "gate", "server"]
        assert sorted(offered) == sorted(commands + programs), (program, offered)
        assert set(options) <= set(bash(*program, "-")), program
    assert bash("lease4-get-a") == ["lease4-get-all"]
    assert bash("gate", "fl") == ["flows"]
    assert bash("cli") == ["client"]
    assert bash("-t", "5", "client", "sta") == ["state", "statistics"]
    assert sorted(bash("lease4-get", "")) == ["identifier-type=", "identifier=", "ip-address=", "subnet-id="]
    assert bash("lease4-get", "ip-address=192.0.2.1", "sub") == ["subnet-id="]
    assert bash("lease4-get-by-hw-address", "hw-address=02:00:00:00:00:01", "hw") == ["hw-address="]
    assert bash("leases-reclaim", "rem") == ["remove="]
    assert bash("leases-reclaim", "remove=") == ["true", "false"]
    assert bash("leases-reclaim", "remove=f") == ["false"]
    assert bash("lease4-get", "ip-address=") == []
    assert bash("help", "stat-") == ["stat-lease4-get"]
    assert bash("class-") == ["class-add", "class-del", "class-get", "class-list", "class-update"]
    assert len(bash("reservation-")) == 9 and len(bash("network4-")) == 6
    assert bash("subnet4-get", "") == ["id=", "subnet="]
    assert bash("client", "transition", "") == ["to="]
    assert bash("--url", "http://127.0.0.1:8000", "stat-") == ["stat-lease4-get"]
    assert bash("--url", "http://127.0.0.1:8000", "gate", "ale") == ["alerts"]
    assert bash("lease4-get", "--js") == ["--json"]
    assert bash("-t", "") == []
    for name in ("a.pem", "a b.pem"):
        with open(os.path.join(d, name), "w", encoding="utf-8"):
            pass
    want = sorted(os.path.join(d, x) for x in ("a.pem", "a b.pem"))
    assert sorted(bash("--ca", d + "/")) == want
    assert sorted(bash("--ca=" + d + "/")) == want
    assert sorted(bash("config-set", "@" + d + "/")) == ["@" + x for x in want]
    assert "lo" in bash("client", "-i", "")


class Zsh:
    """An interactive zsh with this completion alone."""

    def __init__(self, d):
        shutil.copy(ZSH, d)
        self.fd, slave = pty.openpty()
        self.proc = subprocess.Popen(["zsh", "-f", "-i"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                     env=dict(os.environ, TERM="dumb", COLUMNS="400"))
        os.close(slave)
        self.ask("fpath=(%s $fpath); autoload -Uz compinit; compinit -u -D; echo rea''dy\n" % d, r"\nready\n")

    def ask(self, keys, until):
        text, end = "", time.monotonic() + 60
        os.write(self.fd, keys.encode())
        while not re.search(until, text):
            assert time.monotonic() < end, (keys, text)
            if select.select([self.fd], [], [], 0.1)[0]:
                text = re.sub(r"[\0-\t\v-\x1f]", "", text + os.read(self.fd, 65536).decode(errors="replace"))

    def close(self):
        self.proc.kill()
        self.proc.wait()
        os.close(self.fd)


def test_zsh(d):
    if not shutil.which("zsh"):
        return "zsh is not installed"
    subprocess.run(["zsh", "-n", ZSH], check=True, timeout=60)
    z = Zsh(d)
    try:
        for line, want in (("lease4-get-a", "lease4-get-all"), ("gate -t 5 fl", "flows"), ("leases-reclaim rem", "remove="),
                           ("leases-reclaim remove=f", "remove=false"), ("--js", "--json"), ("client -i l", "lo")):
            z.ask("usherctl %s\t" % line, re.escape(want))
            z.ask("\x15echo o''k\n", r"\nok\n")        # on an empty line
    finally:
        z.close()
    return None


def fish(line):
    r = subprocess.run(["fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", FISH, line], capture_output=True, text=True,
                       check=True, timeout=60)
    assert not r.stderr, r.stderr
    return [x.split("\t")[0] for x in r.stdout.splitlines()]


def test_fish(_):
    if not shutil.which("fish"):
        return "fish is not installed"
    subprocess.run(["fish", "--no-execute", FISH], check=True, timeout=60)
    assert fish("usherctl lease4-get-a") == ["lease4-get-all"]
    assert fish("usherctl gate -t 5 fl") == ["flows"]
    assert fish("usherctl leases-reclaim rem") == ["remove=false", "remove=true"]
    assert fish("usherctl client transition ") == ["to="]
    commands, options = own_words("gate")
    assert set(commands) <= set(fish("usherctl gate ")) and set(options) <= set(fish("usherctl --"))
    return None


def main():
    with tempfile.TemporaryDirectory() as d:
        for test in (test_bash, test_zsh, test_fish):
            print(test.__name__ + ":", test(d) or "done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
