/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Writing the text of option data. A walk that only checks validity has no buffer and writes
 * nothing.
 */
#include "base/ip.h"
#include "wire/option_internal.h"

#include <stdarg.h>
#include <stdio.h>

void option_put(struct buf *out, const char *fmt, ...)
{
	char text[64];
	va_list ap;

	if (!out)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_str(out, text);
}

void option_put_hex(struct buf *out, struct span s)
{
	if (out)
		buf_hex(out, s, '\0');
}

void option_put_ipv4(struct buf *out, uint32_t addr)
{
	char text[IP_TEXT_LEN];

	if (out)
		buf_str(out, ip_text(addr, text));
}
