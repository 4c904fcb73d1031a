/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Writes the system call filter of usher-client as rows of struct sock_filter: the calls allowed to
 * the half that reads the network, and death for all else. Run when the client is built:
 * gen_seccomp OUTPUT.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const int calls[] = {
	/* packets, messages */
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(accept4),
	SCMP_SYS(getsockopt), /* the user of a connection */
	SCMP_SYS(close),
	/* waiting */
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(restart_syscall),
	/* memory for answers on the control channel */
	SCMP_SYS(brk),
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	/* going to the background; randomness; the end */
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(getrandom),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(gettid),
	SCMP_SYS(getpid),
	SCMP_SYS(tgkill),
	SCMP_SYS(exit_group),
};

/* Allows a memory call unless it asks for executable memory. */
static int allow(scmp_filter_ctx ctx, int call)
{
	if (call == SCMP_SYS(mmap))
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
					SCMP_A2(SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0));
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 0);
}

static int print(FILE *in, FILE *out)
{
	struct sock_filter f;

	while (fread(&f, sizeof(f), 1, in) == 1)
		(void)fprintf(out, "{0x%04x, %u, %u, 0x%08x},\n", f.code, f.jt, f.jf, f.k);
	return ferror(in) || ferror(out) ? -EIO : 0;
}

static int make(scmp_filter_ctx ctx, FILE *out)
{
	FILE *tmp = tmpfile();
	int r = tmp ? 0 : -errno;

	for (size_t i = 0; r == 0 && i < sizeof(calls) / sizeof(calls[0]); i++)
		r = allow(ctx, calls[i]);
	if (r == 0)
		r = seccomp_export_bpf(ctx, fileno(tmp));
	if (r == 0) {
		rewind(tmp);
		r = print(tmp, out);
	}
	if (tmp)
		(void)fclose(tmp);
	return r;
}

int main(int argc, char **argv)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	FILE *out = argc == 2 ? fopen(argv[1], "we") : NULL;
	int r = ctx && out ? make(ctx, out) : -errno;

	if (out && fclose(out) != 0 && r == 0)
		r = -errno;
	seccomp_release(ctx);
	if (r < 0)
		(void)fprintf(stderr, "gen_seccomp: %s\n", strerror(-r));
	return r < 0;
}
