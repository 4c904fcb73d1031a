/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Instead of http.c, in a build without libcurl.
 */
#include "ctl/session_impl.h"

int ctl_http_send(struct ctl_transfer *t)
{
	return ctl_session_fail(t->session, "--url: this usherctl was built without libcurl");
}

void ctl_http_close(void *http)
{
	(void)http;
}
