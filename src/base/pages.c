/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Anonymous mappings, not reserved: the system counts pages, not promises.
 */
#include "base/pages.h"

#include <sys/mman.h>

void *pages_new(size_t count, size_t size)
{
	size_t n;
	void *p;

	if (__builtin_mul_overflow(count, size, &n) || n == 0)
		return NULL;
	p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		 0);
	return p == MAP_FAILED ? NULL : p;
}

void *pages_new_huge(size_t count, size_t size)
{
	void *p = pages_new(count, size);

	/* optional: without it everything works */
	if (p)
		(void)madvise(p, count * size, MADV_HUGEPAGE);
	return p;
}

void pages_free(void *p, size_t count, size_t size)
{
	if (p)
		(void)munmap(p, count * size);
}
