// SPDX-License-Identifier: Apache-2.0
/* How much is told to others and how often, and what of an event that is. */
#include "report/notify.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/test.h"
#include "lib/json.h"
#include "lib/util.h"
#include "report/kube_events.h"
#include "report/notice.h"

#define SECOND 1000000000ull

/* ---- how often, how many ---- */

static void a_bucket(void **state)
{
	struct notify_bucket b = { .size = 3, .token_ns = SECOND };
	uint64_t now = 100 * SECOND;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(notify_bucket_due(&b, now), now);
		notify_bucket_take(&b, now);
	}
	assert_int_equal(notify_bucket_due(&b, now), now + SECOND);
	assert_int_equal(notify_bucket_due(&b, now + SECOND / 4), now + SECOND);
	now += SECOND;
	assert_int_equal(notify_bucket_due(&b, now), now);
	notify_bucket_take(&b, now);
	assert_int_equal(notify_bucket_due(&b, now), now + SECOND);
	now += 1000 * SECOND; /* never more than its size */
	for (int i = 0; i < 3; i++)
		notify_bucket_take(&b, now);
	assert_int_equal(notify_bucket_due(&b, now), now + SECOND);
}

static void a_series(void **state)
{
	struct notify_series s = {};

	(void)state;
	notify_series_add(&s, 1, 50);
	notify_series_add(&s, 7, 70);
	notify_series_add(&s, 1, 60); /* an event that was read late */
	assert_int_equal(s.first_ns, 50);
	assert_int_equal(s.last_ns, 70);
	notify_series_begin(&s, 1000, 10);
	notify_series_add(&s, 1, 80);
	assert_int_equal(s.telling, 9);
	assert_int_equal(s.count, 10);
	assert_int_equal(s.told, 0);
	assert_int_equal(s.next_ns, 1010);
}

static bool may_go(const struct notify_item *item)
{
	return strcmp(item->key, "a") != 0;
}

static void a_table(void **state)
{
	struct notify_item a = {}, b = {}, c = {}, d = {};
	struct notify_table t = { .most = 3 };

	(void)state;
	assert_int_equal(notify_put(&t, &a, "a"), 0);
	assert_int_equal(notify_put(&t, &b, "b"), 0);
	assert_int_equal(notify_put(&t, &c, "c"), 0);
	assert_int_equal(notify_put(&t, &d, "d"), -ENOSPC);
	assert_ptr_equal(notify_find(&t, "b"), &b);
	assert_null(notify_find(&t, "d"));
	assert_ptr_equal(notify_oldest(&t, may_go), &b);
	b.busy = true;
	assert_ptr_equal(notify_oldest(&t, may_go), &c);
	b.busy = false;
	notify_move_last(&t, &b);
	assert_ptr_equal(t.first, &a);
	assert_ptr_equal(t.last, &b);
	assert_ptr_equal(notify_oldest(&t, may_go), &c);
	notify_remove(&t, &a);
	assert_ptr_equal(t.first, &c);
	assert_int_equal(notify_put(&t, &d, "d"), 0);
	notify_remove(&t, &d);
	notify_remove(&t, &c);
	notify_remove(&t, &b);
	assert_null(t.first);
	assert_null(t.last);
	assert_int_equal(t.count, 0);
}

/* ---- names ---- */

static void names_of_rules(void **state)
{
	static const char *const pairs[][2] = { { "exclusive.open", "ExclusiveOpen" },
						{ "exclusive.inherited-fd", "ExclusiveInheritedFd" },
						{ "qos.effect.cnp-sent", "QosEffectCnpSent" },
						{ "", "" },
						{ "..-", "" } };
	char to[NOTICE_NAME_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		notice_name(pairs[i][0], to);
		assert_string_equal(to, pairs[i][1]);
	}
	notice_name("a23456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789", to);
	assert_int_equal(strlen(to), NOTICE_NAME_LEN - 1);
}

static void names_of_events(void **state)
{
	char longest[NAME_MAX + 1], to[KUBE_EVENT_NAME_MAX + 1];

	(void)state;
	kube_event_name("trainer-0", 0x1f, to);
	assert_string_equal(to, "trainer-0.000000000000001f");
	memset(longest, 'a', 253);
	longest[253] = '\0';
	longest[235] = '.'; /* where it is cut */
	longest[234] = '-';
	kube_event_name(longest, UINT64_MAX, to);
	assert_int_equal(strlen(to), 234 + 17);
	assert_string_equal(to + 233, "a.ffffffffffffffff");
}

/* ---- texts ---- */

static void texts_are_cleaned(void **state)
{
	char to[8];

	(void)state;
	notice_clean("a\nb\x7f\x01", to, sizeof(to));
	assert_string_equal(to, "a?b??");
	notice_clean("\xff\xc3\xa4\xc3", to, sizeof(to));
	assert_string_equal(to, "?\xc3\xa4?");
	notice_clean("abcdef\xc3\xa4", to, sizeof(to)); /* which has no room any more */
	assert_string_equal(to, "abcdef");
	notice_clean("abcdefghi", to, sizeof(to));
	assert_string_equal(to, "abcdefg");
}

static cJSON *event_of(const char *text)
{
	cJSON *json = cJSON_Parse(text);

	assert_non_null(json);
	return json;
}

#define OPENED(pid, owner)                                                                                          \
	"{\"kind\":\"violation\",\"rule\":\"exclusive.open\",\"verdict\":\"denied\",\"device\":\"mlx5_3\","         \
	"\"pci\":\"0000:01:00.3\",\"owner\":\"" owner "\",\"actor\":{\"pid\":" pid ",\"comm\":\"thief\",\"uid\":0," \
	"\"pod\":\"ml/b\"},\"merged\":4,\"message\":\"open of a device of another owner\",\"detail\":{}}"

static void a_violation(void **state)
{
	_cleanup_(json_free) cJSON *json = event_of(OPENED("12", "ml/a"));
	_cleanup_(json_free) cJSON *same = event_of(OPENED("13", "ml/a"));
	_cleanup_(json_free) cJSON *other = event_of(OPENED("12", "ml/c"));
	struct notice n, again;
	char text[1025];

	(void)state;
	assert_true(notice_read(json, &n));
	assert_int_equal(n.times, 5);
	assert_true(n.has_actor && !n.state && !n.ends);
	notice_text(&n, text, sizeof(text));
	assert_string_equal(text, "denied: open of a device of another owner; device mlx5_3 0000:01:00.3 of ml/a; "
				  "by process 12 (thief) of ml/b");
	assert_true(notice_read(same, &again));
	assert_string_equal(n.key, again.key);
	assert_true(notice_read(other, &again));
	assert_string_not_equal(n.key, again.key);
}

static void what_is_told_to_nobody(void **state)
{
	static const char *const events[] = { "{}", "{\"kind\":\"change\",\"rule\":\"claim.set\"}",
					      "{\"kind\":\"fault\",\"rule\":\"warden.fault\"}",
					      "{\"kind\":7,\"rule\":[],\"actor\":\"x\"}" };
	struct notice n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		_cleanup_(json_free) cJSON *json = event_of(events[i]);

		assert_false(notice_read(json, &n));
	}
}

/* Whose the device was may be unknown when it ends. */
static void a_state_ends_as_it_began(void **state)
{
	static const char *const pairs[][2] = {
		{ "{\"kind\":\"violation\",\"rule\":\"track.stray\",\"verdict\":\"observed\",\"device\":\"\",\"pci\":"
		  "\"0000:01:00.1\","
		  "\"owner\":\"ml/a\",\"message\":\"m\",\"detail\":{\"owners\":[\"ml/a\",\"\"]}}",
		  "{\"kind\":\"change\",\"rule\":\"track.stray\",\"verdict\":\"none\",\"device\":\"\",\"pci\":\"0000:"
		  "01:00.1\","
		  "\"owner\":\"ml/a\",\"message\":\"no longer: m\",\"detail\":{\"owners\":[\"ml/a\",\"\"]}}" },
		{ "{\"kind\":\"violation\",\"rule\":\"qos.effect.sequence\",\"verdict\":\"observed\",\"device\":\"mlx5_"
		  "1\","
		  "\"pci\":\"0000:01:00.1\",\"owner\":\"ml/a\",\"message\":\"m\",\"detail\":{\"netdev\":\"\"}}",
		  "{\"kind\":\"change\",\"rule\":\"qos.effect.sequence\",\"verdict\":\"none\",\"device\":\"mlx5_1\","
		  "\"pci\":\"\",\"owner\":\"\",\"message\":\"m\",\"detail\":{\"netdev\":\"\"}}" },
		{ "{\"kind\":\"violation\",\"rule\":\"qos.effect.pause\",\"verdict\":\"observed\",\"device\":\"\","
		  "\"pci\":\"\",\"owner\":\"\",\"message\":\"m\",\"detail\":{\"netdev\":\"p0\"}}",
		  "{\"kind\":\"change\",\"rule\":\"qos.effect.pause\",\"verdict\":\"none\",\"device\":\"\","
		  "\"pci\":\"\",\"owner\":\"\",\"message\":\"m\",\"detail\":{\"netdev\":\"p0\"}}" },
	};
	struct notice begin, end;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		_cleanup_(json_free) cJSON *one = event_of(pairs[i][0]);
		_cleanup_(json_free) cJSON *two = event_of(pairs[i][1]);

		assert_true(notice_read(one, &begin));
		assert_true(notice_read(two, &end));
		assert_true(begin.state && !begin.ends && end.state && end.ends && !begin.has_actor);
		assert_string_equal(begin.key, end.key);
	}
}

static void texts_have_bounds(void **state)
{
	char longest[4096], text[1025], key[NOTICE_KEY_LEN];
	_cleanup_(json_free) cJSON *json = cJSON_CreateObject();
	cJSON *actor = cJSON_AddObjectToObject(json, "actor"), *detail = cJSON_AddObjectToObject(json, "detail");
	struct notice n;

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(longest); i += 2)
		memcpy(longest + i, "\xc3\xa4", 3);
	cJSON_AddStringToObject(json, "kind", "violation");
	for (size_t i = 0; i < 6; i++)
		cJSON_AddStringToObject(
			json, ((const char *[]){ "rule", "verdict", "device", "pci", "owner", "message" })[i], longest);
	cJSON_AddStringToObject(actor, "pod", longest);
	cJSON_AddStringToObject(actor, "comm", longest);
	cJSON_AddNumberToObject(actor, "pid", 1);
	cJSON_AddStringToObject(detail, "cure", longest);
	assert_true(notice_read(json, &n));
	notice_text(&n, text, sizeof(text));
	assert_in_range(strlen(text), 1000, 1024);
	assert_true(json_is_utf8(text, strlen(text)));
	snprintf(key, sizeof(key), "%s", n.key);
	assert_in_range(strlen(key), 900, NOTICE_KEY_LEN - 1);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(a_bucket),
		cmocka_unit_test(a_series),
		cmocka_unit_test(a_table),
		cmocka_unit_test(names_of_rules),
		cmocka_unit_test(names_of_events),
		cmocka_unit_test(texts_are_cleaned),
		cmocka_unit_test(a_violation),
		cmocka_unit_test(what_is_told_to_nobody),
		cmocka_unit_test(a_state_ends_as_it_began),
		cmocka_unit_test(texts_have_bounds),
	};

	return RUN_CASES("notify", cases);
}
