// SPDX-License-Identifier: Apache-2.0
#include "config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/test.h"
#include "lib/util.h"

#define FILE_NAME "some/config.json"

/* Filled without holes, so that two of them can be compared as bytes. */
static void fresh(struct config *config)
{
	memset(config, 0, sizeof(*config));
	config_defaults(config);
}

static struct config good(const char *text)
{
	struct config config;
	struct err err = {};

	fresh(&config);
	if (config_parse(text, strlen(text), FILE_NAME, &config, &err))
		test_fail("%s: %s", text, err.text);
	return config;
}

/* Refused with that code; the message names the file and has the piece; nothing is taken over. */
static void bad_bytes(const char *text, size_t len, int code, const char *piece)
{
	struct config config, before;
	struct err err = {};
	int r;

	fresh(&config);
	config.mode = MODE_ENFORCE;
	config.profile.dscp = 77;
	memcpy(&before, &config, sizeof(config));
	r = config_parse(text, len, FILE_NAME, &config, &err);
	if (r != code)
		test_fail("%s: %d instead of %d, %s", text, r, code, err.text);
	assert_contains(err.text, FILE_NAME);
	assert_contains(err.text, piece);
	assert_memory_equal(&config, &before, sizeof(config));
}

static void bad(const char *text, int code, const char *piece)
{
	bad_bytes(text, strlen(text), code, piece);
}

static void defaults(void **state)
{
	struct config c = good("{}");

	(void)state;
	assert_int_equal(c.mode, MODE_AUDIT);
	assert_string_equal(c.run_dir, "/run/rdma-warden");
	assert_string_equal(c.state_dir, "/var/lib/rdma-warden");
	assert_string_equal(c.bpffs, "/sys/fs/bpf/rdma-warden");
	assert_string_equal(c.metrics, "127.0.0.1:9779");
	assert_false(c.set_exclusive);
	assert_false(c.umad_for_host);
	assert_string_equal(c.profile.name, "");
	assert_int_equal(c.reactions[RULE_MARKING_DSCP], REACTION_OBSERVE);
}

static void enforce_alone_is_a_config(void **state)
{
	struct config c = good("{\"mode\":\"enforce\"}");

	(void)state;
	assert_int_equal(c.mode, MODE_ENFORCE);
	assert_string_equal(c.run_dir, "/run/rdma-warden");
}

static void every_key(void **state)
{
	struct config c = good("{\"mode\":\"audit\",\"run_dir\":\"/a\",\"state_dir\":\"/b/c\",\"bpffs\":\"/d\","
			       "\"metrics\":\"[::1]:65535\",\"set_exclusive\":true,\"umad\":\"host\","
			       "\"qos\":{\"profile\":\"nvidia\",\"on_violation\":\"kill\"}}\n");

	(void)state;
	assert_int_equal(c.mode, MODE_AUDIT);
	assert_string_equal(c.run_dir, "/a");
	assert_string_equal(c.state_dir, "/b/c");
	assert_string_equal(c.bpffs, "/d");
	assert_string_equal(c.metrics, "[::1]:65535");
	assert_true(c.set_exclusive);
	assert_true(c.umad_for_host);
	assert_string_equal(c.profile.name, "nvidia");
	assert_int_equal(c.profile.dscp, 1ull << 26);
	assert_int_equal(c.reactions[RULE_MARKING_DSCP], REACTION_KILL);
}

static void values_of_choices(void **state)
{
	(void)state;
	assert_false(good("{\"umad\":\"nobody\"}").umad_for_host);
	assert_false(good("{\"set_exclusive\":false}").set_exclusive);
	assert_int_equal(
		good("{\"qos\":{\"profile\":\"spiderpool\",\"on_violation\":\"deny\"}}").reactions[RULE_MARKING_DSCP],
		REACTION_DENY);
	assert_int_equal(good("{\"qos\":{\"profile\":\"spiderpool\",\"on_violation\":\"observe\"}}")
				 .reactions[RULE_MARKING_DSCP],
			 REACTION_OBSERVE);
	assert_string_equal(config_mode_name(MODE_ENFORCE), "enforce");
	assert_string_equal(config_mode_name(MODE_AUDIT), "audit");
	assert_string_equal(config_reaction_name(REACTION_DENY), "deny");
}

static void reactions(void **state)
{
	struct config c = good(
		"{\"mode\":\"enforce\",\"reactions\":{\"exclusive.open\":\"kill\",\"exclusive.umad\":\"observe\"}}");

	(void)state;
	assert_int_equal(config_reaction(&c, RULE_EXCLUSIVE_OPEN), REACTION_KILL);
	assert_int_equal(config_reaction(&c, RULE_EXCLUSIVE_UMAD), REACTION_OBSERVE);
	assert_int_equal(config_reaction(&c, RULE_EXCLUSIVE_MMAP), REACTION_DENY);
	assert_int_equal(config_reaction(&c, RULE_WARDEN_TAMPER), REACTION_DENY);
	assert_int_equal(config_reaction(&c, RULE_MARKING_DSCP), REACTION_OBSERVE);
	/* Audit mode only tells, whatever is asked for. */
	c = good("{\"reactions\":{\"exclusive.open\":\"kill\"}}");
	assert_int_equal(config_reaction(&c, RULE_EXCLUSIVE_OPEN), REACTION_OBSERVE);
	assert_int_equal(config_reaction(&c, RULE_EXCLUSIVE_MMAP), REACTION_OBSERVE);
	bad("{\"reactions\":[]}", -EINVAL, "\"reactions\"");
	bad("{\"reactions\":{\"exclusive.opens\":\"deny\"}}", -EINVAL, "\"reactions.exclusive.opens\" is no rule");
	bad("{\"reactions\":{\"exclusive.open\":\"refuse\"}}", -EINVAL, "\"reactions.exclusive.open\" must be one of");
	bad("{\"reactions\":{\"marking.dscp\":\"deny\"}}", -EINVAL, "see qos.on_violation");
	bad("{\"reactions\":{\"exclusive.device-move\":\"deny\"}}", -EINVAL, "can only be told");
}

static void discover(void **state)
{
	(void)state;
	assert_int_equal(good("{}").discover, DISCOVER_ALL);
	assert_int_equal(good("{\"discover\":\"off\"}").discover, DISCOVER_OFF);
	assert_int_equal(good("{\"discover\":\"kubelet\"}").discover, DISCOVER_KUBELET);
	bad("{\"discover\":true}", -EINVAL, "\"discover\" must be one of \"off\", \"kubelet\", \"all\"");
}

static void kubernetes(void **state)
{
	struct config c = good("{}");

	(void)state;
	assert_int_equal(c.kubernetes.api, CONFIG_API_AUTO);
	assert_string_equal(c.kubernetes.podresources, "/var/lib/kubelet/pod-resources/kubelet.sock");
	assert_string_equal(c.kubernetes.checkpoint, "/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint");
	assert_string_equal(c.kubernetes.devinfo, "/var/run/k8s.cni.cncf.io/devinfo");
	assert_int_equal(good("{\"kubernetes\":{\"api\":\"off\"}}").kubernetes.api, CONFIG_API_OFF);
	c = good("{\"kubernetes\":{\"api\":\"https://10.0.0.1:6443\",\"token\":\"/t\",\"ca\":\"/"
		 "c\",\"node\":\"gpu-1.lab\","
		 "\"podresources\":\"\",\"checkpoint\":\"/x\"}}");
	assert_int_equal(c.kubernetes.api, CONFIG_API_AT);
	assert_string_equal(c.kubernetes.server, "https://10.0.0.1:6443");
	assert_string_equal(c.kubernetes.token, "/t");
	assert_string_equal(c.kubernetes.ca, "/c");
	assert_string_equal(c.kubernetes.node, "gpu-1.lab");
	assert_string_equal(c.kubernetes.podresources, "");
	assert_string_equal(c.kubernetes.checkpoint, "/x");
}

static void bad_kubernetes(void **state)
{
	(void)state;
	bad("{\"kubernetes\":\"off\"}", -EINVAL, "\"kubernetes\" must be an object");
	bad("{\"kubernetes\":{\"apis\":\"off\"}}", -EINVAL, "unknown key \"kubernetes.apis\"");
	bad("{\"kubernetes\":{\"api\":\"http://10.0.0.1\"}}", -EINVAL, "\"kubernetes.api\" must be");
	bad("{\"kubernetes\":{\"api\":\"https://\"}}", -EINVAL, "\"kubernetes.api\" must be");
	bad("{\"kubernetes\":{\"api\":\"https://a b\"}}", -EINVAL, "\"kubernetes.api\" must be");
	bad("{\"kubernetes\":{\"api\":1}}", -EINVAL, "\"kubernetes.api\" must be");
	bad("{\"kubernetes\":{\"node\":\"GPU_1\"}}", -EINVAL, "\"kubernetes.node\" must be the name of a node");
	bad("{\"kubernetes\":{\"token\":\"\"}}", -EINVAL, "\"kubernetes.token\" must be an absolute path");
	bad("{\"kubernetes\":{\"checkpoint\":\"x\"}}", -EINVAL, "\"kubernetes.checkpoint\" must be an absolute path");
	bad("{\"kubernetes\":{\"devinfo\":\"/a\",\"devinfo\":\"/a\"}}", -EINVAL, "\"kubernetes.devinfo\" stands twice");
}

static void ipam_timeout(void **state)
{
	(void)state;
	assert_int_equal(good("{}").ipam_timeout, 100);
	assert_int_equal(good("{\"ipam_timeout\":3600}").ipam_timeout, 3600);
	bad("{\"ipam_timeout\":0}", -ERANGE, "\"ipam_timeout\" must not be 0");
	bad("{\"ipam_timeout\":3601}", -ERANGE, "\"ipam_timeout\"");
}

static void cgroups(void **state)
{
	struct config c = good("{\"host_cgroups\":[\"kubepods.slice/agent\"],\"pod_cgroups\":[\"kubepods\"]}");

	(void)state;
	assert_string_equal(c.host_cgroups[0], "kubepods.slice/agent");
	assert_string_equal(c.host_cgroups[1], "");
	assert_string_equal(c.pod_cgroups[0], "kubepods");
	assert_string_equal(c.pod_cgroups[1], "");
	bad("{\"host_cgroups\":\"kubepods\"}", -EINVAL, "\"host_cgroups\"");
	bad("{\"host_cgroups\":[\"/kubepods\"]}", -EINVAL, "\"host_cgroups\"");
	bad("{\"host_cgroups\":[\"a/../b\"]}", -EINVAL, "\"host_cgroups\"");
	bad("{\"host_cgroups\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\"]}", -EINVAL, "at most 7");
}

static void custom_profile(void **state)
{
	struct config c = good("{\"qos\":{\"profile\":{\"dscp\":[0,24,63],\"priority\":0,\"cnp_dscp\":48,"
			       "\"cnp_priority\":7,\"map\":{\"24\":0,\"48\":7,\"63\":0}}}}");

	(void)state;
	assert_string_equal(c.profile.name, "custom");
	assert_int_equal(c.profile.dscp, 1ull << 0 | 1ull << 24 | 1ull << 63);
	assert_int_equal(c.profile.priority, 0);
	assert_int_equal(c.profile.cnp_dscp, 48);
	assert_int_equal(c.profile.cnp_priority, 7);
	assert_int_equal(c.profile.pfc, 1);
	assert_int_equal(c.profile.trust, QOS_TRUST_DSCP);
	assert_int_equal(c.profile.map[48], 7);
	assert_int_equal(c.profile.map[49], 6);
	assert_true(c.profile.ecn);
	assert_int_equal(c.profile.mtu, 0);
	assert_int_equal(c.profile.roce_mode, QOS_ROCE_V2);
	c = good("{\"qos\":{\"profile\":{\"cnp_priority\":6,\"cnp_dscp\":48,\"priority\":3,\"dscp\":26}}}");
	assert_int_equal(c.profile.dscp, 1ull << 26);
	assert_int_equal(c.profile.pfc, 1 << 3);
}

static void profile_on_a_base(void **state)
{
	struct config c = good("{\"qos\":{\"profile\":{\"mtu\":4200,\"pfc\":[4,5],\"trust\":\"pcp\",\"ecn\":false,"
			       "\"roce_mode\":\"v1\",\"base\":\"spiderpool\"}}}");

	(void)state;
	assert_string_equal(c.profile.name, "custom");
	assert_int_equal(c.profile.dscp, 1ull << 40);
	assert_int_equal(c.profile.priority, 5);
	assert_int_equal(c.profile.pfc, 1 << 4 | 1 << 5);
	assert_int_equal(c.profile.trust, QOS_TRUST_PCP);
	assert_false(c.profile.ecn);
	assert_int_equal(c.profile.mtu, 4200);
	assert_int_equal(c.profile.roce_mode, QOS_ROCE_V1);
	/* PFC follows the priority where it is not spelled out. */
	c = good("{\"qos\":{\"profile\":{\"base\":\"spiderpool\",\"priority\":4,\"dscp\":34}}}");
	assert_int_equal(c.profile.pfc, 1 << 4);
	bad("{\"qos\":{\"profile\":{\"base\":\"cisco\"}}}", -EINVAL, "\"qos.profile.base\" must be");
	bad("{\"qos\":{\"profile\":{\"base\":1}}}", -EINVAL, "\"qos.profile.base\" must be");
	bad("{\"qos\":{\"profile\":{\"base\":\"nvidia\",\"base\":\"nvidia\"}}}", -EINVAL, "stands twice");
}

static void profile_contradicts_itself(void **state)
{
	static const struct {
		const char *keys, *piece;
	} wrong[] = {
		{ "\"dscp\":26", "\"qos.profile\": dscp 26 is mapped to priority 3, but priority is 5" },
		{ "\"dscp\":[40,39]", "dscp 39 is mapped to priority 4" },
		{ "\"map\":{\"40\":4}", "dscp 40 is mapped to priority 4" },
		{ "\"priority\":4", "dscp 40 is mapped to priority 5" },
		{ "\"pfc\":[]", "\"qos.profile\": pfc is off for priority 5" },
		{ "\"pfc\":[3]", "pfc is off for priority 5" },
		{ "\"pfc\":[5,6]", "pfc is on for cnp_priority 6" },
		{ "\"cnp_priority\":5", "cnp_priority 5 is also" },
		{ "\"cnp_priority\":7", "cnp_dscp 48 is mapped to priority 6, but cnp_priority is 7" },
		{ "\"cnp_dscp\":40", "cnp_dscp 40 is also" },
		{ "\"cnp_dscp\":46", "cnp_dscp 46 is mapped to priority 5" },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(text, sizeof(text), "{\"qos\":{\"profile\":{\"base\":\"spiderpool\",%s}}}", wrong[i].keys);
		bad(text, -EINVAL, wrong[i].piece);
	}
	/* Where the port trusts PCP the map decides nothing. */
	good("{\"qos\":{\"profile\":{\"base\":\"spiderpool\",\"trust\":\"pcp\",\"dscp\":26}}}");
}

static void keys_of_a_profile(void **state)
{
	static const struct {
		const char *keys;
		int code;
		const char *piece;
	} wrong[] = {
		{ "\"pfc\":5", -EINVAL, "\"qos.profile.pfc\" must be a list" },
		{ "\"pfc\":[8]", -ERANGE, "\"qos.profile.pfc\"" },
		{ "\"pfc\":[\"5\"]", -ERANGE, "\"qos.profile.pfc\"" },
		{ "\"trust\":\"both\"", -EINVAL, "\"qos.profile.trust\" must be one of \"dscp\", \"pcp\"" },
		{ "\"map\":[5]", -EINVAL, "\"qos.profile.map\" must be an object" },
		{ "\"map\":{\"64\":5}", -EINVAL, "\"qos.profile.map.64\" names no DSCP" },
		{ "\"map\":{\"ef\":5}", -EINVAL, "\"qos.profile.map.ef\" names no DSCP" },
		{ "\"map\":{\"40\":8}", -ERANGE, "\"qos.profile.map.40\"" },
		{ "\"map\":{\"40\":5,\"040\":5}", -EINVAL, "\"qos.profile.map.040\" stands twice" },
		{ "\"ecn\":1", -EINVAL, "\"qos.profile.ecn\" must be true or false" },
		{ "\"mtu\":65536", -ERANGE, "\"qos.profile.mtu\"" },
		{ "\"roce_mode\":2", -EINVAL, "\"qos.profile.roce_mode\" must be one of \"v1\", \"v2\"" },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(text, sizeof(text), "{\"qos\":{\"profile\":{\"base\":\"spiderpool\",%s}}}", wrong[i].keys);
		bad(text, wrong[i].code, wrong[i].piece);
	}
}

static void profiles_of_some(void **state)
{
	struct config c =
		good("{\"qos\":{\"owners\":{\"ml/special\":{\"base\":\"nvidia\",\"mtu\":9000},\"ml/*\":\"nvidia\"},"
		     "\"resources\":{\"nvidia.com/roce_*\":\"nvidia\"},\"profile\":\"spiderpool\"}}");
	static const struct {
		const char *owner, *resource, *profile;
	} cases[] = {
		{ "ml/special", "", "custom" },
		{ "ml/train-0", "", "nvidia" },
		{ "mlx/train-0", "", "spiderpool" },
		{ "web/a", "nvidia.com/roce_a", "nvidia" },
		{ "web/a", "intel.com/roce_a", "spiderpool" },
		{ "web/a", "", "spiderpool" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(config_profile(&c, cases[i].owner, cases[i].resource)->name, cases[i].profile);
	assert_int_equal(config_profile(&c, "ml/special", "")->mtu, 9000);
	assert_int_equal(config_priorities(&c), 1 << 5 | 1 << 3);
	c = good("{\"qos\":{\"owners\":{\"a/*\":\"nvidia\"}}}");
	assert_string_equal(config_profile(&c, "b/b", "")->name, "");
	assert_true(config_packets(&c));
	bad("{\"qos\":{\"owners\":{}}}", -EINVAL, "lacks the key \"profile\"");
	bad("{\"qos\":{\"owners\":[]}}", -EINVAL, "\"qos.owners\" must be an object");
	bad("{\"qos\":{\"owners\":{\"\":\"nvidia\"}}}", -EINVAL, "empty or too long");
	bad("{\"qos\":{\"owners\":{\"a/b\":\"cisco\"}}}", -EINVAL, "\"qos.owners.a/b\" must be");
	bad("{\"qos\":{\"owners\":{\"a/b\":\"nvidia\",\"a/b\":\"nvidia\"}}}", -EINVAL,
	    "\"qos.owners.a/b\" stands twice");
	bad("{\"qos\":{\"resources\":{\"a/b\":{\"base\":\"nvidia\",\"priority\":4}}}}", -EINVAL,
	    "\"qos.resources.a/b\": dscp 26 is mapped to priority 3");
}

static void packets(void **state)
{
	struct config c = good("{}");

	(void)state;
	assert_false(config_packets(&c));
	assert_int_equal(config_source_action(&c), VF_OBSERVE);
	c = good("{\"packets\":true,\"mode\":\"enforce\"}");
	assert_true(config_packets(&c));
	assert_int_equal(config_source_action(&c), VF_DROP);
	c = good("{\"packets\":false,\"qos\":{\"profile\":\"nvidia\"}}");
	assert_false(config_packets(&c));
	c = good(
		"{\"mode\":\"enforce\",\"reactions\":{\"spoof.source\":\"observe\"},\"qos\":{\"profile\":\"nvidia\"}}");
	assert_true(config_packets(&c));
	assert_int_equal(config_source_action(&c), VF_OBSERVE);
	assert_int_equal(config_packet_action(&c), VF_OBSERVE);
	c = good("{\"mode\":\"enforce\",\"qos\":{\"profile\":\"nvidia\",\"on_violation\":\"kill\"}}");
	assert_int_equal(config_packet_action(&c), VF_DROP);
	c = good("{\"mode\":\"enforce\",\"qos\":{\"profile\":\"nvidia\",\"on_violation\":\"deny\",\"on_packet\":"
		 "\"remark\"}}");
	assert_int_equal(config_packet_action(&c), VF_REMARK);
	c.mode = MODE_AUDIT;
	assert_int_equal(config_packet_action(&c), VF_OBSERVE);
	bad("{\"packets\":1}", -EINVAL, "\"packets\" must be true or false");
	bad("{\"qos\":{\"on_packet\":\"deny\"}}", -EINVAL,
	    "\"qos.on_packet\" must be one of \"observe\", \"remark\", \"drop\"");
	bad("{\"reactions\":{\"spoof.source\":\"kill\"}}", -EINVAL, "must be one of \"observe\", \"deny\"");
}

static void effects_interval(void **state)
{
	struct config c = good("{}");

	(void)state;
	assert_int_equal(c.effects_interval, 10);
	c = good("{\"qos\":{\"profile\":\"nvidia\",\"effects_interval\":3600}}");
	assert_int_equal(c.effects_interval, 3600);
	c = good("{\"qos\":{\"profile\":\"nvidia\",\"effects_interval\":0}}");
	assert_int_equal(c.effects_interval, 0);
	bad("{\"qos\":{\"profile\":\"nvidia\",\"effects_interval\":3601}}", -ERANGE,
	    "\"qos.effects_interval\" must be");
	bad("{\"qos\":{\"profile\":\"nvidia\",\"effects_interval\":-1}}", -ERANGE, "\"qos.effects_interval\" must be");
	bad("{\"qos\":{\"profile\":\"nvidia\",\"effects_interval\":1.5}}", -ERANGE, "\"qos.effects_interval\" must be");
	bad("{\"qos\":{\"profile\":\"nvidia\",\"effects_interval\":\"1\"}}", -ERANGE,
	    "\"qos.effects_interval\" must be");
}

static void qos_netdevs(void **state)
{
	struct config c = good("{\"qos\":{\"profile\":\"nvidia\",\"netdevs\":[\"ens1f0np0\",\"x\"]}}");

	(void)state;
	assert_string_equal(c.qos_netdevs[0], "ens1f0np0");
	assert_string_equal(c.qos_netdevs[1], "x");
	assert_string_equal(c.qos_netdevs[2], "");
	bad("{\"qos\":{\"netdevs\":\"x\"}}", -EINVAL, "\"qos.netdevs\" must be a list");
	bad("{\"qos\":{\"netdevs\":[\"\"]}}", -EINVAL, "\"qos.netdevs\" must hold names");
	bad("{\"qos\":{\"netdevs\":[\"../x\"]}}", -EINVAL, "\"qos.netdevs\" must hold names");
	bad("{\"qos\":{\"netdevs\":[\"sixteen-letters-\"]}}", -EINVAL, "\"qos.netdevs\" must hold names");
	bad("{\"qos\":{\"netdevs\":[7]}}", -EINVAL, "\"qos.netdevs\" must hold names");
}

static void unknown_keys(void **state)
{
	(void)state;
	bad("{\"colour\":1}", -EINVAL, "\"colour\"");
	bad("{\"Mode\":\"enforce\"}", -EINVAL, "\"Mode\"");
	bad("{\"mode\":\"enforce\",\"mode \":\"audit\"}", -EINVAL, "\"mode \"");
	bad("{\"qos\":{\"profile\":\"nvidia\",\"colour\":1}}", -EINVAL, "\"qos.colour\"");
	bad("{\"qos\":{\"profile\":{\"dscp\":1,\"priority\":1,\"cnp_dscp\":2,\"cnp_priority\":2,\"ets\":1}}}", -EINVAL,
	    "\"qos.profile.ets\"");
	bad("{\"\":1}", -EINVAL, "unknown key");
	/* A name with the section's dot in it is no way around the sections. */
	bad("{\"qos.profile\":\"nvidia\"}", -EINVAL, "\"qos.profile\"");
}

static void an_endless_unknown_key(void **state)
{
	char text[4096];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "{\"", 2);
	memcpy(text + sizeof(text) - 4, "\":1}", 4);
	bad_bytes(text, sizeof(text), -EINVAL, "xxxx");
}

static void duplicate_keys(void **state)
{
	(void)state;
	bad("{\"mode\":\"audit\",\"mode\":\"enforce\"}", -EINVAL, "\"mode\" stands twice");
	bad("{\"qos\":{\"profile\":\"nvidia\",\"profile\":\"nvidia\"}}", -EINVAL, "\"qos.profile\" stands twice");
	bad("{\"qos\":{\"profile\":{\"dscp\":1,\"dscp\":2,\"priority\":1,\"cnp_dscp\":3,\"cnp_priority\":2}}}", -EINVAL,
	    "\"qos.profile.dscp\" stands twice");
}

static void wrong_types(void **state)
{
	static const char *const keys[] = { "mode",    "run_dir",       "state_dir", "bpffs",
					    "metrics", "set_exclusive", "umad",      "qos" };
	static const char *const values[] = { "7", "null", "[]", "[\"enforce\"]" };
	char text[128], piece[64];

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
		for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
			snprintf(text, sizeof(text), "{\"%s\":%s}", keys[k], values[v]);
			snprintf(piece, sizeof(piece), "\"%s\"", keys[k]);
			bad(text, -EINVAL, piece);
		}
	bad("{\"set_exclusive\":\"true\"}", -EINVAL, "\"set_exclusive\"");
	bad("{\"mode\":true}", -EINVAL, "\"mode\"");
	bad("{\"mode\":{}}", -EINVAL, "\"mode\"");
	bad("{\"qos\":\"nvidia\"}", -EINVAL, "\"qos\"");
	bad("{\"qos\":{\"profile\":[]}}", -EINVAL, "\"qos.profile\"");
	bad("{\"qos\":{\"profile\":\"nvidia\",\"on_violation\":1}}", -EINVAL, "\"qos.on_violation\"");
}

static void values_out_of_range(void **state)
{
	(void)state;
	bad("{\"mode\":\"strict\"}", -EINVAL, "\"audit\", \"enforce\"");
	bad("{\"umad\":\"pod\"}", -EINVAL, "\"nobody\", \"host\"");
	bad("{\"qos\":{\"profile\":\"cisco\"}}", -EINVAL, "\"qos.profile\"");
	bad("{\"qos\":{\"profile\":\"nvidia\",\"on_violation\":\"drop\"}}", -EINVAL, "\"qos.on_violation\"");
	bad("{\"run_dir\":\"relative\"}", -EINVAL, "\"run_dir\"");
	bad("{\"bpffs\":\"\"}", -EINVAL, "\"bpffs\"");
}

static void metrics_addresses(void **state)
{
	static const char *const wrong[] = {
		":9779",           "127.0.0.1",      "127.0.0.1:",     "127.0.0.1:0",  "0.0.0.0:-1",    "0.0.0.0: 9",
		"127.0.0.1:65536", "127.0.0.1:http", "127.0.0.1:1x",   "0.0.0.0:0x10", "0.0.0.0:9779 ", " 0.0.0.0:9779",
		"localhost:9779",  "node-1:9779",    "300.0.0.1:9779", "127.1:9779",   "::1:9779",      "[::1]",
		"[::1]:",          "[::g]:9779",     "[127.0.0.1]:1",  "[::1:9779",    "::1]:9779",     "[]:9779",
		"0.0.0.0:+9",      "*:9779",         "9779",           "[::1]9779",
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(text, sizeof(text), "{\"metrics\":\"%s\"}", wrong[i]);
		bad(text, -EINVAL, "\"metrics\"");
	}
	snprintf(text, sizeof(text), "{\"metrics\":\"%064d:1\"}", 0);
	bad(text, -EINVAL, "\"metrics\"");
	assert_string_equal(good("{\"metrics\":\"0.0.0.0:1\"}").metrics, "0.0.0.0:1");
	assert_string_equal(good("{\"metrics\":\"[::1]:9779\"}").metrics, "[::1]:9779");
	assert_string_equal(good("{\"metrics\":\"[::]:9779\"}").metrics, "[::]:9779");
	assert_string_equal(good("{\"metrics\":\"\"}").metrics, "");
}

static void paths_too_long(void **state)
{
	static char text[PATH_MAX + 64];
	struct config c;
	int len;

	(void)state;
	len = snprintf(text, sizeof(text), "{\"state_dir\":\"/%0*d\"}", PATH_MAX - 2, 0);
	assert_in_range(len, 1, sizeof(text) - 1);
	c = good(text);
	assert_int_equal(strlen(c.state_dir), PATH_MAX - 1);
	snprintf(text, sizeof(text), "{\"state_dir\":\"/%0*d\"}", PATH_MAX - 1, 0);
	bad(text, -EINVAL, "\"state_dir\"");
}

/* In the order of the object; one of them is `wrong`. */
static void bad_profile(const char *wrong, int code, const char *piece)
{
	static const char *const keys[] = { "dscp", "priority", "cnp_dscp", "cnp_priority" };
	char text[256] = "{\"qos\":{\"profile\":{";

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t len = strlen(text);

		if (i)
			text[len++] = ',';
		if (!strncmp(wrong, keys[i], strcspn(wrong, ":")) && keys[i][strcspn(wrong, ":")] == '\0')
			snprintf(text + len, sizeof(text) - len, "\"%s\":%s", keys[i], strchr(wrong, ':') + 1);
		else
			snprintf(text + len, sizeof(text) - len, "\"%s\":%zu", keys[i], i);
	}
	strcat(text, "}}}");
	bad(text, code, piece);
}

static void numbers_of_a_profile(void **state)
{
	(void)state;
	bad_profile("dscp:64", -ERANGE, "\"qos.profile.dscp\"");
	bad_profile("dscp:-1", -ERANGE, "\"qos.profile.dscp\"");
	bad_profile("dscp:[1,64]", -ERANGE, "\"qos.profile.dscp\"");
	bad_profile("dscp:[1,\"4\"]", -ERANGE, "\"qos.profile.dscp\"");
	bad_profile("dscp:1.5", -ERANGE, "\"qos.profile.dscp\"");
	bad_profile("dscp:1e300", -ERANGE, "\"qos.profile.dscp\"");
	bad_profile("dscp:\"40\"", -ERANGE, "\"qos.profile.dscp\"");
	bad_profile("priority:8", -ERANGE, "\"qos.profile.priority\"");
	bad_profile("priority:4294967296", -ERANGE, "\"qos.profile.priority\"");
	bad_profile("cnp_dscp:64", -ERANGE, "\"qos.profile.cnp_dscp\"");
	bad_profile("cnp_priority:8", -ERANGE, "\"qos.profile.cnp_priority\"");
	bad_profile("cnp_priority:null", -ERANGE, "\"qos.profile.cnp_priority\"");
}

static void contradictions(void **state)
{
	(void)state;
	bad_profile("dscp:[]", -EINVAL, "allows no DSCP");
	bad_profile("dscp:2", -EINVAL, "cnp_dscp 2");
	bad_profile("cnp_priority:1", -EINVAL, "cnp_priority 1");
	bad("{\"qos\":{\"on_violation\":\"deny\"}}", -EINVAL, "lacks the key \"profile\"");
	bad("{\"qos\":{}}", -EINVAL, "lacks the key \"profile\"");
	bad("{\"qos\":{\"profile\":{\"dscp\":1,\"priority\":1,\"cnp_dscp\":2}}}", -EINVAL, "\"cnp_priority\"");
	bad("{\"qos\":{\"profile\":{}}}", -EINVAL, "\"qos.profile\" lacks the key \"dscp\"");
	/* A later error undoes what was right before it. */
	bad("{\"mode\":\"audit\",\"run_dir\":\"/x\",\"umad\":\"host\",\"colour\":1}", -EINVAL, "\"colour\"");
}

static void not_one_object(void **state)
{
	(void)state;
	bad("", -EINVAL, "not JSON");
	bad(" \n", -EINVAL, "not JSON");
	bad("7", -EINVAL, "one JSON object");
	bad("[{\"mode\":\"enforce\"}]", -EINVAL, "one JSON object");
	bad("null", -EINVAL, "one JSON object");
	bad("{} {}", -EINVAL, "something follows");
	bad("{\"mode\":\"enforce\"}x", -EINVAL, "something follows");
	bad("{\"mode\":\"enforce\"},", -EINVAL, "something follows");
	assert_int_equal(good(" \t\r\n{\"mode\":\"enforce\"} \t\r\n").mode, MODE_ENFORCE);
}

static void truncated_anywhere(void **state)
{
	static const char whole[] = "{\"mode\":\"enforce\",\"qos\":{\"profile\":\"nvidia\"}}";

	(void)state;
	for (size_t len = 0; len + 1 < sizeof(whole); len++)
		bad_bytes(whole, len, -EINVAL, "not JSON");
	bad("{\n\"mode\":\n\"enforce\",\n}", -EINVAL, "line 4");
}

static void embedded_nul(void **state)
{
	static const char after[] = "{\"mode\":\"enforce\"}\0";
	static const char inside[] = "{\"mode\":\0\"enforce\"}";
	static const char raw[] = "{\"run_dir\":\"/a\0b\"}";

	(void)state;
	bad_bytes(after, sizeof(after), -EINVAL, "NUL");
	bad_bytes(inside, sizeof(inside) - 1, -EINVAL, "NUL");
	/* A NUL inside a string, raw or escaped, would silently shorten it. */
	bad_bytes(raw, sizeof(raw) - 1, -EINVAL, "NUL");
	bad("{\"run_dir\":\n\"/a\\u0000b\"}", -EINVAL, "NUL, line 2");
	bad("{\"mode\\u0000x\":\"enforce\"}", -EINVAL, "NUL");
	/* An escaped backslash before the same letters is none. */
	assert_string_equal(good("{\"run_dir\":\"/a\\\\u0000\"}").run_dir, "/a\\u0000");
}

static void too_deep(void **state)
{
	static char text[4096];

	(void)state;
	memset(text, '[', sizeof(text) - 1);
	bad(text, -EINVAL, "not JSON");
}

static void files(void **state)
{
	static char big[(1 << 20) + 1];
	struct config config;
	struct err err = {};
	const char *path;

	(void)state;
	fresh(&config);
	path = temp_file("good.json", "{\"mode\":\"enforce\"}\n", 19);
	assert_int_equal(config_read(path, &config, &err), 0);
	assert_int_equal(config.mode, MODE_ENFORCE);
	path = temp_file("bad.json", "{\"mood\":1}", 10);
	assert_int_equal(config_read(path, &config, &err), -EINVAL);
	assert_contains(err.text, path);
	assert_contains(err.text, "\"mood\"");
	assert_int_equal(config.mode, MODE_ENFORCE);
	assert_int_equal(config_read(temp_path("none.json"), &config, &err), -ENOENT);
	assert_contains(err.text, "none.json");
	assert_int_equal(config_read(temp_dir(), &config, &err), -EIO);
	memset(big, ' ', sizeof(big));
	memcpy(big, "{}", 2);
	assert_int_equal(config_read(temp_file("max.json", big, sizeof(big) - 1), &config, &err), 0);
	path = temp_file("big.json", big, sizeof(big));
	assert_int_equal(config_read(path, &config, &err), -EFBIG);
	assert_contains(err.text, path);
	assert_int_equal(config_read(path, &config, NULL), -EFBIG);
}

#define POLICY(keys) \
	"{\"node_policy\":[{\"resourceName\":\"r\",\"nicSelector\":{\"vendor\":\"15b3\"},\"numVfs\":4" keys "}]}"
#define SELECTOR(s) "{\"node_policy\":[{\"resourceName\":\"r\",\"nicSelector\":" s ",\"numVfs\":4}]}"

static void node_policies(void **state)
{
	struct config c = good("{}");

	(void)state;
	assert_int_equal(c.policy_count, 0);
	assert_false(c.policy_apply);
	assert_string_equal(c.modprobe_dir, "/etc/modprobe.d");
	assert_string_equal(c.operator_dir, "/etc/sriov-operator/pci");
	c = good("{\"node_policy_apply\":true,\"modprobe_dir\":\"/h/etc/modprobe.d\",\"operator_dir\":\"/h/"
		 "o\",\"node_policy\":["
		 "{\"resourceName\":\"mlx_1\",\"nicSelector\":{\"vendor\":\"15b3\",\"deviceID\":\"101B\",\"pfNames\":["
		 "\"ens1f0#2-5\",\"ens1f1\"],\"rootDevices\":[\"0000:3b:00.0\",\"0000:3b:00.1\"]},\"numVfs\":8,\"mtu\":"
		 "9000,"
		 "\"linkType\":\"ETH\",\"isRdma\":true,\"deviceType\":\"netdevice\",\"priority\":99,"
		 "\"externallyManaged\":true},"
		 "{\"resourceName\":\"d\",\"nicSelector\":{\"pfNames\":[\"a\"]},\"numVfs\":0,\"deviceType\":\"vfio-"
		 "pci\"}]}");
	assert_true(c.policy_apply);
	assert_string_equal(c.modprobe_dir, "/h/etc/modprobe.d");
	assert_string_equal(c.operator_dir, "/h/o");
	assert_int_equal(c.policy_count, 2);
	assert_string_equal(c.policies[0].resource, "mlx_1");
	assert_int_equal(c.policies[0].vendor, 0x15b3);
	assert_int_equal(c.policies[0].device, 0x101b);
	assert_string_equal(c.policies[0].pf_names[0].name, "ens1f0");
	assert_int_equal(c.policies[0].pf_names[0].first, 2);
	assert_int_equal(c.policies[0].pf_names[0].last, 5);
	assert_int_equal(c.policies[0].pf_names[1].first, -1);
	assert_string_equal(c.policies[0].root_devices[1], "0000:3b:00.1");
	assert_int_equal(c.policies[0].num_vfs, 8);
	assert_int_equal(c.policies[0].mtu, 9000);
	assert_int_equal(c.policies[0].priority, 99);
	assert_true(c.policies[0].is_rdma && c.policies[0].externally_managed);
	assert_int_equal(c.policies[0].type, POLICY_NETDEVICE);
	assert_int_equal(c.policies[1].type, POLICY_VFIO_PCI);
	assert_int_equal(c.policies[1].vendor, -1);
	assert_int_equal(good("{\"node_policy\":[]}").policy_count, 0);
}

static void bad_node_policies(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *piece;
	} table[] = {
		{ "{\"node_policy\":{}}", -EINVAL, "\"node_policy\" must be a list" },
		{ "{\"node_policy\":[1]}", -EINVAL, "\"node_policy[0]\" must be an object" },
		{ "{\"node_policy\":[{}]}", -EINVAL, "\"node_policy[0]\" lacks the key \"resourceName\"" },
		{ "{\"node_policy\":[{\"resourceName\":\"r\",\"numVfs\":1}]}", -EINVAL,
		  "lacks the key \"nicSelector\"" },
		{ "{\"node_policy\":[{\"resourceName\":\"a-b\"}]}", -EINVAL, "\"node_policy[0].resourceName\"" },
		{ POLICY(",\"numVfs\":4"), -EINVAL, "\"node_policy[0].numVfs\" stands twice" },
		{ POLICY(",\"numvfs\":4"), -EINVAL, "unknown key \"node_policy[0].numvfs\"" },
		{ POLICY(",\"eSwitchMode\":\"legacy\""), -EINVAL,
		  "\"node_policy[0].eSwitchMode\" is the SR-IOV operator's" },
		{ POLICY(",\"mtu\":67"), -ERANGE, "\"node_policy[0].mtu\" must be a whole number from 68" },
		{ POLICY(",\"mtu\":\"9000\""), -ERANGE, "\"node_policy[0].mtu\"" },
		{ POLICY(",\"priority\":100"), -ERANGE, "\"node_policy[0].priority\"" },
		{ POLICY(",\"linkType\":\"ib\""), -EINVAL, "\"node_policy[0].linkType\" must be \"eth\"" },
		{ POLICY(",\"isRdma\":1"), -EINVAL, "\"node_policy[0].isRdma\" must be true or false" },
		{ POLICY(",\"deviceType\":\"uio\""), -EINVAL, "\"node_policy[0].deviceType\" must be one of" },
		{ POLICY(",\"deviceType\":\"vfio-pci\",\"isRdma\":true"), -EINVAL,
		  "\"node_policy[0].isRdma\" contradicts" },
		{ SELECTOR("[]"), -EINVAL, "\"node_policy[0].nicSelector\" must be an object" },
		{ SELECTOR("{}"), -EINVAL, "\"node_policy[0].nicSelector\" must say which PFs" },
		{ SELECTOR("{\"netFilter\":\"x\"}"), -EINVAL,
		  "\"node_policy[0].nicSelector.netFilter\" is the SR-IOV operator's" },
		{ SELECTOR("{\"vendor\":\"0x15b3\"}"), -EINVAL, "\"node_policy[0].nicSelector.vendor\" must be four" },
		{ SELECTOR("{\"deviceID\":5555}"), -EINVAL, "\"node_policy[0].nicSelector.deviceID\" must be four" },
		{ SELECTOR("{\"pfNames\":[]}"), -EINVAL, "\"node_policy[0].nicSelector.pfNames\" must be a list of 1" },
		{ SELECTOR("{\"pfNames\":[\"a\",\"b#3-1\"]}"), -EINVAL, "\"node_policy[0].nicSelector.pfNames[1]\"" },
		{ SELECTOR("{\"pfNames\":[\"a#0-0\",\"a#1-1\"]}"), -EINVAL, "names a a second time" },
		{ SELECTOR("{\"pfNames\":[\"a#0-4\"]}"), -EINVAL, "goes to VF 4, but \"numVfs\" is 4" },
		{ SELECTOR("{\"rootDevices\":[\"3b:00.0\"]}"), -EINVAL,
		  "\"node_policy[0].nicSelector.rootDevices[0]\"" },
		{ SELECTOR("{\"rootDevices\":[\"0000:3b:00.8\"]}"), -EINVAL, "must be a PCI address" },
		{ "{\"node_policy_apply\":0}", -EINVAL, "\"node_policy_apply\" must be" },
		{ "{\"modprobe_dir\":\"etc\"}", -EINVAL, "\"modprobe_dir\" must be an absolute path" },
		{ "{\"operator_dir\":1}", -EINVAL, "\"operator_dir\" must be an absolute path" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		bad(table[i].text, table[i].code, table[i].piece);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(enforce_alone_is_a_config),
		cmocka_unit_test(every_key),
		cmocka_unit_test(values_of_choices),
		cmocka_unit_test(reactions),
		cmocka_unit_test(cgroups),
		cmocka_unit_test(discover),
		cmocka_unit_test(kubernetes),
		cmocka_unit_test(bad_kubernetes),
		cmocka_unit_test(ipam_timeout),
		cmocka_unit_test(custom_profile),
		cmocka_unit_test(profile_on_a_base),
		cmocka_unit_test(profile_contradicts_itself),
		cmocka_unit_test(keys_of_a_profile),
		cmocka_unit_test(profiles_of_some),
		cmocka_unit_test(packets),
		cmocka_unit_test(effects_interval),
		cmocka_unit_test(qos_netdevs),
		cmocka_unit_test(unknown_keys),
		cmocka_unit_test(an_endless_unknown_key),
		cmocka_unit_test(node_policies),
		cmocka_unit_test(bad_node_policies),
		cmocka_unit_test(duplicate_keys),
		cmocka_unit_test(wrong_types),
		cmocka_unit_test(values_out_of_range),
		cmocka_unit_test(metrics_addresses),
		cmocka_unit_test(paths_too_long),
		cmocka_unit_test(numbers_of_a_profile),
		cmocka_unit_test(contradictions),
		cmocka_unit_test(not_one_object),
		cmocka_unit_test(truncated_anywhere),
		cmocka_unit_test(embedded_nul),
		cmocka_unit_test(too_deep),
		cmocka_unit_test(files),
	};

	return RUN_CASES("config", cases);
}
