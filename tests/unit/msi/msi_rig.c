// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A made-up MSI parent. See msi_rig.h.
 */
#include "msi_rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/annotate.h"
#include "base/rcu.h"

#define NR_CPUS	  4U
#define KEY_SHIFT 18U

static void count(unsigned int *counter)
{
	(void)__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static struct msi_rig *rig_of(const struct ontb_irq_domain *domain)
{
	return ontb_irq_domain_data(domain);
}

/* The parent's chip */

static void ack(struct ontb_irq_data *data)
{
	count(&rig_of(data->domain)->nr_acks);
}

static bool retrigger(struct ontb_irq_data *data)
{
	count(&rig_of(data->domain)->nr_retriggers);
	return false;
}

static int set_affinity(struct ontb_irq_data *data, const struct ontb_cpumask *mask)
{
	struct msi_rig *rig = rig_of(data->domain);
	struct ontb_cpumask online = ontb_irq_cpu_online(rig->sys), both = ontb_cpumask_and(mask, &online);
	struct rig_id *id = data->chip_data;
	unsigned int cpu = ontb_cpumask_next(&both, 0);

	count(&rig->nr_affinities);
	if (cpu >= NR_CPUS)
		return -EINVAL;
	if (cpu == id->cpu)
		return ONTB_IRQ_SET_UNCHANGED;
	id->cpu = (uint16_t)cpu;
	ontb_irq_set_effective(data, cpu);
	return rig->ops.message == ONTB_MSI_FIXED ? ONTB_IRQ_SET_OK : ONTB_IRQ_SET_MOVED;
}

static void move_done(struct ontb_irq_data *data)
{
	count(&rig_of(data->domain)->nr_moves_done);
}

static int compose_msg(struct ontb_irq_data *data, struct ontb_msi_msg *msg)
{
	const struct msi_rig *rig = rig_of(data->domain);
	const struct rig_id *id = data->chip_data;

	msg->addr = RIG_ADDR;
	if (rig->ops.message == ONTB_MSI_MOVES)
		msg->addr += id->cpu * 0x1000ULL;
	msg->data = (uint32_t)data->hwirq;
	return 0;
}

static const struct ontb_irq_chip parent_chip = {
	.name = "RIG",
	.ack = ack,
	.retrigger = retrigger,
	.set_affinity = set_affinity,
	.move_done = move_done,
	.compose_msg = compose_msg,
};

/* The parent's numbers */

static struct rig_ids *new_space(struct msi_rig *rig)
{
	struct rig_ids *space = calloc(1, sizeof(*space) + rig->nr_ids * sizeof(space->ids[0]));

	if (!space)
		return NULL;
	space->key = __atomic_add_fetch(&rig->nr_spaces, 1, __ATOMIC_RELAXED);
	space->nr = rig->nr_ids;
	return space;
}

static struct rig_ids *space_of(const struct msi_rig *rig, const struct ontb_msi_dev *dev)
{
	if (rig->global)
		return rig->global;
	for (unsigned int slot = 0; slot < ONTB_MSI_NR_SLOTS; slot++) {
		if (ontb_msi_dev_parent_data(dev, slot))
			return ontb_msi_dev_parent_data(dev, slot);
	}
	return NULL;
}

static bool is_free(const struct rig_ids *space, unsigned int first, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		if (space->ids[first + i].is_used)
			return false;
	}
	return true;
}

/* A group is aligned to its size, as the low bits of its data tell its members apart. */
static int find_ids(const struct rig_ids *space, unsigned int nr, bool is_contiguous, unsigned int *first)
{
	unsigned int step = is_contiguous ? nr : 1;

	for (*first = is_contiguous ? 0 : space->lowest; *first + nr <= space->nr; *first += step) {
		if (is_free(space, *first, nr))
			return 0;
	}
	return -ENOSPC;
}

/* Search from a number again that was given back. */
static void lower_to(struct ontb_irq_data *data)
{
	unsigned int nr = (unsigned int)data->hwirq & ((1U << KEY_SHIFT) - 1);
	struct rig_id *first = (struct rig_id *)data->chip_data - nr;
	struct rig_ids *space = ontb_container_of(first, struct rig_ids, ids[0]);

	if (nr < space->lowest)
		space->lowest = nr;
}

static void free_ids(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct ontb_irq_data *data = ontb_irq_data_of(domain, virq + i);
		struct rig_id *id = data ? data->chip_data : NULL;

		if (!id || !id->is_used || id->is_active)
			abort();
		id->is_used = false;
		lower_to(data);
	}
}

static int alloc_ids(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr, void *arg)
{
	struct msi_rig *rig = rig_of(domain);
	const struct ontb_msi_alloc *alloc = arg;
	struct rig_ids *space = space_of(rig, alloc->dev);
	unsigned int first;
	int ret = find_ids(space, nr, alloc->is_contiguous, &first);

	if (ret)
		return ret;
	if (alloc->nr != nr || (nr > 1 && !alloc->is_contiguous))
		abort();
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t hwirq = (uint64_t)space->key << KEY_SHIFT | (first + i);

		ret = ontb_irq_domain_set_info(domain, virq + i, hwirq, &parent_chip, &space->ids[first + i]);
		if (ret)
			goto unmark;
		space->ids[first + i].is_used = true;
	}
	if (first == space->lowest)
		space->lowest += nr;
	return 0;

unmark:
	for (unsigned int i = 0; i < nr; i++)
		space->ids[first + i].is_used = false;
	return ret;
}

static int activate(struct ontb_irq_domain *domain, struct ontb_irq_data *data)
{
	struct msi_rig *rig = rig_of(domain);
	struct ontb_cpumask online = ontb_irq_cpu_online(rig->sys), wish = ontb_irq_affinity(data);
	struct ontb_cpumask both = ontb_cpumask_and(&wish, &online);
	struct rig_id *id = data->chip_data;
	unsigned int cpu = ontb_cpumask_next(&both, 0);

	if (rig->activate_err)
		return rig->activate_err;
	id->cpu = (uint16_t)(cpu < NR_CPUS ? cpu : 0);
	id->is_active = true;
	ontb_irq_set_effective(data, id->cpu);
	return 0;
}

static void deactivate(struct ontb_irq_domain *domain, struct ontb_irq_data *data)
{
	struct rig_id *id = data->chip_data;

	(void)domain;
	id->is_active = false;
}

static const struct ontb_irq_domain_ops parent_domain_ops = {
	.alloc = alloc_ids,
	.free = free_ids,
	.activate = activate,
	.deactivate = deactivate,
};

/* What an MSI parent does */

static int init_domain(struct ontb_irq_domain *parent, struct ontb_msi_dev *dev, struct ontb_msi_template *copy)
{
	const struct msi_rig *rig = rig_of(parent);

	(void)dev;
	copy->flow = rig->flow;
	return rig->refuse ? -EOPNOTSUPP : 0;
}

static int prepare(struct ontb_irq_domain *parent, struct ontb_msi_dev *dev, unsigned int slot, unsigned int nr)
{
	struct msi_rig *rig = rig_of(parent);
	struct rig_ids *space;

	if (rig->prepare_err)
		return rig->prepare_err;
	if (nr > RIG_TABLE)
		abort();
	space = space_of(rig, dev);
	if (!space)
		space = new_space(rig);
	if (!space)
		return -ENOMEM;
	space->refs++;
	ontb_msi_dev_set_parent_data(dev, slot, space);
	count(&rig->nr_prepared);
	return 0;
}

static void unprepare(struct ontb_irq_domain *parent, struct ontb_msi_dev *dev, unsigned int slot)
{
	struct msi_rig *rig = rig_of(parent);
	struct rig_ids *space = ontb_msi_dev_parent_data(dev, slot);

	ontb_msi_dev_set_parent_data(dev, slot, NULL);
	(void)__atomic_fetch_sub(&rig->nr_prepared, 1, __ATOMIC_RELAXED);
	if (!--space->refs && space != rig->global)
		free(space);
}

static void message_range(struct ontb_irq_domain *parent, struct ontb_msi_dev *dev, unsigned int slot, uint64_t *first,
			  uint64_t *size)
{
	(void)parent;
	(void)dev;
	(void)slot;
	*first = RIG_ADDR;
	*size = RIG_ADDR_SIZE;
}

/* Hosts */

int msi_rig_init(struct msi_rig *rig, enum ontb_msi_message message, enum ontb_msi_scope scope, unsigned int nr_ids)
{
	const struct ontb_irq_system_config system = { .name = "rig", .nr_cpus = NR_CPUS, .max_irqs = 1U << 20 };
	const struct ontb_irq_domain_config domain = {
		.name = "RIG",
		.token = ONTB_BUS_VECTOR,
		.ops = &parent_domain_ops,
		.data = rig,
		.msi_parent = &rig->ops,
	};
	int ret;

	*rig = (struct msi_rig){ .nr_ids = nr_ids, .flow = ONTB_IRQ_EDGE };
	rig->ops = (struct ontb_msi_parent){
		.message = message,
		.scope = scope,
		.features = ONTB_MSI_FEATURE_CONTIGUOUS,
		.tokens = RIG_TOKENS,
		.prefix = "RIG-",
		.init_domain = init_domain,
		.prepare = prepare,
		.unprepare = unprepare,
		.message_range = message_range,
	};
	if (scope == ONTB_MSI_SCOPE_GLOBAL) {
		rig->global = new_space(rig);
		if (!rig->global)
			return -ENOMEM;
	}
	ret = ontb_irq_system_new(&system, &rig->sys);
	if (ret)
		goto free_space;
	ret = ontb_irq_domain_new(rig->sys, &domain, &rig->parent);
	if (ret)
		goto free_system;
	return 0;

free_system:
	ontb_irq_system_free(rig->sys);
free_space:
	free(rig->global);
	return ret;
}

unsigned int msi_rig_used(const struct msi_rig *rig, const struct ontb_msi_dev *dev)
{
	const struct rig_ids *space = space_of(rig, dev);
	unsigned int nr = 0;

	for (unsigned int i = 0; space && i < space->nr; i++)
		nr += space->ids[i].is_used;
	return nr;
}

unsigned int msi_rig_fini(struct msi_rig *rig)
{
	unsigned int left = rig->nr_prepared + (rig->global ? msi_rig_used(rig, NULL) : 0);

	left += ontb_irq_domain_free(rig->parent) != 0;
	ontb_irq_system_free(rig->sys);
	free(rig->global);
	ontb_rcu_barrier();
	return left;
}

int msi_rig_dev(struct msi_rig *rig, const char *bdf, struct ontb_msi_dev **out)
{
	static const uint16_t rids[] = { 0x10, 0x11 };
	const struct ontb_msi_dev_config config = { .name = bdf, .rids = rids, .nr_rids = 2, .parent = rig->parent };

	return ontb_msi_dev_new(&config, out);
}

int msi_rig_fire(struct msi_rig *rig, const struct ontb_msi_msg *msg)
{
	int ret;

	ontb_irq_cpu_enter(rig->sys, (unsigned int)(msg->addr >> 12 & (NR_CPUS - 1)));
	ret = ontb_irq_dispatch(rig->parent, msg->data);
	ontb_irq_cpu_leave(rig->sys);
	return ret;
}

/* Devices */

static int write_msg(struct ontb_irq_data *data, const struct ontb_msi_msg *msg)
{
	struct rig_table *table = ontb_irq_domain_data(data->domain);

	count(msg ? &table->nr_writes : &table->nr_clears);
	if (msg)
		table->msgs[data->hwirq] = *msg;
	else
		memset(&table->msgs[data->hwirq], 0, sizeof(table->msgs[0]));
	return !msg && table->is_held ? -EINPROGRESS : 0;
}

struct ontb_msi_template msi_rig_template(const char *prefix, enum ontb_bus_token token, unsigned int nr,
					  struct rig_table *table)
{
	struct ontb_msi_template template = {
		.prefix = prefix,
		.token = token,
		.nr_indices = nr,
		.flow = ONTB_IRQ_EDGE,
		.chip = { .name = prefix, .write_msg = write_msg },
		.data = table,
	};

	return template;
}

/* Log */

static void take_line(void *arg, enum ontb_log_level level, const char *line)
{
	struct rig_log *log = arg;

	(void)level;
	log->nr++;
	(void)snprintf(log->last, sizeof(log->last), "%s", line);
}

void msi_rig_log_start(struct rig_log *log)
{
	*log = (struct rig_log){ 0 };
	ontb_log_set_sink(take_line, log);
}

void msi_rig_log_stop(void)
{
	ontb_log_set_sink(NULL, NULL);
}
