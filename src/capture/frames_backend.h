/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For implementers of frame sources: the table every back end fills, and the head of its object.
 * frames.c counts; a back end only does.
 */
#pragma once

#include "capture/frames.h"

struct frames_ops {
	const char *name;
	int (*recv)(struct frames *f, struct frame *ret, size_t n);
	/* fr: of the frame, or of the one that an injected frame is like */
	int (*send)(struct frames *f, const struct frame *fr, struct span data, bool injected);
	void (*drop)(struct frames *f, const struct frame *fr); /* NULL: nothing to do */
	int (*flush)(struct frames *f);				/* NULL: nothing to do */
	int (*finish)(struct frames *f);			/* NULL: nothing to do */
	int (*fd)(const struct frames *f);			/* NULL: none to poll */
	const char *(*port_name)(const struct frames *f, unsigned port);
	bool (*port_mac)(const struct frames *f, unsigned port,
			 uint8_t ret[6]); /* NULL: none has any */
	/* The longest frame that can leave as fr does; NULL: not known */
	uint32_t (*room)(struct frames *f, const struct frame *fr, bool tagged);
	double (*progress)(const struct frames *f);	  /* NULL: not known */
	uint64_t (*source_drops)(const struct frames *f); /* NULL: not known */
	void (*close)(struct frames *f);
};

struct clock_src;

struct frames {
	const struct frames_ops *ops;
	bool passive;
	bool offload;
	bool recorded; /* a capture file */
	/* Of a live source: time-outs run on its monotonic time, and a step of the wall clock
	 * neither stops them nor ends everything. NULL: time is that of the frames. */
	const struct clock_src *clock;
	const char *
		why; /* reason and place of a format error; NULL: no more is known than the error */
	int64_t epoch_ns; /* wall minus monotonic time when it was opened */
	struct frames_stats stats;
};
/* Makes a source live, with a clock. */
void frames_live(struct frames *f, const struct clock_src *clock);
