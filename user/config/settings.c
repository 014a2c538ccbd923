// SPDX-License-Identifier: Apache-2.0
#include "config/settings.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "lib/cgroup.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "warden.h"

/* One that does not exist yet has no processes; cgroups_ready() comes back here when it does. */
static struct warden_cgroup cgroup_of(const char *path)
{
	struct cgroup_ref cgroup = {};

	if (path[0])
		cgroup_resolve(path, &cgroup, NULL);
	return (struct warden_cgroup){ .id = cgroup.id, .level = cgroup.level };
}

/* Where wardend runs as a pod, its own cgroup is below those of the pods, and yet the host's. */
static struct warden_cgroup own_cgroup(void)
{
	char path[PATH_MAX];

	return cgroup_of(cgroup_self(path, sizeof(path)) ? "" : path);
}

/* When this process was started, by its 22nd field of stat(5): the second one, its name, may have blanks and brackets. */
static int own_start(__u64 *ticks, struct err *err)
{
	char line[1024], *at;
	uint64_t value = 0;

	at = read_line("/proc/self/stat", line, sizeof(line)) ? NULL : strrchr(line, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (at)
		at[1 + strcspn(at + 1, " ")] = '\0';
	if (!at || parse_u64(at + 1, 10, 0, UINT64_MAX, &value))
		return fail(err, -EIO, "/proc/self/stat: it does not say when this process was started");
	*ticks = value;
	return 0;
}

int settings_write(const struct settings_source *source, int map, struct err *err)
{
	const struct config *config = source->config;
	struct warden_settings s = {
		.umad_for_host = config->umad_for_host,
		.kernel_copy_audited = source->kernel_copy_audited,
		.warden = (uint32_t)getpid(),
		.judged_twice = source->judged_twice,
	};
	struct netns_id host;
	uint32_t zero = 0;
	int r = netns_self(&host, err);

	if (r)
		return r;
	s.host_netns_cookie = host.cookie;
	r = own_start(&s.warden_start, err);
	if (r)
		return r;
	for (int rule = 0; rule < RULE_COUNT; rule++)
		s.reactions[rule] = (uint8_t)config_reaction(config, (enum warden_rule)rule);
	for (size_t i = 0; i < WARDEN_POD_CGROUPS; i++)
		s.pods[i] = cgroup_of(config->pod_cgroups[i]);
	for (size_t i = 0; i < CONFIG_HOST_CGROUPS; i++)
		s.hosts[i] = cgroup_of(config->host_cgroups[i]);
	s.hosts[CONFIG_HOST_CGROUPS] = own_cgroup();
	if (bpf_map_update_elem(map, &zero, &s, BPF_ANY))
		return fail(err, -errno, "cannot write the settings: %s", strerror(errno));
	return 0;
}
