// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include "cni/env.h"

void cni_variables_get(struct cni_variables *v)
{
	*v = (struct cni_variables){
		.command = getenv("CNI_COMMAND"),
		.container_id = getenv("CNI_CONTAINERID"),
		.netns = getenv("CNI_NETNS"),
		.ifname = getenv("CNI_IFNAME"),
		.args = getenv("CNI_ARGS"),
		.path = getenv("CNI_PATH"),
	};
}
