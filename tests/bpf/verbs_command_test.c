// SPDX-License-Identifier: Apache-2.0
/* What the guard reads out of a verbs ioctl, for commands as applications and attackers lay them out. */
#define _GNU_SOURCE
#include "verbs_command_test.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/mlx5_user_ioctl_cmds.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"
#include "verbs_command_test.skel.h"

#define AV (1 << 7) /* IB_QP_AV */
#define ALT_PATH (1 << 14) /* IB_QP_ALT_PATH */
#define CREATE_AH IB_USER_VERBS_CMD_CREATE_AH
#define EX_MODIFY_QP (IB_USER_VERBS_CMD_FLAG_EXTENDED | IB_USER_VERBS_EX_CMD_MODIFY_QP)
#define PAGE 4096u

enum { NO_CLASS, CLASS_READ, UNREADABLE, PAST_THE_KERNEL }; /* bpf/verbs_command.bpf.h */

static struct verbs_command_test_bpf *skel;
static const char *why_not = "";

/* One ioctl: header, attributes, and the command they point to. */
struct ioctl_args {
	struct ib_uverbs_ioctl_hdr hdr;
	struct ib_uverbs_attr attrs[24];
	union {
		struct ib_uverbs_ex_modify_qp cmd;
		struct ib_uverbs_create_ah ah;
	};
};

static void attr_add(struct ioctl_args *a, __u16 id, __u16 len, __u64 data)
{
	a->attrs[a->hdr.num_attrs++] = (struct ib_uverbs_attr){ .attr_id = id, .len = len, .data = data };
}

static void add_number(struct ioctl_args *a, __u64 number)
{
	attr_add(a, UVERBS_ATTR_WRITE_CMD, 8, number);
}

static void add_command(struct ioctl_args *a, __u16 len)
{
	attr_add(a, UVERBS_ATTR_CORE_IN, len, (__u64)(uintptr_t)&a->cmd);
}

/* The header, and a command with a DSCP; no attributes yet. */
static void begin(struct ioctl_args *a)
{
	memset(a, 0, sizeof(*a));
	a->hdr.object_id = UVERBS_OBJECT_DEVICE;
	a->hdr.method_id = UVERBS_METHOD_INVOKE_WRITE;
	a->cmd.base.attr_mask = AV;
	a->cmd.base.qp_handle = 0x12345678;
	a->cmd.base.dest = (struct ib_uverbs_qp_dest){ .traffic_class = 26 << 2, .is_global = 1 };
	a->cmd.base.alt_dest = (struct ib_uverbs_qp_dest){ .traffic_class = 48 << 2, .is_global = 1 };
}

/* As libibverbs has it. */
static void plain(struct ioctl_args *a)
{
	begin(a);
	add_number(a, IB_USER_VERBS_CMD_MODIFY_QP);
	add_command(a, sizeof(a->cmd.base));
}

static void address_handle(struct ioctl_args *a)
{
	begin(a);
	a->ah = (struct ib_uverbs_create_ah){ .attr = { .grh = { .traffic_class = 26 << 2 }, .is_global = 1 } };
	add_number(a, CREATE_AH);
	attr_add(a, UVERBS_ATTR_CORE_IN, sizeof(a->ah), (__u64)(uintptr_t)&a->ah);
}

static struct verbs_command_question ask_at(const void *arg, __u64 allowed, bool sleepable)
{
	struct verbs_command_question q = { .arg = (__u64)(uintptr_t)arg, .allowed = allowed, .sleepable = sleepable };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &q, .ctx_size_in = sizeof(q));

	if (!skel)
		skip_because("the kernel does not load a syscall program: %s", why_not);
	q.parsed = q.wrong_class = 4711;
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.verbs_command), &opts), 0);
	assert_int_equal(opts.retval, 0);
	return q;
}

/* Both ways of reading; they agree as long as all pages are present. */
static struct verbs_command_question ask(const struct ioctl_args *a, __u64 allowed)
{
	struct verbs_command_question q = ask_at(a, allowed, true), other = ask_at(a, allowed, false);

	assert_int_equal(q.parsed, other.parsed);
	assert_int_equal(q.wrong_class, other.wrong_class);
	assert_int_equal(q.is_ah, other.is_ah);
	assert_memory_equal(&q.qp, &other.qp, sizeof(q.qp));
	assert_memory_equal(&q.ah, &other.ah, sizeof(q.ah));
	return q;
}

static void is_read(const struct ioctl_args *a)
{
	struct verbs_command_question q = ask(a, 0);

	assert_int_equal(q.parsed, CLASS_READ);
	assert_false(q.is_ah);
	assert_memory_equal(&q.qp, &a->cmd.base, sizeof(q.qp));
	assert_int_equal(q.wrong_class, 26 << 2);
}

static void is(const struct ioctl_args *a, int parsed)
{
	assert_int_equal(ask(a, 0).parsed, parsed);
}

static void the_plain_command(void **state)
{
	struct ioctl_args a;

	(void)state;
	plain(&a);
	is_read(&a);
}

/* A flag in its number tells it from the plain one; the command begins with the same struct. */
static void the_extended_command(void **state)
{
	struct ioctl_args a;

	(void)state;
	begin(&a);
	add_number(&a, EX_MODIFY_QP);
	add_command(&a, sizeof(a.cmd));
	is_read(&a);
	a.attrs[0].data = IB_USER_VERBS_CMD_FLAG_EXTENDED | IB_USER_VERBS_EX_CMD_CREATE_QP;
	is(&a, NO_CLASS);
	a.attrs[0].data = IB_USER_VERBS_CMD_FLAG_EXTENDED >> 1 | IB_USER_VERBS_CMD_MODIFY_QP;
	is(&a, NO_CLASS);
}

static void other_commands(void **state)
{
	struct ioctl_args a;

	(void)state;
	plain(&a);
	for (__u64 n = 0; n < 64; n++) {
		a.attrs[0].data = n;
		if (n != IB_USER_VERBS_CMD_MODIFY_QP && n != CREATE_AH)
			is(&a, NO_CLASS);
	}
	/* All 64 bits count. */
	a.attrs[0].data = 1ull << 32 | IB_USER_VERBS_CMD_MODIFY_QP;
	is(&a, NO_CLASS);
}

static void other_methods(void **state)
{
	struct ioctl_args a;

	(void)state;
	plain(&a);
	a.hdr.object_id = UVERBS_OBJECT_QP;
	is(&a, NO_CLASS);
	plain(&a);
	a.hdr.method_id = UVERBS_METHOD_INVOKE_WRITE + 1;
	is(&a, NO_CLASS);
}

static void any_order(void **state)
{
	struct ioctl_args a;

	(void)state;
	begin(&a);
	add_command(&a, sizeof(a.cmd.base));
	add_number(&a, IB_USER_VERBS_CMD_MODIFY_QP);
	is_read(&a);
	begin(&a);
	attr_add(&a, UVERBS_ATTR_UHW_OUT, 0, 0);
	add_command(&a, sizeof(a.cmd.base));
	attr_add(&a, UVERBS_ATTR_CORE_OUT, 0, 0);
	add_number(&a, IB_USER_VERBS_CMD_MODIFY_QP);
	attr_add(&a, UVERBS_ATTR_UHW_IN, 0, 0);
	is_read(&a);
}

/* The kernel passes over attributes it does not know, so they must hide nothing. */
static void unknown_attributes_first(void **state)
{
	struct ioctl_args a;

	(void)state;
	for (unsigned int unknown = 0; unknown <= 14; unknown++) {
		begin(&a);
		for (unsigned int i = 0; i < unknown; i++)
			attr_add(&a, (__u16)(0x700 + i), 8, 0xdead);
		add_number(&a, IB_USER_VERBS_CMD_MODIFY_QP);
		add_command(&a, sizeof(a.cmd.base));
		is_read(&a);
	}
}

static void too_many_attributes(void **state)
{
	struct ioctl_args a;

	(void)state;
	plain(&a);
	while (a.hdr.num_attrs < 17)
		attr_add(&a, 0x700, 8, 0);
	is(&a, UNREADABLE);
	a.hdr.num_attrs = 0xffff;
	is(&a, UNREADABLE);
	/* Of another method it is none of the guard's business. */
	a.hdr.object_id = UVERBS_OBJECT_QP;
	is(&a, NO_CLASS);
}

static void attributes_missing(void **state)
{
	struct ioctl_args a;

	(void)state;
	begin(&a);
	is(&a, NO_CLASS);
	add_command(&a, sizeof(a.cmd.base));
	is(&a, NO_CLASS);
	begin(&a);
	add_number(&a, IB_USER_VERBS_CMD_MODIFY_QP);
	is(&a, UNREADABLE);
	/* What lies behind the attributes that are counted is none. */
	plain(&a);
	a.hdr.num_attrs = 1;
	is(&a, UNREADABLE);
}

static void short_buffers(void **state)
{
	struct ioctl_args a;

	(void)state;
	plain(&a);
	a.attrs[1].len = sizeof(a.cmd.base) - 1;
	is(&a, UNREADABLE);
	a.attrs[1].len = 0;
	is(&a, UNREADABLE);
	/* Up to eight bytes would be the data themselves, not a pointer to them. */
	a.attrs[1].len = 8;
	a.attrs[1].data = 0x4141414141414141;
	is(&a, UNREADABLE);
	a.attrs[1].len = 4;
	is(&a, UNREADABLE);
	plain(&a);
	a.attrs[1].len = 0xffff;
	is_read(&a);
}

static void bad_pointers(void **state)
{
	static const __u64 bad[] = { 0, 8, 0x7ffffffff000, 0x8000000000000000, 0xffff888000000000, 0xffffffffffffffff };
	struct ioctl_args a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		plain(&a);
		a.attrs[1].data = bad[i];
		is(&a, UNREADABLE);
		assert_int_equal(ask_at((void *)(uintptr_t)bad[i], 0, true).parsed, UNREADABLE);
		assert_int_equal(ask_at((void *)(uintptr_t)bad[i], 0, false).parsed, UNREADABLE);
	}
}

/* Two pages, of which the second one cannot be read. */
static char *half_readable(void)
{
	char *two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(two != MAP_FAILED);
	memset(two, 0, PAGE);
	assert_int_equal(mprotect(two + PAGE, PAGE, PROT_NONE), 0);
	return two;
}

static void an_unreadable_second_attribute(void **state)
{
	char *two = half_readable();
	struct ioctl_args a, *at;

	(void)state;
	plain(&a);
	at = (struct ioctl_args *)(two + PAGE - sizeof(a.hdr) - sizeof(a.attrs[0]));
	memcpy(at, &a, sizeof(a.hdr) + sizeof(a.attrs[0]));
	is(at, UNREADABLE);
	at = (struct ioctl_args *)(two + PAGE - sizeof(a.hdr));
	memcpy(at, &a, sizeof(a.hdr));
	is(at, UNREADABLE);
	at->hdr.method_id = UVERBS_METHOD_INVOKE_WRITE + 1;
	is(at, NO_CLASS);
	is((struct ioctl_args *)(two + PAGE - 8), UNREADABLE);
	munmap(two, 2 * PAGE);
}

static void a_command_that_ends_unreadable(void **state)
{
	char *two = half_readable(), *at = two + PAGE - sizeof(struct ib_uverbs_modify_qp);
	struct ioctl_args a;

	(void)state;
	plain(&a);
	memcpy(at, &a.cmd.base, sizeof(a.cmd.base));
	a.attrs[1].data = (__u64)(uintptr_t)at;
	is_read(&a);
	memmove(at + 4, at, sizeof(a.cmd.base) - 4);
	a.attrs[1].data = (__u64)(uintptr_t)at + 4;
	is(&a, UNREADABLE);
	munmap(two, 2 * PAGE);
}

/* What a program that may sleep can do and the others cannot. */
static void a_page_that_is_not_present(void **state)
{
	struct ioctl_args a, *mapped;
	int fd;

	(void)state;
	plain(&a);
	fd = open(temp_file("args", &a, sizeof(a)), O_RDONLY | O_CLOEXEC);
	mapped = mmap(NULL, sizeof(a), PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(mapped != MAP_FAILED);
	assert_int_equal(ask_at(mapped, 0, false).parsed, UNREADABLE);
	assert_int_equal(ask_at(mapped, 0, true).parsed, CLASS_READ);
	assert_int_equal(ask_at(mapped, 0, false).parsed, CLASS_READ);
	munmap(mapped, sizeof(a));
	close(fd);
}

static void every_dscp_and_ecn(void **state)
{
	struct ioctl_args a;

	(void)state;
	plain(&a);
	for (unsigned int dscp = 0; dscp < 64; dscp++)
		for (unsigned int ecn = 0; ecn < 4; ecn++) {
			__u8 class = (__u8)(dscp << 2 | ecn);

			a.cmd.base.dest.traffic_class = class;
			assert_int_equal(ask(&a, 1ull << dscp).wrong_class, -1);
			assert_int_equal(ask(&a, ~(1ull << dscp)).wrong_class, class);
			assert_int_equal(ask(&a, 1ull << (dscp + 1) % 64).wrong_class, class);
			assert_int_equal(ask(&a, 0).wrong_class, class);
			assert_int_equal(ask(&a, ~0ull).wrong_class, -1);
		}
}

static void the_alternate_path(void **state)
{
	__u64 first = 1ull << 26, other = 1ull << 48;
	struct ioctl_args a;

	(void)state;
	plain(&a);
	a.cmd.base.attr_mask = AV | ALT_PATH;
	assert_int_equal(ask(&a, first | other).wrong_class, -1);
	assert_int_equal(ask(&a, first).wrong_class, 48 << 2);
	assert_int_equal(ask(&a, other).wrong_class, 26 << 2);
	a.cmd.base.attr_mask = ALT_PATH;
	assert_int_equal(ask(&a, other).wrong_class, -1);
	assert_int_equal(ask(&a, first).wrong_class, 48 << 2);
	a.cmd.base.attr_mask = AV;
	assert_int_equal(ask(&a, first).wrong_class, -1);
	/* A change of something else asks for no class. */
	a.cmd.base.attr_mask = ~(__u32)(AV | ALT_PATH);
	assert_int_equal(ask(&a, 0).wrong_class, -1);
}

/* Without a global route there is no traffic class; the kernel refuses such a path on RoCE. */
static void a_path_that_is_not_global(void **state)
{
	struct ioctl_args a;

	(void)state;
	plain(&a);
	a.cmd.base.attr_mask = AV | ALT_PATH;
	a.cmd.base.dest.is_global = 0;
	assert_int_equal(ask(&a, 0).wrong_class, 48 << 2);
	a.cmd.base.alt_dest.is_global = 0;
	assert_int_equal(ask(&a, 0).wrong_class, -1);
	a.cmd.base.dest.is_global = 0x80;
	assert_int_equal(ask(&a, 0).wrong_class, 26 << 2);
}

static void an_address_handle(void **state)
{
	struct verbs_command_question q;
	struct ioctl_args a;

	(void)state;
	address_handle(&a);
	q = ask(&a, 0);
	assert_int_equal(q.parsed, CLASS_READ);
	assert_true(q.is_ah);
	assert_memory_equal(&q.ah, &a.ah, sizeof(q.ah));
	assert_int_equal(q.wrong_class, 26 << 2);
	assert_int_equal(ask(&a, 1ull << 26).wrong_class, -1);
	a.ah.attr.is_global = 0;
	assert_int_equal(ask(&a, 0).wrong_class, -1);
	a.attrs[1].len = sizeof(a.ah) - 1;
	is(&a, UNREADABLE);
	a.attrs[1].len = 0xffff;
	is(&a, CLASS_READ);
	/* It has no extended form. */
	a.attrs[0].data |= IB_USER_VERBS_CMD_FLAG_EXTENDED;
	is(&a, NO_CLASS);
}

/* Of both paths and of an address handle; three bits count, and without a set none is judged. */
static void the_service_level(void **state)
{
	struct ioctl_args a;

	(void)state;
	plain(&a);
	a.cmd.base.attr_mask = AV | ALT_PATH;
	a.cmd.base.dest.sl = 3;
	a.cmd.base.alt_dest.sl = 13; /* 5 */
	assert_int_equal(ask(&a, 1 << 3 | 1 << 5).wrong_sl, -1);
	assert_int_equal(ask(&a, 1 << 5).wrong_sl, 3);
	assert_int_equal(ask(&a, 1 << 3).wrong_sl, 13);
	assert_int_equal(ask(&a, 0).wrong_sl, -1);
	a.cmd.base.attr_mask = 0;
	assert_int_equal(ask(&a, 1).wrong_sl, -1);
	address_handle(&a);
	a.ah.attr.sl = 4;
	assert_int_equal(ask(&a, 1 << 4).wrong_sl, -1);
	assert_int_equal(ask(&a, 1 << 3).wrong_sl, 4);
}

/* The driver's number tells whose objects are meant. */
static void devx(void **state)
{
	struct ioctl_args a;

	(void)state;
	plain(&a);
	a.hdr.object_id = MLX5_IB_OBJECT_DEVX_OBJ;
	is(&a, NO_CLASS);
	a.hdr.driver_id = RDMA_DRIVER_MLX5;
	is(&a, PAST_THE_KERNEL);
	a.hdr.object_id = MLX5_IB_OBJECT_DEVX_UMEM;
	is(&a, NO_CLASS);
}

static void load(void)
{
	skel = verbs_command_test_bpf__open();
	if (skel && !verbs_command_test_bpf__load(skel))
		return;
	why_not = strerror(errno);
	verbs_command_test_bpf__destroy(skel);
	skel = NULL;
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(the_plain_command),
		cmocka_unit_test(the_extended_command),
		cmocka_unit_test(other_commands),
		cmocka_unit_test(other_methods),
		cmocka_unit_test(any_order),
		cmocka_unit_test(unknown_attributes_first),
		cmocka_unit_test(too_many_attributes),
		cmocka_unit_test(attributes_missing),
		cmocka_unit_test(short_buffers),
		cmocka_unit_test(bad_pointers),
		cmocka_unit_test(an_unreadable_second_attribute),
		cmocka_unit_test(a_command_that_ends_unreadable),
		cmocka_unit_test(a_page_that_is_not_present),
		cmocka_unit_test(every_dscp_and_ecn),
		cmocka_unit_test(the_alternate_path),
		cmocka_unit_test(a_path_that_is_not_global),
		cmocka_unit_test(an_address_handle),
		cmocka_unit_test(devx),
		cmocka_unit_test(the_service_level),
	};
	int failed;

	if (geteuid() == 0)
		load();
	else
		why_not = "only root may";
	failed = RUN_CASES("modify_qp", cases);
	verbs_command_test_bpf__destroy(skel);
	return failed;
}
