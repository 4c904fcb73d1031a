/* SPDX-License-Identifier: MPL-2.0 */
/* A rate that the window does not permit is as bad as one with drops: the server was too slow. */
#include "tools/load_ramp.h"

static const double step_up = 1.25;
static const double enough = 0.97;  /* of the rate asked for */
static const double precise = 0.02; /* between good and bad */

enum { HALVINGS_MAX = 8 };

void load_ramp_init(struct load_ramp *r, double start)
{
	*r = (struct load_ramp){.rate = start};
}

bool load_ramp_next(struct load_ramp *r, bool good)
{
	if (good)
		r->good = r->rate > r->good ? r->rate : r->good;
	else
		r->bad = r->bad > 0 && r->bad < r->rate ? r->bad : r->rate;
	if (r->bad <= 0) {
		r->rate = r->good * step_up;
		return r->rate < 1e8;
	}
	if (r->good <= 0) {
		r->rate = r->bad / 2;
		return r->rate >= 1;
	}
	r->rate = (r->good + r->bad) / 2;
	return r->bad - r->good > precise * r->bad && r->halvings++ < HALVINGS_MAX;
}

bool load_ramp_good(double asked, double attained, double drop_ratio, double limit)
{
	return drop_ratio * 100 <= limit && attained >= asked * enough;
}
