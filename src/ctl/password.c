/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The terminal is /dev/tty, so that standard input and output can be files. A signal restores the
 * echo (terminal.h).
 */
#include "ctl/password.h"

#include "ctl/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int ctl_password_ask(const char *user, char **ret)
{
	FILE *tty = fopen("/dev/tty", "r+e");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int r;

	if (!tty)
		return -errno;
	/* before the prompt: a fast writer's password must not be echoed */
	r = ctl_terminal_enter(fileno(tty), CTL_TERMINAL_SECRET);
	if (r < 0) {
		(void)fclose(tty);
		return r;
	}
	(void)fprintf(tty, "password of %s: ", user);
	(void)fflush(tty);
	(void)fseek(tty, 0, SEEK_CUR); /* C11 7.21.5.3: between writing and reading */
	n = getline(&line, &cap, tty);
	ctl_terminal_leave();
	(void)fseek(tty, 0, SEEK_CUR);
	(void)fputc('\n', tty);
	(void)fclose(tty);
	if (n < 0) {
		free(line);
		return -ENODATA;
	}
	line[strcspn(line, "\n")] = '\0';
	*ret = line;
	return 0;
}
