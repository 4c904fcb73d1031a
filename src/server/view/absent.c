/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A name is looked up once a scope, not once a subnet: the subnets of a network inherit its
 * interface.
 */
#include "server/view/absent.h"

#include "base/ip.h"
#include "config/config.h"
#include "runtime/iface.h"

#include <stdio.h>

struct absent {
	const struct iface_table *t;
	void (*fn)(void *ctx, const struct json_pos *at, const char *text);
	void *ctx;
	size_t n;
};

static void report_absent(struct absent *a, const struct json_pos *at, const char *text)
{
	a->n++;
	if (a->fn)
		a->fn(a->ctx, at, text);
}

static void check_listen(struct absent *a, const struct config_interface *c)
{
	const struct iface *i = iface_by_name(a->t, c->name);
	char text[160];
	char ip[IP_TEXT_LEN];

	if (strcmp(c->name, "*") == 0)
		return;
	if (!i) {
		(void)snprintf(text, sizeof(text),
			       "interface '%s' does not exist: no client is served there", c->name);
		report_absent(a, &c->pos, text);
		return;
	}
	for (size_t k = 0; k < i->n_addrs; k++)
		if (!c->addr || i->addrs[k].addr == c->addr)
			return;
	(void)snprintf(text, sizeof(text),
		       "interface '%s' has no address%s%s: no client is served there", c->name,
		       c->addr ? " " : "", c->addr ? ip_text(c->addr, ip) : "");
	report_absent(a, &c->pos, text);
}

/* Checks the interface of a subnet or network. One that is inherited from the outer scope is
 * reported there. */
static void check_scope(struct absent *a, const struct json *node, const char *what,
			const char *name, const char *iface, const char *inherited)
{
	const struct json *v = json_get(node, "interface");
	char text[200];

	if (!*iface || strcmp(iface, inherited) == 0 || iface_by_name(a->t, iface))
		return;
	(void)snprintf(text, sizeof(text), "interface '%.32s' of %s %.80s does not exist", iface,
		       what, name);
	report_absent(a, v ? &v->pos : &node->pos, text);
}

size_t absent_each(const struct config *cfg, const struct iface_table *t,
		   void (*fn)(void *ctx, const struct json_pos *at, const char *text), void *ctx)
{
	struct absent a = {t, fn, ctx, 0};

	for (size_t i = 0; i < cfg->n_interfaces; i++)
		check_listen(&a, &cfg->interfaces[i]);
	for (size_t i = 0; i < cfg->n_networks; i++)
		check_scope(&a, cfg->networks[i].node, "shared network", cfg->networks[i].name,
			    cfg->networks[i].interface, "");
	for (size_t i = 0; i < cfg->n_subnets; i++) {
		const struct config_subnet *s = &cfg->subnets[i];

		check_scope(&a, s->node, "subnet", s->text, s->interface,
			    s->network ? s->network->interface : "");
	}
	return a.n;
}
