/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Runs every file of the given directories through a fuzz target, so that the ordinary test run
 * replays corpora and old findings without libFuzzer. Directories that are not there are empty.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>

enum { INPUT_MAX = 1 << 20 };

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rbe");
	uint8_t *data = malloc(INPUT_MAX);
	size_t n = f && data ? fread(data, 1, INPUT_MAX, f) : 0;
	/* a buffer of just this size, so that the sanitizer sees a read behind it */
	uint8_t *exact = f && data ? realloc(data, n ? n : 1) : NULL;

	if (f)
		(void)fclose(f);
	if (exact)
		(void)LLVMFuzzerTestOneInput(exact, n);
	free(exact ? exact : data);
	return exact != NULL;
}

static int replay_dir(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[4096];
	int n = 0;

	while (d && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		n += replay_file(path);
	}
	if (d)
		(void)closedir(d);
	return n;
}

int main(int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++)
		n += replay_dir(argv[i]);
	(void)fprintf(stderr, "%d inputs\n", n);
	return 0;
}
