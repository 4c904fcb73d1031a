/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usherctl gate console.
 */
#include "ctl/console.h"

#include "base/cleanup.h"
#include "config/json/json.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void ctl_show_workers(const struct json *answer)
{
	const struct json *args = json_get(answer, "arguments"),
			  *list = args ? json_get(args, "workers") : NULL;
	bool many = list && list->first && list->first->next;

	for (const struct json *w = list ? list->first : NULL; w; w = w->next) {
		const char *printed = json_get_str(w, "printed"), *error = json_get_str(w, "error");
		int64_t n = 0;

		(void)json_get_int(w, "worker", &n);
		if (many && ((printed && *printed) || error))
			(void)printf("worker %d:\n", (int)n);
		(void)fputs(printed ? printed : "", stdout);
		if (error)
			(void)printf("error: %s\n", error);
	}
	if (!list)
		(void)printf("error: %s\n",
			     json_get_str(answer, "text") ? json_get_str(answer, "text") : "?");
	(void)fflush(stdout);
}

int ctl_console(ctl_line_fn run, void *ctx)
{
	bool person = isatty(STDIN_FILENO);
	auto_free char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int code = 0;

	for (;;) {
		if (person)
			(void)fputs("gate> ", stdout);
		(void)fflush(stdout);
		n = getline(&line, &cap, stdin);
		if (n < 0)
			break;
		line[strcspn(line, "\n")] = '\0';
		if (line[0])
			code |= run(ctx, line);
	}
	if (person)
		(void)putchar('\n');
	return code;
}
