// SPDX-License-Identifier: Apache-2.0
#include "kube/cgroup_pod.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "common/test.h"
#include "lib/util.h"

#define UID "73dc8baf-43a0-413e-aac2-5eb0868f6c1a"
#define UID_ "73dc8baf_43a0_413e_aac2_5eb0868f6c1a" /* as the systemd driver writes it */
#define HASH "b53dfa9e2dc9b890f7fadb2770857b03" /* of a static pod */
#define ID "f52987fbdcc7b29175fb52e01c7917e9d6d2e14550e3a2a7abf739da5a067e31"
#define OTHER "90b1ecb8-b850-451a-97c6-c073b5ddbb53"
#define OTHER_ID "a1c299dc975032f1806601a8cb2fc7be0175969f6018956ade11dc989fbcd952"

#define BURSTABLE "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice"
#define BESTEFFORT "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice"
#define GUARANTEED "/kubepods.slice/kubepods-pod" UID_ ".slice"
#define KIND                                                                                                         \
	"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" UID_ \
	".slice"

struct known {
	const char *path, *uid, *container;
	enum pod_qos qos;
	enum pod_runtime runtime;
};

static void expect(const struct known *k, const char *base)
{
	struct cgroup_pod pod;
	int r = cgroup_pod_parse(k->path, base, &pod);

	if (r)
		test_fail("%s: %s", k->path, strerror(-r));
	assert_string_equal(pod.uid, k->uid);
	assert_string_equal(pod.container, k->container);
	assert_string_equal(pod_qos_name(pod.qos), pod_qos_name(k->qos));
	assert_string_equal(pod_runtime_name(pod.runtime), pod_runtime_name(k->runtime));
	assert_ptr_equal(pod.path, k->path);
	assert_false(pod.unified);
}

static void expect_all(const struct known *known, size_t count, const char *base)
{
	for (size_t i = 0; i < count; i++)
		expect(&known[i], base);
}

static void systemd_driver(void **state)
{
	static const struct known known[] = {
		{ BURSTABLE, UID, "", POD_BURSTABLE, RUNTIME_UNTOLD },
		{ BURSTABLE "/cri-containerd-" ID ".scope", UID, ID, POD_BURSTABLE, RUNTIME_CONTAINERD },
		{ BESTEFFORT "/cri-containerd-" ID ".scope", UID, ID, POD_BESTEFFORT, RUNTIME_CONTAINERD },
		{ GUARANTEED "/cri-containerd-" ID ".scope", UID, ID, POD_GUARANTEED, RUNTIME_CONTAINERD },
		{ GUARANTEED "/docker-" ID ".scope", UID, ID, POD_GUARANTEED, RUNTIME_DOCKER },
		{ BURSTABLE "/crio-" ID ".scope", UID, ID, POD_BURSTABLE, RUNTIME_CRIO },
		{ BURSTABLE "/crio-" ID ".scope/container", UID, ID, POD_BURSTABLE, RUNTIME_CRIO }, /* by crun */
		{ BURSTABLE "/crio-" ID, UID, ID, POD_BURSTABLE, RUNTIME_CRIO }, /* a sandbox without a process */
		{ BURSTABLE "/crio-conmon-" ID ".scope", UID, "", POD_BURSTABLE, RUNTIME_UNTOLD },
		/* A service of a systemd within the container. */
		{ BURSTABLE "/cri-containerd-" ID ".scope/system.slice/sshd.service", UID, ID, POD_BURSTABLE,
		  RUNTIME_CONTAINERD },
		{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" HASH ".slice/crio-" ID ".scope",
		  HASH, ID, POD_BURSTABLE, RUNTIME_CRIO },
		{ "/kubepods.slice/kubepods-pod" HASH ".slice", HASH, "", POD_GUARANTEED, RUNTIME_UNTOLD },
	};

	(void)state;
	expect_all(known, ARRAY_SIZE(known), NULL);
	expect_all(known, ARRAY_SIZE(known), "");
}

static void cgroupfs_driver(void **state)
{
	static const struct known known[] = {
		{ "/kubepods/burstable/pod" UID, UID, "", POD_BURSTABLE, RUNTIME_UNTOLD },
		{ "/kubepods/burstable/pod" UID "/" ID, UID, ID, POD_BURSTABLE, RUNTIME_UNTOLD },
		{ "/kubepods/besteffort/pod" UID "/" ID, UID, ID, POD_BESTEFFORT, RUNTIME_UNTOLD },
		{ "/kubepods/pod" UID "/" ID, UID, ID, POD_GUARANTEED, RUNTIME_UNTOLD },
		{ "/kubepods/pod" HASH "/" ID, HASH, ID, POD_GUARANTEED, RUNTIME_UNTOLD },
		{ "/kubepods/pod" HASH "/crio-" ID, HASH, ID, POD_GUARANTEED, RUNTIME_CRIO },
		{ "/kubepods/burstable/pod" UID "/crio-conmon-" ID, UID, "", POD_BURSTABLE, RUNTIME_UNTOLD },
		{ "/kubepods/burstable/pod" UID "/" ID "/init.scope", UID, ID, POD_BURSTABLE, RUNTIME_UNTOLD },
	};

	(void)state;
	expect_all(known, ARRAY_SIZE(known), NULL);
	expect_all(known, ARRAY_SIZE(known), "");
}

/* The kubelet names slices, the runtime takes them for a cgroupfs path: containerd without SystemdCgroup. */
static void drivers_at_odds(void **state)
{
	static const struct known known[] = {
		{ "/kubepods-besteffort-pod" UID_ ".slice:cri-containerd:" ID, UID, ID, POD_BESTEFFORT,
		  RUNTIME_CONTAINERD },
		{ "/system.slice/containerd.service/kubepods-burstable-pod" UID_ ".slice:cri-containerd:" ID, UID, ID,
		  POD_BURSTABLE, RUNTIME_CONTAINERD },
		{ "/system.slice/crio.service/kubepods-pod" HASH ".slice:crio:" ID "/x", HASH, ID, POD_GUARANTEED,
		  RUNTIME_CRIO },
		{ "/kubelet-kubepods-pod" UID_ ".slice:cri-containerd:" ID, UID, ID, POD_GUARANTEED,
		  RUNTIME_CONTAINERD },
	};
	struct cgroup_pod pod;

	(void)state;
	expect_all(known, ARRAY_SIZE(known), NULL);
	assert_int_equal(cgroup_pod_parse(known[0].path, NULL, &pod), 0);
	assert_int_equal(pod.pod_len, 0);
}

/* A node that is a container itself, with or without a cgroup namespace; and a kubelet with --cgroup-root. */
static void below_a_base(void **state)
{
	static const struct {
		struct known known;
		const char *base;
	} known[] = {
		{ { KIND "/cri-containerd-" ID ".scope", UID, ID, POD_BURSTABLE, RUNTIME_CONTAINERD },
		  "/kubelet.slice" },
		{ { "/kubelet/kubepods/pod" UID "/" ID, UID, ID, POD_GUARANTEED, RUNTIME_UNTOLD }, "/kubelet" },
		{ { "/system.slice/docker-" OTHER_ID ".scope" KIND "/cri-containerd-" ID ".scope", UID, ID,
		    POD_BURSTABLE, RUNTIME_CONTAINERD },
		  "/system.slice/docker-" OTHER_ID ".scope/kubelet.slice" },
		{ { "/docker/" OTHER_ID "/kubelet/kubepods/besteffort/pod" UID "/" ID, UID, ID, POD_BESTEFFORT,
		    RUNTIME_UNTOLD },
		  "/docker/" OTHER_ID "/kubelet" },
	};
	struct cgroup_pod pod;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		expect(&known[i].known, NULL);
		expect(&known[i].known, known[i].base);
		assert_int_equal(cgroup_pod_parse(known[i].known.path, known[i].base, &pod), 0);
		assert_int_equal(pod.base_len, strlen(known[i].base));
		assert_int_equal(cgroup_pod_parse(known[i].known.path, "", &pod), -ENOENT);
		assert_int_equal(cgroup_pod_parse(known[i].known.path, "/docker", &pod), -ENOENT);
	}
	assert_int_equal(cgroup_pod_parse("/kubepods/pod" UID, "/kubepods", &pod), -ENOENT);
}

static void pods_own_cgroup(void **state)
{
	static const char *const pods[] = { BURSTABLE, GUARANTEED, KIND, "/kubepods/pod" UID,
					    "/a/kubepods/burstable/pod" UID };
	struct cgroup_pod pod;
	char path[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pods); i++) {
		assert_int_equal(try_snprintf(path, sizeof(path), "%s/%s/below", pods[i], ID), 0);
		assert_int_equal(cgroup_pod_parse(path, NULL, &pod), 0);
		assert_int_equal(pod.pod_len, strlen(pods[i]));
	}
}

static void refused(const char *path, const char *base, int code)
{
	static const struct cgroup_pod nothing;
	struct cgroup_pod pod;
	int r;

	memset(&pod, 0x55, sizeof(pod));
	r = cgroup_pod_parse(path, base, &pod);
	if (r != code)
		test_fail("%.80s: %d instead of %d", path, r, code);
	assert_memory_equal(&pod, &nothing, sizeof(pod));
}

static void no_pods(void **state)
{
	static const char *const paths[] = {
		"/",
		"/init.scope",
		"/system.slice/containerd.service",
		"/system.slice/crio.service",
		"/system.slice/docker-" ID ".scope",
		"/docker/" ID,
		"/kubepods",
		"/kubepods/",
		"/kubepods/burstable",
		"/kubepods.slice",
		"/kubepods.slice/kubepods-burstable.slice",
		"/kubelet.slice/kubelet-kubepods.slice",
		"/machine.slice/libpod-conmon-" ID ".scope",
		"/xkubepods/pod" UID "/" ID,
		"/kubepodsx/pod" UID "/" ID,
		"/xkubepods.slice/xkubepods-pod" UID_ ".slice",
		"/pod" UID "/" ID,
		"/kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID ".scope",
		"/xkubepods-pod" UID_ ".slice:cri-containerd:" ID,
		/* A user who has a cgroup of his own can name what is in it as he likes. */
		"/user.slice/user-1000.slice/user@1000.service" BURSTABLE "/cri-containerd-" ID ".scope",
		"/user.slice/user-1000.slice/user@1000.service/kubepods-pod" UID_ ".slice:cri-containerd:" ID,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		refused(paths[i], NULL, -ENOENT);
}

static void no_form_of_the_kubelets(void **state)
{
	static const char *const paths[] = {
		"",
		"kubepods/pod" UID,
		"/kubepods/pod",
		"/kubepods/pods/pod" UID,
		"/kubepods/guaranteed/pod" UID,
		"/kubepods/burstable/burstable/pod" UID,
		"/kubepods/" UID,
		"/kubepods/pod" UID_, /* the other driver's */
		"/kubepods/pod" UID ".slice",
		"/kubepods/pod" UID "0",
		"/kubepods/pod73DC8BAF-43a0-413e-aac2-5eb0868f6c1a",
		"/kubepods/pod73dc8baf-43a0-413e-aac2-5eb0868f6c1",
		"/kubepods/pod73dc8baf43a0-413e-aac2-5eb0868f6c1a-",
		"/kubepods/pod" HASH "0",
		"/kubepods/podg53dfa9e2dc9b890f7fadb2770857b03",
		"/kubepods/burstable.slice",
		"/kubepods.slice/burstable/pod" UID,
		"/kubepods.slice/kubepods-pod" UID ".slice",
		"/kubepods.slice/kubepods-burstable-pod" UID_ ".slice",
		"/kubepods.slice/kubepods-burstable.slice/kubepods-besteffort-pod" UID_ ".slice",
		"/kubepods.slice/kubepods-burstable.slice/kubepods-pod" UID_ ".slice",
		"/kubelet.slice/kubelet-kubepods.slice/kubepods-pod" UID_ ".slice",
		"/kubepods.slice/kubepods-pod" UID_ ".scope",
		"/kubepods.slice/cri-containerd-" ID ".scope",
		"/kubepods.slice/evil.slice" BURSTABLE,
		"/kubepods-pod" UID ".slice:cri-containerd:" ID,
		"/kubepods-burstable-burstable-pod" UID_ ".slice:cri-containerd:" ID,
		"/kubepods-pod" UID_ ":cri-containerd:" ID,
		"/kubepods-.slice:crio:" ID,
		"/kubepods-:",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		refused(paths[i], NULL, -EINVAL);
}

static void other_cgroup_namespace(void **state)
{
	(void)state;
	refused("/..", NULL, -EXDEV);
	refused("/../../pod" UID "/" ID, NULL, -EXDEV);
	refused("/../.." GUARANTEED "/cri-containerd-" ID ".scope", NULL, -EXDEV);
	refused("/../cri-containerd-" ID ".scope", "", -EXDEV);
}

/* Whatever a pod makes below its own cgroup, it stays what it is. */
static void look_alikes(void **state)
{
	static const char *const below[] = {
		"/kubepods/pod" OTHER "/" OTHER_ID,
		"/kubepods.slice/kubepods-pod90b1ecb8_b850_451a_97c6_c073b5ddbb53.slice/cri-containerd-" OTHER_ID
		".scope",
		"/kubepods-pod90b1ecb8_b850_451a_97c6_c073b5ddbb53.slice:cri-containerd:" OTHER_ID,
		"/pod" OTHER "/" OTHER_ID,
		"/" OTHER_ID,
		"/cri-containerd-" OTHER_ID ".scope",
		"/user.slice",
		"/..\\..",
		"/a:b:c",
	};
	static const struct known own[] = {
		{ BURSTABLE "/cri-containerd-" ID ".scope", UID, ID, POD_BURSTABLE, RUNTIME_CONTAINERD },
		{ "/kubepods/besteffort/pod" UID "/" ID, UID, ID, POD_BESTEFFORT, RUNTIME_UNTOLD },
		{ "/kubepods-pod" UID_ ".slice:crio:" ID, UID, ID, POD_GUARANTEED, RUNTIME_CRIO },
		{ KIND "/crio-" ID ".scope", UID, ID, POD_BURSTABLE, RUNTIME_CRIO },
	};
	char path[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(own) * ARRAY_SIZE(below); i++) {
		struct known k = own[i / ARRAY_SIZE(below)];

		assert_int_equal(try_snprintf(path, sizeof(path), "%s%s", k.path, below[i % ARRAY_SIZE(below)]), 0);
		k.path = path;
		expect(&k, NULL);
	}
}

/* In a pod's cgroup, but no container that a runtime made. */
static void look_alike_containers(void **state)
{
	static const char *const below[] = {
		"/" ID ".scope",
		"/" ID "0",
		"/f52987fb",
		"/F52987fbdcc7b29175fb52e01c7917e9d6d2e14550e3a2a7abf739da5a067e31",
		"/cri-containerd-" ID ".scope.scope",
		"/cri-containerd-" ID " (deleted)", /* what the kernel adds for a process that has ended */
		"/cri-containerd-",
		"/crio-crio-" ID,
		"/cri-containerd:" ID,
		"/x" ID,
		"/x/" ID,
	};
	char path[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
		const struct known k = { path, UID, "", POD_BURSTABLE, RUNTIME_UNTOLD };

		assert_int_equal(try_snprintf(path, sizeof(path), BURSTABLE "%s", below[i]), 0);
		expect(&k, NULL);
	}
}

static void too_long(void **state)
{
	static char path[PATH_MAX + 64] = "/kubepods/pod" UID "/" ID "/";
	struct cgroup_pod pod;

	(void)state;
	memset(path + strlen(path), 'x', PATH_MAX - 1 - strlen(path));
	assert_int_equal(cgroup_pod_parse(path, NULL, &pod), 0);
	path[PATH_MAX - 1] = 'x';
	refused(path, NULL, -ENAMETOOLONG);
}

static int of_process(const char *text, struct cgroup_pod *pod)
{
	static char copy[4096];

	assert_int_equal(try_snprintf(copy, sizeof(copy), "%s", text), 0);
	return cgroup_pod_of_process(copy, NULL, pod);
}

static void processes(void **state)
{
	struct cgroup_pod pod;

	(void)state;
	assert_int_equal(of_process("0::" BURSTABLE "/crio-" ID ".scope/container\n", &pod), 0);
	assert_string_equal(pod.container, ID);
	assert_true(pod.unified);

	/* v1, and the v2 hierarchy beside it that the runtime does not use. */
	assert_int_equal(of_process("12:pids:/kubepods/pod" UID "/" ID "\n1:name=systemd:/kubepods/pod" UID "/" ID
				    "\n0::/system.slice/containerd.service\n",
				    &pod),
			 0);
	assert_string_equal(pod.uid, UID);
	assert_string_equal(pod.container, ID);
	assert_false(pod.unified);

	/* With both, v2 has the cgroup id. */
	assert_int_equal(of_process("3:cpu,cpuacct:" BURSTABLE "/crio-" ID ".scope\n0::" BURSTABLE "/crio-" ID
				    ".scope/x\n",
				    &pod),
			 0);
	assert_true(pod.unified);
	assert_non_null(strstr(pod.path, ".scope/x"));
}

static void processes_without(void **state)
{
	struct cgroup_pod pod;

	(void)state;
	assert_int_equal(of_process("", &pod), -ENOENT);
	assert_int_equal(of_process("0::/\n", &pod), -ENOENT);
	assert_int_equal(of_process("4:memory:/\n0::/init.scope\n", &pod), -ENOENT);
	assert_int_equal(of_process("0::/kubepods/odd\n", &pod), -EINVAL);
	assert_int_equal(of_process("0::/../../pod" UID "/" ID "\n", &pod), -EXDEV);
	assert_int_equal(of_process("/kubepods/pod" UID "\n0:/kubepods/pod" UID "\n", &pod), -EINVAL);
	assert_int_equal(of_process("2:cpu:/kubepods/pod" UID "/" ID "\n0::/kubepods/pod" OTHER "/" ID "\n", &pod),
			 -ENOTUNIQ);
	assert_int_equal(of_process("2:cpu:/kubepods/pod" UID "/" ID "\n0::/kubepods/pod" UID "/" OTHER_ID "\n", &pod),
			 -ENOTUNIQ);
	assert_string_equal(pod.uid, "");
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(systemd_driver),
		cmocka_unit_test(cgroupfs_driver),
		cmocka_unit_test(drivers_at_odds),
		cmocka_unit_test(below_a_base),
		cmocka_unit_test(pods_own_cgroup),
		cmocka_unit_test(no_pods),
		cmocka_unit_test(no_form_of_the_kubelets),
		cmocka_unit_test(other_cgroup_namespace),
		cmocka_unit_test(look_alikes),
		cmocka_unit_test(look_alike_containers),
		cmocka_unit_test(too_long),
		cmocka_unit_test(processes),
		cmocka_unit_test(processes_without),
	};

	return RUN_CASES("whose a cgroup is", cases);
}
