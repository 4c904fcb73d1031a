/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For the back ends of load_io.h: the table each fills and the head of its object.
 */
#pragma once

#include "tools/load_io.h"

struct load_io_ops {
	uint8_t *(*room)(struct load_io *io, const struct load_io_dest *dest);
	void (*push)(struct load_io *io, size_t len);
	void (*flush)(struct load_io *io);
	int (*recv)(struct load_io *io, load_io_fn fn, void *ctx);
	void (*wait)(struct load_io *io, int64_t ns);
	uint64_t (*drops)(struct load_io *io); /* by full socket buffers */
	void (*close)(struct load_io *io);
};

struct load_io {
	const struct load_io_ops *ops;
	struct load_io_counts counts;
};

enum { LOAD_IO_SOCKET_BUFFER = 64 << 20 };
