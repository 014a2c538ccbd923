// SPDX-License-Identifier: Apache-2.0
#include "rdmatop/output.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "lib/json.h"
#include "lib/util.h"
#include "rdmatop/clean.h"

struct output {
	const struct output_options *options;
	struct sample *sample;
	struct tracker *tracker;
	struct rows rows;
	bool headed; /* CSV's first line is out */
};

/* ---- table ---- */

/* That of the terminal, or as wide as all columns where there is none. */
static int table_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	uint64_t width;

	if (columns && !parse_u64(columns, 10, 1, 10000, &width))
		return (int)width;
	return isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col ? size.ws_col : 10000;
}

static void table_row(const struct output *o, const struct row *row, const enum column *shown, size_t count,
		      int pod_width)
{
	bool indented = !row->is_group && o->options->view->group != GROUP_NONE;
	char text[ROW_TEXT + 32], cell[2 * ROW_TEXT];

	for (size_t i = 0; i < count; i++) {
		enum column c = shown[i];
		int width = c == COLUMN_POD ? pod_width : column_kinds[c].width;

		if (c == COLUMN_HISTORY && row->history)
			history_text(row->history, width, clean_has_utf8(), text, sizeof(text));
		else
			row_text(row, o->sample, c, text, sizeof(text));
		if (c == COLUMN_POD && indented) {
			clean_fit(text, width - 2, false, cell, sizeof(cell));
			printf("  %s", cell);
			continue;
		}
		clean_fit(text, width, column_kinds[c].figure != FIGURES, cell, sizeof(cell));
		printf("%s%s", i ? " " : "", cell);
	}
	putchar('\n');
}

static int widest_name(const struct output *o)
{
	int widest = COLUMN_POD_LEAST;

	for (size_t i = 0; i < o->rows.count; i++) {
		char text[ROW_TEXT + 32];
		int width;

		row_text(&o->rows.row[i], o->sample, COLUMN_POD, text, sizeof(text));
		width = clean_width(text) + 2;
		widest = width > widest ? width : widest;
	}
	return widest;
}

static void table(struct output *o)
{
	const struct sample *s = o->sample;
	enum column shown[COLUMNS];
	char cell[2 * ROW_TEXT];
	int pod_width;
	size_t count = columns_fit(table_width(), widest_name(o), shown, &pod_width);

	printf("# %s", s->time[0] ? s->time : "-");
	if (!s->fleet && s->node_count)
		printf("  %s%s%s", s->nodes[0].node, s->nodes[0].mode[0] ? "  " : "", s->nodes[0].mode);
	printf("  %zu devices of %zu\n", o->rows.shown, o->rows.devices);
	for (size_t i = 0; i < s->missing_count; i++)
		printf("# not known: %s\n", s->missing[i]);
	for (size_t i = 0; i < count; i++) {
		clean_fit(column_kinds[shown[i]].title,
			  shown[i] == COLUMN_POD ? pod_width : column_kinds[shown[i]].width,
			  column_kinds[shown[i]].figure != FIGURES, cell, sizeof(cell));
		printf("%s%s", i ? " " : "", cell);
	}
	putchar('\n');
	for (size_t i = 0; i < o->rows.count; i++)
		table_row(o, &o->rows.row[i], shown, count, pod_width);
	putchar('\n');
}

/* ---- JSON ---- */

/* null is what is not known. */
static void put_figure(cJSON *json, const char *key, double value)
{
	if (isnan(value))
		cJSON_AddNullToObject(json, key);
	else
		cJSON_AddNumberToObject(json, key, value);
}

static const char *node_name(const struct sample *s, size_t node)
{
	return node < s->node_count ? s->nodes[node].node : "";
}

static cJSON *device_json(const struct output *o, const struct row *row)
{
	const struct sample_device *d = &o->sample->devices[row->device];
	const struct {
		const char *key, *text;
	} texts[] = { { "node", node_name(o->sample, d->node) },
		      { "device", d->device },
		      { "pci", d->pci },
		      { "pf", d->pf },
		      { "netdev", d->netdev },
		      { "netns", d->netns },
		      { "state", d->state },
		      { "owner", d->owner },
		      { "pod_namespace", d->pod_namespace },
		      { "pod", d->pod },
		      { "container", d->container },
		      { "resource", d->resource },
		      { "link", d->link },
		      { "marking", d->marking },
		      { "traffic", d->traffic } };
	cJSON *json = cJSON_CreateObject();

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cJSON_AddStringToObject(json, texts[i].key, texts[i].text);
	for (enum column c = 0; c < COLUMNS; c++)
		if (column_kinds[c].figure != FIGURES)
			put_figure(json, c == COLUMN_LINK ? "speed_bits" : column_kinds[c].option,
				   row->figure[column_kinds[c].figure]);
	return json;
}

static cJSON *node_json(const struct sample_node *node)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "node", node->node);
	cJSON_AddStringToObject(json, "version", node->version);
	cJSON_AddStringToObject(json, "mode", node->mode);
	cJSON_AddStringToObject(json, "guard", node->guard);
	cJSON_AddBoolToObject(json, "daemon", node->daemon.value);
	return json;
}

static cJSON *pf_json(const struct output *o, size_t i)
{
	const struct sample_pf *pf = &o->sample->pfs[i];
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "node", node_name(o->sample, pf->node));
	cJSON_AddStringToObject(json, "pf", pf->pf);
	cJSON_AddStringToObject(json, "pci", pf->pci);
	cJSON_AddStringToObject(json, "link", pf->link);
	put_figure(json, "speed_bits", pf->speed_mbps.known ? (double)pf->speed_mbps.value * 1e6 : NAN);
	put_figure(json, "vfs", pf->vfs.known ? (double)pf->vfs.value : NAN);
	put_figure(json, "priority", pf->priority.known ? (double)pf->priority.value : NAN);
	put_figure(json, "pause", tracker_pause(o->tracker, i));
	return json;
}

static void json(struct output *o)
{
	_cleanup_(json_free) cJSON *all = cJSON_CreateObject();
	_cleanup_free_ char *line = NULL;
	cJSON *list;

	cJSON_AddStringToObject(all, "time", o->sample->time);
	cJSON_AddNumberToObject(all, "time_ns", (double)o->sample->time_ns);
	put_figure(all, "interval_s", tracker_seconds(o->tracker));
	list = cJSON_AddArrayToObject(all, "nodes");
	for (size_t i = 0; i < o->sample->node_count; i++)
		cJSON_AddItemToArray(list, node_json(&o->sample->nodes[i]));
	list = cJSON_AddArrayToObject(all, "missing");
	for (size_t i = 0; i < o->sample->missing_count; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(o->sample->missing[i]));
	list = cJSON_AddArrayToObject(all, "pfs");
	for (size_t i = 0; i < o->sample->pf_count; i++)
		cJSON_AddItemToArray(list, pf_json(o, i));
	list = cJSON_AddArrayToObject(all, "devices");
	for (size_t i = 0; i < o->rows.count; i++)
		if (!o->rows.row[i].is_group)
			cJSON_AddItemToArray(list, device_json(o, &o->rows.row[i]));
	line = cJSON_PrintUnformatted(all);
	if (line)
		puts(line);
}

/* ---- CSV, as in RFC 4180 with a newline ---- */

static void csv_text(const char *text)
{
	if (!strpbrk(text, ",\"")) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	for (; *text; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

/* The fields are those of JSON, in its order; what is not known is empty. */
static void csv(struct output *o)
{
	for (size_t i = 0; i < o->rows.count; i++) {
		_cleanup_(json_free) cJSON *device = o->rows.row[i].is_group ? NULL : device_json(o, &o->rows.row[i]);
		const cJSON *field;

		if (device && !o->headed) {
			printf("time,interval_s");
			cJSON_ArrayForEach (field, device)
				printf(",%s", field->string);
			putchar('\n');
			o->headed = true;
		}
		if (!device)
			continue;
		csv_text(o->sample->time);
		if (isnan(tracker_seconds(o->tracker)))
			putchar(',');
		else
			printf(",%g", tracker_seconds(o->tracker));
		cJSON_ArrayForEach (field, device) {
			putchar(',');
			if (cJSON_IsString(field))
				csv_text(field->valuestring);
			else if (cJSON_IsNumber(field))
				printf("%.15g", field->valuedouble);
		}
		putchar('\n');
	}
}

/* ---- the loop ---- */

static int show(struct output *o)
{
	static void (*const forms[])(
		struct output *) = { [OUTPUT_TABLE] = table, [OUTPUT_JSON] = json, [OUTPUT_CSV] = csv };
	struct view view = *o->options->view;

	if (o->options->form != OUTPUT_TABLE) /* all devices, and none hidden */
		view.group = GROUP_NONE;
	if (rows_build(&o->rows, o->sample, o->tracker, &view)) {
		fputs("rdmatop: out of memory\n", stderr);
		return -1;
	}
	forms[o->options->form](o);
	return fflush(stdout) ? -1 : 0;
}

static void complain(const struct err *err)
{
	char text[sizeof(err->text)];

	clean_text(err->text, text, sizeof(text));
	fprintf(stderr, "rdmatop: %s\n", text);
}

/* Until `due`, which is then the next time. */
static void wait_for_next(struct timespec *due, double seconds)
{
	timespec_add(due, (uint64_t)(seconds * 1e9));
	if (seconds > 0)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, due, NULL);
}

/* Do its rates come with it, so that one sample is enough. */
static bool has_rates(const struct sample *s)
{
	return s->device_count ? s->devices[0].has_rates || s->fleet : s->fleet;
}

static int run(struct source *source, struct output *o)
{
	struct feed feed = { .sample = o->sample, .record = o->options->record };
	unsigned long printed = 0;
	struct timespec due;
	bool waiting = false; /* a first sample is there that was not printed */
	struct err err;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &due);
	for (unsigned long round = 0; !o->options->count || printed < o->options->count; round++) {
		if (round)
			wait_for_next(&due, o->options->seconds);
		r = source_read(source, NULL, &feed, &err);
		if (r == SOURCE_END)
			break;
		if (r < 0) {
			complain(&err);
			if (!round)
				return EXIT_FAILURE;
			continue;
		}
		if (tracker_feed(o->tracker, o->sample))
			return EXIT_FAILURE;
		waiting = !round && !has_rates(o->sample);
		if (!waiting && (printed++, show(o)))
			return EXIT_FAILURE;
	}
	return waiting && show(o) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int output_run(struct source *source, const struct output_options *options)
{
	struct output o = { .options = options, .sample = sample_new(), .tracker = tracker_new() };
	int status = o.sample && o.tracker ? run(source, &o) : EXIT_FAILURE;

	rows_free(&o.rows);
	tracker_free(o.tracker);
	sample_free(o.sample);
	return status;
}
