/* SPDX-License-Identifier: MPL-2.0 */
/* A thread of the lowest priority. The caller's own priority stays: without privileges it could
 * not be restored. */
#include "runtime/background.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

struct background {
	int (*fn)(void *ctx);
	void *ctx;
	int result;
};

static void *background_main(void *arg)
{
	struct background *a = arg;

	/* on Linux a priority belongs to a thread; the work is done also without it */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
	a->result = a->fn(a->ctx);
	return NULL;
}

int background_run(int (*fn)(void *ctx), void *ctx)
{
	struct background a = {fn, ctx, 0};
	pthread_t t;

	if (pthread_create(&t, NULL, background_main, &a) != 0)
		return fn(ctx);
	(void)pthread_join(t, NULL);
	return a.result;
}
