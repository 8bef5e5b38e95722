/* The answers this module gives itself: offers, refusals, intermediate legs. */
#ifndef WA_HTTPD_ANSWER_H
#define WA_HTTPD_ANSWER_H

#include "core/header.h"
#include "core/reason.h"

#include <apr_tables.h>
#include <httpd.h>

/* Refuses r for reason: logs one line, publishes it for the access log, sets the headers that go
 * with it and returns the HTTP status.  detail may be NULL. */
int wa_answer_refuse(request_rec *r, wa_reason reason, const char *detail);

/* The status of a refusal whose line is logged and whose headers are set: r is a part of the
 * request that was refused, or stands for it. */
int wa_answer_again(request_rec *r, wa_reason reason);

/* Answers an intermediate leg: 401 with exactly one challenge line and a small body of its own.
 * Reads and drops the request's body, so that the connection can go on; refuses where that is too
 * long. */
int wa_answer_leg(request_rec *r, wa_scheme scheme, wa_span token);

/* Adds the line that ends an exchange to whatever answer the request will get. */
void wa_answer_final_token(request_rec *r, wa_scheme scheme, wa_span token);

/* Puts one bare challenge line per provider of the section into r's error headers, in order.
 * Returns how many. */
int wa_answer_offer(request_rec *r);

/* The challenge lines r has now, copied to pool; NULL when there are none. */
apr_array_header_t *wa_answer_lines(request_rec *r, apr_pool_t *pool);

/* insert_error_filter hook: gives a logged-in user's 401 its challenge. */
void wa_answer_settle(request_rec *r);

/* The same for a 401 whose error page r is. */
void wa_answer_settle_origin(request_rec *r);

/* The same for answers that do not go through httpd's error path; call when r has a login. */
void wa_answer_watch(request_rec *r);

void wa_answer_register(void);

#endif
