/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The signals end the program at once, also while it waits for an answer: nothing needs to be
 * restored, and each answer is flushed.
 */
#include "ctl/watch.h"

#include "ctl/print.h"
#include "ctl/terminal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int ctl_watch_check(enum ctl_program p, const char *command)
{
	const char *why = NULL;

	switch (ctl_command_access(p, command)) {
	case CTL_READS:
		return 0;
	case CTL_WRITES:
		why = "it changes state, and is not repeated";
		break;
	case CTL_LOCAL:
		why = "it is no command of the program";
		break;
	case CTL_UNKNOWN:
		why = "it is unknown here, so it could change state";
		break;
	}
	(void)fprintf(stderr, "usherctl: --watch: %s: %s\n", command, why);
	return -1;
}

void ctl_watch(int (*run)(void *ctx), void *ctx, int seconds, bool json)
{
	bool screen = isatty(STDOUT_FILENO);
	char now[40];

	ctl_terminal_end_quietly();
	for (;;) {
		ctl_time_text(time(NULL), now, sizeof(now));
		if (screen)
			(void)printf("\033[H\033[2J%s\n", now);
		else if (!json)
			(void)printf("--- %s\n", now);
		(void)run(ctx);
		if (fflush(stdout) == EOF)
			_exit(1); /* the reader is gone */
		(void)sleep((unsigned)seconds);
	}
}
