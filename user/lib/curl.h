/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl, loaded when it is first needed: it brings some thirty libraries, which would be a good part of wardend's memory and of
 * its start, and most nodes ask nobody by HTTP.
 */
#ifndef WARDEN_CURL_H
#define WARDEN_CURL_H

#include <curl/curl.h>

#include "lib/err.h"

/* The functions that are used, by libcurl's names without "curl_". */
struct curl_api {
	__typeof__(curl_easy_init) *easy_init;
	__typeof__(curl_easy_cleanup) *easy_cleanup;
	__typeof__(curl_easy_setopt) *easy_setopt;
	__typeof__(curl_easy_perform) *easy_perform;
	__typeof__(curl_easy_getinfo) *easy_getinfo;
	__typeof__(curl_easy_strerror) *easy_strerror;
	__typeof__(curl_slist_append) *slist_append;
	__typeof__(curl_slist_free_all) *slist_free_all;
};

/* From any thread. NULL: it is not there, or has not all of them; `err` says so. It stays loaded. */
const struct curl_api *curl_load(struct err *err);

#endif
