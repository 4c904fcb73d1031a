/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The bounds of a configuration: limits of the server that it may exceed, and the memory that its
 * packets need.
 */
#include "server/core/snapshot.h"

#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "config/expr.h"
#include "hook/hook.h"
#include "server/core/exchange.h"
#include "server/core/name_change.h"

#include <stdio.h>

size_t snapshot_packet_memory(const struct config *cfg)
{
	enum { BASE = 20 * 1024, SPAWNED = 600, ALIGNED = 64 };
	size_t pattern = 0;
	size_t network = 1;
	size_t spawned = 0;

	for (size_t i = 0; i < cfg->n_classes; i++) {
		const struct config_class *c = &cfg->classes[i];
		size_t n = c->test	      ? expr_memory(c->test)
			   : c->template_test ? expr_memory(c->template_test)
					      : 0;

		pattern = n > pattern ? n : pattern;
		spawned += c->template_test != NULL;
	}
	for (size_t i = 0; i < cfg->n_networks; i++)
		network = cfg->networks[i].n_subnets > network ? cfg->networks[i].n_subnets
							       : network;
	return BASE + pattern + spawned * SPAWNED + ALIGNED +
	       network * (sizeof(struct candidate) + sizeof(uint32_t)) +
	       cfg->n_class_names * sizeof(uint32_t) + 2 * (cfg->n_class_names / 8 + ALIGNED) +
	       (cfg->n_class_names + EXCHANGE_FIXED_SCOPES) * sizeof(void *) +
	       (cfg->ddns.enabled ? NAME_CHANGES_MAX * sizeof(struct name_change) : 0);
}

/* The receiver of the limits that are exceeded. */
struct limits_check {
	void (*problem)(void *ctx, const struct config_error *e);
	void *ctx;
	size_t n;
};

static void limit_exceeded(struct limits_check *k, const struct json_pos *at, const char *text)
{
	struct config_error e = {0};

	(void)config_error_set(&e, at, -USHER_E_LIMIT, "%s", text);
	k->problem(k->ctx, &e);
	k->n++;
}

static void check_networks(struct limits_check *k, const struct config *cfg)
{
	char text[256];

	for (size_t i = 0; i < cfg->n_networks; i++) {
		const struct config_network *n = &cfg->networks[i];

		if (n->n_subnets <= EXCHANGE_CANDIDATES_MAX)
			continue;
		(void)snprintf(text, sizeof(text),
			       "shared network %.100s has %zu subnets, at most %d are served",
			       n->name, n->n_subnets, EXCHANGE_CANDIDATES_MAX);
		limit_exceeded(k, n->node ? &n->node->pos : NULL, text);
	}
}

static bool has_output(const struct log_output *const *outputs, size_t n,
		       const struct log_output *o)
{
	for (size_t i = 0; i < n; i++)
		if (log_output_same(outputs[i], o))
			return true;
	return false;
}

/* Reports the first logger, and the first output, above the limit. */
static void check_loggers(struct limits_check *k, const struct config *cfg)
{
	const struct log_output *outputs[LOG_MAX_OUTPUTS];
	char text[64];
	size_t n = 0;

	if (cfg->n_loggers > LOG_MAX_RULES) {
		(void)snprintf(text, sizeof(text), "at most %d loggers", LOG_MAX_RULES);
		limit_exceeded(k, &cfg->loggers[LOG_MAX_RULES].pos, text);
	}
	for (size_t i = 0; i < cfg->n_loggers; i++)
		for (size_t j = 0; j < cfg->loggers[i].n_outputs; j++) {
			const struct log_output *o = &cfg->loggers[i].outputs[j];

			if (has_output(outputs, n, o))
				continue;
			if (n == LOG_MAX_OUTPUTS) {
				(void)snprintf(text, sizeof(text),
					       "at most %d different log outputs", LOG_MAX_OUTPUTS);
				limit_exceeded(k, &cfg->loggers[i].pos, text);
				return;
			}
			outputs[n++] = o;
		}
}

size_t snapshot_limits(const struct config *cfg,
		       void (*problem)(void *ctx, const struct config_error *e), void *ctx)
{
	struct limits_check k = {problem, ctx, 0};
	char text[64];

	check_networks(&k, cfg);
	check_loggers(&k, cfg);
	if (cfg->n_hooks > HOOK_MAX_LIBS) {
		(void)snprintf(text, sizeof(text), "at most %d hook libraries", HOOK_MAX_LIBS);
		limit_exceeded(&k, &cfg->hooks[HOOK_MAX_LIBS].pos, text);
	}
	return k.n;
}
