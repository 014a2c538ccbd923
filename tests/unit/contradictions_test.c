// SPDX-License-Identifier: Apache-2.0
/* What two sources say that cannot both be right, and what is none. */
#include "unit/model_world.h"

/* RULE DEVICE SOURCE=OWNER SOURCE=OWNER */
static void print_all(const struct model *m, char to[PRINTED])
{
	to[0] = '\0';
	for (size_t i = 0; i < m->contradiction_count; i++) {
		const struct contradiction *c = &m->contradictions[i];

		print(to, "%s %s %s=%s %s=%s\n", contradiction_name(c->rule), c->device, pod_source_name(c->sources[0]),
		      owner_at(m, c->pods[0]), pod_source_name(c->sources[1]), owner_at(m, c->pods[1]));
	}
}

/* Pods that several rows have: a and b, with processes in netns 10 and 11; c, of the host's network. */
#define A "proc u1 10\napi ml/a u1\n"
#define B "proc u2 11\napi ml/b u2\n"
#define C "proc u3 1\napi ml/c u3 host\n"
#define GIVEN(pod, vf) "kubelet " pod " - r.org/roce " vf "\n"

static const struct row {
	const char *name, *facts, *told;
} rows[] = {
	{ "a node where all is well",
	  A B GIVEN("ml/a", VF2) GIVEN("ml/b", VF3) "device " VF2 " 10\nnetdev " VF2 " net1 10\nattach ml/a u1 " VF2
						    " 10\ndevice " VF3 " 11\nnetdev " VF3 " net1 11\n",
	  "" },
	{ "a node that is empty", "kubelet\noffer r.org/roce " VF2 "\ndevice " VF2 " 1\nnetdev " VF2 " v0 1\n", "" },

	{ "shared mode, where each RDMA device is the host's",
	  "shared\n" A GIVEN("ml/a", VF2) "device " VF2 " 1\nnetdev " VF2 " net1 10\n", "" },
	{ "shared mode, and the netdev is another pod's",
	  "shared\n" A B GIVEN("ml/a", VF2) "device " VF2 " 1\nnetdev " VF2 " net1 11\n",
	  "track.pod " VF2 " kubelet=ml/a proc=ml/b\ntrack.missing " VF2 " kubelet=ml/a proc=ml/b\n" },
	{ "shared mode, and the netdev is the host's",
	  "shared\n" A GIVEN("ml/a", VF2) "device " VF2 " 1\nnetdev " VF2 " v0 1\n",
	  "track.missing " VF2 " kubelet=ml/a proc=-\n" },

	/* one device, two pods */
	{ "the kubelet and the netns", A B GIVEN("ml/a", VF2) "device " VF2 " 11\n",
	  "track.pod " VF2 " kubelet=ml/a proc=ml/b\ntrack.missing " VF2 " kubelet=ml/a proc=ml/b\n" },
	{ "the checkpoint and the netns", A B "checkpoint u1 r.org/roce " VF2 "\ndevice " VF2 " 11\n",
	  "track.pod " VF2 " checkpoint=ml/a proc=ml/b\ntrack.missing " VF2 " checkpoint=ml/a proc=ml/b\n" },
	{ "the journal and the kubelet", A B GIVEN("ml/b", VF2) "attach ml/a u1 " VF2 " 10\ndevice " VF2 " 10\n",
	  "track.pod " VF2 " attach=ml/a kubelet=ml/b\ntrack.missing " VF2 " kubelet=ml/b proc=ml/a\n" },
	{ "the journal and the netns, without a kubelet", A B "attach ml/a u1 " VF2 " 10\ndevice " VF2 " 11\n",
	  "track.pod " VF2 " attach=ml/a proc=ml/b\n" },
	{ "a claim by request and a netns", A B "device " VF2 " 11\nclaim manual ml/a 10\n",
	  "track.pod " VF2 " claim=ml/a proc=ml/b\n" },
	{ "a claim by request and a netns with a name",
	  "netns red 20\nnetns blue 21\ndevice " VF2 " 21\n"
	  "claim manual team/x 20\n",
	  "track.pod " VF2 " claim=team/x netns=netns/blue\n" },
	{ "a claim for somebody who is not the pod in its netns", A "device " VF2 " 10\nclaim manual team/x 10\n",
	  "track.pod " VF2 " claim=team/x proc=ml/a\n" },
	{ "the kubelet and a netns without Kubernetes", A GIVEN("ml/a", VF2) "netns blue 20\ndevice " VF2 " 20\n",
	  "track.pod " VF2 " kubelet=ml/a netns=netns/blue\ntrack.missing " VF2 " kubelet=ml/a netns=netns/blue\n" },
	{ "a claim of the kubelet's is the kubelet's word",
	  A B GIVEN("ml/b", VF2) "device " VF2 " 11\nclaim kubelet ml/a 10\n", "" },
	{ "two sources that agree and one that does not: the first two that differ",
	  A B GIVEN("ml/b", VF2) "attach ml/b u2 " VF2 " 11\ndevice " VF2 " 10\n",
	  "track.pod " VF2 " attach=ml/b proc=ml/a\ntrack.missing " VF2 " kubelet=ml/b proc=ml/a\n" },
	{ "two pods of one name, told apart by their UIDs",
	  "proc u1 10\nproc u2 11\napi ml/a u1 deleting\napi ml/a u2\n" GIVEN("ml/a", VF2) "device " VF2 " 10\n",
	  "track.pod " VF2 " kubelet=ml/a proc=ml/a\ntrack.missing " VF2 " kubelet=ml/a proc=ml/a\n" },
	{ "also where one of them has no netns yet",
	  "proc u1 10\napi ml/a u1 deleting\napi ml/a u2\n" GIVEN("ml/a", VF2) "device " VF2 " 10\n",
	  "track.pod " VF2 " kubelet=ml/a proc=ml/a\n" },
	{ "a name alone is not known to be another pod than a UID alone",
	  "proc u1 10\n" GIVEN("ml/a", VF2) "device " VF2 " 10\n", "" },
	{ "nor is it than a netns that no process is in yet",
	  "api ml/a u1\n" GIVEN("ml/a", VF2) "netns cni-1 20\ndevice " VF2 " 20\n", "" },
	{ "a pod that has ended has nothing any more",
	  "api ml/old u9 phase=Succeeded\n" A GIVEN("ml/old", VF2) GIVEN("ml/a", VF2) "device " VF2 " 10\n", "" },
	{ "nor has one that only the checkpoint still knows",
	  A "checkpoint u9 r.org/roce " VF2 "\ncheckpoint u1 r.org/roce " VF2 "\ndevice " VF2 " 10\n", "" },
	{ "but in the journal it has",
	  "api ml/old u9 phase=Failed\n" A GIVEN("ml/a", VF2) "attach ml/old u9 " VF2 " 12\ndevice " VF2 " 10\n",
	  "track.pod " VF2 " attach=ml/old kubelet=ml/a\n" },
	{ "two devices of one function are one", A B GIVEN("ml/a", VF2) "device " VF2 " 11\ndevice " VF2 " 11\n",
	  "track.pod " VF2 " kubelet=ml/a proc=ml/b\ntrack.missing " VF2 " kubelet=ml/a proc=ml/b\n" },

	/* in a pod, and nobody allocated it */
	{ "a stray device", A "kubelet\ndevice " VF2 " 10\n", "track.stray " VF2 " proc=ml/a kubelet=-\n" },
	{ "by the checkpoint", A "checkpoint u1 r.org/roce " VF3 "\ndevice " VF2 " 10\n",
	  "track.stray " VF2 " proc=ml/a checkpoint=-\n" },
	{ "one that was given to a pod that has ended",
	  "api ml/old u9 phase=Failed\n" A GIVEN("ml/old", VF2) "device " VF2 " 10\n",
	  "track.stray " VF2 " proc=ml/a kubelet=-\n" },
	{ "without a kubelet there is none", A "device " VF2 " 10\n", "" },
	{ "nor where it was attached", A "kubelet\nattach ml/a u1 " VF2 " 10\ndevice " VF2 " 10\n", "" },
	{ "nor where it is claimed by request", A "kubelet\ndevice " VF2 " 10\nclaim manual ml/a 10\n", "" },
	{ "a claim that repeats what processes say is no allocation",
	  A "kubelet\ndevice " VF2 " 10\nclaim proc ml/a 10\n", "track.stray " VF2 " proc=ml/a kubelet=-\n" },
	{ "nor without Kubernetes", "kubelet\nnetns blue 20\ndevice " VF2 " 20\n", "" },
	{ "nor in the host's netns", C "kubelet\ndevice " VF2 " 1\n", "" },
	{ "nor is a soft device one", A "kubelet\ndevice - 10 eth0\n", "" },
	{ "one that the kubelet gave to two pods was given",
	  A GIVEN("ml/x", VF2) GIVEN("ml/y", VF2) "device " VF2 " 10\n", "" },

	/* allocated, and not in the pod */
	{ "a device that stayed with the host", A GIVEN("ml/a", VF2) "device " VF2 " 1\n",
	  "track.missing " VF2 " kubelet=ml/a proc=-\n" },
	{ "in a netns that nobody knows", A GIVEN("ml/a", VF2) "device " VF2 " 30\n",
	  "track.missing " VF2 " kubelet=ml/a proc=-\n" },
	{ "a netdev without an RDMA device that stayed with the host", A GIVEN("ml/a", VF2) "netdev " VF2 " v0 1\n",
	  "track.missing " VF2 " kubelet=ml/a proc=-\n" },
	{ "one of dynamic resource allocation", A "dra ml/a u1 x.org/vf=" VF2 "\ndevice " VF2 " 1\n",
	  "track.missing " VF2 " kubelet=ml/a proc=-\n" },
	{ "the second device of a function", A GIVEN("ml/a", VF2) "device " VF2 " 10\ndevice " VF2 " 1\n",
	  "track.missing " VF2 " kubelet=ml/a proc=-\n" },
	{ "told of the one whose netns is known", A GIVEN("ml/a", VF2) "device " VF2 " 0\ndevice " VF2 " 1\n",
	  "track.missing " VF2 " kubelet=ml/a proc=-\n" },
	{ "told once, of two containers", A GIVEN("ml/a", VF2) GIVEN("ml/a", VF2) "device " VF2 " 1\n",
	  "track.missing " VF2 " kubelet=ml/a proc=-\n" },
	{ "a netdev in the pod", A GIVEN("ml/a", VF2) "netdev " VF2 " net1 10\nnetdev " VF2 " rep0 1\n", "" },
	{ "of a function that a userspace driver has nothing is known", A GIVEN("ml/a", VF2), "" },
	{ "nor of other devices", A "kubelet ml/a - gpu.org/g GPU-1\n", "" },
	{ "a pod of the host's network leaves it there", C GIVEN("ml/c", VF2) "device " VF2 " 1\n", "" },
	{ "and where another pod has it, that is told alone", B C GIVEN("ml/c", VF2) "device " VF2 " 11\n",
	  "track.pod " VF2 " kubelet=ml/c proc=ml/b\n" },
	{ "a pod that is being made has no netns yet", "api ml/a u1\n" GIVEN("ml/a", VF2) "device " VF2 " 1\n", "" },
	{ "nor one whose sandbox is still in the host's",
	  "proc u1 1\napi ml/a u1\n" GIVEN("ml/a", VF2) "device " VF2 " 1\n", "" },
	{ "a pod whose processes are gone",
	  "api ml/a u1 deleting\nattach ml/a u1 " VF2 " 10\n" GIVEN("ml/a", VF2) "device " VF2 " 1\n", "" },
	{ "a pod that has ended", "proc u1 10\napi ml/a u1 phase=Succeeded\n" GIVEN("ml/a", VF2) "device " VF2 " 1\n",
	  "" },
	{ "a netns of one of its containers is the pod's",
	  "proc u1 10\nbox c1 7 12\napi ml/a u1\n" GIVEN("ml/a", VF2) "device " VF2 " 12\n", "" },
	{ "a device whose netns is not known", A GIVEN("ml/a", VF2) "device " VF2 " 0\n", "" },

	/* netdev and RDMA device */
	{ "the netdev is in the pod and the RDMA device with the host", A "device " VF2 " 1\nnetdev " VF2 " net1 10\n",
	  "track.split " VF2 " proc=- proc=ml/a\n" },
	{ "the other way round, and without Kubernetes", "netns blue 20\ndevice " VF2 " 20\nnetdev " VF2 " v0 1\n",
	  "track.split " VF2 " netns=netns/blue proc=-\n" },
	{ "in two pods", A B "device " VF2 " 10\nnetdev " VF2 " net1 11\n",
	  "track.split " VF2 " proc=ml/a proc=ml/b\n" },
	{ "a soft device has none of its own", A "device - 1 eth0\nnetdev - eth0 10\n", "" },
	{ "a function without a netdev", A "device " VF2 " 10\n", "" },
	{ "a PF's representors may be anywhere", A "device " VF2 " 1\nnetdev " VF2 " pf 1\nnetdev " VF2 " rep0 10\n",
	  "" },
	{ "a netns that is not known", A "device " VF2 " 0\nnetdev " VF2 " net1 10\n", "" },
	{ "in one pod, one of the two in the netns of a container",
	  "proc u1 10\nbox c1 7 12\ndevice " VF2 " 12\nnetdev " VF2 " net1 10\n", "" },

	/* the shared plugin */
	{ "the shared plugin beside the SR-IOV one",
	  "offer rdma/hca_shared_devices_a 0\noffer rdma/hca_shared_devices_a 1\noffer r.org/roce " VF2 "\ndevice " VF2
	  " 1\n",
	  "exclusive.shared-plugin rdma/hca_shared_devices_a kubelet=- kubelet=-\n" },
	{ "under names of its own, each once",
	  "offer r.org/roce " VF2 "\noffer nvidia.com/hca_a 0\noffer x.org/my-rdma 63\noffer nvidia.com/hca_a 1\n"
	  "device " VF2 " 1\n",
	  "exclusive.shared-plugin nvidia.com/hca_a kubelet=- kubelet=-\n"
	  "exclusive.shared-plugin x.org/my-rdma kubelet=- kubelet=-\n" },
	{ "alone it is none", "offer rdma/hca_shared_devices_a 0\ndevice " VF2 " 1\n", "" },
	{ "nor beside functions that have no RDMA device",
	  "offer rdma/hca 0\noffer r.org/roce " VF3 "\ndevice " VF2 " 1\n", "" },
	{ "numbers of other plugins", "offer devices.kubevirt.io/kvm 0\noffer r.org/roce " VF2 "\ndevice " VF2 " 1\n",
	  "" },
	{ "nor is the domain of a resource its name",
	  "offer hca.org/fuse 0\noffer r.org/roce " VF2 "\ndevice " VF2 " 1\n", "" },
	{ "a resource of which one device has another ID",
	  "offer rdma/hca x1\noffer rdma/hca 0\noffer r.org/roce " VF2 "\ndevice " VF2 " 1\n", "" },
	{ "the SR-IOV plugin's own resource may be named so",
	  "offer rdma/roce_hca " VF3 "\noffer rdma/roce_hca " VF2 "\ndevice " VF2 " 1\ndevice " VF3 " 1\n", "" },
};

static void is_told(void **state)
{
	const struct row *row = *state;
	_cleanup_(world_free) struct world w = {};
	char told[PRINTED];

	world_add(&w, row->facts);
	print_all(world_make(&w), told);
	assert_string_equal(told, row->told);
	for (size_t i = 0; i < w.model->contradiction_count; i++) {
		assert_contains(w.model->contradictions[i].text, w.model->contradictions[i].device);
		assert_true(w.model->contradictions[i].cure[0] != '\0');
	}
}

/* ---- their texts ---- */

static const struct text {
	const char *name, *facts, *text, *cure;
} texts[] = {
	{ "text of two pods", A B "attach ml/a u1 " VF2 " 10\ndevice " VF2 " 11\n",
	  VF2 ": the journal of attachments has it with ml/a, but by its processes, the netns that it is in is that of "
	      "ml/b",
	  "Delete the pod that should not have it" },
	{ "text of a claim", "netns red 20\nnetns blue 21\ndevice " VF2 " 21\nclaim manual team/x 20\n",
	  VF2
	  ": a claim by request has it as that of team/x, but by its name or unit, the netns that it is in is that of "
	  "netns/blue",
	  "wardenctl release --device " VF2 },
	{ "text of a stray device", A "kubelet\ndevice " VF2 " 10\n",
	  VF2 ": by its processes, the netns that it is in is that of ml/a, but the kubelet has given it to nobody",
	  "rdma dev set rdma1 netns 1" },
	{ "text of a device that stayed with the host", A GIVEN("ml/a", VF2) "device " VF2 " 1\n",
	  VF2 ": the kubelet has given it to ml/a, but by the kernel its RDMA device is in the host's netns",
	  "the resource r.org/roce" },
	{ "text of one that is nowhere known", A GIVEN("ml/a", VF2) "netdev " VF2 " v0 30\n",
	  VF2 ": the kubelet has given it to ml/a, but by the kernel its netdev is in a netns (4026530030) of no pod "
	      "that is "
	      "known",
	  "" },
	{ "text of one that is split", A "device " VF2 " 1\nnetdev " VF2 " net1 10\n",
	  VF2 ": by the kernel its RDMA device is in the host's netns, but its netdev in the netns of ml/a",
	  "rdma-cni" },
	{ "text of the shared plugin", "offer rdma/hca 0\noffer r.org/roce " VF2 "\ndevice " VF2 " 1\n",
	  "the kubelet has rdma/hca to give, whose devices are numbers and stand for RDMA devices that all pods share, "
	  "but "
	  "also r.org/roce, whose devices are each one pod's alone",
	  "" },
};

static void has_text(void **state)
{
	const struct text *text = *state;
	_cleanup_(world_free) struct world w = {};

	world_add(&w, text->facts);
	assert_int_equal(world_make(&w)->contradiction_count, 1);
	assert_string_equal(w.model->contradictions[0].text, text->text);
	assert_contains(w.model->contradictions[0].cure, text->cure);
}

/* Both names are in the text, and so is the end of the sentence. */
static void long_names_leave_place_for_each_other(void **state)
{
	_cleanup_(world_free) struct world w = {};
	char a[254], b[254], text[1600];
	const char *told;

	(void)state;
	memset(a, 'a', 253);
	memset(b, 'b', 253);
	a[253] = b[253] = '\0';
	memcpy(a + 248, ".one", 4);
	memcpy(b + 248, ".two", 4);
	snprintf(text, sizeof(text),
		 "proc u1 10\napi %.63s/%.253s u1\nproc u2 11\napi %.63s/%.253s u2\nkubelet %.63s/%.253s - %.63s/r %s\n"
		 "device %s 11\n",
		 a, a, b, b, a, a, a, VF2, VF2);
	world_add(&w, text);
	assert_int_equal(world_make(&w)->contradiction_count, 2);
	for (size_t i = 0; i < 2; i++) {
		told = w.model->contradictions[i].text;
		assert_contains(told, "kubelet has given it to aaaa");
		assert_contains(told, ".onea, but by ");
		assert_contains(told, "netns");
		assert_string_equal(told + strlen(told) - 5, ".twob");
	}
	assert_contains(w.model->contradictions[1].cure,
			"/r (k8s.v1.cni.cncf.io/resourceName), then make the pod anew");
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(contradiction_name(CONTRADICTION_SHARED_PLUGIN), "exclusive.shared-plugin");
	assert_string_equal(contradiction_name(CONTRADICTION_COUNT), "");
}

/* ---- much ---- */

#define PODS 64
#define VFS 128

/* Each pod has two VFs, by every source. */
static void fill_node(struct world *w)
{
	char text[1000], vf[16];

	for (int p = 0; p < PODS; p++) {
		snprintf(text, sizeof(text), "proc u%d %d\nbox c%d %d %d\napi ml/p%d u%d\nname main c%d\n", p, p + 10,
			 p, p + 1, p + 10, p, p, p);
		world_add(w, text);
	}
	for (int v = 0; v < VFS; v++) {
		int p = v / 2;

		snprintf(vf, sizeof(vf), "0000:%02x:%02x.%d", 0x3b + v / 64, v / 8 % 8, v % 8);
		snprintf(text, sizeof(text),
			 "kubelet ml/p%d - r.org/roce %s\noffer r.org/roce %s\nattach ml/p%d - %s %d\ndevice %s %d\n"
			 "claim cni ml/p%d %d\nnetdev %s net%d %d\n",
			 p, vf, vf, p, vf, p + 10, vf, p + 10, p, p + 10, vf, v % 2, p + 10);
		world_add(w, text);
	}
}

static void a_whole_node_where_all_is_well(void **state)
{
	_cleanup_(world_free) struct world w = {};
	char told[PRINTED];

	(void)state;
	fill_node(&w);
	print_all(world_make(&w), told);
	assert_string_equal(told, "");
	assert_int_equal(w.model->pod_count, PODS);
	for (size_t d = 0; d < VFS; d++)
		assert_int_equal(w.model->devices[d].pod, d / 2);
}

/* The same with each pod's devices in the next one's netns. */
static void a_whole_node_where_nothing_is(void **state)
{
	_cleanup_(world_free) struct world w = {};
	size_t count[CONTRADICTION_COUNT] = {};

	(void)state;
	fill_node(&w);
	for (size_t d = 0; d < VFS; d++)
		w.devices[d].device.netns_cookie = 10 + (d / 2 + 1) % PODS;
	world_make(&w);
	for (size_t i = 0; i < w.model->contradiction_count; i++)
		count[w.model->contradictions[i].rule]++;
	assert_int_equal(count[CONTRADICTION_POD], VFS);
	assert_int_equal(count[CONTRADICTION_MISSING], VFS);
	assert_int_equal(count[CONTRADICTION_SPLIT], VFS);
	assert_int_equal(count[CONTRADICTION_STRAY] + count[CONTRADICTION_SHARED_PLUGIN], 0);
}

#define ROWS ARRAY_SIZE(rows)
#define TEXTS ARRAY_SIZE(texts)

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(long_names_leave_place_for_each_other),
		cmocka_unit_test(names),
		cmocka_unit_test(a_whole_node_where_all_is_well),
		cmocka_unit_test(a_whole_node_where_nothing_is),
	};
	struct CMUnitTest cases[ROWS + TEXTS + ARRAY_SIZE(others)];

	for (size_t i = 0; i < ROWS; i++)
		cases[i] = (struct CMUnitTest){ .name = rows[i].name,
						.test_func = is_told,
						.initial_state = (void *)&rows[i] };
	for (size_t i = 0; i < TEXTS; i++)
		cases[ROWS + i] = (struct CMUnitTest){ .name = texts[i].name,
						       .test_func = has_text,
						       .initial_state = (void *)&texts[i] };
	memcpy(&cases[ROWS + TEXTS], others, sizeof(others));
	return RUN_CASES("contradictions", cases);
}
