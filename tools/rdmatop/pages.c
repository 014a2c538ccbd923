// SPDX-License-Identifier: Apache-2.0
/* The pages of text: one device in detail, and the help. */
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "rdmatop/clean.h"
#include "rdmatop/screen_internal.h"

int page_scroll(struct screen *s, int lines)
{
	int most = lines - (LINES - 2);

	if (s->scroll > most)
		s->scroll = most;
	if (s->scroll < 0)
		s->scroll = 0;
	return s->scroll;
}

/* Lines are drawn as they come, those that are scrolled away are not; drawn twice, as how many there are is known at the end. */
struct text {
	struct screen *s;
	int line, from;
	bool drawing;
};

static void __attribute__((format(printf, 3, 4))) say(struct text *t, enum paint paint, const char *fmt, ...)
{
	int y = t->line++ - t->from + 1;
	char text[1024];
	va_list args;

	if (!t->drawing || y < 1 || y >= LINES - 1)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	paint_format(y, paint, "%s", text);
}

static void draw_page(struct screen *s, const char *title, void (*write)(struct text *t))
{
	struct text t = { .s = s };

	write(&t);
	t = (struct text){ .s = s, .from = page_scroll(s, t.line), .drawing = true };
	paint_text(0, 0, COLS, false, PAINT_GROUP, true, title);
	write(&t);
	paint_format(LINES - 1, PAINT_DIM, "Esc back  arrows, PgUp, PgDn scroll  q quit%s",
		     t.line > LINES - 2 ? (t.from + LINES - 2 < t.line ? "  (more below)" : "  (end)") : "");
}

/* ---- one device ---- */

static const struct sample_device *subject(const struct screen *s, size_t *at)
{
	for (*at = 0; *at < s->sample->device_count; ++*at) {
		const struct sample_device *d = &s->sample->devices[*at];

		if (!strcmp(d->pci, s->subject.pci) && !strcmp(d->device, s->subject.device) &&
		    d->index.known == s->subject.index.known && d->index.value == s->subject.index.value &&
		    (d->node >= s->sample->node_count || !strcmp(s->sample->nodes[d->node].node, s->subject.node)))
			return d;
	}
	return NULL;
}

static const char *or_dash(const char *text)
{
	return *text ? text : "-";
}

/* Of as many as are told at once. */
static const char *number(const struct counted *value)
{
	static char texts[16][24];
	static unsigned int next;
	char *text = texts[next++ % 16];

	if (value->known)
		snprintf(text, sizeof(texts[0]), "%llu", (unsigned long long)value->value);
	else
		snprintf(text, sizeof(texts[0]), "-");
	return text;
}

static const char *rate(double value, bool binary)
{
	static char texts[16][16];
	static unsigned int next;
	char *text = texts[next++ % 16];

	figure_text(value, binary, text, sizeof(texts[0]));
	return text;
}

static void say_who(struct text *t, const struct sample_device *d)
{
	char owner[ROW_TEXT];

	sample_owner(d, owner, sizeof(owner));
	say(t, PAINT_PLAIN, "pod        %s  container %s  by %s", or_dash(owner), or_dash(d->container),
	    or_dash(d->pod_source));
	say(t, PAINT_PLAIN, "state      %s  claimed by %s  resource %s  netns %s", or_dash(d->state),
	    or_dash(d->claim_source), or_dash(d->resource), or_dash(d->netns));
	say(t, PAINT_PLAIN, "place      %s  index %s  PF %s  netdev %s", or_dash(d->pci), number(&d->index),
	    or_dash(d->pf), or_dash(d->netdev));
	say(t, PAINT_PLAIN, "node GUID  %s", or_dash(d->node_guid));
	say(t, strcmp(d->link, "ACTIVE") && *d->link ? PAINT_BAD : PAINT_PLAIN, "link       %s  %s Mb/s  MTU %s",
	    or_dash(d->link), number(&d->speed_mbps), number(&d->mtu));
}

static void say_figures(struct text *t, const struct sample_device *d, const struct device_rates *r)
{
	const double *f = r->figure;
	char history[HISTORY * 4];

	say(t, PAINT_PLAIN, "sent       %sb/s  %s packets/s  %s messages/s", rate(f[FIGURE_TX_BITS], false),
	    rate(f[FIGURE_TX_PACKETS], false), rate(f[FIGURE_TX_MESSAGES], false));
	say(t, PAINT_PLAIN, "received   %sb/s  %s packets/s  %s messages/s", rate(f[FIGURE_RX_BITS], false),
	    rate(f[FIGURE_RX_PACKETS], false), rate(f[FIGURE_RX_MESSAGES], false));
	say(t, PAINT_DIM, "           bytes and packets are counted by: %s", or_dash(d->traffic));
	history_text(r->history, HISTORY < COLS - 11 ? HISTORY : COLS - 11, clean_has_utf8(), history, sizeof(history));
	say(t, PAINT_PLAIN, "history    %s", history);
	say(t, PAINT_PLAIN, "congestion %s CNP/s  %s ECN/s  %s pauses/s of the PF", rate(f[FIGURE_CNP], false),
	    rate(f[FIGURE_ECN], false), rate(f[FIGURE_PAUSE], false));
	say(t, PAINT_PLAIN, "losses     %s retransmissions/s  %s out of sequence/s", rate(f[FIGURE_RETRANSMITS], false),
	    rate(f[FIGURE_OUT_OF_SEQUENCE], false));
	say(t, PAINT_PLAIN, "objects    %s QPs  %s MRs of %sB  %s CQs  %s PDs  %s contexts  %s connections",
	    number(&d->qps), number(&d->mrs), rate(f[FIGURE_PINNED], true), number(&d->cqs), number(&d->pds),
	    number(&d->contexts), number(&d->connections));
	say(t, strcmp(d->marking, "wrong") ? PAINT_PLAIN : PAINT_BAD,
	    "marking    %s  right %s  wrong %s address vectors", or_dash(d->marking), number(&d->marked_right),
	    number(&d->marked_wrong));
	say(t, d->violations.value ? PAINT_BAD : PAINT_PLAIN, "violations %s", number(&d->violations));
}

static bool is_of_subject(const struct screen *s, const struct sample_qp *qp)
{
	return !strcmp(qp->device, s->subject.pci) || !strcmp(qp->device, s->subject.device) || !qp->device[0];
}

static void say_qps(struct text *t)
{
	const struct screen *s = t->s;
	size_t told = 0;

	say(t, PAINT_PLAIN, "%s", "");
	say(t, PAINT_GROUP, "%-10s %-8s %-6s %-10s %-22s %-4s %s", "QP", "TYPE", "STATE", "REMOTE QP", "PEER", "DSCP",
	    "PROCESS");
	for (size_t i = 0; i < s->sample->qp_count; i++) {
		const struct sample_qp *qp = &s->sample->qps[i];

		if (!is_of_subject(s, qp))
			continue;
		told++;
		say(t, PAINT_PLAIN, "%-10s %-8s %-6s %-10s %-22s %-4s %s %s", number(&qp->qpn), or_dash(qp->type),
		    or_dash(qp->state), qp->remote_qpn.value ? number(&qp->remote_qpn) : "-", or_dash(qp->peer),
		    number(&qp->dscp), qp->pid.value ? number(&qp->pid) : "-", qp->comm);
	}
	if (!told)
		say(t, PAINT_DIM, "%s", s->sample->fleet ? "Prometheus does not tell queue pairs" : "none told");
}

static bool concerns(const struct sample_event *e, const struct sample_device *d)
{
	return e->pci[0] ? !strcmp(e->pci, d->pci) : e->device[0] && !strcmp(e->device, d->device);
}

static void say_events(struct text *t, const struct sample_device *d)
{
	const struct screen *s = t->s;
	size_t told = 0;

	say(t, PAINT_PLAIN, "%s", "");
	say(t, PAINT_GROUP, "EVENTS, the newest first");
	for (size_t i = 0; i < s->logged && i < LOG_EVENTS && told < 32; i++) {
		const struct sample_event *e = &s->log[(s->logged - 1 - i) % LOG_EVENTS];

		if (!concerns(e, d))
			continue;
		told++;
		say(t, strcmp(e->kind, "violation") ? PAINT_PLAIN : PAINT_BAD, "%.19s  %-10s %-24s %-8s %s", e->time,
		    e->kind, e->rule, strcmp(e->verdict, "none") ? e->verdict : "", e->message);
	}
	if (!told)
		say(t, PAINT_DIM, "none told");
}

static void say_counters(struct text *t, const struct sample_device *d, const struct device_rates *r)
{
	const struct sample_counter *c = t->s->sample->counters + d->counters;

	say(t, PAINT_PLAIN, "%s", "");
	say(t, PAINT_GROUP, "%-40s %20s %10s", "COUNTER", "VALUE", "A SECOND");
	for (size_t i = 0; i < d->counter_count; i++)
		say(t, PAINT_PLAIN, "%-40s %20llu %10s", c[i].name, (unsigned long long)c[i].value,
		    rate(r->counter[i], false));
	if (!d->counter_count)
		say(t, PAINT_DIM, "none told");
}

static void write_detail(struct text *t)
{
	const struct sample_device *d;
	size_t at;

	d = subject(t->s, &at);
	if (t->s->problem[0])
		say(t, PAINT_BAD, "%s: trying again; this is what was last told", t->s->problem);
	if (!d) {
		say(t, PAINT_BAD, "this device is gone");
		return;
	}
	say_who(t, d);
	say_figures(t, d, tracker_device(t->s->tracker, at));
	say_qps(t);
	say_events(t, d);
	say_counters(t, d, tracker_device(t->s->tracker, at));
}

void detail_draw(struct screen *s)
{
	char title[400];

	snprintf(title, sizeof(title), "%s  %s  %s  %.19s", or_dash(s->subject.device), s->subject.pci, s->subject.node,
		 s->sample->time);
	draw_page(s, title, write_detail);
}

/* ---- help ---- */

static void write_help(struct text *t)
{
	static const char *const keys[] = {
		"arrows, PgUp, PgDn, Home, End   select a row (left, right: the columns, after c)",
		"Enter      details of a device; folds and unfolds a group",
		"Esc        back; ends a filter",
		"s <  >     sort by the next, the one before, the next column",
		"r          the other way round",
		"/          filter: words that all match, !word for what must not; Enter keeps it, Esc ends it",
		"L          search: selects a row that matches; n the next one",
		"g          group by PF, pod, namespace, node, none",
		"f  F       fold the group; fold or unfold all",
		"c          all columns, or those that fit",
		"space      pause: nothing is asked, and nothing recorded, until it goes on",
		"h ?        this page",
		"q          quit",
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		say(t, PAINT_PLAIN, "%s", keys[i]);
	if (t->s->sample->missing_count) {
		say(t, PAINT_PLAIN, "%s", "");
		say(t, PAINT_GROUP, "NOT KNOWN HERE");
	}
	for (size_t i = 0; i < t->s->sample->missing_count; i++)
		say(t, PAINT_PLAIN, "%s", t->s->sample->missing[i]);
	say(t, PAINT_PLAIN, "%s", "");
	say(t, PAINT_GROUP, "COLUMNS: - is what nobody counts or nobody knows, or a rate that takes another sample");
	for (enum column c = 0; c < COLUMNS; c++)
		say(t, PAINT_PLAIN, "%-10s %s", column_kinds[c].title, column_kinds[c].help);
}

void help_draw(struct screen *s)
{
	draw_page(s, "rdmatop: keys and columns", write_help);
}
