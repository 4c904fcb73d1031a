/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Files with certificates, keys and passwords: small regular files.
 */
#include "base/arena.h"
#include "base/error.h"
#include "http/http.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_LEN_MAX = 1 << 20 };

char *http_read_text(struct arena *a, const char *path, int *ret_error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char *text = NULL;
	ssize_t n = 0;

	*ret_error = 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		*ret_error = -errno;
	else if (!S_ISREG(st.st_mode))
		*ret_error = -EINVAL;
	else if (st.st_size > FILE_LEN_MAX)
		*ret_error = -EFBIG;
	if (*ret_error == 0) {
		text = arena_alloc(a, (size_t)st.st_size + 1);
		n = text ? read(fd, text, (size_t)st.st_size) : 0;
		*ret_error = !text ? -ENOMEM : n < 0 ? -errno : 0;
	}
	if (fd >= 0)
		(void)close(fd);
	if (*ret_error)
		return NULL;
	text[n] = '\0';
	return text;
}

/* Reads the files of a directory of certificates, one behind the other. */
static const char *read_directory(struct arena *a, const char *path, int *ret_error)
{
	const char *all = "";
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir) {
		*ret_error = -errno;
		return NULL;
	}
	while ((entry = readdir(dir))) {
		const char *name = arena_printf(a, "%s/%s", path, entry->d_name);
		const char *text = name ? http_read_text(a, name, ret_error) : NULL;

		/* a link to the certificate and the certificate itself may both be there */
		if (text && strstr(text, "-----BEGIN ") && !strstr(all, text))
			all = arena_printf(a, "%s%s\n", all, text);
		if (!all)
			break;
	}
	(void)closedir(dir);
	*ret_error = all ? 0 : -ENOMEM;
	return all;
}

const char *http_read_trust(struct arena *a, const char *path, int *ret_error)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return read_directory(a, path, ret_error);
	return http_read_text(a, path, ret_error);
}
