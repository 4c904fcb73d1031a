#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The shape of the source tree: which folder may include which (ARCHITECTURE.md's table is made from the one here), that
every C file names its licence and opens with a comment on its purpose, and that files and folders stay small.
include_test.py includes|files ROOT [--write]"""

import os
import re
import sys

# Each folder: its contents, and the folders that its files may include besides their own. ARCHITECTURE.md has this table
# (--write). A folder below a folder is named with it; "server/*" stands for all of that folder.
FOLDERS = (
    ("base", "spans, cursors, arenas, buffers, hashes, clocks, random, log, IP and hex text, SHA-256, distances of names",
     ""),
    ("base/file", "the file calls that durable data goes through; whole files as texts", "base"),
    ("wire", "codecs, pure: ethernet, vlan, arp, ipv4, udp, tcp, dhcp4, dns, http, option definitions (options.def)",
     "base"),
    ("packet", "struct packet, the layer 2 to 4 walk, drop.def", "base wire"),
    ("capture", "datagrams in and out (capture.h): af_packet, udp, pcap file, memory; whole frames with a verdict each (frames.h): interfaces, netfilter's queues, pcap file, memory",
     "base wire packet"),
    ("runtime", "event loop, background thread, interface tables by netlink", "base"),
    ("config/json", "JSON with positions: reader, tree, writer", "base"),
    ("config/schema", "the keys of the configuration, their types and defaults (config_schema.def), and Kea's hook libraries (kea_hooks.def)", "base config/json"),
    ("config/database", "the keys of databases", ""),
    ("config", "expressions, the typed configuration", "base wire config/json config/schema config/database"),
    ("config/edit", "edits of a configuration, which share its unchanged parts", "base config"),
    ("database", "connections to PostgreSQL: parameters, pipeline mode, the version of Kea's schema, binary values", "base base/file runtime config/database"),
    ("lease", "lease record and table, pools, the contract of a store", "base"),
    ("lease/journal", "the journal (Kea's lease file): rows, loading, clean-up", "base base/file lease"),
    ("lease/postgresql", "the store on PostgreSQL with Kea's schema: statements, batches, loading", "base runtime config/database database lease"),
    ("lease/context", "the relay's information in the user-context of a lease", "base wire config/json lease"),
    ("ddns", "updates of the DNS: requests, their queue, the thread that sends them",
     "base wire runtime config/schema lease"),
    ("lease/json", "leases as the arguments of Kea's lease4-* commands", "base config/json lease"),
    ("control", "the management plane: rows of commands, their arguments, access; the command channel", "base runtime config/json"),
    ("hook", "hooks.def, registry, loader, the ABI's functions", "base wire config config/schema lease control"),
    ("library", "Kea's hook libraries: their life; the small ones, a file each",
     "base wire packet config lease hook library/common"),
    ("library/common", "their table (libraries.def) and their common parts: parameters, expressions, threads, files of scripts",
     "base config hook"),
    ("library/host_cache", "host_cache: a cache of reservations, and its commands",
     "base base/file config config/edit control hook library/common"),
    ("library/lease_query", "queries of leases by relays: their answers over UDP, bulk queries over TCP",
     "base wire packet runtime config lease lease/context control hook library/common"),
    ("library/legal", "legal_log: records of leases in files and the system's log",
     "base wire config lease hook library/common"),
    ("library/limits", "limits of leases and of packets a second",
     "base packet config/json config lease hook library/common"),
    ("library/perfmon", "durations between the stages of an exchange",
     "base wire config control hook library/common"),
    ("library/ping", "ping_check: echo requests before an offer",
     "base wire packet runtime config lease hook library/common"),
    ("library/radius", "radius: clients by the answers of RADIUS servers, accounting of leases",
     "base base/file wire packet config/json config lease hook library/common library/host_cache"),
    ("library/rbac", "rbac: roles of requests over HTTP, access lists, the catalogue of commands",
     "base config/json control library/common"),
    ("library/user_chk", "user_chk: the registry of users",
     "base base/file wire config/json config hook library/common"),
    ("http", "HTTP and HTTPS in the event loop: listeners, users, bounds, event streams, the page, commands with Kea's envelope",
     "base runtime config/json control"),
    ("script", "the life of a Lua state: opens all modules",
     "script/state script/values script/buffer script/regexp script/rules script/library"),
    ("script/state", "the record of a Lua state: calls, limits, messages, files, typed handles", "base"),
    ("script/values", "values for scripts: addresses, the DHCPv4 message, times, patterns of strings",
     "base wire script/state"),
    ("script/buffer", "octets that scripts see and change", "base script/state"),
    ("script/regexp", "regular expressions, and sets of them", "base script/state script/buffer"),
    ("script/rules", "events and rules, policies, filters, alerts, timers", "base script/state script/values"),
    ("script/library", "functions for every script: sandbox, log, console, shared tables, grammars and machines",
     "base config/json script/state script/values script/buffer script/rules"),
    ("server/core", "the exchange, its hook calls, the order of the stages (stages.def), snapshots, statistics, traces",
     "base wire packet runtime config/json config lease ddns hook"),
    ("server/stages", "the steps of stages.def and their helpers: allocation, answers, option sources",
     "base wire capture runtime config/json config lease lease/context hook server/core"),
    ("server/worker", "workers: slots, the walk along stages.def, batches, parked exchanges",
     "base capture runtime lease server/core server/stages"),
    ("server/view", "statistics in their order; leases, interfaces and names of files against the configuration",
     "base runtime config config/json lease lease/context hook server/core"),
    ("server/hosts", "the file of reservations that commands made", "base base/file config/json config"),
    ("server/manage", "the daemon and its commands",
     "base base/file capture runtime config/json config config/edit config/database database lease lease/journal lease/postgresql lease/json ddns hook control http server/core server/worker server/view server/hosts"),
    ("server/edit", "commands that edit the configuration: class_cmds, host_cmds, subnet_cmds",
     "base config/json config/schema config control server/core server/hosts server/manage"),
    ("server/lua", "the hook library that runs Lua scripts",
     "base config lease hook control script script/values script/rules script/library server/core"),
    ("server/run", "the program: arguments, the table of hook libraries in it, replay of captures",
     "base capture runtime config config/json lease lease/journal hook library library/common server/core server/worker server/manage server/view server/edit server/lua"),
    ("client/core", "the client's machine, pure: states and events (fsm.def), checks, messages, kept lease",
     "base wire packet config/json"),
    ("client/os", "its hands: sockets, netlink, the two processes, the control channel",
     "base base/file wire packet capture runtime config/json control client/core"),
    ("gate/engine", "the walk along dissectors.def, verdicts, held frames, flows, tables", "base wire packet capture"),
    ("gate/net", "link layers, IPv4, flows of UDP, reassembly, fragments, new packets", "base wire gate/engine"),
    ("gate/tcp", "TCP connections: tracking, streams, edits, acknowledgements in the receiver's place",
     "base wire gate/engine gate/net"),
    ("gate/app", "applications over flows: DHCP, DNS, HTTP", "base wire gate/engine gate/net gate/tcp"),
    ("gate/guard", "the DHCP guard", "base base/file wire capture config/json control gate/engine gate/app"),
    ("gate", "assembly: fills in the table of dissectors, creates an engine", "wire gate/engine gate/net gate/tcp gate/app"),
    ("gate/lua", "the dissectors in Lua: classes, events, streams, policies",
     "base wire script script/state script/values script/buffer script/rules script/library gate/engine gate/net gate/tcp gate/app"),
    ("gate/run", "the program: arguments, sources of frames, workers, commands, summary",
     "base wire capture runtime config/json control http script/state script/rules script/library gate/engine gate/tcp gate/guard gate gate/lua"),
    ("tools", "usher-load", "base wire packet capture lease"),
    ("ctl", "usherctl: sessions over unix sockets and HTTP, tables, live views", "base runtime config/json lease lease/json control http"),
)
MAY_USE = {folder: uses for folder, _, uses in FOLDERS}
# the rows of the commands, of the drops and of the client's states, which usherctl has for its help and its views
COMMAND_ROWS = ("server/manage/commands.def", "server/edit/edit_commands.def", "client/os/command.def", "gate/run/commands.def",
                "packet/drop.def", "client/core/drop.def", "gate/engine/drop.def", "client/core/fsm.def")
# files that the build makes
GENERATED = ("client/seccomp_filter.inc",)
# lines of a file, and C files of a folder, in src; lines elsewhere
MAX_SRC_LINES, MAX_FILES, MAX_LINES = 500, 45, 900
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def c_files(root, *tops):
    for top in tops:
        for directory, _, names in sorted(os.walk(os.path.join(root, top))):
            for n in sorted(names):
                if n.endswith((".c", ".h", ".def")):
                    yield os.path.join(directory, n)


def may_include(folder):
    """The folders that a file of this one may include."""
    allowed = {folder}
    for use in MAY_USE.get(folder, "").split():
        allowed |= {f for f in MAY_USE if f.startswith(use[:-1])} if use.endswith("/*") else {use}
    return allowed


def architecture_table():
    rows = ["| directory | contents | may use |", "|---|---|---|",
            "| `include/usher/` | hook.h: the C hook ABI, the only installed header | nothing |"]
    rows += ["| `src/%s/` | %s | %s |" % (folder, contents, uses or "nothing") for folder, contents, uses in FOLDERS]
    return "\n".join(rows + ["| `modules/` | hook libraries that ship | include/usher |", ""])


def check_table(root, write):
    """The table in ARCHITECTURE.md."""
    path = os.path.join(root, "ARCHITECTURE.md")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    m = re.search(r"\| directory \| contents \| may use \|\n(?:\|.*\n)+", text)
    if m and m.group(0) == architecture_table():
        return []
    if m and write:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text[:m.start()] + architecture_table() + text[m.end():])
        return []
    return ["ARCHITECTURE.md: its table of folders is not that of include_test.py (--write)"]


def check_layers(root):
    problems = check_table(root, "--write" in sys.argv)
    used = {folder: set() for folder in MAY_USE}
    for path in c_files(root, "src"):
        name = os.path.relpath(path, root)
        folder = os.path.dirname(name)[len("src/"):]
        if folder not in MAY_USE:
            problems.append("%s: its folder is not in the table of include_test.py" % name)
            continue
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for kind, inc in INCLUDE.findall(text):
            if kind == "<" and not inc.startswith("usher/"):
                continue
            if inc.startswith("usher/"):
                # the hook ABI: for the layers that carry it out
                if folder.split("/")[0] not in ("hook", "server"):
                    problems.append("%s: %s: only hook and server know the ABI" % (name, inc))
            elif "/" not in inc:
                problems.append("%s: \"%s\": includes name their folder" % (name, inc))
            elif name in ("src/ctl/commands.c", "src/ctl/serve.c") and inc in COMMAND_ROWS:
                continue
            elif os.path.dirname(inc) not in may_include(folder) and inc not in GENERATED:
                problems.append("%s: \"%s\": %s may use: %s" % (name, inc, folder, MAY_USE[folder]))
            else:
                used[folder].add(os.path.dirname(inc))
    for folder, uses in MAY_USE.items():
        problems += ["%s may use %s, and does not: take that out of the table" % (folder, use)
                     for use in uses.split() if not use.endswith("/*") and use not in used[folder]]
    for path in c_files(root, "include"):
        with open(path, encoding="utf-8") as f:
            for kind, inc in INCLUDE.findall(f.read()):
                if kind == '"':
                    problems.append("%s: \"%s\": an installed header stands alone" % (os.path.relpath(path, root), inc))
    return problems


def check_files(root):
    problems = []
    for folder in MAY_USE:
        n = sum(f.endswith((".c", ".h")) for f in os.listdir(os.path.join(root, "src", folder)))
        if n > MAX_FILES:
            problems.append("src/%s: %d files, at most %d" % (folder, n, MAX_FILES))
    for path in c_files(root, "src", "include", "tests", "fuzz", "modules", "bench"):
        name = os.path.relpath(path, root)
        with open(path, encoding="utf-8") as f:
            lines = f.read().split("\n")
        if not re.match(r"(/\*|//) SPDX-License-Identifier: MPL-2\.0", lines[0]):
            problems.append("%s:1: no SPDX line" % name)
        rest = next((line for line in lines[1:] if line.strip()), "")
        if not rest.lstrip().startswith(("/*", "//")):
            problems.append("%s:2: does not open with a comment saying what it is" % name)
        if name.endswith(".def"):
            problems += ["%s:%d: rows have words for macros, at least three letters" % (name, i + 1)
                         for i, line in enumerate(lines) if re.match(r"[A-Z_]{1,2}\(", line)]
        most = MAX_SRC_LINES if name.startswith("src/") else MAX_LINES
        if len(lines) - 1 > most:
            problems.append("%s: %d lines, at most %d" % (name, len(lines) - 1, most))
    return problems


def main():
    what, root = sys.argv[1], sys.argv[2]
    problems = {"includes": check_layers, "files": check_files}[what](root)
    print("\n".join(problems) or "nothing found")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
