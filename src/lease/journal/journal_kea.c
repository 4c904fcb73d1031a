/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A kea-lfc that Kea left behind when it ended: it still reads, writes, renames and removes the
 * files of a clean-up. Nothing is read before it has ended. Its pid file appears a moment after the
 * process. So processes of that name are searched as well, and files that changed while they were
 * read are not trusted.
 */
#include "lease/journal/journal_files.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PID_TEXT = 32, ARGUMENTS = 4096 };

/* Reads a file of a process into out[cap], with a zero behind it. Returns the number of octets. */
static size_t read_proc(const char *pid, const char *file, char *out, size_t cap)
{
	char name[64];
	size_t n;
	FILE *f;

	out[0] = '\0';
	if ((size_t)snprintf(name, sizeof(name), "/proc/%.20s/%s", pid, file) >= sizeof(name))
		return 0;
	f = fopen(name, "re");
	if (!f)
		return 0;
	n = fread(out, 1, cap - 1, f);
	(void)fclose(f);
	out[n] = '\0';
	return n;
}

static bool is_lfc(const char *pid)
{
	char comm[PID_TEXT];

	return read_proc(pid, "comm", comm, sizeof(comm)) >= 7 && memcmp(comm, "kea-lfc", 7) == 0;
}

/* Returns whether the process that the pid file of a clean-up names runs. */
static bool named_runs(const struct journal *j)
{
	const struct file_ops *f = j->files;
	char name[PATH_CAP];
	char text[PID_TEXT + 1] = "";
	int fd = f->open(f->ctx, journal_name(j, ".pid", name), O_RDONLY | O_NONBLOCK, 0);

	if (fd < 0)
		return false;
	(void)f->read(f->ctx, fd, text, PID_TEXT);
	(void)f->close(f->ctx, fd);
	text[strspn(text, "0123456789")] = '\0';
	return strtol(text, NULL, 10) > 1 && is_lfc(text);
}

/* Returns whether an argument, without its last suffix, is the path of the lease file. The name of
 * the directory may differ. */
static bool names_file(const char *path, const char *arg)
{
	const char *own = strrchr(path, '/'), *slash = strrchr(arg, '/'), *dot = strrchr(arg, '.');
	char mine[PATH_CAP], its[PATH_CAP];
	struct stat a, b;

	if (!slash || !dot || dot < slash)
		return false;
	own = own ? own + 1 : path;
	if (strlen(own) != (size_t)(dot - slash - 1) || memcmp(own, slash + 1, strlen(own)) != 0)
		return false;
	(void)snprintf(mine, sizeof(mine), "%.*s.", (int)(own - path), path);
	(void)snprintf(its, sizeof(its), "%.*s.", (int)(slash + 1 - arg), arg);
	return stat(mine, &a) == 0 && stat(its, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* Returns whether a kea-lfc runs whose arguments name the lease file. */
static bool unnamed_runs(const struct journal *j)
{
	char args[ARGUMENTS];
	struct dirent *e;
	bool found = false;
	DIR *proc = opendir("/proc");

	while (proc && !found && (e = readdir(proc))) {
		size_t n;

		if (!isdigit((unsigned char)e->d_name[0]) || !is_lfc(e->d_name))
			continue;
		n = read_proc(e->d_name, "cmdline", args, sizeof(args));
		for (size_t at = 0; at < n && !found; at += strlen(args + at) + 1)
			found = names_file(j->path, args + at);
	}
	if (proc)
		(void)closedir(proc);
	return found;
}

bool journal_kea_cleans(struct journal *j)
{
	return named_runs(j) || (j->files == &file_ops_system && unnamed_runs(j));
}

void journal_kea_look(struct journal *j, struct journal_kea_files *ret)
{
	static const char *const suffixes[] = {".completed", ".2", ".1"};
	const struct file_ops *f = j->files;
	char name[PATH_CAP];

	*ret = (struct journal_kea_files){0};
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (f->stat &&
		    f->stat(f->ctx, journal_name(j, suffixes[i], name), &ret->file[i]) < 0)
			ret->file[i] = (struct file_info){0};
}

bool journal_kea_same(const struct journal_kea_files *a, const struct journal_kea_files *b)
{
	for (size_t i = 0; i < ARRAY_LEN(a->file); i++)
		if (a->file[i].dev != b->file[i].dev || a->file[i].ino != b->file[i].ino)
			return false;
	return true;
}
