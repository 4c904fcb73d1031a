/* SPDX-License-Identifier: MPL-2.0 */
/*
 * libcurl's multi interface on the event loop: libcurl names the descriptors and the one timer that
 * it waits for, and is called with their events. It never runs requests to their end here: that is
 * left to outgoing_finish(), outside of libcurl.
 */
#include "control/outgoing_impl.h"

#include "base/clock.h"
#include "runtime/loop.h"

#include <stdlib.h>
#include <sys/epoll.h>

/* A descriptor of libcurl in the loop. */
struct watched {
	struct outgoing *o;
	int fd;
	struct loop_source *source;
};

static void on_socket(void *ctx, uint32_t events)
{
	const struct watched *w = ctx;
	struct outgoing *o = w->o;
	int what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
		   (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		   (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
	int running;

	(void)curl_multi_socket_action(o->multi, w->fd, what, &running);
	outgoing_finish(o);
}

static void unwatch_socket(struct watched *w)
{
	if (!w)
		return;
	loop_remove(w->source);
	free(w);
}

/* Called by libcurl: watch a descriptor, for other events, or not any more. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct outgoing *o = ctx;
	struct watched *w = socket_ctx;
	uint32_t events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
			  (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		(void)curl_multi_assign(o->multi, fd, NULL);
		unwatch_socket(w);
		return 0;
	}
	if (w)
		return loop_modify(w->source, events) < 0 ? -1 : 0;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -1;
	*w = (struct watched){.o = o, .fd = fd};
	if (loop_add(o->opts.loop, fd, events, on_socket, w, &w->source) < 0) {
		free(w);
		return -1;
	}
	(void)curl_multi_assign(o->multi, fd, w);
	return 0;
}

/* Called by libcurl: its time-out is in ms (-1: none). */
static int set_timer(CURLM *multi, long ms, void *ctx)
{
	struct outgoing *o = ctx;

	(void)multi;
	loop_timer_set(o->timer, ms < 0 ? -1 : ms * NS_PER_MS);
	return 0;
}

static void on_timer(void *ctx)
{
	struct outgoing *o = ctx;
	int running;

	(void)curl_multi_socket_action(o->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	outgoing_finish(o);
}

int outgoing_loop_open(struct outgoing *o)
{
	int r = loop_timer_new(o->opts.loop, on_timer, o, &o->timer);

	if (r < 0)
		return r;
	(void)curl_multi_setopt(o->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	(void)curl_multi_setopt(o->multi, CURLMOPT_SOCKETDATA, o);
	(void)curl_multi_setopt(o->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	(void)curl_multi_setopt(o->multi, CURLMOPT_TIMERDATA, o);
	return 0;
}
