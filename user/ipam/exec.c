// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "ipam/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fault.h"
#include "lib/json.h"
#include "lib/util.h"

#define STDOUT_MAX (1 << 20) /* more than that is no result */
#define STDERR_KEPT 1024 /* for the details of an error; the rest is read and forgotten */
#define KILLED_MS 5000 /* until a killed process must be gone */
#define SAFE_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct child {
	const char *type;
	pid_t pid;
	int pidfd;
	int out, err; /* our ends; closed when the child's are */
	char *output;
	size_t output_len, errors_len;
	char errors[STDERR_KEPT + 1];
};

static void child_close(struct child *c)
{
	util_close(&c->pidfd);
	util_close(&c->out);
	util_close(&c->err);
	util_free(&c->output);
}

/* ---- what the plugin gets ---- */

/* An absolute path of the plugin, from the folders of CNI_PATH. */
static int find_plugin(const char *path, const char *type, char to[PATH_MAX], struct cni_error *e)
{
	struct stat st;
	size_t n;

	if (!*path)
		return cni_fail(e, CNI_INVALID_ENVIRONMENT, "CNI_PATH is not set: where is the IPAM plugin \"%s\"?",
				type);
	for (const char *p = path; *p; p += n + (p[n] == ':')) {
		n = strcspn(p, ":");
		if (!n || try_snprintf(to, PATH_MAX, "%.*s/%s", (int)n, p, type))
			continue;
		if (!stat(to, &st) && S_ISREG(st.st_mode) && !access(to, X_OK))
			return 0;
	}
	return cni_fail(e, CNI_INVALID_NETCONF, "failed to find plugin \"%s\" in path [%.1024s]", type, path);
}

/* Standard input as a file: nobody has to write while the plugin reads, and a plugin that does not read hurts nobody. */
static int input_file(const char *text, size_t len)
{
	_cleanup_close_ int fd = memfd_create("netconf", MFD_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < len; done += (size_t)n) {
		n = pwrite(fd, text + done, len - done, (off_t)done);
		if (n < 0 && errno != EINTR)
			return -errno;
		n = n < 0 ? 0 : n;
	}
	return take_fd(&fd);
}

#define VARIABLES 8

struct environment {
	char *list[VARIABLES + 1];
	size_t count;
};

static void environment_free(struct environment *env)
{
	for (size_t i = 0; i < env->count; i++)
		free(env->list[i]);
}

/* What is empty is not set. */
static int add_variable(struct environment *env, const char *name, const char *value)
{
	if (!*value)
		return 0;
	if (asprintf(&env->list[env->count], "%s=%s", name, value) < 0) {
		env->list[env->count] = NULL;
		return -ENOMEM;
	}
	env->count++;
	return 0;
}

static int make_environment(const struct cni_env *from, enum cni_command command, struct environment *env)
{
	int r = add_variable(env, "CNI_COMMAND", cni_command_name(command));

	if (!r)
		r = add_variable(env, "CNI_PATH", from->path);
	if (!r && command != CNI_GC && command != CNI_STATUS) {
		r = add_variable(env, "CNI_CONTAINERID", from->container_id);
		if (!r)
			r = add_variable(env, "CNI_NETNS", from->netns);
		if (!r)
			r = add_variable(env, "CNI_IFNAME", from->ifname);
		if (!r)
			r = add_variable(env, "CNI_ARGS", from->raw_args);
	}
	env->list[env->count] = strdup(SAFE_PATH); /* plugins that are scripts, or run tools */
	return r || !env->list[env->count++] ? -ENOMEM : 0;
}

/* ---- start ---- */

/* Pipe for an output of the child; our end does not block. */
static int make_pipe(int *ours, int *theirs)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	*ours = ends[0];
	*theirs = ends[1];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) ? -errno : 0;
}

static int set_attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (!r)
		r = posix_spawnattr_setpgroup(attr, 0);
	if (!r)
		r = posix_spawnattr_setsigmask(attr, &none);
	return r ? r : posix_spawnattr_setsigdefault(attr, &all);
}

/* None of the descriptors may be 0 to 2: dup2() onto itself would leave it to be closed by exec. */
static int spawn(const char *path, char *const *env, int in, int out, int err, pid_t *pid)
{
	char *argv[] = { (char *)path, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r;

	if (posix_spawn_file_actions_init(&actions))
		return -ENOMEM;
	if (posix_spawnattr_init(&attr)) {
		posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	r = set_attributes(&attr);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, in, 0);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, err, 2);
	if (!r)
		r = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	if (!r)
		r = posix_spawn(pid, path, &actions, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* Moves a descriptor above the standard ones, where the process was started without these. */
static int above_standard(int *fd)
{
	int up;

	if (*fd > 2)
		return 0;
	up = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
	if (up < 0)
		return -errno;
	util_close(fd);
	*fd = up;
	return 0;
}

static int start(struct child *c, const char *path, char *const *env, const char *input, size_t len)
{
	_cleanup_close_ int in = -1, out = -1, err = -1;
	int r = make_pipe(&c->out, &out);

	if (!r)
		r = make_pipe(&c->err, &err);
	if (r)
		return r;
	in = input_file(input, len);
	if (in < 0)
		return in;
	r = above_standard(&in);
	if (!r)
		r = above_standard(&out);
	if (!r)
		r = above_standard(&err);
	if (!r)
		r = spawn(path, env, in, out, err, &c->pid);
	if (r)
		return r;
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->pidfd >= 0)
		return 0;
	r = -errno;
	kill(-c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	return r;
}

/* ---- run ---- */

/* Reads what is there: 0, or -EFBIG. The end is told by a closed descriptor. */
static int read_output(struct child *c)
{
	ssize_t n = read(c->out, c->output + c->output_len, STDOUT_MAX - c->output_len);

	if (n > 0)
		c->output_len += (size_t)n;
	else if (!n || (errno != EAGAIN && errno != EINTR))
		util_close(&c->out);
	return c->output_len == STDOUT_MAX ? -EFBIG : 0;
}

/* One read only, as a plugin may write faster than we forget. */
static void read_errors(struct child *c)
{
	char forgotten[16384], *to = c->errors + c->errors_len;
	size_t room = STDERR_KEPT - c->errors_len;
	ssize_t n = room ? read(c->err, to, room) : read(c->err, forgotten, sizeof(forgotten));

	if (n > 0 && room)
		c->errors_len += (size_t)n;
	else if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
		util_close(&c->err);
}

/* What it has written before its end, though others may hold the pipes open: no more than a pipe holds. */
static int drain(struct child *c)
{
	size_t before;
	int r = 0;

	do {
		before = c->output_len;
		if (c->out >= 0)
			r = read_output(c);
	} while (!r && c->out >= 0 && c->output_len > before);
	if (c->err >= 0)
		read_errors(c);
	return r;
}

/* Until the plugin has ended: 0, -ETIMEDOUT, -EFBIG, or what poll() says. */
static int attend(struct child *c, uint64_t deadline_ns)
{
	unsigned int left;
	int r = 0;

	while (!r) {
		struct pollfd fds[] = { { c->pidfd, POLLIN, 0 }, { c->out, POLLIN, 0 }, { c->err, POLLIN, 0 } };

		left = ipam_left_ms(deadline_ns, 1 << 30);
		if (!left)
			return -ETIMEDOUT;
		if (poll(fds, ARRAY_SIZE(fds), (int)left) < 0) {
			r = errno == EINTR ? 0 : -errno;
			continue;
		}
		if (fds[0].revents)
			return drain(c);
		if (fds[1].revents)
			r = read_output(c);
		if (fds[2].revents)
			read_errors(c);
	}
	return r;
}

/*
 * Ends the whole group, also what the plugin has left in it, and reaps the plugin; until then its number is nobody
 * else's. A process that does not die (in the kernel) is left to the one that reaps at our end.
 */
static int end(struct child *c, siginfo_t *info)
{
	struct pollfd gone = { c->pidfd, POLLIN, 0 };
	uint64_t until = boot_ns() + KILLED_MS * 1000000ull;
	int r;

	kill(-c->pid, SIGKILL);
	syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0); /* should it have left its group */
	while ((r = poll(&gone, 1, (int)ipam_left_ms(until, KILLED_MS))) < 0 && errno == EINTR)
		;
	if (r <= 0)
		return -ETIMEDOUT;
	while ((r = waitid(P_PIDFD, (id_t)c->pidfd, info, WEXITED)) < 0 && errno == EINTR)
		;
	return r ? -errno : 0;
}

/* ---- what it answered ---- */

/* Its last words, on one line. */
static void tell_errors(struct child *c, struct cni_error *e)
{
	for (char *p = c->errors; *p; p++)
		if (*p == '\n' && !p[1])
			*p = '\0';
		else if ((unsigned char)*p < ' ')
			*p = ' ';
	if (c->errors[0])
		cni_details(e, "IPAM plugin \"%s\" wrote: %s", c->type, c->errors);
}

/* The plugin's own error object, or what its end says. */
static int failed(struct child *c, const siginfo_t *info, struct cni_error *e)
{
	_cleanup_(json_free) cJSON *json = json_parse_strict(c->output, c->output_len, NULL);
	const cJSON *code = cJSON_GetObjectItemCaseSensitive(json, "code");
	const cJSON *msg = cJSON_GetObjectItemCaseSensitive(json, "msg");
	const cJSON *details = cJSON_GetObjectItemCaseSensitive(json, "details");
	int r;

	if (cJSON_IsNumber(code) && code->valueint > 0 && cJSON_IsString(msg)) {
		r = cni_fail(e, (unsigned int)code->valueint, "%s", msg->valuestring);
		if (cJSON_IsString(details) && details->valuestring[0])
			cni_details(e, "%s", details->valuestring);
	} else if (info->si_code == CLD_EXITED) {
		r = cni_fail(e, CNI_IPAM, "IPAM plugin \"%s\" failed with status %d and no error", c->type,
			     info->si_status);
	} else {
		r = cni_fail(e, CNI_IPAM, "IPAM plugin \"%s\" was ended by signal %d", c->type, info->si_status);
	}
	tell_errors(c, e);
	return r;
}

static int cut_off(struct child *c, int why, struct cni_error *e)
{
	int r;

	if (why == -ETIMEDOUT)
		r = cni_fail(e, CNI_TRY_AGAIN, "IPAM plugin \"%s\" did not end in time and was killed", c->type);
	else if (why == -EFBIG)
		r = cni_fail(e, CNI_IPAM, "IPAM plugin \"%s\" answered more than %d bytes and was killed", c->type,
			     STDOUT_MAX);
	else
		r = cni_fail(e, CNI_INTERNAL, "IPAM plugin \"%s\": %s", c->type, strerror(-why));
	tell_errors(c, e);
	return r;
}

/* Runs the plugin to its end. On success c->output holds what it answered. */
static int run(const struct ipam_call *call, enum cni_command command, const char *input, size_t len, struct child *c,
	       struct cni_error *e)
{
	_cleanup_(environment_free) struct environment env = {};
	siginfo_t info = {};
	char path[PATH_MAX];
	int r, ended;

	*c = (struct child){ .type = call->conf->ipam_type, .pidfd = -1, .out = -1, .err = -1 };
	r = find_plugin(call->env->path, c->type, path, e);
	if (r)
		return r;
	c->output = malloc(STDOUT_MAX);
	if (!c->output || make_environment(call->env, command, &env))
		return cni_fail(e, CNI_INTERNAL, "out of memory");
	r = start(c, path, env.list, input, len);
	if (r)
		return cni_fail(e, CNI_IPAM, "IPAM plugin %s cannot be run: %s", path, strerror(-r));
	r = attend(c, call->deadline_ns);
	ended = end(c, &info);
	if (r || ended)
		return cut_off(c, r ? r : ended, e);
	return info.si_code == CLD_EXITED && !info.si_status ? 0 : failed(c, &info, e);
}

/* ---- commands ---- */

/* The plugin may have done all, and its answer be lost: that is what a fault after it stands for. */
static int run_plugin(const struct ipam_call *call, enum cni_command command, const char *input, size_t len,
		      struct child *c, struct cni_error *e)
{
	int r = fault_around("ipam.exec", run(call, command, input, len, c, e));

	return r && e && !e->code ? cni_fail(e, CNI_IPAM, "IPAM plugin \"%s\": %s", call->conf->ipam_type, strerror(-r))
				  : r;
}

static int simple(const struct ipam_call *call, enum cni_command command, const char *input, size_t len,
		  struct cni_error *e)
{
	_cleanup_(child_close) struct child c = { .pidfd = -1, .out = -1, .err = -1 };

	return run_plugin(call, command, input, len, &c, e);
}

static int read_answer(struct child *c, const struct netconf *conf, struct cni_result *result, struct cni_error *e)
{
	struct err why = {};
	_cleanup_(json_free) cJSON *json = json_parse_strict(c->output, c->output_len, &why);
	int r;

	if (!json)
		r = cni_fail(e, CNI_DECODE, "IPAM plugin \"%s\" gave no result: %s", c->type, why.text);
	else
		r = cni_result_read(json, conf->version, result, e);
	if (!r && !result->ip_count)
		r = cni_fail(e, CNI_IPAM, "IPAM plugin \"%s\" returned missing IP config", c->type);
	if (!r)
		return 0;
	tell_errors(c, e);
	cni_result_free(result);
	return r;
}

/* Interfaces are the caller's; an IPAM plugin has none. */
static void drop_interfaces(struct cni_result *result)
{
	struct cni_result dropped = { .interfaces = result->interfaces, .interface_count = result->interface_count };

	for (size_t i = 0; i < result->ip_count; i++)
		result->ips[i].interface = -1;
	result->interfaces = NULL;
	result->interface_count = 0;
	cni_result_free(&dropped);
}

int exec_add(const struct ipam_call *call, struct cni_result *result, struct cni_error *e)
{
	_cleanup_(child_close) struct child c = { .pidfd = -1, .out = -1, .err = -1 };
	struct ipam_call undo = *call;
	struct cni_error undo_error = {};
	int r = run_plugin(call, CNI_ADD, call->conf->text, call->conf->len, &c, e);

	if (!r)
		r = read_answer(&c, call->conf, result, e);
	if (!r) {
		drop_interfaces(result);
		return 0;
	}
	if (!c.pid) /* never run */
		return r;
	undo.deadline_ns = boot_ns() + IPAM_UNDO_MS * 1000000ull;
	if (simple(&undo, CNI_DEL, call->conf->text, call->conf->len, &undo_error))
		cni_details(e, "its DEL failed, too: %s", undo_error.msg);
	return r;
}

int exec_del(const struct ipam_call *call, struct cni_error *e)
{
	return simple(call, CNI_DEL, call->conf->text, call->conf->len, e);
}

int exec_check(const struct ipam_call *call, struct cni_error *e)
{
	if (call->conf->version < CNI_0_4_0)
		return 0; /* its plugins know no CHECK */
	return simple(call, CNI_CHECK, call->conf->text, call->conf->len, e);
}

int exec_status(const struct ipam_call *call, struct cni_error *e)
{
	int r = 0;

	if (call->conf->version >= CNI_1_1_0)
		r = simple(call, CNI_STATUS, call->conf->text, call->conf->len, e);
	/* A plugin that is missing or hangs is one that cannot serve. */
	if (r && e && e->code != CNI_LIMITED && e->code != CNI_INCOMPATIBLE_VERSION)
		e->code = CNI_NOT_AVAILABLE;
	return r;
}

static char *gc_input(const struct netconf *conf, const struct netconf_attachment *valid, size_t count)
{
	_cleanup_(json_free) cJSON *json = cJSON_Duplicate(conf->json, true), *list = cJSON_CreateArray();
	cJSON *one, *kept;

	for (size_t i = 0; i < count; i++) {
		one = cJSON_CreateObject();
		if (!cJSON_AddItemToArray(list, one) ||
		    !cJSON_AddStringToObject(one, "containerID", valid[i].container_id) ||
		    !cJSON_AddStringToObject(one, "ifname", valid[i].ifname))
			return NULL;
	}
	cJSON_DeleteItemFromObjectCaseSensitive(json, "cni.dev/valid-attachments");
	cJSON_DeleteItemFromObjectCaseSensitive(json, "cni.dev/attachments");
	kept = list;
	if (!cJSON_AddItemToObject(json, "cni.dev/valid-attachments", list))
		return NULL;
	list = NULL;
	/* The older name of the same, for plugins from before the specification was final. */
	if (!cJSON_AddItemToObject(json, "cni.dev/attachments", cJSON_Duplicate(kept, true)))
		return NULL;
	return cJSON_PrintUnformatted(json);
}

int exec_gc(const struct ipam_call *call, const struct netconf_attachment *valid, size_t count, struct cni_error *e)
{
	_cleanup_free_ char *input = NULL;

	if (call->conf->version < CNI_1_1_0)
		return 0;
	input = gc_input(call->conf, valid, count);
	if (!input)
		return cni_fail(e, CNI_INTERNAL, "out of memory");
	return simple(call, CNI_GC, input, strlen(input), e);
}
