/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The worked example of a hook library (example.md): copy it and remove the parts that you do not
 * need. It uses the installed header alone. One struct a library; data that callouts of several
 * workers change is atomic or under the lock. A thread of its own replicates leases to a file: the
 * answer to the client is parked until its line is written.
 */
#include "usher/hook.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_BLOCKED = 64,
	HW_LEN = 6,
	SNAME_AT = 44,
	SNAME_LEN = 64,
	OPTION_MAX = 255,
	LINE_MAX_LEN = 256
};

/* A packet that waits for its line. */
struct job {
	struct job *next;
	usher_parked *parked;
	char line[LINE_MAX_LEN];
};

struct example {
	usher_lib *lib;
	uint8_t blocked[MAX_BLOCKED][HW_LEN];
	size_t n_blocked;
	const char *class_name; /* given to every client that is not blocked; NULL: none */
	int option_code;	/* added to every answer; 0: none */
	const char *option_text;
	const char *stamp; /* into sname where it is empty; NULL: none */
	_Atomic uint64_t messages_sent, octets_sent;

	FILE *replica; /* NULL: leases are not replicated */
	pthread_t thread;
	pthread_mutex_t lock; /* of the members below */
	pthread_cond_t work;
	struct job *head, **tail;
	bool stop;
	char option_new[OPTION_MAX + 1]; /* of example-option; "": it was not called */
};

/* --- buffer4_receive: we unpack, the server need not ------------------------------------------ */

static int on_buffer4_receive(usher_call *call, void *ctx)
{
	(void)ctx;
	/* bytes of a private framing would be taken off here, with usher_raw and usher_set_raw */
	if (usher_unpack(call) < 0)
		return 0; /* CONTINUE: the server parses the packet itself, and counts it when it
			     cannot */
	usher_set_status(call, USHER_SKIP);
	return 0;
}

/* --- pkt4_receive: a list of blocked clients, a class for the others -------------------------- */

static bool is_blocked(const struct example *e, const uint8_t *hw)
{
	for (size_t i = 0; i < e->n_blocked; i++)
		if (memcmp(e->blocked[i], hw, HW_LEN) == 0)
			return true;
	return false;
}

static int on_pkt4_receive(usher_call *call, void *ctx)
{
	struct example *e = ctx;
	const usher_msg *query = usher_query(call);

	if (usher_msg_get(query, USHER_HLEN) == HW_LEN && is_blocked(e, usher_msg_chaddr(query))) {
		usher_set_status(call, USHER_DROP);
		return 0;
	}
	/* -ENOENT: the configuration never names the class, so it could matter to nobody */
	return e->class_name ? usher_class_add(call, e->class_name) : 0;
}

/* --- leases4_committed: park, write a line in our own thread, unpark -------------------------- */

static int describe(usher_call *call, char *out, size_t cap)
{
	const usher_lease *lease = usher_lease4(call);
	const char *what = "lease";
	uint32_t a;
	const uint8_t *hw;
	size_t n_hw;
	size_t n;

	if (!lease) {
		lease = usher_deleted_lease4(call);
		what = "end";
	}
	if (!lease)
		return 0; /* a NAK, or nothing was changed */
	a = usher_lease_address(lease);
	hw = usher_lease_hw(lease, &n_hw);
	n = (size_t)snprintf(out, cap, "%s %u.%u.%u.%u %u ", what, a >> 24, a >> 16 & 255,
			     a >> 8 & 255, a & 255, usher_lease_lifetime(lease));
	for (size_t i = 0; i < n_hw && n + 4 < cap; i++)
		n += (size_t)snprintf(out + n, cap - n, i ? ":%02x" : "%02x", hw[i]);
	return (int)n;
}

static int on_leases4_committed(usher_call *call, void *ctx)
{
	struct example *e = ctx;
	struct job *job;

	if (!e->replica)
		return 0;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	if (!describe(call, job->line, sizeof(job->line))) {
		free(job);
		return 0;
	}
	job->parked = usher_park(call); /* NULL: may not park here, and need not wait */
	if (job->parked)
		usher_set_status(call, USHER_PARK);
	(void)pthread_mutex_lock(&e->lock);
	*e->tail = job;
	e->tail = &job->next;
	(void)pthread_cond_signal(&e->work);
	(void)pthread_mutex_unlock(&e->lock);
	return 0;
}

/* A line is on its way: the answer may go. Where it could not be written, none goes. */
static void replicate(struct example *e, struct job *job)
{
	bool ok = fprintf(e->replica, "%s\n", job->line) > 0 && fflush(e->replica) == 0;

	if (!ok)
		usher_log(e->lib, USHER_LOG_ERROR, "the replica cannot be written");
	if (job->parked && ok)
		usher_unpark(job->parked);
	else if (job->parked)
		usher_unpark_drop(job->parked);
	free(job);
}

static struct job *next_job(struct example *e)
{
	struct job *job;

	(void)pthread_mutex_lock(&e->lock);
	while (!e->head && !e->stop)
		(void)pthread_cond_wait(&e->work, &e->lock);
	job = e->head;
	if (job) {
		e->head = job->next;
		if (!e->head)
			e->tail = &e->head;
	}
	(void)pthread_mutex_unlock(&e->lock);
	return job;
}

static void *replicator(void *ctx)
{
	struct example *e = ctx;
	struct job *job;

	while ((job = next_job(e)) != NULL)
		replicate(e, job);
	return NULL;
}

/* --- pkt4_send, buffer4_send ------------------------------------------------------------------ */

static int on_pkt4_send(usher_call *call, void *ctx)
{
	struct example *e = ctx;
	usher_msg *response = usher_response(call);
	const char *text = e->option_text;
	int r;

	if (!e->option_code || !response)
		return 0;
	(void)pthread_mutex_lock(&e->lock);
	if (e->option_new[0])
		text = e->option_new;
	r = usher_msg_set_option(response, (uint8_t)e->option_code, (const uint8_t *)text,
				 strlen(text));
	(void)pthread_mutex_unlock(&e->lock);
	return r;
}

static int stamp(usher_call *call, const char *text, const uint8_t *bytes, size_t len)
{
	uint8_t copy[1500];
	size_t n = strlen(text);

	if (len > sizeof(copy) || len < SNAME_AT + SNAME_LEN || bytes[SNAME_AT])
		return 0;
	memcpy(copy, bytes, len);
	memcpy(copy + SNAME_AT, text, n < SNAME_LEN ? n : SNAME_LEN - 1);
	return usher_set_raw(call, copy, len);
}

static int on_buffer4_send(usher_call *call, void *ctx)
{
	struct example *e = ctx;
	size_t len;
	const uint8_t *bytes = usher_raw(call, &len);

	(void)atomic_fetch_add(&e->messages_sent, 1);
	(void)atomic_fetch_add(&e->octets_sent, len);
	return e->stamp ? stamp(call, e->stamp, bytes, len) : 0;
}

/* --- Commands --------------------------------------------------------------------------------- */

/* Answers the command example-statistics: the messages and octets sent so far. */
static int answer_statistics(usher_call *call, void *ctx)
{
	struct example *e = ctx;
	char json[96];

	(void)snprintf(json, sizeof(json), "{ \"messages\": %llu, \"octets\": %llu }",
		       (unsigned long long)e->messages_sent, (unsigned long long)e->octets_sent);
	return usher_command_reply(call, 0, "counted since the library was loaded", json);
}

/* example-option: changes the text of the option until the next reload. Callouts read it in workers
 * at the same time, so it is replaced under the lock. */
static int set_option(usher_call *call, void *ctx)
{
	struct example *e = ctx;
	const char *text = usher_command_str(call, "text");
	char said[128];

	if (strlen(text) > OPTION_MAX)
		return usher_command_reply(call, 1, "'text': at most 255 octets", NULL);
	(void)pthread_mutex_lock(&e->lock);
	(void)snprintf(e->option_new, sizeof(e->option_new), "%s", text);
	(void)pthread_mutex_unlock(&e->lock);
	(void)snprintf(said, sizeof(said), "changed by %s", usher_command_requester(call));
	return usher_command_reply(call, 0, said, NULL);
}

static int register_commands(struct example *e)
{
	const struct usher_command commands[] = {
		{.name = "example-statistics",
		 .help = "messages and octets that were sent",
		 .access = USHER_READ,
		 .fn = answer_statistics,
		 .ctx = e},
		{.name = "example-option",
		 .arguments = "text:text",
		 .help = "changes the text of the option in every answer",
		 .access = USHER_WRITE,
		 .fn = set_option,
		 .ctx = e},
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		int r = usher_register_command(e->lib, &commands[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* --- load and unload -------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "02:00:00:00:00:66,02:…" */
static int read_blocked(struct example *e, const char *p)
{
	while (p && *p) {
		if (e->n_blocked == MAX_BLOCKED)
			return -E2BIG;
		for (size_t i = 0; i < HW_LEN; i++, p += i < HW_LEN ? 3 : 2) {
			int hi = hex_digit(p[0]);
			int lo = hi < 0 ? -1 : hex_digit(p[1]);

			if (lo < 0 || (i + 1 < HW_LEN && p[2] != ':'))
				return -EINVAL;
			e->blocked[e->n_blocked][i] = (uint8_t)(hi * 16 + lo);
		}
		e->n_blocked++;
		if (*p == ',')
			p++;
	}
	return 0;
}

static int read_parameters(struct example *e)
{
	int64_t code = usher_parameter_int(e->lib, "option-code", 0);

	e->class_name = usher_parameter_str(e->lib, "class");
	e->option_text = usher_parameter_str(e->lib, "option-text");
	e->stamp = usher_parameter_str(e->lib, "stamp");
	if (code < 0 || code > 254 || (code && !e->option_text))
		return -EINVAL;
	if (!e->option_text)
		e->option_text = "";
	if (strlen(e->option_text) > OPTION_MAX)
		return -E2BIG;
	e->option_code = (int)code;
	return read_blocked(e, usher_parameter_str(e->lib, "blocked"));
}

static int open_replica(struct example *e)
{
	const char *path = usher_parameter_str(e->lib, "replica");
	int r;

	if (!path)
		return 0;
	e->replica = fopen(path, "ae");
	if (!e->replica)
		return -errno;
	r = pthread_create(&e->thread, NULL, replicator, e);
	if (r != 0) {
		(void)fclose(e->replica);
		e->replica = NULL;
	}
	return -r;
}

static int register_all(struct example *e)
{
	static const struct {
		const char *point;
		usher_callout fn;
	} callouts[] = {
		{"buffer4_receive", on_buffer4_receive},     {"pkt4_receive", on_pkt4_receive},
		{"leases4_committed", on_leases4_committed}, {"pkt4_send", on_pkt4_send},
		{"buffer4_send", on_buffer4_send},
	};

	for (size_t i = 0; i < sizeof(callouts) / sizeof(callouts[0]); i++) {
		int r = usher_register(e->lib, callouts[i].point, callouts[i].fn, e);

		if (r < 0)
			return r;
	}
	return 0;
}

static void example_free(struct example *e)
{
	char text[96];

	if (e->replica) {
		(void)pthread_mutex_lock(&e->lock);
		e->stop = true;
		(void)pthread_cond_signal(&e->work);
		(void)pthread_mutex_unlock(&e->lock);
		(void)pthread_join(e->thread, NULL); /* it writes the lines that wait first */
		(void)fclose(e->replica);
	}
	(void)snprintf(text, sizeof(text), "%llu messages, %llu octets sent",
		       (unsigned long long)e->messages_sent, (unsigned long long)e->octets_sent);
	usher_log(e->lib, USHER_LOG_INFO, text);
	(void)pthread_mutex_destroy(&e->lock);
	(void)pthread_cond_destroy(&e->work);
	free(e);
}

int usher_hook_version(void)
{
	return USHER_HOOK_ABI;
}

int usher_hook_load(usher_lib *lib)
{
	struct example *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->lib = lib;
	e->tail = &e->head;
	(void)pthread_mutex_init(&e->lock, NULL);
	(void)pthread_cond_init(&e->work, NULL);
	r = read_parameters(e);
	if (r == 0)
		r = open_replica(e);
	if (r == 0)
		r = register_all(e);
	if (r == 0)
		r = register_commands(e);
	if (r < 0) { /* unload is not called for a library that did not load */
		example_free(e);
		return r;
	}
	usher_lib_set(lib, e);
	return 0;
}

void usher_hook_unload(usher_lib *lib)
{
	example_free(usher_lib_get(lib));
}
