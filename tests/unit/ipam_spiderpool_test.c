// SPDX-License-Identifier: Apache-2.0
/* Spiderpool's agent as IPAM: what it is sent, and everything that it could answer. */
#define _GNU_SOURCE
#include "ipam/spiderpool.h"

#include <errno.h>

#include "spiderpool_standin.h"

#define LONG_MS 60000 /* no test waits for that */
#define SHORT_MS 300 /* for what hangs */

struct attempt {
	struct standin agent;
	struct netconf conf;
	struct cni_env env;
	struct cni_result result;
	struct ipam_hints hints;
	struct cni_error e;
	struct ipam_call call;
};

static void read_conf(struct attempt *a, const char *socket, const char *members)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"type\":\"rdma-warden\","
		 "\"ipam\":{\"type\":\"spiderpool\",\"ipam_unix_socket_path\":\"%s\"%s}}",
		 socket, members);
	a->env.command = CNI_DEL;
	if (netconf_read(text, strlen(text), &a->env, &a->conf, &a->e))
		test_fail("%s", a->e.msg);
}

static void prepare(struct attempt *a, const char *members)
{
	standin_start(&a->agent);
	read_conf(a, a->agent.path, members);
	strcpy(a->env.container_id, "c1");
	strcpy(a->env.ifname, "net1");
	strcpy(a->env.netns, "/run/netns/x");
	strcpy(a->env.args.pod_namespace, "ns");
	strcpy(a->env.args.pod_name, "pod");
	strcpy(a->env.args.pod_uid, "uid");
	a->call = (struct ipam_call){ &a->conf, &a->env, boot_ns() + LONG_MS * 1000000ull };
}

static void finish(struct attempt *a)
{
	standin_stop(&a->agent);
	netconf_free(&a->conf);
	cni_result_free(&a->result);
}

static int add(struct attempt *a)
{
	return ipam_add(&a->call, &a->result, &a->hints, &a->e);
}

/* The n-th request was that. */
static void assert_request(const struct attempt *a, int n, const char *line)
{
	assert_true(n < a->agent.count);
	if (strncmp(a->agent.requests[n], line, strlen(line)))
		test_fail("request %d is %s", n, a->agent.requests[n]);
}

static void assert_body(const struct attempt *a, int n, const char *body)
{
	assert_string_equal(strstr(a->agent.requests[n], "\r\n\r\n") + 4, body);
}

static void addresses_of_the_interface(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a, "");
	if (add(&a))
		test_fail("%s (%s)", a.e.msg, a.e.details);
	assert_int_equal(a.result.ip_count, 2);
	assert_memory_equal(a.result.ips[0].address.bytes, "\x0a\x07\x00\x05", 4);
	assert_int_equal(a.result.ips[0].address.prefix, 16);
	assert_memory_equal(a.result.ips[0].gateway.bytes, "\x0a\x07\x00\x01", 4);
	assert_int_equal(a.result.ips[1].address.family, AF_INET6);
	assert_int_equal(a.result.ips[1].gateway.family, 0);
	assert_int_equal(a.result.ips[1].interface, -1);
	assert_int_equal(a.result.route_count, 1);
	assert_memory_equal(a.result.routes[0].dst.bytes, "\x0a\x46\x00\x00", 4);
	assert_null(a.result.dns.json);
	assert_true(a.hints.detect_conflicts);
	assert_false(a.hints.detect_gateway);
	assert_true(a.hints.vlan.set && !a.hints.vlan.value);
	assert_string_equal(a.hints.mac, "");
}

static void requests(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	prepare(&a, ",\"default_ipv4_ippool\":[\"p1\",\"r*\"],\"match_master_subnet\":true,\"clean_gateway\":false");
	assert_int_equal(add(&a), 0);
	assert_int_equal(ipam_del(&a.call, &a.e), 0);
	assert_int_equal(a.agent.count, 4);
	assert_request(&a, 0, "GET /v1/ipam/healthy HTTP/1.1\r\n");
	assert_request(&a, 1, "POST /v1/ipam/ip HTTP/1.1\r\n");
	assert_body(
		&a, 1,
		"{\"containerID\":\"c1\",\"ifName\":\"net1\",\"netNamespace\":\"/run/netns/x\",\"podNamespace\":\"ns\","
		"\"podName\":\"pod\",\"podUID\":\"uid\",\"defaultIPv4IPPool\":[\"p1\",\"r*\"],"
		"\"defaultIPv6IPPool\":null,\"matchMasterSubnet\":true}");
	assert_request(&a, 2, "GET /v1/ipam/healthy HTTP/1.1\r\n");
	assert_request(&a, 3, "DELETE /v1/ipam/ip HTTP/1.1\r\n");
	assert_body(
		&a, 3,
		"{\"containerID\":\"c1\",\"ifName\":\"net1\",\"netNamespace\":\"/run/netns/x\",\"podNamespace\":\"ns\","
		"\"podName\":\"pod\",\"podUID\":\"uid\"}");
	assert_non_null(strstr(a.agent.requests[1], "\r\nAccept: application/json\r\n"));
	assert_non_null(strstr(a.agent.requests[1], "\r\nConnection: close\r\n"));
	assert_null(strstr(a.agent.requests[1], "Expect:"));
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
}

/* A refusal in the agent's words: nothing was given, nothing is given back. */
static void refusals(void **state)
{
	static const struct {
		struct answer answer;
		const char *msg;
	} table[] = {
		{ { 500, "\"all IP addresses used out\"\n", MANNER_PLAIN },
		  "spiderpool IP allocation error: [POST /ipam/ip][500] all IP addresses used out" },
		{ { 500, "\"a \\\"b\\\"\\nc\"", MANNER_SLOW },
		  "spiderpool IP allocation error: [POST /ipam/ip][500] a \"b\"\nc" },
		{ { 422, "{\"code\":602,\"message\":\"podUID in body is required\"}", MANNER_PLAIN },
		  "spiderpool IP allocation error: [POST /ipam/ip][422] podUID in body is required" },
		{ { 503, "not JSON", MANNER_PLAIN }, "spiderpool IP allocation error: [POST /ipam/ip][503] not JSON" },
		{ { 404, NULL, MANNER_PLAIN }, "spiderpool IP allocation error: [POST /ipam/ip][404] " },
		{ { 204, NULL, MANNER_PLAIN }, "spiderpool IP allocation error: [POST /ipam/ip][204] " },
		{ { 302, "\"x\"", MANNER_PLAIN }, "spiderpool IP allocation error: [POST /ipam/ip][302] x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_(finish) struct attempt a = { .agent.answers.post = table[i].answer };

		prepare(&a, "");
		assert_true(add(&a) < 0);
		assert_int_equal(a.e.code, CNI_IPAM);
		assert_string_equal(a.e.msg, table[i].msg);
		assert_int_equal(a.agent.count, 2);
	}
}

#define NET1(members) "{\"ips\":[{\"version\":4,\"nic\":\"net1\"," members "}],\"routes\":null,\"dns\":null}"

/* What cannot be used is given back. */
static void unusable_answers(void **state)
{
	static const struct {
		struct answer answer;
		unsigned int code;
		const char *piece;
	} table[] = {
		{ { 200, "", MANNER_PLAIN }, CNI_DECODE, "not JSON" },
		{ { 200, "hello", MANNER_PLAIN }, CNI_DECODE, "not JSON" },
		{ { 200, "[]", MANNER_PLAIN }, CNI_DECODE, "one JSON object" },
		{ { 200, "{}", MANNER_PLAIN }, CNI_IPAM, "gave no address for net1" },
		{ { 200, "{\"ips\":null}", MANNER_PLAIN }, CNI_IPAM, "gave no address for net1" },
		{ { 200, "{\"ips\":[]}", MANNER_PLAIN }, CNI_IPAM, "gave no address for net1" },
		{ { 200, "{\"ips\":[{\"version\":4,\"nic\":\"net2\",\"address\":\"10.0.0.1/8\"}]}", MANNER_PLAIN },
		  CNI_IPAM,
		  "gave no address for net1" },
		{ { 200, "{\"ips\":[{\"version\":4,\"nic\":\"net\",\"address\":\"10.0.0.1/8\"}]}", MANNER_PLAIN },
		  CNI_IPAM,
		  "gave no address for net1" },
		{ { 200, "{\"ips\":{}}", MANNER_PLAIN }, CNI_DECODE, "ips" },
		{ { 200, "{\"ips\":[1]}", MANNER_PLAIN }, CNI_DECODE, "ips" },
		{ { 200, NET1("\"address\":\"10.0.0.1\""), MANNER_PLAIN }, CNI_DECODE, "\"address\"" },
		{ { 200, NET1("\"address\":5"), MANNER_PLAIN }, CNI_DECODE, "\"address\"" },
		{ { 200, NET1("\"address\":\"fd00::1/64\""), MANNER_PLAIN }, CNI_DECODE, "\"version\"" },
		{ { 200, NET1("\"address\":\"10.0.0.1/8\",\"gateway\":\"fd00::1\""), MANNER_PLAIN },
		  CNI_DECODE,
		  "\"gateway\"" },
		{ { 200, NET1("\"address\":\"10.0.0.1/8\",\"vlan\":4095"), MANNER_PLAIN }, CNI_DECODE, "\"vlan\"" },
		{ { 200, NET1("\"address\":\"10.0.0.1/8\",\"mac\":\"x\""), MANNER_PLAIN }, CNI_DECODE, "\"mac\"" },
		{ { 200, NET1("\"address\":\"10.0.0.1/8\",\"address\":\"10.0.0.2/8\""), MANNER_PLAIN },
		  CNI_DECODE,
		  "stands twice" },
		{ { 200,
		    "{\"ips\":[{\"version\":4,\"nic\":\"net1\",\"address\":\"10.0.0.1/8\",\"vlan\":7}],"
		    "\"routes\":[{\"ifName\":\"net1\",\"dst\":\"x\",\"gw\":\"10.0.0.2\"}]}",
		    MANNER_PLAIN },
		  CNI_DECODE,
		  "\"dst\"" },
		{ { 200, NULL, MANNER_CUT }, CNI_TRY_AGAIN, "POST /ipam/ip" },
		{ { 200, NULL, MANNER_HUGE }, CNI_IPAM, "answered more than" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_(finish) struct attempt a = { .agent.answers.post = table[i].answer };

		prepare(&a, "");
		if (!add(&a) || a.e.code != table[i].code)
			test_fail("%s: code %u, %s", table[i].answer.body, a.e.code, a.e.msg);
		assert_contains(a.e.msg, table[i].piece);
		assert_null(a.result.ips);
		assert_false(a.hints.vlan.set);
		assert_int_equal(a.agent.count, 3);
		assert_request(&a, 2, "DELETE ");
	}
}

static void hang(void **state)
{
	_cleanup_(finish) struct attempt a = { .agent.answers.post.manner = MANNER_HANG };

	(void)state;
	prepare(&a, "");
	/* With more time where the machine was too busy to come to the POST. */
	for (unsigned int ms = SHORT_MS; ms < LONG_MS; ms *= 4) {
		a.call.deadline_ns = boot_ns() + ms * 1000000ull;
		assert_int_equal(add(&a), -EAGAIN);
		if (strstr(a.e.msg, "POST"))
			break;
	}
	assert_contains(a.e.msg, "POST /ipam/ip: Timeout was reached");
	assert_int_equal(a.e.code, CNI_TRY_AGAIN);
	assert_request(&a, a.agent.count - 1, "DELETE ");
}

static void slow_is_fine(void **state)
{
	_cleanup_(finish) struct attempt a = { .agent.answers.post.manner = MANNER_SLOW };

	(void)state;
	prepare(&a, "");
	assert_int_equal(add(&a), 0);
	assert_int_equal(a.result.ip_count, 2);
}

/* An undo that fails is told beside the first error. */
static void failed_undo(void **state)
{
	_cleanup_(finish) struct attempt a = { .agent.answers = { .post = { 200, "{}", MANNER_PLAIN },
								  .delete = { 500, "\"no\"", MANNER_PLAIN } } };

	(void)state;
	prepare(&a, "");
	assert_true(add(&a) < 0);
	assert_contains(a.e.msg, "gave no address");
	assert_contains(a.e.details, "the release failed, too: status 500");
}

static void unhealthy(void **state)
{
	_cleanup_(finish) struct attempt a = { .agent.answers.health = { 500, "\"starting\"", MANNER_PLAIN } };

	(void)state;
	prepare(&a, "");
	assert_int_equal(add(&a), -EAGAIN);
	assert_contains(a.e.msg, "unhealthy spiderpool-agent backend");
	assert_contains(a.e.msg, "starting");
	assert_int_equal(ipam_del(&a.call, &a.e), -EAGAIN);
	assert_true(ipam_status(&a.call, &a.e) < 0);
	assert_int_equal(a.e.code, CNI_NOT_AVAILABLE);
	/* Nothing but health was asked. */
	assert_int_equal(a.agent.count, 3);
}

static void absent(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a, "");
	unlink(a.agent.path);
	assert_true(add(&a) < 0);
	assert_int_equal(a.e.code, CNI_TRY_AGAIN);
	assert_contains(a.e.msg, "unhealthy spiderpool-agent backend: GET /ipam/healthy");
	assert_true(ipam_del(&a.call, &a.e) < 0);
	assert_int_equal(a.e.code, CNI_TRY_AGAIN);
	a.call.deadline_ns = 0;
	assert_true(ipam_status(&a.call, &a.e) < 0);
	assert_int_equal(a.e.code, CNI_NOT_AVAILABLE);
}

/* What was never asked for is not given back. */
static void vanishes_before_the_request(void **state)
{
	_cleanup_(finish) struct attempt a = { .agent.vanishes = true };

	(void)state;
	prepare(&a, "");
	assert_true(add(&a) < 0);
	assert_int_equal(a.e.code, CNI_TRY_AGAIN);
	assert_contains(a.e.msg, "POST /ipam/ip");
	assert_string_equal(a.e.details, "");
	assert_int_equal(a.agent.count, 1);
}

/* An agent that answers does not hold up the end of a pod; one that does not answer must be asked again. */
static void deletions(void **state)
{
	static const struct answer table[] = { { 200, NULL, MANNER_PLAIN },
					       { 500, "\"gone\"", MANNER_PLAIN },
					       { 404, NULL, MANNER_PLAIN } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_(finish) struct attempt a = { .agent.answers.delete = table[i] };

		prepare(&a, "");
		assert_int_equal(ipam_del(&a.call, &a.e), 0);
		assert_request(&a, 1, "DELETE ");
	}
	_cleanup_(finish) struct attempt cut = { .agent.answers.delete = { 200, "{}", MANNER_CUT } };

	prepare(&cut, "");
	assert_int_equal(ipam_del(&cut.call, &cut.e), -EAGAIN);
}

static void needs_the_pod(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a, "");
	a.env.args.pod_uid[0] = '\0';
	assert_int_equal(add(&a), -EINVAL);
	assert_contains(a.e.msg, "K8S_POD_UID");
	assert_int_equal(ipam_del(&a.call, &a.e), -EINVAL);
	assert_int_equal(a.agent.count, 0);
}

static void other_commands(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a, "");
	assert_int_equal(ipam_check(&a.call, &a.e), 0);
	assert_int_equal(ipam_gc(&a.call, NULL, 0, &a.e), 0);
	assert_int_equal(a.agent.count, 0);
	assert_int_equal(ipam_status(&a.call, &a.e), 0);
	assert_request(&a, 0, "GET /v1/ipam/healthy ");
}

/* ---- the configuration ---- */

static void config_is(const char *members, const char *piece)
{
	struct attempt a = {};
	int r;

	read_conf(&a, "/s", members);
	r = ipam_config_check(&a.conf, &a.e);
	if (!piece && r)
		test_fail("%s: %s", members, a.e.msg);
	if (piece && !r)
		test_fail("%s is taken", members);
	if (piece)
		assert_contains(a.e.msg, piece);
	netconf_free(&a.conf);
}

static void configurations(void **state)
{
	struct spiderpool_config config;
	struct attempt a = {};

	(void)state;
	config_is(",\"log_level\":\"debug\",\"log_file_path\":\"/x\",\"log_file_max_size\":1,\"log_file_max_age\":2,"
		  "\"log_file_max_count\":3,\"default_ipv4_ippool\":null,\"default_ipv6_ippool\":[\"a\"],"
		  "\"clean_gateway\":true,\"match_master_subnet\":false,\"direct\":true",
		  NULL);
	config_is(",\"log_file_max_size\":\"1\"", "\"ipam.log_file_max_size\" must be a whole number");
	config_is(",\"default_ipv4_ippool\":\"a\"", "\"ipam.default_ipv4_ippool\" must be a list");
	config_is(",\"default_ipv6_ippool\":[1]", "\"ipam.default_ipv6_ippool\" must hold texts");
	config_is(",\"clean_gateway\":\"true\"", "\"ipam.clean_gateway\" must be true or false");
	config_is(",\"match_master_subnet\":1", "\"ipam.match_master_subnet\"");
	config_is(",\"direct\":0", "\"ipam.direct\"");
	config_is(",\"default_ipv4_pool\":[]", "did you mean \"ipam.default_ipv4_ippool\"?");
	read_conf(&a, "", "");
	assert_int_equal(spiderpool_config(&a.conf, &config, &a.e), 0);
	assert_string_equal(config.socket, "/var/run/spidernet/spiderpool.sock");
	netconf_free(&a.conf);
	read_conf(&a, "relative", "");
	assert_true(ipam_config_check(&a.conf, &a.e) < 0);
	netconf_free(&a.conf);
}

/* "direct": false runs its plugin, which is not there. */
static void by_its_plugin(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a, ",\"direct\":false");
	strcpy(a.env.path, "/nowhere");
	assert_true(add(&a) < 0);
	assert_contains(a.e.msg, "failed to find plugin \"spiderpool\"");
	assert_int_equal(a.agent.count, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_of_the_interface),
		cmocka_unit_test(requests),
		cmocka_unit_test(refusals),
		cmocka_unit_test(unusable_answers),
		cmocka_unit_test(hang),
		cmocka_unit_test(slow_is_fine),
		cmocka_unit_test(failed_undo),
		cmocka_unit_test(unhealthy),
		cmocka_unit_test(absent),
		cmocka_unit_test(vanishes_before_the_request),
		cmocka_unit_test(deletions),
		cmocka_unit_test(needs_the_pod),
		cmocka_unit_test(other_commands),
		cmocka_unit_test(configurations),
		cmocka_unit_test(by_its_plugin),
	};

	return RUN_CASES("ipam_spiderpool", tests);
}
