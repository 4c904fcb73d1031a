# SPDX-License-Identifier: MPL-2.0
"""Where usher-client meets the liar: two namespaces, a cable, both of them."""

from lib.dhcp import ACK, DISCOVER, OFFER, REQUEST
from lib.hostile_dhcp import ADDRESS, SERVER, HostileServer, reply
from lib.netns import wait_for
from lib.server import slack
from lib.usher_client import UsherClient


class Stage:
    """A client on cli0 and a liar on srv0. good: the address that the next lease is to have."""

    def __init__(self, t, *args, start=True):
        self.t, self.srv, self.cli = t, t.lab.ns("srv"), t.lab.ns("cli")
        t.lab.veth(self.srv, "srv0", self.cli, "cli0")
        self.srv.addr("srv0", "10.77.0.1/24")
        self.server = HostileServer(self.srv, "srv0")
        self.c = UsherClient(t, self.cli, hook=False)
        self.good, self.n = ADDRESS, 0
        if start:
            self.start(*args)

    def start(self, *args):
        self.c.start("-f", *args)
        return self.server.wait(DISCOVER)

    def begin(self, command="restart"):
        """A new exchange, for another address: its DISCOVER."""
        self.n += 1
        self.good = "10.77.0.%d" % (100 + self.n % 100)
        self.server.drain()
        assert self.c.command(command)["result"] == 0
        return self.server.wait(DISCOVER)

    def requested(self, address=None):
        """The REQUEST that comes next, which must be for the good OFFER."""
        q = self.server.wait(REQUEST)
        assert (q.ip(50), q.ip(54)) == (address or self.good, SERVER), "asked for %s of %s" % (q.ip(50), q.ip(54))
        return q

    def offer(self, q, **kw):
        self.server.send(q, OFFER, reply(**dict({"yiaddr": self.good}, **kw)))

    def ack(self, q, options=None, **kw):
        self.server.send(q, ACK, reply(options, **dict({"yiaddr": self.good}, **kw)))

    def bound(self, address=None, prefix=24):
        """Waits until it is, on the interface too; the answer to `state`."""
        want = address or self.good
        self.c.wait_state("BOUND")
        wait_for(want + " on the interface", lambda: self.c.addresses() == ["%s/%d" % (want, prefix)], slack(5), 0.005)
        s = self.c.state()
        assert s["lease"]["address"] == want, s
        return s

    def lease(self, options=None, command="restart"):
        """A good lease; the answer to `state`."""
        q = self.begin(command)
        self.offer(q)
        self.ack(self.requested(), options)
        return self.bound()

    def drops(self):
        return dict(self.c.stats()["drops"])

    def end(self):
        assert self.c.proc.poll() is None, "the client ended with %s: %s" % (self.c.proc.returncode, self.c.output())
        assert self.c.end() == 0
        self.server.close()
