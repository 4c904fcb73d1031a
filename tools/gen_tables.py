#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Draws from the .def files doc/tables.md (stages, drops, statistics, commands, hook points, options),
doc/metrics.md (the metrics of all programs), doc/client-fsm.md (the client's states) and the tables of doc/kea.md. With --check it only
compares, for the test."""
import re
import sys
from pathlib import Path

from kea_tables import kea_text

ROOT = Path(__file__).resolve().parent.parent


def rows(path, macro):
    """The argument lists of macro(...) in a .def file, strings unquoted."""
    text = re.sub(r"/\*.*?\*/", "", (ROOT / path).read_text(), flags=re.S)
    for m in re.finditer(rf"^{macro}\((.*)\)\s*$", text, flags=re.M):
        args = re.findall(r'"(?:[^"\\]|\\.)*"|[^,\s][^,"]*', m.group(1))
        yield [a.strip().strip('"') for a in args]


def table(head, body):
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    out += ["| " + " | ".join(c.replace("|", "\\|") for c in r) + " |" for r in body]
    return "\n".join(out)


def stages():
    for sym, fn, hook, when, skip, does in rows("src/server/core/stages.def", "STAGE"):
        yield [sym, does, "" if hook == "NONE" else f"`{hook.lower()}` {when.lower()}", f"`{fn}`"]


# The group whose rows every running state has; drawn, they would hide the others.
EVERYWHERE = "RUNNING"


def client_rows(text, macro):
    """{symbol: ([other arguments], {event: (action, next), or None where it is ignored})} of one macro of fsm.def."""
    found = {}
    for m in re.finditer(rf"^{macro}\((\w+), (.*?)\)\n(.*?)^END", text, flags=re.M | re.S):
        own = {e: (a, n) for e, a, n in re.findall(r"ON\((\w+),\s*(\w+),\s*(\w+)\)", m.group(3))}
        own.update((e, None) for e in re.findall(r"NOT\((\w+)\)", m.group(3)))
        found[m.group(1)] = ([a.strip('"') for a in re.findall(r'"[^"]+"|\w+', m.group(2))], own)
    return found


def client_states():
    """([(symbol, name, sentence, [(event, action, next)], [ignored])], [events of EVERYWHERE]) of fsm.def, in its order."""
    text = (ROOT / "src/client/core/fsm.def").read_text().split("/* clang-format off */")[1]
    groups = client_rows(text, "GROUP")
    events = [e for e, *_ in rows("src/client/core/fsm.def", "EVENT")]
    states = []
    for sym, ((name, sentence, group), own) in client_rows(text, "STATE").items():
        own = dict(own)
        while group != "NONE":
            (group, _), more = groups[group]
            own.update((e, r) for e, r in more.items() if e not in own)
        on = [(e, r[0], sym if r[1] == "STAY" else r[1]) for e, r in own.items() if r]
        states.append((sym, name, sentence, on, [e for e in events if not own[e]]))
    return states, [e for e, r in groups[EVERYWHERE][1].items() if r]


def client_diagram(states, everywhere):
    names = {s: n.replace("-", "_") for s, n, *_ in states}
    out = ["```mermaid", "stateDiagram-v2", f"    [*] --> {names['OFF']}"]
    for sym, _, _, on, _ in states:
        by_next = {}
        for event, _, nxt in on:
            if nxt != sym and event not in everywhere:
                by_next.setdefault(nxt, []).append(event)
        out += [f"    {names[sym]} --> {names[n]} : {', '.join(e)}" for n, e in by_next.items()]
    return "\n".join(out + ["```"])


def client_fsm():
    states, everywhere = client_states()
    names = {s: n for s, n, *_ in states}
    parts = [
        "# The client's states\n\nDrawn from src/client/core/fsm.def by tools/gen_tables.py; do not edit. An *inner* event is "
        "raised by an action and runs in the same step. A state ignores events that it does not list: such a "
        "packet is counted as UNEXPECTED, such a command is refused.",
        "Not drawn: " + ", ".join(everywhere) + ", which nearly every state has, and rows that stay in their state.",
        client_diagram(states, everywhere),
        "## Events", table(["event", "kind", "is"], [[f"`{e}`", k.lower(), d] for e, k, d in
                                                      rows("src/client/core/fsm.def", "EVENT")]),
    ]
    for sym, name, sentence, on, ignored in states:
        parts += [f"## {name}\n\n{sentence[0].upper() + sentence[1:]}.",
                  table(["event", "action", "next"], [[f"`{e}`", f"`{a}`", names[n] if n != sym else ""] for e, a, n in on]),
                  "Ignores " + ", ".join(f"`{e}`" for e in ignored) + "."]
    parts += ["## Effects", table(["effect", "asks to"], [[f"`{n}`", d] for _, n, d in rows("src/client/core/effect.def", "EFFECT")]),
              "## Events for subscribers\n\nErrors are also kept for the command `errors`.",
              table(["event", "error", "says"], [[f"`{n}`", "yes" if e == "1" else "", d] for _, n, e, d in
                                                 rows("src/client/core/notice.def", "NOTICE")]),
              "## Drops\n\nIn the order of the checks; those of frame, IP and UDP are in [tables.md](tables.md).",
              table(["drop", "meaning"], [[f"`{s}`", d] for s, d in rows("src/client/core/drop.def", "DROP")])]
    return "\n\n".join(parts) + "\n"


METRICS = """# Metrics

Drawn from the source by tools/gen_tables.py; do not edit.

The server, the gate and the client write their metrics as text for Prometheus.

| program | text |
|---|---|
| usher-server | `usherctl metrics-get`, or `GET /metrics` of a [socket for HTTP](http.md) |
| usher-gate | `usherctl gate metrics-get`, or `GET /metrics` with `--http` |
| usher-client | `usherctl client -i IFACE metrics-get`, or `GET /metrics` of `usherctl client serve` |

The argument `format=openmetrics` selects OpenMetrics 1.0.0; the default, `format=text`, is Prometheus' format 0.0.4.
In OpenMetrics the head of a counter has its name without `_total`.

Counters never go down while a program runs: `statistic-reset` does not change them. A counter begins at 0 with the
program. Labels hold names of the configuration, not of clients.

The names `kea_dhcp4_*` and their labels are those of kea-exporter and of Stork's agent, so dashboards for Kea work. Where
the two differ, both names are there. Levels such as `kea_dhcp4_addresses_total` are gauges in spite of their names.
The series of a subnet have the labels `subnet` and `prefix` (both the prefix), `subnet_id` and `shared_network`, and no
label `pool`; those of pools are families of their own, `kea_dhcp4_pool_*`.

`metrics-max-series` in `user-context.usher` limits the series of subnets and pools (500000): beyond it those of pools are
left out, then those of subnets. `usher_metrics_series_omitted` has their number.

The text of the client is made for node_exporter's directory of text files. In that of the server and the gate the
families `process_*` have names that node_exporter has, too: remove these lines there.

`packaging/grafana/usher-dashboard.json` is a dashboard and `packaging/prometheus/usher-alerts.yml` has alert rules."""


def metrics(*paths):
    """A table of the families in the .def files: FAMILY(symbol, name, type, unit, [writer,] labels, help)."""
    body = []
    for path in paths:
        for row in rows(path, "FAMILY"):
            _, name, kind, unit, *_, labels, text = row
            body.append([f"`{name}`", kind.lower(), unit, ", ".join(f"`{n}`" for n in labels.split()), text])
    return table(["metric", "type", "unit", "labels", "help"], body)


def metrics_text():
    return "\n\n".join([
        METRICS,
        "## usher-server", metrics("src/server/core/metrics.def", "src/http/metrics.def", "src/control/metrics_process.def"),
        "## usher-gate\n\nAnd `usher_http_*` and `process_*`, as above.", metrics("src/gate/run/metrics.def"),
        "## usher-client\n\n`usherctl client serve` adds `usher_http_*`, as above.", metrics("src/client/os/metrics.def"),
    ]) + "\n"


def main():
    drops = [[f"`drop-{s.lower().replace('_', '-')}`", st and f"`{st}`", d]
             for s, st, d in rows("src/packet/drop.def", "DROP")]
    text = "\n\n".join([
        "# Tables\n\nDrawn from the source by tools/gen_tables.py; do not edit.",
        "## Stages", table(["stage", "does", "hook", "function"], stages()),
        "## Drops\n\nEvery packet that ends without an answer is counted under one of these, and under Kea's "
        "counter where Kea has one (then `pkt4-receive-drop` moves too).",
        table(["statistic", "Kea's", "meaning"], drops),
        "## Statistics\n\nEach has a series in the [metrics](metrics.md).",
        "\n".join(f"- `{r[1]}`" for r in rows("src/server/core/metrics.def", "METRIC")),
        "## Commands", "Optional arguments are in brackets; one of the alternatives between bars is needed.",
        table(["command", "access", "does", "arguments"],
              [[f"`{n}`", access.lower(), d, re.sub(r"[()]", "", a)]
               for n, _, access, _, _, d, a in rows("src/server/manage/commands.def", "COMMAND")]),
        "Of Kea's libraries, when `hooks-libraries` names them:",
        table(["command", "library", "access", "does", "arguments"],
              [[f"`{n}`", f"[{lib.lower()}](library/{lib.lower()}.md)", access.lower(), d, re.sub(r"[()]", "", a)]
               for lib in ("CLASS_CMDS", "HOST_CMDS", "SUBNET_CMDS")
               for n, _, access, _, _, d, a in rows("src/server/edit/edit_commands.def", lib)]),
        "## Hook points", table(["hook point", "may park"],
                                [[f"`{n}`", "false" if lot == "NONE" else "true"] for _, n, lot, _ in rows("src/hook/hooks.def", "HOOK")]),
        "## Options", table(["code", "name", "type"],
                            [[r[0], f"`{r[2]}`", r[3].lower()] for r in rows("src/wire/options.def", "DHCP4_OPTION")]),
    ]) + "\n"
    kea, wrong = kea_text(ROOT, rows, table)
    if wrong:
        sys.exit("doc/kea_rows.def differs from the program:\n" + "\n".join(wrong))
    for name, want in (("doc/tables.md", text), ("doc/metrics.md", metrics_text()), ("doc/client-fsm.md", client_fsm()),
                       ("doc/kea.md", kea)):
        path = ROOT / name
        if "--check" not in sys.argv:
            path.write_text(want)
        elif not path.exists() or path.read_text() != want:
            sys.exit(f"{name} is not what the .def files say: run tools/gen_tables.py")
        else:
            print(f"{name} is up to date")


if __name__ == "__main__":
    main()
