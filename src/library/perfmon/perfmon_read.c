/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parameters of perfmon, and its tables: the kinds of exchanges and the parts of one that are
 * measured. An alarm may name any events and messages, as in Kea; one that names no duration of
 * this server is never raised.
 */
#include "library/common/library.h"
#include "library/perfmon/perfmon.h"

#include <stdio.h>
#include <string.h>

const struct perfmon_kind perfmon_kinds[PERFMON_KINDS] = {{DHCP4_DISCOVER, DHCP4_OFFER},
							  {DHCP4_DISCOVER, DHCP4_NAK},
							  {DHCP4_REQUEST, DHCP4_ACK},
							  {DHCP4_REQUEST, DHCP4_NAK},
							  {DHCP4_INFORM, DHCP4_ACK}};
const struct perfmon_part perfmon_parts[PERFMON_PARTS] = {{"buffer_read", "process_started"},
							  {"process_started", "process_completed"},
							  {"composite", "total_response"}};

enum { LABEL_LEN = 256 };

static const struct json *require_member(struct library_problems *p, const struct json *map,
					 const char *key)
{
	const struct json *v = json_get(map, key);

	if (!v)
		library_problem(p, &map->pos, "'%s' parameter is required", key);
	return v;
}

/* Reads a whole number of units of unit_ns; an absent one stays. */
static void read_units(struct library_problems *p, const struct json *v, int64_t least,
		       int64_t unit_ns, int64_t *ret)
{
	if (!v || v->type != JSON_INT)
		return; /* of another type: reported */
	if (v->i < least || v->i > UINT32_MAX)
		library_problem(p, &v->pos, "invalid %s: '%lld', must be from %lld to 4294967295",
				v->key, (long long)v->i, (long long)least);
	else
		*ret = v->i * unit_ns;
}

/* --- Keys of alarms --------------------------------------------------------------------------- */

/* Reads the name of a message type; 0: "" and "*", for none. */
static bool parse_type(const char *name, enum dhcp4_type *ret)
{
	*ret = DHCP4_NOTYPE;
	if (!name[0] || strcmp(name, "*") == 0)
		return true;
	for (int t = DHCP4_DISCOVER; t < DHCP4_N_TYPES; t++)
		if (strcmp(dhcp4_type_name((enum dhcp4_type)t), name) == 0) {
			*ret = (enum dhcp4_type)t;
			return true;
		}
	return false;
}

static const char *type_text(enum dhcp4_type t)
{
	return t ? dhcp4_type_name(t) : "*";
}

static void read_message(struct library_problems *p, const struct json *key, const char *member,
			 enum dhcp4_type *ret)
{
	const struct json *v = require_member(p, key, member);

	*ret = DHCP4_NOTYPE;
	if (v && v->type == JSON_STRING && !parse_type(v->s, ret))
		library_problem(p, &v->pos,
				"'%s' parameter is invalid, '%.40s' is not a valid DHCP message "
				"type",
				member, v->s);
}

/* Returns whether a response belongs to a query; 0 of both: any. */
static bool is_pair(enum dhcp4_type query, enum dhcp4_type response)
{
	if (!query)
		return !response || response == DHCP4_OFFER || response == DHCP4_ACK ||
		       response == DHCP4_NAK;
	for (unsigned i = 0; i < PERFMON_KINDS; i++)
		if (perfmon_kinds[i].query == query &&
		    (!response || perfmon_kinds[i].response == response))
			return true;
	return false;
}

static const char *read_event(struct library_problems *p, const struct json *key,
			      const char *member)
{
	const struct json *v = require_member(p, key, member);

	return v && v->type == JSON_STRING ? v->s : "";
}

static void find_duration(struct perfmon_alarm *a, const struct perfmon_kind *kind,
			  const struct perfmon_part *part)
{
	a->kind = a->part = -1;
	for (int i = 0; i < PERFMON_KINDS; i++)
		if (perfmon_kinds[i].query == kind->query &&
		    perfmon_kinds[i].response == kind->response)
			a->kind = i;
	for (int i = 0; i < PERFMON_PARTS; i++)
		if (strcmp(perfmon_parts[i].start, part->start) == 0 &&
		    strcmp(perfmon_parts[i].stop, part->stop) == 0)
			a->part = i;
}

static void read_key(struct library_problems *p, const struct json *key, struct arena *arena,
		     struct perfmon_alarm *a)
{
	static const struct library_key keys[] = {{"query-type", JSON_STRING},
						  {"response-type", JSON_STRING},
						  {"start-event", JSON_STRING},
						  {"stop-event", JSON_STRING},
						  {"subnet-id", JSON_INT}};
	const struct json *subnet = json_get(key, "subnet-id");
	struct perfmon_kind kind;
	struct perfmon_part part;
	char label[LABEL_LEN];

	(void)library_check_keys(p, key, keys, ARRAY_LEN(keys));
	read_message(p, key, "query-type", &kind.query);
	read_message(p, key, "response-type", &kind.response);
	part = (struct perfmon_part){read_event(p, key, "start-event"),
				     read_event(p, key, "stop-event")};
	if (!is_pair(kind.query, kind.response))
		library_problem(p, &key->pos, "Response type: %s not valid for query type: %s",
				type_text(kind.response), type_text(kind.query));
	if (subnet && subnet->type == JSON_INT && (subnet->i < 0 || subnet->i > UINT32_MAX))
		library_problem(p, &subnet->pos,
				"'subnet-id' must be a number from 0 to 4294967295");
	else if (subnet && subnet->type == JSON_INT)
		a->subnet_id = (uint32_t)subnet->i;
	find_duration(a, &kind, &part);
	(void)snprintf(label, sizeof(label), "%s-%s.%.64s-%.64s.%u", type_text(kind.query),
		       type_text(kind.response), part.start, part.stop, a->subnet_id);
	a->label = arena_strdup(arena, label);
}

/* --- Alarms ----------------------------------------------------------------------------------- */

static void read_alarm(struct library_problems *p, const struct json *map, struct arena *arena,
		       struct perfmon_alarm *a)
{
	static const struct library_key keys[] = {{"duration-key", JSON_MAP},
						  {"enable-alarm", JSON_BOOL},
						  {"high-water-ms", JSON_INT},
						  {"low-water-ms", JSON_INT}};
	const struct json *key = require_member(p, map, "duration-key");
	size_t before = p->n;

	(void)library_check_keys(p, map, keys, ARRAY_LEN(keys));
	if (key && key->type == JSON_MAP)
		read_key(p, key, arena, a);
	a->enabled = true;
	(void)json_get_bool(map, "enable-alarm", &a->enabled);
	read_units(p, require_member(p, map, "high-water-ms"), 1, NS_PER_MS, &a->high_ns);
	read_units(p, require_member(p, map, "low-water-ms"), 1, NS_PER_MS, &a->low_ns);
	if (p->n == before && a->low_ns >= a->high_ns)
		library_problem(p, &map->pos,
				"'low-water-ms': %lld, must be less than 'high-water-ms': %lld",
				(long long)(a->low_ns / NS_PER_MS),
				(long long)(a->high_ns / NS_PER_MS));
}

static void read_alarms(struct library_problems *p, const struct json *list, struct arena *arena,
			struct perfmon_params *ret)
{
	size_t n = 0;

	for (const struct json *v = list->first; v; v = v->next)
		n++;
	ret->alarms = arena_array(arena, struct perfmon_alarm, n + 1);
	if (!ret->alarms) {
		library_problem(p, &list->pos, "out of memory");
		return;
	}
	for (const struct json *v = list->first; v; v = v->next) {
		struct perfmon_alarm *a = &ret->alarms[ret->n_alarms];

		if (v->type != JSON_MAP) {
			library_problem(p, &v->pos, "an alarm must be a map");
			continue;
		}
		read_alarm(p, v, arena, a);
		for (size_t i = 0; a->label && i < ret->n_alarms; i++)
			if (ret->alarms[i].label && strcmp(ret->alarms[i].label, a->label) == 0)
				library_problem(p, &v->pos, "alarm already exists for: %s",
						a->label);
		ret->n_alarms++;
	}
}

void perfmon_read(struct library_problems *p, const struct json *map, struct arena *arena,
		  struct perfmon_params *ret)
{
	static const struct library_key keys[] = {{"enable-monitoring", JSON_BOOL},
						  {"interval-width-secs", JSON_INT},
						  {"stats-mgr-reporting", JSON_BOOL},
						  {"alarm-report-secs", JSON_INT},
						  {"alarms", JSON_LIST}};
	const struct json *alarms = json_get(map, "alarms");

	*ret = (struct perfmon_params){.reporting = true,
				       .interval_ns = 60 * NS_PER_S,
				       .report_ns = 300 * NS_PER_S};
	(void)library_check_keys(p, map, keys, ARRAY_LEN(keys));
	(void)json_get_bool(map, "enable-monitoring", &ret->monitoring);
	(void)json_get_bool(map, "stats-mgr-reporting", &ret->reporting);
	read_units(p, json_get(map, "interval-width-secs"), 1, NS_PER_S, &ret->interval_ns);
	read_units(p, json_get(map, "alarm-report-secs"), 0, NS_PER_S, &ret->report_ns);
	if (alarms && alarms->type == JSON_LIST)
		read_alarms(p, alarms, arena, ret);
}
