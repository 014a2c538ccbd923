// SPDX-License-Identifier: Apache-2.0
/* What contradicts itself is told when it is found twice: between two sources there is always one that is asked first. */
#include <stdlib.h>
#include <string.h>

#include "lib/list.h"
#include "lib/util.h"
#include "pods/internal.h"
#include "report/events.h"

#define CONFIRM_NS 1500000000ull /* between the two times, at least */

static void tell(struct pods *p, const struct told *t, bool begins)
{
	const struct contradiction_change change = {
		.rule = contradiction_name(t->what.rule),
		.subject = t->what.device,
		.owner = { t->owner[0], t->owner[1] },
		.source = { pod_source_name(t->what.sources[0]), pod_source_name(t->what.sources[1]) },
		.text = t->what.text,
		.cure = t->what.cure,
		.begins = begins,
	};

	events_contradiction(p->options.events, &change);
}

static struct told *find(struct pods *p, const struct model *model, const struct contradiction *c)
{
	for (size_t i = 0; i < p->told_count; i++) {
		struct told *t = &p->told[i];

		if (t->what.rule == c->rule && !strcmp(t->what.device, c->device) &&
		    !strcmp(t->owner[0], model_owner(model, c->pods[0])) &&
		    !strcmp(t->owner[1], model_owner(model, c->pods[1])))
			return t;
	}
	return NULL;
}

static void add(struct pods *p, const struct model *model, const struct contradiction *c)
{
	struct told *t = list_place(&p->told, &p->told_room, p->told_count, sizeof(*t));

	if (!t)
		return;
	p->told_count++;
	*t = (struct told){ .what = *c, .first_ns = boot_ns(), .seen = true };
	for (int i = 0; i < 2; i++)
		snprintf(t->owner[i], sizeof(t->owner[i]), "%s", model_owner(model, c->pods[i]));
}

static void take(struct pods *p, const struct model *model, const struct contradiction *c)
{
	struct told *t = find(p, model, c);

	if (!t) {
		add(p, model, c);
		return;
	}
	t->seen = true;
	if (t->active || boot_ns() < t->first_ns + CONFIRM_NS)
		return;
	t->what = *c;
	t->active = true;
	tell(p, t, true);
}

static void forget_unseen(struct pods *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->told_count; i++) {
		if (p->told[i].seen)
			p->told[kept++] = p->told[i];
		else if (p->told[i].active)
			tell(p, &p->told[i], false);
	}
	p->told_count = kept;
}

bool contradict(struct pods *p)
{
	struct model *model = picture(p, false);
	bool once = false;

	if (!model)
		return true;
	for (size_t i = 0; i < p->told_count; i++)
		p->told[i].seen = false;
	for (size_t i = 0; i < model->contradiction_count; i++)
		take(p, model, &model->contradictions[i]);
	forget_unseen(p);
	model_free(model);
	for (size_t i = 0; i < p->told_count; i++)
		once |= !p->told[i].active;
	return once;
}

size_t pods_contradictions_of(const struct pods *p, enum contradiction_rule rule)
{
	size_t n = 0;

	for (size_t i = 0; i < p->told_count; i++)
		n += p->told[i].active && p->told[i].what.rule == rule;
	return n;
}

size_t pods_contradictions(const struct pods *p)
{
	size_t n = 0;

	for (enum contradiction_rule rule = 0; rule < CONTRADICTION_COUNT; rule++)
		n += pods_contradictions_of(p, rule);
	return n;
}
