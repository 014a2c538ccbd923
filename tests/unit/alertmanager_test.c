// SPDX-License-Identifier: Apache-2.0
/* Alerts at a real Alertmanager, and what it shows of them. */
#include "report/alertmanager.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "kube/http.h"
#include "lib/bytes.h"
#include "lib/json.h"
#include "lib/work.h"
#include "notify_server.h"

#define PROGRAM "/usr/bin/prometheus-alertmanager"
#define SECOND 1000000000ull

struct attempt {
	struct server_process server;
	char url[2][100];
	struct alertmanager_options options;
	struct loop *loop;
	struct work *work;
	struct alertmanager *all;
	struct kube_http *http; /* to look */
	struct notify_health health[2];
	unsigned int faults;
	char fault[512];
	uint64_t wanted;
	cJSON *shown; /* what was asked for last */
};

/* ---- the server ---- */

/* That was free a moment ago. */
static unsigned int free_port(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(addr);

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	return ntohs(addr.sin_port);
}

static int take(void *ctx, const char *bytes, size_t len, struct err *err)
{
	(void)err;
	return bytes_add(ctx, bytes, len, 1 << 20);
}

/* NULL: it does not answer. */
static cJSON *ask(struct attempt *a, const char *what)
{
	char url[200];
	struct bytes body = {};
	struct kube_answer answer;
	struct err err;
	const struct kube_request request = {
		.url = url, .plain = true, .answer_ms = 10000, .total_ms = 10000, .take = take, .ctx = &body
	};
	cJSON *json = NULL;

	snprintf(url, sizeof(url), "%s%s", a->url[0], what);
	if (!kube_http_ask(a->http, &request, &answer, &err))
		json = cJSON_ParseWithLength(body.data, body.len);
	bytes_free(&body);
	return json;
}

static void start_server(struct attempt *a)
{
	static const char config[] = "route: {receiver: none}\nreceivers: [{name: none}]\n";
	const char *file = temp_file("alertmanager.yml", config, sizeof(config) - 1);
	static unsigned int count;
	char arguments[3][400], storage[32];
	cJSON *status = NULL;

	snprintf(storage, sizeof(storage), "storage.%u", count++);
	snprintf(arguments[0], sizeof(arguments[0]), "--config.file=%.300s", file);
	snprintf(arguments[1], sizeof(arguments[1]), "--storage.path=%.300s", temp_path(storage));
	snprintf(arguments[2], sizeof(arguments[2]), "--web.listen-address=%s", a->url[0] + strlen("http://"));
	server_begin(&a->server, (const char *[]){ PROGRAM, arguments[0], arguments[1], arguments[2],
						   "--cluster.listen-address=", NULL });
	while (!status) {
		assert_int_equal(waitpid(a->server.pid, NULL, WNOHANG), 0);
		usleep(20000);
		status = ask(a, "/api/v2/status");
	}
	cJSON_Delete(status);
}

/* ---- what is tested ---- */

static void fault(void *ctx, const char *text)
{
	struct attempt *a = ctx;

	a->faults++;
	snprintf(a->fault, sizeof(a->fault), "%s", text);
}

static void add_server(struct attempt *a, const char *url)
{
	struct err err;

	if (alertmanager_add(a->all, url, &err))
		test_fail("%s", err.text);
}

static void prepare(struct attempt *a)
{
	struct err err;

	if (access(PROGRAM, X_OK))
		skip_because("there is no " PROGRAM);
	snprintf(a->url[0], sizeof(a->url[0]), "http://127.0.0.1:%u", free_port());
	snprintf(a->url[1], sizeof(a->url[1]), "http://127.0.0.1:%u", free_port()); /* where nobody listens */
	assert_int_equal(kube_http_open(&a->http, &err), 0);
	assert_int_equal(loop_open(&a->loop), 0);
	assert_int_equal(work_open(&a->work, a->loop, 2, &err), 0);
	a->options = (struct alertmanager_options){
		.loop = a->loop, .work = a->work, .node = "gpu-1", .fault = fault, .ctx = a
	};
	alertmanager_defaults(&a->options);
	a->options.token_ms = 1;
	a->options.retry_min_ms = 5;
	a->options.retry_max_ms = 50;
}

static void open_all(struct attempt *a)
{
	struct err err;

	assert_int_equal(alertmanager_open(&a->all, &a->options, &err), 0);
	add_server(a, a->url[0]);
}

static void finish(struct attempt *a)
{
	if (!a->loop)
		return;
	alertmanager_stop(a->all);
	work_close(a->work);
	alertmanager_close(a->all);
	loop_close(a->loop);
	kube_http_close(a->http);
	cJSON_Delete(a->shown);
	server_end(&a->server);
}

static void take_health(const char *url, const struct notify_health *health, void *ctx)
{
	struct attempt *a = ctx;

	a->health[!strcmp(url, a->url[1])] = *health;
}

static const struct notify_health *health_of(struct attempt *a, int server)
{
	alertmanager_health(a->all, take_health, a);
	return &a->health[server];
}

static bool nothing_waits(void *ctx)
{
	return !health_of(ctx, 0)->waiting;
}

static bool as_many_sent(void *ctx)
{
	struct attempt *a = ctx;

	return health_of(a, 0)->sent >= a->wanted;
}

static bool other_failed(void *ctx)
{
	return health_of(ctx, 1)->failed >= 2;
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

static struct notice stray(const char *pci, bool ends)
{
	struct notice n = { .rule = "track.stray",
			    .verdict = ends ? "none" : "observed",
			    .device = "",
			    .pci = pci,
			    .netdev = "",
			    .owner = ends ? "" : "ml/a",
			    .actor = "",
			    .comm = "",
			    .message = "a device that nobody has given",
			    .cure = "",
			    .state = true,
			    .ends = ends,
			    .times = 1 };

	snprintf(n.key, sizeof(n.key), "track.stray|%s||", pci);
	return n;
}

static void tell(struct attempt *a, const struct notice *n)
{
	alertmanager_tell(a->all, n, wall_ns());
}

/* The alerts that the server holds for active now. */
static const cJSON *alerts_of(struct attempt *a)
{
	cJSON_Delete(a->shown);
	a->shown = ask(a, "/api/v2/alerts");
	assert_true(cJSON_IsArray(a->shown));
	return a->shown;
}

static int active(struct attempt *a)
{
	return cJSON_GetArraySize(alerts_of(a));
}

static const char *text_of(const cJSON *alert, const char *part, const char *name)
{
	const cJSON *object = part ? cJSON_GetObjectItemCaseSensitive(alert, part) : alert;
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return text ? text : "(none)";
}

/* Seconds since the epoch. */
static time_t time_of(const cJSON *alert, const char *name)
{
	struct tm tm = {};
	int n = sscanf(text_of(alert, NULL, name), "%d-%d-%dT%d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		       &tm.tm_hour, &tm.tm_min, &tm.tm_sec);

	assert_int_equal(n, 6);
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return timegm(&tm);
}

/* ---- cases ---- */

static void a_violation(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	const struct notice n = refused("0000:01:00.3", "ml/b");
	const cJSON *alert;
	time_t now;

	(void)state;
	prepare(&a);
	start_server(&a);
	open_all(&a);
	now = time(NULL);
	tell(&a, &n);
	loop_until(a.loop, nothing_waits, &a);
	assert_int_equal(active(&a), 1);
	alert = cJSON_GetArrayItem(a.shown, 0);
	assert_string_equal(text_of(alert, "labels", "alertname"), "RdmaWardenExclusiveOpen");
	assert_string_equal(text_of(alert, "labels", "severity"), "warning");
	assert_string_equal(text_of(alert, "labels", "node"), "gpu-1");
	assert_string_equal(text_of(alert, "labels", "rule"), "exclusive.open");
	assert_string_equal(text_of(alert, "labels", "verdict"), "denied");
	assert_string_equal(text_of(alert, "labels", "device"), "mlx5_3");
	assert_string_equal(text_of(alert, "labels", "pci"), "0000:01:00.3");
	assert_string_equal(text_of(alert, "labels", "namespace"), "ml");
	assert_string_equal(text_of(alert, "labels", "pod"), "b");
	assert_string_equal(text_of(alert, "labels", "owner"), "ml/a");
	assert_string_equal(text_of(alert, "annotations", "summary"), "open of a device of another owner");
	assert_contains(text_of(alert, "annotations", "description"), "by process 12 (thief) of ml/b");
	assert_string_equal(text_of(alert, "annotations", "count"), "1");
	assert_in_range(time_of(alert, "startsAt"), now - 1, now + 2);
	assert_in_range(time_of(alert, "endsAt"), now + 299, now + 320);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(alert, "labels")), 10);
}

/* A thousand of the same are one alert, in few requests; the last of them moves its end. */
static void again_and_again(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	struct notice n = refused("0000:01:00.3", "ml/b");
	const cJSON *alert;
	uint64_t when = wall_ns();

	(void)state;
	prepare(&a);
	a.options.resend_ms = 200;
	start_server(&a);
	open_all(&a);
	for (int i = 0; i < 1000; i++) {
		n.pid = i + 1; /* which is in no label */
		alertmanager_tell(a.all, &n, when + (uint64_t)i * SECOND / 10);
	}
	a.wanted = 2;
	loop_until(a.loop, as_many_sent, &a);
	loop_until(a.loop, nothing_waits, &a);
	assert_int_equal(active(&a), 1);
	alert = cJSON_GetArrayItem(a.shown, 0);
	assert_string_equal(text_of(alert, "annotations", "count"), "1000");
	assert_in_range(time_of(alert, "endsAt"), when / SECOND + 399, when / SECOND + 401);
	assert_int_equal(health_of(&a, 0)->sent, 2);
}

static bool told_for_long(void *ctx)
{
	struct attempt *a = ctx;
	const struct notice n = refused("0000:01:00.3", "ml/b");

	tell(a, &n);
	return boot_ns() >= a->wanted;
}

static void one_request_in_an_interval(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	uint64_t begin, most;

	(void)state;
	prepare(&a);
	a.options.resend_ms = 100;
	start_server(&a);
	open_all(&a);
	begin = boot_ns();
	a.wanted = begin + 500000000;
	loop_until(a.loop, told_for_long, &a);
	loop_until(a.loop, nothing_waits, &a);
	most = (boot_ns() - begin) / 100000000 + 1;
	assert_in_range(health_of(&a, 0)->sent, 2, most);
}

static void a_state_holds_and_ends(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	struct notice n = stray("0000:01:00.1", false);
	time_t now;

	(void)state;
	prepare(&a);
	a.options.resend_ms = 50;
	start_server(&a);
	open_all(&a);
	tell(&a, &n);
	a.wanted = 4; /* it is resent while it holds */
	loop_until(a.loop, as_many_sent, &a);
	now = time(NULL);
	assert_int_equal(active(&a), 1);
	assert_in_range(time_of(cJSON_GetArrayItem(a.shown, 0), "endsAt"), now + 290, now + 310);
	n = stray("0000:01:00.1", true); /* of nobody by now: the labels are those of the begin */
	tell(&a, &n);
	loop_until(a.loop, nothing_waits, &a);
	assert_int_equal(active(&a), 0);
	n = stray("0000:01:00.2", true); /* which has not begun */
	tell(&a, &n);
	assert_int_equal(health_of(&a, 0)->waiting, 0);
	n = stray("0000:01:00.1", false);
	tell(&a, &n);
	loop_until(a.loop, nothing_waits, &a);
	assert_int_equal(active(&a), 1);
	assert_int_equal(health_of(&a, 0)->failed, 0);
}

static void many_at_once(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	char pci[32];

	(void)state;
	prepare(&a);
	start_server(&a);
	open_all(&a);
	for (int i = 0; i < 300; i++) {
		struct notice n;

		snprintf(pci, sizeof(pci), "0000:%02x:%02x.0", i / 32, i % 32);
		n = stray(pci, false);
		tell(&a, &n);
	}
	loop_until(a.loop, nothing_waits, &a);
	assert_int_equal(active(&a), 300);
	assert_in_range(health_of(&a, 0)->sent, 5, 6);
}

/* One server that is away holds up no other, and misses nothing that still holds when it is back. */
static void a_server_that_is_away(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	struct notice n = stray("0000:01:00.1", false);
	char here[100];

	(void)state;
	prepare(&a);
	start_server(&a);
	open_all(&a);
	add_server(&a, a.url[1]);
	tell(&a, &n);
	loop_until(a.loop, nothing_waits, &a);
	assert_int_equal(active(&a), 1);
	loop_until(a.loop, other_failed, &a);
	assert_int_equal(health_of(&a, 1)->waiting, 1);
	assert_int_equal(health_of(&a, 1)->sent, 0);
	assert_int_equal(health_of(&a, 0)->failed, 0);
	assert_contains(health_of(&a, 1)->error, a.url[1]);
	server_end(&a.server);
	strcpy(here, a.url[0]);
	strcpy(a.url[0], a.url[1]); /* where one begins now */
	start_server(&a);
	strcpy(a.url[0], here);
	n = stray("0000:01:00.2", false);
	tell(&a, &n);
	while (health_of(&a, 1)->waiting)
		loop_until(a.loop, other_failed, &a);
	strcpy(a.url[0], a.url[1]);
	assert_int_equal(active(&a), 2);
	assert_int_equal(a.faults, 0);
}

/* What is over before the server answers is told to it no more, and is counted. */
static void too_late(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	struct notice n = refused("0000:01:00.3", "ml/b");

	(void)state;
	prepare(&a);
	open_all(&a);
	alertmanager_tell(a.all, &n, wall_ns() - 301 * SECOND);
	n = refused("0000:01:00.4", "ml/b");
	tell(&a, &n);
	assert_int_equal(health_of(&a, 0)->waiting, 1);
	assert_int_equal(health_of(&a, 0)->dropped, 1);
	assert_int_equal(a.faults, 1);
	assert_contains(a.fault, "1 alerts are not told to http://127.0.0.1:");
}

static bool failed_once(void *ctx)
{
	return health_of(ctx, 0)->failed >= 1;
}

/* It is over while a server that takes connections and says nothing is waited for. */
static void over_while_it_is_sent(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct notice n = refused("0000:01:00.3", "ml/b");
	socklen_t len = sizeof(addr);

	(void)state;
	prepare(&a);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len) | listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	snprintf(a.url[0], sizeof(a.url[0]), "http://127.0.0.1:%u", ntohs(addr.sin_port));
	a.options.answer_ms = 1000;
	open_all(&a);
	alertmanager_tell(a.all, &n, wall_ns() - 300 * SECOND + SECOND / 5);
	usleep(300000);
	n = refused("0000:01:00.4", "ml/b");
	tell(&a, &n);
	loop_until(a.loop, failed_once, &a);
	assert_int_equal(health_of(&a, 0)->dropped, 1);
	assert_int_equal(health_of(&a, 0)->waiting, 1);
	assert_int_equal(a.faults, 1);
}

static void more_than_there_is_room_for(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	char pci[32];

	(void)state;
	prepare(&a);
	a.options.most = 3;
	start_server(&a);
	open_all(&a);
	for (int i = 0; i < 10; i++) {
		struct notice n;

		snprintf(pci, sizeof(pci), "0000:01:00.%d", i);
		n = i % 2 ? refused(pci, "ml/b") : stray(pci, false);
		tell(&a, &n);
	}
	loop_until(a.loop, nothing_waits, &a);
	assert_in_range(health_of(&a, 0)->dropped, 6,
			7); /* the first of them was sent at once, and may be among those */
	assert_in_range(active(&a), 3, 4);
	assert_int_equal(a.faults, 1);
}

static void hostile_texts(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	struct notice n = refused("\"}\n{\x01\xff", "a\\/\xc3");
	char longest[3000];

	(void)state;
	prepare(&a);
	memset(longest, '"', sizeof(longest));
	for (size_t i = 0; i + 3 < sizeof(longest) / 2; i += 3)
		memcpy(longest + i, "\xe2\x82\xac", 3);
	longest[sizeof(longest) - 1] = '\0';
	n.message = n.comm = n.cure = n.device = n.owner = longest;
	start_server(&a);
	open_all(&a);
	tell(&a, &n);
	loop_until(a.loop, nothing_waits, &a);
	assert_int_equal(active(&a), 1);
	assert_string_equal(text_of(cJSON_GetArrayItem(a.shown, 0), "labels", "pci"), "\"}?{??");
	assert_string_equal(text_of(cJSON_GetArrayItem(a.shown, 0), "labels", "pod"), "?");
	assert_int_equal(health_of(&a, 0)->failed, 0);
}

/* A wrong path may be a server that is set up anew: it is tried again. */
static void something_else_answers(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	const struct notice n = stray("0000:01:00.1", false);

	(void)state;
	prepare(&a);
	start_server(&a);
	assert_int_equal(alertmanager_open(&a.all, &a.options, NULL), 0);
	snprintf(a.url[1], sizeof(a.url[1]), "%.64s/elsewhere", a.url[0]);
	add_server(&a, a.url[1]);
	tell(&a, &n);
	loop_until(a.loop, other_failed, &a);
	assert_contains(health_of(&a, 1)->error, "/elsewhere answers 404");
	assert_int_equal(health_of(&a, 1)->waiting, 1);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(a_violation),
		cmocka_unit_test(again_and_again),
		cmocka_unit_test(one_request_in_an_interval),
		cmocka_unit_test(a_state_holds_and_ends),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(a_server_that_is_away),
		cmocka_unit_test(too_late),
		cmocka_unit_test(over_while_it_is_sent),
		cmocka_unit_test(more_than_there_is_room_for),
		cmocka_unit_test(hostile_texts),
		cmocka_unit_test(something_else_answers),
	};

	return RUN_CASES("alertmanager", cases);
}
