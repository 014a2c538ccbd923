// SPDX-License-Identifier: Apache-2.0
/* IPAM plugins by delegation: a stand-in with every bad habit, and the real host-local and static where they are installed. */
#define _GNU_SOURCE
#include "ipam/ipam.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"

#define LONG_MS 60000 /* no test waits for that */
#define SHORT_MS 500 /* for what hangs */

struct attempt {
	struct netconf conf;
	struct cni_env env;
	struct cni_result result;
	struct cni_error e;
	const char *log; /* the stand-in's folder */
};

static struct ipam_call call_of(const struct attempt *a, unsigned int ms)
{
	return (struct ipam_call){ .conf = &a->conf, .env = &a->env, .deadline_ns = boot_ns() + ms * 1000000ull };
}

static void attempt_free(struct attempt *a)
{
	netconf_free(&a->conf);
	cni_result_free(&a->result);
}

static void read_conf(struct attempt *a, const char *text)
{
	a->env.command = CNI_DEL; /* needs no device */
	if (netconf_read(text, strlen(text), &a->env, &a->conf, &a->e))
		test_fail("%s: %s", text, a->e.msg);
}

static void set_env(struct attempt *a, const char *path)
{
	snprintf(a->env.path, sizeof(a->env.path), "%s", path);
	strcpy(a->env.container_id, "c1");
	strcpy(a->env.ifname, "net1");
	strcpy(a->env.netns, "/run/netns/x");
	strcpy(a->env.raw_args, "IgnoreUnknown=1;K8S_POD_NAME=p");
}

/* "ipam" has further members, such as what the stand-in does; a new folder for its notes each time. */
static void prepare(struct attempt *a, const char *version, const char *members)
{
	static unsigned int count;
	char text[2048], name[32], path[PATH_MAX + 16];

	*a = (struct attempt){};
	snprintf(name, sizeof(name), "log.%u", count++);
	a->log = temp_path(name);
	assert_int_equal(mkdir(a->log, 0700), 0);
	assert_non_null(realpath("tests/unit", path));
	strcat(path, ":/");
	set_env(a, path);
	snprintf(text, sizeof(text),
		 "{\"cniVersion\":\"%s\",\"name\":\"n\",\"type\":\"rdma-warden\","
		 "\"ipam\":{\"type\":\"ipam_standin.sh\",\"log\":\"%s\"%s}}",
		 version, a->log, members);
	read_conf(a, text);
}

/* A note of the stand-in, "" where there is none. */
static const char *note(const struct attempt *a, const char *name)
{
	static char text[8192];
	char path[PATH_MAX];
	size_t n = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", a->log, name);
	file = fopen(path, "re");
	if (file) {
		n = fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
	}
	text[n] = '\0';
	return text;
}

static int add(struct attempt *a, const char *members, unsigned int ms)
{
	struct ipam_call call;

	prepare(a, "1.0.0", members);
	call = call_of(a, ms);
	return ipam_add(&call, &a->result, NULL, &a->e);
}

/* Refused with that code and message, and followed by a DEL. */
static void add_fails(const char *members, unsigned int ms, unsigned int code, const char *piece)
{
	_cleanup_(attempt_free) struct attempt a;

	if (!add(&a, members, ms) || a.e.code != code)
		test_fail("%s: code %u, %s (%s)", members, a.e.code, a.e.msg, a.e.details);
	assert_contains(a.e.msg, piece);
	assert_string_equal(note(&a, "commands"), "ADD\nDEL\n");
	assert_null(a.result.ips);
}

/* The process whose number was noted ends, or is nobody's child any more and waits for init. */
static void assert_gone(const struct attempt *a)
{
	int pid = atoi(note(a, "pid"));
	char path[64], line[256], *state;

	if (pid <= 0)
		test_fail("the stand-in noted no process");
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (int i = 0; i < 1000; i++) {
		if (read_line(path, line, sizeof(line)))
			return;
		state = strrchr(line, ')');
		if (state && (state[2] == 'Z' || state[2] == 'X'))
			return;
		usleep(10000);
	}
	kill(pid, SIGKILL);
	test_fail("process %d is still there", pid);
}

/* The same for one that hangs, with more time where it had not even begun: the machine may be busy. */
static int add_hanging(struct attempt *a, const char *members, const char *begun)
{
	int r;

	for (unsigned int ms = SHORT_MS;; ms *= 4) {
		r = add(a, members, ms);
		if (*note(a, begun) || ms > LONG_MS)
			return r;
		attempt_free(a);
	}
}

/* ---- the contract ---- */

static void result(void **state)
{
	_cleanup_(attempt_free) struct attempt a;

	(void)state;
	if (add(&a, "", LONG_MS))
		test_fail("%s (%s)", a.e.msg, a.e.details);
	assert_int_equal(a.result.ip_count, 1);
	assert_memory_equal(a.result.ips[0].address.bytes, "\x0a\x09\x00\x05", 4);
	assert_int_equal(a.result.ips[0].interface, -1);
	assert_int_equal(a.result.interface_count, 0);
	assert_int_equal(a.result.route_count, 1);
	assert_string_equal(note(&a, "commands"), "ADD\n");
	assert_string_equal(note(&a, "input.ADD"), a.conf.text);
}

static void environment(void **state)
{
	_cleanup_(attempt_free) struct attempt a;
	char right[PATH_MAX + 512];
	struct ipam_call call;

	(void)state;
	setenv("OF_THE_DAEMON", "not for plugins", 1);
	prepare(&a, "1.1.0", "");
	call = call_of(&a, LONG_MS);
	assert_int_equal(ipam_add(&call, &a.result, NULL, &a.e), 0);
	snprintf(right, sizeof(right),
		 "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAME=p\nCNI_COMMAND=ADD\nCNI_CONTAINERID=c1\nCNI_IFNAME=net1\n"
		 "CNI_NETNS=/run/netns/x\nCNI_PATH=%s\n"
		 "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
		 a.env.path);
	assert_string_equal(note(&a, "environment.ADD"), right);
	a.env.netns[0] = '\0';
	assert_int_equal(ipam_del(&call, &a.e), 0);
	assert_null(strstr(note(&a, "environment.DEL"), "CNI_NETNS"));
	assert_contains(note(&a, "environment.DEL"), "CNI_COMMAND=DEL\nCNI_CONTAINERID=c1\n");
	assert_int_equal(ipam_status(&call, &a.e), 0);
	assert_null(strstr(note(&a, "environment.STATUS"), "CNI_CONTAINERID"));
	assert_contains(note(&a, "environment.STATUS"), "CNI_COMMAND=STATUS\nCNI_PATH=");
}

/* A plugin that is no shell, as these set up signals of their own. */
static void prepare_signals(struct attempt *a)
{
	char text[PATH_MAX + 512];
	const char *path;

	prepare(a, "1.0.0", "");
	snprintf(text, sizeof(text),
		 "#!/usr/bin/awk -f\n"
		 "BEGIN {\n"
		 "\twhile ((getline line < \"/proc/self/status\") > 0) if (line ~ /^Sig(Blk|Ign)/) print line > "
		 "\"%s/signals\"\n"
		 "\tprint \"{\\\"ips\\\":[{\\\"address\\\":\\\"10.9.0.5/24\\\"}]}\"\n"
		 "}\n",
		 a->log);
	path = temp_file("signals.awk", text, strlen(text));
	assert_int_equal(chmod(path, 0700), 0);
	strcpy(a->conf.ipam_type, "signals.awk");
	strcpy(a->env.path, temp_dir());
}

/* The daemon blocks and ignores some; a plugin is to begin with none of that. */
static void signals(void **state)
{
	_cleanup_(attempt_free) struct attempt a;
	void (*pipe_before)(int) = signal(SIGPIPE, SIG_IGN);
	struct ipam_call call;
	const char *ignored;
	sigset_t term, old;
	int r;

	(void)state;
	prepare_signals(&a);
	call = call_of(&a, LONG_MS);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &old);
	r = ipam_add(&call, &a.result, NULL, &a.e);
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGPIPE, pipe_before);
	if (r)
		test_fail("%s (%s)", a.e.msg, a.e.details);
	assert_contains(note(&a, "signals"), "SigBlk:\t0000000000000000");
	ignored = strstr(note(&a, "signals"), "SigIgn:\t");
	assert_non_null(ignored);
	/* libc has two of its own above the first 31. */
	assert_int_equal(strtoull(ignored + 8, NULL, 16) & 0x7fffffff, 0);
}

static void descriptors(void **state)
{
	_cleanup_(attempt_free) struct attempt a;
	int stray = open("/dev/zero", O_RDONLY), failed;

	(void)state;
	assert_int_equal(dup2(stray, 77), 77);
	failed = add(&a, ",\"behaviour\":\"descriptors\"", LONG_MS);
	close(77);
	close(stray);
	if (failed)
		test_fail("%s (%s)", a.e.msg, a.e.details);
	assert_contains(note(&a, "fds"), " 0 -> /memfd:");
	assert_contains(note(&a, "fds"), " 2 -> pipe:");
	assert_null(strstr(note(&a, "fds"), "/dev/zero"));
}

static void gc(void **state)
{
	static const struct netconf_attachment valid[] = { { "c1", "net1" }, { "c2", "eth0" } };
	_cleanup_(attempt_free) struct attempt a;
	struct ipam_call call;

	(void)state;
	prepare(&a, "1.1.0", "");
	call = call_of(&a, LONG_MS);
	assert_int_equal(ipam_gc(&call, valid, 2, &a.e), 0);
	assert_contains(note(&a, "input.GC"),
			"\"cni.dev/valid-attachments\":[{\"containerID\":\"c1\",\"ifname\":\"net1\"},"
			"{\"containerID\":\"c2\",\"ifname\":\"eth0\"}]");
	assert_int_equal(ipam_gc(&call, NULL, 0, &a.e), 0);
	assert_contains(note(&a, "input.GC"), "\"cni.dev/valid-attachments\":[],\"cni.dev/attachments\":[]");
	assert_string_equal(note(&a, "commands"), "GC\nGC\n");
}

/* What came later than the configuration's version is not asked. */
static void older_versions(void **state)
{
	_cleanup_(attempt_free) struct attempt a;
	struct ipam_call call;

	(void)state;
	prepare(&a, "0.3.1", "");
	call = call_of(&a, LONG_MS);
	assert_int_equal(ipam_gc(&call, NULL, 0, &a.e), 0);
	assert_int_equal(ipam_status(&call, &a.e), 0);
	assert_int_equal(ipam_check(&call, &a.e), 0);
	assert_string_equal(note(&a, "commands"), "");
	assert_int_equal(ipam_del(&call, &a.e), 0);
	assert_string_equal(note(&a, "commands"), "DEL\n");
}

static void errors_are_passed_on(void **state)
{
	_cleanup_(attempt_free) struct attempt a = {}, b = {};
	struct ipam_call call;

	(void)state;
	assert_int_equal(add(&a, ",\"behaviour\":\"error\"", LONG_MS), -EAGAIN);
	assert_int_equal(a.e.code, 11);
	assert_string_equal(a.e.msg, "all \"used\" up");
	assert_contains(a.e.details, "pool p; ");
	assert_contains(a.e.details, "a line for people");
	add_fails(",\"behaviour\":\"text\"", LONG_MS, CNI_IPAM, "failed with status 3");
	add_fails(",\"behaviour\":\"die\"", LONG_MS, CNI_IPAM, "ended by signal 9");
	prepare(&b, "1.1.0", ",\"del\":\"error\",\"check\":\"text\",\"status\":\"limited\",\"gc\":\"error\"");
	call = call_of(&b, LONG_MS);
	assert_int_equal(ipam_del(&call, &b.e), -EAGAIN);
	assert_string_equal(b.e.msg, "all \"used\" up");
	assert_true(ipam_check(&call, &b.e) < 0);
	assert_contains(b.e.details, "something broke");
	assert_int_equal(ipam_gc(&call, NULL, 0, &b.e), -EAGAIN);
	assert_true(ipam_status(&call, &b.e) < 0);
	assert_int_equal(b.e.code, CNI_LIMITED);
}

static void no_result(void **state)
{
	(void)state;
	add_fails(",\"behaviour\":\"garbage\"", LONG_MS, CNI_DECODE, "gave no result");
	add_fails(",\"behaviour\":\"half\"", LONG_MS, CNI_DECODE, "gave no result");
	add_fails(",\"behaviour\":\"twins\"", LONG_MS, CNI_DECODE, "stands twice");
	add_fails(",\"behaviour\":\"none\"", LONG_MS, CNI_IPAM, "returned missing IP config");
	add_fails(",\"behaviour\":\"old\"", LONG_MS, CNI_INCOMPATIBLE_VERSION, "0.2.0");
}

/* ---- bad habits ---- */

static void hangs_are_ended(void **state)
{
	static const char *const habits[] = { "hang", "stubborn", "stop", "closed" };
	char members[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(habits); i++) {
		_cleanup_(attempt_free) struct attempt a;

		snprintf(members, sizeof(members), ",\"behaviour\":\"%s\"", habits[i]);
		assert_int_equal(add_hanging(&a, members, "pid"), -EAGAIN);
		assert_int_equal(a.e.code, CNI_TRY_AGAIN);
		assert_contains(a.e.msg, "did not end in time");
		assert_string_equal(note(&a, "commands"), "ADD\nDEL\n");
		assert_gone(&a);
	}
}

/* Children that hold the pipes open do not hold us, and end with the plugin. */
static void children_end_with_it(void **state)
{
	_cleanup_(attempt_free) struct attempt a;

	(void)state;
	if (add(&a, ",\"behaviour\":\"children\"", LONG_MS))
		test_fail("%s (%s)", a.e.msg, a.e.details);
	assert_int_equal(a.result.ip_count, 1);
	assert_gone(&a);
}

static void floods(void **state)
{
	_cleanup_(attempt_free) struct attempt a;

	(void)state;
	add_fails(",\"behaviour\":\"flood\"", LONG_MS, CNI_IPAM, "answered more than");
	if (add(&a, ",\"behaviour\":\"chatter\"", LONG_MS))
		test_fail("%s (%s)", a.e.msg, a.e.details);
	attempt_free(&a);
	assert_int_equal(add_hanging(&a, ",\"behaviour\":\"flood-err\"", "environment.ADD"), -EAGAIN);
	assert_contains(a.e.msg, "did not end in time");
	assert_contains(a.e.details, "y y y");
}

static void failed_undo_is_told(void **state)
{
	_cleanup_(attempt_free) struct attempt a;

	(void)state;
	assert_true(add(&a, ",\"behaviour\":\"none\",\"del\":\"error\"", LONG_MS) < 0);
	assert_int_equal(a.e.code, CNI_IPAM);
	assert_contains(a.e.details, "its DEL failed, too: all \"used\" up");
}

static void passed_deadline(void **state)
{
	_cleanup_(attempt_free) struct attempt a;
	struct ipam_call call;

	(void)state;
	prepare(&a, "1.1.0", ",\"del\":\"hang\",\"status\":\"hang\"");
	call = call_of(&a, 0);
	assert_int_equal(ipam_del(&call, &a.e), -EAGAIN);
	call = call_of(&a, SHORT_MS);
	assert_true(ipam_status(&call, &a.e) < 0);
	assert_int_equal(a.e.code, CNI_NOT_AVAILABLE);
	assert_int_equal(ipam_left_ms(boot_ns() + 3600000000000ull, 7), 7);
	assert_int_equal(ipam_left_ms(0, 7), 0);
}

static void missing_plugin(void **state)
{
	_cleanup_(attempt_free) struct attempt a;
	struct ipam_call call;

	(void)state;
	prepare(&a, "1.1.0", "");
	strcpy(a.conf.ipam_type, "not-there");
	call = call_of(&a, LONG_MS);
	assert_true(ipam_add(&call, &a.result, NULL, &a.e) < 0);
	assert_contains(a.e.msg, "failed to find plugin \"not-there\" in path [");
	assert_string_equal(a.e.details, "");
	assert_true(ipam_status(&call, &a.e) < 0);
	assert_int_equal(a.e.code, CNI_NOT_AVAILABLE);
	/* Neither a folder nor a file that cannot be run is a plugin. */
	strcpy(a.conf.ipam_type, "fixtures");
	assert_true(ipam_del(&call, &a.e) < 0);
	assert_contains(a.e.msg, "failed to find plugin");
	strcpy(a.conf.ipam_type, "util_test.c");
	assert_true(ipam_del(&call, &a.e) < 0);
	assert_contains(a.e.msg, "failed to find plugin");
}

static void without_ipam(void **state)
{
	_cleanup_(attempt_free) struct attempt a = {};
	struct ipam_call call = call_of(&a, 0);

	(void)state;
	read_conf(&a, "{\"cniVersion\":\"1.1.0\",\"name\":\"n\",\"type\":\"sriov\",\"ipam\":{}}");
	assert_int_equal(ipam_add(&call, &a.result, NULL, &a.e), 0);
	assert_int_equal(a.result.ip_count, 0);
	assert_int_equal(ipam_check(&call, &a.e), 0);
	assert_int_equal(ipam_gc(&call, NULL, 0, &a.e), 0);
	assert_int_equal(ipam_status(&call, &a.e), 0);
	assert_int_equal(ipam_del(&call, &a.e), 0);
}

/* ---- real plugins ---- */

static const char *plugin_folder(const char *plugin)
{
	static const char *const folders[] = { "/usr/lib/cni", "/opt/cni/bin" };
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], plugin);
		if (!access(path, X_OK))
			return folders[i];
	}
	skip_because("no %s in %s or %s", plugin, folders[0], folders[1]);
	return NULL;
}

static void prepare_host_local(struct attempt *a, const char *version, const char *data, const char *last)
{
	char text[PATH_MAX + 512];

	*a = (struct attempt){};
	set_env(a, plugin_folder("host-local"));
	snprintf(text, sizeof(text),
		 "{\"cniVersion\":\"%s\",\"name\":\"n\",\"type\":\"rdma-warden\",\"ipam\":{\"type\":\"host-local\","
		 "\"dataDir\":\"%s\",\"ranges\":[[{\"subnet\":\"10.8.0.0/24\",\"rangeStart\":\"10.8.0.10\","
		 "\"rangeEnd\":\"%s\"}],[{\"subnet\":\"fd08::/64\"}]],\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}%s}",
		 version, data, last, strcmp(version, "0.3.1") ? ",\"prevResult\":{\"ips\":[]}" : "");
	read_conf(a, text);
}

static void host_local(void **state)
{
	static const char *const versions[] = { "0.3.1", "0.4.0", "1.0.0" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		_cleanup_(attempt_free) struct attempt a, b = {};
		const char *data = temp_path(versions[i]);
		struct ipam_call call;

		prepare_host_local(&a, versions[i], data, "10.8.0.10");
		call = call_of(&a, LONG_MS);
		if (ipam_add(&call, &a.result, NULL, &a.e))
			test_fail("%s (%s)", a.e.msg, a.e.details);
		assert_int_equal(a.result.ip_count, 2);
		assert_memory_equal(a.result.ips[0].address.bytes, "\x0a\x08\x00\x0a", 4);
		assert_int_equal(a.result.ips[1].address.prefix, 64);
		assert_int_equal(a.result.route_count, 1);
		assert_int_equal(ipam_check(&call, &a.e), 0);
		/* There is one address: the words of the plugin arrive. */
		prepare_host_local(&b, versions[i], data, "10.8.0.10");
		strcpy(b.env.container_id, "c2");
		call = call_of(&b, LONG_MS);
		assert_true(ipam_add(&call, &b.result, NULL, &b.e) < 0);
		assert_contains(b.e.msg, "no IP addresses available in range set");
		/* And the undo of c2 has left c1's alone. */
		call = call_of(&a, LONG_MS);
		assert_int_equal(ipam_check(&call, &a.e), 0);
		assert_int_equal(ipam_del(&call, &a.e), 0);
		assert_int_equal(ipam_del(&call, &a.e), 0);
		if (a.conf.version >= CNI_0_4_0)
			assert_true(ipam_check(&call, &a.e) < 0);
		call = call_of(&b, LONG_MS);
		assert_int_equal(ipam_add(&call, &b.result, NULL, &b.e), 0);
	}
}

static void *add_in_thread(void *ctx)
{
	struct attempt *a = ctx;
	struct ipam_call call = call_of(a, LONG_MS);

	return ipam_add(&call, &a->result, NULL, &a->e) ? NULL : a;
}

static void threads(void **state)
{
	struct attempt attempts[8];
	pthread_t ids[ARRAY_SIZE(attempts)];
	const char *data = temp_path("threads");
	uint64_t seen = 0;
	void *done;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		prepare_host_local(&attempts[i], "1.0.0", data, "10.8.0.60");
		snprintf(attempts[i].env.container_id, sizeof(attempts[i].env.container_id), "c%zu", i);
		assert_int_equal(pthread_create(&ids[i], NULL, add_in_thread, &attempts[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		pthread_join(ids[i], &done);
		if (!done)
			test_fail("%s (%s)", attempts[i].e.msg, attempts[i].e.details);
		seen |= 1ull << attempts[i].result.ips[0].address.bytes[3];
		attempt_free(&attempts[i]);
	}
	assert_int_equal(__builtin_popcountll(seen), ARRAY_SIZE(attempts));
}

/* Addresses that the runtime gives: they reach the plugin with the configuration. */
static void static_plugin(void **state)
{
	_cleanup_(attempt_free) struct attempt a = {};
	struct ipam_call call;

	(void)state;
	set_env(&a, plugin_folder("static"));
	read_conf(&a, "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"type\":\"sriov\",\"capabilities\":{\"ips\":true},"
		      "\"runtimeConfig\":{\"ips\":[\"10.7.0.9/16\"]},\"ipam\":{\"type\":\"static\"},"
		      "\"prevResult\":{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.7.0.9/16\"}]}}");
	call = call_of(&a, LONG_MS);
	if (ipam_add(&call, &a.result, NULL, &a.e))
		test_fail("%s (%s)", a.e.msg, a.e.details);
	assert_memory_equal(a.result.ips[0].address.bytes, "\x0a\x07\x00\x09", 4);
	assert_int_equal(a.result.ips[0].address.prefix, 16);
	assert_int_equal(ipam_check(&call, &a.e), 0);
	assert_int_equal(ipam_del(&call, &a.e), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(result),
		cmocka_unit_test(environment),
		cmocka_unit_test(signals),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(gc),
		cmocka_unit_test(older_versions),
		cmocka_unit_test(errors_are_passed_on),
		cmocka_unit_test(no_result),
		cmocka_unit_test(hangs_are_ended),
		cmocka_unit_test(children_end_with_it),
		cmocka_unit_test(floods),
		cmocka_unit_test(failed_undo_is_told),
		cmocka_unit_test(passed_deadline),
		cmocka_unit_test(missing_plugin),
		cmocka_unit_test(without_ipam),
		cmocka_unit_test(host_local),
		cmocka_unit_test(threads),
		cmocka_unit_test(static_plugin),
	};

	return RUN_CASES("ipam_exec", tests);
}
