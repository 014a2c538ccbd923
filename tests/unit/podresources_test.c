// SPDX-License-Identifier: Apache-2.0
/* The kubelet's PodResources API, asked of a server that is made of its published API: tests/tools/kubelet. */
#define _GNU_SOURCE
#include "kube/podresources.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"

#define LONG_MS 60000 /* no test waits for that */
#define SHORT_MS 300 /* for what hangs */

/* ---- the server ---- */

struct kubelet {
	char socket[100];
	pid_t pid;
	int input; /* it ends with that */
};

static void kubelet_stop(struct kubelet *kubelet)
{
	util_close(&kubelet->input);
	if (kubelet->pid > 0)
		waitpid(kubelet->pid, NULL, 0);
	unlink(kubelet->socket);
}

/* Its program lies beside the tests' folder. In its place may be a text with what this machine lacks. */
static const char *find_program(void)
{
	static char path[PATH_MAX];
	char self[PATH_MAX] = "", why[256];
	struct stat st;

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_int_equal(try_snprintf(path, sizeof(path), "%s/../../kubelet-standin", dirname(self)), 0);
	assert_int_equal(stat(path, &st), 0);
	if (st.st_mode & S_IXUSR)
		return path;
	assert_int_equal(read_line(path, why, sizeof(why)), 0);
	skip_because("%s", why);
	return NULL;
}

static void exec_kubelet(const char *program, const struct kubelet *kubelet, const char *state, const char *manner,
			 const int in[2], const int out[2])
{
	if (dup2(in[0], STDIN_FILENO) < 0 || dup2(out[1], STDOUT_FILENO) < 0)
		_exit(255);
	execl(program, program, kubelet->socket, state, manner, NULL);
	_exit(255);
}

static void kubelet_start(struct kubelet *kubelet, const char *manner, const char *state)
{
	const char *program = find_program(), *file = temp_file("state.json", state, strlen(state));
	static unsigned int count;
	int in[2], out[2];
	char name[32], ready[6];

	snprintf(name, sizeof(name), "kubelet.%u", count++);
	snprintf(kubelet->socket, sizeof(kubelet->socket), "%s", temp_path(name));
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	kubelet->pid = test_fork();
	if (!kubelet->pid)
		exec_kubelet(program, kubelet, file, manner, in, out);
	close(in[0]);
	close(out[1]);
	kubelet->input = in[1];
	assert_int_equal(read(out[0], ready, sizeof(ready)), sizeof(ready));
	close(out[0]);
}

/* ---- what it knows ---- */

#define TWO_PODS                                                                                                     \
	"{\"list\":{\"pod_resources\":["                                                                             \
	"{\"name\":\"trainer-0\",\"namespace\":\"ml\",\"containers\":["                                              \
	"{\"name\":\"main\",\"cpu_ids\":[2,3],\"memory\":[{\"memory_type\":\"memory\",\"size\":4096}],\"devices\":[" \
	"{\"resource_name\":\"nvidia.com/roce_a\",\"device_ids\":[\"0000:3b:00.2\",\"0000:3b:00.3\"],"               \
	"\"topology\":{\"nodes\":[{\"ID\":1}]}},"                                                                    \
	"{\"resource_name\":\"example.com/"                                                                          \
	"any\",\"device_ids\":[\"GPU-1::2\"],\"topology\":{\"nodes\":[{},{\"ID\":63}]}}]},"                          \
	"{\"name\":\"side\",\"dynamic_resources\":[{\"claim_name\":\"nic\",\"claim_namespace\":\"ml\",\"claim_"      \
	"resources\":["                                                                                              \
	"{\"driver_name\":\"sriov.example.com\",\"pool_name\":\"n1\",\"device_name\":\"vf-1\"},"                     \
	"{\"cdi_devices\":[{\"name\":\"example.com/nic=a\"},{\"name\":\"example.com/nic=b\"}]}]}]}]},"               \
	"{\"name\":\"web.example\",\"namespace\":\"default\",\"containers\":[{\"name\":\"web\"}]}]},"                \
	"\"allocatable\":{\"cpu_ids\":[0,1],\"devices\":["                                                           \
	"{\"resource_name\":\"nvidia.com/"                                                                           \
	"roce_a\",\"device_ids\":[\"0000:3b:00.2\"],\"topology\":{\"nodes\":[{\"ID\":1}]}},"                         \
	"{\"resource_name\":\"nvidia.com/roce_a\",\"device_ids\":[\"0000:3b:00.4\"]}]}}"

static const char *or_none(const char *text)
{
	return text ? text : "-";
}

/* In one line. */
static void assert_grant(const struct kube_grants *grants, size_t n, const char *expected)
{
	const struct kube_grant *g = &grants->list[n];
	char line[512];

	assert_true(n < grants->count);
	snprintf(line, sizeof(line), "%s/%s %s %s %s %s/%s %s %#llx", or_none(g->pod_namespace), or_none(g->pod_name),
		 or_none(g->pod_uid), or_none(g->container), or_none(g->resource), or_none(g->claim_namespace),
		 or_none(g->claim_name), g->device, (unsigned long long)g->numa_nodes);
	assert_string_equal(line, expected);
}

static void assert_two_pods(const struct kube_grants *grants)
{
	assert_int_equal(grants->count, 5);
	assert_grant(grants, 0, "ml/trainer-0 - main nvidia.com/roce_a -/- 0000:3b:00.2 0x2");
	assert_grant(grants, 1, "ml/trainer-0 - main nvidia.com/roce_a -/- 0000:3b:00.3 0x2");
	assert_grant(grants, 2, "ml/trainer-0 - main example.com/any -/- GPU-1::2 0x8000000000000001");
	assert_grant(grants, 3, "ml/trainer-0 - side - ml/nic example.com/nic=a 0");
	assert_grant(grants, 4, "ml/trainer-0 - side - ml/nic example.com/nic=b 0");
}

static void assert_ok(int r, const struct err *err)
{
	if (r)
		test_fail("%d: %s", r, err->text);
}

/* ---- what is right ---- */

static void devices_of_all_pods(void **state)
{
	_cleanup_(kubelet_stop) struct kubelet kubelet = { .input = -1 };
	_cleanup_(kube_grants_free) struct kube_grants grants = {};
	struct err err;

	(void)state;
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	kubelet_start(&kubelet, "plain", TWO_PODS);
	assert_ok(podresources_list(kubelet.socket, LONG_MS, &grants, &err), &err);
	assert_two_pods(&grants);
	unsetenv("ALL_PROXY");
}

static void devices_that_there_are(void **state)
{
	_cleanup_(kubelet_stop) struct kubelet kubelet = { .input = -1 };
	_cleanup_(kube_grants_free) struct kube_grants grants = {};
	struct err err;

	(void)state;
	kubelet_start(&kubelet, "plain", TWO_PODS);
	assert_ok(podresources_allocatable(kubelet.socket, LONG_MS, &grants, &err), &err);
	assert_int_equal(grants.count, 2);
	assert_grant(&grants, 0, "-/- - - nvidia.com/roce_a -/- 0000:3b:00.2 0x2");
	assert_grant(&grants, 1, "-/- - - nvidia.com/roce_a -/- 0000:3b:00.4 0");
}

static void devices_of_one_pod(void **state)
{
	_cleanup_(kubelet_stop) struct kubelet kubelet = { .input = -1 };
	_cleanup_(kube_grants_free) struct kube_grants grants = {}, none = {};
	struct err err;

	(void)state;
	kubelet_start(&kubelet, "plain", TWO_PODS);
	assert_ok(podresources_get(kubelet.socket, LONG_MS, "ml", "trainer-0", &grants, &err), &err);
	assert_two_pods(&grants);
	assert_ok(podresources_get(kubelet.socket, LONG_MS, "default", "web.example", &none, &err), &err);
	assert_int_equal(none.count, 0);
	assert_int_equal(podresources_get(kubelet.socket, LONG_MS, "ml", "web.example", &none, &err), -ESRCH);
	assert_contains(err.text, "pod web.example in namespace ml not found");
}

static void node_without_pods(void **state)
{
	_cleanup_(kubelet_stop) struct kubelet kubelet = { .input = -1 };
	_cleanup_(kube_grants_free) struct kube_grants grants = {};
	struct err err;

	(void)state;
	kubelet_start(&kubelet, "plain", "{}");
	assert_ok(podresources_list(kubelet.socket, LONG_MS, &grants, &err), &err);
	assert_int_equal(grants.count, 0);
}

static void unknown_fields_are_skipped(void **state)
{
	_cleanup_(kubelet_stop) struct kubelet kubelet = { .input = -1 };
	_cleanup_(kube_grants_free) struct kube_grants grants = {};
	struct err err;

	(void)state;
	kubelet_start(&kubelet, "newer", TWO_PODS);
	assert_ok(podresources_list(kubelet.socket, LONG_MS, &grants, &err), &err);
	assert_two_pods(&grants);
}

static void slow_answer(void **state)
{
	_cleanup_(kubelet_stop) struct kubelet kubelet = { .input = -1 };
	_cleanup_(kube_grants_free) struct kube_grants grants = {};
	struct err err;

	(void)state;
	kubelet_start(&kubelet, "slow", TWO_PODS);
	assert_ok(podresources_list(kubelet.socket, LONG_MS, &grants, &err), &err);
	assert_two_pods(&grants);
}

/* ---- what is not ---- */

struct refusal {
	const char *manner;
	unsigned int ms;
	int r;
	const char *text; /* behind the socket */
};

static void assert_refusal(const struct refusal *refusal)
{
	_cleanup_(kubelet_stop) struct kubelet kubelet = { .input = -1 };
	struct kube_grants grants = {};
	char expected[512];
	struct err err;
	int r;

	kubelet_start(&kubelet, refusal->manner, TWO_PODS);
	r = podresources_list(kubelet.socket, refusal->ms, &grants, &err);
	if (r != refusal->r)
		test_fail("%s: %d (%s)", refusal->manner, r, r ? err.text : "");
	snprintf(expected, sizeof(expected), "%s: %s", kubelet.socket, refusal->text);
	if (strncmp(err.text, expected, strlen(expected)))
		test_fail("%s: %s", refusal->manner, err.text);
	assert_null(grants.list);
}

/* What List answers to each manner. */
static void refusals(void **state)
{
	static const struct refusal table[] = {
		{ "hang", SHORT_MS, -ETIMEDOUT, "" },
		{ "mute", SHORT_MS, -ETIMEDOUT, "v1.PodResourcesLister/List is not answered within 300 ms" },
		{ "slow", SHORT_MS, -ETIMEDOUT, "" },
		{ "garbage", LONG_MS, -EBADMSG, "the answer to v1.PodResourcesLister/List cannot be read" },
		{ "not-grpc", LONG_MS, -EPROTO, "" },
		{ "huge", LONG_MS, -EMSGSIZE, "v1.PodResourcesLister/List is answered with more than 16777216 bytes" },
		{ "hollow", LONG_MS, -EBADMSG, "the answer to v1.PodResourcesLister/List cannot be read" },
		{ "old", LONG_MS, -EOPNOTSUPP,
		  "v1.PodResourcesLister/List is refused with status 12: unknown service v1.PodResourcesLister" },
		{ "limited", LONG_MS, -EAGAIN,
		  "v1.PodResourcesLister/List is refused with status 8: rejected by rate limit" },
		{ "refusing", LONG_MS, -EREMOTEIO,
		  "v1.PodResourcesLister/List is refused with status 2: 100% of?the ???devices??? are ?[31mlost" },
		{ "wordy", LONG_MS, -EREMOTEIO, "v1.PodResourcesLister/List is refused with status 2: never never " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_refusal(&table[i]);
}

/* HTTP/2, and yet no answer: nothing of it is taken for a node without pods. */
static void answers_that_are_not_grpc(void **state)
{
#define ANSWER "the answer to v1.PodResourcesLister/List "
	static const struct refusal table[] = {
		{ "no-status", LONG_MS, -EPROTO, ANSWER "has no status" },
		{ "bad-status", LONG_MS, -EPROTO, ANSWER "has no status" },
		{ "empty", LONG_MS, -EPROTO, ANSWER "has no message" },
		{ "short", LONG_MS, -EPROTO, ANSWER "is not of the length that it says" },
		{ "two", LONG_MS, -EPROTO, ANSWER "is not of the length that it says" },
		{ "compressed", LONG_MS, -EPROTO, ANSWER "is compressed" },
		{ "web", LONG_MS, -EPROTO, ANSWER "is not gRPC's" },
		{ "not-found", LONG_MS, -EPROTO, ANSWER "is not gRPC's" },
		{ "headers", LONG_MS, -EPROTO, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_refusal(&table[i]);
}

/* The one sign by which its clients know what a kubelet serves. */
static void calls_that_are_not_served(void **state)
{
	static const char *const manners[] = { "unimplemented", "disabled", "old" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(manners); i++) {
		_cleanup_(kubelet_stop) struct kubelet kubelet = { .input = -1 };
		struct kube_grants grants = {};
		struct err err;

		kubelet_start(&kubelet, manners[i], TWO_PODS);
		assert_int_equal(podresources_get(kubelet.socket, LONG_MS, "ml", "trainer-0", &grants, &err),
				 -EOPNOTSUPP);
		assert_int_equal(podresources_allocatable(kubelet.socket, LONG_MS, &grants, &err), -EOPNOTSUPP);
	}
}

/* It ends before its first byte, before its second one, and so on: whatever has come by then, it is not taken for all. */
static void cut_anywhere(void **state)
{
	_cleanup_(kubelet_stop) struct kubelet kubelet = { .input = -1 };
	_cleanup_(kube_grants_free) struct kube_grants grants = {};
	struct err err;
	int r, bytes = 0;

	(void)state;
	kubelet_start(&kubelet, "cut", TWO_PODS);
	while ((r = podresources_list(kubelet.socket, LONG_MS, &grants, &err)) && bytes < 10000) {
		if (r != -EPROTO)
			test_fail("after %d bytes: %d (%s)", bytes, r, err.text);
		assert_null(grants.list);
		bytes++;
	}
	assert_ok(r, &err);
	assert_two_pods(&grants);
	assert_true(bytes > 300); /* as long as the message alone */
}

static void nobody_there(void **state)
{
	const char *path = temp_path("none.sock"), *file = temp_file("no.sock", "", 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct kube_grants grants = {};
	struct err err;
	int fd;

	(void)state;
	assert_int_equal(podresources_list(path, LONG_MS, &grants, &err), -ENOENT);
	assert_contains(err.text, "none.sock: No such file or directory");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(podresources_list(path, LONG_MS, &grants, &err), -ECONNREFUSED);
	close(fd);
	unlink(path);
	assert_int_equal(podresources_list(file, LONG_MS, &grants, &err), -ECONNREFUSED);
	assert_int_equal(podresources_list(file, 0, &grants, &err), -ETIMEDOUT);
}

/* Of a kubelet that says what Kubernetes would not take: nothing of it is taken. */
static void illegal_texts(void **state)
{
	static const struct {
		const char *pod, *container, *resource, *device, *text;
	} table[] = {
		{ "", "c", "a.b/c", "d", "a pod's name is not legal" },
		{ "a\\u0000b", "c", "a.b/c", "d", "a pod's name is not legal" },
		{ "../p", "c", "a.b/c", "d", "a pod's name is not legal" },
		{ "p", "C", "a.b/c", "d", "a container's name is not legal" },
		{ "p", "0123456789012345678901234567890123456789012345678901234567890123", "a.b/c", "d",
		  "a container's name is not legal" },
		{ "p", "c", "a.b", "d", "a resource's name is not legal" },
		{ "p", "c", "a.b/", "d", "a resource's name is not legal" },
		{ "p", "c", "a.b/c/d", "d", "a resource's name is not legal" },
		{ "p", "c", "a.b/c", "", "a device's ID is not legal" },
		{ "p", "c", "a.b/c", "d\\n", "a device's ID is not legal" },
		{ "p", "c", "a.b/c", "d\\u0000", "a device's ID is not legal" },
		{ "p", "c", "a.b/c", "d\"],\"topology\":{\"nodes\":[{\"ID\":64}]},\"device_ids\":[\"d",
		  "NUMA node 64 is none" },
		{ "p", "c", "a.b/c", "d\"],\"topology\":{\"nodes\":[{\"ID\":-2}]},\"device_ids\":[\"d",
		  "NUMA node -2 is none" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_(kubelet_stop) struct kubelet kubelet = { .input = -1 };
		struct kube_grants grants = {};
		struct err err = {};
		char text[1024];

		snprintf(text, sizeof(text),
			 "{\"list\":{\"pod_resources\":[{\"name\":\"%s\",\"namespace\":\"n\",\"containers\":[{\"name\":"
			 "\"%s\","
			 "\"devices\":[{\"resource_name\":\"%s\",\"device_ids\":[\"ok\",\"%s\"]}]}]}]}}",
			 table[i].pod, table[i].container, table[i].resource, table[i].device);
		kubelet_start(&kubelet, "plain", text);
		assert_int_equal(podresources_list(kubelet.socket, LONG_MS, &grants, &err), -EBADMSG);
		assert_contains(err.text, table[i].text);
		assert_contains(err.text, kubelet.socket);
		assert_null(grants.list);
	}
}

/* Its JSON, with `count` devices. */
static char *many_devices(int count)
{
	size_t size = 256 + 4 * (size_t)count;
	char *text = malloc(size), *end = text;

	assert_non_null(text);
	end += sprintf(
		end,
		"{\"list\":{\"pod_resources\":[{\"name\":\"p\",\"namespace\":\"n\",\"containers\":[{\"name\":\"c\","
		"\"devices\":[{\"resource_name\":\"a.b/c\",\"device_ids\":[\"d\"");
	for (int i = 1; i < count; i++)
		end = stpcpy(end, ",\"d\"");
	stpcpy(end, "]}]}]}]}}");
	return text;
}

static void too_many_devices(void **state)
{
	(void)state;
	for (int more = 0; more <= 1; more++) {
		_cleanup_(kubelet_stop) struct kubelet kubelet = { .input = -1 };
		_cleanup_(kube_grants_free) struct kube_grants grants = {};
		_cleanup_free_ char *text = many_devices(KUBE_GRANTS_MAX + more);
		struct err err;

		kubelet_start(&kubelet, "plain", text);
		assert_int_equal(podresources_list(kubelet.socket, LONG_MS, &grants, &err), more ? -E2BIG : 0);
		assert_int_equal(grants.count, more ? 0 : KUBE_GRANTS_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(devices_of_all_pods),
		cmocka_unit_test(devices_that_there_are),
		cmocka_unit_test(devices_of_one_pod),
		cmocka_unit_test(node_without_pods),
		cmocka_unit_test(unknown_fields_are_skipped),
		cmocka_unit_test(slow_answer),
		cmocka_unit_test(refusals),
		cmocka_unit_test(answers_that_are_not_grpc),
		cmocka_unit_test(calls_that_are_not_served),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(illegal_texts),
		cmocka_unit_test(too_many_devices),
	};

	return RUN_CASES("podresources", cases);
}
