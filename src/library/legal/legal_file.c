/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Files are appended to, never truncated. The last line of a process that was killed may have no
 * end; it gets one when the file is opened again. Syslog's own function reports no failure, so its
 * socket is tried first.
 */
#include "library/legal/legal_file.h"

#include "base/child.h"
#include "base/log_pattern.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

enum { FILE_MODE = 0640, SYSLOG_LINE = 8192 };

int legal_file_init(struct legal_file *f)
{
	f->fd = -1;
	buf_init(&f->out);
	if (f->target->syslog)
		f->pattern = log_pattern_new(f->target->pattern);
	return f->target->syslog && !f->pattern ? -ENOMEM : 0;
}

static void close_file(struct legal_file *f)
{
	if (f->fd < 0)
		return;
	(void)close(f->fd);
	f->fd = -1;
	library_message(f->messages, LOG_LEGAL_LOG_STORE_CLOSED, "Legal store closed: %s", f->path);
}

void legal_file_fini(struct legal_file *f)
{
	close_file(f);
	log_pattern_free(f->pattern);
	buf_fini(&f->out);
}

/* --- Opening and rotation --------------------------------------------------------------------- */

/* Sets the name of the file that begins at this time. Returns 0 or -ENAMETOOLONG. */
static int set_name(struct legal_file *f, time_t began)
{
	char tag[LEGAL_TAG_LEN];
	int n;

	legal_tag(f->target->period.unit, began, tag);
	n = snprintf(f->path, sizeof(f->path), "%s/%s.%s.txt", f->target->dir, f->target->base,
		     tag);
	f->began = began;
	return (size_t)n < sizeof(f->path) ? 0 : -ENAMETOOLONG;
}

/* Returns the begin of the newest file whose period lasts; else the present time. */
static time_t find_begin(const struct legal_file *f, time_t now)
{
	const struct legal_target *t = f->target;
	DIR *d = opendir(t->dir);
	bool found = false;
	time_t newest = 0;
	time_t began;

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		if (!legal_tag_read(t->period.unit, t->base, e->d_name, &began) ||
		    (found && began < newest))
			continue;
		newest = began;
		found = true;
	}
	if (d)
		(void)closedir(d);
	return found && !legal_period_over(&t->period, newest, now) ? newest : now;
}

static int open_file(struct legal_file *f)
{
	f->fd = library_open_append(f->path, 0, FILE_MODE);
	if (f->fd < 0)
		return f->fd;
	f->was_open = true;
	library_message(f->messages, LOG_LEGAL_LOG_STORE_OPENED, "Legal store opened: %s", f->path);
	return 0;
}

/* Runs the script of a rotation with the name of the present file. */
static void run_script(struct legal_file *f, const char *script)
{
	int r = script ? child_run(f->scripts, script, f->path, SPAN_NULL) : 0;

	if (r == 0)
		return;
	library_count_lost(f->messages, 1);
	library_message(f->messages, LOG_USHER_CHILD_DROPPED, "%s %s is not run: %s", script,
			f->path,
			r == -EAGAIN ? "too many runs wait for earlier ones to end" : strerror(-r));
}

/* Closes the file of a period that is over, and names the next one. */
static int rotate_file(struct legal_file *f, time_t now)
{
	int r = legal_file_flush(f);

	if (r < 0)
		return r;
	close_file(f);
	run_script(f, f->target->prerotate);
	f->post_due = true;
	return set_name(f, now);
}

int legal_file_ready(struct legal_file *f, int64_t wall_ns)
{
	time_t now = wall_ns / NS_PER_S;
	int r = 0;

	if (f->target->syslog)
		return 0;
	if (!f->was_open)
		r = set_name(f, find_begin(f, now));
	else if (f->fd >= 0 && f->target->period.count &&
		 legal_period_over(&f->target->period, f->began, now))
		r = rotate_file(f, now);
	if (r == 0 && f->fd < 0)
		r = open_file(f);
	if (r == 0 && f->post_due) {
		f->post_due = false;
		run_script(f, f->target->postrotate);
	}
	return r;
}

/* --- Records ---------------------------------------------------------------------------------- */

/* Adds the lines of a text, each behind the time. */
static void add_lines(struct legal_file *f, const char *stamp, size_t stamp_len, struct span text)
{
	const char *p = (const char *)text.p;
	const char *end = p + text.n;

	while (p < end) {
		const char *line_end = memchr(p, '\n', (size_t)(end - p));
		bool last;

		if (!line_end)
			line_end = end;
		last = line_end + 1 >= end;
		buf_add(&f->out, stamp, stamp_len);
		buf_char(&f->out, f->target->mark && !last ? '-' : ' ');
		buf_add(&f->out, p, (size_t)(line_end - p));
		buf_char(&f->out, '\n');
		p = line_end + 1;
	}
}

int legal_file_add(struct legal_file *f, int64_t wall_ns, struct span text)
{
	char stamp[LEGAL_STAMP_LEN];
	size_t lines = 1;

	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	if (!buf_reserve(&f->out, text.n + lines * (LEGAL_STAMP_LEN + 2))) {
		f->out.failed = false; /* the lines so far are whole */
		return -ENOMEM;
	}
	if (f->target->syslog)
		buf_add(&f->out, text.p, text.n);
	else
		add_lines(f, stamp, legal_stamp(f->target->stamp, wall_ns, stamp), text);
	f->n_out++;
	return 0;
}

/* Returns 0 if syslog's socket accepts messages. */
static int try_syslog(void)
{
	static const struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 && errno != EPROTOTYPE)
		r = -errno;
	(void)close(fd);
	return r;
}

static int flush_syslog(struct legal_file *f)
{
	struct log_record record = {.severity = "INFO",
				    .logger = "kea-dhcp4.legal-log-hooks",
				    .id = "LEGAL_LOG_SYSLOG",
				    .text = f->out.p,
				    .text_len = f->out.len};
	int priority = f->target->facility | LOG_INFO;
	char line[SYSLOG_LINE];
	int r = try_syslog();
	size_t n;

	if (r < 0)
		return r;
	record.wall_ns = clock_wall_ns(&clock_system);
	n = log_pattern_line(f->pattern, &record, line, sizeof(line));
	while (n && line[n - 1] == '\n')
		n--;
	syslog(priority, "%.*s", (int)n, line);
	return 0;
}

static int flush_file(struct legal_file *f)
{
	if (f->fd < 0)
		return -EBADF;
	while (f->written < f->out.len) {
		ssize_t n = write(f->fd, f->out.p + f->written, f->out.len - f->written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		f->written += (size_t)n;
	}
	return 0;
}

int legal_file_flush(struct legal_file *f)
{
	int r;

	if (!f->n_out)
		return 0;
	r = f->target->syslog ? flush_syslog(f) : flush_file(f);
	if (r < 0)
		return r;
	(void)atomic_fetch_add(&f->n_written, f->n_out);
	buf_reset(&f->out);
	f->written = 0;
	f->n_out = 0;
	return 0;
}
