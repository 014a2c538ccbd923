// SPDX-License-Identifier: Apache-2.0
/* The structures of bpf/warden.h as clang lays them out for BPF, member by member, against those of this compiler. */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include "common/test.h"
#include "lib/util.h"
#include "warden.h"
#include "layout_test.skel.h" /* needs warden.h */

struct member {
	const char *type, *name;
	size_t offset, size;
};

#define M(type, name)                                                                       \
	{                                                                                   \
		#type, #name, offsetof(struct type, name), sizeof(((struct type *)0)->name) \
	}

/* All of them: a member that is not here fails the test. */
static const struct member members[] = {
	M(warden_cdev, kind),
	M(warden_cdev, ib_index),
	M(warden_claim, id),
	M(warden_claim, netns_cookie),
	M(warden_claim, cgroup_id),
	M(warden_claim, cgroup_level),
	M(warden_claim, netns_inum),
	M(warden_claim, since_ns),
	M(warden_claim, dscp_allowed),
	M(warden_claim, marking),
	M(warden_claim, sl_allowed),
	M(warden_claim, discovered),
	M(warden_claim, pad),
	M(warden_claim, right_before),
	M(warden_claim, wrong_before),
	M(warden_claim, source),
	M(warden_claim, owner),
	M(warden_claim, resource),
	M(warden_device, node_guid),
	M(warden_device, netns_cookie),
	M(warden_device, netns_inum),
	M(warden_device, uverbs),
	M(warden_device, objects),
	M(warden_device, netdev_inum),
	M(warden_device, pad),
	M(warden_device, devx),
	M(warden_device, marking_right),
	M(warden_device, marking_wrong),
	M(warden_device, name),
	M(warden_device, parent),
	M(warden_settings, host_netns_cookie),
	M(warden_settings, warden_start),
	M(warden_settings, warden),
	M(warden_settings, reactions),
	M(warden_settings, umad_for_host),
	M(warden_settings, kernel_copy_audited),
	M(warden_settings, judged_twice),
	M(warden_settings, pods),
	M(warden_settings, hosts),
	M(warden_cgroup, id),
	M(warden_cgroup, level),
	M(warden_cgroup, pad),
	M(warden_majors, bits),
	M(warden_owner, netns_cookie),
	M(warden_owner, cgroup_id),
	M(warden_own, kind),
	M(warden_own, id),
	M(warden_merge_key, netns_cookie),
	M(warden_merge_key, cgroup_id),
	M(warden_merge_key, arg),
	M(warden_merge_key, rule),
	M(warden_merge_key, verdict),
	M(warden_merge_key, dev),
	M(warden_merge_key, ib_index),
	M(warden_merge_key, pid),
	M(warden_merge_key, uid),
	M(warden_merge, told_ns),
	M(warden_merge, merged),
	M(warden_merge, arg),
	M(warden_merge, netns_inum),
	M(warden_merge, pod_slot),
	M(warden_merge, pod_generation),
	M(warden_merge, pad),
	M(warden_merge, comm),
	M(warden_event, time_ns),
	M(warden_event, kind),
	M(warden_event, rule),
	M(warden_event, verdict),
	M(warden_event, dev),
	M(warden_event, ib_index),
	M(warden_event, pid),
	M(warden_event, uid),
	M(warden_event, netns_inum),
	M(warden_event, netns_cookie),
	M(warden_event, cgroup_id),
	M(warden_event, arg),
	M(warden_event, merged),
	M(warden_event, pod_slot),
	M(warden_event, pod_generation),
	M(warden_event, comm),
	M(warden_event, name),
	M(warden_event, text),
	M(warden_pod, generation),
	M(warden_pod, live),
	M(warden_pod, netns_cookie),
	M(warden_pod, cgroup_id),
	M(warden_pod, ended_ns),
	M(warden_pod, netns_inum),
	M(warden_pod, pad),
	M(warden_pod, uid),
	M(warden_pod, owner),
	M(warden_pod_ref, slot),
	M(warden_pod_ref, generation),
	M(warden_pod_event, event),
	M(warden_pod_event, first_netns_cookie),
	M(warden_pod_event, levels),
	M(warden_pod_event, pad),
	M(warden_pod_event, cgroup_id),
	M(warden_pod_event, cgroup_name),
	M(warden_vf_key, netns_cookie),
	M(warden_vf_key, ifindex),
	M(warden_vf_key, pad),
	M(warden_vf_place, ifindex),
	M(warden_vf_place, slot),
	M(warden_vf, dscp_allowed),
	M(warden_vf, netns_cookie),
	M(warden_vf, netns_inum),
	M(warden_vf, ib_index),
	M(warden_vf, action),
	M(warden_vf, source_action),
	M(warden_vf, remark_dscp),
	M(warden_vf, cnp_dscp),
	M(warden_vf, priority),
	M(warden_vf, cnp_priority),
	M(warden_vf, addresses),
	M(warden_vf, mac),
	M(warden_vf, vlan),
	M(warden_vf, address),
	M(warden_vf_line, dscp),
	M(warden_vf_line, class),
	M(warden_vf_line, packets),
	M(warden_vf_line, bytes),
	M(warden_vf_stats, malformed),
	M(warden_vf_stats, fragments),
	M(warden_vf_stats, lines),
	M(warden_vf_told, told_ns),
	M(warden_vf_told, merged),
	M(warden_vf_tolds, marking),
	M(warden_vf_tolds, source),
};

static const struct member *find(const char *type, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (!strcmp(members[i].type, type) && !strcmp(members[i].name, name))
			return &members[i];
	test_fail("struct %s: the test does not know the member %s", type, name);
	return NULL;
}

static size_t expected_members(const char *type)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		n += !strcmp(members[i].type, type);
	return n;
}

/* Also: nothing lies between members, as a hole would carry what was there before. */
static void same_layout(const char *name, size_t size)
{
	struct layout_test_bpf *skel = layout_test_bpf__open();
	const struct btf_type *t;
	const struct btf *btf;
	size_t end = 0;
	int id;

	assert_non_null(skel);
	btf = bpf_object__btf(skel->obj);
	id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);
	assert_true(id > 0);
	t = btf__type_by_id(btf, (__u32)id);
	assert_int_equal(t->size, size);
	assert_int_equal(btf_vlen(t), expected_members(name));
	for (__u32 i = 0; i < btf_vlen(t); i++) {
		const struct btf_member *m = btf_members(t) + i;
		const struct member *here = find(name, btf__name_by_offset(btf, m->name_off));

		assert_int_equal(btf_member_bit_offset(t, i), here->offset * 8);
		assert_int_equal(btf__resolve_size(btf, m->type), here->size);
		assert_int_equal(here->offset, end);
		end += here->size;
	}
	assert_int_equal(end, size);
	layout_test_bpf__destroy(skel);
}

#define CASE(type)                                       \
	static void type##_is_the_same(void **state)     \
	{                                                \
		(void)state;                             \
		same_layout(#type, sizeof(struct type)); \
	}

CASE(warden_cdev)
CASE(warden_claim)
CASE(warden_device)
CASE(warden_settings)
CASE(warden_cgroup)
CASE(warden_majors)
CASE(warden_event)
CASE(warden_owner)
CASE(warden_own)
CASE(warden_merge_key)
CASE(warden_merge)
CASE(warden_pod)
CASE(warden_pod_ref)
CASE(warden_pod_event)
CASE(warden_vf_key)
CASE(warden_vf_place)
CASE(warden_vf)
CASE(warden_vf_line)
CASE(warden_vf_stats)
CASE(warden_vf_told)
CASE(warden_vf_tolds)

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(warden_cdev_is_the_same),      cmocka_unit_test(warden_claim_is_the_same),
		cmocka_unit_test(warden_device_is_the_same),    cmocka_unit_test(warden_settings_is_the_same),
		cmocka_unit_test(warden_cgroup_is_the_same),    cmocka_unit_test(warden_majors_is_the_same),
		cmocka_unit_test(warden_event_is_the_same),     cmocka_unit_test(warden_owner_is_the_same),
		cmocka_unit_test(warden_own_is_the_same),       cmocka_unit_test(warden_merge_key_is_the_same),
		cmocka_unit_test(warden_merge_is_the_same),     cmocka_unit_test(warden_vf_key_is_the_same),
		cmocka_unit_test(warden_vf_place_is_the_same),  cmocka_unit_test(warden_vf_is_the_same),
		cmocka_unit_test(warden_vf_line_is_the_same),   cmocka_unit_test(warden_vf_stats_is_the_same),
		cmocka_unit_test(warden_vf_told_is_the_same),   cmocka_unit_test(warden_vf_tolds_is_the_same),
		cmocka_unit_test(warden_pod_is_the_same),       cmocka_unit_test(warden_pod_ref_is_the_same),
		cmocka_unit_test(warden_pod_event_is_the_same),
	};

	return RUN_CASES("layout", cases);
}
