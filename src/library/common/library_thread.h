/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Parts for the threads of libraries: messages and losses of a thread that may live longer than the
 * log and its library, and files that it appends to. Any thread may use them.
 */
#pragma once

#include "base/log.h"
#include "hook/hook.h"

#include <pthread.h>
#include <sys/types.h>

struct library_messages {
	pthread_mutex_t mu;
	struct log *log; /* NULL: no more */
	usher_lib *lib;	 /* counts the losses; NULL: none yet */
	uint64_t n_lost; /* that no library has counted yet */
};

void library_messages_init(struct library_messages *m, struct log *log);
void library_messages_fini(struct library_messages *m);
/* Ends the messages; none is being written when it returns. */
void library_messages_mute(struct library_messages *m);
void library_message(struct library_messages *m, enum log_id id, const char *fmt, ...)
	printf_like(3, 4);
/* Counts lost records, or lost runs of scripts. */
void library_count_lost(struct library_messages *m, uint64_t n);
/* Names the library that counts from now on, if it is not NULL also earlier losses. */
void library_count_for(struct library_messages *m, usher_lib *lib);

/*
 * Opens a file to append to, and makes it if it is absent. A last line without its end, which a
 * killed process has left, gets it. flags: further ones of open(2). Returns the descriptor, or
 * -errno.
 */
int library_open_append(const char *path, int flags, mode_t mode) must_check;
