/* SPDX-License-Identifier: Apache-2.0 */
/* A page of metrics: written once for each format, and shared by all who asked at the same time. */
#ifndef WARDEN_PAGE_H
#define WARDEN_PAGE_H

#include "metrics/exposition.h"
#include "metrics/snapshot.h"

/* The page as long as the snapshot is held, or NULL: no memory. */
const struct bytes *page_of(struct snapshot *snapshot, enum exposition_format format);

#endif
