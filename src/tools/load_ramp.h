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
	double rate;	  /* of the present step */
	unsigned halvings;
};

void load_ramp_init(struct load_ramp *r, double start);
/* Takes the result of the step at r->rate. Returns false when the search is over; r->good is its
 * result. */
bool load_ramp_next(struct load_ramp *r, bool good);
/* Returns whether a step was good: its drops are within limit (percent), and the rate was
 * attained. */
bool load_ramp_good(double asked, double attained, double drop_ratio, double limit);
