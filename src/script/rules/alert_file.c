/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Alerts into a file: each is one write() of whole lines to a descriptor opened for appending, so
 * states of several threads, and other programs, can share it. Alerts that cannot be written are
 * counted.
 */
#include "script/rules/alert.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct alert_file {
	pthread_mutex_t lock;
	char *path; /* NULL: stdout */
	int fd;
	enum alert_format format;
	struct buf text;
	_Atomic uint64_t lost;
};

static int open_path(const char *path)
{
	int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640) : STDOUT_FILENO;

	return fd < 0 ? -errno : fd;
}

int alert_file_open(const char *path, enum alert_format format, struct alert_file **ret)
{
	struct alert_file *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->format = format;
	f->fd = -1;
	f->path = path ? strdup(path) : NULL;
	r = path && !f->path ? -ENOMEM : open_path(path);
	if (r < 0) {
		free(f->path);
		free(f);
		return r;
	}
	f->fd = r;
	buf_init(&f->text);
	(void)pthread_mutex_init(&f->lock, NULL);
	*ret = f;
	return 0;
}

int alert_file_reopen(struct alert_file *f)
{
	int fd = open_path(f->path);

	if (fd < 0)
		return fd;
	(void)pthread_mutex_lock(&f->lock);
	if (f->path)
		(void)close(f->fd);
	f->fd = fd;
	(void)pthread_mutex_unlock(&f->lock);
	return 0;
}

void alert_file_close(struct alert_file *f)
{
	if (!f)
		return;
	if (f->path)
		(void)close(f->fd);
	(void)pthread_mutex_destroy(&f->lock);
	buf_fini(&f->text);
	free(f->path);
	free(f);
}

uint64_t alert_file_lost(const struct alert_file *f)
{
	return atomic_load_explicit(&f->lost, memory_order_relaxed);
}

static void write_to_file(void *ctx, const struct script_alert *a)
{
	struct alert_file *f = ctx;
	size_t done = 0;
	ssize_t n = 0;

	(void)pthread_mutex_lock(&f->lock);
	buf_reset(&f->text);
	alert_text(a, f->format, &f->text);
	/* behind the output of rules so far */
	if (!f->path)
		(void)fflush(stdout);
	while (!f->text.failed && done < f->text.len) {
		n = write(f->fd, f->text.p + done, f->text.len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (f->text.failed || done < f->text.len)
		(void)atomic_fetch_add_explicit(&f->lost, 1, memory_order_relaxed);
	(void)pthread_mutex_unlock(&f->lock);
}

struct script_alert_sink alert_file_sink(struct alert_file *f)
{
	return (struct script_alert_sink){write_to_file, f};
}
