/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The server of fuzz_server and fuzz_control: set up, the generator of packets, and the checks of
 * its answers. The checks keep a book of their own, from the answers alone: which client was
 * promised which address until when. An entry ends early only by the protocol's rules: RELEASE, or
 * a move of the client within its network.
 */
#include "fuzz_server_util.h"

#include "base/ip.h"
#include "base/log.h"
#include "capture/capture.h"
#include "config/config.h"
#include "control/channel.h"
#include "control/framing.h"
#include "lease/journal/journal.h"
#include "lease/lease_db.h"
#include "runtime/iface.h"
#include "runtime/loop.h"
#include "server/edit/edit_libraries.h"
#include "server/core/snapshot.h"
#include "server/worker/worker.h"
#include "wire/option_codes.h"
#include "wire/udp.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { SERVER_ADDR = 0xc0000201, OTHER_ADDR = 0xc0000263, PROBATION_S = 300, START_S = 1700000000 };

static const char config_text[] =
	"{\"Dhcp4\": {\"interfaces-config\": {\"interfaces\": [\"eth0\"]}, \"authoritative\": true,"
	"\"valid-lifetime\": 600, \"min-valid-lifetime\": 60, \"max-valid-lifetime\": 1200,"
	"\"decline-probation-period\": 300, \"lease-database\": {\"type\": \"memfile\", \"persist\": false},"
	"\"expired-leases-processing\": {\"hold-reclaimed-time\": 100},"
	"\"host-reservation-identifiers\": [\"hw-address\", \"client-id\", \"circuit-id\"],"
	"\"option-data\": [{\"name\": \"domain-name-servers\", \"data\": \"192.0.2.53, 192.0.2.54\"},"
	"{\"name\": \"domain-search\", \"data\": \"example.org, sub.example.org\"},"
	"{\"name\": \"domain-name\", \"data\": \"example.org\", \"always-send\": true}],"
	"\"client-classes\": [{\"name\": \"DROP\", \"test\": \"option[60].text == 'drop'\"},"
	"{\"name\": \"REJECT\", \"test\": \"option[60].text == 'reject'\"},"
	"{\"name\": \"odd\", \"test\": \"substring(pkt4.mac, 5, 1) == 0x01 or option[82].option[1].exists\"},"
	"{\"name\": \"short\", \"test\": \"substring(option[60].hex, 0, 5) == 'short'\", \"valid-lifetime\": 30,"
	"\"next-server\": \"192.0.2.7\", \"boot-file-name\": \"a.efi\"},"
	"{\"name\": \"spawn\", \"template-test\": \"substring(option[77].hex, 0, 3)\"}],"
	"\"shared-networks\": [{\"name\": \"floor\", \"relay\": {\"ip-addresses\": [\"10.9.9.9\"]}, \"subnet4\": ["
	"{\"id\": 10, \"subnet\": \"10.1.0.0/24\", \"pools\": [{\"pool\": \"10.1.0.10-10.1.0.11\"}],"
	"\"reservations\": [{\"hw-address\": \"02:00:00:00:00:02\", \"ip-address\": \"10.1.0.50\"}]},"
	"{\"id\": 11, \"subnet\": \"10.2.0.0/24\", \"pools\": [{\"pool\": \"10.2.0.10-10.2.0.11\","
	"\"client-classes\": [\"odd\"]}, {\"pool\": \"10.2.0.20/31\", \"pool-id\": 3}]}]}],"
	"\"subnet4\": [{\"id\": 1, \"subnet\": \"192.0.2.0/24\", \"interface\": \"eth0\","
	"\"pools\": [{\"pool\": \"192.0.2.10-192.0.2.13\"}, {\"pool\": \"192.0.2.20/31\", \"client-classes\": [\"odd\"]}],"
	"\"option-data\": [{\"name\": \"routers\", \"data\": \"192.0.2.1\"}], \"reservations\": ["
	"{\"hw-address\": \"02:00:00:00:00:03\", \"ip-address\": \"192.0.2.12\", \"hostname\": \"three\"},"
	"{\"client-id\": \"01:02:00:00:00:00:04\", \"ip-address\": \"192.0.2.30\"},"
	"{\"circuit-id\": \"'port7'\", \"ip-address\": \"192.0.2.31\"}]},"
	"{\"id\": 2, \"subnet\": \"198.51.100.0/24\", \"relay\": {\"ip-addresses\": [\"198.51.100.1\"]},"
	"\"match-client-id\": false, \"allocator\": \"random\", \"store-extended-info\": true,"
	"\"pools\": [{\"pool\": \"198.51.100.10-198.51.100.13\"}]},"
	"{\"id\": 3, \"subnet\": \"203.0.113.0/24\", \"allocator\": \"flq\", \"authoritative\": false,"
	"\"cache-threshold\": 0.9, \"adaptive-lease-time-threshold\": 0.5,"
	"\"pools\": [{\"pool\": \"203.0.113.10-203.0.113.13\"}]}]}}";

/* --- set up ----------------------------------------------------------------------------------- */

static struct config *load_config(void)
{
	struct config_error err = {0};
	struct config *cfg = NULL;
	struct arena a;
	struct json *v;

	arena_init(&a);
	fuzz_check(json_parse(span_str(config_text), &(struct json_opts){0}, &a, &v, &err) == 0);
	if (config_load_json(v, NULL, &cfg, &err) < 0)
		(void)fprintf(stderr, "%s\n", err.text);
	fuzz_check(cfg);
	arena_fini(&a);
	return cfg;
}

static void publish_iface(struct server *srv)
{
	struct iface i = {.ifindex = 1,
			  .name = "eth0",
			  .arp_type = 1,
			  .up = true,
			  .running = true,
			  .n_addrs = 1,
			  .addrs = {{SERVER_ADDR, 24}}};
	struct iface_table *t = iface_table_new(&i, 1);

	fuzz_check(t);
	server_publish_ifaces(srv, t);
}

/* Log lines are formatted, which is tested, and go nowhere (FUZZ_TALK in the environment: are
 * seen). */
static void stdout_to_nowhere(void)
{
	static bool done;
	int fd;

	if (done || getenv("FUZZ_TALK"))
		return;
	done = true;
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	fuzz_check(fd >= 0 && dup2(fd, STDOUT_FILENO) == STDOUT_FILENO);
	(void)close(fd);
}

void fuzz_server_init(struct fuzz_server *f)
{
	struct server *srv = &f->d.srv;
	struct server_opts so = {.seed = 1, .offer_hold_s = 10};
	struct journal_opts jo = {.path = "", .persist = false, .clock = &srv->clock};
	struct journal_load_stats st;
	struct config_error err = {0};
	struct snapshot *s;

	stdout_to_nowhere();
	memset(f, 0, sizeof(*f));
	virtual_clock_init(&f->clock, START_S * NS_PER_S);
	so.clock = f->clock.src;
	so.log = log_new(&f->clock.src, "kea-dhcp4");
	f->d.o.commands = &server_commands;
	f->d.o.libraries = edit_libraries;
	f->d.o.n_libraries = edit_n_libraries;
	f->d.o.config_file = "/nowhere/at/all/usher.json"; /* config-write, config-reload: refused
							    */
	fuzz_check(so.log && server_init(srv, &so) == 0 && loop_new(&f->d.loop) == 0);
	fuzz_check(daemon_plane_open(&f->d) == 0);
	srv->replay_clock = &f->clock;
	fuzz_check(journal_open(&jo, srv->db, &srv->store, &st) == 0);
	fuzz_check(snapshot_build(srv, load_config(), NULL, &s, NULL, &err) == 0);
	publish_iface(srv);
	server_publish_snapshot(srv, s);
	daemon_timers(&f->d);
	fuzz_check(worker_add(srv, &(struct worker_opts){.n_slots = 8}) == 0);
	fuzz_check(capture_memory_new(&f->capture) == 0);
	arena_init(&f->arena);
}

void fuzz_server_fini(struct fuzz_server *f)
{
	struct log *log = f->d.srv.log;

	workers_free(&f->d.srv);
	server_fini(&f->d.srv);
	config_problems_fini(&f->d.last_problems);
	control_plane_free(f->d.plane);
	config_problems_fini(&f->d.last_problems);
	loop_free(f->d.loop);
	capture_close(f->capture);
	arena_fini(&f->arena);
	log_free(log);
}

/* --- the generator ---------------------------------------------------------------------------- */

/* Picks an address to request: of pools, reserved, outside, nobody's; the last two: the one this
 * client got, the one that another got. */
static uint32_t pick_addr(struct fuzz_server *f, uint8_t n)
{
	static const uint32_t addrs[] = {
		0,	    0xc000020a, 0xc000020b, 0xc000020c, 0xc000020d, 0xc0000214,
		0xc0000215, 0xc000021e, 0xc000021f, 0x0a01000a, 0x0a01000b, 0x0a010032,
		0x0a02000a, 0x0a020014, 0x0a020015, 0xc633640a, 0xc633640d, 0xcb00710a,
		0xcb00710d, 0xc00002fe, 0x01020304, 0xffffffff,
	};

	if (n >= 128)
		return f->offered[n & 1 ? f->client : n % FUZZ_CLIENTS];
	return addrs[n % ARRAY_LEN(addrs)];
}

static void opt(struct wr *w, uint8_t code, struct span data)
{
	wr_u8(w, code);
	wr_u8(w, (uint8_t)data.n);
	wr_span(w, data);
}

static void opt_be32(struct wr *w, uint8_t code, uint32_t v)
{
	wr_u8(w, code);
	wr_u8(w, 4);
	wr_be32(w, v);
}

/* One octet says which options, further ones their values. */
static void generate_options(struct fuzz_server *f, struct rd *in, struct wr *w)
{
	static const char *const vendors[] = {"drop", "reject", "short", "MSFT 5.0"};
	uint8_t which = rd_u8(in);
	uint8_t id[] = {1, 2, 0, 0, 0, 0, (uint8_t)f->client};

	if (which & 1)
		opt(w, DHCP4_OPT_CLIENT_ID, span_of(id, sizeof(id)));
	if (which & 2)
		opt_be32(w, DHCP4_OPT_REQUESTED_ADDRESS, pick_addr(f, rd_u8(in)));
	if (which & 4)
		opt_be32(w, DHCP4_OPT_SERVER_ID, rd_u8(in) & 3 ? SERVER_ADDR : OTHER_ADDR);
	if (which & 8)
		opt_be32(w, DHCP4_OPT_LEASE_TIME, rd_be16(in));
	if (which & 16)
		opt(w, DHCP4_OPT_VENDOR_CLASS_ID,
		    span_str(vendors[rd_u8(in) % ARRAY_LEN(vendors)]));
	if (which & 32)
		opt(w, DHCP4_OPT_PARAMETER_REQUEST_LIST, span_str("\1\3\6\17\63\167\171"));
	if (which & 64)
		wr_span(w, rd_bytes(in, rd_u8(in) % 64U)); /* anything at all */
	if (which & 128)
		opt(w, DHCP4_OPT_AGENT_OPTIONS,
		    rd_u8(in) & 1 ? span_str("\1\5port7") : rd_bytes(in, rd_u8(in) % 32U));
	wr_u8(w, 255);
}

static struct span generate(struct fuzz_server *f, struct rd *in, uint8_t *buf, size_t cap)
{
	static const uint32_t relays[] = {0, 0, 0, 0x0a090909, 0xc6336401, 0xcb007101, 0x05060708};
	struct wr w = wr_init(buf, cap);
	uint8_t type = rd_u8(in);
	uint8_t bits = rd_u8(in);
	uint8_t hw[16] = {2, 0, 0, 0, 0, (uint8_t)f->client};

	wr_u8(&w, type >= 250 ? DHCP4_BOOTREPLY : DHCP4_BOOTREQUEST);
	wr_u8(&w, 1);
	wr_u8(&w, bits & 1 ? 0 : 6);
	wr_u8(&w, 0);
	wr_be32(&w, 0x1000U + f->client);
	wr_be16(&w, 0);
	wr_be16(&w, bits & 2 ? DHCP4_FLAG_BROADCAST : 0);
	wr_be32(&w, bits & 4 ? pick_addr(f, rd_u8(in)) : 0);
	wr_be32(&w, 0);
	wr_be32(&w, 0);
	wr_be32(&w, relays[(bits >> 3 & 7) % ARRAY_LEN(relays)]);
	wr_bytes(&w, hw, sizeof(hw));
	wr_zero(&w, 64 + 128);
	wr_be32(&w, DHCP4_MAGIC);
	wr_u8(&w, DHCP4_OPT_MESSAGE_TYPE);
	wr_u8(&w, 1);
	wr_u8(&w, type % 9);
	generate_options(f, in, &w);
	fuzz_check(wr_ok(&w));
	return span_of(buf, w.len);
}

static void frame_up(struct fuzz_server *f, struct span payload, uint8_t bits)
{
	struct udp_frame u = {
		.dst_mac = {255, 255, 255, 255, 255, 255},
		.src_mac = {2, 0, 0, 0, 0, 9},
		.src = bits & 4 ? pick_addr(f, 129) : 0,
		.dst = bits & 8 ? SERVER_ADDR : 0xffffffff,
		.sport = 68,
		.dport = bits & 16 ? 68 : 67,
		.payload = payload,
	};

	udp_frame_write(&f->out, &u);
}

/* The harness's own view of the frame, to compare the answer with. */
static void understand(struct fuzz_server *f)
{
	static uint8_t slot[PACKET_DATA_LEN], mem[PACKET_ARENA_LEN];
	struct packet p;

	arena_reset(&f->arena);
	packet_init(&p, slot, sizeof(slot), mem, sizeof(mem));
	memcpy(slot, f->frame, f->out.len);
	p.len = (uint32_t)f->out.len;
	f->is_query = packet_decode(&p) == DROP_NONE &&
		      dhcp4_decode(span_of(arena_memdup(&f->arena, packet_app(&p).p,
							packet_app(&p).n),
					   packet_app(&p).n),
				   false, &f->arena, &f->query) == 0;
}

bool fuzz_server_next(struct fuzz_server *f, struct rd *in)
{
	static const uint16_t delays[] = {0, 0, 1, 9, 29, 61, 301, 601, 1201, 7000};
	uint8_t buf[1400];
	uint8_t kind = rd_u8(in);
	uint8_t who = rd_u8(in);
	struct span s;

	if (!rd_ok(in))
		return false;
	f->client = who % FUZZ_CLIENTS;
	virtual_clock_set(&f->clock,
			  f->clock.wall + delays[(who >> 3) % ARRAY_LEN(delays)] * NS_PER_S);
	f->out = wr_init(f->frame, sizeof(f->frame));
	if (kind < 160) { /* a message made up */
		s = generate(f, in, buf, sizeof(buf));
		frame_up(f, s, kind);
	} else if (kind < 224) { /* a message as it stands in the input */
		s = rd_bytes(in, rd_be16(in) % sizeof(buf));
		frame_up(f, s, kind);
	} else { /* a frame as it stands */
		wr_span(&f->out, rd_bytes(in, rd_be16(in) % sizeof(buf)));
	}
	if (kind % 32 == 31)
		capture_memory_fail_sends(f->capture, 1, 105);
	understand(f);
	return true;
}

/* --- the checks ------------------------------------------------------------------------------- */

static struct span query_cid(const struct fuzz_server *f)
{
	struct span id = dhcp4_opt_data(&f->query, DHCP4_OPT_CLIENT_ID);

	return id.n >= 2 && id.n <= 255 ? id : SPAN_NULL;
}

/* RFC 2131 4.2: by identifier where both have one, else by hardware address. 198.51.100.0/24 goes
 * by hardware address alone (match-client-id is false). */
static bool same_client(const struct fuzz_server *f, const struct fuzz_holder *h)
{
	struct span cid = query_cid(f);
	struct span hw = span_of(f->query.chaddr, f->query.hlen);

	if (h->cid_len && cid.n && h->addr >> 8 != 0xc63364)
		return span_eq(cid, span_of(h->cid, h->cid_len));
	return hw.n && span_eq(hw, span_of(h->hw, h->hw_len));
}

static struct fuzz_holder *holder(struct fuzz_server *f, uint32_t addr)
{
	for (size_t i = 0; i < f->n_holders; i++)
		if (f->holders[i].addr == addr)
			return &f->holders[i];
	fuzz_check(f->n_holders < FUZZ_HOLDERS); /* the configuration has not that many addresses */
	f->holders[f->n_holders] = (struct fuzz_holder){.addr = addr};
	return &f->holders[f->n_holders++];
}

static uint32_t network(uint32_t addr)
{
	return addr >> 24 == 10 ? 10 : addr >> 8;
}

/* Nobody else holds the address. */
static void check_free(struct fuzz_server *f, const struct fuzz_holder *h)
{
	if (h->until <= f->clock.wall / NS_PER_S)
		return;
	fuzz_check(!h->declined && same_client(f, h));
}

static void check_ack(struct fuzz_server *f, const struct dhcp4_msg *m)
{
	struct fuzz_holder *h = holder(f, m->yiaddr);
	struct span cid = query_cid(f);
	uint32_t lifetime;

	check_free(f, h);
	fuzz_check(dhcp4_opt_u32(m, DHCP4_OPT_LEASE_TIME, &lifetime));
	for (size_t i = 0; i < f->n_holders; i++)
		if (&f->holders[i] != h && !f->holders[i].declined &&
		    network(f->holders[i].addr) == network(m->yiaddr) &&
		    same_client(f, &f->holders[i]))
			f->holders[i].until = 0; /* it moved */
	*h = (struct fuzz_holder){.addr = m->yiaddr,
				  .until = f->clock.wall / NS_PER_S + lifetime,
				  .cid_len = cid.n,
				  .hw_len = f->query.hlen};
	memcpy(h->hw, f->query.chaddr, sizeof(h->hw));
	if (cid.n)
		memcpy(h->cid, cid.p, cid.n);
}

static void check_answer(struct fuzz_server *f, struct span payload)
{
	enum dhcp4_type type;
	enum dhcp4_type asked = dhcp4_msg_type(&f->query);
	struct dhcp4_msg m;

	fuzz_check(f->is_query && dhcp4_decode(payload, false, &f->arena, &m) == 0);
	fuzz_check(m.op == DHCP4_BOOTREPLY && m.xid == f->query.xid);
	/* RFC 2131 4.3.5: an INFORM's answer goes past the relay, to the client itself */
	fuzz_check(m.giaddr == (asked == DHCP4_INFORM && f->query.ciaddr ? 0 : f->query.giaddr));
	fuzz_check(m.hlen == f->query.hlen &&
		   memcmp(m.chaddr, f->query.chaddr, sizeof(m.chaddr)) == 0);
	fuzz_check(payload.n >= DHCP4_BOOTP_MIN_LEN &&
		   dhcp4_opt_data(&m, DHCP4_OPT_SERVER_ID).n == 4);
	type = dhcp4_msg_type(&m);
	if (asked == DHCP4_DISCOVER)
		fuzz_check(type == DHCP4_OFFER && m.yiaddr);
	else if (asked == DHCP4_REQUEST)
		fuzz_check(type == DHCP4_NAK ? !m.yiaddr : type == DHCP4_ACK && m.yiaddr);
	else
		fuzz_check(asked == DHCP4_INFORM && type == DHCP4_ACK && !m.yiaddr);
	if (type == DHCP4_OFFER)
		check_free(f, holder(f, m.yiaddr));
	else if (m.yiaddr)
		check_ack(f, &m);
	if (m.yiaddr)
		f->offered[f->client] = m.yiaddr;
}

static uint64_t drops(struct fuzz_server *f)
{
	uint64_t n = 0;

	for (unsigned d = 1; d < DROP_N; d++)
		n += server_drop_count(&f->d.srv, (enum drop)d);
	return n;
}

/* A lease that was ended on request is nobody's; a declined one rests. */
static void check_ended(struct fuzz_server *f, uint64_t released, uint64_t declined)
{
	uint32_t addr;

	if (server_drop_count(&f->d.srv, DROP_RELEASE_DONE) != released)
		holder(f, f->query.ciaddr)->until = 0;
	if (server_drop_count(&f->d.srv, DROP_DECLINE_DONE) == declined)
		return;
	fuzz_check(dhcp4_opt_u32(&f->query, DHCP4_OPT_REQUESTED_ADDRESS, &addr));
	*holder(f, addr) = (struct fuzz_holder){.addr = addr,
						.declined = true,
						.until = f->clock.wall / NS_PER_S + PROBATION_S};
}

/* Does the work of the timers. */
static void housekeeping(struct fuzz_server *f)
{
	lease_db_expire_holds(f->d.srv.db);
	if (f->clock.wall >= f->next_reclaim) {
		server_reclaim(&f->d.srv, false, 100, 0);
		f->next_reclaim = f->clock.wall + 10 * NS_PER_S;
	}
	if (f->clock.wall >= f->next_flush) {
		server_flush_reclaimed(&f->d.srv);
		f->next_flush = f->clock.wall + 25 * NS_PER_S;
	}
}

void fuzz_server_run(struct fuzz_server *f)
{
	struct capture_memory_frame in = {.frame = span_of(f->frame, f->out.len),
					  .ifindex = 1,
					  .ts_ns = f->clock.wall};
	uint64_t released = server_drop_count(&f->d.srv, DROP_RELEASE_DONE);
	uint64_t declined = server_drop_count(&f->d.srv, DROP_DECLINE_DONE);
	static uint8_t buf[4096];
	struct capture_tx tx;
	unsigned answers = 0;

	housekeeping(f);
	fuzz_check(capture_memory_push(f->capture, &in) == 0);
	fuzz_check(worker_receive(f->d.srv.workers[0], f->capture) == 1);
	(void)worker_run_once(f->d.srv.workers[0]);
	while (capture_memory_pop(f->capture, buf, sizeof(buf), &tx)) {
		check_answer(f, tx.payload);
		fuzz_check(++answers == 1);
	}
	check_ended(f, released, declined);
	/* every packet is answered, or dropped for a reason; nothing is left behind */
	fuzz_check(server_metric(&f->d.srv, METRIC_RECEIVED) ==
		   server_metric(&f->d.srv, METRIC_SENT) + drops(f));
	fuzz_check(worker_parked(f->d.srv.workers[0]) == 0);
}

/* --- the command channel ---------------------------------------------------------------------- */

bool fuzz_framing(struct span octets, size_t piece)
{
	struct framing whole = {0};
	struct framing parts = {0};
	enum framing_result r = framing_feed(&whole, octets, 64);
	enum framing_result p = FRAMING_MORE;

	for (size_t at = 0; at < octets.n && p == FRAMING_MORE; at += piece)
		p = framing_feed(&parts, span_sub(octets, at, piece), 64);
	fuzz_check(p == r);
	return r == FRAMING_WHOLE;
}

bool fuzz_control_harmless(const struct json *request)
{
	static const char *const keys[] = {"control-socket", "control-sockets", "hooks-libraries",
					   "loggers"};
	const struct json *cfg = json_get(json_get(request, "arguments"), "Dhcp4");
	const char *name = json_get_str(request, "command");

	/* its directory is the configuration's, which other requests change */
	if (name && strcmp(name, "lease4-write") == 0 &&
	    json_get_str(json_get(request, "arguments"), "filename"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (json_get(cfg, keys[i]))
			return false;
	return true;
}

void fuzz_answer_check(const struct json *answer)
{
	struct config_error err;
	struct buf b = {0};
	struct arena a;
	struct json *v;
	int64_t result = -1;

	arena_init(&a);
	fuzz_check(answer && answer->type == JSON_MAP && json_get_int(answer, "result", &result));
	fuzz_check(result >= CONTROL_OK && result <= CONTROL_CONFLICT);
	json_write(answer, false, &b);
	fuzz_check(!b.failed &&
		   json_parse(span_of(b.p, b.len), &(struct json_opts){0}, &a, &v, &err) == 0);
	buf_fini(&b);
	arena_fini(&a);
}
