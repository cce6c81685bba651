// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Giving interrupt numbers to descriptors, and taking them away. One path for one, any, a range and all: they differ in
 * what happens to an index that has a number already.
 *
 * An allocation marks what it makes; if it fails, the marks say what to undo, otherwise they are wiped off at its end.
 */
#include "msi/msi.h"

#include <errno.h>
#include <stddef.h>

#include "base/log.h"

/* Get the descriptor of an index that is to have a number. NULL: pass over it. */
static int want_desc(struct ontb_msi_domain *md, unsigned int index, bool is_lax, void *cookie,
		     struct ontb_msi_desc **out) ONTB_MUST_HOLD(md->dev->lock)
{
	struct ontb_msi_desc *desc = ontb_msi_desc_find(md, index);

	*out = NULL;
	if (desc && ontb_msi_desc_virq(desc))
		return is_lax ? 0 : -EBUSY;
	if (!desc && md->template.is_manual)
		return is_lax ? 0 : -ENOENT;
	if (!desc) {
		int ret = ontb_msi_desc_insert(md, index, cookie, &desc);

		if (ret)
			return ret;
		desc->is_new = true;
	}
	*out = desc;
	return 0;
}

static void set_number(struct ontb_msi_desc *desc, unsigned int virq)
{
	desc->is_newly_numbered = true;
	ontb_msi_desc_set_virq(desc, virq);
}

static int number_one(struct ontb_msi_domain *md, unsigned int index, bool is_lax, const struct ontb_cpumask *affinity,
		      void *cookie) ONTB_MUST_HOLD(md->dev->lock)
{
	struct ontb_msi_desc *desc;
	void *old_cookie;
	int ret = want_desc(md, index, is_lax, cookie, &desc);

	if (ret || !desc)
		return ret;
	old_cookie = desc->cookie;
	if (cookie)
		desc->cookie = cookie;
	ret = ontb_msi_domain_alloc(md, index, 1, false, affinity);
	if (ret < 0) {
		desc->cookie = old_cookie;
		return ret;
	}
	set_number(desc, (unsigned int)ret);
	return 0;
}

static void undo_range(struct ontb_msi_domain *md, unsigned int first, unsigned int end) ONTB_MUST_HOLD(md->dev->lock)
{
	while (end-- > first) {
		struct ontb_msi_desc *desc = ontb_msi_desc_find(md, end);

		if (!desc)
			continue;
		if (desc->is_newly_numbered && ontb_irq_domain_release(md->irq, ontb_msi_desc_virq(desc), 1))
			ontb_log(ONTB_LOG_ERROR, "%s: index %u: somebody uses an interrupt that is not allocated yet",
				 ontb_irq_domain_name(md->irq), end);
		desc->is_newly_numbered = false;
		if (desc->is_new && !ontb_msi_desc_virq(desc))
			ontb_msi_desc_remove(md, desc);
		else
			desc->is_new = false;
	}
}

static void settle_range(struct ontb_msi_domain *md, unsigned int first, unsigned int end) ONTB_MUST_HOLD(md->dev->lock)
{
	struct ontb_msi_desc *desc = ontb_msi_desc_next(md, ONTB_MSI_ALL, first, end);

	for (; desc; desc = ontb_msi_desc_next(md, ONTB_MSI_ALL, desc->index + 1U, end))
		desc->is_new = desc->is_newly_numbered = false;
}

int ontb_msi_number_range(struct ontb_msi_domain *md, unsigned int first, unsigned int count, bool is_lax,
			  const struct ontb_cpumask *affinity, void *cookie, unsigned int *nr_done)
{
	*nr_done = 0;
	for (unsigned int index = first; index < first + count; index++) {
		int ret = number_one(md, index, is_lax, affinity, cookie);

		if (ret) {
			undo_range(md, first, index + 1);
			return ret;
		}
		(*nr_done)++;
	}
	settle_range(md, first, first + count);
	return 0;
}

int ontb_msi_number_group(struct ontb_msi_domain *md, unsigned int count)
{
	struct ontb_msi_desc *desc;
	unsigned int index;
	int ret = 0;

	for (index = 0; index < count && !ret; index++)
		ret = want_desc(md, index, false, NULL, &desc);
	if (!ret)
		ret = ontb_msi_domain_alloc(md, 0, count, true, NULL);
	if (ret < 0) {
		undo_range(md, 0, index);
		return ret;
	}
	for (index = 0; index < count; index++)
		set_number(ontb_msi_desc_find(md, index), (unsigned int)ret + index);
	md->nr_group = count;
	settle_range(md, 0, count);
	return 0;
}

int ontb_msi_find_free(const struct ontb_msi_domain *md, unsigned int *index)
{
	uint64_t start;
	int ret;

	if (md->template.is_manual) {
		const struct ontb_msi_desc *desc =
			ontb_msi_desc_next(md, ONTB_MSI_NOT_ASSOCIATED, 0, md->template.nr_indices);

		if (!desc)
			return -ENOSPC;
		*index = desc->index;
		return 0;
	}
	ret = ontb_idmap_find_gap(&md->descs, 0, md->template.nr_indices, 1, &start);
	if (!ret)
		*index = (unsigned int)start;
	return ret;
}

/* Taking numbers away */

static bool tears_group(const struct ontb_msi_domain *md, unsigned int first, unsigned int end)
	ONTB_MUST_HOLD(md->dev->lock)
{
	return first < end && first < md->nr_group && (first > 0 || end < md->nr_group);
}

/* Whether an interrupt of a range has a handler; logged. */
static bool is_used(const struct ontb_msi_domain *md, unsigned int first, unsigned int end)
	ONTB_MUST_HOLD(md->dev->lock)
{
	struct ontb_irq_system *sys = ontb_irq_domain_system(md->irq);
	const struct ontb_msi_desc *desc = ontb_msi_desc_next(md, ONTB_MSI_ASSOCIATED, first, end);

	for (; desc; desc = ontb_msi_desc_next(md, ONTB_MSI_ASSOCIATED, desc->index + 1U, end)) {
		if (!ontb_irq_is_requested(sys, ontb_msi_desc_virq(desc)))
			continue;
		ontb_log(ONTB_LOG_ERROR, "%s: index %u: interrupt %u is not freed: it has a handler",
			 ontb_irq_domain_name(md->irq), desc->index, ontb_msi_desc_virq(desc));
		return true;
	}
	return false;
}

/* How many indices from a descriptor on, below @end, have consecutive numbers: they can be released in one step. */
static unsigned int run_length(const struct ontb_msi_domain *md, const struct ontb_msi_desc *desc, unsigned int end)
	ONTB_MUST_HOLD(md->dev->lock)
{
	unsigned int first = desc->index, virq = ontb_msi_desc_virq(desc), nr = 1;

	for (; first + nr < end; nr++) {
		desc = ontb_msi_desc_find(md, first + nr);
		if (!desc || ontb_msi_desc_virq(desc) != virq + nr)
			break;
	}
	return nr;
}

/*
 * Release interrupts with consecutive numbers. If that cannot be done in one step, because a message of one may still be
 * held, do what can be done one by one; but a group stays together.
 */
static int release_run(struct ontb_msi_domain *md, const struct ontb_msi_desc *desc, unsigned int nr)
	ONTB_MUST_HOLD(md->dev->lock)
{
	unsigned int virq = ontb_msi_desc_virq(desc), nr_group = desc->index < md->nr_group ? md->nr_group : 0;
	int ret = ontb_irq_domain_release(md->irq, virq, nr);

	if (!ret) {
		md->nr_group -= nr_group;
		return 0;
	}
	if (nr_group && !ontb_irq_domain_release(md->irq, virq, nr_group))
		md->nr_group = 0;
	for (unsigned int i = nr_group; i < nr && nr > 1; i++)
		(void)ontb_irq_domain_release(md->irq, virq + i, 1);
	return ret;
}

static void remove_unnumbered(struct ontb_msi_domain *md, unsigned int first, unsigned int end)
	ONTB_MUST_HOLD(md->dev->lock)
{
	struct ontb_msi_desc *desc;

	while ((desc = ontb_msi_desc_next(md, ONTB_MSI_NOT_ASSOCIATED, first, end))) {
		first = desc->index + 1U;
		ontb_msi_desc_remove(md, desc);
	}
}

int ontb_msi_unnumber_range(struct ontb_msi_domain *md, unsigned int first, unsigned int end)
{
	const struct ontb_msi_desc *desc;
	int ret = 0;

	if (tears_group(md, first, end)) {
		ontb_log(ONTB_LOG_ERROR, "%s: indices %u to %u are not freed: 0 to %u go together",
			 ontb_irq_domain_name(md->irq), first, end - 1, md->nr_group - 1);
		return -EBUSY;
	}
	if (is_used(md, first, end))
		return -EBUSY;
	desc = ontb_msi_desc_next(md, ONTB_MSI_ASSOCIATED, first, end);
	while (desc) {
		unsigned int next = desc->index + run_length(md, desc, end);

		if (release_run(md, desc, next - desc->index))
			ret = -EBUSY;
		desc = ontb_msi_desc_next(md, ONTB_MSI_ASSOCIATED, next, end);
	}
	if (!md->template.is_manual)
		remove_unnumbered(md, first, end);
	return ret;
}

unsigned int ontb_msi_unnumber_rest(struct ontb_msi_domain *md)
{
	unsigned int nr_left = 0, nr_indices = md->template.nr_indices;
	const struct ontb_msi_desc *desc = ontb_msi_desc_next(md, ONTB_MSI_ASSOCIATED, 0, nr_indices);

	while (desc) {
		unsigned int nr = desc->index < md->nr_group ? md->nr_group : 1, end = desc->index + nr;

		if (ontb_msi_unnumber_range(md, desc->index, end))
			nr_left += nr;
		desc = ontb_msi_desc_next(md, ONTB_MSI_ASSOCIATED, end, nr_indices);
	}
	return nr_left;
}
