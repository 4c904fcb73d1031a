/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HTTP/1 messages (RFC 9110, 9112) of one direction of a connection, as their octets come. Pure,
 * without memory of its own: the user keeps octets that were not consumed and passes them again
 * with the octets behind them. Only a head has to be complete; bodies and their framing are read
 * octet by octet. Input that two readers could frame differently is refused, by name.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

enum { HTTP_PORT = 80, HTTP_HEAD_MAX = 60 * 1024, HTTP_MAX_FIELDS = 128, HTTP_METHOD_MAX = 32 };

enum http_fault {
	HTTP_FAULT_NONE,
#define FAULT(symbol, sentence) HTTP_FAULT_##symbol,
#include "wire/http_fault.def"
#undef FAULT
	HTTP_N_FAULTS
};

/* Returns "an HTTP line that …"; "" of NONE. */
const char *http_fault_text(enum http_fault f);

/* --- Heads ------------------------------------------------------------------------------------ */

/* Octets of a head, by offset. */
struct http_text {
	uint16_t at, len;
};

struct http_field {
	struct http_text name, value; /* value: without space around it */
	uint16_t end;		      /* behind its line */
	bool folded;		      /* it has more than one */
};

/* The methods that change the body of the answer. */
enum http_method { HTTP_METHOD_OTHER, HTTP_METHOD_HEAD, HTTP_METHOD_CONNECT };

/* A start line's parts: of requests the first three, of responses the last three. */
enum http_part { HTTP_METHOD, HTTP_URI, HTTP_VERSION, HTTP_STATUS, HTTP_REASON, HTTP_N_PARTS };

struct http_head {
	bool response;
	uint8_t minor;	     /* HTTP/1.minor */
	uint8_t method;	     /* enum http_method; of requests */
	uint16_t status;     /* of responses */
	uint16_t len;	     /* with the empty line */
	uint16_t fields_end; /* where the empty line begins */
	bool has_length, chunked;
	bool encoded; /* Transfer-Encoding is there */
	bool close;   /* its sender closes the connection behind the message */
	bool upgrade; /* it has a field Upgrade (RFC 9110 7.8) */
	uint64_t length;
	struct http_text part[HTTP_N_PARTS];
	uint16_t n_fields;
	struct http_field field[HTTP_MAX_FIELDS];
};

/* Forms that may be accepted although they should not be sent. */
enum http_flag {
	HTTP_ALLOW_LF = 1,   /* lines of a head that end with LF alone (RFC 9112 2.2) */
	HTTP_ALLOW_FOLD = 2, /* fields over several lines (RFC 9112 5.2); never those that determine
				the end of a body */
	HTTP_ALLOW_VERSION = 4, /* any version of the right form: one that a rule wrote */
};

/* Reads a complete head: in ends with it, or continues behind it. */
enum http_fault http_head_read(struct span in, bool response, uint8_t flags, struct http_head *ret)
	must_check;
struct span http_text(struct span in, struct http_text t);
/* Returns the index of the first field with a name, in any letter case, at or behind index `from`;
 * n_fields: none. */
uint16_t http_find(const struct http_head *h, struct span in, struct span name, uint16_t from);

/* Returns whether octets are valid at their place in a head. */
bool http_is_token(struct span s);
bool http_is_uri(struct span s);
bool http_is_value(struct span s);
bool http_is_version(struct span s);
/* Returns whether octets have the form "HTTP/" digit "." digit (RFC 9112 2.3). */
bool http_has_version_form(struct span s);
bool http_is_status(struct span s);

/* --- Messages --------------------------------------------------------------------------------- */

enum http_state {
	HTTP_AT_HEAD,
	HTTP_AT_LENGTH,	   /* body, `left` octets of it to come */
	HTTP_AT_CLOSE,	   /* body, until the connection ends */
	HTTP_AT_SIZE,	   /* chunked: size in hexadecimal, */
	HTTP_AT_EXTENSION, /* its extension, if any, */
	HTTP_AT_SIZE_LF,   /* its LF, */
	HTTP_AT_CHUNK,	   /* `left` octets of a chunk, */
	HTTP_AT_CHUNK_CR,  /* its end, */
	HTTP_AT_CHUNK_LF,
	HTTP_AT_TRAILER, /* a line behind the last chunk begins, */
	HTTP_IN_TRAILER, /* continues, */
	HTTP_TRAILER_LF, /* ends; */
	HTTP_LAST_LF,	 /* of the empty line */
	HTTP_AT_END,	 /* of a message: nothing to be read */
	HTTP_AT_ANSWER,	 /* behind CONNECT: the answer decides the protocol that follows */
	HTTP_IN_TUNNEL,	 /* no HTTP any more */
};

struct http_parser {
	uint8_t state;	  /* enum http_state */
	uint8_t flags;	  /* enum http_flag */
	uint8_t answers;  /* enum http_method of the request whose answer is to come; the user's */
	bool responses;	  /* this direction carries them */
	bool begun;	  /* the current start line was read */
	bool connect;	  /* the current request is CONNECT */
	bool interim;	  /* of the current message: 1xx, others follow it */
	uint8_t digits;	  /* of a chunk's size */
	uint32_t scanned; /* octets of the head, or of a line */
	uint64_t left;
};

enum http_event {
	HTTP_MORE,    /* more octets are needed */
	HTTP_HEAD,    /* n octets are a head */
	HTTP_DATA,    /* n octets of a body */
	HTTP_FRAMING, /* n octets around it */
	HTTP_END,     /* the message is over */
	HTTP_TUNNEL,  /* n octets of something else */
	HTTP_BAD,     /* `fault` is the reason; no step follows */
};

struct http_step {
	enum http_event event;
	enum http_fault fault;
	uint32_t n;
};

void http_init(struct http_parser *p, bool responses, uint8_t flags);
/* Returns the meaning of the octets at in.p. The user continues behind the n octets of this step.
 * end: none follow in. */
struct http_step http_next(struct http_parser *p, struct span in, bool end, struct http_head *head)
	must_check;
/* Ends HTTP in this direction: the other side agreed to another protocol. */
void http_to_tunnel(struct http_parser *p);
/* Continues with requests: the other side did not agree to CONNECT. */
void http_no_tunnel(struct http_parser *p);
