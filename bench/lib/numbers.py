# SPDX-License-Identifier: MPL-2.0
"""Reading the output of programs and of the kernel, and its statistics. No function here runs a program."""

import json
import re
import statistics


# --- reading ---------------------------------------------------------------------------------------------

def callgrind_total(text):
    """Instructions in a callgrind output file: its totals, not its summary, which is 0 when counting was
    switched. ValueError when there are none."""
    m = re.search(r"^totals: (\d+)", text, re.M)
    if not m or int(m.group(1)) == 0:
        raise ValueError("callgrind counted nothing")
    return int(m.group(1))


def load_result(text):
    """The generator's JSON: its last line that is a map. ValueError when there is none."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            r = json.loads(line)
            if "exchanges" in r and "rate" in r:
                return r
    raise ValueError("the generator gave no result: " + text[-500:])


def proc_cpu(stat, ticks):
    """(user, system) seconds of a process, threads and waited-for children included: /proc/PID/stat."""
    v = stat.rsplit(")", 1)[1].split()
    return (int(v[11]) + int(v[13])) / ticks, (int(v[12]) + int(v[14])) / ticks


def proc_field(text, name):
    """The number behind `name:` in /proc/PID/status or /proc/PID/io."""
    m = re.search(r"^%s:\s+(\d+)" % re.escape(name), text, re.M)
    if not m:
        raise ValueError("no field " + name)
    return int(m.group(1))


def strace_calls(text):
    """{call: count} of `strace -c`."""
    out = {}
    for line in text.splitlines():
        m = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)\s*$", line)
        if m and m.group(2) != "total":
            out[m.group(2)] = int(m.group(1))
    return out


def strace_log(text):
    """[(time, process, call)] of `strace -f -ttt -o`: one entry a call, also of one that another interrupted."""
    out = []
    for line in text.splitlines():
        m = re.match(r"(\d+) +(\d+\.\d+) (\w+)\(", line)
        if m:
            out.append((float(m.group(2)), int(m.group(1)), m.group(3)))
    return out


def mapped_files(maps):
    """Paths that /proc/PID/maps has mapped executable: the program and its libraries."""
    return {m.group(1) for m in re.finditer(r"^\S+ ..x. \S+ \S+ \d+ +(/\S.*)$", maps, re.M)}


def busy_until(log):
    """The time from which on the process of this log used nothing: a generator waits for the last answers
    after the phase that it measured."""
    end = len(log) - 1
    while end > 0 and log[end][1:] == log[end - 1][1:]:
        end -= 1
    return log[end][0]


def used_since(log, when):
    """log: [(time, user, system)], in order, the last is now. (user, system) used since when, which may lie
    between two entries."""
    end = log[-1]
    for before, after in zip(log, log[1:]):
        if after[0] >= when:
            part = max(0, when - before[0]) / (after[0] - before[0]) if after[0] > before[0] else 0
            at = [before[i] + part * (after[i] - before[i]) for i in (1, 2)]
            return end[1] - at[0], end[2] - at[1]
    return 0.0, 0.0


def sample(r, user, system):
    """The numbers of a table: r the generator's result, user and system the server's seconds meanwhile. CPU of
    an exchange is not there when there was none."""
    n = r["exchanges"]
    errors = r.get("errors", {})
    out = {"rate": r["rate"], "p50": r["latency_us"]["p50"], "p99": r["latency_us"]["p99"],
           "max": r["latency_us"]["max"], "drops": r.get("drops", 0), "exchanges": n,
           "wrong": sum(v for v in errors.values() if isinstance(v, int)),
           "generator_us": r.get("cpu_us_per_exchange")}
    if n:
        out.update(user_us=1e6 * user / n, system_us=1e6 * system / n, cpu_us=1e6 * (user + system) / n)
    return out


# --- statistics --------------------------------------------------------------------------------------------

def spread(values):
    """(median, least, most); ValueError of nothing."""
    if not values:
        raise ValueError("no values")
    return statistics.median(values), min(values), max(values)


def ratios(pairs):
    """The spread of first over second, pair by pair: a disturbance of the machine affects both."""
    good = [a / b for a, b in pairs if b]
    return spread(good) if good else None


def figure(x):
    """A number as a reader wants it: three figures, thousands marked."""
    if x is None:
        return "–"
    if isinstance(x, int) and abs(x) < 1000:
        return str(x)
    if x == 0:
        return "0"
    if abs(x) >= 1000:
        digits = len(str(int(abs(x)))) - 3
        return format(int(round(x, -digits)), ",d")
    if abs(x) >= 100:
        return "%.0f" % x
    if abs(x) >= 10:
        return "%.1f" % x
    return "%.2f" % x


def with_range(s):
    """A spread as text."""
    if s is None:
        return "–"
    med, low, high = s
    if low == high:
        return figure(med)
    return "%s (%s–%s)" % (figure(med), figure(low), figure(high))


def times(s):
    """A spread of ratios as text."""
    return "–" if s is None else "×%s" % with_range(s)


# --- text ----------------------------------------------------------------------------------------------------

def table(columns, lines):
    """A table in Markdown."""
    out = ["| %s |" % " | ".join(columns), "|%s" % ("---|" * len(columns))]
    return "\n".join(out + ["| %s |" % " | ".join(str(c) for c in line) for line in lines])


def replace_block(text, block, begin="<!-- bench:begin -->", end="<!-- bench:end -->"):
    """Returns text with the part between the markers replaced. ValueError without them, in that order, once."""
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError("the markers %s and %s are not there once" % (begin, end))
    return text[:text.index(begin) + len(begin)] + "\n" + block.strip("\n") + "\n" + text[text.index(end):]
