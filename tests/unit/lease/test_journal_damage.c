/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Lease files that are damaged, foreign, linked, or changed by others while the journal runs, on
 * the real file system. At a start with any file no readable row is lost and no octet disappears
 * from the directory; after any later change of the file the acknowledged rows are there after a
 * kill.
 */
#include "base/error.h"
#include "base/rng.h"
#include "lease/journal/journal_impl.h"
#include "lease/lease_csv.h"
#include "lease/journal/journal.h"
#include "lease/lease_db.h"
#include "unit/lease_file.h"
#include "unit/unit_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD LEASE_FILE_HEADER "\n"
#define HEAD_9 \
	"address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname\n"
#define HEAD_11                                                                                      \
	"address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state," \
	"user_context\n"
#define HEAD_V6                                                                                  \
	"address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len," \
	"fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source,pool_id\n"
#define ROW(a, hw) "10.0.0." a ",02:00:00:00:00:" hw ",,3600,4000003600,1,0,0,,0,,0\n"

enum { CAP = 1 << 18 };

struct fix {
	char dir[64];
	char path[96];
	struct lease_db *db;
	struct lease_store *store;
	struct journal_load_stats st;
};

static void db_make(struct fix *f)
{
	struct lease_db_opts o = {.clock = &clock_system, .hash_key = {1, 2}, .offer_hold_s = 10};

	lease_db_free(f->db);
	assert_int_equal(lease_db_new(&o, &f->db), 0);
}

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	/* in memory, where a sync costs nothing */
	(void)snprintf(f->dir, sizeof(f->dir), "%s/usher-damage-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/leases.csv", f->dir);
	db_make(f);
	*state = f;
	return 0;
}

static void close_it(struct fix *f)
{
	lease_store_close(f->store);
	f->store = NULL;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	if (f->store)
		close_it(f);
	lease_db_free(f->db);
	assert_int_equal(remove_directory(f->dir), 0);
	free(f);
	return 0;
}

static int open_at(struct fix *f, const char *path, bool threads)
{
	struct journal_opts o = {.path = path, .persist = true, .threads = threads};

	db_make(f);
	f->st = (struct journal_load_stats){0};
	return journal_open(&o, f->db, &f->store, &f->st);
}

static int open_it(struct fix *f)
{
	return open_at(f, f->path, false);
}

static void put(const struct fix *f, const char *suffix, const void *p, size_t n)
{
	char name[160];
	FILE *file;

	(void)snprintf(name, sizeof(name), "%s%s", f->path, suffix);
	file = fopen(name, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(p, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

static size_t get(const struct fix *f, const char *suffix, char *out, size_t cap)
{
	char name[160];
	FILE *file;
	size_t n;

	(void)snprintf(name, sizeof(name), "%s%s", f->path, suffix);
	file = fopen(name, "re");
	if (!file)
		return SIZE_MAX;
	n = fread(out, 1, cap, file);
	(void)fclose(file);
	return n;
}

static void shell(const struct fix *f, const char *cmd)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "cd %s && %s", f->dir, cmd);
	assert_int_equal(system(text), 0);
}

static void clean_up(struct fix *f)
{
	/* one that an earlier process left continues by itself */
	(void)!lease_store_cleanup(f->store);
	for (int i = 0; i < 64; i++)
		lease_store_commit_now(f->store);
}

static bool has(struct fix *f, uint8_t last)
{
	struct lease l;

	return lease_db_get(f->db, 0x0a000000 + last, NULL, &l, NULL) == 0;
}

static int assign(struct fix *f, uint32_t n, struct lease_change *ch)
{
	struct lease l = {.addr = 0x0a000000 + n,
			  .subnet_id = 1,
			  .valid_lft = 3600,
			  .cltt = clock_wall_s(&clock_system),
			  .hw_len = 6,
			  .hw = {2}};
	struct lease_client c;

	memcpy(l.hw + 2, &n, sizeof(n));
	c = (struct lease_client){.hw = lease_hw(&l)};
	return lease_db_assign(f->db, &l, &c, ch);
}

/* --- files that are no lease files ------------------------------------------------------------ */

static void refused(struct fix *f, const char *suffix, const char *text, size_t n)
{
	static char back[CAP];

	put(f, suffix, text, n);
	assert_int_equal(open_it(f), -USHER_E_FOREIGN);
	assert_int_equal(get(f, suffix, back, sizeof(back)), n);
	assert_memory_equal(back, text, n);
	assert_true(f->st.first_bad_why[0]);
}

static void test_foreign(void **state)
{
	static const char *const texts[] = {
		HEAD_V6 "2001:db8::1,00:01:00:01,3600,4000000000,1,1800,0,1,128,0,0,,,0,,,,0\n",
		"dear diary\nnothing happened\n",
		"one line without an end",
		"Address" /* one letter of the header */ ",hwaddr,client_id\n" ROW("1", "01"),
		"\n" HEAD ROW("1", "01"),
		"\xef\xbb\xbf" HEAD ROW("1", "01"),
		ROW("1", "01") ROW("2", "02"),
		"{\"Dhcp4\": {}}\n",
		"address,hwaddr,client_id,valid_lifetime,expire,subnet_id\n",
		"address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostnam\n",
	};
	static const char *const suffixes[] = {"", ".1", ".2", ".completed"};
	struct fix *f = *state;

	for (size_t s = 0; s < ARRAY_LEN(suffixes); s++) {
		for (size_t i = 0; i < ARRAY_LEN(texts); i++)
			refused(f, suffixes[s], texts[i], strlen(texts[i]));
		shell(f, "rm -f leases.csv*");
	}
}

static void test_not_regular(void **state)
{
	struct fix *f = *state;

	assert_int_equal(mkfifo(f->path, 0600), 0);
	assert_int_equal(open_it(f), -USHER_E_FOREIGN);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(open_it(f), -USHER_E_FOREIGN);
}

/* A file in the place of a clean-up's result is no result of one. */
static void test_foreign_output(void **state)
{
	static char back[CAP];
	struct fix *f = *state;

	put(f, "", HEAD ROW("1", "01"), strlen(HEAD ROW("1", "01")));
	put(f, ".output", "my notes\n", 9);
	put(f, ".next", HEAD, strlen(HEAD));
	assert_int_equal(open_it(f), 0);
	assert_int_equal(get(f, ".output.aside-1", back, sizeof(back)), 9);
	assert_int_equal(get(f, ".next", back, sizeof(back)), SIZE_MAX);
}

/* --- rows that cannot be read ----------------------------------------------------------------- */

static void test_bad_rows_kept(void **state)
{
	static const char bad[] = "192.0.2.10,02:00:00:00:00:01,,3600,4000000000,1,0,0,a,b,0,\n";
	static char text[CAP], back[CAP];
	struct fix *f = *state;
	size_t n = (size_t)snprintf(text, sizeof(text), HEAD ROW("1", "01"));
	size_t good = n;
	char lines[256];

	for (int i = 0; i < 50; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, bad);
	put(f, "", text, n);
	for (int start = 0; start < 3; start++) {
		assert_int_equal(open_it(f), 0);
		assert_int_equal(f->st.bad_rows, 50);
		journal_bad_text(&f->st, "leases.csv", lines, sizeof(lines));
		assert_string_equal(lines, "leases.csv, line 3-52");
		assert_true(has(f, 1));
		/* each of them once, however often the server starts */
		assert_int_equal(get(f, ".rejected", back, sizeof(back)), n - good);
		assert_memory_equal(back, text + good, n - good);
		close_it(f);
	}
	assert_int_equal(open_it(f), 0);
	clean_up(f);
	close_it(f);
	assert_int_equal(get(f, ".rejected", back, sizeof(back)), n - good);
	assert_int_equal(open_it(f), 0);
	assert_int_equal(f->st.bad_rows, 0);
	assert_true(has(f, 1));
}

static void test_limit_changes_nothing(void **state)
{
	static const char text[] = HEAD "x\n"
					"y\n" ROW("1", "01");
	static char back[CAP];
	struct fix *f = *state;
	struct journal_opts o = {.path = f->path, .persist = true, .max_row_errors = 1};

	put(f, "", text, strlen(text));
	assert_int_equal(journal_open(&o, f->db, &f->store, &f->st), -USHER_E_LIMIT);
	assert_int_equal(get(f, "", back, sizeof(back)), strlen(text));
	assert_memory_equal(back, text, strlen(text));
}

static void test_last_newline(void **state)
{
	static const char text[] = HEAD
		ROW("1", "01") "10.0.0.2,02:00:00:00:00:02,,3600,4000003600,1,0,0,,0,,7";
	struct lease_change ch;
	struct fix *f = *state;

	put(f, "", text, strlen(text));
	assert_int_equal(open_it(f), 0);
	assert_true(has(f, 2));
	assert_int_equal(assign(f, 3, &ch), 0);
	lease_store_commit_now(f->store);
	close_it(f);
	assert_int_equal(open_it(f), 0);
	assert_int_equal(f->st.bad_rows, 0);
	assert_true(has(f, 1) && has(f, 2) && has(f, 3));
}

static void test_long_row(void **state)
{
	enum { LONG = 9 << 20 };
	struct fix *f = *state;
	char *text = malloc(LONG + 1024);
	char *back = malloc(LONG + 1024);
	size_t head = (size_t)snprintf(text, 1024, HEAD ROW("1", "01"));
	size_t n = head + LONG;

	memset(text + head, 'a', LONG);
	n += (size_t)snprintf(text + n, 512, "\n" ROW("2", "02"));
	put(f, "", text, n);
	assert_int_equal(open_it(f), 0);
	assert_true(has(f, 1) && has(f, 2));
	assert_int_equal(f->st.bad_rows, 1);
	n = get(f, ".rejected", back, LONG + 1024);
	assert_true(n >= LONG && n <= LONG + 16);
	free(text);
	free(back);
}

/* --- other versions of Kea -------------------------------------------------------------------- */

static void test_versions(void **state)
{
	static const struct {
		const char *text;
		unsigned n;
	} files[] = {
		{HEAD_9 "10.0.0.1,02:00:00:00:00:01,,3600,4000003600,1,0,0,h\n", 1},
		{HEAD_11 "10.0.0.1,02:00:00:00:00:01,,3600,4000003600,1,0,0,h,0,{ \"a\": 1 }\n"
			 "10.0.0.2,02:00:00:00:00:02,,3600,4000003600,1,0,0,h,0,\n" ROW("3", "03"),
		 3},
		{HEAD_9 "10.0.0.1,02:00:00:00:00:01,,3600,4000003600,1,0,0,h,0\n" ROW("2", "02"),
		 2},
		{LEASE_FILE_HEADER
		 ",colour\n10.0.0.1,02:00:00:00:00:01,,3600,4000003600,1,0,0,h,0,,0,red\n"
		 "10.0.0.2,02:00:00:00:00:02,,3600,4000003600,1,0,0,h,0,,0,\n" ROW("3", "03"),
		 3},
	};
	static char back[CAP];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct fix *f = *state;

		put(f, "", files[i].text, strlen(files[i].text));
		assert_int_equal(open_it(f), 0);
		assert_int_equal(f->st.bad_rows, 0);
		assert_int_equal(f->st.leases, files[i].n);
		close_it(f);
		assert_int_equal(open_it(f), 0);
		assert_int_equal(f->st.leases, files[i].n);
		/* now with our columns, for us and for Kea */
		assert_int_equal(get(f, "", back, sizeof(back)), strlen(HEAD));
		if (i == 3) {
			size_t n = get(f, ".rejected", back, sizeof(back) - 1);

			back[n] = '\0';
			assert_non_null(strstr(back, ",red\n"));
		}
		(void)teardown(state);
		(void)setup(state);
	}
}

/* kea-lfc does not sync: its result can be empty while its input is still there. */
static void test_completed_torn(void **state)
{
	static const char *const torn[] = {"", HEAD "10.0.0.9,02:0", "addre"};

	for (size_t i = 0; i < ARRAY_LEN(torn); i++) {
		struct fix *f = *state;

		put(f, ".completed", torn[i], strlen(torn[i]));
		put(f, ".2", HEAD ROW("1", "01"), strlen(HEAD ROW("1", "01")));
		put(f, ".1", HEAD ROW("2", "02"), strlen(HEAD ROW("2", "02")));
		put(f, "", HEAD ROW("3", "03"), strlen(HEAD ROW("3", "03")));
		assert_int_equal(open_it(f), 0);
		assert_true(has(f, 1) && has(f, 2) && has(f, 3));
		clean_up(f);
		close_it(f);
		assert_int_equal(open_it(f), 0);
		assert_true(has(f, 1) && has(f, 2) && has(f, 3));
		(void)teardown(state);
		(void)setup(state);
	}
}

/* Runs a copy of a program by the name of kea-lfc; its pid. */
static int run_lfc(const struct fix *f, const char *program, const char *args)
{
	char cmd[700];
	FILE *p;
	int pid = 0;

	(void)snprintf(
		cmd, sizeof(cmd),
		"cp %s %s/kea-lfc && { %s/kea-lfc %s >/dev/null 2>&1 </dev/null & echo $!; }",
		program, f->dir, f->dir, args);
	p = popen(cmd, "re");
	assert_non_null(p);
	assert_int_equal(fscanf(p, "%d", &pid), 1);
	(void)pclose(p);
	return pid;
}

/* A start is refused as long as the process runs, once it has become kea-lfc. named: its pid file
 * is there. */
static void refused_until_end(struct fix *f, int pid, bool named)
{
	for (int i = 0; i < 100 && open_it(f) == 0; i++) {
		char text[16];

		close_it(f);
		if (named)
			put(f, ".pid", text, (size_t)snprintf(text, sizeof(text), "%d\n", pid));
		(void)usleep(20000);
	}
	assert_int_equal(open_it(f), -EBUSY);
	assert_int_equal(kill(pid, SIGKILL), 0);
	for (int i = 0; i < 100 && open_it(f) == -EBUSY; i++)
		(void)usleep(20000);
	assert_non_null(f->store);
	close_it(f);
}

static void test_kea_lfc_runs(void **state)
{
	refused_until_end(*state, run_lfc(*state, "/bin/sleep", "30"), true);
}

/* A kea-lfc that has not written its pid file yet is known by its arguments. */
static void test_kea_lfc_begins(void **state)
{
	struct fix *f = *state;
	char args[200];

	put(f, ".other", "", 0);
	(void)snprintf(args, sizeof(args), "-f %s.other", f->path);
	refused_until_end(f, run_lfc(f, "/usr/bin/tail", args), false);
}

/* --- links and locks -------------------------------------------------------------------------- */

static void test_symlink(void **state)
{
	static char back[CAP];
	struct lease_change ch;
	struct fix *f = *state;
	char link[128];

	put(f, "", HEAD ROW("1", "01"), strlen(HEAD ROW("1", "01")));
	(void)snprintf(link, sizeof(link), "%s/link.csv", f->dir);
	assert_int_equal(symlink("leases.csv", link), 0);
	assert_int_equal(open_at(f, link, false), 0);
	assert_string_equal(lease_store_path(f->store), f->path);
	assert_int_equal(assign(f, 2, &ch), 0);
	clean_up(f);
	close_it(f);
	assert_true(get(f, ".2", back, sizeof(back)) > strlen(HEAD));
	assert_int_equal(open_at(f, link, false), 0);
	assert_true(has(f, 1) && has(f, 2));
	close_it(f);
	/* which of the two names' files are to be read? */
	(void)snprintf(link, sizeof(link), "%s/link.csv.2", f->dir);
	assert_int_equal(symlink("leases.csv.2", link), 0);
	link[strlen(link) - 2] = '\0';
	assert_int_equal(open_at(f, link, false), -EMLINK);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("nothing.csv", link), 0);
	assert_int_equal(open_at(f, link, false), -ENOENT);
}

/* Backups by hard link and the targets of links keep their content through clean-ups. */
static void test_hard_link(void **state)
{
	static const char text[] = HEAD ROW("1", "01");
	static char back[CAP];
	struct fix *f = *state;
	char other[128], from[128];

	put(f, "", text, strlen(text));
	(void)snprintf(other, sizeof(other), "%s.backup", f->path);
	assert_int_equal(link(f->path, other), 0);
	put(f, ".target", text, strlen(text));
	(void)snprintf(from, sizeof(from), "%s.2", f->path);
	assert_int_equal(symlink("leases.csv.target", from), 0);
	(void)snprintf(from, sizeof(from), "%s.output", f->path);
	assert_int_equal(symlink("leases.csv.target", from), 0);
	assert_int_equal(open_it(f), 0);
	clean_up(f);
	clean_up(f);
	assert_int_equal(get(f, ".backup", back, sizeof(back)), strlen(text));
	assert_int_equal(get(f, ".target", back, sizeof(back)), strlen(text));
	assert_true(has(f, 1));
}

static void test_two_servers(void **state)
{
	struct fix *f = *state;
	struct fix g = *f;
	char name[128];

	g.db = NULL;
	g.store = NULL;
	put(f, "", HEAD, strlen(HEAD));
	(void)snprintf(name, sizeof(name), "%s.hard", f->path);
	assert_int_equal(link(f->path, name), 0);
	assert_int_equal(open_it(f), 0);
	assert_int_equal(open_at(&g, name, false), -EADDRINUSE);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(symlink("leases.csv", name), 0);
	assert_int_equal(open_at(&g, name, false), -EADDRINUSE);
	assert_int_equal(open_at(&g, f->path, false), -EADDRINUSE);
	/* the file that a clean-up makes is locked as well */
	clean_up(f);
	assert_int_equal(open_at(&g, f->path, false), -EADDRINUSE);
	lease_db_free(g.db);
}

/* --- a file that others change ---------------------------------------------------------------- */

/* Checks the files of a process that is killed now, as another one reads them: a copy, so that no
 * lock matters. */
static void survives(struct fix *f, uint8_t first, uint8_t last)
{
	struct fix g = *f;

	g.db = NULL;
	g.store = NULL;
	shell(f,
	      "rm -rf /tmp/usher-copy-$$; mkdir copy && cp -a leases.csv* copy/ && rm -f copy/*.lock");
	(void)snprintf(g.path, sizeof(g.path), "%s/copy/leases.csv", f->dir);
	assert_int_equal(open_it(&g), 0);
	for (uint8_t i = first; i <= last; i++)
		if (!has(&g, i))
			fail_msg("lease %u is lost", i);
	close_it(&g);
	lease_db_free(g.db);
	shell(f, "rm -r copy");
}

static const char *const meddling[] = {
	"mv leases.csv elsewhere",
	"rm leases.csv",
	": > leases.csv",
	"truncate -s 200 leases.csv",
	"sed -i /10.0.0.1,/d leases.csv",
	"cp leases.csv t && mv t leases.csv",
	"echo garbage >> leases.csv",
	"rm leases.csv; ln -s nowhere leases.csv",
	"rm leases.csv; mkdir leases.csv; touch leases.csv/x",
};

static bool down(const struct fix *f)
{
	return !lease_store_up(f->store);
}

static void test_meddling(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(meddling); i++) {
		struct fix *f = *state;
		struct lease_change ch;
		uint64_t epoch;

		assert_int_equal(open_at(f, f->path, true), 0);
		for (uint8_t k = 1; k <= 20; k++)
			assert_int_equal(assign(f, k, &ch), 0);
		lease_store_flush(f->store);
		assert_int_equal(lease_store_wait(f->store, ch.seq, 5 * NS_PER_S), 0);
		epoch = lease_store_epoch(f->store);
		shell(f, meddling[i]);
		if (i % 2) { /* at rest it is noticed by itself */
			for (int k = 0; lease_store_epoch(f->store) == epoch && k < 1000; k++)
				(void)usleep(1000);
			assert_true(lease_store_epoch(f->store) > epoch);
		} else { /* under load before anything is acknowledged */
			assert_int_equal(assign(f, 21, &ch), 0);
			lease_store_flush(f->store);
			(void)!lease_store_wait(f->store, ch.seq, 5 * NS_PER_S);
		}
		for (int k = 0; down(f) && k < 5000; k++)
			(void)usleep(1000);
		assert_false(down(f));
		assert_int_equal(assign(f, 22, &ch), 0);
		lease_store_flush(f->store);
		assert_int_equal(lease_store_wait(f->store, ch.seq, 5 * NS_PER_S), 0);
		survives(f, 1, 20);
		survives(f, 22, 22);
		(void)teardown(state);
		(void)setup(state);
	}
}

/* The server does not continue with a backup that is put in the file's place, and does not lose
 * it. */
static void test_restored(void **state)
{
	static const char backup[] = HEAD ROW("200", "c8");
	static char back[CAP];
	struct fix *f = *state;
	struct lease_change ch;

	put(f, "", HEAD ROW("1", "01"), strlen(HEAD ROW("1", "01")));
	assert_int_equal(open_it(f), 0);
	put(f, ".restore", backup, strlen(backup));
	shell(f, "mv leases.csv.restore leases.csv");
	assert_int_equal(assign(f, 2, &ch), 0);
	for (int i = 0; i < 50 && lease_store_durable(f->store) < ch.seq; i++) {
		lease_store_commit_now(f->store);
		(void)usleep(20000);
	}
	assert_true(lease_store_durable(f->store) >= ch.seq);
	survives(f, 1, 2);
	assert_int_equal(get(f, ".aside-1", back, sizeof(back)), strlen(backup));
	assert_memory_equal(back, backup, strlen(backup));
}

/* Another server's file is never taken out of its hands. */
static void test_replaced_by_server(void **state)
{
	static char back[CAP];
	struct fix *f = *state;
	struct lease_change ch;
	int fd;

	assert_int_equal(open_it(f), 0);
	shell(f, "mv leases.csv old");
	put(f, "", HEAD ROW("7", "07"), strlen(HEAD ROW("7", "07")));
	fd = open(f->path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(assign(f, 2, &ch), 0);
	for (int i = 0; i < 10; i++) {
		lease_store_commit_now(f->store);
		(void)usleep(20000);
	}
	assert_true(lease_store_durable(f->store) < ch.seq);
	assert_true(down(f));
	assert_int_equal(get(f, "", back, sizeof(back)), strlen(HEAD ROW("7", "07")));
	(void)close(fd);
}

/* --- random damage ---------------------------------------------------------------------------- */

static size_t make_file(struct rng *rng, char *text, size_t cap)
{
	static const char *const heads[] = {HEAD,    HEAD,   HEAD,
					    HEAD_11, HEAD_9, LEASE_FILE_HEADER ",more\n"};
	unsigned kind = rng_below(rng, ARRAY_LEN(heads));
	size_t n = (size_t)snprintf(text, cap, "%s", heads[kind]);
	static const char *const tails[] = {",0,,0", ",0,,0", ",0,{ \"a\": \"b\" },3",
					    ",0,",   "",      ",0,,0,x"};

	for (unsigned i = rng_below(rng, 40); i > 0; i--)
		n += (size_t)
			snprintf(text + n, cap - n,
				 "10.0.0.%u,02:00:00:00:00:%02x,,3600,4000003600,1,0,0,h%u%s\n",
				 1 + rng_below(rng, 200), rng_below(rng, 256), i, tails[kind]);
	return n;
}

static size_t damage(struct rng *rng, char *text, size_t n)
{
	static const char *const junk[] = {",",	       "\n", "x",     "a,b,c\n",
					   "10.0.0.1", HEAD, HEAD_V6, "\0\0\0\0"};
	size_t at = n ? rng_below(rng, (uint32_t)n) : 0;
	const char *in = junk[rng_below(rng, ARRAY_LEN(junk))];
	size_t len = in[0] ? strlen(in) : 4;

	switch (rng_below(rng, 5)) {
	case 0:
		return at;
	case 1:
		if (n)
			text[at] = (char)(text[at] ^ 1 << rng_below(rng, 8));
		return n;
	case 2:
		memmove(text + at + len, text + at, n - at);
		memcpy(text + at, in, len);
		return n + len;
	case 3: /* blocks of zeroes to the end */
		len = rng_below(rng, 3) * 512;
		memset(text + n, 0, len);
		return n + len;
	default: /* a block that never reached the disk */
		at -= at % 512;
		if (at)
			memset(text + at, 0, n - at < 512 ? n - at : 512);
		return n;
	}
}

/* Octets of every file that begins with the lease file's name. */
static size_t everything(const struct fix *f, char *out, size_t cap)
{
	DIR *d = opendir(f->dir);
	struct dirent *e;
	size_t n = 0;

	while ((e = readdir(d))) {
		size_t got;

		if (strncmp(e->d_name, "leases.csv", 10) != 0)
			continue;
		got = get(f, e->d_name + 10, out + n, cap - n);
		n += got == SIZE_MAX ? 0 : got;
		out[n++] = '\n';
	}
	(void)closedir(d);
	return n;
}

/* Each piece between zeroes is in some file still, octet for octet. */
static void check_pieces(const char *p, const char *end, const char *all, size_t len, uint64_t seed)
{
	while (p < end) {
		const char *nul = memchr(p, '\0', (size_t)(end - p));
		size_t n = (size_t)((nul ? nul : end) - p);

		if (n && !memmem(all, len, p, n))
			fail_msg("seed %llu: '%.*s' disappeared", (unsigned long long)seed, (int)n,
				 p);
		p += n + 1;
	}
}

/* Every row that can be read is in the table, and all else is on disk. */
static void check_lines(struct fix *f, const char *text, size_t n, int columns, uint64_t seed)
{
	static char all[2 * CAP];
	size_t len = everything(f, all, sizeof(all));

	for (const char *p = text; p < text + n;) {
		const char *nl = memchr(p, '\n', n - (size_t)(p - text));
		const char *end = nl ? nl : text + n;
		char line[4096];
		struct lease l, back;
		const char *why;

		(void)snprintf(line, sizeof(line), "%.*s", (int)(end - p), p);
		if (!nl || memchr(p, '\0', (size_t)(end - p)) ||
		    lease_csv_parse_any(line, strlen(line), columns, &l, &why) < 0)
			check_pieces(p, end, all, len, seed);
		else if (l.valid_lft && lease_db_get(f->db, l.addr, NULL, &back, NULL) < 0)
			fail_msg("seed %llu: %.*s is lost", (unsigned long long)seed,
				 (int)(end - p), p);
		p = end + 1;
	}
}

static void one_damage(struct fix *f, uint64_t seed)
{
	static char text[CAP], back[CAP];
	struct rng rng;
	const char *nl;
	size_t n;
	int r;

	rng_seed(&rng, seed);
	n = make_file(&rng, text, CAP / 2);
	for (unsigned i = rng_below(&rng, 4); i > 0; i--)
		n = damage(&rng, text, n);
	put(f, "", text, n);
	r = open_it(f);
	if (r < 0) {
		assert_int_equal(r, -USHER_E_FOREIGN);
		assert_int_equal(get(f, "", back, sizeof(back)), n);
		assert_memory_equal(back, text, n);
		return;
	}
	nl = memchr(text, '\n', n);
	if (nl && text[0]) {
		int columns = lease_csv_header(text, (size_t)(nl - text));

		assert_true(columns > 0);
		clean_up(f);
		check_lines(f, nl + 1, n - (size_t)(nl + 1 - text), columns, seed);
	}
	close_it(f);
	assert_int_equal(open_it(f), 0);
	if (nl && text[0])
		check_lines(f, nl + 1, n - (size_t)(nl + 1 - text),
			    lease_csv_header(text, (size_t)(nl - text)), seed);
	close_it(f);
}

static void remove_all(const struct fix *f)
{
	DIR *d = opendir(f->dir);
	struct dirent *e;

	while ((e = readdir(d)))
		if (strncmp(e->d_name, "leases.csv", 10) == 0)
			assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
	(void)closedir(d);
}

static void test_random_damage(void **state)
{
	const char *n = getenv("USHER_SEEDS");

	for (uint64_t seed = 1; seed <= (n ? strtoull(n, NULL, 10) : 1500); seed++) {
		struct fix *f = *state;

		one_damage(f, seed);
		remove_all(f);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_foreign),
		T(test_not_regular),
		T(test_foreign_output),
		T(test_bad_rows_kept),
		T(test_limit_changes_nothing),
		T(test_last_newline),
		T(test_long_row),
		T(test_versions),
		T(test_completed_torn),
		T(test_kea_lfc_runs),
		T(test_kea_lfc_begins),
		T(test_symlink),
		T(test_hard_link),
		T(test_two_servers),
		T(test_meddling),
		T(test_restored),
		T(test_replaced_by_server),
		T(test_random_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
