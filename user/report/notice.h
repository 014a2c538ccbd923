/* SPDX-License-Identifier: Apache-2.0 */
/* What of an event (report/events.h) is told to others than its readers, and how it is called there. */
#ifndef WARDEN_NOTICE_H
#define WARDEN_NOTICE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTICE_NAME_LEN 64 /* of a rule in camel case */
#define NOTICE_KEY_LEN 1200

/* Texts are the event's, or "", and as its authors wrote them. */
struct notice {
	const char *rule, *verdict;
	const char *device, *pci; /* a contradiction's subject stands in `pci`, as in the event */
	const char *netdev; /* of a rule on a port's counters */
	const char *owner; /* of the device */
	const char *actor; /* the pod whose process it was */
	const char *comm, *message, *cure;
	double pid; /* 0: nobody's */
	bool has_actor; /* it was somebody's doing, and not what two sources or a counter say */
	bool state; /* it begins and ends */
	bool ends;
	uint64_t times; /* how often it has happened since the last event of it */
	/* The same for the same, whichever process did it and however often: for a state, at its begin and at its end. */
	char key[NOTICE_KEY_LEN];
};

/* False: it is told to nobody. */
bool notice_read(const cJSON *event, struct notice *notice);

/* "exclusive.open" as "ExclusiveOpen". */
void notice_name(const char *rule, char to[NOTICE_NAME_LEN]);

/* One sentence with all that the notice knows, at most `size` - 1 bytes of UTF-8 without control characters. */
void notice_text(const struct notice *notice, char *to, size_t size);

/* As much of the text as fits, whole characters of UTF-8; what is none, and control characters, as '?'. */
void notice_clean(const char *text, char *to, size_t size);

#endif
