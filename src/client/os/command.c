/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The commands of the control channel (command.def). A command that the state does not accept is
 * refused with the state as the reason; an accepted one has been carried out when its answer
 * leaves.
 */
#include "client/os/command.h"

#include "base/cursor.h"
#include "base/ip.h"
#include "client/os/control.h"
#include "client/os/driver.h"
#include "client/os/client_metrics.h"
#include "config/json/json.h"
#include "control/plane.h"
#include "control/rows.h"
#include "control/transport.h"
#include "wire/option_def.h"

/* Returns the driver that runs the command. */
static struct driver *driver_of(const struct control_call *c)
{
	return c->program;
}

/* Returns an answer with arguments. text: the sentence for people. */
static struct json *answer_with(struct arena *a, struct json *args, const char *text)
{
	struct json *m = control_answer(a, CONTROL_OK, "%s", text);

	(void)json_add(a, m, "arguments", args);
	return m;
}

static void add_ip(struct arena *a, struct json *m, const char *key, uint32_t addr)
{
	char text[IP_TEXT_LEN];

	(void)json_add(a, m, key, json_str(a, ip_text(addr, text)));
}

static void add_int(struct arena *a, struct json *m, const char *key, uint64_t v)
{
	(void)json_add(a, m, key, json_int(a, (int64_t)v));
}

static void add_mac(struct arena *a, struct json *m, const uint8_t mac[6])
{
	(void)json_add(a, m, "hw-address",
		       json_printf(a, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
				   mac[3], mac[4], mac[5]));
}

/* Adds a time: seconds since the epoch, with milliseconds. */
static void add_time(struct arena *a, struct json *m, const char *key, int64_t wall_ns)
{
	(void)json_add(a, m, key, json_real(a, (double)(wall_ns / NS_PER_MS) / 1000));
}

/* --- state ------------------------------------------------------------------------------------ */

/* Adds the options of a lease: by name and as text; in hex where the text has unprintable
 * characters. */
static void add_options(struct arena *a, struct json *m, const struct client_lease *l)
{
	struct rd r = rd_init(span_of(l->options, l->options_len));
	struct json *list = json_add(a, m, "options", json_list(a));
	struct buf b;

	buf_init(&b);
	while (rd_left(&r)) {
		uint8_t code = rd_u8(&r);
		struct span data = rd_bytes(&r, rd_be16(&r));
		const struct option_def *def = option_def_by_code(OPTION_SPACE_DHCP4, code);
		struct json *o = json_map(a);

		if (!rd_ok(&r))
			break;
		add_int(a, o, "code", code);
		if (def)
			(void)json_add(a, o, "name", json_str(a, def->name));
		buf_reset(&b);
		buf_hex(&b, data, 0);
		(void)json_add(a, o, "hex", json_strn(a, b.p, b.len));
		buf_reset(&b);
		if (def && def->type != OPTION_STRING)
			option_text(def, data, &b);
		else
			for (size_t i = 0; def && i < data.n; i++)
				buf_char(&b, (char)(data.p[i] >= ' ' && data.p[i] < 127 ? data.p[i]
											: '?'));
		if (def && b.len)
			(void)json_add(a, o, "text", json_strn(a, b.p, b.len));
		(void)json_add(a, list, NULL, o);
	}
	buf_fini(&b);
}

static void add_route_list(struct arena *a, struct json *m, const struct client_lease *l)
{
	struct json *list = json_add(a, m, "routes", json_list(a));

	for (size_t i = 0; i < l->n_routes; i++) {
		char dest[IP_TEXT_LEN], gw[IP_TEXT_LEN];

		(void)json_add(a, list, NULL,
			       json_printf(a, "%s/%u via %s", ip_text(l->route[i].dest, dest),
					   l->route[i].len, ip_text(l->route[i].gateway, gw)));
	}
}

static struct json *lease_json(struct arena *a, const struct client_lease *l)
{
	struct json *m = json_map(a);

	add_ip(a, m, "address", l->address);
	add_int(a, m, "prefix-length", client_prefix_len(l->mask));
	add_ip(a, m, "server", l->server_id);
	add_int(a, m, "valid-lifetime", l->lease_s);
	add_int(a, m, "renew-timer", l->t1_s);
	add_int(a, m, "rebind-timer", l->t2_s);
	if (l->mtu)
		add_int(a, m, "mtu", l->mtu);
	add_route_list(a, m, l);
	add_options(a, m, l);
	return m;
}

static void add_timers(struct arena *a, struct json *m, const struct client *c)
{
	struct json *t = json_add(a, m, "timers", json_map(a));
	int64_t now = driver_now();

	for (unsigned i = 0; i < CLIENT_N_TIMERS; i++)
		if (c->deadline[i])
			(void)json_add(a, t,
				       client_event_name(client_timer_event((enum client_timer)i)),
				       json_real(a, (double)((c->deadline[i] - now) / NS_PER_MS) /
							    1000));
}

static struct json *command_state(struct control_call *call)
{
	struct driver *d = driver_of(call);
	struct arena *a = call->arena;
	const struct client *c = &d->client;
	struct json *m = json_map(a);

	(void)json_add(a, m, "state", json_str(a, client_state_name(c->state)));
	(void)json_add(a, m, "text", json_str(a, client_state_sentence(c->state)));
	(void)json_add(a, m, "interface", json_str(a, d->watch.now.name));
	add_mac(a, m, d->link.mac);
	(void)json_add(a, m, "link", json_bool(a, d->link.up));
	(void)json_add(a, m, "configured", json_bool(a, c->configured));
	if (c->kept != CLIENT_KEPT_NONE)
		(void)json_add(a, m, "lease", lease_json(a, &c->lease));
	add_timers(a, m, c);
	return answer_with(a, m, client_state_sentence(c->state));
}

/* --- events into the machine ------------------------------------------------------------------ */

static struct json *run_event(struct driver *d, struct arena *a, enum client_event e)
{
	enum client_state from = d->client.state;

	if (!driver_event(d, e))
		return control_answer(a, CONTROL_CONFLICT, "%s is not possible in state %s (%s)",
				      client_event_name(e), client_state_name(from),
				      client_state_sentence(from));
	return control_answer(a, CONTROL_OK, "%s to %s", client_state_name(from),
			      client_state_name(d->client.state));
}

#define EVENT_COMMAND(name, event)                                     \
	static struct json *command_##name(struct control_call *call)  \
	{                                                              \
		return run_event(driver_of(call), call->arena, event); \
	}
EVENT_COMMAND(renew, CLIENT_EV_RENEW)
EVENT_COMMAND(rebind, CLIENT_EV_REBIND)
EVENT_COMMAND(release, CLIENT_EV_RELEASE)
EVENT_COMMAND(restart, CLIENT_EV_RESTART)
EVENT_COMMAND(inform, CLIENT_EV_INFORM)

/* Returns the states that commands lead to from the present one, as "A, B, C". */
static const char *ways_from(struct driver *d, struct arena *a, struct client *scratch)
{
	const char *list = "nothing";
	enum client_event e;
	bool any = false;

	for (unsigned s = 0; s < CLIENT_N_STATES && list; s++) {
		const char *name = client_state_name((enum client_state)s);

		if (client_way_to(&d->client, (enum client_state)s, driver_now(), scratch, &d->fx,
				  &e) < 0)
			continue;
		list = any ? arena_printf(a, "%s, %s", list, name) : name;
		any = true;
	}
	return list ? list : "";
}

static struct json *try_transition(struct driver *d, struct arena *a, enum client_state to)
{
	struct client *scratch = arena_new(a, struct client);
	const char *from = client_state_name(d->client.state);
	enum client_event e;

	if (!scratch)
		return NULL;
	if (to == d->client.state)
		return control_answer(a, CONTROL_CONFLICT, "the state is %s already", from);
	if (client_way_to(&d->client, to, driver_now(), scratch, &d->fx, &e) < 0)
		return control_answer(a, CONTROL_CONFLICT,
				      "no command leads from %s to %s now; possible: %s", from,
				      client_state_name(to), ways_from(d, a, scratch));
	return run_event(d, a, e);
}

static struct json *command_transition(struct control_call *call)
{
	struct driver *d = driver_of(call);
	struct arena *a = call->arena;
	const char *to = json_get_str(call->args, "to");
	enum client_state s;

	if (client_state_parse(to, &s) < 0)
		return control_answer(a, CONTROL_ERROR, "no state '%.40s'", to);
	return try_transition(d, a, s);
}

/* --- history ---------------------------------------------------------------------------------- */

static struct json *command_server(struct control_call *call)
{
	struct driver *d = driver_of(call);
	struct arena *a = call->arena;
	struct json *m = json_map(a), *list = json_list(a);

	if (d->client.kept != CLIENT_KEPT_NONE)
		add_ip(a, m, "current", d->client.lease.server_id);
	(void)json_add(a, m, "history", list);
	for (size_t i = 0; i < d->history.n_servers; i++) {
		const struct history_server *s = &d->history.server[i];
		struct json *o = json_add(a, list, NULL, json_map(a));

		add_ip(a, o, "server", s->server_id);
		add_ip(a, o, "source", s->ip);
		add_mac(a, o, s->mac);
		add_ip(a, o, "address", s->address);
		add_int(a, o, "acks", s->n_acks);
		add_time(a, o, "first", s->first_wall_ns);
		add_time(a, o, "last", s->last_wall_ns);
	}
	return answer_with(a, m, "the servers that acknowledged a lease");
}

static struct json *command_errors(struct control_call *call)
{
	struct driver *d = driver_of(call);
	struct arena *a = call->arena;
	struct json *m = json_map(a), *list = json_list(a);
	const struct history_error *e;

	add_int(a, m, "count", d->history.n_errors);
	(void)json_add(a, m, "errors", list);
	for (size_t i = 0; (e = history_error_at(&d->history, i)); i++) {
		struct json *o = json_add(a, list, NULL, json_map(a));

		add_time(a, o, "time", e->wall_ns);
		(void)json_add(a, o, "what", json_str(a, e->what));
		(void)json_add(a, o, "cause", json_str(a, e->cause));
	}
	return answer_with(a, m, "the last errors, the newest first");
}

static void add_drops(struct arena *a, struct json *m, const struct client_stats *s)
{
	struct json *drops = json_add(a, m, "drops", json_map(a));

	for (unsigned i = 1; i < DROP_N; i++)
		if (s->frame_drop[i])
			add_int(a, drops, drop_info((enum drop)i)->symbol, s->frame_drop[i]);
	for (unsigned i = 1; i < CLIENT_N_DROPS; i++)
		if (s->drop[i])
			add_int(a, drops, client_drop_name((enum client_drop)i), s->drop[i]);
}

static struct json *command_statistics(struct control_call *call)
{
	struct driver *d = driver_of(call);
	struct arena *a = call->arena;
	const struct client_stats *s = &d->client.stats;
	struct json *m = json_map(a), *tx, *rx, *states;

	tx = json_add(a, m, "sent", json_map(a));
	rx = json_add(a, m, "received", json_map(a));
	for (unsigned i = 1; i < DHCP4_N_TYPES; i++) {
		if (s->sent[i])
			add_int(a, tx, dhcp4_type_name((enum dhcp4_type)i), s->sent[i]);
		if (s->received[i])
			add_int(a, rx, dhcp4_type_name((enum dhcp4_type)i), s->received[i]);
	}
	add_int(a, tx, "ARP", s->arp_sent);
	add_int(a, rx, "ARP", s->arp_received);
	add_drops(a, m, s);
	add_int(a, m, "odd-source-port", s->odd_source_port);
	add_int(a, m, "icmp-ignored", d->n_icmp_ignored);
	add_int(a, m, "own-arp-ignored", d->n_own_arp);
	add_int(a, m, "kernel-compared", d->reconcile.n_compared);
	add_int(a, m, "routes-repaired", d->reconcile.n_repaired);
	states = json_add(a, m, "states-entered", json_map(a));
	for (unsigned i = 0; i < CLIENT_N_STATES; i++)
		if (s->enter[i])
			add_int(a, states, client_state_name((enum client_state)i), s->enter[i]);
	add_int(a, m, "discover-to-offer-us", (uint64_t)(s->offer_ns / 1000));
	add_int(a, m, "request-to-ack-us", (uint64_t)(s->ack_ns / 1000));
	return answer_with(a, m, "counted since the client started");
}

static struct json *command_metrics(struct control_call *call)
{
	struct arena *a = call->arena;
	struct json *m = json_map(a);
	enum metrics_form form;
	struct buf text;

	if (!metrics_form_parse(json_get_str(call->args, "format"), &form))
		return control_answer(a, CONTROL_ERROR,
				      "'format' must be \"text\" or \"openmetrics\"");
	buf_init(&text);
	client_metrics(driver_of(call), form, &text);
	(void)json_add(a, m, "format",
		       json_str(a, form == METRICS_OPENMETRICS ? "openmetrics" : "text"));
	if (!text.failed)
		(void)json_add(a, m, "metrics", json_strn(a, text.p, text.len));
	buf_fini(&text);
	return answer_with(a, m, "the metrics of this client");
}

static struct json *command_events(struct control_call *call)
{
	driver_of(call)->subscribe = true;
	return control_answer(call->arena, CONTROL_OK, "each event will be sent as a message");
}

static struct json *command_list(struct control_call *call);

static const struct control_command commands[] = {
#define COMMAND(...) CONTROL_ROW(__VA_ARGS__)
#include "client/os/command.def"
#undef COMMAND
};

static struct json *command_list(struct control_call *call)
{
	struct json *list = json_list(call->arena);

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		(void)json_add(call->arena, list, NULL, json_str(call->arena, commands[i].name));
	return answer_with(call->arena, list, "the commands of this client");
}

static void write_line(void *driver, enum control_line kind, const char *text)
{
	if (kind == CONTROL_LINE_AUDIT)
		driver_line(driver, text);
}

int client_plane_open(struct driver *d)
{
	struct control_plane_opts o = {.program = d, .write_line = write_line};
	int r = control_plane_new(&o, &d->plane);

	return r < 0 ? r : control_plane_add(d->plane, commands, ARRAY_LEN(commands));
}

struct json *client_command_run(struct driver *d, const struct json *request,
				const struct control_requester *from, struct arena *a,
				bool *ret_subscribe)
{
	struct control_stream stream;
	struct json *answer;

	d->subscribe = false;
	answer = control_plane_answer_now(d->plane, request, from, a, &stream);
	*ret_subscribe = d->subscribe;
	return answer;
}

static struct json *answer_on_channel(void *ctx, const struct json *request,
				      const struct control_requester *from, struct arena *a,
				      bool *ret_subscribe)
{
	return client_command_run(ctx, request, from, a, ret_subscribe);
}

static void report_problem(void *ctx, const char *what, const char *cause)
{
	driver_error_text(ctx, what, cause);
}

int client_control_open(struct driver *d, struct loop *loop, const char *path, struct control **ret)
{
	const struct control_owner o = {answer_on_channel, report_problem, d};
	int r = d->plane ? 0 : client_plane_open(d);

	return r < 0 ? r : control_open(&o, loop, path, ret);
}
