/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For implementers of captures: the table every back end fills, and the head of its object.
 * The lifetime is the user's: open gives a whole object, close frees it.
 */
#pragma once

#include "capture/capture.h"

struct capture_ops {
	const char *name;
	int (*recv)(struct capture *c, struct packet **pkts, size_t n);
	int (*send)(struct capture *c, struct capture_tx *tx, size_t n);
	int (*fd)(const struct capture *c);
	bool (*ended)(const struct capture *c);	/* NULL: never */
	void (*stats)(const struct capture *c, struct capture_stats *ret);
	void (*close)(struct capture *c);
};

struct capture {
	const struct capture_ops *ops;
	struct capture_stats stats;
};
