// SPDX-License-Identifier: Apache-2.0
/* rdmatop: who sends what by which VF, live. */
#include <getopt.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/client.h"
#include "lib/util.h"
#include "lib/version.h"
#include "rdmatop/clean.h"
#include "rdmatop/output.h"
#include "rdmatop/screen.h"
#include "rdmatop/source.h"

struct options {
	const char *socket, *record, *replay, *prometheus;
	bool batch, mouse;
	enum output_form form;
	uint64_t count, window;
	double seconds; /* 0: not given */
	struct view view;
};

static void usage(FILE *to)
{
	fputs("usage: rdmatop [OPTION]…\n"
	      "Shows the node's RDMA devices live: who has each, what it sends and receives, and what is wrong with "
	      "it. Asks wardend;\n"
	      "where none answers, reads the kernel, and says what is missing.\n\n"
	      "where from\n"
	      "  --socket PATH        of wardend (" CONTROL_SOCKET "); the kernel is not read then\n"
	      "  --replay FILE        a recording, at its own pace or, with -d, at that one\n"
	      "  --prometheus URL     the nodes that a Prometheus server scrapes, grouped by node\n"
	      "  --window SECONDS     over which Prometheus calculates rates (60)\n"
	      "  --record FILE        records each sample, too\n\n"
	      "what\n"
	      "  -d, --delay SECONDS  between two samples, 0.1 to 3600 (1; 5 with --prometheus)\n"
	      "  -g, --group BY       pf, pod, namespace, node or none (pf)\n"
	      "  -s, --sort COLUMN    a name of the list below (tx_bits)\n"
	      "  -r, --reverse        the other way round\n"
	      "  -F, --filter WORDS   only devices that match all words, by pod, namespace, device, address, PF, "
	      "netdev, netns,\n"
	      "                       state, marking, resource or node; !WORD: that do not\n\n"
	      "how\n"
	      "  -b, --batch          tables, one below the other; also where the terminal cannot place its cursor\n"
	      "  -j, --json           an object a sample and line; null is not known\n"
	      "  -c, --csv            a line a device and sample; empty is not known\n"
	      "  -n, --count N        ends after N of them; each shows the rates since the one before\n"
	      "  --mouse              the wheel scrolls, a click selects\n"
	      "  -h, --help           this text\n"
	      "  --version            alone: which one this is\n"
	      "Without -b, -j and -c: the keys are told by h. NO_COLOR in the environment: without colours.\n\n"
	      "columns\n",
	      to);
	for (enum column c = 0; c < COLUMNS; c++)
		fprintf(to, "  %-8s %-16s %s\n", column_kinds[c].title, column_kinds[c].option, column_kinds[c].help);
}

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 'S' },
	{ "replay", required_argument, NULL, 'R' },
	{ "prometheus", required_argument, NULL, 'P' },
	{ "window", required_argument, NULL, 'W' },
	{ "record", required_argument, NULL, 'O' },
	{ "delay", required_argument, NULL, 'd' },
	{ "group", required_argument, NULL, 'g' },
	{ "sort", required_argument, NULL, 's' },
	{ "reverse", no_argument, NULL, 'r' },
	{ "filter", required_argument, NULL, 'F' },
	{ "batch", no_argument, NULL, 'b' },
	{ "json", no_argument, NULL, 'j' },
	{ "csv", no_argument, NULL, 'c' },
	{ "count", required_argument, NULL, 'n' },
	{ "mouse", no_argument, NULL, 'M' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* Says what is wrong with a value: -1. */
static int reject(const char *what, const char *value, const char *wanted)
{
	char text[128];

	clean_text(value, text, sizeof(text));
	fprintf(stderr, "rdmatop: %s \"%s\": %s\n", what, text, wanted);
	return -1;
}

static int parse_seconds(const char *text, double *seconds)
{
	char *end;

	*seconds = strtod(text, &end);
	return *text && !*end && *seconds >= 0.1 && *seconds <= 3600
		       ? 0
		       : reject("--delay", text, "give 0.1 to 3600 seconds");
}

static int parse_group(const char *text, enum group_by *group)
{
	for (*group = 0; *group < GROUPS; ++*group)
		if (!strcmp(group_names[*group], text))
			return 0;
	return reject("--group", text, "give pf, pod, namespace, node or none");
}

/* What only says which source or form. */
static void parse_word(int letter, const char *value, struct options *o)
{
	switch (letter) {
	case 'S':
		o->socket = value;
		break;
	case 'R':
		o->replay = value;
		break;
	case 'P':
		o->prometheus = value;
		break;
	case 'O':
		o->record = value;
		break;
	case 'r':
		o->view.reverse = true;
		break;
	case 'M':
		o->mouse = true;
		break;
	case 'j':
	case 'c':
		o->form = letter == 'j' ? OUTPUT_JSON : OUTPUT_CSV;
		o->batch = true;
		break;
	case 'b':
		o->batch = true;
		break;
	}
}

/* 0 or -1 after a message. */
static int parse_option(int letter, const char *value, struct options *o)
{
	switch (letter) {
	case 'd':
		return parse_seconds(value, &o->seconds);
	case 'g':
		return parse_group(value, &o->view.group);
	case 's':
		o->view.sort = column_find(value);
		return o->view.sort < COLUMNS ? 0 : reject("--sort", value, "--help lists the columns");
	case 'F':
		return try_snprintf(o->view.filter, sizeof(o->view.filter), "%s", value)
			       ? reject("--filter", value, "it is too long")
			       : 0;
	case 'n':
		return parse_u64(value, 10, 1, UINT32_MAX, &o->count) ? reject("--count", value, "give a number from 1")
								      : 0;
	case 'W':
		return parse_u64(value, 10, 1, 86400, &o->window) ? reject("--window", value, "give 1 to 86400 seconds")
								  : 0;
	default:
		parse_word(letter, value, o);
		return 0;
	}
}

/* 0, or the exit status plus one. */
static int parse(int argc, char **argv, struct options *o)
{
	bool grouped = false;
	int c;

	while ((c = getopt_long(argc, argv, "d:g:s:rF:bjcn:h", long_options, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout), 1;
		if (c == '?')
			return fputs("rdmatop --help says what there is\n", stderr), 3;
		if (parse_option(c, optarg, o))
			return 3;
		grouped |= c == 'g';
	}
	if (optind < argc)
		return reject("argument", argv[optind], "rdmatop takes options only"), 3;
	if ((o->socket != NULL) + (o->replay != NULL) + (o->prometheus != NULL) > 1)
		return fputs("rdmatop: give one of --socket, --replay and --prometheus\n", stderr), 3;
	if (o->count && !o->batch)
		return fputs("rdmatop: --count goes with -b, -j or -c\n", stderr), 3;
	if (o->prometheus && !grouped)
		o->view.group = GROUP_NODE;
	if (!o->seconds && !o->replay)
		o->seconds = o->prometheus ? 5 : 1;
	return 0;
}

static struct source *open_source(const struct options *o, struct err *err)
{
	if (o->replay)
		return replay_open(o->replay, err);
	if (o->prometheus)
		return prometheus_open(o->prometheus, (unsigned int)o->window, err);
	return o->socket ? socket_open(o->socket, err) : local_open(CONTROL_SOCKET, err);
}

static int run(struct options *o, struct source *source, FILE *record)
{
	struct output_options output = {
		.form = o->form, .seconds = o->seconds, .count = o->count, .record = record, .view = &o->view
	};
	struct screen_options screen = { .seconds = o->seconds, .record = record, .view = &o->view, .mouse = o->mouse };

	if (!o->batch && screen_usable())
		return screen_run(source, &screen);
	if (!o->batch && isatty(STDOUT_FILENO))
		fputs("rdmatop: this terminal cannot place its cursor: tables follow\n", stderr);
	o->batch = true;
	return output_run(source, &output);
}

int main(int argc, char **argv)
{
	struct options o = { .view = { .sort = COLUMN_TX }, .window = 60 };
	struct source *source;
	FILE *record = NULL;
	struct err err;
	int r;

	if (version_asked("rdmatop", argc, argv))
		return EXIT_SUCCESS;
	setlocale(LC_CTYPE, ""); /* numbers stay as they are */
	r = parse(argc, argv, &o);
	if (r)
		return r - 1;
	signal(SIGPIPE, SIG_IGN); /* a write that fails says so */
	source = open_source(&o, &err);
	if (source && o.record)
		record = record_open(o.record, &err);
	if (!source || (o.record && !record)) {
		char text[sizeof(err.text)];

		clean_text(err.text, text, sizeof(text));
		fprintf(stderr, "rdmatop: %s\n", text);
		source_close(source);
		return EXIT_FAILURE;
	}
	r = run(&o, source, record);
	/* A reading that the screen has not waited for may still be under way. */
	if (record && (o.batch ? fclose(record) : fflush(record))) {
		perror("rdmatop: the recording");
		r = EXIT_FAILURE;
	}
	if (o.batch)
		source_close(source);
	view_fold_all(&o.view, false);
	return r;
}
