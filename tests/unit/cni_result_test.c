// SPDX-License-Identifier: Apache-2.0
/* Results and errors of the CNI specification: built, read, printed, converted between its versions. */
#include "cni/result.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/test.h"
#include "lib/json.h"
#include "lib/util.h"

static int read_text(const char *text, struct cni_result *result, struct cni_error *e)
{
	_cleanup_(json_free) cJSON *json = cJSON_Parse(text);

	assert_non_null(json);
	memset(e, 0, sizeof(*e));
	return cni_result_read(json, CNI_1_0_0, result, e);
}

static void assert_prints(const char *from, enum cni_version version, const char *to)
{
	_cleanup_(cni_result_free) struct cni_result result = {};
	_cleanup_free_ char *text = NULL;
	struct cni_error e;

	if (read_text(from, &result, &e))
		test_fail("%s: %s", from, e.msg);
	text = cni_result_print(&result, version);
	assert_non_null(text);
	assert_string_equal(text, to);
}

#define V110                                                                                                       \
	"{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"net1\",\"mac\":\"02:00:00:00:00:01\",\"mtu\":9000," \
	"\"sandbox\":\"/run/netns/x\",\"socketPath\":\"/s\",\"pciID\":\"0000:3b:00.2\"}],"                         \
	"\"ips\":[{\"interface\":0,\"address\":\"10.1.2.3/24\",\"gateway\":\"10.1.2.1\"},{\"address\":\"fd00::5/"  \
	"64\"}],"                                                                                                  \
	"\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"10.1.2.1\",\"mtu\":1400,\"advmss\":1360,\"priority\":5,"      \
	"\"table\":100,\"scope\":0},{\"dst\":\"fd01::/32\"}],"                                                     \
	"\"dns\":{\"nameservers\":[\"10.1.2.1\"],\"domain\":\"x\",\"search\":[\"x\",\"y\"],\"options\":[\"o\"]}}"
#define V100                                                                                                      \
	"{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"net1\",\"mac\":\"02:00:00:00:00:01\","             \
	"\"sandbox\":\"/run/netns/x\"}],"                                                                         \
	"\"ips\":[{\"interface\":0,\"address\":\"10.1.2.3/24\",\"gateway\":\"10.1.2.1\"},{\"address\":\"fd00::5/" \
	"64\"}],"                                                                                                 \
	"\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"10.1.2.1\"},{\"dst\":\"fd01::/32\"}],"                       \
	"\"dns\":{\"nameservers\":[\"10.1.2.1\"],\"domain\":\"x\",\"search\":[\"x\",\"y\"],\"options\":[\"o\"]}}"
#define V0(version)                                                                                          \
	"{\"cniVersion\":\"" version "\",\"interfaces\":[{\"name\":\"net1\",\"mac\":\"02:00:00:00:00:01\","  \
	"\"sandbox\":\"/run/netns/x\"}],"                                                                    \
	"\"ips\":[{\"version\":\"4\",\"interface\":0,\"address\":\"10.1.2.3/24\",\"gateway\":\"10.1.2.1\"}," \
	"{\"version\":\"6\",\"address\":\"fd00::5/64\"}],"                                                   \
	"\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"10.1.2.1\"},{\"dst\":\"fd01::/32\"}],"                  \
	"\"dns\":{\"nameservers\":[\"10.1.2.1\"],\"domain\":\"x\",\"search\":[\"x\",\"y\"],\"options\":[\"o\"]}}"

static void conversions(void **state)
{
	static const char *const of[CNI_VERSIONS] = { V0("0.3.1"), V0("0.4.0"), V100, V110 };

	(void)state;
	for (int to = 0; to < CNI_VERSIONS; to++) {
		for (int from = to; from < CNI_VERSIONS; from++)
			assert_prints(of[from], (enum cni_version)to, of[to]);
		assert_prints("{}", (enum cni_version)to,
			      to == CNI_0_3_1   ? "{\"cniVersion\":\"0.3.1\",\"dns\":{}}"
			      : to == CNI_0_4_0 ? "{\"cniVersion\":\"0.4.0\",\"dns\":{}}"
			      : to == CNI_1_0_0 ? "{\"cniVersion\":\"1.0.0\",\"dns\":{}}"
						: "{\"cniVersion\":\"1.1.0\",\"dns\":{}}");
	}
	/* From an older one, what is not known stays unsaid. */
	assert_prints(V0("0.3.1"), CNI_1_0_0, V100);
}

static void as_struct(void **state)
{
	_cleanup_(cni_result_free) struct cni_result r = {};
	struct cni_error e;

	(void)state;
	assert_int_equal(read_text(V110, &r, &e), 0);
	assert_int_equal(r.interface_count, 1);
	assert_string_equal(r.interfaces[0].name, "net1");
	assert_int_equal(r.interfaces[0].mtu, 9000);
	assert_string_equal(r.interfaces[0].sandbox, "/run/netns/x");
	assert_string_equal(r.interfaces[0].pci_id, "0000:3b:00.2");
	assert_int_equal(r.ip_count, 2);
	assert_int_equal(r.ips[0].address.family, AF_INET);
	assert_int_equal(r.ips[0].address.prefix, 24);
	assert_memory_equal(r.ips[0].address.bytes, "\x0a\x01\x02\x03", 4);
	assert_int_equal(r.ips[0].interface, 0);
	assert_int_equal(r.ips[0].gateway.prefix, 32);
	assert_int_equal(r.ips[1].interface, -1);
	assert_int_equal(r.ips[1].gateway.family, 0);
	assert_int_equal(r.route_count, 2);
	assert_true(r.routes[0].table.set && r.routes[0].table.value == 100);
	assert_true(r.routes[0].scope.set && r.routes[0].scope.value == 0);
	assert_false(r.routes[1].table.set);
	assert_int_equal(r.routes[1].gw.family, 0);
}

static void built(void **state)
{
	_cleanup_(cni_result_free) struct cni_result r = {};
	struct cni_interface *i = cni_result_add_interface(&r);
	struct cni_ip *ip = cni_result_add_ip(&r);
	struct cni_route *route = cni_result_add_route(&r);
	_cleanup_free_ char *text = NULL;

	(void)state;
	strcpy(i->name, "net1");
	i->sandbox = strdup("/n");
	assert_int_equal(cni_addr_parse("10.0.0.5/8", true, &ip->address), 0);
	assert_int_equal(cni_addr_parse("10.1.2.3/12", true, &route->dst), 0);
	cni_addr_mask(&route->dst);
	text = cni_result_print(&r, CNI_1_1_0);
	assert_string_equal(text, "{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"net1\",\"sandbox\":\"/n\"}],"
				  "\"ips\":[{\"address\":\"10.0.0.5/8\"}],\"routes\":[{\"dst\":\"10.0.0.0/12\"}],"
				  "\"dns\":{}}");
	while (r.interface_count < CNI_MAX_INTERFACES)
		assert_non_null(cni_result_add_interface(&r));
	assert_null(cni_result_add_interface(&r));
	assert_int_equal(r.interface_count, CNI_MAX_INTERFACES);
}

/* What two plugins have made, one after the other. */
static void appended(void **state)
{
	_cleanup_(cni_result_free) struct cni_result all = {}, first = {}, second = {};
	_cleanup_free_ char *text = NULL;
	struct cni_error e;

	(void)state;
	assert_int_equal(read_text("{\"interfaces\":[{\"name\":\"br0\"},{\"name\":\"eth0\",\"sandbox\":\"/n\"}],"
				   "\"ips\":[{\"address\":\"10.0.0.1/8\",\"interface\":1}],"
				   "\"routes\":[{\"dst\":\"0.0.0.0/0\"}],\"dns\":{\"domain\":\"a\"}}",
				   &first, &e),
			 0);
	assert_int_equal(
		read_text("{\"interfaces\":[{\"name\":\"net1\",\"sandbox\":\"/n\"}],"
			  "\"ips\":[{\"address\":\"11.0.0.1/8\",\"interface\":0},{\"address\":\"fd00::1/64\"}],"
			  "\"dns\":{\"domain\":\"b\"}}",
			  &second, &e),
		0);
	assert_int_equal(cni_result_append(&all, &first), 0);
	assert_int_equal(cni_result_append(&all, &second), 0);
	text = cni_result_print(&all, CNI_1_1_0);
	assert_string_equal(
		text, "{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"br0\"},{\"name\":\"eth0\","
		      "\"sandbox\":\"/n\"},{\"name\":\"net1\",\"sandbox\":\"/n\"}],\"ips\":["
		      "{\"interface\":1,\"address\":\"10.0.0.1/8\"},{\"interface\":2,\"address\":\"11.0.0.1/8\"},"
		      "{\"address\":\"fd00::1/64\"}],\"routes\":[{\"dst\":\"0.0.0.0/0\"}],\"dns\":{\"domain\":\"b\"}}");
	assert_false(cni_ip_is_of(&all, &all.ips[0], "net1"));
	assert_true(cni_ip_is_of(&all, &all.ips[0], "eth0"));
	assert_true(cni_ip_is_of(&all, &all.ips[1], "net1"));
	assert_true(cni_ip_is_of(&all, &all.ips[2], "net1"));
	all.ips[0].interface = 0;
	assert_false(cni_ip_is_of(&all, &all.ips[0], "br0")); /* it is the host's */
	while (!cni_result_append(&all, &second))
		assert_true(all.interface_count <= CNI_MAX_INTERFACES);
	assert_int_equal(all.interface_count, CNI_MAX_INTERFACES);
}

static void addresses(void **state)
{
	static const char *const with_prefix[] = { "10.0.0.1",     "10.0.0.1/33", "10.0.0.1/",  "10.0.0.1/-1",
						   "10.0.0.1/+1",  "10.0.0/8",    "fd00::/129", "fd00::g/64",
						   "10.0.0.1/8/8", "/8",          "",           "10.0.0.1/0x8",
						   "10.0.0.1/0008" };
	static const char *const without[] = { "10.0.0.1/8", "10.0.0.256", "", "fd00::1%eth0",
					       "fd00:0000:0000:0000:0000:0000:0000:0000:0001:0002:0003:0004" };
	struct cni_addr a;
	char text[CNI_ADDR_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(with_prefix); i++)
		if (cni_addr_parse(with_prefix[i], true, &a) != -EINVAL)
			test_fail("\"%s\" is taken", with_prefix[i]);
	for (size_t i = 0; i < ARRAY_SIZE(without); i++)
		if (cni_addr_parse(without[i], false, &a) != -EINVAL)
			test_fail("\"%s\" is taken", without[i]);
	for (unsigned int prefix = 0; prefix <= 128; prefix++) {
		snprintf(text, sizeof(text), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/%u", prefix);
		assert_int_equal(cni_addr_parse(text, true, &a), 0);
		cni_addr_mask(&a);
		for (unsigned int bit = 0; bit < 128; bit++)
			assert_int_equal(a.bytes[bit / 8] >> (7 - bit % 8) & 1, bit < prefix);
	}
}

static void wrong(void **state)
{
	static const struct {
		const char *text, *piece;
		unsigned int code;
	} table[] = {
		{ "[]", "must be an object", CNI_DECODE },
		{ "{\"cniVersion\":\"0.2.0\"}", "\"0.2.0\" is not supported", CNI_INCOMPATIBLE_VERSION },
		{ "{\"cniVersion\":\"2.0.0\"}", "\"2.0.0\"", CNI_INCOMPATIBLE_VERSION },
		{ "{\"cniVersion\":1}", "\"cniVersion\"", CNI_DECODE },
		{ "{\"interfaces\":{}}", "\"interfaces\" must be a list", CNI_DECODE },
		{ "{\"interfaces\":[1]}", "\"interfaces\" must be a list of objects", CNI_DECODE },
		{ "{\"interfaces\":[{}]}", "\"interfaces\" must be named", CNI_DECODE },
		{ "{\"interfaces\":[{\"name\":1}]}", "\"name\"", CNI_DECODE },
		{ "{\"interfaces\":[{\"name\":\"a\",\"mtu\":-1}]}", "\"mtu\"", CNI_DECODE },
		{ "{\"interfaces\":[{\"name\":\"a\",\"mtu\":1e10}]}", "\"mtu\"", CNI_DECODE },
		{ "{\"interfaces\":[{\"name\":\"a\",\"sandbox\":1}]}", "\"sandbox\"", CNI_DECODE },
		{ "{\"ips\":[{}]}", "\"address\" must be there", CNI_DECODE },
		{ "{\"ips\":[{\"address\":\"10.0.0.1\"}]}", "\"address\" must be an address with its prefix",
		  CNI_DECODE },
		{ "{\"ips\":[{\"address\":\"10.0.0.1/8\",\"gateway\":\"x\"}]}", "\"gateway\"", CNI_DECODE },
		{ "{\"ips\":[{\"address\":\"10.0.0.1/8\",\"gateway\":\"fd00::1\"}]}", "\"gateway\"", CNI_DECODE },
		{ "{\"ips\":[{\"address\":\"10.0.0.1/8\",\"version\":\"6\"}]}", "\"version\"", CNI_DECODE },
		{ "{\"ips\":[{\"address\":\"10.0.0.1/8\",\"version\":4}]}", "\"version\"", CNI_DECODE },
		{ "{\"ips\":[{\"address\":\"10.0.0.1/8\",\"interface\":0}]}", "\"interface\"", CNI_DECODE },
		{ "{\"ips\":[{\"address\":\"10.0.0.1/8\",\"interface\":-1}]}", "\"interface\"", CNI_DECODE },
		{ "{\"routes\":[{\"gw\":\"10.0.0.1\"}]}", "\"dst\" must be there", CNI_DECODE },
		{ "{\"routes\":[{\"dst\":\"10.0.0.0/8\",\"gw\":\"fd00::1\"}]}", "\"gw\"", CNI_DECODE },
		{ "{\"routes\":[{\"dst\":\"10.0.0.0/8\",\"table\":\"x\"}]}", "\"table\"", CNI_DECODE },
		{ "{\"dns\":[]}", "\"dns\"", CNI_DECODE },
		{ "{\"dns\":{\"nameservers\":\"x\"}}", "\"nameservers\"", CNI_DECODE },
		{ "{\"dns\":{\"search\":[1]}}", "\"search\"", CNI_DECODE },
		{ "{\"dns\":{\"domain\":[]}}", "\"domain\"", CNI_DECODE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct cni_result result;
		struct cni_error e;

		if (!read_text(table[i].text, &result, &e) || e.code != table[i].code)
			test_fail("%s: code %u, %s", table[i].text, e.code, e.msg);
		assert_contains(e.msg, table[i].piece);
		assert_null(result.interfaces);
		assert_null(result.ips);
	}
}

/* What other plugins print beside, nulls and Go's empty address. */
static void of_others(void **state)
{
	(void)state;
	assert_prints("{\"x\":1,\"interfaces\":null,\"ips\":[{\"address\":\"10.0.0.1/8\",\"gateway\":\"\",\"y\":[]}],"
		      "\"routes\":null,\"dns\":{\"nameservers\":null,\"domain\":\"\",\"search\":[],\"z\":0}}",
		      CNI_1_0_0, "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.0.0.1/8\"}],\"dns\":{}}");
}

static void too_many(void **state)
{
	struct cni_result result;
	struct cni_error e;
	size_t room = 64 * (CNI_MAX_ROUTES + 1) + 64;
	_cleanup_free_ char *text = malloc(room);
	size_t len;

	(void)state;
	len = (size_t)snprintf(text, room, "{\"routes\":[");
	for (int i = 0; i <= CNI_MAX_ROUTES; i++)
		len += (size_t)snprintf(text + len, room - len, "%s{\"dst\":\"10.0.0.0/8\"}", i ? "," : "");
	snprintf(text + len, room - len, "]}");
	assert_int_equal(read_text(text, &result, &e), -EBADMSG);
	assert_contains(e.msg, "more than 1024 routes");
}

static void errors(void **state)
{
	struct cni_error e = {};
	_cleanup_free_ char *text = NULL, *with_details = NULL, *version = NULL;
	char big[4000];

	(void)state;
	assert_int_equal(cni_fail(&e, CNI_TRY_AGAIN, "wait for \"%s\"", "it"), -EAGAIN);
	text = cni_error_print(CNI_0_4_0, &e);
	assert_string_equal(text, "{\"cniVersion\":\"0.4.0\",\"code\":11,\"msg\":\"wait for \\\"it\\\"\"}");
	cni_details(&e, "a");
	cni_details(&e, "b\xff");
	with_details = cni_error_print(CNI_1_1_0, &e);
	assert_string_equal(with_details, "{\"cniVersion\":\"1.1.0\",\"code\":11,\"msg\":\"wait for \\\"it\\\"\","
					  "\"details\":\"a; b?\"}");
	/* An older message may be a part of the new one. */
	assert_int_equal(cni_fail(&e, CNI_IO, "x: %s", e.msg), -EIO);
	assert_string_equal(e.msg, "x: wait for \"it\"");
	assert_string_equal(e.details, "");
	/* Cut in the middle of a character. */
	for (size_t i = 0; i + 1 < sizeof(big); i++)
		big[i] = i % 2 ? '\xa9' : '\xc3';
	big[sizeof(big) - 1] = '\0';
	cni_fail(&e, CNI_IO, "%s", big);
	assert_true(json_is_utf8(e.msg, strlen(e.msg)));
	assert_true(strlen(e.msg) == sizeof(e.msg) - 1);
	version = cni_version_print("0.4.0");
	assert_string_equal(
		version, "{\"cniVersion\":\"0.4.0\",\"supportedVersions\":[\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}");
	assert_int_equal(cni_fail(NULL, CNI_INVALID_NETCONF, "x"), -EINVAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversions), cmocka_unit_test(as_struct), cmocka_unit_test(built),
		cmocka_unit_test(addresses),   cmocka_unit_test(wrong),     cmocka_unit_test(of_others),
		cmocka_unit_test(too_many),    cmocka_unit_test(errors),    cmocka_unit_test(appended),
	};

	return RUN_CASES("cni_result", tests);
}
