/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Dispatch to the back end.
 */
#include "tools/load_io.h"

#include "tools/load_io_backend.h"

uint8_t *load_io_room(struct load_io *io, const struct load_io_dest *dest)
{
	return io->ops->room(io, dest);
}

void load_io_push(struct load_io *io, size_t len)
{
	io->ops->push(io, len);
}

void load_io_flush(struct load_io *io)
{
	io->ops->flush(io);
}

int load_io_recv(struct load_io *io, load_io_fn fn, void *ctx)
{
	return io->ops->recv(io, fn, ctx);
}

void load_io_wait(struct load_io *io, int64_t ns)
{
	if (ns > 0)
		io->ops->wait(io, ns);
}

void load_io_counts(struct load_io *io, struct load_io_counts *ret)
{
	io->counts.kernel_drops = io->ops->drops(io);
	*ret = io->counts;
}

void load_io_close(struct load_io *io)
{
	if (io)
		io->ops->close(io);
}
