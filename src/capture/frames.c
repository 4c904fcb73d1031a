/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The common part of all frame sources: counting.
 */
#include "base/clock.h"
#include "capture/frames_backend.h"

#include <errno.h>

int frames_recv(struct frames *f, struct frame *ret, size_t n)
{
	int r = f->ops->recv(f, ret, n < FRAMES_BATCH ? n : FRAMES_BATCH);

	for (int i = 0; i < r; i++)
		f->stats.octets += ret[i].len;
	if (r > 0)
		f->stats.received += (unsigned)r;
	return r;
}

int frames_verdict(struct frames *f, const struct frame *fr, enum frame_verdict v, struct span data)
{
	int r;

	if (fr->flags & FRAME_CREATED)
		return v == FRAME_ACCEPT ? frames_inject(f, fr, data) : 0;
	if (v == FRAME_DROP) {
		f->stats.dropped++;
		if (f->ops->drop)
			f->ops->drop(f, fr);
		return 0;
	}
	r = f->ops->send(f, fr, data, false);
	if (r < 0)
		f->stats.send_errors++;
	else
		f->stats.accepted++;
	return r;
}

int frames_inject(struct frames *f, const struct frame *like, struct span data)
{
	int r = f->passive ? -EROFS : f->ops->send(f, like, data, true);

	if (r < 0)
		f->stats.send_errors++;
	else
		f->stats.injected++;
	return r;
}

int frames_flush(struct frames *f)
{
	return f->ops->flush ? f->ops->flush(f) : 0;
}

int frames_finish(struct frames *f)
{
	int r = frames_flush(f);

	return r == 0 && f->ops->finish ? f->ops->finish(f) : r;
}

int frames_fd(const struct frames *f)
{
	return f->ops->fd ? f->ops->fd(f) : -1;
}

bool frames_passive(const struct frames *f)
{
	return f->passive;
}

bool frames_offload(const struct frames *f)
{
	return f->offload;
}

void frames_live(struct frames *f, const struct clock_src *clock)
{
	f->clock = clock;
	f->epoch_ns = clock_wall_ns(clock) - clock_mono_ns(clock);
}

const char *frames_why(const struct frames *f)
{
	return f->why;
}

int64_t frames_now(const struct frames *f)
{
	return f->clock ? f->epoch_ns + clock_mono_ns(f->clock) : 0;
}

int64_t frames_wall_ahead(const struct frames *f)
{
	return f->clock ? clock_wall_ns(f->clock) - frames_now(f) : 0;
}

bool frames_recorded(const struct frames *f)
{
	return f->recorded;
}

uint32_t frames_room(struct frames *f, const struct frame *fr, bool tagged)
{
	return f->ops->room ? f->ops->room(f, fr, tagged) : UINT32_MAX;
}

const char *frames_port_name(const struct frames *f, unsigned port)
{
	return f->ops->port_name(f, port);
}

bool frames_port_mac(const struct frames *f, unsigned port, uint8_t ret[6])
{
	return f->ops->port_mac && f->ops->port_mac(f, port, ret);
}

void frames_stats(const struct frames *f, struct frames_stats *ret)
{
	*ret = f->stats;
	if (f->ops->source_drops)
		ret->source_drops = f->ops->source_drops(f);
}

double frames_progress(const struct frames *f)
{
	return f->ops->progress ? f->ops->progress(f) : -1;
}

void frames_close(struct frames *f)
{
	if (f)
		f->ops->close(f);
}
