// SPDX-License-Identifier: Apache-2.0
/* What stands on the page, from a node that is made by hand; and that Prometheus' own checker finds nothing wrong with it. */
#include "metrics/page.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "metrics_world.h"

#define D1 "{device=\"mlx5_1\",pci=\"0000:3b:00.1\",pf=\"ens1f0\",pod_namespace=\"ml\",pod_name=\"train-5d9c7-x1\""
#define S1                                                                                                            \
	"{node_name=\"node-1\",ifname=\"mlx5_1\",net_dev_name=\"net1\",node_guid=\"0000:0000:0000:0000\","            \
	"sys_image_guid=\"0000:0000:0000:0000\",is_root=\"false\",rdma_parent_name=\"ens1f0\",pod_namespace=\"ml\","  \
	"pod_name=\"train-5d9c7-x1\",owner_api_version=\"apps/v1\",owner_kind=\"Deployment\",owner_namespace=\"ml\"," \
	"owner_name=\"train\""

static const char *page(size_t vfs, enum exposition_format format)
{
	static struct snapshot *last;

	snapshot_drop(last);
	last = world_snapshot(vfs);
	assert_non_null(page_of(last, format));
	return page_of(last, format)->data;
}

static void each_family_of_the_contract(void **state)
{
	static const char *const names[] = {
		"build_info",
		"enforcing",
		"guard_info",
		"exclusive_mode",
		"capability",
		"devices",
		"claims",
		"attachments",
		"quarantined_vfs",
		"contradictions",
		"device_info",
		"device_link_up",
		"device_link_speed_bytes_per_second",
		"device_queue_pairs",
		"device_memory_regions",
		"device_memory_region_bytes",
		"device_completion_queues",
		"device_contexts",
		"device_connections",
		"device_receive_bytes_total",
		"device_transmit_bytes_total",
		"device_receive_packets_total",
		"device_transmit_packets_total",
		"device_marking",
		"device_address_vectors_total",
		"roce_packets_total",
		"roce_bytes_total",
		"violations_total",
		"device_violations_total",
		"pf_link_up",
		"pf_link_speed_bytes_per_second",
		"pf_pause_frames_total",
		"pf_discards_total",
		"pf_pfc_enabled",
		"attach_duration_seconds",
		"lost_total",
		"program_skipped_total",
		"programs",
		"source_up",
		"source_age_seconds",
		"source_failures_total",
		"pods",
		"scrape_duration_seconds",
		"scrape_unread",
	};
	const char *text = page(4, EXPOSITION_TEXT);
	char line[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(line, sizeof(line), "\n# TYPE rdma_warden_%s ", names[i]);
		assert_contains(text, line);
	}
	assert_contains(text, "\n# TYPE process_start_time_seconds gauge\n");
}

static void devices_and_their_pods(void **state)
{
	const char *text = page(4, EXPOSITION_TEXT);

	(void)state;
	assert_contains(text, "rdma_warden_devices{state=\"claimed\"} 2\n");
	assert_contains(text, "rdma_warden_devices{state=\"free\"} 2\n");
	assert_contains(text, "rdma_warden_devices{state=\"quarantined\"} 1\n");
	assert_contains(text, "rdma_warden_device_receive_bytes_total" D1 "} 1000\n");
	assert_contains(text, "rdma_warden_device_transmit_bytes_total" D1 "} 18014398509481985\n");
	assert_contains(text, "rdma_warden_device_address_vectors_total" D1 ",verdict=\"right\"} 7\n");
	assert_contains(text, "rdma_warden_device_marking" D1 ",state=\"wrong\"} 1\n");
	assert_contains(text, "rdma_warden_roce_packets_total" D1 ",direction=\"out\",class=\"rc\",dscp=\"26\"} 9\n");
	assert_contains(text, "rdma_warden_claims{source=\"manual\"} 2\n");
	assert_contains(text, "pod_namespace=\"netns\",pod_name=\"blue\"");
	assert_contains(text, "rdma_warden_device_queue_pairs{device=\"mlx5_4\",pci=\"0000:3b:00.4\",pf=\"ens1f0\","
			      "pod_namespace=\"\",pod_name=\"\"} 3\n");
}

static void violations_of_a_claim_are_its_own(void **state)
{
	const char *text = page(4, EXPOSITION_TEXT);

	(void)state;
	assert_contains(text, "rdma_warden_violations_total{rule=\"exclusive.open\",verdict=\"denied\"} 1042\n");
	assert_contains(text, "rdma_warden_violations_total{rule=\"exclusive.open\",verdict=\"observed\"} 0\n");
	assert_contains(text,
			"rdma_warden_device_violations_total" D1 ",rule=\"exclusive.open\",verdict=\"denied\"} 42\n");
	assert_null(strstr(text, "verdict=\"denied\"} 1000\n"));
	assert_null(strstr(text, "rule=\"device.add\""));
	assert_null(strstr(text, "rule=\"pod.process\""));
}

static void as_spiderpool_has_them(void **state)
{
	const char *text = page(4, EXPOSITION_TEXT);

	(void)state;
	assert_contains(text, "# TYPE rdma_np_cnp_sent_total counter\n");
	assert_contains(text, "rdma_np_cnp_sent_total" S1 "} 11\n");
	assert_contains(text, "rdma_out_of_sequence_total" S1 "} 1\n");
	assert_contains(text, "rdma_rx_pause_total" S1 ",priority=\"5\"} 77\n");
	assert_contains(text, "rdma_vport_speed_mbps_total" S1 "} 100000\n");
	assert_contains(text, "rdma_rx_vport_rdma_unicast_bytes_total" S1 "} 1000\n");
	assert_contains(text, "is_root=\"true\",rdma_parent_name=\"ens1f0\",pod_namespace=\"\"");
	assert_null(strstr(text, "pod_namespace=\"netns\",pod_name=\"blue\",owner_api"));
}

static void histogram_is_cumulative(void **state)
{
	const char *text = page(4, EXPOSITION_TEXT);

	(void)state;
	assert_contains(text,
			"rdma_warden_attach_duration_seconds_bucket{command=\"ADD\",step=\"\",le=\"0.002097152\"} 0\n");
	assert_contains(text,
			"rdma_warden_attach_duration_seconds_bucket{command=\"ADD\",step=\"\",le=\"0.004194304\"} 1\n");
	assert_contains(text, "rdma_warden_attach_duration_seconds_bucket{command=\"ADD\",step=\"\",le=\"+Inf\"} 2\n");
	assert_contains(text, "rdma_warden_attach_duration_seconds_sum{command=\"ADD\",step=\"\"} 500.003\n");
	assert_contains(text, "rdma_warden_attach_duration_seconds_count{command=\"ADD\",step=\"\"} 2\n");
}

/* Each family's HELP and TYPE stand once, and its samples below them. */
static void families_stand_once(void **state)
{
	const char *text = page(4, EXPOSITION_TEXT);

	(void)state;
	for (const char *at = text; (at = strstr(at, "# TYPE ")); at += 7) {
		char name[128];
		size_t len = strcspn(at + 7, " ");

		snprintf(name, sizeof(name), "# TYPE %.*s ", (int)len, at + 7);
		if (strstr(at + 7, name))
			test_fail("%s stands twice", name);
	}
}

static void check_by_promtool(const char *text)
{
	FILE *pipe = popen("promtool check metrics >&2", "w");

	assert_non_null(pipe);
	fputs(text, pipe);
	assert_int_equal(pclose(pipe), 0);
}

/* The names that Spiderpool has chosen, it would have otherwise; for the checker's taste of names that is no error of the format. */
static void promtool_finds_nothing(void **state)
{
	(void)state;
	if (system("command -v promtool >/dev/null 2>&1"))
		skip_because("no promtool");
	check_by_promtool(page(4, EXPOSITION_TEXT));
	check_by_promtool(page(128, EXPOSITION_TEXT));
}

static void openmetrics_ends(void **state)
{
	const char *text = page(4, EXPOSITION_OPENMETRICS);

	(void)state;
	assert_contains(text, "# TYPE rdma_warden_violations counter\n");
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
	assert_null(strstr(text, "# TYPE rdma_warden_violations_total"));
}

static struct snapshot *empty_snapshot(void)
{
	struct snapshot *s = snapshot_new();
	struct model_input in = { .host = { .cookie = 1 } };

	config_defaults(&world_config);
	s->config = &world_config;
	s->model = model_make(&in);
	assert_int_equal(snapshot_join(s, calloc(1, sizeof(struct stats))), 0);
	return s;
}

/* Without an RDMA device, an API, a profile. */
static void empty_node(void **state)
{
	struct snapshot *s = empty_snapshot();

	(void)state;
	assert_contains(page_of(s, EXPOSITION_TEXT)->data, "rdma_warden_devices{state=\"free\"} 0\n");
	snapshot_drop(s);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(each_family_of_the_contract),
		cmocka_unit_test(devices_and_their_pods),
		cmocka_unit_test(violations_of_a_claim_are_its_own),
		cmocka_unit_test(as_spiderpool_has_them),
		cmocka_unit_test(histogram_is_cumulative),
		cmocka_unit_test(families_stand_once),
		cmocka_unit_test(promtool_finds_nothing),
		cmocka_unit_test(openmetrics_ends),
		cmocka_unit_test(empty_node),
	};

	return RUN_CASES("families", cases);
}
