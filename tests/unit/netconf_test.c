// SPDX-License-Identifier: Apache-2.0
/* The configuration of the CNI plugin: every key, every range, and what others are known to read differently. */
#include "cni/netconf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/test.h"
#include "lib/util.h"

#define HEAD "{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"type\":"
#define VF "\"deviceID\":\"0000:3b:00.2\""

static struct cni_env env_of(enum cni_command command)
{
	return (struct cni_env){
		.command = command, .container_id = "c1", .netns = "/n", .ifname = "net1", .path = "/p"
	};
}

static int read_as(enum cni_command command, const char *text, size_t len, struct netconf *conf, struct cni_error *e)
{
	struct cni_env env = env_of(command);

	memset(e, 0, sizeof(*e));
	return netconf_read(text, len, &env, conf, e);
}

/* ---- keys: the members, put behind type and deviceID, and what becomes of them ---- */

struct sample {
	const char *members;
	const char *right; /* "field=value" as describe() has it */
	const char *wrong; /* or a piece of the error */
};

/* All that a configuration can change, in one line. */
static const char *describe(const struct netconf *c)
{
	static char to[8192];

	snprintf(to, sizeof(to),
		 " type=%s device=%s pci=%d resource=%s vlan=%d/%u qos=%u ad=%d mac=%s spoofchk=%d trust=%d link=%d "
		 "min=%d/%u max=%d/%u mtu=%u rdma=%d softroce=%d profile=%s sysctls=%zu logfile=%s loglevel=%d "
		 "ipam=%s ips=%zu dns=%d prev=%zu attachments=%d/%zu debug=%d ",
		 c->type, c->device_id, c->device_is_pci, c->resource_name, c->vlan.set, c->vlan.value, c->vlan_qos,
		 c->vlan_8021ad, c->mac, c->spoofchk, c->trust, c->link_state, c->min_tx_rate.set, c->min_tx_rate.value,
		 c->max_tx_rate.set, c->max_tx_rate.value, c->mtu, c->rdma, c->softroce, c->profile, c->sysctl_count,
		 c->log_file, c->log_level, c->ipam_type, c->ip_count, c->dns.json != NULL, c->prev.interface_count,
		 c->has_attachments, c->attachment_count, c->debug);
	return to;
}

static void try_sample(const char *type, const char *device, const struct sample *s)
{
	_cleanup_(netconf_free) struct netconf conf = {};
	struct cni_error e;
	char text[4096], right[256];
	int r;

	snprintf(text, sizeof(text), HEAD "\"%s\"%s%s%s%s}", type, *device ? "," : "", device, *s->members ? "," : "",
		 s->members);
	r = read_as(CNI_ADD, text, strlen(text), &conf, &e);
	if (s->wrong) {
		if (r != -EINVAL ||
		    e.code != (strncmp(e.msg, "unknown key", 11) ? CNI_INVALID_NETCONF : CNI_UNSUPPORTED_FIELD))
			test_fail("%s: %d, code %u, %s", text, r, e.code, e.msg);
		assert_contains(e.msg, s->wrong);
		assert_null(conf.json);
		return;
	}
	if (r)
		test_fail("%s: %s", text, e.msg);
	/* Several fields are separated by a space. */
	for (const char *p = s->right; *p; p += strcspn(p, " "), p += *p == ' ') {
		snprintf(right, sizeof(right), " %.*s ", (int)strcspn(p, " "), p);
		if (!strstr(describe(&conf), right))
			test_fail("%s: not \"%s\" in %s", text, right, describe(&conf));
	}
}

#define TRY(type, device, samples)                          \
	for (size_t i_ = 0; i_ < ARRAY_SIZE(samples); i_++) \
	try_sample(type, device, &(samples)[i_])

static const struct sample vlans[] = {
	{ "", "vlan=0/0 qos=0 ad=0", NULL },
	{ "\"vlan\":null", "vlan=0/0", NULL },
	{ "\"vlan\":0", "vlan=1/0 qos=0 ad=0", NULL },
	{ "\"vlan\":4094", "vlan=1/4094", NULL },
	{ "\"vlan\":4095", NULL, "\"vlan\" must be a whole number from 0 to 4094" },
	{ "\"vlan\":-1", NULL, "\"vlan\"" },
	{ "\"vlan\":1.5", NULL, "\"vlan\"" },
	{ "\"vlan\":1e99", NULL, "\"vlan\"" },
	{ "\"vlan\":\"100\"", NULL, "\"vlan\"" },
	{ "\"vlan\":true", NULL, "\"vlan\"" },
	{ "\"vlan\":100,\"vlanQoS\":7", "vlan=1/100 qos=7", NULL },
	{ "\"vlan\":100,\"vlanQoS\":8", NULL, "\"vlanQoS\" must be a whole number from 0 to 7" },
	{ "\"vlanQoS\":0", NULL, "\"vlanQoS\" needs \"vlan\"" },
	{ "\"vlan\":0,\"vlanQoS\":0", "vlan=1/0 qos=0", NULL },
	{ "\"vlan\":0,\"vlanQoS\":1", NULL, "\"vlanQoS\" must be 0" },
	{ "\"vlan\":5,\"vlanProto\":\"802.1ad\"", "ad=1", NULL },
	{ "\"vlan\":5,\"vlanProto\":\"802.1AD\"", "ad=1", NULL },
	{ "\"vlan\":5,\"vlanProto\":\"802.1Q\"", "ad=0", NULL },
	{ "\"vlan\":5,\"vlanProto\":\"802\"", NULL, "\"vlanProto\"" },
	{ "\"vlan\":5,\"vlanProto\":\"\"", NULL, "\"vlanProto\"" },
	{ "\"vlan\":5,\"vlanProto\":1", NULL, "\"vlanProto\"" },
	{ "\"vlan\":0,\"vlanProto\":\"802.1q\"", "vlan=1/0 ad=0", NULL },
	{ "\"vlan\":0,\"vlanProto\":\"802.1ad\"", NULL, "\"vlanProto\" must be \"802.1q\"" },
	{ "\"vlanProto\":\"802.1q\"", NULL, "\"vlanProto\" needs \"vlan\"" },
};

static const struct sample attributes[] = {
	{ "", "spoofchk=0 trust=0 link=0 min=0/0 max=0/0 mtu=0", NULL },
	{ "\"spoofchk\":\"\",\"trust\":\"\",\"link_state\":\"\"", "spoofchk=0 trust=0 link=0", NULL },
	{ "\"spoofchk\":\"off\",\"trust\":\"on\"", "spoofchk=1 trust=2", NULL },
	{ "\"spoofchk\":\"on\",\"trust\":\"off\"", "spoofchk=2 trust=1", NULL },
	{ "\"spoofchk\":\"On\"", NULL, "\"spoofchk\" must be \"on\" or \"off\"" },
	{ "\"spoofchk\":\"of\"", NULL, "\"spoofchk\"" },
	{ "\"spoofchk\":true", NULL, "\"spoofchk\"" },
	{ "\"trust\":\"true\"", NULL, "\"trust\" must be \"on\" or \"off\"" },
	{ "\"trust\":0", NULL, "\"trust\"" },
	{ "\"link_state\":\"auto\"", "link=1", NULL },
	{ "\"link_state\":\"enable\"", "link=2", NULL },
	{ "\"link_state\":\"disable\"", "link=3", NULL },
	{ "\"link_state\":\"enabled\"", NULL, "\"link_state\" must be" },
	{ "\"link_state\":1", NULL, "\"link_state\"" },
	{ "\"min_tx_rate\":0,\"max_tx_rate\":0", "min=1/0 max=1/0", NULL },
	{ "\"min_tx_rate\":100", "min=1/100 max=0/0", NULL },
	{ "\"min_tx_rate\":100,\"max_tx_rate\":100", "min=1/100 max=1/100", NULL },
	{ "\"min_tx_rate\":101,\"max_tx_rate\":100", NULL, "\"min_tx_rate\" is above \"max_tx_rate\"" },
	{ "\"max_tx_rate\":4294967295", "max=1/4294967295", NULL },
	{ "\"max_tx_rate\":4294967296", NULL, "\"max_tx_rate\" must be a whole number from 0 to 4294967295" },
	{ "\"min_tx_rate\":-1", NULL, "\"min_tx_rate\"" },
	{ "\"min_tx_rate\":\"1\"", NULL, "\"min_tx_rate\"" },
	{ "\"mtu\":68", "mtu=68", NULL },
	{ "\"mtu\":65535", "mtu=65535", NULL },
	{ "\"mtu\":67", NULL, "\"mtu\" must be a whole number from 68 to 65535" },
	{ "\"mtu\":65536", NULL, "\"mtu\"" },
	{ "\"mtu\":null", "mtu=0", NULL },
};

static const struct sample macs[] = {
	{ "", "mac=", NULL },
	{ "\"mac\":\"\"", "mac=", NULL },
	{ "\"mac\":\"CA:FE:C0:FF:EE:00\"", "mac=ca:fe:c0:ff:ee:00", NULL },
	{ "\"MAC\":\"ca-fe-c0-ff-ee-00\"", "mac=ca:fe:c0:ff:ee:00", NULL },
	{ "\"mac\":\"cafe.c0ff.ee00\"", "mac=ca:fe:c0:ff:ee:00", NULL },
	{ "\"mac\":\"02:00:00:00:00:01\",\"MAC\":\"02:00:00:00:00:01\"", "mac=02:00:00:00:00:01", NULL },
	{ "\"mac\":\"02:00:00:00:00:01\",\"MAC\":\"02:00:00:00:00:02\"", NULL, "contradict" },
	{ "\"mac\":\"01:00:5e:00:00:01\"", NULL, "\"mac\" must be a unicast MAC" },
	{ "\"mac\":\"0f:00:00:00:00:01\"", NULL, "\"mac\"" },
	{ "\"mac\":\"00:00:00:00:00:00\"", NULL, "\"mac\"" },
	{ "\"mac\":\"ff:ff:ff:ff:ff:ff\"", NULL, "\"mac\"" },
	{ "\"mac\":\"02:00:00:00:00\"", NULL, "\"mac\"" },
	{ "\"mac\":\"02:00:00:00:00:0g\"", NULL, "\"mac\"" },
	{ "\"mac\":\"02:00-00:00:00:01\"", NULL, "\"mac\"" },
	{ "\"mac\":\"02000000000000001\"", NULL, "\"mac\"" },
	{ "\"mac\":2", NULL, "\"mac\"" },
	{ "\"runtimeConfig\":{\"mac\":\"02:00:00:00:00:09\"},\"mac\":\"02:00:00:00:00:01\"", "mac=02:00:00:00:00:09",
	  NULL },
	{ "\"runtimeConfig\":{\"mac\":\"\"},\"mac\":\"02:00:00:00:00:01\"", "mac=02:00:00:00:00:01", NULL },
	{ "\"runtimeConfig\":{\"mac\":\"x\"}", NULL, "\"runtimeConfig.mac\"" },
	{ "\"args\":{\"cni\":{\"mac\":\"02:00:00:00:00:08\"}},\"mac\":\"02:00:00:00:00:01\"", "mac=02:00:00:00:00:08",
	  NULL },
	{ "\"args\":{\"cni\":{\"mac\":\"02:00:00:00:00:08\"}},\"runtimeConfig\":{\"mac\":\"02:00:00:00:00:09\"}",
	  "mac=02:00:00:00:00:09", NULL },
	{ "\"args\":{\"cni\":{\"mac\":7}}", NULL, "\"args.cni.mac\"" },
};

static const struct sample ours[] = {
	{ "", "rdma=0 softroce=0 profile= sysctls=0 resource=", NULL },
	{ "\"rdma\":true", "rdma=2", NULL },
	{ "\"rdma\":false", "rdma=1", NULL },
	{ "\"rdma\":\"auto\"", "rdma=0", NULL },
	{ "\"rdma\":\"yes\"", NULL, "\"rdma\" must be true, false or \"auto\"" },
	{ "\"rdma\":1", NULL, "\"rdma\"" },
	{ "\"softroce\":true", "softroce=1 rdma=2", NULL },
	{ "\"softroce\":false", "softroce=0 rdma=0", NULL },
	{ "\"softroce\":true,\"rdma\":\"auto\"", "rdma=2", NULL },
	{ "\"softroce\":true,\"rdma\":false", NULL, "contradicts" },
	{ "\"softroce\":\"true\"", NULL, "\"softroce\" must be true or false" },
	{ "\"profile\":\"spiderpool\"", "profile=spiderpool", NULL },
	{ "\"profile\":\"\"", NULL, "\"profile\"" },
	{ "\"profile\":\"a/b\"", NULL, "\"profile\"" },
	{ "\"profile\":{}", NULL, "\"profile\" must be a text" },
	{ "\"resourceName\":\"nvidia.com/vfs\"", "resource=nvidia.com/vfs", NULL },
	{ "\"resourceName\":\"vfs\"", "resource=vfs", NULL },
	{ "\"resourceName\":\"a/b/c\"", NULL, "\"resourceName\"" },
	{ "\"resourceName\":\"/b\"", NULL, "\"resourceName\"" },
	{ "\"resourceName\":\"a/\"", NULL, "\"resourceName\"" },
	{ "\"sysctls\":{\"net.ipv4.conf.IFNAME.arp_notify\":\"1\"}", "sysctls=1", NULL },
	{ "\"sysctls\":{\"net.ipv4.tcp_rmem\":\"4096 1 2\",\"net.core.somaxconn\":\"9\"}", "sysctls=2", NULL },
	{ "\"sysctls\":{\"kernel.core_pattern\":\"x\"}", NULL, "\"sysctls.kernel.core_pattern\" is not a sysctl" },
	{ "\"sysctls\":{\"net.../kernel/x\":\"x\"}", NULL, "is not a sysctl" },
	{ "\"sysctls\":{\"net./../kernel/core_pattern\":\"x\"}", NULL, "is not a sysctl" },
	{ "\"sysctls\":{\"net.\":\"x\"}", NULL, "is not a sysctl" },
	{ "\"sysctls\":{\"net\":\"x\"}", NULL, "is not a sysctl" },
	{ "\"sysctls\":{\"net.a b\":\"x\"}", NULL, "is not a sysctl" },
	{ "\"sysctls\":{\"net.core.x\":1}", NULL, "\"sysctls.net.core.x\" must be a text" },
	{ "\"sysctls\":{\"net.core.x\":\"\"}", NULL, "must be a text" },
	{ "\"sysctls\":{\"net.core.x\":\"1\\n2\"}", NULL, "must be a text" },
	{ "\"sysctls\":[]", NULL, "\"sysctls\" must be an object" },
};

static const struct sample devices[] = {
	{ "\"deviceID\":\"0000:3B:00.2\"", "device=0000:3b:00.2 pci=1", NULL },
	{ "\"deviceID\":\"10000:3b:1f.7\"", "device=10000:3b:1f.7 pci=1", NULL },
	{ "\"deviceID\":\"mlx5_core.sf.4\"", "device=mlx5_core.sf.4 pci=0", NULL },
	{ "\"pciBusID\":\"0000:3b:00.2\"", "device=0000:3b:00.2", NULL },
	{ "\"runtimeConfig\":{\"deviceID\":\"0000:3b:00.2\"}", "device=0000:3b:00.2", NULL },
	{ "\"deviceID\":\"0000:3b:00.2\",\"pciBusID\":\"0000:3B:00.2\"", "device=0000:3b:00.2", NULL },
	{ "\"deviceID\":\"0000:3b:00.2\",\"pciBusID\":\"0000:3b:00.3\"", NULL, "two devices are named" },
	{ "\"deviceID\":\"0000:3b:00.2\",\"runtimeConfig\":{\"deviceID\":\"0000:3b:00.3\"}", NULL, "two devices" },
	{ "\"deviceID\":\"\"", NULL, "VF pci addr is required" },
	{ "", NULL, "VF pci addr is required" },
	{ "\"deviceID\":\"../../x\"", NULL, "\"deviceID\" must be" },
	{ "\"deviceID\":\"0000:3b:00.8\"", NULL, "\"deviceID\"" },
	{ "\"deviceID\":5", NULL, "\"deviceID\" must be a text" },
	{ "\"deviceID\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", NULL,
	  "longer than" },
};

static const struct sample others[] = {
	{ "\"ipam\":{}", "ipam=", NULL },
	{ "\"ipam\":null", "ipam=", NULL },
	{ "\"ipam\":{\"type\":\"\"}", "ipam=", NULL },
	{ "\"ipam\":{\"type\":\"host-local\",\"ranges\":[]}", "ipam=host-local", NULL },
	{ "\"ipam\":{\"ranges\":[]}", NULL, "\"ipam\" lacks the key \"type\"" },
	{ "\"ipam\":{\"type\":\"../host-local\"}", NULL, "\"ipam.type\" must be the name of a plugin" },
	{ "\"ipam\":{\"type\":\"a/b\"}", NULL, "\"ipam.type\"" },
	{ "\"ipam\":{\"type\":1}", NULL, "\"ipam.type\" must be a text" },
	{ "\"ipam\":\"host-local\"", NULL, "\"ipam\" must be an object" },
	{ "\"dns\":{\"nameservers\":[\"10.0.0.1\"]}", "dns=1", NULL },
	{ "\"dns\":{}", "dns=0", NULL },
	{ "\"runtimeConfig\":{\"ips\":[\"10.0.0.1/24\",\"fd00::1\"]}", "ips=2", NULL },
	{ "\"runtimeConfig\":{\"ips\":[\"10.0.0.256\"]}", NULL, "\"runtimeConfig.ips\" must be addresses" },
	{ "\"runtimeConfig\":{\"ips\":\"10.0.0.1\"}", NULL, "\"runtimeConfig.ips\" must be a list" },
	{ "\"runtimeConfig\":{\"bandwidth\":{},\"CNIDeviceInfoFile\":\"/x\"}", "ips=0", NULL },
	{ "\"runtimeConfig\":[]", NULL, "\"runtimeConfig\" must be an object" },
	{ "\"capabilities\":{\"mac\":true,\"ips\":true}", "mac=", NULL },
	{ "\"args\":{\"cni\":{\"whatever\":1},\"other\":{}}", "debug=0", NULL },
	{ "\"args\":{\"cni\":{\"debug\":true}}", "debug=1", NULL },
	{ "\"args\":{\"cni\":[]}", NULL, "\"args.cni\" must be an object" },
	{ "\"logFile\":\"/var/log/x\",\"logLevel\":\"debug\"", "logfile=/var/log/x loglevel=4", NULL },
	{ "", "logfile= loglevel=3", NULL },
	{ "\"logLevel\":\"panic\"", "loglevel=0", NULL },
	{ "\"logLevel\":\"error\"", "loglevel=1", NULL },
	{ "\"logLevel\":\"warning\"", "loglevel=2", NULL },
	{ "\"logLevel\":\"warn\"", NULL, "\"logLevel\" must be" },
	{ "\"logFile\":\"x\"", NULL, "\"logFile\" must be an absolute path" },
	{ "\"cni.dev/valid-attachments\":[{\"containerID\":\"a\",\"ifname\":\"b\"}]", "attachments=1/1", NULL },
	{ "\"cni.dev/attachments\":[]", "attachments=1/0", NULL },
	{ "\"cni.dev/valid-attachments\":[{\"containerID\":\"a\"}]", NULL, "cni.dev/valid-attachments" },
	{ "\"prevResult\":{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"eth0\"}]}", "prev=1", NULL },
};

static const struct sample typos[] = {
	{ "\"spoofcheck\":\"on\"", NULL, "unknown key \"spoofcheck\" (\"on\"): did you mean \"spoofchk\"?" },
	{ "\"deviceId\":\"x\"", NULL, "did you mean \"deviceID\"?" },
	{ "\"linkState\":\"auto\"", NULL, "did you mean \"link_state\"?" },
	{ "\"vlanQos\":1", NULL, "did you mean \"vlanQoS\"?" },
	{ "\"IPAM\":{}", NULL, "did you mean \"ipam\"?" },
	{ "\"max_txrate\":1", NULL, "did you mean \"max_tx_rate\"?" },
	{ "\"Mtu\":1500", NULL, "did you mean \"mtu\"?" },
	{ "\"prevresult\":{}", NULL, "did you mean \"prevResult\"?" },
	{ "\"colour\":1", NULL, "unknown key \"colour\" (1)" },
	{ "\"\":1", NULL, "unknown key \"\"" },
};

static void every_key_and_range(void **state)
{
	(void)state;
	TRY("rdma-warden", VF, vlans);
	TRY("sriov", VF, vlans);
	TRY("rdma-warden", VF, attributes);
	TRY("sriov", VF, attributes);
	TRY("rdma-warden", VF, macs);
	TRY("rdma-warden", VF, ours);
	TRY("rdma-warden", "", devices);
	TRY("rdma-warden", VF, others);
	TRY("rdma-warden", VF, typos);
}

static void as_sriov(void **state)
{
	static const struct sample samples[] = {
		{ VF, "rdma=1", NULL },
		{ VF ",\"rdma\":true", "rdma=2", NULL },
		{ VF ",\"rdma\":\"auto\"", "rdma=0", NULL },
		{ VF ",\"softroce\":true", "rdma=2", NULL },
		{ "\"deviceID\":\"mlx5_core.sf.4\"", NULL, "\"deviceID\" must be a PCI address" },
		{ "", NULL, "VF pci addr is required" },
	};

	(void)state;
	TRY("sriov", "", samples);
}

static void as_rdma(void **state)
{
	static const struct sample samples[] = {
		{ "\"prevResult\":{\"interfaces\":[]}", "rdma=2 device=", NULL },
		{ "\"prevResult\":{},\"deviceID\":\"mlx5_core.sf.4\"", "rdma=2 device=mlx5_core.sf.4", NULL },
		{ "\"prevResult\":{},\"args\":{\"cni\":{\"debug\":true}}", "debug=1", NULL },
		{ "", NULL, "\"prevResult\" is missing" },
		{ "\"prevResult\":null", NULL, "\"prevResult\" is missing" },
		{ "\"prevResult\":{},\"vlan\":5", NULL, "unknown key \"vlan\"" },
		{ "\"prevResult\":{},\"trust\":\"on\"", NULL, "unknown key \"trust\"" },
	};

	(void)state;
	TRY("rdma", "", samples);
}

/* ---- what is not a key ---- */

static void bad_text(enum cni_command command, const char *text, size_t len, unsigned int code, const char *piece)
{
	_cleanup_(netconf_free) struct netconf conf = {};
	struct cni_error e;

	if (!read_as(command, text, len, &conf, &e) || e.code != code)
		test_fail("%.200s: code %u, %s", text, e.code, e.msg);
	assert_contains(e.msg, piece);
	assert_null(conf.json);
}

static void bad_string(enum cni_command command, const char *text, unsigned int code, const char *piece)
{
	bad_text(command, text, strlen(text), code, piece);
}

static void version_of(const char *text, enum cni_version version)
{
	_cleanup_(netconf_free) struct netconf conf = {};
	struct cni_error e;

	if (read_as(CNI_ADD, text, strlen(text), &conf, &e))
		test_fail("%s", e.msg);
	assert_int_equal(conf.version, version);
}

static void versions(void **state)
{
	static const char *const wrong[] = {
		"\"cniVersion\":\"0.1.0\",",
		"\"cniVersion\":\"0.3.0\",",
		"\"cniVersion\":\"1.2.0\",",
		"\"cniVersion\":\"1.0\",",
		"\"cniVersion\":\"\",",
		"\"cniVersion\":null,",
		"",
	};
	char text[256];

	(void)state;
	version_of("{\"cniVersion\":\"0.3.1\",\"name\":\"n\",\"type\":\"sriov\"," VF "}", CNI_0_3_1);
	version_of("{\"cniVersion\":\"0.4.0\",\"name\":\"n\",\"type\":\"sriov\"," VF "}", CNI_0_4_0);
	version_of("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"type\":\"sriov\"," VF "}", CNI_1_0_0);
	version_of("{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"type\":\"sriov\"," VF "}", CNI_1_1_0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(text, sizeof(text), "{%s\"name\":\"n\",\"type\":\"sriov\"," VF "}", wrong[i]);
		bad_string(CNI_ADD, text, CNI_INCOMPATIBLE_VERSION, "incompatible CNI versions");
	}
	bad_string(CNI_ADD, "{\"cniVersion\":1,\"name\":\"n\",\"type\":\"sriov\"}", CNI_INVALID_NETCONF, "cniVersion");
}

/* The version to answer in is known even where the rest is wrong. */
static void version_of_an_error(void **state)
{
	const char *text = "{\"cniVersion\":\"0.4.0\",\"name\":\"n\",\"type\":\"sriov\",\"x\":1}";
	struct netconf conf;
	struct cni_error e;

	(void)state;
	assert_int_equal(read_as(CNI_ADD, text, strlen(text), &conf, &e), -EINVAL);
	assert_int_equal(conf.version, CNI_0_4_0);
}

#define CONF(version, more) "{\"cniVersion\":\"" version "\",\"name\":\"n\",\"type\":\"rdma-warden\"" more "}"

static void commands(void **state)
{
	static const char prev[] = CONF("0.4.0", ",\"prevResult\":{}");
	static const char gc[] = CONF("1.1.0", ",\"cni.dev/valid-attachments\":[]");
	static const char broken_prev[] = CONF("0.4.0", ",\"prevResult\":{\"ips\":7}");
	_cleanup_(netconf_free) struct netconf conf = {};
	struct cni_error e;

	(void)state;
	bad_string(CNI_CHECK, CONF("0.3.1", ""), CNI_INCOMPATIBLE_VERSION, "CHECK came with version 0.4.0");
	bad_string(CNI_GC, CONF("1.0.0", ""), CNI_INCOMPATIBLE_VERSION, "GC came with version 1.1.0");
	bad_string(CNI_STATUS, CONF("1.0.0", ""), CNI_INCOMPATIBLE_VERSION, "STATUS");
	bad_string(CNI_CHECK, CONF("0.4.0", ""), CNI_INVALID_NETCONF, "\"prevResult\" is missing");
	bad_string(CNI_GC, CONF("1.1.0", ""), CNI_INVALID_NETCONF, "cni.dev/valid-attachments");
	bad_string(CNI_CHECK, broken_prev, CNI_DECODE, "\"ips\"");
	assert_int_equal(read_as(CNI_CHECK, prev, strlen(prev), &conf, &e), 0);
	netconf_free(&conf);
	assert_int_equal(read_as(CNI_GC, gc, strlen(gc), &conf, &e), 0);
	assert_true(conf.has_attachments);
	netconf_free(&conf);
	assert_int_equal(read_as(CNI_STATUS, CONF("1.1.0", ""), strlen(CONF("1.1.0", "")), &conf, &e), 0);
	netconf_free(&conf);
	/* DEL does what it can, without a device and whatever the result before says. */
	assert_int_equal(read_as(CNI_DEL, broken_prev, strlen(broken_prev), &conf, &e), 0);
	assert_int_equal(conf.prev.ip_count, 0);
}

static void names(void **state)
{
	(void)state;
	bad_string(CNI_DEL, "{\"cniVersion\":\"1.0.0\",\"type\":\"sriov\"}", CNI_INVALID_NETCONF, "\"name\"");
	bad_string(CNI_DEL, "{\"cniVersion\":\"1.0.0\",\"name\":\"\",\"type\":\"sriov\"}", CNI_INVALID_NETCONF,
		   "\"name\"");
	bad_string(CNI_DEL, "{\"cniVersion\":\"1.0.0\",\"name\":\"../x\",\"type\":\"sriov\"}", CNI_INVALID_NETCONF,
		   "\"name\"");
	bad_string(CNI_DEL, "{\"cniVersion\":\"1.0.0\",\"name\":\"a/b\",\"type\":\"sriov\"}", CNI_INVALID_NETCONF,
		   "\"name\"");
	bad_string(CNI_DEL, "{\"cniVersion\":\"1.0.0\",\"name\":5,\"type\":\"sriov\"}", CNI_INVALID_NETCONF,
		   "\"name\"");
	bad_string(CNI_DEL, "{\"cniVersion\":\"1.0.0\",\"name\":\"n\"}", CNI_INVALID_NETCONF, "\"type\" must be");
	bad_string(CNI_DEL, "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"type\":\"bridge\"}", CNI_INVALID_NETCONF,
		   "\"type\"");
}

/* CNI_ARGS stand above args.cni and the configuration, and below the runtime. */
static void mac_of_cni_args(void **state)
{
	const char *text = HEAD "\"sriov\"," VF ",\"mac\":\"02:00:00:00:00:01\","
				"\"args\":{\"cni\":{\"mac\":\"02:00:00:00:00:02\"}}}";
	struct cni_env env = env_of(CNI_ADD);
	struct netconf conf;
	struct cni_error e;

	(void)state;
	strcpy(env.args.mac, "02:00:00:00:00:03");
	assert_int_equal(netconf_read(text, strlen(text), &env, &conf, &e), 0);
	assert_string_equal(conf.mac, "02:00:00:00:00:03");
	netconf_free(&conf);
	text = HEAD "\"sriov\"," VF ",\"runtimeConfig\":{\"mac\":\"02:00:00:00:00:04\"}}";
	assert_int_equal(netconf_read(text, strlen(text), &env, &conf, &e), 0);
	assert_string_equal(conf.mac, "02:00:00:00:00:04");
	netconf_free(&conf);
}

static void lists_in_full(void **state)
{
	const char *text = "{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"type\":\"rdma-warden\","
			   "\"cni.dev/valid-attachments\":[{\"containerID\":\"c1\",\"ifname\":\"net1\"},"
			   "{\"containerID\":\"c2\",\"ifname\":\"eth0\"}],\"cni.dev/attachments\":[],"
			   "\"runtimeConfig\":{\"ips\":[\"10.0.0.1/24\",\"fd00::1\"]},"
			   "\"sysctls\":{\"net.ipv4.conf.IFNAME.arp_notify\":\"1\"}}";
	struct netconf conf;
	struct cni_error e;
	char path[256];

	(void)state;
	assert_int_equal(read_as(CNI_GC, text, strlen(text), &conf, &e), 0);
	assert_int_equal(conf.attachment_count, 2);
	assert_string_equal(conf.attachments[1].container_id, "c2");
	assert_string_equal(conf.attachments[1].ifname, "eth0");
	assert_int_equal(conf.ips[0].family, AF_INET);
	assert_int_equal(conf.ips[0].prefix, 24);
	assert_int_equal(conf.ips[1].family, AF_INET6);
	assert_int_equal(conf.ips[1].prefix, 128);
	assert_string_equal(conf.text, text);
	assert_string_equal(conf.sysctls[0].value, "1");
	assert_int_equal(netconf_sysctl_path(&conf.sysctls[0], "net1.5", path, sizeof(path)), 0);
	assert_string_equal(path, "/proc/sys/net/ipv4/conf/net1.5/arp_notify");
	assert_int_equal(netconf_sysctl_path(&conf.sysctls[0], "net1", path, 30), -ENAMETOOLONG);
	strcpy(conf.sysctls[0].name, "net.ipv4.conf.eth0/100.rp_filter");
	assert_int_equal(netconf_sysctl_path(&conf.sysctls[0], "net1", path, sizeof(path)), 0);
	assert_string_equal(path, "/proc/sys/net/ipv4/conf/eth0.100/rp_filter");
	netconf_free(&conf);
}

/* ---- hostile text ---- */

static void twins(void **state)
{
	(void)state;
	bad_string(CNI_DEL, CONF("1.0.0", ",\"vlan\":1,\"vlan\":1"), CNI_DECODE, "the key \"vlan\" stands twice");
	bad_string(CNI_DEL, CONF("1.0.0", ",\"ipam\":{\"type\":\"a\",\"x\":[{\"y\":1,\"z\":2,\"y\":1}]}"), CNI_DECODE,
		   "the key \"y\" stands twice");
	bad_string(CNI_DEL, CONF("1.0.0", ",\"vl\\u0061n\":1,\"vlan\":1"), CNI_DECODE, "stands twice");
}

static void broken_bytes(void **state)
{
	static const char nul[] = CONF("1.0.0", ",\"mac\":\"\0\"");

	(void)state;
	bad_text(CNI_DEL, nul, sizeof(nul) - 1, CNI_DECODE, "NUL");
	bad_string(CNI_DEL, CONF("1.0.0", ",\"mac\":\"\\u0000\""), CNI_DECODE, "NUL");
	bad_string(CNI_DEL, CONF("1.0.0", ",\"mac\":\"\xff\""), CNI_DECODE, "UTF-8");
	bad_string(CNI_DEL, CONF("1.0.0", ",\"mac\":\"\xc0\x80\x80\x80\""), CNI_DECODE, "UTF-8");
	bad_string(CNI_DEL, CONF("1.0.0", ",\"mac\":\"\xc0\xaf\""), CNI_DECODE, "UTF-8"); /* overlong */
	bad_string(CNI_DEL, CONF("1.0.0", ",\"mac\":\"\xed\xa0\x80\""), CNI_DECODE, "UTF-8"); /* a surrogate */
	bad_string(CNI_DEL, CONF("1.0.0", ",\"mac\":\"\xf4\x90\x80\x80\""), CNI_DECODE, "UTF-8"); /* past the last */
	bad_string(CNI_DEL, CONF("1.0.0", ",\"mac\":\"\xe2\x82"), CNI_DECODE, "UTF-8"); /* cut */
	bad_string(CNI_DEL, CONF("1.0.0", ",\"mac\":\"\n\""), CNI_DECODE, "control character");
	bad_string(CNI_DEL, CONF("1.0.0", ",\"mac\":\"\\ud800\""), CNI_DECODE, "not JSON");
	bad_string(CNI_DEL, CONF("1.0.0", ",\"vlan\":1e999"), CNI_DECODE, "out of range");
	bad_string(CNI_DEL, CONF("1.0.0", "") "x", CNI_DECODE, "something follows");
	bad_string(CNI_DEL, CONF("1.0.0", "") "{}", CNI_DECODE, "something follows");
	bad_string(CNI_DEL, "", CNI_DECODE, "not JSON");
	bad_string(CNI_DEL, "[]", CNI_DECODE, "one JSON object");
	bad_string(CNI_DEL, "{\"cniVersion\":", CNI_DECODE, "not JSON");
}

static void too_deep_and_too_long(void **state)
{
	size_t len = NETCONF_MAX_BYTES + 1;
	_cleanup_free_ char *text = malloc(len + 1);
	char deep[1024] = CONF("1.0.0", ",\"args\":");

	(void)state;
	assert_non_null(text);
	memset(text, ' ', len);
	text[len] = '\0';
	bad_text(CNI_DEL, text, len, CNI_DECODE, "larger than");
	memset(text, '[', len - 1);
	bad_text(CNI_DEL, text, len - 1, CNI_DECODE, "nested deeper than 64");
	*strrchr(deep, '}') = '\0';
	strcat(deep, "{\"a\":");
	for (int i = 0; i < 63; i++)
		strcat(deep, "[");
	bad_string(CNI_DEL, deep, CNI_DECODE, "nested deeper than 64");
}

/* All prefixes of a right one are wrong, and none is read beyond its end. */
static void every_cut(void **state)
{
	static const char text[] = HEAD "\"sriov\"," VF ",\"vlan\":7,\"mac\":\"\xc3\xa9\\u00e9\"}";
	struct netconf conf;
	struct cni_error e;

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		_cleanup_free_ char *cut = malloc(len ? len : 1);

		assert_non_null(cut);
		memcpy(cut, text, len);
		assert_true(read_as(CNI_ADD, cut, len, &conf, &e) < 0);
		assert_int_equal(e.code, CNI_DECODE);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_and_range),
		cmocka_unit_test(as_sriov),
		cmocka_unit_test(as_rdma),
		cmocka_unit_test(versions),
		cmocka_unit_test(version_of_an_error),
		cmocka_unit_test(commands),
		cmocka_unit_test(names),
		cmocka_unit_test(mac_of_cni_args),
		cmocka_unit_test(lists_in_full),
		cmocka_unit_test(twins),
		cmocka_unit_test(broken_bytes),
		cmocka_unit_test(too_deep_and_too_long),
		cmocka_unit_test(every_cut),
	};

	return RUN_CASES("netconf", tests);
}
