// SPDX-License-Identifier: Apache-2.0
/* Kubernetes Events at the API's stand-in (tests/tools/kube-api), which refuses what the API server would refuse. */
#define _GNU_SOURCE
#include "report/kube_events.h"

#include <dirent.h>
#include <inttypes.h>
#include <libgen.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/json.h"
#include "lib/work.h"
#include "notify_server.h"

struct attempt {
	struct server_process server;
	char dir[300];
	struct kube_config api;
	struct kube_events_options options;
	struct loop *loop;
	struct work *work;
	struct kube_events *events;
	unsigned int faults;
	char fault[512]; /* the last one */
	uint64_t wanted; /* for what is waited for */
};

/* ---- the stand-in ---- */

static const char *path_in(const struct attempt *a, const char *name)
{
	static char paths[4][700];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", a->dir, name);
	return path;
}

static void find_program(char *to, size_t size)
{
	char self[PATH_MAX] = "", line[256] = "";
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct stat st;

	assert_true(len > 0);
	assert_int_equal(try_snprintf(to, size, "%.3000s/../../kube-api-standin", dirname(self)), 0);
	if (!stat(to, &st) && st.st_mode & S_IXUSR)
		return;
	assert_int_equal(read_line(to, line, sizeof(line)), 0);
	skip_because("%s", line);
}

static void say(const struct attempt *a, const char *word)
{
	assert_true(dprintf(a->server.input, "%s\n", word) > 0);
}

static void make_pod(const struct attempt *a, const char *namespace, const char *name)
{
	char file[300];
	_cleanup_fclose_ FILE *to = NULL;

	snprintf(file, sizeof(file), "pods/%.30s.%.200s.json", namespace, name);
	to = fopen(path_in(a, file), "we");
	assert_non_null(to);
	fprintf(to, "{\"metadata\":{\"namespace\":\"%s\",\"name\":\"%s\"},\"spec\":{\"nodeName\":\"gpu-1\"}}\n",
		namespace, name);
}

/* It has said "ready" when all of its files are there. */
static void start_server(struct attempt *a)
{
	static unsigned int count;
	char program[PATH_MAX], line[64] = "";

	find_program(program, sizeof(program));
	snprintf(a->dir, sizeof(a->dir), "%.200s/api.%u", temp_dir(), count++);
	assert_int_equal(mkdir(a->dir, 0700) | mkdir(path_in(a, "pods"), 0700), 0);
	make_pod(a, "ml", "a");
	make_pod(a, "ml", "b");
	unlink(temp_path("server.out"));
	server_begin(&a->server, (const char *[]){ program, a->dir, NULL });
	while (strcmp(line, "ready")) {
		assert_int_equal(waitpid(a->server.pid, NULL, WNOHANG), 0);
		usleep(5000);
		read_line(temp_path("server.out"), line, sizeof(line));
	}
	assert_int_equal(read_line(path_in(a, "port"), line, sizeof(line)), 0);
	snprintf(a->api.server, sizeof(a->api.server), "https://127.0.0.1:%s", line);
}

/* The requests that have begun so. */
static unsigned int writes(const struct attempt *a, const char *begin)
{
	_cleanup_fclose_ FILE *file = fopen(path_in(a, "writes"), "re");
	unsigned int n = 0;
	char line[600];

	while (file && fgets(line, sizeof(line), file))
		n += !strncmp(line, begin, strlen(begin));
	return n;
}

static int is_event(const struct dirent *entry)
{
	return strstr(entry->d_name, ".json") && !strstr(entry->d_name, ".new");
}

static unsigned int count_events(const struct attempt *a)
{
	struct dirent **names;
	int n = scandir(path_in(a, "events"), &names, is_event, alphasort);

	assert_true(n >= 0);
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return (unsigned int)n;
}

/* The one whose name begins so: "ml.b". */
static char *event_file(const struct attempt *a, const char *begin)
{
	_cleanup_closedir_ DIR *dir = opendir(path_in(a, "events"));
	struct dirent *entry;
	static char file[1000];

	file[0] = '\0';
	while (dir && (entry = readdir(dir)))
		if (is_event(entry) && !strncmp(entry->d_name, begin, strlen(begin)))
			snprintf(file, sizeof(file), "%s/%.280s", path_in(a, "events"), entry->d_name);
	return file;
}

static cJSON *event_of(const struct attempt *a, const char *begin)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	cJSON *json;

	if (read_regular(event_file(a, begin), 1 << 20, &text, &len))
		return NULL;
	json = cJSON_ParseWithLength(text, len);
	assert_non_null(json);
	return json;
}

static void assert_field(const cJSON *json, const char *path, const char *expected)
{
	char copy[100], *rest = copy, *name;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((name = strsep(&rest, ".")))
		json = cJSON_GetObjectItemCaseSensitive(json, name);
	if (!cJSON_IsString(json))
		test_fail("there is no %s", path);
	assert_string_equal(json->valuestring, expected);
}

/* 0: there is no such Event; 1: it has no series. */
static uint64_t count_of(const struct attempt *a, const char *begin)
{
	_cleanup_(json_free) cJSON *json = event_of(a, begin);
	const cJSON *series = cJSON_GetObjectItemCaseSensitive(json, "series");

	if (!series)
		return json != NULL;
	return (uint64_t)cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(series, "count"));
}

/* ---- what is tested ---- */

static bool uid_of(void *ctx, const char *owner, char uid[WARDEN_UID_LEN])
{
	(void)ctx;
	if (strncmp(owner, "ml/", 3) && strncmp(owner, "gone/", 5))
		return false;
	snprintf(uid, WARDEN_UID_LEN, "uid-%.30s", owner);
	return true;
}

static void fault(void *ctx, const char *text)
{
	struct attempt *a = ctx;

	a->faults++;
	snprintf(a->fault, sizeof(a->fault), "%s", text);
}

static void prepare(struct attempt *a)
{
	struct err err = {};

	kube_config_defaults(&a->api);
	start_server(a);
	snprintf(a->api.token, sizeof(a->api.token), "%s", path_in(a, "token"));
	snprintf(a->api.ca, sizeof(a->api.ca), "%s", path_in(a, "ca.crt"));
	a->api.answer_ms = LONGEST_S * 1000;
	a->api.retry_min_ms = 1;
	a->api.retry_max_ms = 20;
	assert_int_equal(loop_open(&a->loop), 0);
	assert_int_equal(work_open(&a->work, a->loop, 1, &err), 0);
	a->options = (struct kube_events_options){ .loop = a->loop,
						   .work = a->work,
						   .api = &a->api,
						   .node = "gpu-1",
						   .uid_of = uid_of,
						   .fault = fault,
						   .ctx = a };
	kube_events_defaults(&a->options);
	a->options.interval_ms = 20;
	a->options.token_ms = 1;
}

static void open_events(struct attempt *a)
{
	struct err err = {};

	if (kube_events_open(&a->events, &a->options, &err))
		test_fail("%s", err.text);
}

static void finish(struct attempt *a)
{
	if (!a->loop)
		return;
	kube_events_stop(a->events);
	work_close(a->work);
	kube_events_close(a->events);
	loop_close(a->loop);
	server_end(&a->server);
}

static struct notice refused(const char *pci, const char *pod)
{
	struct notice n = { .rule = "exclusive.open",
			    .verdict = "denied",
			    .device = "mlx5_3",
			    .pci = pci,
			    .netdev = "",
			    .owner = "ml/a",
			    .actor = pod,
			    .comm = "thief",
			    .message = "open of a device of another owner",
			    .cure = "",
			    .pid = 12,
			    .has_actor = true,
			    .times = 1 };

	snprintf(n.key, sizeof(n.key), "exclusive.open|denied|%s|%s|ml/a", pci, pod);
	return n;
}

static void tell(struct attempt *a, const struct notice *n)
{
	kube_events_tell(a->events, n, wall_ns());
}

static struct notify_health health_of(const struct attempt *a)
{
	struct notify_health health;

	kube_events_health(a->events, &health);
	return health;
}

static bool nothing_waits(void *ctx)
{
	return !health_of(ctx).waiting;
}

/* A word takes its time until it has been heard. */
static bool told_or_failed(void *ctx)
{
	struct attempt *a = ctx;

	return nothing_waits(a) || health_of(a).failed >= a->wanted;
}

static void settle(struct attempt *a)
{
	loop_until(a->loop, nothing_waits, a);
}

/* ---- cases ---- */

static void on_the_pod_and_on_the_node(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	const struct notice n = refused("0000:01:00.3", "ml/b");
	_cleanup_(json_free) cJSON *pod = NULL, *node = NULL;

	(void)state;
	prepare(&a);
	open_events(&a);
	tell(&a, &n);
	settle(&a);
	assert_int_equal(count_events(&a), 2);
	pod = event_of(&a, "ml.b.");
	assert_field(pod, "regarding.kind", "Pod");
	assert_field(pod, "regarding.namespace", "ml");
	assert_field(pod, "regarding.name", "b");
	assert_field(pod, "regarding.uid", "uid-ml/b");
	assert_field(pod, "related.name", "a");
	assert_field(pod, "related.uid", "uid-ml/a");
	assert_field(pod, "reason", "ExclusiveOpen");
	assert_field(pod, "action", "Deny");
	assert_field(pod, "type", "Warning");
	assert_field(pod, "reportingController", "rdma-warden");
	assert_field(pod, "reportingInstance", "gpu-1");
	assert_field(pod, "note",
		     "denied: open of a device of another owner; device mlx5_3 0000:01:00.3 of ml/a; by "
		     "process 12 (thief) of ml/b");
	assert_null(cJSON_GetObjectItemCaseSensitive(pod, "series"));
	node = event_of(&a, "default.gpu-1.");
	assert_field(node, "regarding.kind", "Node");
	assert_field(node, "regarding.uid", "gpu-1");
	assert_field(node, "related.name", "a");
	assert_int_equal(a.faults, 0);
}

/* Who is no pod, or whose name is not known, is told of on the node. */
static void on_the_node_alone(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	struct notice n = refused("0000:01:00.3", "");

	(void)state;
	prepare(&a);
	open_events(&a);
	tell(&a, &n);
	n = refused("0000:01:00.4", "pod-uid/1234");
	tell(&a, &n);
	n = refused("0000:01:00.5", "ml/../../x");
	tell(&a, &n);
	settle(&a);
	assert_int_equal(count_events(&a), 3);
	assert_int_equal(writes(&a, "POST 201 default/"), 3);
}

static void a_state_on_the_pod_whose_device_it_is(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	struct notice n = refused("0000:01:00.3", "");
	_cleanup_(json_free) cJSON *pod = NULL;

	(void)state;
	prepare(&a);
	open_events(&a);
	n.rule = "qos.effect.sequence";
	n.verdict = "observed";
	n.has_actor = false;
	n.state = true;
	tell(&a, &n);
	settle(&a);
	assert_int_equal(count_events(&a), 2);
	n.ends = true;
	n.verdict = "none";
	unlink(event_file(&a, "ml.a."));
	tell(&a, &n);
	settle(&a);
	pod = event_of(&a, "ml.a.");
	assert_field(pod, "reason", "QosEffectSequenceEnded");
	assert_field(pod, "type", "Normal");
	assert_field(pod, "action", "Resolve");
	assert_null(cJSON_GetObjectItemCaseSensitive(pod, "related"));
}

static void a_thousand_are_one_event(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	const struct notice n = refused("0000:01:00.3", "ml/b");
	struct notify_health h;

	(void)state;
	prepare(&a);
	a.options.interval_ms = 200;
	open_events(&a);
	for (int i = 0; i < 1000; i++)
		tell(&a, &n);
	settle(&a);
	assert_int_equal(count_events(&a), 2);
	assert_int_equal(count_of(&a, "ml.b."), 1000);
	assert_int_equal(count_of(&a, "default.gpu-1."), 1000);
	h = health_of(&a);
	assert_in_range(h.sent, 3, 4); /* created with the first of them or with all; patched once */
	assert_int_equal(h.failed, 0);
	assert_int_equal(h.dropped, 0);
}

static void more_than_the_api_can_count(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	struct notice n = refused("0000:01:00.3", "");

	(void)state;
	prepare(&a);
	open_events(&a);
	n.times = 3000000000;
	tell(&a, &n);
	settle(&a);
	tell(&a, &n);
	settle(&a);
	assert_int_equal(count_of(&a, "default."), INT32_MAX);
	assert_int_equal(health_of(&a).failed, 0);
}

static bool told_for_long(void *ctx)
{
	struct attempt *a = ctx;
	const struct notice n = refused("0000:01:00.3", "");

	tell(a, &n);
	return boot_ns() >= a->wanted;
}

static void one_write_in_an_interval(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	uint64_t begin = boot_ns(), most;

	(void)state;
	prepare(&a);
	a.options.interval_ms = 100;
	open_events(&a);
	a.wanted = begin + 500000000;
	loop_until(a.loop, told_for_long, &a);
	settle(&a);
	most = (boot_ns() - begin) / 100000000 + 1;
	assert_in_range(health_of(&a).sent, 2, most);
	assert_true(count_of(&a, "default.") >= 2);
}

static void no_more_writes_than_tokens(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	uint64_t begin = boot_ns();
	char pci[32];

	(void)state;
	prepare(&a);
	a.options.burst = 5;
	a.options.token_ms = 50;
	open_events(&a);
	for (int i = 0; i < 10; i++) {
		struct notice n;

		snprintf(pci, sizeof(pci), "0000:01:00.%d", i);
		n = refused(pci, "");
		tell(&a, &n);
	}
	settle(&a);
	assert_int_equal(count_events(&a), 10);
	assert_true(boot_ns() - begin >= 5 * 50 * 1000000ull);
}

static bool is_forbidden(void *ctx)
{
	const struct attempt *a = ctx;

	return writes(a, "POST 403") >= 3;
}

static void without_the_right_to(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	struct notice n = refused("0000:01:00.3", "");
	char pci[32];

	(void)state;
	prepare(&a);
	say(&a, "forbid");
	open_events(&a);
	for (a.wanted = 1; !health_of(&a).failed; n = refused(pci, "")) {
		tell(&a, &n);
		loop_until(a.loop, told_or_failed, &a);
		snprintf(pci, sizeof(pci), "%" PRIu64, health_of(&a).sent);
	}
	loop_until(a.loop, is_forbidden, &a);
	assert_int_equal(a.faults, 1);
	assert_contains(a.fault, "allow verb \"create\" on resource \"events\" of API group \"events.k8s.io\"");
	assert_contains(health_of(&a).error, "403");
	say(&a, "serve");
	settle(&a);
	assert_int_equal(a.faults, 1);
	assert_int_equal(health_of(&a).dropped, 0);
	assert_int_equal(health_of(&a).failures, 0);
}

static bool is_patch_forbidden(void *ctx)
{
	return writes(ctx, "PATCH 403") >= 2;
}

/* Who may create them and not go on with them. */
static void without_the_right_to_patch(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	const struct notice n = refused("0000:01:00.3", "");

	(void)state;
	prepare(&a);
	open_events(&a);
	tell(&a, &n);
	settle(&a);
	say(&a, "forbid");
	for (a.wanted = 1; !health_of(&a).failed;) {
		tell(&a, &n);
		loop_until(a.loop, told_or_failed, &a);
	}
	loop_until(a.loop, is_patch_forbidden, &a);
	assert_int_equal(a.faults, 1);
	assert_contains(a.fault, "allow verb \"patch\"");
	say(&a, "serve");
	settle(&a);
	assert_int_equal(health_of(&a).dropped, 0);
}

/* A namespace that ends takes nothing new, which nobody has to mend. */
static void a_namespace_that_ends(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	char pci[32];

	(void)state;
	prepare(&a);
	say(&a, "terminate");
	open_events(&a);
	for (int i = 0; !health_of(&a).failed; i++) {
		struct notice n;

		snprintf(pci, sizeof(pci), "%d", i);
		n = refused(pci, "");
		tell(&a, &n);
		settle(&a);
	}
	assert_int_equal(health_of(&a).dropped, 1);
	assert_int_equal(health_of(&a).failures, 0);
	assert_int_equal(a.faults, 1);
	assert_contains(a.fault, "do not tell of 1 violations");
	assert_contains(a.fault, "being terminated");
}

static void a_server_that_is_away(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	const struct notice n = refused("0000:01:00.3", "ml/b"), later = refused("0000:01:00.4", "ml/b");

	(void)state;
	prepare(&a);
	open_events(&a);
	tell(&a, &n);
	settle(&a);
	say(&a, "cut");
	for (a.wanted = 3; health_of(&a).failed < 3;) {
		tell(&a, &n);
		loop_until(a.loop, told_or_failed, &a);
	}
	for (int i = 0; i < 100; i++)
		tell(&a, &later);
	assert_true(health_of(&a).waiting > 0);
	assert_true(health_of(&a).failures > 0);
	say(&a, "serve");
	settle(&a);
	assert_int_equal(count_events(&a), 4);
	assert_true(count_of(&a, "ml.b.") >= 2);
	assert_int_equal(health_of(&a).dropped, 0);
	assert_int_equal(health_of(&a).failures, 0);
	assert_int_equal(a.faults, 0);
}

/* After an hour the API server has forgotten it. */
static void an_event_that_is_gone(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	const struct notice n = refused("0000:01:00.3", "");

	(void)state;
	prepare(&a);
	open_events(&a);
	tell(&a, &n);
	settle(&a);
	assert_int_equal(unlink(event_file(&a, "default.")), 0);
	tell(&a, &n);
	settle(&a);
	assert_int_equal(writes(&a, "PATCH 404"), 1);
	assert_int_equal(count_of(&a, "default."), 2);
	assert_int_equal(health_of(&a).dropped, 0);
}

/* The server has taken the first one, and nobody heard that it did. */
static void a_create_that_was_done(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	const struct notice n = refused("0000:01:00.3", "");
	uint64_t when = wall_ns();

	(void)state;
	prepare(&a);
	open_events(&a);
	kube_events_tell(a.events, &n, when);
	settle(&a);
	kube_events_stop(a.events);
	work_close(a.work);
	kube_events_close(a.events);
	a.events = NULL;
	assert_int_equal(work_open(&a.work, a.loop, 1, NULL), 0);
	a.options.work = a.work;
	open_events(&a);
	for (int i = 0; i < 3; i++)
		kube_events_tell(a.events, &n, when);
	settle(&a);
	assert_int_equal(writes(&a, "POST 409"), 1);
	assert_int_equal(count_of(&a, "default."), 3);
	assert_int_equal(count_events(&a), 1);
	assert_int_equal(health_of(&a).dropped, 0);
}

static void what_the_server_does_not_take(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	const struct notice n = refused("0000:01:00.3", "gone/b");

	(void)state;
	prepare(&a);
	open_events(&a);
	tell(&a, &n);
	tell(&a, &n);
	settle(&a);
	assert_int_equal(count_events(&a), 1); /* on the node */
	assert_true(health_of(&a).dropped >= 1);
	assert_int_equal(a.faults, 1);
	assert_contains(a.fault, "namespaces \"gone\" not found");
	assert_int_equal(health_of(&a).failures, 0);
}

static void more_than_there_is_room_for(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	char pci[32];

	(void)state;
	prepare(&a);
	a.options.most = 4;
	a.api.server[strlen(a.api.server) - 1] = '\0'; /* where nobody listens, or refuses what is said to him */
	open_events(&a);
	for (int i = 0; i < 10; i++) {
		struct notice n;

		snprintf(pci, sizeof(pci), "0000:01:00.%d", i);
		n = refused(pci, "");
		tell(&a, &n);
	}
	assert_int_equal(health_of(&a).waiting, 4);
	assert_int_equal(health_of(&a).dropped, 6);
	assert_int_equal(a.faults, 1);
	assert_contains(a.fault, "too many of them wait");
}

/* Whatever a process calls itself, and whoever names things. */
static void hostile_texts(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	struct notice n = refused("\"}\n{\x01\xff", "ml/b");
	char longest[3000];
	_cleanup_(json_free) cJSON *json = NULL;

	(void)state;
	prepare(&a);
	memset(longest, '"', sizeof(longest));
	for (size_t i = 0; i + 3 < sizeof(longest) / 2; i += 3)
		memcpy(longest + i, "\xe2\x82\xac", 3);
	longest[sizeof(longest) - 1] = '\0';
	a.options.node =
		"gpu-1.a23456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.12345678"
		"9.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789";
	open_events(&a);
	n.message = n.comm = n.cure = n.device = n.owner = longest;
	tell(&a, &n);
	tell(&a, &n);
	settle(&a);
	assert_int_equal(count_events(&a), 2);
	assert_int_equal(health_of(&a).failed, 0);
	json = event_of(&a, "ml.b.");
	assert_in_range(strlen(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "note"))), 900, 1024);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(on_the_pod_and_on_the_node),
		cmocka_unit_test(on_the_node_alone),
		cmocka_unit_test(a_state_on_the_pod_whose_device_it_is),
		cmocka_unit_test(a_thousand_are_one_event),
		cmocka_unit_test(more_than_the_api_can_count),
		cmocka_unit_test(one_write_in_an_interval),
		cmocka_unit_test(no_more_writes_than_tokens),
		cmocka_unit_test(without_the_right_to),
		cmocka_unit_test(without_the_right_to_patch),
		cmocka_unit_test(a_namespace_that_ends),
		cmocka_unit_test(a_server_that_is_away),
		cmocka_unit_test(an_event_that_is_gone),
		cmocka_unit_test(a_create_that_was_done),
		cmocka_unit_test(what_the_server_does_not_take),
		cmocka_unit_test(more_than_there_is_room_for),
		cmocka_unit_test(hostile_texts),
	};

	return RUN_CASES("kube_events", cases);
}
