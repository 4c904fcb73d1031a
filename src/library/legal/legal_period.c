/* SPDX-License-Identifier: MPL-2.0 */
/* Dates are compared as Kea does: by the calendar of the server's time zone. */
#include "library/legal/legal_period.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { DAY_S = 86400, MONTHS = 12, DATE_DIGITS = 8, SECOND_DIGITS = 20, YEAR_0 = 1900 };

/* Returns the number of a date's day. */
static int64_t day_number(int64_t year, int month, int day)
{
	struct tm tm = {.tm_year = (int)(year - YEAR_0), .tm_mon = month, .tm_mday = day};

	return timegm(&tm) / DAY_S;
}

/* Returns the number of days of a month, which counts from 0. */
static int month_days(int64_t year, int month)
{
	int64_t next = day_number(month == MONTHS - 1 ? year + 1 : year, (month + 1) % MONTHS, 1);

	return (int)(next - day_number(year, month, 1));
}

/* Returns whether so many months after a date have passed. */
static bool months_over(const struct tm *from, int64_t months, const struct tm *now)
{
	int64_t begin = (int64_t)(from->tm_year + YEAR_0) * MONTHS + from->tm_mon + months;
	int64_t year = begin / MONTHS;
	int month = (int)(begin % MONTHS);
	int64_t this_month = (int64_t)(now->tm_year + YEAR_0) * MONTHS + now->tm_mon;
	int day = from->tm_mday;

	if (begin != this_month)
		return begin < this_month;
	if (day == month_days(from->tm_year + YEAR_0, from->tm_mon) ||
	    day > month_days(year, month))
		day = month_days(year, month);
	return day <= now->tm_mday;
}

bool legal_period_over(const struct legal_period *p, time_t began, time_t now)
{
	struct tm from, to;

	if (p->unit == LEGAL_SECOND)
		return now - began >= (time_t)p->count;
	(void)localtime_r(&began, &from);
	(void)localtime_r(&now, &to);
	if (p->unit != LEGAL_DAY)
		return months_over(&from,
				   p->unit == LEGAL_YEAR ? (int64_t)p->count * MONTHS
							 : (int64_t)p->count,
				   &to);
	return day_number(from.tm_year + YEAR_0, from.tm_mon, from.tm_mday) + p->count <=
	       day_number(to.tm_year + YEAR_0, to.tm_mon, to.tm_mday);
}

void legal_tag(enum legal_unit unit, time_t began, char out[LEGAL_TAG_LEN])
{
	struct tm tm;

	(void)localtime_r(&began, &tm);
	if (unit == LEGAL_SECOND)
		(void)snprintf(out, LEGAL_TAG_LEN, "T%020lld", (long long)began);
	else
		(void)strftime(out, LEGAL_TAG_LEN, "%Y%m%d", &tm);
}

/* Reads so many digits. Returns false if there are others. */
static bool read_digits(const char *p, size_t n, int64_t *ret)
{
	int64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9' || v > INT64_MAX / 10 - 1)
			return false;
		v = v * 10 + (p[i] - '0');
	}
	*ret = v;
	return true;
}

/* Reads a date of eight digits. */
static bool read_date(const char *p, time_t *ret)
{
	struct tm tm = {.tm_isdst = -1};
	int64_t date;

	if (!read_digits(p, DATE_DIGITS, &date))
		return false;
	tm.tm_year = (int)(date / 10000) - YEAR_0;
	tm.tm_mon = (int)(date / 100 % 100) - 1;
	tm.tm_mday = (int)(date % 100);
	if (tm.tm_mon < 0 || tm.tm_mon >= MONTHS || tm.tm_mday < 1 ||
	    tm.tm_mday > month_days(tm.tm_year + YEAR_0, tm.tm_mon))
		return false;
	*ret = mktime(&tm);
	return true;
}

bool legal_tag_read(enum legal_unit unit, const char *base, const char *name, time_t *ret_began)
{
	size_t n = strlen(base);
	size_t digits = unit == LEGAL_SECOND ? SECOND_DIGITS : DATE_DIGITS;
	int64_t seconds;

	if (strncmp(name, base, n) != 0 || name[n] != '.')
		return false;
	name += n + 1;
	if (unit == LEGAL_SECOND && *name++ != 'T')
		return false;
	if (strlen(name) != digits + 4 || strcmp(name + digits, ".txt") != 0)
		return false;
	if (unit != LEGAL_SECOND)
		return read_date(name, ret_began);
	if (!read_digits(name, digits, &seconds))
		return false;
	*ret_began = (time_t)seconds;
	return true;
}

/* Copies a format with each %Q replaced. Returns false if it is too long. */
static bool expand_format(const char *format, long ns, char *out, size_t cap)
{
	size_t n = 0;

	for (const char *p = format; *p; p++) {
		char part[16] = {*p, p[0] == '%' ? p[1] : '\0'};

		if (p[0] == '%' && p[1] == 'Q')
			(void)snprintf(part, sizeof(part), "%03ld.%03ld", ns / 1000000 % 1000,
				       ns / 1000 % 1000);
		p += p[0] == '%' && p[1];
		if (n + strlen(part) >= cap)
			return false;
		memcpy(out + n, part, strlen(part) + 1);
		n += strlen(part);
	}
	out[n] = '\0';
	return true;
}

size_t legal_stamp(const char *format, int64_t wall_ns, char out[LEGAL_STAMP_LEN])
{
	time_t s = wall_ns / NS_PER_S;
	char expanded[2 * LEGAL_STAMP_LEN];
	struct tm tm;

	if (!expand_format(format, (long)(wall_ns % NS_PER_S), expanded, sizeof(expanded)))
		return 0;
	(void)localtime_r(&s, &tm);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	return strftime(out, LEGAL_STAMP_LEN, expanded, &tm);
#pragma GCC diagnostic pop
}
