/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The client's table: no holes, sound names, every way from everywhere; and how long it waits.
 */
#include "unit/unit.h"

#include "base/error.h"
#include "client/core/effects.h"
#include "client/core/drop.h"
#include "client/core/fsm.h"
#include "client/core/timing.h"

#include <string.h>

static void test_no_hole(void **state)
{
	(void)state;
	for (unsigned s = 0; s < CLIENT_N_STATES; s++)
		for (unsigned e = 0; e < CLIENT_N_EVENTS; e++)
			if (!client_fsm((enum client_state)s, (enum client_event)e).decided)
				fail_msg("%s, %s is not decided",
					 client_state_name((enum client_state)s),
					 client_event_name((enum client_event)e));
}

/* RFC 2131 figure 5, and the events that every running state must have. */
static void test_always(void **state)
{
	(void)state;
	for (unsigned s = 0; s < CLIENT_N_STATES; s++) {
		const struct client_transition stop = client_fsm((enum client_state)s,
								 CLIENT_EV_STOP);
		const struct client_transition gone = client_fsm((enum client_state)s,
								 CLIENT_EV_LINK_GONE);

		if (s == CLIENT_OFF)
			continue;
		assert_true(stop.action && stop.next == CLIENT_OFF);
		assert_true(gone.action && gone.next == CLIENT_OFF);
		assert_non_null(client_fsm((enum client_state)s, CLIENT_EV_MAC_CHANGED).action);
		assert_non_null(client_fsm((enum client_state)s, CLIENT_EV_RESTART).action);
	}
}

/* From OFF every state can be reached. */
static void test_reachable(void **state)
{
	bool seen[CLIENT_N_STATES] = {[CLIENT_OFF] = true};
	bool more = true;

	(void)state;
	while (more) {
		more = false;
		for (unsigned s = 0; s < CLIENT_N_STATES; s++) {
			for (unsigned e = 0; seen[s] && e < CLIENT_N_EVENTS; e++) {
				const struct client_transition t = client_fsm((enum client_state)s,
									      (enum client_event)e);

				more |= t.action && !seen[t.next];
				if (t.action)
					seen[t.next] = true;
			}
		}
	}
	for (unsigned s = 0; s < CLIENT_N_STATES; s++)
		assert_true(seen[s]);
}

static void test_names(void **state)
{
	enum client_state s;

	(void)state;
	for (unsigned i = 0; i < CLIENT_N_STATES; i++) {
		assert_int_equal(client_state_parse(client_state_name((enum client_state)i), &s),
				 0);
		assert_int_equal(s, i);
		assert_true(client_state_sentence((enum client_state)i)[0]);
	}
	assert_int_equal(client_state_parse("init-reboot", &s), 0);
	assert_int_equal(s, CLIENT_INIT_REBOOT);
	assert_int_equal(client_state_parse("BOUNDED", &s), -USHER_E_UNKNOWN);
	assert_string_equal(client_event_name(CLIENT_EV_T1), "T1");
	assert_int_equal(client_event_kind_of(CLIENT_EV_RENEW), CLIENT_KIND_COMMAND);
	for (unsigned i = 0; i < CLIENT_N_EVENTS; i++)
		assert_true(client_event_sentence((enum client_event)i)[0]);
	for (unsigned i = 0; i < CLIENT_N_REASONS; i++) {
		assert_non_null(client_reason_udhcpc((enum client_reason)i));
		assert_non_null(client_reason_dhclient((enum client_reason)i));
	}
	for (unsigned i = 0; i < CLIENT_N_DROPS; i++)
		assert_true(client_drop_sentence((enum client_drop)i)[0]);
	for (unsigned i = 0; i < EFFECT_N_KINDS; i++)
		assert_true(effect_sentence((enum effect_kind)i)[0]);
	assert_true(client_notice_is_error(CLIENT_NOTICE_CONFLICT));
	assert_false(client_notice_is_error(CLIENT_NOTICE_BOUND));
	assert_true(client_notice_sentence(CLIENT_NOTICE_BOUND)[0]);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void between(int64_t ns, double low_s, double high_s)
{
	assert_true((double)ns >= low_s * 1e9 && (double)ns <= high_s * 1e9);
}

static void test_backoff(void **state)
{
	static const double s[] = {1, 2, 4, 8, 16, 32, 64, 64, 64};
	static const uint32_t randoms[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff};

	(void)state;
	for (unsigned n = 1; n <= ARRAY_LEN(s); n++) {
		double width = s[n - 1] < 4 ? s[n - 1] / 10 : 1;

		for (size_t i = 0; i < ARRAY_LEN(randoms); i++)
			between(client_backoff_ns(n, randoms[i]), s[n - 1] - width,
				s[n - 1] + width);
		assert_true(client_backoff_ns(n, 0) < client_backoff_ns(n, 0xffffffff));
	}
	between(client_backoff_ns(0xffffffff, 0x80000000), 63, 65);
	between(client_backoff_ns(0, 0x80000000), 0.9, 1.1);
}

static void test_other_waits(void **state)
{
	static const double declines[] = {10, 20, 40, 80, 160, 300, 300};
	static const double naks[] = {0, 1, 2, 4, 8, 16, 32, 60, 60};
	static const double reopens[] = {0.1, 1, 2, 4, 8, 16, 30, 30};

	(void)state;
	for (unsigned n = 0; n < ARRAY_LEN(declines); n++)
		assert_int_equal(client_decline_wait_ns(n + 1), (int64_t)(declines[n] * 1e9));
	for (unsigned n = 0; n < ARRAY_LEN(naks); n++)
		assert_int_equal(client_refused_wait_ns(n + 1), (int64_t)(naks[n] * 1e9));
	for (unsigned n = 0; n < ARRAY_LEN(reopens); n++)
		assert_int_equal(client_reopen_wait_ns(n + 1), (int64_t)(reopens[n] * 1e9));
	assert_int_equal(client_decline_wait_ns(0xffffffff), 300 * NS_PER_S);
	assert_int_equal(client_refused_wait_ns(0xffffffff), 60 * NS_PER_S);
	between(client_reboot_wait_ns(1, 0xffffffff) + client_reboot_wait_ns(2, 0xffffffff), 1.9,
		2.0);
}

/* For every lease: between T1 and the end at most a handful of tries, never two within a second. */
static void test_reacquire(void **state)
{
	(void)state;
	for (int64_t phase = 1; phase < 5000000; phase += 1 + phase / 7) {
		int64_t now = 0;
		unsigned n = 1;

		for (; now < phase * NS_PER_S; n++) {
			int64_t wait = client_reacquire_ns(n, now, phase * NS_PER_S);

			assert_true(wait >= NS_PER_S);
			now += wait;
		}
		assert_true(n >= 2 && n < 30);
		/* a second try, where there is time for one */
		if (phase >= 4)
			assert_true(n >= 3);
	}
	assert_int_equal(client_reacquire_ns(1, 100 * NS_PER_S, 50 * NS_PER_S), NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_hole),	  cmocka_unit_test(test_always),
		cmocka_unit_test(test_reachable), cmocka_unit_test(test_names),
		cmocka_unit_test(test_backoff),	  cmocka_unit_test(test_other_waits),
		cmocka_unit_test(test_reacquire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
