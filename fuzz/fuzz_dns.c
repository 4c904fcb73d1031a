/* SPDX-License-Identifier: MPL-2.0 */
/* A message that decodes is unchanged when written plainly and when written with compression. */
#include "fuzz.h"
#include "wire/dns.h"

static uint8_t plain[DNS_MSG_MAX], packed[DNS_MSG_MAX], again[DNS_MSG_MAX];

/* 0: too long for a message. */
static size_t copy(const struct dns_msg *m, uint8_t *to, bool compress)
{
	struct dns_writer d;
	struct dns_rr rr;
	size_t len = 0;

	dns_write_begin(&d, to, DNS_MSG_MAX, m->id, m->flags);
	d.compress = compress;
	for (int s = 0; s < DNS_N_SECTIONS; s++) {
		struct dns_iter it = dns_each(m, (enum dns_section)s);

		while (dns_next(&it, &rr))
			dns_write_copy(&d, m, &rr, NULL);
		fuzz_check(it.left == 0);
	}
	return dns_write_end(&d, &len) == 0 ? len : 0;
}

static void names(const struct dns_msg *m)
{
	struct dns_iter it = dns_each(m, DNS_ANSWER);
	struct dns_name a, b;
	char text[DNS_TEXT_MAX];
	struct dns_rr rr;

	while (dns_next(&it, &rr)) {
		fuzz_check(dns_owner(m, &rr, &a));
		fuzz_check(dns_name_parse(span_of(text, dns_name_text(&a, text)), &b) == 0);
		fuzz_check(span_eq(span_of(a.octets, a.len), span_of(b.octets, b.len)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_msg m, p;
	size_t n, k;

	if (dns_decode(span_of(data, size), &m) < 0)
		return 0;
	names(&m);
	n = copy(&m, plain, false);
	k = copy(&m, packed, true);
	fuzz_check(k || !n);
	if (k && dns_decode(span_of(packed, k), &p) == 0 && n)
		fuzz_check(copy(&p, again, false) == n && memcmp(plain, again, n) == 0);
	else
		fuzz_check(!n || size > DNS_MSG_MAX / 8);
	return 0;
}
