// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
#include "rig.h"

#include <stdio.h>

struct ontb_irq_system *rig_sys;
struct ontb_worker_pool *rig_pool;

static struct rig_domain *domains;
static char calls[4096], calls_read[4096];
static bool is_quiet;

static struct rig_domain *rig_of(const struct ontb_irq_data *data)
{
	return ontb_irq_domain_data(data->domain);
}

static void called(const struct rig_domain *rig, const char *what)
{
	size_t len;

	if (is_quiet)
		return;
	len = strlen(calls);
	(void)snprintf(calls + len, sizeof(calls) - len, "%s.%s ", rig->tag, what);
}

const char *rig_calls(void)
{
	memcpy(calls_read, calls, sizeof(calls));
	calls[0] = '\0';
	return calls_read;
}

void rig_be_quiet(void)
{
	is_quiet = true;
}

static void chip_ack(struct ontb_irq_data *data)
{
	called(rig_of(data), "ack");
}

static void chip_eoi(struct ontb_irq_data *data)
{
	called(rig_of(data), "eoi");
}

static void chip_mask(struct ontb_irq_data *data)
{
	called(rig_of(data), "mask");
}

static void chip_unmask(struct ontb_irq_data *data)
{
	called(rig_of(data), "unmask");
}

static bool chip_retrigger(struct ontb_irq_data *data)
{
	called(rig_of(data), "retrigger");
	return rig_of(data)->retriggers;
}

static int chip_set_type(struct ontb_irq_data *data, enum ontb_irq_trigger trigger)
{
	called(rig_of(data), trigger == ONTB_IRQ_TRIGGER_LEVEL ? "level" : "edge");
	return rig_of(data)->type_ret;
}

static int chip_set_affinity(struct ontb_irq_data *data, const struct ontb_cpumask *mask)
{
	struct rig_domain *rig = rig_of(data);

	called(rig, "affinity");
	if (rig->affinity_ret < 0 || rig->affinity_ret == ONTB_IRQ_SET_UNCHANGED)
		return rig->affinity_ret;
	rig->cpu = ontb_cpumask_next(mask, 0);
	ontb_irq_set_effective(data, rig->cpu);
	return rig->affinity_ret;
}

static void chip_move_done(struct ontb_irq_data *data)
{
	called(rig_of(data), "done");
}

static int chip_compose(struct ontb_irq_data *data, struct ontb_msi_msg *msg)
{
	struct rig_domain *rig = rig_of(data);

	msg->addr = 0xfee00000U | rig->cpu << 12;
	msg->data = (uint32_t)data->hwirq;
	return rig->compose_ret;
}

static int chip_write(struct ontb_irq_data *data, const struct ontb_msi_msg *msg)
{
	struct rig_domain *rig = rig_of(data);

	called(rig, msg ? "write" : "withdraw");
	rig->has_msg = msg;
	if (msg)
		rig->msg = *msg;
	return rig->write_ret;
}

static int domain_alloc(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr, void *arg)
{
	struct rig_domain *rig = ontb_irq_domain_data(domain);
	int ret;

	if (ontb_irq_domain_parent(domain)) {
		ret = ontb_irq_domain_alloc_parent(domain, virq, nr, NULL);
		if (ret)
			return ret;
	}
	called(rig, "alloc");
	ret = rig->alloc_ret;
	for (unsigned int i = 0; i < nr && !ret && !rig->forgets; i++) {
		uint64_t hwirq = arg ? *(const uint64_t *)arg + i : rig->base + virq + i;

		ret = ontb_irq_domain_set_info(domain, virq + i, hwirq, &rig->chip, rig);
		if (!ret && rig->flow >= 0)
			ontb_irq_domain_set_flow(domain, virq + i, (enum ontb_irq_flow)rig->flow);
	}
	if (ret && ontb_irq_domain_parent(domain))
		ontb_irq_domain_free_parent(domain, virq, nr);
	return ret;
}

static void domain_free(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	called(ontb_irq_domain_data(domain), "free");
	if (ontb_irq_domain_parent(domain))
		ontb_irq_domain_free_parent(domain, virq, nr);
}

static int domain_activate(struct ontb_irq_domain *domain, struct ontb_irq_data *data)
{
	struct rig_domain *rig = ontb_irq_domain_data(domain);

	called(rig, "activate");
	if (rig->activate_ret)
		return rig->activate_ret;
	if (!data->parent) {
		struct ontb_cpumask affinity = ontb_irq_affinity(data), online = ontb_irq_cpu_online(rig_sys);

		affinity = ontb_cpumask_and(&affinity, &online);
		rig->cpu = ontb_cpumask_next(ontb_cpumask_is_empty(&affinity) ? &online : &affinity, 0);
		ontb_irq_set_effective(data, rig->cpu);
	}
	return 0;
}

static void domain_deactivate(struct ontb_irq_domain *domain, struct ontb_irq_data *data)
{
	(void)data;
	called(ontb_irq_domain_data(domain), "deactivate");
}

static const struct ontb_irq_domain_ops domain_ops = {
	.alloc = domain_alloc,
	.free = domain_free,
	.activate = domain_activate,
	.deactivate = domain_deactivate,
};

const struct ontb_irq_domain_ops *rig_ops(void)
{
	return &domain_ops;
}

void rig_new(enum rig_workers workers)
{
	struct ontb_irq_system_config config = { .name = "host", .nr_cpus = RIG_NR_CPUS, .max_irqs = RIG_MAX_IRQS };

	is_quiet = false;
	calls[0] = '\0';
	if (workers != RIG_NO_WORKERS)
		assert_int_equal(ontb_worker_pool_new("host", workers == RIG_STEPPED, 1, &rig_pool), 0);
	config.workers = rig_pool;
	assert_int_equal(ontb_irq_system_new(&config, &rig_sys), 0);
}

void rig_free(void)
{
	/* Added at the front, so children come before their parents. */
	while (domains) {
		struct rig_domain *rig = domains;

		domains = rig->next;
		assert_int_equal(ontb_irq_domain_free(rig->domain), 0);
		free(rig);
	}
	ontb_irq_system_free(rig_sys);
	ontb_worker_pool_free(rig_pool);
	rig_sys = NULL;
	rig_pool = NULL;
}

struct rig_domain *rig_add(const char *tag, struct rig_domain *parent, unsigned int size)
{
	struct rig_domain *rig = calloc(1, sizeof(*rig));
	struct ontb_irq_domain_config config = {
		.name = tag,
		.token = parent ? ONTB_BUS_DEVICE : ONTB_BUS_VECTOR,
		.parent = parent ? parent->domain : NULL,
		.size = size,
		.ops = &domain_ops,
		.data = rig,
	};

	assert_non_null(rig);
	*rig = (struct rig_domain){ .tag = tag, .flow = -1, .affinity_ret = ONTB_IRQ_SET_MOVED, .next = domains };
	rig->chip = (struct ontb_irq_chip){ .name = tag };
	if (!parent) {
		rig->chip.ack = chip_ack;
		rig->chip.eoi = chip_eoi;
		rig->chip.set_affinity = chip_set_affinity;
		rig->chip.move_done = chip_move_done;
		rig->chip.compose_msg = chip_compose;
		rig->chip.retrigger = chip_retrigger;
		rig->chip.set_type = chip_set_type;
	}
	rig->chip.mask = chip_mask;
	rig->chip.unmask = chip_unmask;
	rig->chip.write_msg = chip_write;
	assert_int_equal(ontb_irq_domain_new(rig_sys, &config, &rig->domain), 0);
	domains = rig;
	return rig;
}

unsigned int rig_alloc(struct rig_domain *domain)
{
	int virq = ontb_irq_domain_alloc(domain->domain, 1, NULL, NULL);

	assert_true(virq > 0);
	return (unsigned int)virq;
}

void rig_release(struct rig_domain *domain, unsigned int virq)
{
	assert_int_equal(ontb_irq_domain_release(domain->domain, virq, 1), 0);
}

int rig_raise(struct rig_domain *domain, unsigned int virq, unsigned int cpu)
{
	int ret;

	ontb_irq_cpu_enter(rig_sys, cpu);
	ret = ontb_irq_dispatch(domain->domain, domain->base + virq);
	ontb_irq_cpu_leave(rig_sys);
	return ret;
}

void rig_request(unsigned int virq, ontb_irq_handler *handler, void *dev)
{
	const struct ontb_irq_request request = { .handler = handler, .dev = dev, .name = "test" };

	assert_int_equal(ontb_irq_request(rig_sys, virq, &request), 0);
}
