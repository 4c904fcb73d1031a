/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The search for the highest good rate: steps of a quarter up to the first bad one (down, if the
 * first is bad already), then halving the distance between the best good and the lowest bad rate.
 * Pure.
 */
#pragma once

#include "tools/load_result.h"

struct load_ramp {
	double good, bad; /* best and lowest so far; 0: none */
	double rate;	  /* of the step that runs */
	unsigned halvings;
};

void load_ramp_init(struct load_ramp *r, double start);
/* The step at r->rate was good or not. False: the search is over, r->good is the result. */
bool load_ramp_next(struct load_ramp *r, bool good);
/* Was a step good: drops within limit (percent), and the rate came about? */
bool load_ramp_good(double asked, double attained, double drop_ratio, double limit);
