/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whole frames in and out, each of them owed one verdict: the base of the gate. Users see this
 * header; a back end implements frames_backend.h. A source of frames belongs to one thread; nothing
 * here blocks, and nothing allocates after open.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

struct frames;

enum { FRAMES_BATCH = 64, FRAME_MAX_LEN = 65535 + 14 + 8 * 4 };

/* The header that a frame begins with. */
enum frame_link {
	FRAME_ETHERNET,
	FRAME_IPV4,   /* the IPv4 header */
	FRAME_COOKED, /* Linux cooked capture, version 1: 16 octets */
	FRAME_NULL,   /* BSD loopback: 4 octets of address family */
	FRAME_N_LINKS
};

enum frame_flag {
	/* the TCP or UDP checksum is left to hardware: its field holds the pseudo header's sum, or
	   nothing */
	FRAME_CSUM_NOT_READY = 1,
	FRAME_TRUNCATED = 2, /* the source holds less of it than was on the wire */
	FRAME_WRITTEN = 4,   /* set by its user: the octets lent were written to */
	FRAME_CREATED = 8,   /* its user's own: no source lent it, so accepted it is injected */
	FRAME_DAMAGED = 16,  /* not as it was on the wire (octets or a VLAN tag were lost): it must
				not be forwarded */
};

enum {
	FRAME_OFFLOAD_CSUM = 1
}; /* flags: csum_start and csum_offset say which checksum is still to be made */

/* Work that the kernel leaves to hardware, and accepts back from senders (virtio's terms). */
struct frame_offload {
	uint8_t flags, gso_type; /* gso_type: not 0: longer than the link takes, to be cut */
	uint16_t hdr_len, gso_size;
	uint16_t csum_start, csum_offset;
};

/* One frame, lent until the source is asked for the next batch. Its verdict may come later, with a
 * copy of this and octets of one's own. */
struct frame {
	uint8_t *data;
	uint32_t len;
	uint16_t port;	 /* which interface of the source it came in by: 0, 1, … */
	uint8_t link;	 /* enum frame_link */
	uint8_t flags;	 /* enum frame_flag */
	uint32_t not_to; /* ports (a bit each) that it must not leave by; set with the verdict */
	int64_t ts_ns;	 /* wall clock at capture */
	uint64_t id;	 /* the source's own */
	uint32_t side;	 /* the interface it came in by, which tells the directions of a flow apart;
			    0: not known */
	struct frame_offload offload;
};

/* Of the port of a frame that an injected one is like: it leaves by that port, instead of as if it
 * had come by it. */
enum { FRAME_BACK = 0x8000 };

enum frame_verdict { FRAME_DROP, FRAME_ACCEPT };

struct frames_stats {
	uint64_t received, accepted, dropped, injected;
	uint64_t send_errors;
	uint64_t source_drops; /* lost before we saw them, where the source knows */
	uint64_t octets;       /* received */
};

/* Receives up to n (at most FRAMES_BATCH) frames. Returns their count, or -errno of a broken
 * source. 0: there are none now, or a file has ended. */
int frames_recv(struct frames *f, struct frame *ret, size_t n) must_check;
/*
 * Gives the one verdict of a frame. FRAME_ACCEPT forwards `data`: the frame's own octets or others;
 * borrowed until frames_flush(). 0, or -errno: it could not be forwarded (counted).
 */
int frames_verdict(struct frames *f, const struct frame *fr, enum frame_verdict v,
		   struct span data);
/* Sends a frame that was never received, as if `like` had been accepted; borrowed until
 * frames_flush(). */
int frames_inject(struct frames *f, const struct frame *like, struct span data);
/* Releases the octets that verdicts borrowed: after each batch. */
int frames_flush(struct frames *f);
/* Called at the end: all forwarded frames have reached the system. 0 or -errno (a full disk). */
int frames_finish(struct frames *f) must_check;
/* Returns the descriptor to poll for reading; -1: the source is always ready (files, memory). */
int frames_fd(const struct frames *f);
/* Returns whether the source is only observed: its verdicts change nothing. */
bool frames_passive(const struct frames *f);
/* Returns whether frames are sent as they are if their checksum is not ready. If not, their
 * checksums have to be completed before. */
bool frames_offload(const struct frames *f);
/* Returns the reason why a source returned an error, with the place; NULL: nothing more is
 * known. */
const char *frames_why(const struct frames *f);
/* Returns nanoseconds since the epoch that never step: the wall clock when a live source was
 * opened, and the monotonic time since. Of other sources 0: their time is that of their frames. */
int64_t frames_now(const struct frames *f);
/* Returns how far the wall clock has been set ahead (negative: back) since a live source was
 * opened, compared with frames_now(). */
int64_t frames_wall_ahead(const struct frames *f);
/* Returns whether the frames come from a recording. Their receivers have answered the recorded
 * octets, not the forwarded ones, and the machine that recorded them may have left checksums to its
 * hardware. */
bool frames_recorded(const struct frames *f);
/* Returns the name of a port ("eth0", "in.pcap"); "" beyond the last one. */
const char *frames_port_name(const struct frames *f, unsigned port);
/* Returns the length of the longest frame, link header included, that can leave as an accepted or
 * injected frame `fr` does. tagged: it begins with an 802.1Q tag, which the MTU does not count.
 * UINT32_MAX: no limit is known. */
uint32_t frames_room(struct frames *f, const struct frame *fr, bool tagged);
/* Reads the hardware address of a port. False: it has none. */
bool frames_port_mac(const struct frames *f, unsigned port, uint8_t ret[6]);
void frames_stats(const struct frames *f, struct frames_stats *ret);
/* Returns which part of a file has been read, 0 to 1; negative: no end is known. */
double frames_progress(const struct frames *f);
void frames_close(struct frames *f);

/*
 * Reads a capture file (pcap, pcapng; Ethernet, Linux cooked, BSD loopback, raw IP), writes
 * accepted and injected frames to out_path (NULL: nowhere) with the time stamps it was received
 * with. 0, -errno, -USHER_E_MALFORMED (no capture file), -USHER_E_UNSUPPORTED (another link type);
 * reading a file that is cut off: -USHER_E_TRUNCATED.
 */
int frames_pcap_open(const char *in_path, const char *out_path, struct frames **ret) must_check;

/* Writes the link type of a capture file as libpcap names it ("IEEE802_11"); its number where it
 * has no name. */
void frames_pcap_link(const char *path, char *ret, size_t cap);

/*
 * Network interfaces, frame by frame (AF_PACKET, promiscuous). One: it only watches. Two: frames
 * received by one are sent by the other. More: a learning switch, which learns from accepted frames
 * only. A worker of several opens its own, with the same group: both directions between two
 * addresses, fragments too, come to the same one. 0, -errno (-ENODEV: *ret_bad is the index of the
 * interface that is not there; -EPROTONOSUPPORT: that has no Ethernet).
 */
enum { FRAMES_MAX_PORTS = 16 };
struct frames_link_opts {
	const char *const *ifnames;
	unsigned n;
	unsigned worker, n_workers; /* n_workers > 1: one of so many */
	int group;		    /* of this gate: any number of its own, 1 to 4095 */
	int rcvbuf;		    /* octets; 0: default */
};
/* Finds the bridge (or bond) that an interface is a port of. False: there is none, or it is not
 * known. ret: IF_NAMESIZE octets. */
bool frames_link_master(const char *ifname, char *ret);
int frames_link_open(const struct frames_link_opts *o, struct frames **ret, unsigned *ret_bad)
	must_check;

/*
 * Packets of netfilter queue number `queue` (the xt target NFQUEUE), IPv4 only. Injected packets
 * carry `mark`, so that the rules that fill the queue can let them pass. 0, or -errno: -EPERM
 * without the right, -EBUSY if another program has the queue.
 */
struct frames_nfqueue_opts {
	uint16_t queue;
	uint32_t mark;
	int rcvbuf; /* octets; 0: default */
};
int frames_nfqueue_open(const struct frames_nfqueue_opts *o, struct frames **ret) must_check;

/* Opens the test double: pushed frames are received; accepted and injected frames are popped. */
int frames_memory_open(enum frame_link link, struct frames **ret) must_check;
/* Pushes a frame; port 1 and above are sides of a flow (frame.side), port 0 is not. */
/* Adds octets as a source would lend them, with all other members of `like`. 0, -ENOMEM. */
int frames_memory_push_as(struct frames *f, struct span data, const struct frame *like) must_check;
int frames_memory_push(struct frames *f, struct span data, uint16_t port, int64_t ts_ns,
		       unsigned flags) must_check;
/* Moves the oldest forwarded frame into buf. Returns its length; 0: there is none. */
size_t frames_memory_pop(struct frames *f, uint8_t *buf, size_t cap, struct frame *ret);
