/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reading as JSON items, by the names of the requests `stats` and `qps` (control/stats_requests.h): what the kernel alone tells of
 * each. wardend adds whose a device is. Without memory an item is NULL, or has less.
 */
#ifndef WARDEN_STATS_ITEMS_H
#define WARDEN_STATS_ITEMS_H

#include <cjson/cJSON.h>

#include "stats/stats.h"

cJSON *stats_pf_item(const struct stats_pf *pf);
/* With the traffic of `traffic`, which may be counted by somebody else. */
cJSON *stats_device_item(const struct stats_device *device, const struct stats_traffic *traffic);
cJSON *stats_qp_item(const struct stats_qp *qp);

#endif
