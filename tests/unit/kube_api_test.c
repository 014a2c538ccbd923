// SPDX-License-Identifier: Apache-2.0
/* The Kubernetes API as the source of this node's pods: what it is asked, and all that it could answer. */
#include "kube/api.h"

#include <errno.h>

#include "kube_standin.h"

#define LONG_MS 120000 /* no test waits for that */
#define SHORT_MS 300 /* for what hangs */

#define POD(name, version, more)                                                                         \
	"{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"ns\",\"name\":\"" name "\",\"uid\":\"uid-" name \
	"\",\"resourceVersion\":\"" version "\"},\"status\":{" more "}}"
#define LIST(version, more, items)                                                                                     \
	"line {\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"" version "\"" more "},\"items\":[" items "]}" \
	"\n"
#define EVENT(type, object) "line {\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(version) EVENT("BOOKMARK", "{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"" version "\"}}")
#define STATUS(code) "{\"kind\":\"Status\",\"code\":" code ",\"message\":\"code " code "\"}"
#define PODS "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1"
#define WATCH PODS "&watch=true&allowWatchBookmarks=true&timeoutSeconds=1&resourceVersion="

struct attempt {
	struct standin server;
	struct kube_config config;
	struct loop *loop;
	struct kube_api *api;
	struct err err;
	bool (*enough)(struct attempt *a); /* is asked after each change */
	unsigned int wanted; /* for `enough` */
	unsigned int errors; /* that were told */
	uint64_t failed_ns; /* when the first of them was */
	struct err first;
};

static void prepare_with(struct attempt *a, const char *certificate)
{
	struct kube_config *c = &a->config;

	standin_start(&a->server, certificate);
	snprintf(c->server, sizeof(c->server), "https://127.0.0.1:%u", a->server.port);
	strcpy(c->node, "node-1");
	snprintf(c->token, sizeof(c->token), "%s/token", a->server.dir);
	snprintf(c->ca, sizeof(c->ca), "%s", temp_path("right.pem"));
	c->answer_ms = LONG_MS;
	c->watch_s = 1;
	c->retry_min_ms = 1;
	c->retry_max_ms = 10;
	standin_write(&a->server, "token", "t1\n");
	assert_int_equal(loop_open(&a->loop), 0);
}

static void prepare(struct attempt *a)
{
	prepare_with(a, "right");
}

static void finish(struct attempt *a)
{
	kube_api_close(a->api);
	loop_close(a->loop);
	standin_stop(&a->server);
}

static void changed(void *ctx)
{
	struct attempt *a = ctx;
	const struct kube_health *health = kube_api_health(a->api);

	if (health->failures) {
		if (!a->errors++) {
			a->failed_ns = boot_ns();
			a->first = health->error;
		}
	}
	if (a->enough(a))
		loop_stop(a->loop);
}

/* Until `enough`; what never comes ends the program. */
static void run_until(struct attempt *a, bool (*enough)(struct attempt *a))
{
	a->enough = enough;
	if (kube_api_open(&a->api, &a->config, a->loop, changed, a, &a->err))
		test_fail("%s", a->err.text);
	alarm(LONG_MS / 1000);
	assert_int_equal(loop_run(a->loop), 0);
	alarm(0);
}

static const struct kube_pod *pod_of(const struct attempt *a, const char *uid)
{
	return kube_pods_find(kube_api_pods(a->api), uid);
}

static bool has_pod(const struct attempt *a, const char *uid)
{
	return pod_of(a, uid) != NULL;
}

static void assert_request(const struct attempt *a, unsigned int n, const char *request)
{
	assert_string_equal(standin_request(&a->server, n), request);
}

static bool listed(struct attempt *a)
{
	return kube_api_health(a->api)->listed;
}

static bool as_many_errors(struct attempt *a)
{
	return a->errors == a->wanted;
}

static bool pod_z(struct attempt *a)
{
	return has_pod(a, "uid-z");
}

/* ---- list and watch ---- */

static void a_list_in_pages(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a);
	standin_answer(&a.server, LIST("12", ",\"continue\":\"a/+=b\"", POD("a", "5", "") "," POD("b", "6", "")));
	standin_answer(&a.server, LIST("12", "", POD("c", "7", "")));
	standin_answer(&a.server, EVENT("ADDED", POD("z", "13", "")));
	run_until(&a, pod_z);
	assert_int_equal(kube_api_pods(a.api)->count, 4);
	assert_int_equal(a.errors, 0);
	assert_request(&a, 1, PODS "&limit=25 Bearer t1");
	assert_request(&a, 2, PODS "&limit=25&continue=a%2F%2B%3Db Bearer t1");
	assert_request(&a, 3, WATCH "12 Bearer t1");
}

static void pages_are_shown_when_all_are_there(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a);
	standin_answer(&a.server, LIST("12", ",\"continue\":\"x\"", POD("a", "5", "")));
	standin_answer(&a.server, "status 500\n");
	standin_answer(&a.server, LIST("12", "", POD("b", "6", "")));
	run_until(&a, listed);
	assert_int_equal(a.errors, 1);
	assert_int_equal(kube_api_pods(a.api)->count, 1);
	assert_true(has_pod(&a, "uid-b"));
	assert_request(&a, 3, PODS "&limit=25 Bearer t1");
}

static void events(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a);
	standin_answer(&a.server, LIST("10", "", POD("a", "5", "\"phase\":\"Pending\"") "," POD("b", "6", "")));
	standin_answer(&a.server,
		       EVENT("MODIFIED", POD("a", "11", "\"phase\":\"Running\"")) EVENT("DELETED", POD("b", "12", ""))
			       EVENT("ADDED", POD("c", "13", "")) "piece {\"type\":\"ADDED\",\n"
								  "line \"object\":" POD("z", "14", "") "}\n"
													"hang\n");
	run_until(&a, pod_z);
	assert_int_equal(a.errors, 0);
	assert_int_equal(kube_api_pods(a.api)->count, 3);
	assert_string_equal(pod_of(&a, "uid-a")->phase, "Running");
	assert_false(has_pod(&a, "uid-b"));
	assert_true(has_pod(&a, "uid-c"));
}

static void a_bookmark_moves_the_version(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a);
	standin_answer(&a.server, LIST("10", "", ""));
	standin_answer(&a.server, BOOKMARK("50"));
	standin_answer(&a.server, EVENT("ADDED", POD("z", "51", "")));
	run_until(&a, pod_z);
	assert_int_equal(a.errors, 0);
	assert_request(&a, 3, WATCH "50 Bearer t1");
}

/* No machine is so busy that it takes a tenth of that time. */
static void a_watch_that_ends_before_its_time(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a);
	a.config.watch_s = LONG_MS / 1000 * 10;
	standin_answer(&a.server, LIST("10", "", ""));
	standin_answer(&a.server, "");
	standin_answer(&a.server, EVENT("ADDED", POD("z", "11", "")));
	run_until(&a, pod_z);
	assert_int_equal(a.errors, 1);
	assert_contains(a.first.text, "before its time");
	assert_contains(standin_request(&a.server, 3), "&resourceVersion=10 ");
}

/* ---- 410 ---- */

/* The table is replaced, and at once: LONG_MS is not waited for. */
static void gone(const char *answer)
{
	_cleanup_(finish) struct attempt a = {};

	prepare(&a);
	a.config.retry_min_ms = a.config.retry_max_ms = 2 * LONG_MS;
	standin_answer(&a.server, LIST("10", "", POD("a", "5", "")));
	standin_answer(&a.server, answer);
	standin_answer(&a.server, LIST("99", "", POD("z", "98", "")));
	run_until(&a, pod_z);
	assert_int_equal(kube_api_pods(a.api)->count, 1);
	assert_request(&a, 3, PODS "&limit=25 Bearer t1");
}

static void gone_by_status(void **state)
{
	(void)state;
	gone("status 410\nline " STATUS("410") "\n");
}

static void gone_by_event(void **state)
{
	(void)state;
	gone(EVENT("ERROR", STATUS("410")) "hang\n");
}

static void gone_between_pages(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a);
	a.config.retry_min_ms = a.config.retry_max_ms = 2 * LONG_MS;
	standin_answer(&a.server, LIST("10", ",\"continue\":\"old\"", POD("a", "5", "")));
	standin_answer(&a.server, "status 410\nline " STATUS("410") "\n");
	standin_answer(&a.server, LIST("99", "", POD("z", "98", "")));
	run_until(&a, pod_z);
	assert_int_equal(kube_api_pods(a.api)->count, 1);
	assert_request(&a, 3, PODS "&limit=25 Bearer t1");
}

/* The second one in a row waits: a server that always forgets is not asked over and over. */
static void gone_again(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a);
	a.config.retry_min_ms = a.config.retry_max_ms = SHORT_MS;
	for (int i = 0; i < 2; i++) {
		standin_answer(&a.server, LIST("10", "", ""));
		standin_answer(&a.server, "status 410\n");
	}
	standin_answer(&a.server, LIST("99", "", POD("z", "98", "")));
	run_until(&a, pod_z);
	assert_true(boot_ns() - a.failed_ns >= SHORT_MS * 1000000ull);
}

static void another_error_event(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a);
	standin_answer(&a.server, LIST("10", "", POD("a", "5", "")));
	standin_answer(&a.server, EVENT("ERROR", STATUS("500")) "hang\n");
	standin_answer(&a.server, LIST("99", "", POD("z", "98", "")));
	run_until(&a, pod_z);
	assert_contains(a.first.text, "code 500");
	assert_int_equal(kube_api_pods(a.api)->count, 1);
}

/* ---- answers that are none ---- */

/* The half of an event is not taken, and the watch goes on behind the last whole one. */
static void the_connection_breaks(const char *end)
{
	_cleanup_(finish) struct attempt a = {};
	char steps[1024];

	prepare(&a);
	snprintf(steps, sizeof(steps), "%spiece {\"type\":\"ADDED\",\"object\":{\n%s",
		 EVENT("ADDED", POD("b", "11", "")), end);
	standin_answer(&a.server, LIST("10", "", POD("a", "5", "")));
	standin_answer(&a.server, steps);
	standin_answer(&a.server, EVENT("ADDED", POD("z", "12", "")));
	run_until(&a, pod_z);
	assert_int_equal(a.errors, 1);
	assert_int_equal(kube_api_pods(a.api)->count, 3);
	assert_request(&a, 3, WATCH "11 Bearer t1");
}

static void a_connection_that_breaks_in_a_line(void **state)
{
	(void)state;
	the_connection_breaks("cut\n");
}

static void a_watch_that_ends_in_a_line(void **state)
{
	(void)state;
	the_connection_breaks("");
}

static void the_watch_is_garbage(const char *line)
{
	_cleanup_(finish) struct attempt a = {};
	char steps[2048];

	prepare(&a);
	snprintf(steps, sizeof(steps), "line %s\nhang\n", line);
	standin_answer(&a.server, LIST("10", "", POD("a", "5", "")));
	standin_answer(&a.server, steps);
	standin_answer(&a.server, LIST("99", "", POD("z", "98", "")));
	run_until(&a, pod_z);
	assert_int_equal(a.errors, 1);
	assert_int_equal(kube_api_pods(a.api)->count, 1);
	assert_request(&a, 3, PODS "&limit=25 Bearer t1");
}

static void garbage_in_a_watch(void **state)
{
	static const char *const lines[] = {
		"<html>",
		"[]",
		"",
		"{}",
		"{\"type\":\"GREETED\",\"object\":" POD("b", "11", "") "}",
		"{\"type\":\"ADDED\",\"object\":" POD("b", "11", "") "} {}",
		"{\"type\":\"ADDED\",\"object\":{}}",
		"{\"type\":\"ADDED\",\"object\":" POD("b", "", "") "}",
		"{\"type\":\"DELETED\"}",
		"{\"type\":\"BOOKMARK\",\"object\":{}}",
		"{\"type\":7}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		the_watch_is_garbage(lines[i]);
}

static void garbage_for_a_list(void **state)
{
	static const char *const answers[] = {
		"line garbage\n",
		"",
		"line {\"kind\":\"Status\"}\n",
		"line {\"kind\":\"PodList\",\"metadata\":{}}\n",
		"line {\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"1\"},\"items\":7}\n",
		LIST("1", "", "7"),
		LIST("1", "", POD("a", "5", "") ",{}"),
		"line {\"kind\":\"NodeList\",\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[]}\n",
		"piece {\"kind\":\"PodList\"\ncut\n",
	};
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a);
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		standin_answer(&a.server, answers[i]);
	standin_answer(&a.server, LIST("10", "", POD("z", "5", "")));
	run_until(&a, listed);
	assert_int_equal(a.errors, ARRAY_SIZE(answers));
	assert_int_equal(kube_api_pods(a.api)->count, 1);
}

static void a_huge_line(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a);
	standin_answer(&a.server, LIST("10", "", POD("a", "5", "")));
	standin_answer(&a.server, "fill 3000000\nfill 3000000\nhang\n");
	standin_answer(&a.server, LIST("99", "", POD("z", "98", "")));
	run_until(&a, pod_z);
	assert_contains(a.first.text, "more than 4194304 bytes");
	assert_request(&a, 3, PODS "&limit=25 Bearer t1");
}

static void a_huge_page_is_asked_for_in_smaller_ones(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a);
	standin_answer(&a.server, "fill 5000000\nhang\n");
	standin_answer(&a.server, LIST("10", "", POD("a", "5", "")));
	run_until(&a, listed);
	assert_contains(a.first.text, "more than 4194304 bytes");
	assert_request(&a, 2, PODS "&limit=12 Bearer t1");
}

/* What a pod's maker may write does not hide the other pods. */
static void a_nul_in_an_annotation(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a);
	standin_answer(&a.server,
		       LIST("10", "",
			    "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"n\",\"uid\":\"uid-n\",\"annotations\":"
			    "{\"kubernetes.io/config.mirror\":\"a\\u0000b\",\"x\":\"\\u0001\"}}}," POD("z", "5", "")));
	run_until(&a, listed);
	assert_int_equal(a.errors, 0);
	assert_int_equal(kube_api_pods(a.api)->count, 2);
}

/* ---- who is asked, and by whom ---- */

static bool listed_with_new_token(struct attempt *a)
{
	if (a->errors)
		standin_write(&a->server, "token", "t2");
	return listed(a);
}

static void a_token_that_is_replaced(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a);
	standin_answer(&a.server, "status 401\nline " STATUS("401") "\n");
	standin_answer(&a.server, LIST("10", "", ""));
	run_until(&a, listed_with_new_token);
	assert_int_equal(a.errors, 1);
	assert_string_equal(a.first.text, "the API server answers 401: code 401");
	assert_request(&a, 1, PODS "&limit=25 Bearer t1");
	assert_request(&a, 2, PODS "&limit=25 Bearer t2");
}

static void a_token_that_is_none(const char *token)
{
	_cleanup_(finish) struct attempt a = { .wanted = 1 };

	prepare(&a);
	if (token)
		standin_write(&a.server, "token", token);
	else
		unlink(a.config.token);
	run_until(&a, as_many_errors);
	assert_contains(a.first.text, a.config.token);
	assert_request(&a, 1, "");
}

static void tokens_that_are_none(void **state)
{
	char longest[20000];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	a_token_that_is_none(NULL);
	a_token_that_is_none("");
	a_token_that_is_none("\n");
	a_token_that_is_none("t1\r\nX-Remote-User: admin");
	a_token_that_is_none(longest);
}

static bool listed_with_right_ca(struct attempt *a)
{
	if (a->errors)
		rename(temp_path("next.pem"), temp_path("ca.pem"));
	return listed(a);
}

/* No request is sent to it. When the file holds its CA, it is asked. */
static void a_server_of_another_ca(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	char command[1024];

	(void)state;
	prepare(&a);
	snprintf(command, sizeof(command), "cd '%s' && cp other.pem ca.pem && cp right.pem next.pem", temp_dir());
	assert_int_equal(system(command), 0);
	snprintf(a.config.ca, sizeof(a.config.ca), "%s", temp_path("ca.pem"));
	standin_answer(&a.server, LIST("10", "", ""));
	run_until(&a, listed_with_right_ca);
	assert_contains(a.first.text, "certificate");
	assert_request(&a, 1, PODS "&limit=25 Bearer t1");
}

static void a_server_of_another_name(void **state)
{
	_cleanup_(finish) struct attempt a = { .wanted = 2 };

	(void)state;
	prepare_with(&a, "elsewhere");
	snprintf(a.config.ca, sizeof(a.config.ca), "%s", temp_path("elsewhere.pem"));
	run_until(&a, as_many_errors);
	assert_contains(a.first.text, "certificate");
	assert_request(&a, 1, "");
}

/* The token is for nobody else. */
static void no_redirection_is_followed(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	char steps[512];

	(void)state;
	prepare(&a);
	snprintf(steps, sizeof(steps), "status 302 Location: %s/elsewhere\n", a.config.server);
	standin_answer(&a.server, steps);
	standin_answer(&a.server, LIST("10", "", ""));
	run_until(&a, listed);
	assert_int_equal(a.errors, 1);
	assert_request(&a, 2, PODS "&limit=25 Bearer t1");
}

static void no_proxy_is_asked(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a);
	setenv("https_proxy", "http://127.0.0.1:1", 1);
	standin_answer(&a.server, LIST("10", "", ""));
	run_until(&a, listed);
	unsetenv("https_proxy");
	assert_int_equal(a.errors, 0);
}

/* ---- time ---- */

static void slow(const char *answer)
{
	_cleanup_(finish) struct attempt a = { .wanted = 1 };

	prepare(&a);
	a.config.answer_ms = SHORT_MS;
	standin_answer(&a.server, answer);
	run_until(&a, as_many_errors);
	assert_contains(a.first.text, "ime");
	assert_int_equal(kube_api_pods(a.api)->count, 0);
}

static void a_server_that_does_not_answer(void **state)
{
	(void)state;
	slow("silent\n");
}

static void a_server_that_never_ends_a_list(void **state)
{
	(void)state;
	slow("trickle\n");
}

static bool two_watches_failed(struct attempt *a)
{
	const struct kube_health *health = kube_api_health(a->api);

	return health->listed && health->failures >= 2;
}

/* The watch's own time, which is longer, is not waited for, and it goes on from where it was. */
static void a_watch_that_does_not_begin(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	unsigned int last = 0;

	(void)state;
	prepare(&a);
	a.config.answer_ms = 1000; /* a list that takes longer on a busy machine is asked for again */
	a.config.watch_s = 2 * LONG_MS / 1000;
	standin_write(&a.server, "list", LIST("10", "", ""));
	standin_write(&a.server, "watch", "silent\n");
	run_until(&a, two_watches_failed);
	assert_contains(kube_api_health(a.api)->error.text, "Timeout");
	while (*standin_request(&a.server, last + 1))
		last++;
	assert_contains(standin_request(&a.server, last - 1), "&resourceVersion=10 ");
	assert_contains(standin_request(&a.server, last), "&resourceVersion=10 ");
}

static void a_server_that_asks_to_wait(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a);
	a.config.retry_max_ms = LONG_MS;
	standin_answer(&a.server, "status 429 Retry-After: 1\n");
	standin_answer(&a.server, LIST("10", "", ""));
	run_until(&a, listed);
	assert_true(boot_ns() - a.failed_ns >= 1000000000);
}

/* 1, 2, 4, 8 and 10 units of time at the least. */
static void failures_are_waited_for_longer_and_longer(void **state)
{
	_cleanup_(finish) struct attempt a = {};

	(void)state;
	prepare(&a);
	a.config.retry_min_ms = 20;
	a.config.retry_max_ms = 300;
	for (int i = 0; i < 5; i++)
		standin_answer(&a.server, "status 503\n");
	standin_answer(&a.server, LIST("10", "", ""));
	run_until(&a, listed);
	assert_int_equal(a.errors, 5);
	assert_true(boot_ns() - a.failed_ns >= (20 + 40 + 80 + 160 + 200) * 1000000ull);
}

static bool server_away(struct attempt *a)
{
	const struct kube_health *health = kube_api_health(a->api);

	if (health->listed)
		standin_stop(&a->server);
	return health->listed && health->failures >= 3;
}

static void what_was_known_stays_while_the_server_is_away(void **state)
{
	_cleanup_(finish) struct attempt a = {};
	const struct kube_health *health;

	(void)state;
	prepare(&a);
	standin_answer(&a.server, LIST("10", "", POD("a", "5", "")));
	run_until(&a, server_away);
	health = kube_api_health(a.api);
	assert_true(has_pod(&a, "uid-a"));
	assert_true(health->success_ns && health->success_ns < health->error_ns && health->error_ns <= boot_ns());
	assert_true(health->error.text[0]);
}

/* It does not wait for the end of the watch, nor for that of a pause. */
static void it_is_closed_while_it_waits(void **state)
{
	_cleanup_(finish) struct attempt watching = {}, pausing = { .wanted = 1 };

	(void)state;
	prepare(&watching);
	standin_answer(&watching.server, LIST("10", "", ""));
	run_until(&watching, listed);
	while (!*standin_request(&watching.server, 2))
		usleep(1000);
	prepare(&pausing);
	pausing.config.retry_min_ms = pausing.config.retry_max_ms = 2 * LONG_MS;
	standin_answer(&pausing.server, "status 500\n");
	run_until(&pausing, as_many_errors);
	alarm(30);
	kube_api_close(watching.api);
	kube_api_close(pausing.api);
	alarm(0);
	watching.api = pausing.api = NULL;
}

/* ---- configuration ---- */

static int configure(const char *host, const char *port, const char *node, struct kube_config *config)
{
	struct err err;

	setenv("KUBERNETES_SERVICE_HOST", host, 1);
	setenv("KUBERNETES_SERVICE_PORT", port, 1);
	return kube_config_in_cluster(config, node, &err);
}

static void in_a_cluster(void **state)
{
	struct kube_config c;
	struct err err;

	(void)state;
	assert_int_equal(configure("10.96.0.1", "443", "node-1.example", &c), 0);
	assert_string_equal(c.server, "https://10.96.0.1:443");
	assert_string_equal(c.node, "node-1.example");
	assert_string_equal(c.token, "/var/run/secrets/kubernetes.io/serviceaccount/token");
	assert_string_equal(c.ca, "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt");
	assert_int_equal(configure("fd00::1", "6443", "n", &c), 0);
	assert_string_equal(c.server, "https://[fd00::1]:6443");
	assert_int_equal(configure("evil/x?", "443", "n", &c), -EINVAL);
	assert_int_equal(configure("", "443", "n", &c), -EINVAL);
	assert_int_equal(configure("h", "443x", "n", &c), -EINVAL);
	assert_int_equal(configure("h", "0", "n", &c), -EINVAL);
	assert_int_equal(configure("h", "443", "", &c), -EINVAL);
	assert_int_equal(configure("h", "443", "n&limit=1", &c), -EINVAL);
	unsetenv("KUBERNETES_SERVICE_PORT");
	assert_int_equal(kube_config_in_cluster(&c, "n", &err), -ENOENT);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(a_list_in_pages),
		cmocka_unit_test(pages_are_shown_when_all_are_there),
		cmocka_unit_test(events),
		cmocka_unit_test(a_bookmark_moves_the_version),
		cmocka_unit_test(a_watch_that_ends_before_its_time),
		cmocka_unit_test(gone_by_status),
		cmocka_unit_test(gone_by_event),
		cmocka_unit_test(gone_between_pages),
		cmocka_unit_test(gone_again),
		cmocka_unit_test(another_error_event),
		cmocka_unit_test(a_connection_that_breaks_in_a_line),
		cmocka_unit_test(a_watch_that_ends_in_a_line),
		cmocka_unit_test(garbage_in_a_watch),
		cmocka_unit_test(garbage_for_a_list),
		cmocka_unit_test(a_huge_line),
		cmocka_unit_test(a_huge_page_is_asked_for_in_smaller_ones),
		cmocka_unit_test(a_nul_in_an_annotation),
		cmocka_unit_test(a_token_that_is_replaced),
		cmocka_unit_test(tokens_that_are_none),
		cmocka_unit_test(a_server_of_another_ca),
		cmocka_unit_test(a_server_of_another_name),
		cmocka_unit_test(no_redirection_is_followed),
		cmocka_unit_test(no_proxy_is_asked),
		cmocka_unit_test(a_server_that_does_not_answer),
		cmocka_unit_test(a_server_that_never_ends_a_list),
		cmocka_unit_test(a_watch_that_does_not_begin),
		cmocka_unit_test(a_server_that_asks_to_wait),
		cmocka_unit_test(failures_are_waited_for_longer_and_longer),
		cmocka_unit_test(what_was_known_stays_while_the_server_is_away),
		cmocka_unit_test(it_is_closed_while_it_waits),
		cmocka_unit_test(in_a_cluster),
	};

	temp_dir();
	make_certificate("right", "127.0.0.1");
	make_certificate("other", "127.0.0.1");
	make_certificate("elsewhere", "127.0.0.2");
	return RUN_CASES("kube_api", cases);
}
