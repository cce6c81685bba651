// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A machine of src/hw/x86 alone, the software on it, and devices.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <openntb/log.h>

#include "base/annotate.h"
#include "base/clock.h"
#include "x86_rig.h"

#define DEADLINE_NS (20 * ONTB_NS_PER_S)

static struct rig *rig_of(struct ontb_machine *machine)
{
	return ontb_container_of(machine, struct rig, machine);
}

static bool is_unit(const struct rig *rig, uint64_t addr)
{
	return rig->vtd && addr >= RIG_IOMMU_BASE && addr < RIG_IOMMU_BASE + ONTB_VTD_REG_SIZE;
}

static uint64_t mmio_read(struct ontb_machine *machine, uint64_t addr, unsigned int len)
{
	struct rig *rig = rig_of(machine);

	return is_unit(rig, addr) ? ontb_vtd_read(rig->vtd, addr - RIG_IOMMU_BASE, len) : UINT64_MAX;
}

static void mmio_write(struct ontb_machine *machine, uint64_t addr, uint64_t value, unsigned int len)
{
	struct rig *rig = rig_of(machine);

	if (!is_unit(rig, addr))
		return;
	if (addr - RIG_IOMMU_BASE == atomic_load(&rig->mute))
		return;
	ontb_vtd_write(rig->vtd, addr - RIG_IOMMU_BASE, value, len);
}

static uint64_t apic_read(struct ontb_machine *machine, unsigned int cpu, unsigned int reg)
{
	return ontb_lapic_read(&rig_of(machine)->bus.lapics[cpu], reg);
}

static void apic_write(struct ontb_machine *machine, unsigned int cpu, unsigned int reg, uint64_t value)
{
	ontb_lapic_write(&rig_of(machine)->bus.lapics[cpu], reg, value);
}

static void set_entry(struct ontb_machine *machine, ontb_machine_entry *entry, void *arg)
{
	for (unsigned int cpu = 0; cpu < machine->nr_cpus; cpu++)
		ontb_cpu_set_entry(&rig_of(machine)->cpus[cpu], entry, arg);
}

static int cpu_start(struct ontb_machine *machine, unsigned int cpu)
{
	return ontb_cpu_start(&rig_of(machine)->cpus[cpu]);
}

static void cpu_stop(struct ontb_machine *machine, unsigned int cpu)
{
	(void)ontb_cpu_stop(&rig_of(machine)->cpus[cpu]);
}

static const struct ontb_machine_ops machine_ops = {
	.mmio_read = mmio_read,
	.mmio_write = mmio_write,
	.apic_read = apic_read,
	.apic_write = apic_write,
	.set_entry = set_entry,
	.cpu_start = cpu_start,
	.cpu_stop = cpu_stop,
};

static char *ram_at(struct rig *rig, uint64_t addr, size_t len)
{
	if (addr < RIG_RAM_BASE || addr - RIG_RAM_BASE > RIG_RAM_SIZE - len)
		return NULL;
	return (char *)rig->machine.ram + (addr - RIG_RAM_BASE);
}

static int memory_read(void *arg, uint64_t addr, void *buf, size_t len)
{
	char *from = ram_at(arg, addr, len);

	if (!from)
		return -EFAULT;
	if (len == 4) {
		uint32_t word = __atomic_load_n((uint32_t *)(void *)from, __ATOMIC_ACQUIRE);

		memcpy(buf, &word, 4);
		return 0;
	}
	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = __atomic_load_n((uint64_t *)(void *)(from + i), __ATOMIC_ACQUIRE);

		memcpy((char *)buf + i, &word, 8);
	}
	return 0;
}

static int memory_write(void *arg, uint64_t addr, const void *buf, size_t len)
{
	char *to = ram_at(arg, addr, len);

	if (!to)
		return -EFAULT;
	if (len == 4) {
		uint32_t word;

		memcpy(&word, buf, 4);
		__atomic_store_n((uint32_t *)(void *)to, word, __ATOMIC_RELEASE);
		return 0;
	}
	for (size_t i = 0; i < len; i += 8) {
		uint64_t word;

		memcpy(&word, (const char *)buf + i, 8);
		__atomic_store_n((uint64_t *)(void *)(to + i), word, __ATOMIC_RELEASE);
	}
	return 0;
}

static const struct ontb_vtd_memory memory_ops = { memory_read, memory_write };

struct rig *rig_new_machine(const struct rig_config *config)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	const struct ontb_vtd_config vtd_config = {
		.name = "rig",
		.bus = &rig->bus,
		.memory = &memory_ops,
		.memory_arg = rig,
	};

	assert_non_null(rig);
	rig->machine = (struct ontb_machine){
		.ops = &machine_ops,
		.name = "rig",
		.nr_cpus = config->nr_cpus,
		.is_stepped = config->is_stepped,
		.ram = aligned_alloc(ONTB_PAGE_SIZE, RIG_RAM_SIZE),
		.ram_base = RIG_RAM_BASE,
		.ram_size = RIG_RAM_SIZE,
		.iommu_base = config->has_vtd ? RIG_IOMMU_BASE : 0,
	};
	rig->random = config->seed * 2 + 1;
	rig->cpus = calloc(config->nr_cpus, sizeof(*rig->cpus));
	assert_non_null(rig->machine.ram);
	assert_non_null(rig->cpus);
	memset(rig->machine.ram, 0, RIG_RAM_SIZE);
	assert_int_equal(ontb_apic_bus_init(&rig->bus, "rig", config->nr_cpus), 0);
	for (unsigned int cpu = 0; cpu < config->nr_cpus; cpu++)
		ontb_cpu_init(&rig->cpus[cpu], &rig->bus.lapics[cpu], config->is_stepped, 0);
	if (config->has_vtd)
		assert_int_equal(ontb_vtd_new(&vtd_config, &rig->vtd), 0);
	assert_int_equal(ontb_pages_new(rig->machine.ram, RIG_RAM_BASE, RIG_RAM_SIZE, &rig->pages), 0);
	return rig;
}

void rig_free_machine(struct rig *rig)
{
	assert_int_equal(ontb_pages_free(rig->pages), 0);
	ontb_vtd_free(rig->vtd);
	for (unsigned int cpu = 0; cpu < rig->machine.nr_cpus; cpu++)
		ontb_cpu_fini(&rig->cpus[cpu]);
	ontb_apic_bus_fini(&rig->bus);
	free(rig->cpus);
	free(rig->machine.ram);
	free(rig);
}

struct rig *rig_new(const struct rig_config *config)
{
	struct rig *rig = rig_new_machine(config);
	struct ontb_irq_system_config irq_config = { .name = "rig", .nr_cpus = config->nr_cpus, .max_irqs = 100000 };
	struct ontb_x86_config x86_config = {
		.machine = &rig->machine,
		.pages = rig->pages,
		.use_remapping = true,
		.nr_entries = config->nr_entries,
	};

	assert_int_equal(ontb_worker_pool_new("rig", config->is_stepped, config->seed, &rig->workers), 0);
	irq_config.workers = rig->workers;
	assert_int_equal(ontb_irq_system_new(&irq_config, &rig->irqs), 0);
	x86_config.workers = rig->workers;
	x86_config.irqs = rig->irqs;
	assert_int_equal(ontb_x86_new(&x86_config, &rig->x86), 0);
	return rig;
}

void rig_free(struct rig *rig)
{
	ontb_x86_free(rig->x86);
	ontb_irq_system_free(rig->irqs);
	ontb_worker_pool_free(rig->workers);
	rig_free_machine(rig);
}

struct ontb_x86_status rig_status(struct rig *rig)
{
	struct ontb_x86_status status;

	ontb_x86_status(rig->x86, &status);
	return status;
}

void rig_send(struct rig *rig, uint16_t rid, const struct ontb_msi_msg *msg)
{
	if (rig->vtd)
		(void)ontb_vtd_message(rig->vtd, rid, msg->addr, msg->data);
	else
		(void)ontb_apic_bus_message(&rig->bus, rid, msg->addr, msg->data);
}

static uint64_t next_random(struct rig *rig)
{
	/* xorshift64 */
	rig->random ^= rig->random << 13;
	rig->random ^= rig->random >> 7;
	rig->random ^= rig->random << 17;
	return rig->random;
}

bool rig_step(struct rig *rig)
{
	unsigned int nr = rig->machine.nr_cpus + 1, start = (unsigned int)(next_random(rig) % nr);

	for (unsigned int i = 0; i < nr; i++) {
		unsigned int who = (start + i) % nr;

		if (who < rig->machine.nr_cpus ? ontb_cpu_step(&rig->cpus[who]) > 0
					       : ontb_worker_pool_step(rig->workers))
			return true;
	}
	return false;
}

void rig_run(struct rig *rig)
{
	while (rig_step(rig))
		;
}

void rig_wait(struct rig *rig, const _Atomic uint64_t *count, uint64_t value)
{
	uint64_t deadline_ns = ontb_clock_ns() + DEADLINE_NS;

	while (atomic_load(count) != value) {
		assert_true(ontb_clock_ns() < deadline_ns);
		if (rig->machine.is_stepped)
			assert_true(rig_step(rig) || atomic_load(count) == value);
		else
			(void)sched_yield();
	}
}

/* Under the log lock. */
static char *log_text;
static size_t log_len;

static void sink(void *arg, enum ontb_log_level level, const char *line)
{
	size_t len = strlen(line);
	char *text = realloc(log_text, log_len + len + 2);

	(void)arg;
	(void)level;
	if (!text)
		return;
	memcpy(text + log_len, line, len);
	memcpy(text + log_len + len, "\n", 2);
	log_text = text;
	log_len += len + 1;
}

void rig_log_start(void)
{
	ontb_log_set_sink(sink, NULL);
}

bool rig_log_has(const char *text)
{
	bool has;

	/* Setting the sink takes the log lock, so nobody is writing after it. */
	ontb_log_set_sink(NULL, NULL);
	has = log_text && strstr(log_text, text);
	ontb_log_set_sink(sink, NULL);
	return has;
}

void rig_log_end(void)
{
	ontb_log_set_sink(NULL, NULL);
	free(log_text);
	log_text = NULL;
	log_len = 0;
}

/* Devices. */

static int write_msg(struct ontb_irq_data *data, const struct ontb_msi_msg *msg)
{
	struct rig_dev *dev = ontb_irq_domain_data(data->domain);
	struct rig_irq *irq = &dev->irqs[data->hwirq];
	bool has_holders = false;

	(void)pthread_mutex_lock(&dev->lock);
	if (msg) {
		has_holders = dev->is_lazy && irq->nr_msgs;
		irq->msg = *msg;
		irq->nr_msgs++;
	}
	(void)pthread_mutex_unlock(&dev->lock);
	return has_holders ? -EINPROGRESS : 0;
}

int rig_dev_try(struct rig *rig, const struct rig_dev_config *config, struct rig_dev **out)
{
	struct rig_dev *dev = calloc(1, sizeof(*dev));
	const struct ontb_msi_template template = {
		.prefix = "TEST-",
		.token = config->token,
		.nr_indices = config->nr,
		.features = config->features,
		.chip = { .name = "TEST", .write_msg = write_msg },
		.data = dev,
	};
	const struct ontb_msi_dev_config msi_config = {
		.name = "00:02.0",
		.rids = config->rids,
		.nr_rids = config->nr_rids,
		.parent = ontb_x86_msi_parent(rig->x86),
	};
	int ret;

	assert_non_null(dev);
	dev->rig = rig;
	dev->rid = config->rids[0];
	dev->is_lazy = config->is_lazy;
	dev->nr = config->nr;
	dev->irqs = calloc(config->nr, sizeof(*dev->irqs));
	assert_non_null(dev->irqs);
	assert_int_equal(pthread_mutex_init(&dev->lock, NULL), 0);
	for (unsigned int i = 0; i < dev->nr; i++) {
		dev->irqs[i].dev = dev;
		dev->irqs[i].index = i;
	}
	assert_int_equal(ontb_msi_dev_new(&msi_config, &dev->msi), 0);
	ret = ontb_msi_domain_new(dev->msi, 0, &template);
	if (!ret) {
		*out = dev;
		return 0;
	}
	rig_dev_free(dev);
	return ret;
}

struct rig_dev *rig_dev_new(struct rig *rig, uint16_t rid, unsigned int nr)
{
	const struct rig_dev_config config = { .rids = &rid, .nr_rids = 1, .nr = nr, .token = ONTB_BUS_PCI_MSIX };
	struct rig_dev *dev = NULL;

	assert_int_equal(rig_dev_try(rig, &config, &dev), 0);
	return dev;
}

struct rig_dev *rig_dev_lazy(struct rig *rig, uint16_t rid, unsigned int nr)
{
	const struct rig_dev_config config = {
		.rids = &rid, .nr_rids = 1, .nr = nr, .token = ONTB_BUS_NTB, .is_lazy = true
	};
	struct rig_dev *dev = NULL;

	assert_int_equal(rig_dev_try(rig, &config, &dev), 0);
	return dev;
}

void rig_dev_free(struct rig_dev *dev)
{
	ontb_msi_dev_free(dev->msi);
	assert_int_equal(pthread_mutex_destroy(&dev->lock), 0);
	free(dev->irqs);
	free(dev);
}

int rig_dev_alloc(struct rig_dev *dev, unsigned int first, unsigned int count)
{
	for (unsigned int i = first; i < first + count; i++) {
		struct ontb_msi_map map;
		int ret = ontb_msi_alloc_at(dev->msi, 0, i, NULL, NULL, &map);

		if (ret)
			return ret;
		dev->irqs[i].virq = map.virq;
	}
	return 0;
}

int rig_dev_contiguous(struct rig_dev *dev, unsigned int count)
{
	int ret = ontb_msi_alloc_contiguous(dev->msi, 0, count);

	for (unsigned int i = 0; i < count && !ret; i++)
		dev->irqs[i].virq = ontb_msi_virq(dev->msi, 0, i);
	return ret;
}

static enum ontb_irq_return handle(unsigned int virq, void *arg)
{
	struct rig_irq *irq = arg;

	/* A message of another interrupt would be seen as a wrong number of this one's. */
	(void)virq;
	atomic_store(&irq->cpu, ontb_irq_this_cpu());
	atomic_fetch_add(&irq->count, 1);
	return ONTB_IRQ_HANDLED;
}

int rig_irq_request(struct rig_irq *irq)
{
	const struct ontb_irq_request request = { .handler = handle, .dev = irq, .name = "test" };

	return ontb_irq_request(irq->dev->rig->irqs, irq->virq, &request);
}

void rig_irq_free(struct rig_irq *irq)
{
	assert_int_equal(ontb_irq_free(irq->dev->rig->irqs, irq->virq, irq), 0);
}

void rig_dev_start(struct rig_dev *dev, unsigned int first, unsigned int count)
{
	assert_int_equal(rig_dev_alloc(dev, first, count), 0);
	for (unsigned int i = first; i < first + count; i++)
		assert_int_equal(rig_irq_request(&dev->irqs[i]), 0);
}

void rig_dev_stop(struct rig_dev *dev)
{
	for (unsigned int i = 0; i < dev->nr; i++) {
		if (dev->irqs[i].virq && ontb_irq_is_requested(dev->rig->irqs, dev->irqs[i].virq))
			rig_irq_free(&dev->irqs[i]);
	}
	rig_dev_free(dev);
}

struct ontb_msi_msg rig_irq_msg(struct rig_irq *irq)
{
	struct ontb_msi_msg msg;

	(void)pthread_mutex_lock(&irq->dev->lock);
	msg = irq->msg;
	(void)pthread_mutex_unlock(&irq->dev->lock);
	return msg;
}

void rig_irq_fire(struct rig_irq *irq)
{
	struct ontb_msi_msg msg = rig_irq_msg(irq);

	rig_send(irq->dev->rig, irq->dev->rid, &msg);
}

int rig_irq_move(struct rig_irq *irq, unsigned int cpu)
{
	struct ontb_cpumask mask = ontb_cpumask_of(cpu);

	return ontb_irq_set_affinity(irq->dev->rig->irqs, irq->virq, &mask);
}

void rig_irq_confirm(struct rig_irq *irq)
{
	struct ontb_irq_domain *domain = ontb_msi_domain(irq->dev->msi, 0);

	ontb_irq_move_complete(ontb_irq_data_of(domain, irq->virq));
}

void rig_assert_count(const struct rig_irq *irq, uint64_t count)
{
	assert_int_equal(atomic_load(&irq->count), count);
}
