# SPDX-License-Identifier: MPL-2.0
"""The captures that row tests go through, by name: a function that is given a Net and sends frames on it. No value
that differs between runs is used: the octets are equal each time."""

import inspect
import struct

import frames
from frames import ACK, FIN, PSH, RST, SYN

CLIENT, SERVER = "10.0.0.1", "10.0.0.2"
captures = {}


def capture(fn):
    captures[fn.__name__.replace("_", "-")] = fn
    return fn


def make(spec):
    """spec: NAME, or NAME with values between colons. The frames, as (seconds, octets)."""
    name, *args = spec.split(":")
    net = Net()
    captures[name](net, *args)
    return net.frames


class Net:
    """A wire between two hosts. Frames come a millisecond after each other unless wait() says more."""

    def __init__(self):
        self.frames, self.now = [], 1000.0

    def wait(self, seconds):
        self.now += seconds

    def frame(self, data):
        self.frames.append((self.now, data))
        self.now += 0.001

    def ip(self, payload, proto, src=CLIENT, dst=SERVER, vlan=None, **kw):
        up = src == CLIENT
        self.frame(frames.eth(frames.ip(payload, proto, src, dst, **kw), vlan=vlan, src="client" if up else "server",
                              dst="server" if up else "client"))

    def udp(self, payload, sport, dport, src=CLIENT, dst=SERVER, **kw):
        self.ip(frames.udp(payload, src, dst, sport, dport), frames.UDP, src, dst, **kw)

    def icmp(self, type, code, rest, src=CLIENT, dst=SERVER, **kw):
        self.ip(frames.icmp(type, code, rest), frames.ICMP, src, dst, **kw)

    def segment(self, payload=b"", src=CLIENT, dst=SERVER, sport=1000, dport=80, **kw):
        """A TCP segment, with no connection behind it."""
        self.ip(frames.tcp(payload, src, dst, sport, dport, **kw), frames.TCP, src, dst)


class Tcp:
    """A connection of the client's: each call is one segment. Numbers are kept."""

    def __init__(self, net, sport=40000, dport=80, client=CLIENT, server=SERVER, seq=1000, ack=5000):
        self.net, self.ends, self.ports = net, (client, server), (sport, dport)
        self.seq = [seq, ack]

    def send(self, up, payload=b"", flags=ACK, seq=None, count=True, **kw):
        """count: the sender's next segment begins behind it."""
        me = 0 if up else 1
        self.net.segment(payload, self.ends[me], self.ends[1 - me], self.ports[me], self.ports[1 - me],
                         seq=self.seq[me] if seq is None else seq, ack=self.seq[1 - me] if flags & ACK else 0, flags=flags, **kw)
        if count:
            self.seq[me] += len(payload) + bool(flags & (SYN | FIN))

    def up(self, payload=b"", flags=ACK | PSH, **kw):
        self.send(True, payload, flags, **kw)

    def down(self, payload=b"", flags=ACK | PSH, **kw):
        self.send(False, payload, flags, **kw)

    def open(self):
        self.up(flags=SYN)
        self.down(flags=SYN | ACK)
        self.up(flags=ACK)
        return self

    def close(self):
        self.up(flags=FIN | ACK)
        self.down(flags=FIN | ACK)
        self.up(flags=ACK)


def dns_name(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".") if p) + b"\0"


def dns(ident, flags, name, answers=(), qtype=1):
    """A message with one question; answers: (type, rdata), of that name."""
    return (struct.pack("!6H", ident, flags, 1, len(answers), 0, 0) + dns_name(name) + struct.pack("!HH", qtype, 1)
            + b"".join(b"\xc0\x0c" + struct.pack("!HHIH", t, 1, 60, len(d)) + d for t, d in answers))


# --- The captures -----------------------------------------------------------------------------------------

@capture
def ping(net):
    """An echo request and its reply."""
    net.icmp(8, 0, b"\0\1\0\1hello", ttl=9, id=7)
    net.icmp(0, 0, b"\0\1\0\1hello", SERVER, CLIENT, id=8)


@capture
def datagrams(net):
    """Three datagrams to port 9000, an answer, one to another port."""
    for i in range(3):
        net.udp(b"datagram %d" % i, 1000, 9000, id=i + 1)
    net.udp(b"answer", 9000, 1000, SERVER, CLIENT, id=9)
    net.udp(b"elsewhere", 1000, 9001, id=10, tos=8, df=True)


@capture
def fragments(net):
    """One datagram in three pieces, the last before the second."""
    data = frames.udp(bytes(range(65, 91)) * 4, CLIENT, SERVER, 1000, 9000)
    for at, end in ((0, 48), (96, len(data)), (48, 96)):
        net.ip(data[at:end], frames.UDP, id=77, offset=at, mf=end < len(data))


@capture
def mixed(net):
    """ARP, a tagged datagram, an unknown EtherType, IPv4 of an unknown protocol, and a datagram."""
    net.frame(frames.eth(frames.arp(1, "client", CLIENT, "00:00:00:00:00:00", SERVER), 0x0806, dst="ff:ff:ff:ff:ff:ff"))
    net.udp(b"tagged", 1000, 9000, vlan=42)
    net.frame(frames.eth(b"unknown to us", 0x88b5))
    net.ip(b"exotic", 99)
    net.udp(b"plain", 1000, 9000)


@capture
def unsummed(net):
    """As a machine captures its own packets: IPv4 headers without checksum, of a datagram and a ping."""
    def zero(data):
        data = bytearray(frames.eth(data))
        data[24:26] = b"\0\0"
        net.frame(bytes(data))
    zero(frames.ip(frames.udp(b"datagram", CLIENT, SERVER, 1000, 9000), frames.UDP, CLIENT, SERVER))
    zero(frames.ip(frames.icmp(8, 0, b"\0\1\0\1hello"), frames.ICMP, CLIENT, SERVER))


@capture
def damaged(net):
    """A good datagram, one with a wrong UDP checksum, one whose IP header is cut off."""
    net.udp(b"good", 1000, 9000)
    bad = bytearray(frames.eth(frames.ip(frames.udp(b"bad", CLIENT, SERVER, 1000, 9000), frames.UDP, CLIENT, SERVER)))
    bad[-1] ^= 1
    net.frame(bytes(bad))
    net.frame(frames.eth(b"\x45\0\0"))


@capture
def talk(net, port="7"):
    """A connection: two lines up, one down, an end."""
    c = Tcp(net, dport=int(port)).open()
    c.up(b"first line\n")
    c.down(b"an answer\n")
    c.up(b"second line\n")
    c.close()


@capture
def retransmission(net):
    """The first line is retransmitted, then a keep-alive probe, then the rest."""
    c = Tcp(net, dport=7).open()
    at = c.seq[0]
    c.up(b"first line\n")
    c.up(b"first line\n", seq=at, count=False)
    c.down(flags=ACK)
    c.up(b"", seq=c.seq[0] - 1, flags=ACK, count=False)
    c.down(flags=ACK)
    c.up(b"second line\n")
    c.close()


@capture
def pieces(net, *cuts):
    """A connection whose client says "GET /secret/plans HTTP/1.0", cut at the given places, the second half of the first piece once
    more; an answer in two pieces; an end."""
    text, at = b"GET /secret/plans HTTP/1.0\r\n\r\n", [0, *map(int, cuts)]
    c = Tcp(net, dport=7).open()
    for i, start in enumerate(at):
        c.up(text[start:at[i + 1] if i + 1 < len(at) else None])
        if i == 1:
            c.up(text[at[1] // 2:at[1]], seq=1001 + at[1] // 2, count=False)
    c.down(b"no such ")
    c.down(b"thing\n")
    c.close()


@capture
def silence(net):
    """A connection that says a line, is silent for three hours, and says another."""
    c = Tcp(net, dport=7).open()
    c.up(b"first line\n")
    c.down(flags=ACK)
    net.wait(3 * 3600)
    c.up(b"second line\n")


@capture
def reordered(net):
    """The second line comes before the first."""
    c = Tcp(net, dport=7).open()
    at = c.seq[0]
    c.up(b"second line\n", seq=at + 11, count=False)
    c.up(b"first line\n", seq=at, count=False)
    c.seq[0] = at + 23
    c.down(b"an answer\n")
    c.close()


@capture
def midstream(net):
    """Segments of a connection whose beginning nobody saw."""
    c = Tcp(net, dport=7)
    c.up(b"in the middle\n")
    c.down(b"of it\n")


@capture
def refused(net):
    """A connection that is answered by RST."""
    c = Tcp(net, dport=7)
    c.up(flags=SYN)
    c.down(flags=RST | ACK)


@capture
def http(net, port="80"):
    """Two exchanges on one connection, bodies in both."""
    c = Tcp(net, dport=int(port)).open()
    c.up(b"GET /index.html?q=1&r=two HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: test\r\nCookie: a=1; b=2\r\n\r\n")
    c.down(b"HTTP/1.1 200 OK\r\nServer: test\r\nSet-Cookie: c=3\r\nContent-Length: 5\r\n\r\nhello")
    c.up(b"POST /form HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 9\r\n\r\nname=test")
    c.down(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnone\r\n0\r\n\r\n")
    c.close()


@capture
def http_until_close(net):
    """A body that ends with the connection."""
    c = Tcp(net).open()
    c.up(b"GET / HTTP/1.0\r\n\r\n")
    c.down(b"HTTP/1.0 200 OK\r\n\r\npart one, ")
    c.down(b"part two")
    c.down(flags=FIN | ACK)
    c.up(flags=FIN | ACK)
    c.down(flags=ACK)


@capture
def names(net):
    """A question with its answer (an alias and an address), one for an MX, an answer that nobody asked for."""
    net.udp(dns(1, 0x0100, "www.example.com"), 5000, 53)
    net.udp(dns(1, 0x8180, "www.example.com", [(5, b"\3cdn\xc0\x10"), (1, bytes([192, 0, 2, 7]))]), 53, 5000, SERVER, CLIENT)
    net.udp(dns(2, 0x0100, "example.com", qtype=15), 5001, 53)
    net.udp(dns(2, 0x8180, "example.com", [(15, b"\0\x0a\4mail\xc0\x0c")], qtype=15), 53, 5001, SERVER, CLIENT)
    net.udp(dns(9, 0x8180, "www.example.com", [(1, bytes([203, 0, 113, 9]))]), 53, 5000, SERVER, CLIENT)


@capture
def tftp(net, port="69"):
    """A file is asked for with an option, two blocks and their acknowledgements, a request that nobody can read, a failure."""
    port = int(port)
    net.udp(b"\0\1boot.img\0octet\0blksize\x001024\0", 2000, port)
    net.udp(b"\0\3\0\1first", port, 2000, SERVER, CLIENT)
    net.udp(b"\0\4\0\1", 2000, port)
    net.udp(b"\0\3\0\2second", port, 2000, SERVER, CLIENT)
    net.udp(b"\0\4\0\2", 2000, port)
    net.udp(b"\0\x09nonsense", 2001, port)
    net.udp(b"\0\1none.img\0octet\0x\0y\0", 2002, port)
    net.udp(b"\0\5\0\1not found\0", port, 2002, SERVER, CLIENT)


@capture
def smtp(net, port="25"):
    """A mail, its commands in a group, lines cut between segments."""
    c = Tcp(net, dport=int(port)).open()
    c.down(b"220 mail.exam")
    c.down(b"ple ready\r\n")
    c.up(b"EHLO client.example\r\n")
    c.down(b"250-mail.example\r\n250-PIPELINING\r\n")
    c.down(b"250 SIZE 1000\r\n")
    c.up(b"MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mail.example>\r\nDATA\r\n")
    c.down(b"250 fine\r\n250 fine\r\n354 go on\r\n")
    c.up(b"Subject: hello\r\n\r\nsec")
    c.up(b"ret text\r\n.")
    c.up(b"\r\n")
    c.down(b"250 taken\r\n")
    c.up(b"QUIT\r\n")
    c.down(b"221 bye\r\n")
    c.close()


@capture
def smtp_broken(net):
    """A server that sends a line that is no answer."""
    c = Tcp(net, dport=25).open()
    c.down(b"HTTP/1.1 200 OK\r\n")
    c.up(b"EHLO x\r\n")


@capture
def lines(net, port="7000"):
    """Messages of a made-up protocol: a number of two digits and so many octets; an answer to each; then silence for a while."""
    c = Tcp(net, dport=int(port)).open()
    c.up(b"05hel")
    c.up(b"lo03")
    c.down(b"02ok")
    c.up(b"abc")
    c.down(b"02no")
    net.wait(30)
    c.up(b"04late")
    c.close()


@capture
def labels(net, port="5000"):
    """Datagrams of a made-up tunnel: version and label in one octet, type, length, and an inner message of number and text."""
    port = int(port)
    net.udp(b"\x21\x01\x00\x05\x00\x07abc", 1000, port)
    net.udp(b"\x22\x02\x00\x03raw", 1000, port)
    net.udp(b"\x31\x01\x00\x05\x00\x07abc", 1000, port)
    net.udp(b"\x21", 1000, port)


@capture
def names_in_circles(net):
    """A question whose name points to itself, one that points to its end, one that is fine."""
    head = struct.pack("!6H", 3, 0x0100, 1, 0, 0, 0)
    for name in (b"\xc0\x0c", b"\1a\xc0\x0e", b"\1a\0"):
        net.udp(head + name + struct.pack("!HH", 1, 1), 5000, 53)


@capture
def idle(net):
    """A connection that nobody says anything on for three hours, then a datagram, then a segment of the connection."""
    c = Tcp(net, dport=7).open()
    c.up(b"first line\n")
    net.wait(3 * 3600)
    net.udp(b"later", 1000, 9000)
    c.up(b"second line\n")


def listing():
    """Returns the captures, for README.md."""
    return ["%s: %s" % (n, inspect.getdoc(f)) for n, f in captures.items()]
