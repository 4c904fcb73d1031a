/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The filter of the half that reads the network. Its program is made by tools/gen_seccomp.c with
 * libseccomp when the client is built, so at run time it costs one call and no memory.
 */
#include "client/os/privsep.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

static const struct sock_filter program[] = {
#include "client/seccomp_filter.inc"
};

int privsep_seccomp(void)
{
	/* the kernel does not write to it */
	struct sock_fprog p = {ARRAY_LEN(program), (struct sock_filter *)(uintptr_t)program};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p, 0, 0) < 0 ? -errno : 0;
}
