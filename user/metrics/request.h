/* SPDX-License-Identifier: Apache-2.0 */
/* A request of HTTP/1.1 as far as a page of metrics needs it: pure. */
#ifndef WARDEN_REQUEST_H
#define WARDEN_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

struct request {
	bool head; /* the method is HEAD: the answer has no body */
	char path[64]; /* without a query */
	char accept[1024]; /* all headers of that name, with commas between; "": none */
	const char *problem; /* why it is refused */
};

/* The empty line that ends the head is there. */
bool request_is_whole(const char *head, size_t len);

/* 0, or the status with which it is refused. The bytes are any; `head` has room for one more. */
unsigned int request_parse(char *head, size_t len, struct request *request);

struct answer {
	unsigned int status;
	const char *type, *headers; /* headers: further ones, each with its line's end */
	const char *body;
	size_t len;
};

const char *answer_reason(unsigned int status);

#endif
