// SPDX-License-Identifier: Apache-2.0
/* wardenctl: asks wardend, and prints for people or, with --json, the items as they come. */
#include <cjson/cJSON.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/client.h"
#include "lib/util.h"
#include "lib/version.h"
#include "report/text.h"
#include "wardenctl/change.h"
#include "wardenctl/print.h"
#include "wardenctl/verify.h"

struct command {
	const char *name;
	const char *arguments;
	const char *help;
	/* Options that it takes, by letter; the string ends the list. */
	const char *options;
	const char *required;
	void (*print)(const cJSON *item, void *ctx);
};

static const struct command commands[] = {
	{ "status", "", "the daemon, its mode, programs and counters", "", "", print_status },
	{ "capabilities", "", "what this kernel gives: active, fallback or unavailable, and why", "", "",
	  print_capability },
	{ "devices", "", "RDMA devices, their netns, owner and use", "", "", print_device },
	{ "resources", "", "PFs, their VFs, and what the kubelet has given of them to whom", "", "", print_inventory },
	{ "attachments", "", "what the CNI plugin has attached to which container", "", "", print_attachment },
	{ "timings", "", "how long the CNI plugin's commands and their steps have taken", "", "", print_timing },
	{ "claim", "--device D (--netns N | --pid P) [--cgroup C] --owner NS/NAME [--resource R]",
	  "bind a device to an owner", "DNPCOE", "DO", print_claim },
	{ "release", "--device D [--force]", "end the claim on a device (--force: though it is not clean)", "DR", "D",
	  print_claim },
	{ "events", "[--follow] [--since T]", "what happened (T: seconds since the epoch, or 30s, 5m, 2h ago)", "FS",
	  "", print_event },
	{ "packets", "", "RoCE packets of VFs that pass the kernel, by DSCP and class", "", "", print_packets },
	{ "qos", "[--profile P] [--apply | --revert] [--yes]",
	  "what would put RoCE traffic into a lossy class, and what mends it (--apply: mend it; --revert: take back)",
	  "QAVY", "", print_finding },
	{ "verify", "[--owner NS/NAME] [--all]",
	  "does the node keep what it promises: to itself and to each pod, or to one (--all: what passes, too)", "OL",
	  "", verify_take },
	{ "policy", "[--apply]",
	  "the node policy: wanted and found of each PF, and what is to be done (--apply: do it)", "A", "",
	  print_policy },
};

static const struct option options[] = {
	{ "socket", required_argument, NULL, 'k' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "device", required_argument, NULL, 'D' },
	{ "netns", required_argument, NULL, 'N' },
	{ "pid", required_argument, NULL, 'P' },
	{ "cgroup", required_argument, NULL, 'C' },
	{ "owner", required_argument, NULL, 'O' },
	{ "resource", required_argument, NULL, 'E' },
	{ "force", no_argument, NULL, 'R' },
	{ "follow", no_argument, NULL, 'F' },
	{ "since", required_argument, NULL, 'S' },
	{ "profile", required_argument, NULL, 'Q' },
	{ "apply", no_argument, NULL, 'A' },
	{ "revert", no_argument, NULL, 'V' },
	{ "yes", no_argument, NULL, 'Y' },
	{ "all", no_argument, NULL, 'L' },
	{ NULL, 0, NULL, 0 },
};

static void usage(FILE *to)
{
	fputs("usage: wardenctl [--socket PATH] COMMAND [--json] [OPTIONS]\n       wardenctl --version\n", to);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-13s %s%s%s\n", commands[i].name, commands[i].arguments,
			*commands[i].arguments ? "\n                " : "", commands[i].help);
}

static const char *option_name(int letter)
{
	for (const struct option *o = options; o->name; o++)
		if (o->val == letter)
			return o->name;
	return "?";
}

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* "1700000000", or "30s", "5m", "2h" before now: seconds since the epoch, or 0 when it is neither. */
static double parse_since(const char *text)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 } };
	size_t len = strlen(text);
	uint64_t value, now = (uint64_t)time(NULL);
	char number[24];

	for (size_t i = 0; len > 1 && i < ARRAY_SIZE(units); i++) {
		if (text[len - 1] != units[i].unit || try_snprintf(number, sizeof(number), "%.*s", (int)len - 1, text))
			continue;
		return parse_u64(number, 10, 1, 1000000, &value) ? 0 : (double)(now - value * units[i].seconds);
	}
	return parse_u64(text, 10, 1, 10000000000ull, &value) ? 0 : (double)value;
}

/* Puts one option into the request: 0, or -1 after a message. */
static int put_option(cJSON *request, int letter, const char *value)
{
	uint64_t pid;

	switch (letter) {
	case 'R':
		cJSON_AddTrueToObject(request, "force");
		return 0;
	case 'F':
		cJSON_AddTrueToObject(request, "follow");
		return 0;
	case 'P':
		if (parse_u64(value, 10, 1, 4194304, &pid)) {
			fprintf(stderr, "wardenctl: --pid \"%s\": not a process id\n", value);
			return -1;
		}
		cJSON_AddNumberToObject(request, "pid", (double)pid);
		return 0;
	case 'S':
		if (!parse_since(value)) {
			fprintf(stderr, "wardenctl: --since \"%s\": give seconds since the epoch, or 30s, 5m, 2h\n",
				value);
			return -1;
		}
		cJSON_AddNumberToObject(request, "since", parse_since(value));
		return 0;
	default:
		cJSON_AddStringToObject(request, option_name(letter), value);
		return 0;
	}
}

static int check_required(const struct command *command, const cJSON *request)
{
	for (const char *r = command->required; *r; r++) {
		if (cJSON_HasObjectItem(request, option_name(*r)))
			continue;
		fprintf(stderr, "wardenctl: %s needs --%s\n", command->name, option_name(*r));
		return -1;
	}
	return 0;
}

struct environment {
	const char *socket;
	const char *name;
	bool json;
	bool apply, revert, yes; /* of qos, and the first of policy */
	unsigned int passed, failed, unknown; /* results of checks among the items */
	struct verify_view view; /* of verify, which is printed at the end */
};

/* What is no argument of the request: true when the option was such a one. */
static bool put_flag(struct environment *env, int letter)
{
	bool *flag = letter == 'A'   ? &env->apply
		     : letter == 'V' ? &env->revert
		     : letter == 'Y' ? &env->yes
		     : letter == 'L' ? &env->view.all
				     : NULL;

	if (flag)
		*flag = true;
	return flag;
}

/* Reads the command line into the request: 0, or the exit status plus one. */
static int parse(int argc, char **argv, struct environment *env, cJSON *request)
{
	const struct command *command;
	int c, letters[16], count = 0;
	const char *values[16];

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'k')
			env->socket = optarg;
		else if (c == 'j')
			env->json = true;
		else if (c == 'h')
			return usage(stdout), 1;
		else if (c == '?' || count == (int)ARRAY_SIZE(letters))
			return usage(stderr), 3;
		else
			letters[count] = c, values[count++] = optarg;
	}
	env->name = optind < argc ? argv[optind] : "";
	command = command_find(env->name);
	if (!command || optind + 1 != argc) {
		fprintf(stderr, "wardenctl: %s\n",
			command      ? "too many arguments"
			: *env->name ? "unknown command"
				     : "no command");
		return usage(stderr), 3;
	}
	for (int i = 0; i < count; i++) {
		if (!strchr(command->options, letters[i])) {
			fprintf(stderr, "wardenctl: %s does not take --%s\n", env->name, option_name(letters[i]));
			return 3;
		}
		if (!put_flag(env, letters[i]) && put_option(request, letters[i], values[i]))
			return 3;
	}
	if ((env->apply && env->revert) || (env->yes && !env->apply && !env->revert)) {
		fputs("wardenctl: give one of --apply and --revert, and --yes with one of them only\n", stderr);
		return 3;
	}
	return check_required(command, request) ? 3 : 0;
}

/* The text may repeat an argument, whatever it holds: one line, and nothing that a terminal obeys. */
static void print_error(const struct err *err)
{
	char text[sizeof(err->text)];

	text_from_bytes(err->text, sizeof(err->text), text, sizeof(text));
	fprintf(stderr, "wardenctl: %s\n", text);
}

static void show(const cJSON *item, void *ctx)
{
	const cJSON *result = cJSON_GetObjectItemCaseSensitive(item, "result");
	const char *name = cJSON_IsString(result) ? result->valuestring : "";
	struct environment *env = ctx;

	env->passed += !strcmp(name, "pass");
	env->failed += !strcmp(name, "fail");
	env->unknown += !strcmp(name, "unknown");
	(env->json ? print_json : command_find(env->name)->print)(item, &env->view);
}

/* 0, 1 when a change was not made, or -errno; the request is taken apart. */
static int ask(struct environment *env, cJSON *request, struct err *err)
{
	struct change_options how = {
		.socket = env->socket, .revert = env->revert, .yes = env->yes, .json = env->json
	};
	int r;

	if (env->apply && !strcmp(env->name, "policy"))
		cJSON_AddTrueToObject(request, "apply");
	if ((!env->apply && !env->revert) || !strcmp(env->name, "policy")) {
		cJSON_AddStringToObject(request, "request", env->name);
		return client_request(env->socket, request, show, env, err);
	}
	r = change_settings(&how, request, show, env, err);
	cJSON_Delete(request);
	return r;
}

int main(int argc, char **argv)
{
	struct environment env = { .socket = CONTROL_SOCKET };
	struct err err;
	cJSON *request;
	int r;

	if (version_asked("wardenctl", argc, argv))
		return EXIT_SUCCESS;
	request = cJSON_CreateObject();
	r = parse(argc, argv, &env, request);
	if (r) {
		cJSON_Delete(request);
		return r - 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	r = ask(&env, request, &err);
	if (r < 0)
		print_error(&err);
	else if (!strcmp(env.name, "verify") && !env.json)
		verify_print(&env.view);
	else if (env.passed + env.failed + env.unknown && !env.json)
		printf("%u pass, %u fail, %u unknown\n", env.passed, env.failed, env.unknown);
	/* What was taken back may well be wrong again. */
	return r || (env.failed && !env.revert) ? EXIT_FAILURE : EXIT_SUCCESS;
}
