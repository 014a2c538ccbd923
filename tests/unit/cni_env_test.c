// SPDX-License-Identifier: Apache-2.0
/* The environment of a CNI call, and the names and addresses that it shares with the configuration. */
#include "cni/env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cni/keys.h"
#include "common/test.h"
#include "lib/util.h"

static const struct cni_variables full = {
	.command = "ADD",
	.container_id = "c1",
	.netns = "/run/netns/x",
	.ifname = "net1",
	.args = "",
	.path = "/opt/cni/bin",
};

static void good(const struct cni_variables *v)
{
	struct cni_env env;
	struct cni_error e = {};

	if (cni_env_read(v, &env, &e))
		test_fail("%s: %s", v->command, e.msg);
}

static void bad(const struct cni_variables *v, const char *piece)
{
	struct cni_env env;
	struct cni_error e = {};

	if (cni_env_read(v, &env, &e) != -EINVAL || e.code != CNI_INVALID_ENVIRONMENT)
		test_fail("code %u, %s, where \"%s\" was expected", e.code, e.msg, piece);
	assert_contains(e.msg, piece);
}

static void commands(void **state)
{
	static const char *const names[] = { "ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION" };
	struct cni_variables v = full;
	struct cni_env env;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		v.command = names[i];
		assert_int_equal(cni_env_read(&v, &env, NULL), 0);
		assert_int_equal(env.command, i);
		assert_string_equal(cni_command_name(env.command), names[i]);
	}
	v.command = "add";
	bad(&v, "\"add\", which is no command");
	v.command = "";
	bad(&v, "CNI_COMMAND is not set");
	v.command = NULL;
	bad(&v, "CNI_COMMAND is not set");
}

/* Which variable is needed for which command: one letter for each of ID, netns, ifname, path. */
static void needs(void **state)
{
	static const struct {
		const char *command, *needs;
	} table[] = { { "ADD", "INF" }, { "CHECK", "INF" }, { "DEL", "IF" },
		      { "GC", "P" },    { "STATUS", "" },   { "VERSION", "" } };
	static const struct {
		char letter;
		const char *name;
		size_t offset;
	} variables[] = { { 'I', "CNI_CONTAINERID", offsetof(struct cni_variables, container_id) },
			  { 'N', "CNI_NETNS", offsetof(struct cni_variables, netns) },
			  { 'F', "CNI_IFNAME", offsetof(struct cni_variables, ifname) },
			  { 'P', "CNI_PATH", offsetof(struct cni_variables, path) } };

	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(table); t++)
		for (size_t i = 0; i < ARRAY_SIZE(variables) * 2; i++) {
			struct cni_variables v = full;
			size_t n = i / 2;

			v.command = table[t].command;
			*(const char **)((char *)&v + variables[n].offset) = i % 2 ? "" : NULL;
			if (strchr(table[t].needs, variables[n].letter))
				bad(&v, variables[n].name);
			else
				good(&v);
		}
	bad(&(struct cni_variables){ .command = "ADD" }, "CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME");
}

static void values(void **state)
{
	static const char *const ids[] = { "../x", "a/b", ".a", "-a", "_a", "a b", "a\n", "\xc3\xa9" };
	static const char *const ifnames[] = { ".",       "..", "a/b", "a:b", "a b", "a\tb", "a%d", "sixteen-letters-",
					       "\xc3\xa9" };
	char long_id[CNI_ID_LEN + 1];
	struct cni_variables v = full;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		v.container_id = ids[i];
		bad(&v, "CNI_CONTAINERID");
	}
	memset(long_id, 'a', CNI_ID_LEN);
	long_id[CNI_ID_LEN] = '\0';
	v.container_id = long_id;
	bad(&v, "CNI_CONTAINERID is longer");
	long_id[CNI_ID_LEN - 1] = '\0';
	good(&v);
	v = full;
	for (size_t i = 0; i < ARRAY_SIZE(ifnames); i++) {
		v.ifname = ifnames[i];
		bad(&v, "CNI_IFNAME");
	}
	v.ifname = "fifteen-letters";
	good(&v);
	v.netns = "run/netns/x";
	bad(&v, "CNI_NETNS must be an absolute path");
	v = full;
	v.path = "/a::/b:";
	good(&v);
	v.path = "/a:b";
	bad(&v, "CNI_PATH must hold absolute folders");
	v.path = "./a:/b";
	bad(&v, "CNI_PATH");
	v.path = "/\xff";
	bad(&v, "not UTF-8");
}

static void args(void **state)
{
	struct cni_variables v = full;
	struct cni_env env;

	(void)state;
	v.args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=pod-0.x;K8S_POD_INFRA_CONTAINER_ID=s1;"
		 "K8S_POD_UID=0b-1;MAC=02:00:00:00:00:0A;X=Y=Z;";
	assert_int_equal(cni_env_read(&v, &env, NULL), 0);
	assert_string_equal(env.args.pod_namespace, "ns");
	assert_string_equal(env.args.pod_name, "pod-0.x");
	assert_string_equal(env.args.pod_uid, "0b-1");
	assert_string_equal(env.args.sandbox_id, "s1");
	assert_string_equal(env.args.mac, "02:00:00:00:00:0a");
	assert_string_equal(env.raw_args, v.args);
	v.args = "IP=10.0.0.1/24;GATEWAY=10.0.0.254";
	good(&v);
	v.args = "X=1;IgnoreUnknown=true";
	good(&v);
	v.args = "X=1";
	bad(&v, "unknown \"X\"");
	v.args = "IgnoreUnknown=0;=1";
	bad(&v, "unknown \"(an empty name)\"");
	v.args = "IgnoreUnknown=yes";
	bad(&v, "IgnoreUnknown=yes is neither true nor false");
	v.args = "IgnoreUnknown=1;K8S_POD_NAME";
	bad(&v, "\"K8S_POD_NAME\" is not NAME=VALUE");
	v.args = "K8S_POD_NAME=a/b";
	bad(&v, "K8S_POD_NAME=a/b is not of letters");
	v.args = "K8S_POD_NAME=a;K8S_POD_NAME=b";
	bad(&v, "K8S_POD_NAME stands twice");
	v.args = "MAC=01:00:00:00:00:01";
	bad(&v, "is no unicast MAC address");
}

static void own_environment(void **state)
{
	struct cni_variables v;

	(void)state;
	setenv("CNI_COMMAND", "DEL", 1);
	setenv("CNI_IFNAME", "eth0", 1);
	unsetenv("CNI_NETNS");
	cni_variables_get(&v);
	assert_string_equal(v.command, "DEL");
	assert_string_equal(v.ifname, "eth0");
	assert_null(v.netns);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands), cmocka_unit_test(needs),           cmocka_unit_test(values),
		cmocka_unit_test(args),     cmocka_unit_test(own_environment),
	};

	return RUN_CASES("cni_env", tests);
}
