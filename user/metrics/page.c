// SPDX-License-Identifier: Apache-2.0
#include "metrics/page.h"

#include "metrics/families.h"

const struct bytes *page_of(struct snapshot *s, enum exposition_format format)
{
	struct bytes *page = &s->pages[format];
	struct exposition e = { .format = format };

	pthread_mutex_lock(&s->lock);
	if (!page->len) {
		families_write(s, &e);
		if (e.error)
			bytes_free(&e.out);
		*page = e.out;
	}
	pthread_mutex_unlock(&s->lock);
	return page->len ? page : NULL;
}
