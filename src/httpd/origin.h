/* Requests that httpd makes of one request: sub-requests, redirects inside of it, error pages.
 *
 * They stand on what the one they were made from has proved, and never run an exchange; only what
 * mod_dir looks for to answer a directory with is the client's own request. */
#ifndef WA_HTTPD_ORIGIN_H
#define WA_HTTPD_ORIGIN_H

#include "httpd/publish.h"

/* The record of the request r was made from, if our hook has decided about that; or NULL. */
const wa_request *wa_origin_of(const request_rec *r);

/* True iff r is made for another request's status. */
bool wa_origin_is_error_document(const request_rec *r);

/* True iff r is a look for what a directory is to be answered with. */
bool wa_origin_is_index_lookup(request_rec *r);

/* Serves r to whom its origin was served, if its section takes that: OK, or the status of the
 * answer. */
int wa_origin_inherit(request_rec *r, const wa_request *origin);

/* Hands what the sub-request r has come to, which own says, to the request the client sent. */
void wa_origin_hand_up(request_rec *r, const wa_request *own);

/* fixups hook, early: notes that authorization let the request pass, and hands on what httpd does
 * not where it authenticates nobody anew. */
int wa_origin_admitted(request_rec *r);

/* insert_filter hook: from now on the answer is being made. */
void wa_origin_begun(request_rec *r);

/* fixups hook, late: what proved a login here is not passed on to a back end, which could use it;
 * nor is what a client delegated to a part of its page that did not ask for it. */
int wa_origin_shield(request_rec *r);

#endif
