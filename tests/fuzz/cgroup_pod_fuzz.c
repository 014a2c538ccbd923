// SPDX-License-Identifier: Apache-2.0
/* Whose a process is, from any text in the place of its /proc/PID/cgroup. */
#include "kube/cgroup_pod.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* Whatever is made below a container's cgroup is still that container's. */
static void check_below(const struct cgroup_pod *pod)
{
	static const char *const below[] = {
		"/kubepods/pod90b1ecb8-b850-451a-97c6-c073b5ddbb53",
		"/kubepods.slice/kubepods-pod90b1ecb8_b850_451a_97c6_c073b5ddbb53.slice",
		"/kubepods-pod90b1ecb8_b850_451a_97c6_c073b5ddbb53.slice:crio:x",
	};
	struct cgroup_pod again;
	char path[8192];

	for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
		check(!try_snprintf(path, sizeof(path), "%s%s", pod->path, below[i]));
		if (cgroup_pod_parse(path, NULL, &again))
			continue; /* too long now */
		check(!strcmp(again.uid, pod->uid) && !strcmp(again.container, pod->container));
		check(again.qos == pod->qos && again.runtime == pod->runtime);
	}
}

static void check_pod(const struct cgroup_pod *pod)
{
	size_t uid = strlen(pod->uid), container = strlen(pod->container);

	check(uid == 32 || uid == POD_UID_LEN - 1);
	check(container == 0 || container == CONTAINER_ID_LEN - 1);
	check(pod->base_len < strlen(pod->path) && pod->pod_len <= strlen(pod->path));
	check(pod_qos_name(pod->qos)[0] != '?' && pod_runtime_name(pod->runtime)[0] != '?');
	if (container)
		check_below(pod);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1); /* exact, so that a sanitizer sees a read beyond it */
	struct cgroup_pod pod;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (!cgroup_pod_of_process(text, NULL, &pod))
		check_pod(&pod);
	else
		check(pod.uid[0] == '\0' && !pod.path);
	free(text);
	return 0;
}
