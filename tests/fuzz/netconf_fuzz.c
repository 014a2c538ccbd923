// SPDX-License-Identifier: Apache-2.0
/*
 * The CNI configuration from any bytes; the first one chooses the command. What is taken must be within its limits, and its
 * prevResult must come out of the printer of each version as it went in.
 */
#include "cni/netconf.h"

#include <stdlib.h>
#include <string.h>

#include "ipam/ipam.h"
#include "lib/json.h"
#include "lib/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
	if (!right)
		abort();
}

static void check_values(const struct netconf *c, enum cni_command command)
{
	char path[512];

	check(c->vlan.value <= 4094 && c->vlan_qos <= 7 && (!c->vlan_qos || c->vlan.value));
	check(!c->vlan_8021ad || c->vlan.value);
	check(!c->max_tx_rate.value || c->min_tx_rate.value <= c->max_tx_rate.value);
	check(!c->mac[0] || strlen(c->mac) == 17);
	check(!c->mtu || (c->mtu >= 68 && c->mtu <= 65535));
	check(!strchr(c->ipam_type, '/') && !strchr(c->name, '/') && !strchr(c->device_id, '/'));
	check(command != CNI_ADD || c->device_id[0] || c->role == NETCONF_RDMA);
	for (size_t i = 0; i < c->sysctl_count; i++)
		check(!netconf_sysctl_path(&c->sysctls[i], "net1", path, sizeof(path)) && !strstr(path, "..") &&
		      !strncmp(path, "/proc/sys/net/", 14));
}

static void check_prev(const struct netconf *c)
{
	for (int v = 0; v < CNI_VERSIONS; v++) {
		_cleanup_free_ char *once = cni_result_print(&c->prev, (enum cni_version)v), *twice = NULL;
		_cleanup_(json_free) cJSON *json = json_parse_strict(once, strlen(once), NULL);
		_cleanup_(cni_result_free) struct cni_result again = {};

		check(json && !cni_result_read(json, CNI_0_3_1, &again, NULL));
		twice = cni_result_print(&again, (enum cni_version)v);
		check(!strcmp(once, twice));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cni_env env = { .container_id = "c", .netns = "/n", .ifname = "net1", .path = "/p" };
	struct cni_error e = {};
	struct netconf conf;
	char *printed;

	if (!size)
		return 0;
	env.command = data[0] % CNI_VERSION;
	if (netconf_read((const char *)data + 1, size - 1, &env, &conf, &e)) {
		check(e.code && e.msg[0] && !conf.json && !conf.text);
		printed = cni_error_print(conf.version, &e);
		check(printed && json_is_utf8(printed, strlen(printed)));
		free(printed);
		return 0;
	}
	check_values(&conf, env.command);
	check_prev(&conf);
	ipam_config_check(&conf, &e);
	netconf_free(&conf);
	return 0;
}
