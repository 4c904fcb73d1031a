/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A thread looks once a second whether the registry has changed, and appends the outcomes to their
 * file. One that cannot be written is kept, and tried each second. Workers take the mutex for a
 * look-up or to queue some lines; it is never held while a file is used. The library and the thread
 * both use the keeper; the later one to finish frees it.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "config/json/json.h"
#include "library/common/library_thread.h"
#include "library/user_chk/user_chk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MODE = 0640, CLOSE_WAIT_MS = 300, GIVE_UP_S = 60 };

struct user_keeper {
	char *registry, *outcome;
	struct library_messages messages;
	pthread_mutex_t mu; /* of the members below, up to the thread's */
	pthread_cond_t changed;
	struct users *users;
	struct buf queue;
	size_t n_out; /* octets that the thread has taken and not written */
	bool started, closed, left;
	int64_t give_up_ns;
	/* the thread's */
	struct file_mark mark; /* of the registry as it was read last */
	int64_t look_ns;       /* the time of the next look at the files */
	struct buf out;
	size_t written;
	int fd;
	int failure; /* of the last attempt to write; 0: none */
};

static void free_keeper(struct user_keeper *k)
{
	if (k->fd >= 0)
		(void)close(k->fd);
	free(k->registry);
	free(k->outcome);
	users_free(k->users);
	buf_fini(&k->queue);
	buf_fini(&k->out);
	library_messages_fini(&k->messages);
	(void)pthread_mutex_destroy(&k->mu);
	(void)pthread_cond_destroy(&k->changed);
	free(k);
}

struct user_keeper *user_keeper_new(const char *registry, const char *outcome, struct users *users,
				    const struct file_mark *mark, struct log *log)
{
	struct user_keeper *k = calloc(1, sizeof(*k));
	pthread_condattr_t attr;

	if (!k) {
		users_free(users);
		return NULL;
	}
	k->users = users;
	k->mark = *mark;
	k->fd = -1;
	k->registry = strdup(registry);
	k->outcome = strdup(outcome);
	buf_init(&k->queue);
	buf_init(&k->out);
	library_messages_init(&k->messages, log);
	(void)pthread_mutex_init(&k->mu, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&k->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	if (k->registry && k->outcome)
		return k;
	free_keeper(k);
	return NULL;
}

/* --- The registry ----------------------------------------------------------------------------- */

static bool equal_marks(const struct file_mark *a, const struct file_mark *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Reads the registry again if it has changed. One that cannot be read leaves the users as they are;
 * that is reported once for each change. */
static void refresh_users(struct user_keeper *k)
{
	struct file_mark mark = {0};
	struct config_error err = {0};
	struct users *fresh, *old;
	struct stat st;

	if (lstat(k->registry, &st) == 0)
		mark = (struct file_mark){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
	if (equal_marks(&mark, &k->mark))
		return;
	fresh = users_read(k->registry, &mark, &err);
	k->mark = mark;
	if (!fresh) {
		library_message(&k->messages, LOG_USHER_USER_CHK_REGISTRY_FAIL,
				"%s:%u:%u: %s; the users stay as they were", err.file, err.pos.line,
				err.pos.col, err.text);
		return;
	}
	library_message(&k->messages, LOG_USHER_USER_CHK_REGISTRY_READ,
			"%zu users by hardware address, %zu others in %s", fresh->n,
			fresh->n_others, k->registry);
	(void)pthread_mutex_lock(&k->mu);
	old = k->users;
	k->users = fresh;
	(void)pthread_mutex_unlock(&k->mu);
	users_free(old);
}

/* --- The outcomes ----------------------------------------------------------------------------- */

/* Opens the file, which must be a regular one of root or of this server. Returns 0 or -errno. */
static int open_outcome(struct user_keeper *k)
{
	int fd = library_open_append(k->outcome, O_NOFOLLOW | O_NONBLOCK, FILE_MODE);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_uid == 0 || st.st_uid == geteuid())) {
		k->fd = fd;
		return 0;
	}
	(void)close(fd);
	return -EPERM;
}

/* Closes the file if its name belongs to another one by now, or to none. */
static void follow_outcome(struct user_keeper *k)
{
	struct stat open_file, named;

	if (k->fd < 0 || (fstat(k->fd, &open_file) == 0 && lstat(k->outcome, &named) == 0 &&
			  open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev))
		return;
	(void)close(k->fd);
	k->fd = -1;
}

static int write_outcomes(struct user_keeper *k)
{
	int r = k->fd < 0 ? open_outcome(k) : 0;

	while (r == 0 && k->written < k->out.len) {
		ssize_t n = write(k->fd, k->out.p + k->written, k->out.len - k->written);

		if (n > 0)
			k->written += (size_t)n;
		else if (errno != EINTR || n == 0)
			r = n < 0 ? -errno : -EIO;
	}
	if (r < 0)
		return r;
	buf_reset(&k->out);
	k->written = 0;
	return 0;
}

/* Reports the begin and the end of a failure. */
static void note_outcome(struct user_keeper *k, int e)
{
	if (e < 0 && e != k->failure)
		library_message(&k->messages, LOG_USHER_USER_CHK_OUTCOME_FAIL,
				"%s cannot be written: %s; the outcomes wait, and are tried again "
				"each second",
				k->outcome, strerror(-e));
	else if (e == 0 && k->failure)
		library_message(&k->messages, LOG_USHER_USER_CHK_OUTCOME_BACK,
				"%s is written again, with the outcomes that waited", k->outcome);
	k->failure = e;
}

/* --- The thread ------------------------------------------------------------------------------- */

/* Looks at the files, at most once a second, and writes. Returns 0 or -errno. */
static int use_files(struct user_keeper *k)
{
	int64_t now = clock_mono_ns(&clock_system);
	int e = 0;

	if (now >= k->look_ns) {
		refresh_users(k);
		follow_outcome(k);
		k->look_ns = now + NS_PER_S;
	}
	if (k->out.len)
		e = write_outcomes(k);
	if (k->out.len || e == 0)
		note_outcome(k, e);
	return e;
}

/* Takes the queue, unless earlier outcomes are not written yet. Called with mu held. */
static void take_queue(struct user_keeper *k)
{
	struct buf b = k->out;

	if (k->out.len || !k->queue.len)
		return;
	k->out = k->queue;
	k->queue = b;
	k->n_out = k->out.len;
}

/* Waits for outcomes, at most until the next look. Called with mu held. */
static void wait_change(struct user_keeper *k)
{
	struct timespec ts = {.tv_sec = (time_t)(k->look_ns / NS_PER_S),
			      .tv_nsec = (long)(k->look_ns % NS_PER_S)};

	(void)pthread_cond_timedwait(&k->changed, &k->mu, &ts);
}

static void *keep_files(void *keeper)
{
	struct user_keeper *k = keeper;
	bool last;
	int e = 0;

	(void)pthread_mutex_lock(&k->mu);
	for (;;) {
		take_queue(k);
		if (k->closed &&
		    (!k->out.len || (e < 0 && clock_mono_ns(&clock_system) >= k->give_up_ns)))
			break;
		(void)pthread_mutex_unlock(&k->mu);
		e = use_files(k);
		(void)pthread_mutex_lock(&k->mu);
		k->n_out = k->out.len;
		if (e < 0 || (!k->queue.len && !k->closed))
			wait_change(k);
	}
	k->started = false;
	last = k->left;
	(void)pthread_cond_broadcast(&k->changed);
	(void)pthread_mutex_unlock(&k->mu);
	if (last)
		free_keeper(k);
	return NULL;
}

int user_keeper_start(struct user_keeper *k)
{
	pthread_t thread;
	int e;

	(void)pthread_mutex_lock(&k->mu);
	k->look_ns = clock_mono_ns(&clock_system) + NS_PER_S;
	e = pthread_create(&thread, NULL, keep_files, k);
	k->started = e == 0;
	if (k->started)
		(void)pthread_detach(thread);
	(void)pthread_mutex_unlock(&k->mu);
	return -e;
}

/* --- Users ------------------------------------------------------------------------------------ */

/* Copies octets. Returns false if memory is out. */
static bool copy_property(struct arena *arena, struct span s, struct span *ret)
{
	void *p = s.n ? arena_memdup(arena, s.p, s.n) : NULL;

	*ret = span_of(p, p ? s.n : 0);
	return p || !s.n;
}

bool user_keeper_find(struct user_keeper *k, struct span id, struct arena *arena, struct user *ret,
		      bool *ret_failed)
{
	const struct user *u;
	bool registered;

	*ret = (struct user){0};
	(void)pthread_mutex_lock(&k->mu);
	u = users_find(k->users, id);
	registered = u != NULL;
	if (!u)
		u = users_default(k->users);
	*ret_failed = u && (!copy_property(arena, u->bootfile, &ret->bootfile) ||
			    !copy_property(arena, u->tftp_server, &ret->tftp_server));
	(void)pthread_mutex_unlock(&k->mu);
	return registered;
}

int user_keeper_put(struct user_keeper *k, struct span text)
{
	int r = 0;

	(void)pthread_mutex_lock(&k->mu);
	if (k->queue.len + text.n > USER_OUTCOME_BYTES || !buf_reserve(&k->queue, text.n)) {
		k->queue.failed = false; /* the outcomes in it are whole */
		r = -EAGAIN;
	} else {
		buf_add(&k->queue, text.p, text.n);
		(void)pthread_cond_signal(&k->changed);
	}
	(void)pthread_mutex_unlock(&k->mu);
	return r;
}

/* Waits for the end of the thread. Called with mu held. */
static void wait_keeper(struct user_keeper *k)
{
	int64_t end = clock_mono_ns(&clock_system) + CLOSE_WAIT_MS * NS_PER_MS;
	struct timespec ts = {.tv_sec = (time_t)(end / NS_PER_S),
			      .tv_nsec = (long)(end % NS_PER_S)};

	while (k->started && clock_mono_ns(&clock_system) < end)
		(void)pthread_cond_timedwait(&k->changed, &k->mu, &ts);
}

size_t user_keeper_free(struct user_keeper *k)
{
	size_t unwritten;
	bool last;

	if (!k)
		return 0;
	(void)pthread_mutex_lock(&k->mu);
	k->closed = true;
	k->give_up_ns = clock_mono_ns(&clock_system) + GIVE_UP_S * NS_PER_S;
	(void)pthread_cond_broadcast(&k->changed);
	wait_keeper(k);
	library_messages_mute(&k->messages);
	unwritten = k->queue.len + k->n_out;
	k->left = true;
	last = !k->started;
	(void)pthread_mutex_unlock(&k->mu);
	if (last)
		free_keeper(k);
	return unwritten;
}
