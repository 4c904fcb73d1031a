/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The control sockets follow the configuration. One that cannot be opened (its directory is
 * missing) does not keep the server from serving: it is tried again, and the sockets of the
 * previous configuration stay until it is open, so that administrators keep their access. A
 * configuration with a socket that another process listens on is refused. Checking comes first and
 * changes nothing: a socket without a listener is removed when the configuration is in effect.
 */
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "control/channel.h"
#include "server/manage/daemon_impl.h"

#include <errno.h>
#include <string.h>

static void write_line(void *daemon, enum control_line kind, const char *text)
{
	const struct server_daemon *d = daemon;

	log_msg(d->srv.log,
		kind == CONTROL_LINE_AUDIT ? LOG_USHER_COMMAND_AUDIT : LOG_COMMAND_RECEIVED, "%s",
		text);
}

static void flush_lines(void *daemon)
{
	const struct server_daemon *d = daemon;

	log_flush(d->srv.log, 20 * NS_PER_MS);
}

int daemon_plane_open(struct server_daemon *d)
{
	const struct daemon_commands *k = d->o.commands;
	struct control_plane_opts o = {.program = d,
				       .service = "dhcp4",
				       .write_line = write_line,
				       .flush_lines = flush_lines,
				       .background = d->background,
				       .refuse = k->refuse,
				       .processed = k->processed,
				       .takes_problems = k->takes_problems};
	int r = control_plane_new(&o, &d->plane);

	return r < 0 ? r : control_plane_add(d->plane, k->rows, k->n);
}

static struct channel *channel_find(const struct server_daemon *d, const char *path)
{
	for (unsigned i = 0; i < d->n_channels; i++)
		if (strcmp(channel_path(d->channels[i]), path) == 0)
			return d->channels[i];
	return NULL;
}

/* Returns whether a path is a control socket of ours. *ret_n: how many there are. Any thread. */
static bool is_channel(struct server_daemon *d, const char *path, size_t *ret_n)
{
	bool found;

	(void)pthread_mutex_lock(&d->channels_lock);
	found = channel_find(d, path) != NULL;
	*ret_n = d->n_channels;
	(void)pthread_mutex_unlock(&d->channels_lock);
	return found;
}

static bool channel_wanted(const struct config *cfg, const char *path)
{
	for (size_t i = 0; i < cfg->n_control_sockets; i++)
		if (cfg->control_sockets[i].path && strcmp(cfg->control_sockets[i].path, path) == 0)
			return true;
	return false;
}

/* Closes channel i; the last one takes its place in the list. */
static void close_one(struct server_daemon *d, unsigned i)
{
	struct channel *c = d->channels[i];

	(void)pthread_mutex_lock(&d->channels_lock);
	d->channels[i] = d->channels[--d->n_channels];
	(void)pthread_mutex_unlock(&d->channels_lock);
	channel_close(c);
}

void daemon_channels_drop(struct server_daemon *d, unsigned n)
{
	while (d->n_channels > n)
		close_one(d, d->n_channels - 1);
}

static int open_one(struct server_daemon *d, const char *path)
{
	struct channel_opts o = {
		.path = path,
		.mode = 0770,
		.log = d->srv.log,
		.plane = d->plane,
		.closing = &d->closing,
	};
	struct channel *c = NULL;
	int r = d->n_channels == DAEMON_MAX_CHANNELS ? -USHER_E_LIMIT
						     : channel_open(d->loop, &o, &c);

	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&d->channels_lock);
	d->channels[d->n_channels++] = c;
	(void)pthread_mutex_unlock(&d->channels_lock);
	return 0;
}

static bool is_missing(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -EACCES || r == -EROFS || r == -EPERM;
}

static void warn_missing(struct server_daemon *d, const struct config_control_socket *s, int r)
{
	const struct json_pos *at = &s->node->pos;

	log_msg(d->srv.log, LOG_DHCP4_CONFIG_WARNING,
		"%s%s%u:%u: control socket %s cannot be opened: %s; the server will retry",
		at->file, at->file[0] ? ":" : "", at->line, at->col, s->path, usher_strerror(r));
}

void daemon_channels_check(struct server_daemon *d, const struct config *cfg,
			   void (*problem)(void *ctx, const struct config_error *e), void *ctx)
{
	struct config_error e;
	size_t n, more = 0;

	for (size_t i = 0; i < cfg->n_control_sockets; i++) {
		const struct config_control_socket *s = &cfg->control_sockets[i];
		bool open;
		int r;

		if (!s->path)
			continue;
		open = is_channel(d, s->path, &n);
		r = open ? 0 : channel_check(s->path);
		more += !open;
		if (r == 0 && n + more > DAEMON_MAX_CHANNELS)
			r = -USHER_E_LIMIT;
		if (r == 0 || is_missing(r))
			continue;
		(void)config_error_set(&e, &s->node->pos, r,
				       "control socket %s cannot be opened: %s", s->path,
				       usher_strerror(r));
		problem(ctx, &e);
	}
}

void daemon_channels_open(struct server_daemon *d, const struct config *cfg)
{
	d->channels_missing = 0;
	for (size_t i = 0; i < cfg->n_control_sockets; i++) {
		const struct config_control_socket *s = &cfg->control_sockets[i];
		int r = !s->path || channel_find(d, s->path) ? 0 : open_one(d, s->path);

		if (r < 0) {
			warn_missing(d, s, r);
			d->channels_missing++;
		}
	}
}

void daemon_channels_close(struct server_daemon *d, const struct config *cfg)
{
	for (unsigned i = d->n_channels; i > 0 && !d->channels_missing; i--) {
		if (channel_wanted(cfg, channel_path(d->channels[i - 1])))
			continue;
		close_one(d, i - 1);
	}
}

void daemon_channels_retry(struct server_daemon *d, const struct config *cfg)
{
	unsigned missing = 0;

	for (size_t i = 0; i < cfg->n_control_sockets; i++)
		if (cfg->control_sockets[i].path &&
		    !channel_find(d, cfg->control_sockets[i].path) &&
		    open_one(d, cfg->control_sockets[i].path) < 0)
			missing++;
	d->channels_missing = missing;
	daemon_channels_close(d, cfg);
}
