/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The leases come in pages, ordered by address, so that neither side keeps all of them. A lease
 * that changes meanwhile is in the file as it was at some moment of the export.
 */
#include "ctl/leases.h"

#include "base/buf.h"
#include "base/ip.h"
#include "config/json/json.h"
#include "ctl/lease_rows.h"
#include "ctl/progress.h"
#include "ctl/session.h"
#include "lease/json/lease_json.h"
#include "lease/lease_csv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 10000, EXIT_FAILED = 1, RESULT_EMPTY = 3 };

struct export
{
	struct ctl_session *s;
	const char *path;
	FILE *file;
	struct ctl_bar bar;
	struct arena arena; /* of one lease */
	struct buf row;
	uint32_t last; /* address */
	uint64_t n;
	size_t n_page;
	struct lease_json_problem problem; /* of a lease that cannot be read */
};

static int report_failure(struct export *x, const char *why)
{
	ctl_bar_end(&x->bar);
	(void)fprintf(stderr, "usherctl: leases export: %s: %s\n", x->path, why);
	return EXIT_FAILED;
}

/* Writes one lease of an answer as a row. */
static int write_lease(void *ctx, const struct json *map)
{
	struct export *x = ctx;
	struct lease l;

	arena_reset(&x->arena);
	if (lease_from_stored_json(map, &x->arena, &l, &x->problem) < 0)
		return -EINVAL;
	buf_reset(&x->row);
	lease_csv_format(&l, false, &x->row);
	if (x->row.failed)
		return -ENOMEM;
	if (fwrite(x->row.p, 1, x->row.len, x->file) != x->row.len)
		return -EIO;
	x->last = l.addr;
	x->n++;
	x->n_page++;
	ctl_bar_add(&x->bar, 1);
	return 0;
}

/* Asks for one page. Returns 1: there are more, 0: there are none, or -1: it failed, which was
 * printed. */
static int copy_page(struct export *x)
{
	struct ctl_lease_rows rows;
	struct json *args, *answer;
	struct arena arena;
	struct buf request;
	char ip[IP_TEXT_LEN];
	int64_t result = 1;
	int r = -1;

	arena_init(&arena);
	buf_init(&request);
	ctl_lease_rows_init(&rows);
	rows.each = write_lease;
	rows.ctx = x;
	x->n_page = 0;
	args = json_map(&arena);
	(void)json_add(&arena, args, "from",
		       json_str(&arena, x->n ? ip_text(x->last, ip) : "start"));
	(void)json_add(&arena, args, "limit", json_int(&arena, PAGE));
	ctl_session_request(x->s, "lease4-get-page", args, &request);
	if (ctl_session_ask(x->s, &request, &rows, &arena, &answer) < 0)
		(void)report_failure(x, x->problem.text[0] ? x->problem.text
					: ferror(x->file)  ? "it cannot be written"
							   : x->s->error);
	else if (!json_get_int(answer, "result", &result) || (result && result != RESULT_EMPTY))
		(void)report_failure(x, json_get_str(answer, "text") ? json_get_str(answer, "text")
								     : "the answer has no text");
	else
		r = x->n_page == PAGE;
	ctl_lease_rows_fini(&rows);
	buf_fini(&request);
	arena_fini(&arena);
	return r;
}

/* Returns the number of leases that the server has about, for the bar; 0: unknown. */
static uint64_t estimate(struct ctl_session *s)
{
	static const char name[] = "assigned-addresses";
	struct json *args, *answer;
	const struct json *list;
	struct arena arena;
	struct buf request;
	uint64_t n = 0;

	arena_init(&arena);
	buf_init(&request);
	args = json_map(&arena);
	(void)json_add(&arena, args, "name", json_str(&arena, name));
	ctl_session_request(s, "statistic-get", args, &request);
	if (ctl_session_ask(s, &request, NULL, &arena, &answer) == 0) {
		list = json_get(json_get(answer, "arguments"), name);
		list = list && list->type == JSON_LIST ? list->first : NULL;
		list = list && list->type == JSON_LIST ? list->first : NULL;
		n = list && list->type == JSON_INT && list->i > 0 ? (uint64_t)list->i : 0;
	}
	buf_fini(&request);
	arena_fini(&arena);
	return n;
}

/* Writes the header and all pages. Returns the exit code. */
static int copy_leases(struct export *x)
{
	int more = 1;

	if (fputs(lease_csv_head(), x->file) == EOF)
		return report_failure(x, strerror(errno));
	while (more > 0)
		more = copy_page(x);
	if (more < 0)
		return EXIT_FAILED;
	if (fflush(x->file) == EOF || fsync(fileno(x->file)) < 0)
		return report_failure(x, strerror(errno));
	return 0;
}

int ctl_leases_export(struct ctl_session *s, const char *path)
{
	struct export x = {.s = s, .path = path};
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	int r = EXIT_FAILED;

	x.file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!x.file)
		return report_failure(&x, fd < 0 && errno == EEXIST ? "it exists; choose a new name"
								    : strerror(errno));
	s->quiet = true;
	arena_init(&x.arena);
	buf_init(&x.row);
	ctl_bar_begin(&x.bar, estimate(s), false);
	r = copy_leases(&x);
	ctl_bar_end(&x.bar);
	if (fclose(x.file) == EOF && r == 0)
		r = report_failure(&x, strerror(errno));
	if (r != 0)
		(void)unlink(path);
	else
		(void)printf("%llu leases written to %s\n", (unsigned long long)x.n, path);
	buf_fini(&x.row);
	arena_fini(&x.arena);
	return r;
}
