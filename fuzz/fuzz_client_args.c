/* SPDX-License-Identifier: MPL-2.0 */
/* Words separated by NUL as a command line: options that can be used, or a reason. The same as a
 * manifest. */
#include "fuzz.h"

#include "client/core/lease.h"
#include "client/core/options.h"

enum { WORDS = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *argv[WORDS] = {text}, err[300] = "";
	struct client_opts o = {0};
	uint32_t address = 0;
	bool keep_lease;
	int argc = 1;

	fuzz_check(text != NULL);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	for (size_t at = 0; at < size && argc < WORDS; at += strlen(text + at) + 1)
		argv[argc++] = text + at;
	if (client_opts_parse(argc, argv, &o, err, sizeof(err)) < 0)
		fuzz_check(err[0]);
	else
		fuzz_check(o.iface[0] && o.timeout_s && o.n_prl <= CLIENT_PRL_MAX &&
			   (!o.request_given || client_address_is_unicast(o.request_address)));
	if (client_opts_manifest(span_of(data, size), "m", &address, &keep_lease, err,
				 sizeof(err)) == 0)
		fuzz_check(!address || client_address_is_unicast(address));
	free(text);
	return 0;
}
