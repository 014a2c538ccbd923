// SPDX-License-Identifier: Apache-2.0
/* What becomes one pod, and whose a device is. */
#include "lib/hash.h"
#include "model/index.h"
#include "unit/model_world.h"

/* ---- a picture in text ---- */

/* OWNER UID @NETNS [host] [ended] [deleting] SOURCE,… */
static void print_pod(const struct model_pod *pod, char to[PRINTED])
{
	const char *comma = "";

	print(to, "%s %s @%llu%s%s%s ", pod->owner, pod->uid[0] ? pod->uid : "-", (unsigned long long)pod->netns.cookie,
	      pod->host_network ? " host" : "", pod->ended ? " ended" : "", pod->deleting ? " deleting" : "");
	for (size_t s = 0; s < POD_SOURCE_COUNT; s++)
		if (pod->sources & 1u << s) {
			print(to, "%s%s", comma, pod_source_name(s));
			comma = ",";
		}
	print(to, "\n");
}

/* PARENT (SOURCE=OWNER)… -> OWNER SOURCE */
static void print_device(const struct model *m, const struct model_device *d, char to[PRINTED])
{
	print(to, "%s", d->tracked.device.parent[0] ? d->tracked.device.parent : d->tracked.device.name);
	for (size_t s = 0; s < POD_SOURCE_COUNT; s++)
		if (d->by[s] != MODEL_NONE)
			print(to, " %s=%s", pod_source_name(s), owner_at(m, d->by[s]));
	print(to, " -> %s%s%s\n", owner_at(m, d->pod), d->pod == MODEL_NONE ? "" : " ",
	      d->pod == MODEL_NONE ? "" : pod_source_name(d->source));
}

static void print_model(const struct model *m, char to[PRINTED])
{
	to[0] = '\0';
	for (size_t p = 0; p < m->pod_count; p++)
		print_pod(&m->pods[p], to);
	for (size_t d = 0; d < m->device_count; d++)
		print_device(m, &m->devices[d], to);
}

/* ---- joins ---- */

static const struct row {
	const char *name, *facts, *picture;
} rows[] = {
	{ "nothing at all", "", "" },
	{ "a pod of processes alone", "proc u1 10\n", "pod-uid/u1 u1 @10 proc\n" },
	{ "processes and the API by UID", "proc u1 10\napi ml/a u1\n", "ml/a u1 @10 api,proc\n" },
	{ "a pod of the API alone", "api ml/a u1\n", "ml/a u1 @0 api\n" },
	{ "two pods of one name are two", "proc u1 10\nproc u2 11\napi ml/a u1 deleting\napi ml/a u2\n",
	  "ml/a u1 @10 deleting api,proc\nml/a u2 @11 api,proc\n" },
	{ "the kubelet's name is that of the pod that lives, not of the one whose end was asked for",
	  "api ml/a u1 deleting\napi ml/a u2\nkubelet ml/a - r.org/r " VF2 "\ndevice " VF2 " 1\n",
	  "ml/a u1 @0 deleting api\nml/a u2 @0 kubelet,api\n" VF2 " kubelet=ml/a -> ml/a kubelet\n" },
	{ "nor of the one that has ended", "api ml/a u1 phase=Failed\napi ml/a u2\nkubelet ml/a - r.org/r " VF2 "\n",
	  "ml/a u1 @0 ended api\nml/a u2 @0 kubelet,api\n" },
	{ "one whose end was asked for lives more than one that has ended",
	  "api ml/a u1 phase=Succeeded\napi ml/a u2 deleting\nkubelet ml/a - r.org/r " VF2 "\n",
	  "ml/a u1 @0 ended api\nml/a u2 @0 deleting kubelet,api\n" },
	{ "a name of two that live is neither's", "api ml/a u1\napi ml/a u2\nkubelet ml/a - r.org/r " VF2 "\n",
	  "ml/a u1 @0 api\nml/a u2 @0 api\nml/a - @0 kubelet\n" },
	{ "and all that is said of it comes together",
	  "api ml/a u1\napi ml/a u2\nkubelet ml/a - r.org/r " VF2 "\nkubelet ml/a - r.org/r " VF3 "\nattach ml/a - " VF2
	  " 30\n",
	  "ml/a u1 @0 api\nml/a u2 @0 api\nml/a - @30 attach,kubelet\n" },
	{ "the kubelet's UID decides before the name", "api ml/a u1\napi ml/a u2\nkubelet ml/a u1 r.org/r " VF2 "\n",
	  "ml/a u1 @0 kubelet,api\nml/a u2 @0 api\n" },
	{ "a UID that the API has not is another pod, whatever its name",
	  "api ml/a u2\nkubelet ml/a u1 r.org/r " VF2 "\n", "ml/a u2 @0 api\nml/a u1 @0 kubelet\n" },
	{ "the kubelet tells the name of processes", "proc u1 10\nkubelet ml/a u1 r.org/r " VF2 "\n",
	  "ml/a u1 @10 kubelet,proc\n" },
	{ "a kubelet that tells no UID, and nobody who joins", "proc u1 10\nkubelet ml/a - r.org/r " VF2 "\n",
	  "pod-uid/u1 u1 @10 proc\nml/a - @0 kubelet\n" },
	{ "an attachment joins them by its UID",
	  "proc u1 10\nkubelet ml/a - r.org/r " VF2 "\nattach ml/a u1 " VF2 " 10\ndevice " VF2 " 10\n",
	  "ml/a u1 @10 attach,kubelet,proc\n" VF2 " attach=ml/a kubelet=ml/a proc=ml/a -> ml/a attach\n" },
	{ "an attachment without a UID joins them by its netns",
	  "proc u1 10\nkubelet ml/a - r.org/r " VF2 "\nattach ml/a - " VF2 " 10\n",
	  "ml/a u1 @10 attach,kubelet,proc\n" },
	{ "an attachment in another one's netns is not that one's",
	  "proc u1 10\napi ml/a u1\nattach ml/b - " VF2 " 10\n", "ml/a u1 @10 api,proc\nml/b - @0 attach\n" },
	{ "an attachment tells a netns that no process was seen in", "api ml/a u1\nattach ml/a u1 " VF2 " 10\n",
	  "ml/a u1 @10 attach,api\n" },
	{ "an attachment by no kubelet", "attach cni/x - " VF2 " 10\ndevice " VF2 " 10\n",
	  "cni/x - @10 attach\n" VF2 " attach=cni/x -> cni/x attach\n" },
	{ "the checkpoint by UID", "api ml/a u1\ncheckpoint u1 r.org/r " VF2 "\ndevice " VF2 " 1\n",
	  "ml/a u1 @0 checkpoint,api\n" VF2 " checkpoint=ml/a -> ml/a checkpoint\n" },
	{ "the checkpoint has a pod that is gone", "api ml/a u1\ncheckpoint u9 r.org/r " VF2 "\ndevice " VF2 " 1\n",
	  "ml/a u1 @0 api\npod-uid/u9 u9 @0 ended checkpoint\n" VF2 " -> -\n" },
	{ "which cannot be known without the API", "checkpoint u9 r.org/r " VF2 "\ndevice " VF2 " 1\n",
	  "pod-uid/u9 u9 @0 checkpoint\n" VF2 " checkpoint=pod-uid/u9 -> pod-uid/u9 checkpoint\n" },
	{ "what has ended has given its devices back, and another one has them",
	  "api ml/a u1 phase=Succeeded\napi ml/b u2\nkubelet ml/a - r.org/r " VF2 "\nkubelet ml/b - r.org/r " VF2
	  "\ndevice " VF2 " 1\n",
	  "ml/a u1 @0 ended kubelet,api\nml/b u2 @0 kubelet,api\n" VF2 " kubelet=ml/b -> ml/b kubelet\n" },
	{ "a source that names two pods names none",
	  "kubelet ml/a - r.org/r " VF2 "\nkubelet ml/b - r.org/r " VF2 "\ndevice " VF2 " 1\n",
	  "ml/a - @0 kubelet\nml/b - @0 kubelet\n" VF2 " -> -\n" },
	{ "unless the end of one was asked for",
	  "api ml/a u1 deleting\napi ml/b u2\nkubelet ml/b - r.org/r " VF2 "\nkubelet ml/a - r.org/r " VF2
	  "\ndevice " VF2 " 1\n",
	  "ml/a u1 @0 deleting kubelet,api\nml/b u2 @0 kubelet,api\n" VF2 " kubelet=ml/b -> ml/b kubelet\n" },
	{ "in whatever order they are told",
	  "api ml/a u1 deleting\napi ml/b u2\nkubelet ml/a - r.org/r " VF2 "\nkubelet ml/b - r.org/r " VF2
	  "\ndevice " VF2 " 1\n",
	  "ml/a u1 @0 deleting kubelet,api\nml/b u2 @0 kubelet,api\n" VF2 " kubelet=ml/b -> ml/b kubelet\n" },
	{ "a static pod by the kubelet's UID for it", "proc s1 10\napi kube/etcd u1 static=s1\n",
	  "kube/etcd s1 @10 api,proc\n" },
	{ "which the checkpoint has, too, before it runs",
	  "api kube/etcd u1 static=s1\ncheckpoint s1 r.org/r " VF2 "\n", "kube/etcd s1 @0 checkpoint,api\n" },
	{ "nobody becomes another one by an annotation: that one's own UID counts",
	  "proc u1 10\napi bad/x u2 static=u1\napi ml/a u1\n", "ml/a u1 @10 api,proc\nbad/x u2 @0 api\n" },
	{ "nor does who runs under a UID of his own", "proc u2 11\nproc s1 10\napi bad/x u2 static=s1\n",
	  "bad/x u2 @11 api,proc\npod-uid/s1 s1 @10 proc\n" },
	{ "nor does one of two", "proc s1 10\napi bad/x u2 static=s1\napi kube/etcd u3 static=s1\n",
	  "pod-uid/s1 s1 @10 proc\nbad/x u2 @0 api\nkube/etcd u3 @0 api\n" },
	{ "a pod of the host's network", "proc u1 1\napi ml/a u1 host\ndevice " VF2 " 1\n",
	  "ml/a u1 @1 host api,proc\n" VF2 " -> -\n" },
	{ "without the API likewise", "proc u1 1\ndevice " VF2 " 1\n", "pod-uid/u1 u1 @1 host proc\n" VF2 " -> -\n" },
	{ "a sandbox that is still in the host's netns is not known", "proc u1 1\napi ml/a u1\n",
	  "ml/a u1 @0 api,proc\n" },
	{ "a process of the host's pod that entered another pod's netns has nothing there",
	  "proc u1 1\nbox c1 7 10\nproc u2 10\ndevice " VF2 " 10\n",
	  "pod-uid/u1 u1 @1 host proc\npod-uid/u2 u2 @10 proc\n" VF2 " proc=pod-uid/u2 -> pod-uid/u2 proc\n" },
	{ "nor in one that no other pod has", "proc u1 1\nbox c1 7 10\ndevice " VF2 " 10\n",
	  "pod-uid/u1 u1 @1 host proc\n" VF2 " -> -\n" },
	{ "a netns that is not known is no pod's, not even of one whose netns is not", "proc u1 0\ndevice " VF2 " 0\n",
	  "pod-uid/u1 u1 @0 proc\n" VF2 " -> -\n" },
	{ "a container's own netns is its pod's", "proc u1 10\nbox c1 7 12\ndevice " VF2 " 12\n",
	  "pod-uid/u1 u1 @10 proc\n" VF2 " proc=pod-uid/u1 -> pod-uid/u1 proc\n" },
	{ "that of two pods' containers is neither's",
	  "proc u1 10\nbox c1 7 12\nproc u2 11\nbox c2 8 12\ndevice " VF2 " 12\n",
	  "pod-uid/u1 u1 @10 proc\npod-uid/u2 u2 @11 proc\n" VF2 " -> -\n" },
	{ "a netns that two pods have is neither's", "proc u1 10\nproc u2 10\ndevice " VF2 " 10\n",
	  "pod-uid/u1 u1 @10 proc\npod-uid/u2 u2 @10 proc\n" VF2 " -> -\n" },
	{ "a netns with a name", "netns blue 20\ndevice " VF2 " 20\n",
	  "netns/blue - @20 netns\n" VF2 " netns=netns/blue -> netns/blue netns\n" },
	{ "a netns of a unit", "unit job.service 20\ndevice " VF2 " 20\n",
	  "unit/job.service - @20 netns\n" VF2 " netns=unit/job.service -> unit/job.service netns\n" },
	{ "a name of a netns that a pod has adds nothing", "proc u1 10\nnetns cni-1 10\n", "pod-uid/u1 u1 @10 proc\n" },
	{ "a name of the host's netns is nobody's", "netns host 1\nnetns gone 0\ndevice " VF2 " 1\n", VF2 " -> -\n" },
	{ "a name that is none is left out", "netns UPPER 20\nnetns a/b 21\n", "" },
	{ "a claim by request gives a netns its owner's name",
	  "netns blue 20\ndevice " VF2 " 20\nclaim manual team/x 20\n",
	  "team/x - @20 claim,netns\n" VF2 " claim=team/x netns=team/x -> team/x claim\n" },
	{ "claims of others say what those say",
	  "proc u1 10\ndevice " VF2 " 10\nclaim proc ml/z 10\ndevice " VF3 " 10\nclaim cni ml/z 10\n",
	  "pod-uid/u1 u1 @10 proc\n" VF2 " proc=pod-uid/u1 -> pod-uid/u1 proc\n" VF3
	  " proc=pod-uid/u1 -> pod-uid/u1 proc\n" },
	{ "a claim by request names a pod of processes", "proc u1 10\ndevice " VF2 " 10\nclaim manual ml/a 10\n",
	  "ml/a u1 @10 proc,claim\n" VF2 " proc=ml/a claim=ml/a -> ml/a claim\n" },
	{ "an orphan's claim says nothing", "device " VF2 " 20\nclaim manual team/x 20\norphan\n", VF2 " -> -\n" },
	{ "a claim for a pod of the host's network", "api ml/a u1 host\ndevice " VF2 " 1\nclaim manual ml/a 1\n",
	  "ml/a u1 @1 host api,claim\n" VF2 " claim=ml/a -> ml/a claim\n" },
	{ "a claim for the host's own processes", "device " VF2 " 1\nclaim manual team/x 1\n",
	  "team/x - @1 host claim\n" VF2 " claim=team/x -> team/x claim\n" },
	{ "a claim by UID", "proc u1 10\ndevice " VF2 " 10\nclaim manual pod-uid/u1 10\n",
	  "pod-uid/u1 u1 @10 proc,claim\n" VF2 " proc=pod-uid/u1 claim=pod-uid/u1 -> pod-uid/u1 claim\n" },
	{ "wherever the device is", "proc u1 10\ndevice " VF2 " 20\nclaim manual pod-uid/u1 20\n",
	  "pod-uid/u1 u1 @10 proc,claim\n" VF2 " claim=pod-uid/u1 -> pod-uid/u1 claim\n" },
	{ "two claims for one netns: the second one is another pod",
	  "device " VF2 " 20\nclaim manual team/x 20\ndevice " VF3 " 20\nclaim manual team/y 20\n",
	  "team/x - @20 claim\nteam/y - @0 claim\n" VF2 " claim=team/x -> team/x claim\n" VF3
	  " claim=team/y -> team/y claim\n" },
	{ "a device of dynamic resource allocation, by the end of its name",
	  "dra ml/a u1 k8s.example.org/vf=" VF2 "\ndra ml/b u2 k8s.example.org/vf=0" VF3 "\ndevice " VF2
	  " 1\ndevice " VF3 " 1\n",
	  "ml/a u1 @0 kubelet\nml/b u2 @0 kubelet\n" VF2 " kubelet=ml/a -> ml/a kubelet\n" VF3 " -> -\n" },
	{ "a plugin's ID only as a whole", "kubelet ml/a - r.org/r x=" VF2 "\ndevice " VF2 " 1\n",
	  "ml/a - @0 kubelet\n" VF2 " -> -\n" },
	{ "an auxiliary device", "kubelet ml/a - r.org/sf mlx5_core.sf.4\ndevice mlx5_core.sf.4 1\n",
	  "ml/a - @0 kubelet\nmlx5_core.sf.4 kubelet=ml/a -> ml/a kubelet\n" },
	{ "a soft device by its netns", "proc u1 10\ndevice - 10 eth0\n",
	  "pod-uid/u1 u1 @10 proc\nrdma1 proc=pod-uid/u1 -> pod-uid/u1 proc\n" },
	{ "both devices of one function", "attach ml/a u1 " VF2 " 10\ndevice " VF2 " 1\ndevice " VF2 " 1\n",
	  "ml/a u1 @10 attach\n" VF2 " attach=ml/a -> ml/a attach\n" VF2 " attach=ml/a -> ml/a attach\n" },
	{ "two that contradict each other, and nobody has it",
	  "proc u1 10\napi ml/a u1\napi ml/b u2\nkubelet ml/b - r.org/r " VF2 "\ndevice " VF2 " 10\n",
	  "ml/a u1 @10 api,proc\nml/b u2 @0 kubelet,api\n" VF2 " kubelet=ml/b proc=ml/a -> -\n" },
	{ "two that may be one pod do not", "proc u1 10\nkubelet ml/b - r.org/r " VF2 "\ndevice " VF2 " 10\n",
	  "pod-uid/u1 u1 @10 proc\nml/b - @0 kubelet\n" VF2 " kubelet=ml/b proc=pod-uid/u1 -> ml/b kubelet\n" },
	{ "names that Kubernetes would not have are nobody's",
	  "api ml/a/b u1\napi M/a u2\nattach ml/-a - " VF2 " 10\nattach nobody - " VF3 " 11\ndevice " VF2 " 1\n"
	  "claim manual A/b 10\n",
	  VF2 " -> -\n" },
	{ "a UID that is too long is none",
	  "api ml/a u23456789012345678901234567890123456789\nkubelet ml/a - r.org/r x\n", "ml/a - @0 kubelet,api\n" },
};

static void is_joined(void **state)
{
	const struct row *row = *state;
	_cleanup_(world_free) struct world w = {};
	char picture[PRINTED];

	world_add(&w, row->facts);
	print_model(world_make(&w), picture);
	assert_string_equal(picture, row->picture);
}

/* ---- what a pod has ---- */

static void containers_have_names_and_processes(void **state)
{
	_cleanup_(world_free) struct world w = {};
	const struct model_pod *pod;

	(void)state;
	world_add(&w, "proc u1 10\nbox c1 11 10\nbox c2 12 10\nbox c3 13 10\n"
		      "api ml/a u1\nname main c2\nname init c9\n");
	pod = &world_make(&w)->pods[0];
	assert_int_equal(pod->container_count, 4);
	assert_string_equal(pod->containers[0].name, "");
	assert_string_equal(pod->containers[1].name, "main");
	assert_int_equal(pod->containers[1].pid, 12);
	assert_string_equal(pod->containers[2].id, "c3");
	assert_string_equal(pod->containers[3].name, "init");
	assert_int_equal(pod->containers[3].pid, 0);
	assert_int_equal(pod->pid, 100);
}

static void what_the_kubelet_gave_and_has_to_give(void **state)
{
	_cleanup_(world_free) struct world w = {};
	const struct model *m;

	(void)state;
	world_add(&w, "offer r.org/all " VF2 "\noffer r.org/all " VF3 "\nkubelet ml/a - r.org/given " VF3 "\n"
		      "kubelet ml/a - gpu.org/g GPU-1\ndevice " VF2 " 1\ndevice " VF3 " 1\ndevice " VF4 " 1\n"
		      "claim cni ml/a 10\n");
	m = world_make(&w);
	assert_true(m->has_granted && m->has_allocatable);
	assert_int_equal(m->granted_count, 2);
	assert_int_equal(m->granted[0].index, 1);
	assert_string_equal(m->granted[0].container, "c");
	assert_string_equal(owner_at(m, m->granted[0].pod), "ml/a");
	assert_true(m->granted[1].index == MODEL_NONE);
	assert_string_equal(m->granted[1].device, "GPU-1");
	assert_int_equal(m->allocatable_count, 2);
	assert_true(m->allocatable[0].pod == MODEL_NONE);
	assert_string_equal(m->devices[0].resource, "r.org/all");
	assert_string_equal(m->devices[1].resource, "r.org/given");
	assert_string_equal(m->devices[2].resource, "claimed.org/r");
}

static void who_does_not_answer_is_not_who_gave_nothing(void **state)
{
	_cleanup_(world_free) struct world silent = {}, empty = {};

	(void)state;
	assert_false(world_make(&silent)->has_granted);
	world_add(&empty, "kubelet\n");
	assert_true(world_make(&empty)->has_granted);
}

static void netdevs_are_those_of_the_function(void **state)
{
	_cleanup_(world_free) struct world w = {};
	const struct model *m;

	(void)state;
	world_add(&w, "device " VF2 " 10\nnetdev " VF2 " rep1 1\nnetdev " VF2 " net1 10\nnetdev " VF2 " rep2 1\n"
		      "device " VF3 " 10 eth7\ndevice - 10 eth8\nnetdev " VF4 " other 1\n");
	m = world_make(&w);
	assert_string_equal(m->devices[0].netdev, "net1");
	assert_int_equal(m->devices[0].netdev_netns.cookie, 10);
	assert_string_equal(m->devices[1].netdev, "eth7");
	assert_int_equal(m->devices[1].netdev_netns.cookie, 0);
	assert_string_equal(m->devices[2].netdev, "eth8");
}

static void look_ups(void **state)
{
	_cleanup_(world_free) struct world w = {};
	const struct model *m;

	(void)state;
	world_add(&w, "proc u1 10\nproc u2 1\nproc u3 12\nproc u4 12\napi ml/a u1 deleting\napi ml/a u5\nkubelet ml/z "
		      "- r.org/r x\n");
	m = world_make(&w);
	assert_int_equal(model_pod_by_uid(m, "u3"), 2);
	assert_true(model_pod_by_uid(m, "") == MODEL_NONE && model_pod_by_uid(m, "u9") == MODEL_NONE);
	assert_int_equal(model_pod_by_owner(m, "ml/a"), 4);
	assert_int_equal(model_pod_by_owner(m, "pod-uid/u2"), 1);
	assert_true(model_pod_by_owner(m, "ml/b") == MODEL_NONE);
	assert_int_equal(model_pod_by_netns(m, 10), 0);
	assert_true(model_pod_by_netns(m, HOST) == MODEL_NONE);
	assert_true(model_pod_by_netns(m, 12) == MODEL_NONE);
	assert_true(model_pod_by_netns(m, 0) == MODEL_NONE);
	assert_string_equal(pod_source_name(POD_SOURCE_COUNT), "");
}

/* ---- what it was promised ---- */

static void networks_of_the_annotation(void **state)
{
	_cleanup_(world_free) struct world w = {};
	const struct model_network *n;
	const struct model_pod *pod;

	(void)state;
	world_add(&w,
		  "api ml/a u1\nnetworks [{\"name\":\"cluster\",\"ips\":[\"10.0.0.1\"],\"default\":true,\"dns\":{}},"
		  "{\"name\":\"ml/roce\",\"interface\":\"net1\",\"ips\":[\"172.16.0.4\",\"fd00:0::4\"],\"mac\":"
		  "\"02:00:00:00:00:01\",\"mtu\":4200,\"dns\":{},\"device-info\":{\"type\":\"pci\",\"pci\":{"
		  "\"pci-address\":\"" VF2 "\"}}}]\n");
	pod = &world_make(&w)->pods[0];
	assert_int_equal(pod->network_count, 2);
	assert_string_equal(pod->networks[0].name, "cluster");
	n = &pod->networks[1];
	assert_int_equal(n->source, POD_SOURCE_API);
	assert_string_equal(n->name, "ml/roce");
	assert_string_equal(n->ifname, "net1");
	assert_string_equal(n->pci, VF2);
	assert_string_equal(n->mac, "02:00:00:00:00:01");
	assert_int_equal(n->mtu, 4200);
	assert_int_equal(n->addresses, 2);
	assert_string_equal(n->address[0], "172.16.0.4");
	assert_string_equal(n->address[1], "fd00::4");
}

static void an_annotation_that_is_not_right_is_nobodys_word(void **state)
{
	static const char *const texts[] = {
		"nonsense",
		"{}",
		"[7]",
		"[{}],\"more\":[]",
		"[{\"name\":7}]",
		"[{\"name\":\"a b\"}]",
		"[{\"name\":\"a\\\"b\\u0001\"}]",
		"[{\"name\":\"a\",\"name\":\"b\"}]",
		"[{\"interface\":\"a-name-that-is-too-long\"}]",
		"[{\"mtu\":-1}]",
		"[{\"mtu\":1.5}]",
		"[{\"mtu\":1e300}]",
		"[{\"mtu\":\"9000\"}]",
		"[{\"ips\":{}}]",
		"[{\"ips\":[7]}]",
		"[{\"ips\":[\"10.0.0.1/24\"]}]",
		"[{\"ips\":[\"10.0.0\"]}]",
		"[{\"name\":\"good\"},{\"mac\":\"02:00:00:00:00:01:02:03:04\"}]",
		"[{\"device-info\":{\"pci\":{\"pci-address\":7}}}]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(world_free) struct world w = {};

		world_add(&w, "api ml/a u1\n");
		w.api.list[0]->networks = strdup(texts[i]);
		if (world_make(&w)->pods[0].network_count)
			test_fail("taken: %s", texts[i]);
	}
}

static void too_many_addresses_are_cut_and_too_many_networks_refused(void **state)
{
	_cleanup_(world_free) struct world w = {};
	char text[8192] = "[{\"ips\":[\"10.0.0.1\"";

	(void)state;
	world_add(&w, "api ml/a u1\napi ml/b u2\n");
	for (int i = 2; i < 100; i++)
		print(text, ",\"10.0.0.%d\"", i);
	print(text, "]}]");
	w.api.list[0]->networks = strdup(text);
	strcpy(text, "[{}");
	for (int i = 0; i < 64; i++)
		print(text, ",{}");
	print(text, "]");
	w.api.list[1]->networks = strdup(text);
	world_make(&w);
	assert_int_equal(w.model->pods[0].networks[0].addresses, MODEL_ADDRESSES);
	assert_int_equal(w.model->pods[1].network_count, 0);
}

static void networks_of_attachments(void **state)
{
	_cleanup_(world_free) struct world w = {};
	const struct model_network *n;
	const struct model_pod *pod;

	(void)state;
	world_add(&w, "attach ml/a u1 " VF2 " 10\nresult {\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"pf0\"},"
		      "{\"name\":\"net1\",\"mac\":\"02:00:00:00:00:02\",\"mtu\":9000,\"sandbox\":\"/n\"}],\"ips\":["
		      "{\"address\":\"172.16.0.5/24\",\"interface\":1},{\"address\":\"1.2.3.4/8\",\"interface\":0}]}\n"
		      "attach ml/a u1 " VF3 " 10\nresult {broken\nattach ml/a u1 " VF4 " 10\n");
	pod = &world_make(&w)->pods[0];
	assert_int_equal(pod->network_count, 1);
	n = &pod->networks[0];
	assert_int_equal(n->source, POD_SOURCE_ATTACH);
	assert_string_equal(n->ifname, "net1");
	assert_string_equal(n->pci, VF2);
	assert_string_equal(n->mac, "02:00:00:00:00:02");
	assert_int_equal(n->mtu, 9000);
	assert_int_equal(n->addresses, 1);
	assert_string_equal(n->address[0], "172.16.0.5");
}

/* ---- much ---- */

static void names_of_full_length(void **state)
{
	_cleanup_(world_free) struct world w = {};
	char name[254], fact[800];

	(void)state;
	memset(name, 'n', 253);
	name[253] = '\0';
	snprintf(fact, sizeof(fact), "api %.63s/%s u1\nkubelet %.63s/%s - r.org/r %s\n", name, name, name, name, VF2);
	world_add(&w, fact);
	assert_int_equal(world_make(&w)->pod_count, 1);
	assert_int_equal(strlen(w.model->pods[0].name), 253);
	assert_int_equal(strlen(w.model->pods[0].namespace), 63);
	assert_int_equal(w.model->granted[0].pod, 0);
}

static void more_grants_than_any_node_has(void **state)
{
	_cleanup_(world_free) struct world w = {};
	char fact[200];

	(void)state;
	for (int i = 0; i < KUBE_GRANTS_MAX; i++) {
		snprintf(fact, sizeof(fact), "kubelet ml/p%d - rdma/hca_shared_devices_a %d\n", i % 3000, i);
		world_add(&w, fact);
	}
	world_make(&w);
	assert_int_equal(w.model->granted_count, KUBE_GRANTS_MAX);
	assert_int_equal(w.model->pod_count, 3000);
	assert_int_equal(w.model->granted[KUBE_GRANTS_MAX - 1].pod, (KUBE_GRANTS_MAX - 1) % 3000);
}

static void more_containers_than_any_pod_has(void **state)
{
	_cleanup_(world_free) struct world w = {};
	char fact[100];

	(void)state;
	world_add(&w, "proc u1 10\n");
	for (int i = 0; i < 5000; i++) {
		snprintf(fact, sizeof(fact), "box c%d %d 10\n", i, i + 1);
		world_add(&w, fact);
	}
	assert_int_equal(world_make(&w)->pods[0].container_count, 5000);
	assert_string_equal(w.model->pods[0].containers[4999].id, "c4999");
}

static uint64_t hash_of(size_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", number);
	return hash_text(text);
}

/* A thousand hashes, more than there are buckets at times, with two values each. */
static void an_index_gives_those_of_one_hash_alone(void **state)
{
	struct index index = {};

	(void)state;
	assert_true(index_first(&index, 7) == INDEX_END);
	for (size_t i = 0; i < 2000; i++)
		assert_true(index_put(&index, hash_of(i % 1000), i));
	for (size_t i = 0; i < 1000; i++) {
		size_t first = index_first(&index, hash_of(i)), second;

		assert_int_equal(index.list[first].value, 1000 + i);
		second = index_next(&index, first);
		assert_int_equal(index.list[second].value, i);
		assert_true(index_next(&index, second) == INDEX_END);
	}
	assert_true(index_first(&index, hash_of(1000)) == INDEX_END);
	index_free(&index);
}

#define ROWS ARRAY_SIZE(rows)

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(containers_have_names_and_processes),
		cmocka_unit_test(what_the_kubelet_gave_and_has_to_give),
		cmocka_unit_test(who_does_not_answer_is_not_who_gave_nothing),
		cmocka_unit_test(netdevs_are_those_of_the_function),
		cmocka_unit_test(look_ups),
		cmocka_unit_test(networks_of_the_annotation),
		cmocka_unit_test(an_annotation_that_is_not_right_is_nobodys_word),
		cmocka_unit_test(too_many_addresses_are_cut_and_too_many_networks_refused),
		cmocka_unit_test(networks_of_attachments),
		cmocka_unit_test(names_of_full_length),
		cmocka_unit_test(more_grants_than_any_node_has),
		cmocka_unit_test(more_containers_than_any_pod_has),
		cmocka_unit_test(an_index_gives_those_of_one_hash_alone),
	};
	struct CMUnitTest cases[ROWS + ARRAY_SIZE(others)];

	for (size_t i = 0; i < ROWS; i++)
		cases[i] = (struct CMUnitTest){ .name = rows[i].name,
						.test_func = is_joined,
						.initial_state = (void *)&rows[i] };
	memcpy(&cases[ROWS], others, sizeof(others));
	return RUN_CASES("model", cases);
}
