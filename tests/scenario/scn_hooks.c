/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Callouts that run the script's operations and note their arguments, and the packets they keep.
 */
#include "scn.h"

#include "base/ip.h"
#include "lease/lease.h"
#include "server/core/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void scn_hooks_init(struct scn *s)
{
	for (size_t i = 0; i < HOOK_N_POINTS; i++) {
		buf_init(&s->hook[i].saw);
		s->hook[i].s = s;
	}
}

void scn_hooks_fini(struct scn *s)
{
	for (size_t i = 0; i < HOOK_N_POINTS; i++) {
		buf_fini(&s->hook[i].saw);
		free(s->hook[i].args);
		s->hook[i] = (struct scn_hook){0};
	}
}

static void note_msg(struct buf *b, const char *what, const usher_msg *m)
{
	if (m)
		buf_printf(b, " %s=%s", what,
			   dhcp4_type_name((enum dhcp4_type)usher_msg_type(m)) + 4);
	else
		buf_printf(b, " %s=none", what);
}

static void note_lease(struct buf *b, const char *what, const usher_lease *l)
{
	char ip[IP_TEXT_LEN];

	if (!l) {
		buf_printf(b, " %s=none", what);
		return;
	}
	buf_printf(b, " %s=%s %s-state=%d %s-valid=%u %s-hostname=%s", what,
		   ip_text(usher_lease_address(l), ip), what, usher_lease_state(l), what,
		   usher_lease_lifetime(l), what, usher_lease_hostname(l));
}

static void note(struct scn_hook *h, usher_call *c)
{
	char ip[IP_TEXT_LEN];
	size_t len;

	buf_reset(&h->saw);
	buf_printf(&h->saw, "point=%s iface=%s subnet=%u fake=%d src=%s", usher_hook_point(c),
		   usher_interface(c), usher_subnet_id(c), usher_fake_allocation(c),
		   ip_text(usher_source(c), ip));
	buf_printf(&h->saw, " dst=%s", ip_text(usher_destination(c), ip));
	(void)usher_raw(c, &len);
	buf_printf(&h->saw, " raw=%s", len ? "some" : "none");
	note_msg(&h->saw, "query", usher_query(c));
	note_msg(&h->saw, "response", usher_response(c));
	note_lease(&h->saw, "lease", usher_lease4(c));
	note_lease(&h->saw, "deleted", usher_deleted_lease4(c));
	if (usher_command_name(c))
		buf_printf(&h->saw, " command=%s arguments=%s answer=%s", usher_command_name(c),
			   usher_command_arguments(c), usher_command_answer(c));
	buf_char(&h->saw, ' ');
}

static int set_option(usher_call *c, const char *w)
{
	usher_msg *m = usher_response(c) ? usher_response(c) : usher_query(c);
	uint8_t data[300];
	const char *v;
	int code = scn_option_word(w, &v);
	int n = code < 0 ? -1 : scn_value(v, scn_option_width(code), data, sizeof(data));

	return n < 0 || !m ? -EINVAL : usher_msg_set_option(m, (uint8_t)code, data, (size_t)n);
}

/* The last octet of the message that goes out is replaced. */
static int patch(usher_call *c, const char *v)
{
	size_t len;
	const uint8_t *p = usher_raw(c, &len);
	uint8_t copy[1500];

	if (!len || len > sizeof(copy))
		return -EINVAL;
	memcpy(copy, p, len);
	copy[44] = (uint8_t)atoi(v); /* the first octet of sname */
	return usher_set_raw(c, copy, len);
}

static int set_raw(usher_call *c, const char *v)
{
	uint8_t data[1500];
	int n = scn_value(v, 1, data, sizeof(data));

	return n < 0 ? -EINVAL : usher_set_raw(c, data, (size_t)n);
}

static int set_host_id(usher_call *c, const char *v)
{
	uint8_t data[128];
	int n = scn_value(v, 1, data, sizeof(data));

	return n < 0 ? -EINVAL : usher_set_host_id(c, data, (size_t)n);
}

/* A greedy callout: takes all of the packet's memory, in ever smaller pieces. */
static int use_up_memory(usher_call *c)
{
	static const uint8_t zeros[1024];

	for (size_t n = sizeof(zeros); n > 0; n /= 2)
		while (usher_msg_set_option(usher_query(c), 224, zeros, n) == 0)
			;
	return 0;
}

/* Sets the user-context of the lease, and stores it where the lease is stored already. */
static int set_context(usher_call *c, const char *v)
{
	const char *point = usher_hook_point(c);
	int r = usher_lease4_set_context(c, v);

	if (r < 0 ||
	    (strcmp(point, "leases4_committed") != 0 && strcmp(point, "lease4_offer") != 0))
		return r;
	return usher_lease4_update(c);
}

static int act(usher_call *c, const char *w)
{
	const char *v;

	if ((v = scn_arg(w, "set")) != NULL)
		return set_option(c, v);
	if ((v = scn_arg(w, "del")) != NULL)
		return usher_msg_del_option(usher_response(c) ? usher_response(c) : usher_query(c),
					    (uint8_t)atoi(v));
	if ((v = scn_arg(w, "class")) != NULL)
		return usher_class_add(c, v);
	if ((v = scn_arg(w, "subnet")) != NULL)
		return usher_set_subnet_id(c, (uint32_t)atoi(v));
	if ((v = scn_arg(w, "lifetime")) != NULL)
		return usher_lease_set_lifetime(usher_lease4(c), (uint32_t)atoi(v));
	if ((v = scn_arg(w, "hostname")) != NULL)
		return usher_lease_set_hostname(usher_lease4(c), v);
	if ((v = scn_arg(w, "context")) != NULL)
		return set_context(c, v);
	if ((v = scn_arg(w, "host-id")) != NULL)
		return set_host_id(c, v);
	if ((v = scn_arg(w, "raw")) != NULL)
		return set_raw(c, v);
	if ((v = scn_arg(w, "patch")) != NULL)
		return patch(c, v);
	if ((v = scn_arg(w, "answer")) != NULL)
		return usher_command_set_answer(c, v);
	if (strcmp(w, "unpack") == 0)
		return usher_unpack(c);
	if (strcmp(w, "greedy") == 0)
		return use_up_memory(c);
	if (strcmp(w, "late") == 0) {
		c->refused = true;
		return 0;
	}
	if (strcmp(w, "in-use") == 0) {
		usher_set_address_in_use(c, true);
		return 0;
	}
	return strcmp(w, "unpark-now") == 0 || strncmp(w, "times=", 6) == 0 ||
			       strcmp(w, "fail") == 0 || strcmp(w, "hold") == 0
		       ? 0
		       : -EINVAL;
}

static int park(struct scn_hook *h, usher_call *c, bool at_once)
{
	usher_parked *p = usher_park(c);

	if (!p || h->s->n_parked == SCN_PARKED)
		return -EINVAL;
	if (at_once)
		usher_unpark(p);
	else
		h->s->parked[h->s->n_parked++] = p;
	return 0;
}

static int callout(usher_call *c, void *ctx)
{
	struct scn_hook *h = ctx;
	char *words = strdup(h->args ? h->args : "");
	char *save = NULL;
	bool at_once = strstr(words, "unpark-now") != NULL;
	bool fail = strstr(words, "fail") != NULL;
	bool hold = strstr(words, "hold") != NULL; /* a handle, with any status */
	int r = 0;

	h->calls++;
	note(h, c);
	if (!h->times) {
		free(words);
		return 0;
	}
	if (h->times != UINT32_MAX)
		h->times--;
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		r = act(c, w);
		if (r < 0)
			(void)scn_fail(h->s, "callout of %s: %s: %s", usher_hook_point(c), w,
				       strerror(-r));
	}
	free(words);
	if (h->step == USHER_PARK || hold)
		r = park(h, c, at_once);
	usher_set_status(c, h->step);
	return fail ? -EIO : r;
}

/* --- directives ------------------------------------------------------------------------------- */

static int point(struct scn *s, const char *name)
{
	for (int i = 0; i < HOOK_N_POINTS; i++)
		if (strcmp(hook_point_name((enum hook_point)i), name) == 0)
			return i;
	return scn_fail(s, "no hook point %s", name);
}

static int put_in(struct scn *s, struct snapshot *snap, enum hook_point p)
{
	if (s->hook[p].registered)
		return 0;
	s->hook[p].registered = true;
	return hook_register_builtin(snap->hooks, "scenario", p, callout, &s->hook[p]);
}

int scn_hooks_register(struct scn *s)
{
	struct snapshot *snap = server_snapshot(&s->d.srv);
	int r = 0;

	for (int i = 0; i < HOOK_N_POINTS && r == 0; i++)
		if (s->hook[i].args)
			r = put_in(s, snap, (enum hook_point)i);
	snapshot_unref(snap);
	return r < 0 ? scn_fail(s, "callouts cannot be registered") : 0;
}

/* hook POINT STATUS|off [operations ...] */
int do_hook(struct scn *s)
{
	static const char *const steps[] = {"CONTINUE", "SKIP", "DROP", "PARK"};
	struct scn_hook *h;
	const char *times;
	struct buf b;
	int p = s->n_words < 3 ? scn_fail(s, "hook POINT STATUS ...") : point(s, s->word[1]);

	if (p < 0)
		return -1;
	h = &s->hook[p];
	h->step = USHER_CONTINUE;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (strcmp(steps[i], s->word[2]) == 0)
			h->step = (enum usher_next_step)i;
	times = scn_find(s, 3, "times");
	h->times = strcmp(s->word[2], "off") == 0 ? 0 : times ? (unsigned)atoi(times) : UINT32_MAX;
	buf_init(&b);
	buf_str(&b, "");
	for (size_t i = 3; i < s->n_words; i++)
		buf_printf(&b, "%s ", s->word[i]);
	free(h->args);
	h->args = buf_take(&b);
	return s->running ? scn_hooks_register(s) : 0;
}

/* saw POINT key=value ...: at its last call */
int do_saw(struct scn *s)
{
	int p = s->n_words < 2 ? scn_fail(s, "saw POINT ...") : point(s, s->word[1]);

	if (p < 0)
		return -1;
	for (size_t i = 2; i < s->n_words; i++) {
		char want[128];

		(void)snprintf(want, sizeof(want), " %s ", s->word[i]);
		if (!s->hook[p].saw.p || !strstr(s->hook[p].saw.p, want))
			return scn_fail(s, "expected %s, saw %s", s->word[i],
					s->hook[p].saw.p ? s->hook[p].saw.p : "nothing");
	}
	return 0;
}

/* hooked POINT COUNT */
int do_hooked(struct scn *s)
{
	int p = s->n_words != 3 ? scn_fail(s, "hooked POINT COUNT") : point(s, s->word[1]);

	if (p < 0)
		return -1;
	if (s->hook[p].calls != strtoul(s->word[2], NULL, 10))
		return scn_fail(s, "expected %s calls, there were %u", s->word[2],
				s->hook[p].calls);
	return 0;
}

/* unpark [drop|in-use]: the packet that was parked first */
int do_unpark(struct scn *s)
{
	usher_parked *p = s->parked[0];

	if (!s->n_parked)
		return scn_fail(s, "nothing is parked");
	memmove(s->parked, s->parked + 1, --s->n_parked * sizeof(*s->parked));
	for (unsigned d = 0; d < DROP_N; d++)
		s->drops[d] = server_drop_count(&s->d.srv, (enum drop)d);
	if (s->n_words > 1 && strcmp(s->word[1], "drop") == 0)
		usher_unpark_drop(p);
	else if (s->n_words > 1)
		usher_unpark_in_use(p);
	else
		usher_unpark(p);
	scn_world_run(s);
	return 0;
}
