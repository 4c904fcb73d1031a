/* SPDX-License-Identifier: MPL-2.0 */
/* The mutex of the messages is held while one is written, so that a log may end behind it. */
#include "library/common/library_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void library_messages_init(struct library_messages *m, struct log *log)
{
	*m = (struct library_messages){.log = log};
	(void)pthread_mutex_init(&m->mu, NULL);
}

void library_messages_fini(struct library_messages *m)
{
	(void)pthread_mutex_destroy(&m->mu);
}

void library_messages_mute(struct library_messages *m)
{
	(void)pthread_mutex_lock(&m->mu);
	m->log = NULL;
	(void)pthread_mutex_unlock(&m->mu);
}

void library_message(struct library_messages *m, enum log_id id, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)pthread_mutex_lock(&m->mu);
	if (m->log)
		log_msg(m->log, id, "%s", text);
	(void)pthread_mutex_unlock(&m->mu);
}

void library_count_lost(struct library_messages *m, uint64_t n)
{
	(void)pthread_mutex_lock(&m->mu);
	if (m->lib)
		hook_count_lost(m->lib, n);
	else
		m->n_lost += n;
	(void)pthread_mutex_unlock(&m->mu);
}

void library_count_for(struct library_messages *m, usher_lib *lib)
{
	(void)pthread_mutex_lock(&m->mu);
	m->lib = lib;
	if (lib) {
		hook_count_lost(lib, m->n_lost);
		m->n_lost = 0;
	}
	(void)pthread_mutex_unlock(&m->mu);
}

/* Ends a line that a process which was killed has begun. */
static void end_torn_line(int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);
	char last = '\n';

	if (end > 0 && pread(fd, &last, 1, end - 1) == 1 && last != '\n')
		(void)!write(fd, "\n", 1);
}

int library_open_append(const char *path, int flags, mode_t mode)
{
	int fd = open(path, flags | O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, mode);

	if (fd < 0)
		return -errno;
	end_torn_line(fd);
	return fd;
}
