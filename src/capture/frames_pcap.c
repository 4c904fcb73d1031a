/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Capture files as a source of frames. The written file does not depend on the machine or the time
 * of the run. A batch is copied once, packed one behind the other, so that small frames stay in the
 * cache while they are worked on.
 */
#include "base/clock.h"
#include "base/error.h"
#include "capture/frames_backend.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { BATCH_LEN = 1 << 20, ALIGN = 8 };

#define LAST_S (INT64_MAX / NS_PER_S / 2) /* since the epoch: in the year 2116 */

struct frames_pcap {
	struct frames base;
	pcap_t *in, *out_link;
	pcap_dumper_t *out; /* NULL: accepted frames are only counted */
	int out_error;	    /* -errno of the first write that failed */
	bool ended;
	int64_t last_ns; /* time of the frame before */
	uint64_t records;
	char why[300];
	uint8_t link;
	int broken;    /* -errno for the next call: the frames before it come first */
	uint64_t size; /* of the input; 0: not a plain file */
	char *name;
	uint8_t batch[BATCH_LEN];
};

static struct frames_pcap *pcap_source_of(struct frames *f)
{
	return container_of(f, struct frames_pcap, base);
}

/* Returns the object of a base, without a change of const: container_of() would drop it. `base`
 * stands first in the object. */
static const struct frames_pcap *const_pcap_source_of(const struct frames *f)
{
	return (const struct frames_pcap *)(const void *)f;
}

/* Reads the next record into the batch, at *used. Returns 1, 0 at the end, or a negative error. */
static int recv_one(struct frames_pcap *p, size_t *used, struct frame *ret)
{
	struct pcap_pkthdr *h;
	const u_char *data;
	int r = pcap_next_ex(p->in, &h, &data);
	uint32_t len;

	if (r != 1) {
		p->ended = true;
		if (r == PCAP_ERROR_BREAK)
			return 0;
		(void)snprintf(p->why, sizeof(p->why), "record %llu, which ends at octet %ld: %s",
			       (unsigned long long)p->records + 1, ftell(pcap_file(p->in)),
			       pcap_geterr(p->in));
		p->base.why = p->why;
		return -USHER_E_TRUNCATED;
	}
	p->records++;
	/* times that cannot be: 64 bits of seconds do not fit, and time-outs are added. The frame
	 * has that of the one before. */
	if (h->ts.tv_sec >= 0 && h->ts.tv_sec <= LAST_S)
		p->last_ns = (int64_t)h->ts.tv_sec * NS_PER_S + h->ts.tv_usec;
	len = h->caplen < FRAME_MAX_LEN ? h->caplen : FRAME_MAX_LEN;
	memcpy(p->batch + *used, data, len);
	*ret = (struct frame){
		.data = p->batch + *used,
		.len = len,
		.link = p->link,
		.flags = len < h->len ? FRAME_TRUNCATED : 0,
		/* opened with nanosecond precision: tv_usec holds nanoseconds */
		.ts_ns = p->last_ns,
		/* the link type has no name of its own here; frames are written with it
		 * unchanged */
		.id = h->len,
	};
	*used += (len + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	return 1;
}

static int pcap_recv(struct frames *f, struct frame *ret, size_t n)
{
	struct frames_pcap *p = pcap_source_of(f);
	size_t used = 0, got = 0;

	if (p->broken)
		return p->broken;
	while (got < n && !p->ended && used + FRAME_MAX_LEN <= BATCH_LEN) {
		int r = recv_one(p, &used, &ret[got]);

		if (r < 0) {
			p->broken = r;
			return got ? (int)got : r;
		}
		got += r > 0;
	}
	return (int)got;
}

static int pcap_send(struct frames *f, const struct frame *fr, struct span data, bool injected)
{
	struct frames_pcap *p = pcap_source_of(f);
	struct pcap_pkthdr h = {
		.ts = {fr->ts_ns / NS_PER_S, fr->ts_ns % NS_PER_S},
		.caplen = (bpf_u_int32)data.n,
		/* the original length of an unchanged frame */
		.len = fr->flags & FRAME_TRUNCATED && data.p == fr->data && fr->id > data.n
			       ? (bpf_u_int32)fr->id
			       : (bpf_u_int32)data.n,
	};

	(void)injected;
	if (!p->out)
		return 0;
	errno = 0;
	pcap_dump((u_char *)p->out, &h, data.p);
	if (ferror(pcap_dump_file(p->out)) && !p->out_error)
		p->out_error = errno ? -errno : -EIO;
	return p->out_error;
}

static int pcap_flush_out(struct frames *f)
{
	struct frames_pcap *p = pcap_source_of(f);

	return p->out_error;
}

static int pcap_finish(struct frames *f)
{
	struct frames_pcap *p = pcap_source_of(f);

	errno = 0;
	if (!p->out || p->out_error || pcap_dump_flush(p->out) == 0)
		return p->out_error;
	return errno ? -errno : -EIO;
}

static const char *pcap_port_name(const struct frames *f, unsigned port)
{
	return port == 0 ? const_pcap_source_of(f)->name : "";
}

static double pcap_progress(const struct frames *f)
{
	const struct frames_pcap *p = const_pcap_source_of(f);
	long at = p->size ? ftell(pcap_file(p->in)) : -1;

	return at < 0 ? -1 : (double)at / (double)p->size;
}

static void pcap_close_all(struct frames *f)
{
	struct frames_pcap *p = pcap_source_of(f);

	if (p->out)
		pcap_dump_close(p->out);
	if (p->out_link)
		pcap_close(p->out_link);
	if (p->in)
		pcap_close(p->in);
	free(p->name);
	free(p);
}

static const struct frames_ops pcap_ops = {
	.name = "pcap",
	.recv = pcap_recv,
	.send = pcap_send,
	.flush = pcap_flush_out,
	.finish = pcap_finish,
	.port_name = pcap_port_name,
	.progress = pcap_progress,
	.close = pcap_close_all,
};

static int link_of(int dlt)
{
	switch (dlt) {
	case DLT_EN10MB:
		return FRAME_ETHERNET;
	case DLT_RAW:
	case DLT_IPV4:
		return FRAME_IPV4;
	case DLT_LINUX_SLL:
		return FRAME_COOKED;
	case DLT_NULL:
		return FRAME_NULL;
	default:
		return -USHER_E_UNSUPPORTED;
	}
}

static int open_frames_in(struct frames_pcap *p, const char *path)
{
	char why[PCAP_ERRBUF_SIZE];
	FILE *f = fopen(path, "rbe");
	struct stat st;
	int link;

	if (!f)
		return -errno;
	if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode))
		p->size = (uint64_t)st.st_size;
	p->in = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!p->in) {
		(void)fclose(f);
		return -USHER_E_MALFORMED;
	}
	link = link_of(pcap_datalink(p->in));
	if (link < 0)
		return link;
	p->link = (uint8_t)link;
	return 0;
}

static int open_frames_out(struct frames_pcap *p, const char *path)
{
	FILE *f = fopen(path, "wbe");

	if (!f)
		return -errno;
	p->out_link = pcap_open_dead_with_tstamp_precision(pcap_datalink(p->in), FRAME_MAX_LEN,
							   PCAP_TSTAMP_PRECISION_NANO);
	if (p->out_link)
		p->out = pcap_dump_fopen(p->out_link, f);
	if (!p->out) {
		(void)fclose(f);
		return -ENOMEM;
	}
	return 0;
}

int frames_pcap_open(const char *in_path, const char *out_path, struct frames **ret)
{
	struct frames_pcap *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->base.ops = &pcap_ops;
	p->base.recorded = true;
	p->name = strdup(in_path);
	r = p->name ? open_frames_in(p, in_path) : -ENOMEM;
	if (r == 0 && out_path)
		r = open_frames_out(p, out_path);
	if (r < 0) {
		pcap_close_all(&p->base);
		return r;
	}
	*ret = &p->base;
	return 0;
}

void frames_pcap_link(const char *path, char *ret, size_t cap)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, why);
	const char *name = p ? pcap_datalink_val_to_name(pcap_datalink(p)) : NULL;

	if (name)
		(void)snprintf(ret, cap, "%s", name);
	else
		(void)snprintf(ret, cap, "%d", p ? pcap_datalink(p) : -1);
	if (p)
		pcap_close(p);
}
