/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The inside of the store on PostgreSQL, from below: statements (pg_sql.c), rows in binary
 * (pg_rows.c), batches on their way (pg_batch.c), rows that lost (pg_reread.c), loading
 * (pg_load.c), the thread (pg_thread.c), the store's table (pg_store.c).
 *
 * Ownership: `mu` guards the members under it; everything else is the thread's. Order of locks:
 * table, then store. No function calls the table with mu held.
 */
#pragma once

#include "base/buf.h"
#include "database/database.h"
#include "lease/lease_db.h"
#include "lease/lease_store_backend.h"
#include "lease/postgresql/pg_store.h"

#include <pthread.h>

struct lease_rows;
struct loop;
struct loop_source;
struct loop_timer;

enum {
	PG_BATCH_ROWS = 128, /* the triggers of Kea's schema are fastest with 50 to 200 */
	PG_BATCH_MIN = 32,   /* a further batch is sent beside another one from so many rows on */
	PG_BATCHES = 4,	     /* in flight */
	PG_TRIES = 5,	     /* of a batch that others' transactions undo */
	PG_PENDING_MAX = 64 << 20,
	PG_PAGE = 5000, /* rows of a page while loading */
	PG_SET = 512,	/* of a batch's addresses: slots of the hash */
};

/* A row as appended: this head, then the octets of the identity, of the name, of the identity that
 * is replaced, and the context, each as long as its _len says. */
struct pg_row {
	uint64_t seq;
	int64_t cltt;
	uint32_t len; /* all of it, a multiple of 8 */
	uint32_t addr, valid_lft, subnet_id, pool_id, context_len;
	uint8_t state, hw_len, cid_len, name_len, was_hw_len, was_cid_len;
	bool deleted, fqdn_fwd, fqdn_rev;
	bool replaces; /* the record that is replaced had another identity: that of was_… */
	uint8_t data[];
};

enum pg_batch_state {
	PG_FREE,
	PG_READY, /* to be sent, also after an outage */
	PG_SENT,
	PG_READING, /* the present rows of addresses that lost are being read */
	PG_DECIDED, /* behind one that is not */
};

/* What became of a row. */
enum pg_fate {
	PG_OPEN,     /* it is to be sent, or its transaction has not ended */
	PG_RETURNED, /* a statement changed its address, in a transaction that has not ended */
	PG_WON,	     /* committed */
	PG_LOST,     /* committed without it: the row of the address is not this client's */
	PG_BAD,	     /* its values are refused */
};

struct pg_batch {
	struct pg_store *p;
	enum pg_batch_state state;
	struct buf rows; /* struct pg_row, one after the other */
	unsigned n;
	uint64_t first_seq, last_seq;
	int64_t since_ns; /* the first row was appended */
	unsigned tries;
	bool singly; /* each row in a transaction of its own, because one of them is refused */
	struct pg_row *row[PG_BATCH_ROWS]; /* by subnet and address */
	uint8_t fate[PG_BATCH_ROWS];	   /* enum pg_fate */
	unsigned at;			   /* with singly: the row whose transaction ends next */
	unsigned left;			   /* and the number of those transactions */
	uint32_t set[PG_SET];		   /* of the addresses; 0: free */
	bool has_zero;			   /* 0.0.0.0 is in it */
};

struct pg_store {
	struct lease_store store;
	struct pg_store_opts o;
	struct config_database config;
	char *texts; /* of config */
	size_t texts_len;
	struct lease_db *db;
	pthread_t thread;
	int wake;
	/* under mu */
	pthread_mutex_t mu;
	pthread_cond_t moved;
	struct buf pending; /* rows, in their order */
	uint64_t seq;
	uint32_t pending_rows;
	int64_t pending_ns; /* the first of them was appended */
	bool stop;
	struct pg_row was; /* the identity that the next row replaces, if was.replaces */
	uint8_t was_data[LEASE_HW_MAX + LEASE_CLIENT_ID_MAX];
	struct lease_store_stats stats;
	struct pg_load_stats load;
	bool given_up;	  /* by the policy */
	uint64_t refused; /* rows */
	/* the thread's */
	struct loop *loop;
	struct loop_source *wake_source;
	struct loop_timer *timer; /* of gathering */
	struct database *database;
	struct buf taken; /* rows of `pending` that are in no batch yet, from taken_at on */
	size_t taken_at;
	uint32_t taken_rows;
	int64_t taken_ns;
	struct pg_batch batch[PG_BATCHES]; /* a ring of those in flight, from the oldest on */
	unsigned oldest, n_batches;
	uint64_t up_at;	   /* down, until this row is decided */
	bool connected;	   /* statements are prepared */
	unsigned failures; /* attempts since the connection was lost */
	struct lease_rows *loaded;
	int64_t load_from; /* the last address that was read */
	bool loading, attached;
	char last_why[256]; /* of the last attempt that failed */
	int64_t end_at_ns;  /* the store is being closed */
	struct buf values;  /* of the statement that is being sent */
};

/* --- pg_sql.c: the prepared statements -------------------------------------------------------- */
#define PG_CLAIM    "usher_claim"
#define PG_DELETE   "usher_delete"
#define PG_READ	    "usher_read"
#define PG_PAGE_SQL "usher_page"
/* Prepares all statements for the schema. Returns 0 or negative: the connection is lost. */
int pg_prepare(struct pg_store *p) must_check;

/* --- pg_rows.c -------------------------------------------------------------------------------- */
/* Appends a row. was: the identity that it replaces, or NULL. */
void pg_row_put(struct buf *b, const struct lease *l, bool deleted, uint64_t seq,
		const struct pg_row *was, const uint8_t *was_data);
/* Returns the row at an offset. */
struct pg_row *pg_row_at(const struct buf *b, size_t at);
/* Returns the row's lease, whose context is in the row's memory. */
void pg_row_lease(const struct pg_row *r, struct lease *ret);
/* Returns whether Kea's schema has no place for the row, and its address is to be free. */
bool pg_row_is_deletion(const struct pg_store *p, const struct pg_row *r);
/* Makes the parameters of the statements from rows; the octets are in p->values. */
void pg_claim_params(struct pg_store *p, struct pg_row *const *rows, size_t n,
		     struct database_params *ret);
void pg_delete_params(struct pg_store *p, struct pg_row *const *rows, size_t n,
		      struct database_params *ret);
void pg_read_params(struct pg_store *p, const uint32_t *addrs, size_t n,
		    struct database_params *ret);
/* Reads a row of a result. False: it is no lease that the table takes. */
bool pg_read_lease(const struct database_result *r, int row, struct lease *ret);

/* --- pg_batch.c ------------------------------------------------------------------------------- */
/* Makes batches of the rows that wait, and sends those that are ready. */
void pg_send_batches(struct pg_store *p);
/* Called when the connection is lost: all batches are to be sent again. */
void pg_batches_lost(struct pg_store *p);
/* Called when all rows of a batch are decided. */
void pg_batch_decided(struct pg_batch *b);
/* Sends the rows of a batch that have not won. */
void pg_batch_send(struct pg_batch *b);
bool pg_has_rows(struct pg_store *p);

/* --- pg_reread.c ------------------------------------------------------------------------------ */
/* Reads the present rows of those addresses of a batch that lost. */
void pg_reread(struct pg_batch *b);

/* --- pg_load.c -------------------------------------------------------------------------------- */
/* Reads the next page of leases. */
void pg_load_next(struct pg_store *p);

/* --- pg_thread.c ------------------------------------------------------------------------------ */
void *pg_thread(void *store);
/* Ends the loading with its result. */
void pg_opened(struct pg_store *p, int result, const char *why);
/* Publishes the number up to which rows are decided, and that the store is up if it is. */
void pg_publish(struct pg_store *p);
/* Called when nothing can be written for now. */
void pg_go_down(struct pg_store *p, const char *why);
