/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Files are found first and read one after the other. The bar on a terminal counts octets of files.
 */
#include "gate/run/offline.h"

#include "base/clock.h"
#include "base/error.h"
#include "gate/lua/bind.h"
#include "gate/assembly.h"
#include "gate/run/guard_run.h"
#include "gate/run/rules.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BAR = 40, PATH_LEN = 4096, LINK_LEN = 64, BAR_MS = 200 };

struct offline {
	const struct gate_args *a;
	struct gate *g;
	struct gate_rules rules;
	struct gate_bind *bind;
	struct guard_run *guard;
	struct frames *last; /* open until the engine has another */
	struct dirent **entries;
	int n;
	bool bar;
	int64_t drawn_ns;
};

static void draw_progress(struct offline *o, int file, double part, const char *name)
{
	double all = ((double)file + (part < 0 ? 0 : part)) / (o->n ? o->n : 1);
	int64_t now = clock_mono_ns(&clock_system);
	int full = (int)(all * BAR);

	if (now - o->drawn_ns < BAR_MS * NS_PER_MS && part < 1)
		return;
	o->drawn_ns = now;
	(void)fprintf(stderr, "\r[%.*s%*s] %3.0f %%  %d of %d  %-30.30s", full,
		      "########################################", BAR - full, "", all * 100,
		      file + 1, o->n, name);
	if (all >= 1)
		(void)fputc('\n', stderr);
}

static int complain(const char *path, int r)
{
	(void)fprintf(stderr, "usher-gate: %s: %s\n", path, usher_strerror(r));
	return 1;
}

static void end_run(struct offline *o)
{
	gate_bind_free(o->bind);
	gate_free(o->g);
	(void)guard_run_close(o->guard, 0);
	o->bind = NULL;
	o->g = NULL;
	o->guard = NULL;
}

static int begin_offline(struct offline *o, const struct gate_opts *go)
{
	int r = gate_new(go, &o->g);

	if (r < 0)
		(void)complain(o->a->in, r);
	/* kept bindings belong to live networks: a recorded one neither reads nor changes them */
	if (r == 0)
		r = guard_run_open(&o->rules, o->g, &go->hash_key, false, &o->guard);
	if (r == 0)
		r = gate_rules_load(&o->rules, o->g, 0, &o->bind);
	if (r < 0)
		end_run(o);
	return r;
}

/* Runs one capture through the engine. */
static int run_file(struct offline *o, const char *in, const char *out, int file,
		    struct gate_opts *go, struct gate_sums *sums)
{
	struct frames *f;
	char link[LINK_LEN];
	int r = frames_pcap_open(in, out, &f);

	if (r == -USHER_E_UNSUPPORTED) {
		frames_pcap_link(in, link, sizeof(link));
		(void)fprintf(
			stderr,
			"usher-gate: %s: link type %s: not one that can be read (Ethernet, Linux cooked, BSD loopback, raw IP)\n",
			in, link);
		return 1;
	}
	if (r < 0)
		return complain(out && r != -USHER_E_MALFORMED && access(in, R_OK) == 0 ? out : in,
				r);
	go->frames = f;
	if (!o->g)
		r = begin_offline(o, go);
	if (r < 0) {
		frames_close(f);
		return 1;
	}
	sums->began = true;
	gate_source(o->g, f);
	frames_close(o->last);
	o->last = f;
	do {
		r = gate_turn(o->g);
		if (o->bar)
			draw_progress(o, file, frames_progress(f), in);
	} while (r > 0);
	gate_release_held(o->g);
	if (o->bar)
		draw_progress(o, file, 1, in);
	gate_sums_frames(sums, f);
	if (r < 0 && frames_why(f))
		(void)fprintf(stderr, "usher-gate: %s: %s\n", in, frames_why(f));
	if (r < 0)
		return frames_why(f) ? 1 : complain(in, r);
	r = frames_finish(f);
	return r < 0 ? complain(out, r) : 0;
}

static int is_capture(const struct dirent *e)
{
	const char *dot = strstr(e->d_name, ".pcap");

	return e->d_name[0] != '.' && (dot || strstr(e->d_name, ".cap"));
}

static int run_directory(struct offline *o, struct gate_opts *go, struct gate_sums *sums)
{
	char in[PATH_LEN], out[PATH_LEN];
	int code = 0;

	o->n = scandir(o->a->in, &o->entries, is_capture, alphasort);
	if (o->n < 0)
		return complain(o->a->in, -errno);
	if (o->n == 0) {
		(void)fprintf(stderr,
			      "usher-gate: %s: no capture (*.pcap, *.pcapng, *.cap) in it\n",
			      o->a->in);
		return 1;
	}
	if (o->a->out && mkdir(o->a->out, 0777) < 0 && errno != EEXIST)
		return complain(o->a->out, -errno);
	for (int i = 0; i < o->n; i++) {
		(void)snprintf(in, sizeof(in), "%s/%s", o->a->in, o->entries[i]->d_name);
		if (o->a->out)
			(void)snprintf(out, sizeof(out), "%s/%s", o->a->out, o->entries[i]->d_name);
		/* one that is damaged does not keep the others from being read */
		code |= run_file(o, in, o->a->out ? out : NULL, i, go, sums);
	}
	return code;
}

int gate_offline(const struct gate_args *a, const struct gate_opts *opts,
		 struct gate_sums *ret_sums)
{
	struct offline o = {.a = a, .n = 1, .bar = !a->quiet && isatty(STDERR_FILENO)};
	struct gate_opts go = *opts;
	struct stat st;
	int code;

	if (stat(a->in, &st) < 0)
		return complain(a->in, -errno);
	if (gate_rules_init(&o.rules, a, opts->log, &opts->hash_key) < 0)
		return 1;
	o.rules.interactive = true;
	code = S_ISDIR(st.st_mode) ? run_directory(&o, &go, ret_sums)
				   : run_file(&o, a->in, a->out, 0, &go, ret_sums);
	if (o.g)
		gate_sums_gate(ret_sums, o.g);
	gate_sums_guard(ret_sums, guard_run_guard(o.guard));
	end_run(&o);
	frames_close(o.last);
	gate_rules_fini(&o.rules);
	for (int i = 0; i < o.n && o.entries; i++)
		free(o.entries[i]);
	free(o.entries);
	return code;
}

int gate_check(const struct gate_args *a, const struct gate_opts *opts)
{
	struct offline o = {.a = a};
	struct gate_opts go = *opts;
	struct frames *f = NULL;
	int r = a->guard ? guard_run_check(a->guard) : 0;
	int rules = frames_memory_open(FRAME_ETHERNET, &f);

	go.frames = f;
	if (rules == 0)
		rules = gate_rules_init(&o.rules, a, opts->log, &opts->hash_key);
	if (rules == 0)
		rules = gate_new(&go, &o.g);
	if (rules == 0)
		rules = gate_rules_load(&o.rules, o.g, 0, &o.bind);
	end_run(&o);
	gate_rules_fini(&o.rules);
	if (f)
		frames_close(f);
	if (r == 0 && rules == 0 && !a->quiet)
		(void)printf("usher-gate: good\n");
	return r < 0 || rules < 0;
}
