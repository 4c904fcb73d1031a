# SPDX-License-Identifier: MPL-2.0
"""Dissectors in Lua between real hosts: the hosts see the changes and drops of rules on their events."""

import json
import os
import smtplib
import socket
import subprocess
import threading

from lib.gate import Gate, cable, lossy
from lib.runner import test
from lib.server import slack
from test_gate_rules import _Sink

_MODULES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../modules/gate")

# A recipient and words of the content change, and grow; one recipient may not be written to.
_MAIL = """
require('smtp')
local events = haka.dissectors.smtp.events
haka.rule{
	on = events.command,
	eval = function (smtp, command)
		if command.verb:upper() ~= 'RCPT' then return end
		if command.parameter:find('enemy', 1, true) then return smtp:drop() end
		command.parameter = command.parameter:gsub('b@', 'somebody.else@')
	end
}
haka.rule{
	on = events.mail_content,
	eval = function (smtp, line)
		if not line then return end
		local text = line:asstring()
		local new = text:gsub('secret', 'nothing to see')
		if new ~= text then line:setstring(new) end
	end
}
haka.rule{
	on = events.response,
	eval = function (smtp, response, verb) print(verb, #response.lines, response.lines[1].code) end
}
"""


class _MailServer(threading.Thread):
    """As much of SMTP as a client needs, for so many connections; keeps the received lines."""

    def __init__(self, ns, addr, connections=1):
        super().__init__(daemon=True)
        with ns:
            self.listener = socket.create_server((addr, 25))
        self.connections, self.commands, self.mails, self.ended = connections, [], [], 0
        self.start()

    def run(self):
        for _ in range(self.connections):
            c, _ = self.listener.accept()
            c.settimeout(slack(30))
            try:
                with c, c.makefile("rb") as lines:
                    self.serve(c, lines)
            except OSError:
                pass
            self.ended += 1

    def serve(self, c, lines):
        c.sendall(b"220 mail.example\r\n")
        for line in lines:
            self.commands.append(line.decode().strip())
            verb = line[:4].upper()
            if verb == b"EHLO":
                c.sendall(b"250-mail.example\r\n")
                c.sendall(b"250 8BITMIME\r\n")
            elif verb == b"DATA":
                c.sendall(b"354 go on\r\n")
                mail = []
                for text in lines:
                    if text == b".\r\n":
                        break
                    mail.append(text)
                self.mails.append(b"".join(mail))
                c.sendall(b"250 taken\r\n")
            elif verb == b"QUIT":
                c.sendall(b"221 bye\r\n")
                return
            else:
                c.sendall(b"250 fine\r\n")


@test(timeout=60, tags=("asan",))
def test_gate_lua_mail(t):
    """A mail of 300 KB: its recipient and some lines are changed on the way, the others are not."""
    a, b, g = cable(t)
    server = _MailServer(b, "10.70.0.2", connections=2)
    gate = Gate(t, g, _MAIL).start("-i", "ga", "-i", "gb", "--modules", _MODULES)
    text = "".join("line %d is %s\r\n" % (i, "a secret" if i % 100 == 0 else "for all") for i in range(15000))
    with a:
        client = smtplib.SMTP("10.70.0.2", 25, local_hostname="client.example", timeout=slack(30))
    try:
        client.sendmail("a@client.example", ["b@mail.example"], "Subject: hello\r\n\r\n" + text)
    except smtplib.SMTPException as e:
        raise AssertionError("%s; %s; %s" % (e, gate.log(), gate.end())) from e
    client.quit()
    # to the one that may not be written to: the connection is dead
    with a:
        client = smtplib.SMTP("10.70.0.2", 25, local_hostname="client.example", timeout=3)
    refused = False
    try:
        client.sendmail("a@client.example", ["enemy@mail.example"], "Subject: hello\r\n\r\ntext")
    except (OSError, smtplib.SMTPException):
        refused = True
    client.close()
    s = gate.end()
    assert refused and not any("enemy" in c for c in server.commands), server.commands
    assert any(c.upper() == "RCPT TO:<SOMEBODY.ELSE@MAIL.EXAMPLE>" for c in server.commands), server.commands
    want = ("Subject: hello\r\n\r\n" + text.replace("secret", "nothing to see")).encode()
    assert server.mails == [want], "%d mails, %s octets, expected %d" % (
        len(server.mails), [len(m) for m in server.mails], len(want))
    assert s["drops"].get("drop-script-dissector") == 1, s
    assert s["dissectors"]["smtp"] == 2, s


# Each third line is another: many more changes are on their way at a time than there is room for, and a line that is cut at the end of
# a segment is held back.
_LINES = """
local g = haka.grammar.new('lines', function () line = record{ field('text', raw_token('[^%n]*%n')) } export(line) end)
haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	options = { streamed = true },
	eval = function (flow, iter, direction)
		local n = 0
		while iter:wait() do
			local line, err = g.line:parse(iter)
			if err then return end
			n = n + 1
			if n % 3 == 0 and direction == 'up' then line.text = 'changed line' .. string.char(10) end
		end
	end
}
"""


@test(timeout=60, tags=("asan",), cases={"whole": 0, "lossy": 31})
def test_gate_lua_lines(t, every):
    """15,000 lines, each third of which is changed by a reader that waits for whole lines; also where each 31st segment is
    lost on its way to it."""
    a, b, g = cable(t)
    gate = Gate(t, g, lossy(every) + _LINES).start("-i", "ga", "-i", "gb")
    sink = _Sink(b, "10.70.0.2", 9000)
    lines = [b"line %d is a line\n" % i for i in range(15000)]
    with a:
        s = socket.socket()
    s.settimeout(slack(30))
    with s:
        s.connect(("10.70.0.2", 9000))
        s.sendall(b"".join(lines))
        s.shutdown(socket.SHUT_WR)
        s.recv(100)
    sink.join(slack(10))
    want = b"".join(b"changed line\n" if i % 3 == 2 else line for i, line in enumerate(lines))
    assert bytes(sink.got) == want, "%d octets, expected %d" % (len(sink.got), len(want))
    gate.end()


_WAITS = """
haka.rule{
	on = haka.dissectors.tcp_connection.events.receive_data,
	options = { streamed = true },
	eval = function (flow, iter, direction)
		if direction == 'down' then return end
		local s = iter:sub(6)
		print(s:asstring(), pcall(s.setstring, s, 'other!'))
	end
}
"""


@test(timeout=60, tags=("asan",))
def test_gate_lua_waits(t):
    """A rule waits for more than a client says before it has its answer: seconds later the held data is forwarded,
    and the rule gets the error that it came too late to change it."""
    a, b, g = cable(t)
    gate = Gate(t, g, _WAITS).start("-i", "ga", "-i", "gb")
    with b:
        listener = socket.create_server(("10.70.0.2", 9000))
    with a:
        s = socket.socket()
    with listener, s:
        s.settimeout(slack(20))
        listener.settimeout(slack(20))
        s.connect(("10.70.0.2", 9000))
        c, _ = listener.accept()
        with c:
            c.settimeout(slack(20))
            for said, answer in ((b"one", b"yes"), (b"two", b"bye")):
                s.sendall(said)
                got = c.recv(3)
                assert got == said, got
                c.sendall(answer)
                got = s.recv(3)
                assert got == answer, got
    gate.end()
    assert "onetwo\tfalse\t" in gate.said(), gate.said()


_COMMANDS = """
local seen = haka.shared('seen')
haka.rule{
	on = haka.dissectors.ipv4.events.receive_packet,
	eval = function (pkt) seen:add(tostring(pkt.src)) end
}
haka.command{
	name = 'seen', args = 'address:text', access = 'read', help = 'packets of an address',
	eval = function (args)
		if args.address == 'all' then error('not all') end
		return { packets = seen[args.address] or 0 }
	end
}
"""


def _request(gate, command, **arguments):
    with socket.socket(socket.AF_UNIX) as c:
        c.settimeout(slack(10))
        c.connect(gate.socket)
        c.sendall(json.dumps({"command": command, "arguments": arguments}).encode())
        return json.loads(b"".join(iter(lambda: c.recv(65536), b"")))


@test()
def test_gate_commands_of_rules(t):
    """A rule file adds a command; requests are answered by one worker, from data of all of them. A name of the gate's
    own is refused with file and line."""
    a, _, g = cable(t)
    gate = Gate(t, g, _COMMANDS).start("-i", "ga", "-i", "gb", "-j", "2")
    a.run("ping", "-c", "3", "-i", "0.2", "10.70.0.2")
    assert gate.ctl("seen", "address=10.70.0.1")["packets"] == 3
    assert "seen" in gate.ctl("list-commands")
    row = gate.ctl("command-get", "name=seen")["commands"][0]
    assert row == {"name": "seen", "purpose": "packets of an address", "arguments": "address:text", "access": "read"}
    for arguments, text in (({}, "'address' parameter not specified"), ({"address": "all"}, "gate.lua:10: not all")):
        r = _request(gate, "seen", **arguments)
        assert r["result"] == 1 and text in r["text"], r
    gate.end()
    rules = t.lab.path("taken.lua")
    with open(rules, "w", encoding="utf-8") as f:
        f.write("\nhaka.command{name = 'flows', eval = function () end}\n")
    r = subprocess.run([gate.binary, "-t", rules], stderr=subprocess.PIPE, text=True, check=False, timeout=slack(20))
    assert r.returncode == 1, r
    assert "taken.lua:2: haka.command: command 'flows' is a command of the gate already" in r.stderr, r.stderr
