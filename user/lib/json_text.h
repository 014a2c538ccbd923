/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What there is to JSON as text. It needs no cJSON: the CNI plugin is linked statically, and there is no static library of
 * that.
 */
#ifndef WARDEN_JSON_TEXT_H
#define WARDEN_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Is it UTF-8, without overlong forms and surrogates. */
bool json_is_utf8(const char *text, size_t len);
/* Length of the UTF-8 sequence that the bytes begin with, or 0 for none. */
size_t json_utf8_length(const char *text, size_t left);

/*
 * The first NUL in a JSON text, plain or escaped, or NULL. cJSON takes a plain one for white space and hands out
 * strings that end at one, so that "/a\u0000b" would be taken for "/a".
 */
const char *json_find_nul(const char *text, size_t len);

/* The text as a JSON string. */
void json_quote(FILE *to, const char *text);

/* Ends an open_memstream(): what it has got, to be freed, or NULL where memory was short. */
char *json_stream_end(FILE *to, char **text);

/*
 * Where the value of an object's member begins, or NULL: the first of that name, which no escapes stand for. What lies
 * before it is passed over, not checked.
 */
const char *json_find(const char *object, const char *name);

/* The string that a value is, to be freed; NULL where it is none, where it holds a NUL, and without memory. */
char *json_string(const char *value);

#endif
