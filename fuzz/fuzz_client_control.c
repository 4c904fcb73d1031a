/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Requests (divided by NUL) to the client's control channel: each that is JSON has an answer with a
 * result, and their effects leave the machine in a valid state. The driver has no descriptors:
 * effects fail.
 */
#include "fuzz.h"

#include "client/os/command.h"
#include "client/os/control.h"
#include "control/plane.h"
#include "client/os/driver.h"
#include "config/json/json.h"
#include "runtime/loop.h"

static uint32_t random_u32(void *ctx)
{
	(void)ctx;
	return 4;
}

static void request(struct driver *d, struct span text)
{
	static const struct control_requester from = {.transport = "unix"};
	struct config_error err;
	struct json *v, *answer;
	bool subscribe = false;
	int64_t result = -1;
	struct arena a;

	arena_init(&a);
	if (json_parse(text, &(struct json_opts){.file = "", .max_depth = 8}, &a, &v, &err) == 0) {
		answer = client_command_run(d, v, &from, &a, &subscribe);
		fuzz_check(json_get_int(answer, "result", &result) && result >= 0 && result <= 4);
		fuzz_check(d->client.state < CLIENT_N_STATES && !d->fx.overflow);
	}
	arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct client_link link = {.mac = {2, 0, 0, 0, 0, 1}, .mtu = 1500, .up = true};
	static const struct client_random random = {random_u32, NULL};
	static struct client_opts opts;
	static struct driver d;
	static struct loop *loop; /* nothing is in it; it can be stopped */

	if (!loop)
		fuzz_check(loop_new(&loop) == 0);
	client_opts_init(&opts);
	memset(&d, 0, sizeof(d));
	d.opts = &opts;
	d.loop = loop;
	d.raw.fd = d.udp.fd = d.arp.fd = d.timer.fd = d.privsep.fd = d.ready_fd = -1;
	d.background = true; /* says nothing */
	d.privsep.told = driver_applied;
	d.privsep.ctx = &d;
	fuzz_check(client_plane_open(&d) == 0);
	client_init(&d.client, &opts, &link, &random);
	for (size_t at = 0, n = 0; at < size; at += n + 1) {
		const uint8_t *nul = memchr(data + at, '\0', size - at);

		n = nul ? (size_t)(nul - data) - at : size - at;
		request(&d, span_of(data + at, n));
	}
	control_plane_free(d.plane);
	return 0;
}
