// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "rdmatop/rows.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/list.h"
#include "lib/util.h"

const char *const group_names[GROUPS] = { [GROUP_PF] = "pf",
					  [GROUP_POD] = "pod",
					  [GROUP_NAMESPACE] = "namespace",
					  [GROUP_NODE] = "node",
					  [GROUP_NONE] = "none" };

/* ---- what is folded ---- */

static struct fold **fold_find(const struct view *view, const char *group)
{
	struct fold **f = (struct fold **)&view->folds;

	while (*f && strcmp((*f)->group, group))
		f = &(*f)->next;
	return f;
}

bool view_folds(const struct view *view, const char *group)
{
	return (*fold_find(view, group) != NULL) != view->all_folded;
}

void view_fold(struct view *view, const char *group, bool folded)
{
	struct fold **f = fold_find(view, group), *gone = *f;

	if (folded == view->all_folded && gone) {
		*f = gone->next;
		free(gone);
	} else if (folded != view->all_folded && !gone && (gone = calloc(1, sizeof(*gone)))) {
		snprintf(gone->group, sizeof(gone->group), "%s", group);
		*f = gone;
	}
}

void view_fold_all(struct view *view, bool folded)
{
	while (view->folds) {
		struct fold *gone = view->folds;

		view->folds = gone->next;
		free(gone);
	}
	view->all_folded = folded;
}

/* ---- filter ---- */

static bool device_has(const struct sample *s, const struct sample_device *d, const char *word)
{
	const char *texts[] = { d->pod_namespace,
				d->pod,
				d->owner,
				d->device,
				d->pci,
				d->netdev,
				d->pf,
				d->netns,
				d->state,
				d->link,
				d->marking,
				d->resource,
				d->container,
				d->claim_source,
				d->node < s->node_count ? s->nodes[d->node].node : "" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (strcasestr(texts[i], word))
			return true;
	return false;
}

bool row_matches(const struct sample *s, size_t device, const char *filter)
{
	char words[128], *save = NULL;

	snprintf(words, sizeof(words), "%s", filter);
	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		bool not = word[0] == '!' && word[1];

		if (device_has(s, &s->devices[device], word + not ) == not )
			return false;
	}
	return true;
}

/* ---- cells ---- */

/* A domain without its zeros, and 0000 not at all: 3b:00.2, 1:3b:00.2. */
static void vf_text(const struct sample_device *d, char *to, size_t size)
{
	const char *pci = d->pci + strspn(d->pci, "0");

	snprintf(to, size, "%s", !*d->pci ? "-" : *pci == ':' && strchr(pci + 1, ':') ? pci + 1 : pci);
}

static void link_text(const char *link, const char *up, double speed, char *to, size_t size)
{
	if (strcmp(link, up))
		snprintf(to, size, "%s", *link ? link : "-");
	else if (isnan(speed))
		snprintf(to, size, "up");
	else
		figure_text(speed, false, to, size);
}

static const char *or_dash(const char *text)
{
	return *text ? text : "-";
}

static void group_text(const struct row *row, enum column column, char *to, size_t size)
{
	to[0] = '\0';
	if (column == COLUMN_POD)
		snprintf(to, size, "%s (%zu)", row->name, row->devices);
	else if (column == COLUMN_LINK && row->pf)
		link_text(row->pf->link, "up",
			  row->pf->speed_mbps.known ? (double)row->pf->speed_mbps.value * 1e6 : NAN, to, size);
	else if (column == COLUMN_MARKING)
		snprintf(to, size, "%s", row->marking);
	else if (column_kinds[column].figure != FIGURES && column != COLUMN_LINK)
		figure_text(row->figure[column_kinds[column].figure], column_kinds[column].binary, to, size);
}

void row_text(const struct row *row, const struct sample *s, enum column column, char *to, size_t size)
{
	const struct sample_device *d = row->is_group ? NULL : &s->devices[row->device];

	if (!d) {
		group_text(row, column, to, size);
		return;
	}
	switch (column) {
	case COLUMN_POD:
		snprintf(to, size, "%s", row->name);
		break;
	case COLUMN_VF:
		vf_text(d, to, size);
		break;
	case COLUMN_DEVICE:
		snprintf(to, size, "%s", or_dash(d->device));
		break;
	case COLUMN_NETDEV:
		snprintf(to, size, "%s", or_dash(d->netdev));
		break;
	case COLUMN_LINK:
		link_text(d->link, "ACTIVE", row->figure[FIGURE_SPEED], to, size);
		break;
	case COLUMN_MARKING:
		snprintf(to, size, "%s", or_dash(d->marking));
		break;
	case COLUMN_STATE:
		snprintf(to, size, "%s", or_dash(d->state));
		break;
	case COLUMN_HISTORY:
		to[0] = '\0';
		break;
	default:
		figure_text(row->figure[column_kinds[column].figure], column_kinds[column].binary, to, size);
	}
}

static enum alarm marking_alarm(const char *marking)
{
	if (!strcmp(marking, "wrong"))
		return ALARM_BAD;
	if (!strcmp(marking, "good"))
		return ALARM_GOOD;
	return strcmp(marking, "unverified") ? ALARM_NONE : ALARM_UNSURE;
}

enum alarm row_alarm(const struct row *row, const struct sample *s, enum column column)
{
	const struct sample_device *d = row->is_group ? NULL : &s->devices[row->device];

	if (column == COLUMN_MARKING)
		return marking_alarm(d ? d->marking : row->marking);
	if (column == COLUMN_VIOLATIONS)
		return row->figure[FIGURE_VIOLATIONS] > 0 ? ALARM_BAD : ALARM_NONE;
	if (column == COLUMN_RETRANSMITS || column == COLUMN_OUT_OF_SEQUENCE)
		return row->figure[column_kinds[column].figure] > 0 ? ALARM_UNSURE : ALARM_NONE;
	if (column == COLUMN_LINK && d)
		return !*d->link || !strcmp(d->link, "ACTIVE") ? ALARM_NONE : ALARM_BAD;
	if (column == COLUMN_LINK && row->pf)
		return strcmp(row->pf->link, "down") ? ALARM_NONE : ALARM_BAD;
	if (column == COLUMN_STATE && d && !strcmp(d->state, "quarantined"))
		return ALARM_BAD;
	return column == COLUMN_STATE && d && !strcmp(d->state, "orphan") ? ALARM_UNSURE : ALARM_NONE;
}

/* ---- groups ---- */

static const char *node_name(const struct sample *s, const struct sample_device *d)
{
	return d->node < s->node_count ? s->nodes[d->node].node : "";
}

static void group_name(const struct sample *s, const struct sample_device *d, enum group_by by, char *to)
{
	char owner[ROW_TEXT], *slash;

	to[0] = '\0';
	sample_owner(d, owner, sizeof(owner));
	if (by == GROUP_PF && s->fleet)
		snprintf(to, ROW_TEXT, "%s %s", node_name(s, d), *d->pf ? d->pf : "no VF");
	else if (by == GROUP_PF)
		snprintf(to, ROW_TEXT, "%s", *d->pf ? d->pf : "no VF");
	else if (by == GROUP_POD)
		snprintf(to, ROW_TEXT, "%s", *owner ? owner : "no pod");
	else if (by == GROUP_NAMESPACE) {
		slash = strchr(owner, '/');
		snprintf(to, ROW_TEXT, "%s", slash ? (*slash = '\0', owner) : "no namespace");
	} else if (by == GROUP_NODE)
		snprintf(to, ROW_TEXT, "%s", node_name(s, d));
}

static const struct sample_pf *group_pf(const struct sample *s, const struct sample_device *d)
{
	for (size_t i = 0; i < s->pf_count; i++)
		if (s->pfs[i].node == d->node && !strcmp(s->pfs[i].pf, d->pf))
			return &s->pfs[i];
	return NULL;
}

static const char *worse_marking(const char *one, const char *other)
{
	static const char *const order[] = { "wrong", "unverified", "good", "none" };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (!strcmp(one, order[i]) || !strcmp(other, order[i]))
			return order[i];
	return "";
}

/* Pauses are those of a port, which all its VFs show: they are not added up, but those of several ports are. */
static void add_to(struct row *sum, const struct row *row, const struct sample *s)
{
	for (enum figure f = 0; f < FIGURES; f++)
		if (f != FIGURE_PAUSE && f != FIGURE_SPEED && !isnan(row->figure[f]))
			sum->figure[f] = isnan(sum->figure[f]) ? row->figure[f] : sum->figure[f] + row->figure[f];
	sum->marking = worse_marking(sum->marking, s->devices[row->device].marking);
	sum->devices++;
}

static void empty_group(struct row *row, const char *name)
{
	*row = (struct row){ .is_group = true, .marking = "" };
	snprintf(row->name, sizeof(row->name), "%s", name);
	for (enum figure f = 0; f < FIGURES; f++)
		row->figure[f] = NAN;
}

static struct row *add_row(struct rows *rows)
{
	struct row *row = list_place(&rows->row, &rows->room, rows->count, sizeof(*row));

	rows->count += row != NULL;
	return row;
}

/* ---- order ---- */

struct order {
	const struct sample *sample;
	const struct view *view;
};

/* What is not known comes last, whatever the direction. */
static int compare_figure(double a, double b, bool reverse)
{
	if (isnan(a) || isnan(b))
		return isnan(a) - isnan(b);
	return reverse ? (a > b) - (a < b) : (a < b) - (a > b);
}

static int compare_rows(const void *left, const void *right, void *ctx)
{
	const struct row *a = left, *b = right;
	const struct order *o = ctx;
	enum column column = o->view->sort == COLUMN_HISTORY ? COLUMN_TX : o->view->sort;
	enum figure figure = column_kinds[column].figure;
	char one[ROW_TEXT], other[ROW_TEXT];
	int r;

	if (figure != FIGURES) {
		r = compare_figure(a->figure[figure], b->figure[figure], o->view->reverse);
	} else {
		row_text(a, o->sample, column, one, sizeof(one));
		row_text(b, o->sample, column, other, sizeof(other));
		r = o->view->reverse ? -strverscmp(one, other) : strverscmp(one, other);
	}
	if (!r)
		r = strverscmp(a->name, b->name);
	if (!r && !a->is_group) /* the sample's order: PF, address, name */
		r = (a->device > b->device) - (a->device < b->device);
	return r;
}

/* Those of one group beside each other; in which order the groups stand comes later. */
static int compare_group(const void *left, const void *right, void *ctx)
{
	const struct row *a = left, *b = right;

	return a->key != b->key ? (a->key < b->key ? -1 : 1) : compare_rows(left, right, ctx);
}

static uint64_t group_key(const struct sample *s, const struct sample_device *d, enum group_by by)
{
	char name[ROW_TEXT];

	group_name(s, d, by, name);
	return hash_text(name);
}

static void order_rows(struct row *row, size_t count, int (*compare)(const void *, const void *, void *),
		       struct order *o)
{
	if (count > 1) /* of none there is no memory */
		qsort_r(row, count, sizeof(*row), compare, o);
}

/* ---- building ---- */

static void fill_row(struct row *row, const struct sample *s, const struct tracker *tr, size_t i)
{
	const struct sample_device *d = &s->devices[i];

	*row = (struct row){ .device = i, .marking = "", .history = tracker_device(tr, i)->history };
	memcpy(row->figure, tracker_device(tr, i)->figure, sizeof(row->figure));
	sample_owner(d, row->name, sizeof(row->name));
	if (!row->name[0])
		snprintf(row->name, sizeof(row->name), *d->state ? "(%s)" : "-", d->state);
}

/* The devices that pass the filter, in `scratch`. */
static int select_rows(struct rows *rows, const struct sample *s, const struct tracker *tr, const struct view *view)
{
	if (rows->scratch_room < s->device_count) {
		struct row *grown = reallocarray(rows->scratch, s->device_count * 2, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		rows->scratch = grown;
		rows->scratch_room = s->device_count * 2;
	}
	empty_group(&rows->total, "");
	rows->devices = s->device_count;
	rows->shown = 0;
	for (size_t i = 0; i < s->device_count; i++) {
		if (!row_matches(s, i, view->filter))
			continue;
		fill_row(&rows->scratch[rows->shown], s, tr, i);
		rows->scratch[rows->shown].key = group_key(s, &s->devices[i], view->group);
		add_to(&rows->total, &rows->scratch[rows->shown++], s);
	}
	return 0;
}

/* The groups alone, summed up, as rows; each has its first device's place in `scratch` in `device`. */
static int make_groups(struct rows *rows, const struct sample *s, const struct view *view)
{
	char name[ROW_TEXT];
	struct row *group = NULL;

	for (size_t i = 0; i < rows->shown; i++) {
		const struct sample_device *d = &s->devices[rows->scratch[i].device];

		group_name(s, d, view->group, name);
		if (!group || strcmp(group->name, name)) {
			group = add_row(rows);
			if (!group)
				return -ENOMEM;
			empty_group(group, name);
			group->device = i;
			group->folded = view_folds(view, name);
			if (view->group == GROUP_PF) {
				group->pf = group_pf(s, d);
				group->figure[FIGURE_PAUSE] = rows->scratch[i].figure[FIGURE_PAUSE];
				group->figure[FIGURE_SPEED] = group->pf && group->pf->speed_mbps.known
								      ? (double)group->pf->speed_mbps.value * 1e6
								      : NAN;
			}
		}
		add_to(group, &rows->scratch[i], s);
	}
	return 0;
}

/* From the groups to groups with their devices below them. */
static int unfold_groups(struct rows *rows)
{
	size_t groups = rows->count, total = 0, at;

	for (size_t g = 0; g < groups; g++)
		total += 1 + (rows->row[g].folded ? 0 : rows->row[g].devices);
	while (rows->count < total)
		if (!add_row(rows))
			return -ENOMEM;
	at = total;
	for (size_t g = groups; g-- > 0;) { /* from the end, so that none is overwritten before it was moved */
		struct row group = rows->row[g];

		if (!group.folded) {
			at -= group.devices;
			memcpy(&rows->row[at], &rows->scratch[group.device], group.devices * sizeof(group));
		}
		rows->row[--at] = group;
	}
	return 0;
}

int rows_build(struct rows *rows, const struct sample *s, const struct tracker *tr, const struct view *view)
{
	struct order order = { s, view };
	int r;

	rows->count = 0;
	if (select_rows(rows, s, tr, view))
		return -ENOMEM;
	if (view->group == GROUP_NONE) {
		order_rows(rows->scratch, rows->shown, compare_rows, &order);
		for (size_t i = 0; i < rows->shown; i++) {
			struct row *row = add_row(rows);

			if (!row)
				return rows->count = 0, -ENOMEM;
			*row = rows->scratch[i];
		}
		return 0;
	}
	order_rows(rows->scratch, rows->shown, compare_group, &order);
	r = make_groups(rows, s, view);
	if (!r) {
		order_rows(rows->row, rows->count, compare_rows, &order);
		r = unfold_groups(rows);
	}
	if (r)
		rows->count = 0;
	return r;
}

void rows_free(struct rows *rows)
{
	free(rows->row);
	free(rows->scratch);
	*rows = (struct rows){};
}
