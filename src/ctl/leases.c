/* SPDX-License-Identifier: MPL-2.0 */
/* The words of usherctl leases. */
#include "ctl/leases.h"

#include "ctl/session.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_WRONG_USE = 2 };

static int refuse_words(void)
{
	(void)fputs("usherctl: leases: expected `leases export FILE` or "
		    "`leases import FILE [overwrite=true]`\n",
		    stderr);
	return EXIT_WRONG_USE;
}

int ctl_leases(struct ctl_session *s, char **words, int n_words)
{
	static const char key[] = "overwrite=";
	bool overwrite = false;

	if (n_words < 2 || n_words > 3)
		return refuse_words();
	if (strcmp(words[0], "export") == 0 && n_words == 2)
		return ctl_leases_export(s, words[1]);
	if (strcmp(words[0], "import") != 0)
		return refuse_words();
	if (n_words == 3) {
		if (strncmp(words[2], key, sizeof(key) - 1) != 0)
			return refuse_words();
		overwrite = strcmp(words[2] + sizeof(key) - 1, "true") == 0;
		if (!overwrite && strcmp(words[2] + sizeof(key) - 1, "false") != 0)
			return refuse_words();
	}
	return ctl_leases_import(s, words[1], overwrite);
}
