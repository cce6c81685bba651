// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A machine of one's own: memory, a CPU, and a bus with both ports of a bridge. The software of a host boots on it; it owns an
 * interrupt at one port, grants it to the other, and raises it from there. MSI-X interrupts of both functions carry the talk.
 *
 *     cc -o own_machine own_machine.c $(pkg-config --cflags --libs openntb)
 */
#include <err.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openntb/access.h>
#include <openntb/error.h>
#include <openntb/host.h>
#include <openntb/ntb_irq.h>
#include <openntb/switchtec.h>

#define RAM_BASE   0x40000000ULL
#define RAM_SIZE   (16ULL << 20)
#define NR_VECTORS 4U
#define CFG_BAR0   0x10
#define CFG_MSIX   0x80 /* of this model; a bus for any function walks the capability list */
#define CFG_SIZE   0x90
#define TIMES	   5U
#define LIMIT_S	   10

/*
 * The CPU is a thread that takes one vector at a time, the highest first. So all that it needs of a local APIC is which vectors were
 * requested, and the end of an interrupt (ONTB_APIC_EOI) needs nothing.
 */
static _Atomic uint32_t requested[8];
static _Atomic bool is_stopping;
static sem_t wake;
static pthread_t cpu_thread;
static ontb_machine_entry *entry;
static void *entry_arg;

static void request_vector(uint8_t vector)
{
	atomic_fetch_or(&requested[vector / 32], 1U << vector % 32);
	(void)sem_post(&wake);
}

static void take_highest(void)
{
	for (unsigned int i = 8; i-- > 0;) {
		uint32_t word = atomic_load(&requested[i]), bit;

		if (!word)
			continue;
		bit = 31U - (uint32_t)__builtin_clz(word);
		atomic_fetch_and(&requested[i],
				 ~(1U << bit)); /* a message that comes from here on is a new interrupt */
		entry(entry_arg, 0, 32 * i + bit);
		return;
	}
}

static void *run_cpu(void *arg)
{
	while (!atomic_load(&is_stopping)) {
		if (!sem_wait(&wake) && !atomic_load(&is_stopping))
			take_highest();
	}
	return arg;
}

static int cpu_start(struct ontb_machine *machine, unsigned int cpu)
{
	(void)machine, (void)cpu;
	for (unsigned int i = 0; i < 8; i++)
		atomic_store(&requested[i], 0);
	atomic_store(&is_stopping, false);
	return -pthread_create(&cpu_thread, NULL, run_cpu, NULL);
}

static void cpu_stop(struct ontb_machine *machine, unsigned int cpu)
{
	(void)machine, (void)cpu;
	atomic_store(&is_stopping, true);
	(void)sem_post(&wake);
	(void)pthread_join(cpu_thread, NULL);
}

static void set_entry(struct ontb_machine *machine, ontb_machine_entry *fn, void *arg)
{
	(void)machine;
	entry = fn;
	entry_arg = arg;
}

static uint64_t apic_read(struct ontb_machine *machine, unsigned int cpu, unsigned int reg)
{
	(void)machine, (void)cpu;
	return reg - ONTB_APIC_IRR < 8 ? atomic_load(&requested[reg - ONTB_APIC_IRR]) : 0;
}

static void apic_write(struct ontb_machine *machine, unsigned int cpu, unsigned int reg, uint64_t value)
{
	(void)machine, (void)cpu;
	if (reg == ONTB_APIC_ICR) /* to this CPU: there is no other one */
		request_vector((uint8_t)value);
}

/* What functions write and read. Software polls words that a peer writes, so each is stored whole, and nothing overtakes it. */
static uint32_t *ram;

static bool in_ram(uint64_t addr, size_t len)
{
	return addr - RAM_BASE < RAM_SIZE && len <= RAM_SIZE - (addr - RAM_BASE) && addr % 4 == 0 && len % 4 == 0;
}

static int mem_write(void *host, unsigned int source, uint64_t addr, const void *buf, size_t len)
{
	(void)host, (void)source;
	if (addr - ONTB_X86_MSI_BASE < ONTB_X86_MSI_SIZE && len == 4) {
		request_vector(*(const uint8_t *)buf);
		return 0;
	}
	if (!in_ram(addr, len))
		return -EFAULT;
	for (size_t i = 0; i < len; i += 4) {
		uint32_t word;

		memcpy(&word, (const uint8_t *)buf + i, 4);
		__atomic_store_n(&ram[(addr - RAM_BASE + i) / 4], word, __ATOMIC_RELEASE);
	}
	return 0;
}

static int mem_read(void *host, uint64_t addr, struct ontb_read *read)
{
	(void)host;
	if (!in_ram(addr, read->len))
		return -EFAULT;
	for (size_t i = 0; i < read->len; i += 4) {
		uint32_t word = __atomic_load_n(&ram[(addr - RAM_BASE + i) / 4], __ATOMIC_ACQUIRE);

		memcpy((uint8_t *)read->buf + i, &word, 4);
	}
	return 0;
}

/*
 * A function on the bus, 00:02.0 or 00:03.0. The model of the bridge has its registers; where BARs are, and the MSI-X table, are the
 * bus's business. What changes is under the lock, which is never held across a call of the model.
 */
static struct slot {
	struct ontb_func *func;
	struct ontb_func_info info;
	uint8_t config[CFG_SIZE]; /* as last written */
	uint32_t table[NR_VECTORS][4];
	bool is_pending[NR_VECTORS];
} slots[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static uint32_t config_word(const struct slot *slot, unsigned int offset)
{
	uint32_t word;

	memcpy(&word, slot->config + offset, sizeof(word));
	return word;
}

/* A vector is a write of the message in its row, if MSI-X is on and neither all nor the row is masked. */
static void send_pending(struct slot *slot)
{
	for (unsigned int v = 0; v < NR_VECTORS; v++) {
		const uint32_t *row = slot->table[v];

		if (!slot->is_pending[v] || row[3] & 1 || config_word(slot, CFG_MSIX) >> 30 != 2)
			continue;
		slot->is_pending[v] = false;
		(void)mem_write(slot, 0, (uint64_t)row[1] << 32 | row[0], &row[2], 4);
	}
}

static void raise_vector(void *host, unsigned int vector)
{
	struct slot *slot = host;

	(void)pthread_mutex_lock(&lock);
	slot->is_pending[vector] = true;
	send_pending(slot);
	(void)pthread_mutex_unlock(&lock);
}

static void clear_vectors(void *host)
{
	struct slot *slot = host;

	(void)pthread_mutex_lock(&lock);
	memset(slot->is_pending, 0, sizeof(slot->is_pending));
	(void)pthread_mutex_unlock(&lock);
}

static bool vector_pending(void *host, unsigned int vector)
{
	const struct slot *slot = host;
	bool is_pending;

	(void)pthread_mutex_lock(&lock);
	is_pending = slot->is_pending[vector];
	(void)pthread_mutex_unlock(&lock);
	return is_pending;
}

static const struct ontb_host_ops host_ops = {
	.mem_write = mem_write,
	.mem_read = mem_read,
	.raise_vector = raise_vector,
	.clear_vectors = clear_vectors,
	.vector_pending = vector_pending,
};

/* An access of the MSI-X table, which is in BAR0. Reads if @to is given. */
static bool access_table(struct slot *slot, uint64_t offset, void *to, const void *from, size_t len)
{
	const uint64_t at = offset - config_word(slot, CFG_MSIX + 4);
	uint8_t *row;

	if (at >= sizeof(slot->table) || len > sizeof(slot->table) - at)
		return false;
	row = (uint8_t *)slot->table + at;
	memcpy(to ? to : row, to ? row : from, len);
	send_pending(slot);
	return true;
}

static void access_bus(uint64_t addr, void *to, const void *from, size_t len)
{
	for (unsigned int i = 0; i < 2 * ONTB_NR_BARS; i++) {
		struct slot *slot = &slots[i / ONTB_NR_BARS];
		const unsigned int bar = i % ONTB_NR_BARS;
		struct ontb_read read = { .buf = to, .len = len, .source = i / ONTB_NR_BARS };
		const uint64_t size = slot->info.bars[bar].size;
		uint64_t offset;
		bool is_table;

		(void)pthread_mutex_lock(&lock);
		offset = addr - (config_word(slot, CFG_BAR0 + 4 * bar) & ~(size - 1)); /* all are below 4 GiB */
		is_table = !bar && offset < size && access_table(slot, offset, to, from, len);
		(void)pthread_mutex_unlock(&lock);
		if (is_table)
			return;
		if (offset >= size)
			continue;
		slot->func->ops->enter(slot->func);
		if (to) /* never -EINPROGRESS, because mem_read() never says so */
			(void)slot->func->ops->bar_read(slot->func, bar, offset, &read);
		else
			(void)slot->func->ops->bar_write(slot->func, bar, offset, from, len);
		slot->func->ops->leave(slot->func);
		return;
	}
}

static void copy_to(struct ontb_machine *machine, uint64_t addr, const void *buf, size_t len)
{
	(void)machine;
	access_bus(addr, NULL, buf, len);
}

static void copy_from(struct ontb_machine *machine, void *buf, uint64_t addr, size_t len)
{
	(void)machine;
	access_bus(addr, memset(buf, 0xff, len), NULL, len);
}

static void mmio_write(struct ontb_machine *machine, uint64_t addr, uint64_t value, unsigned int len)
{
	copy_to(machine, addr, &value, len);
}

static uint64_t mmio_read(struct ontb_machine *machine, uint64_t addr, unsigned int len)
{
	uint64_t value = 0;

	copy_from(machine, &value, addr, len);
	return value;
}

static struct slot *find(uint16_t rid)
{
	return rid == ONTB_RID(0, 2, 0) ? &slots[0] : rid == ONTB_RID(0, 3, 0) ? &slots[1] : NULL;
}

static uint32_t config_read(struct ontb_machine *machine, uint16_t rid, unsigned int offset, unsigned int len)
{
	const struct slot *slot = find(rid);
	uint32_t value = slot ? 0 : UINT32_MAX;

	(void)machine;
	if (!slot)
		return value;
	slot->func->ops->enter(slot->func);
	(void)slot->func->ops->config_read(slot->func, offset, &value, len);
	slot->func->ops->leave(slot->func);
	return value;
}

static void config_write(struct ontb_machine *machine, uint16_t rid, unsigned int offset, uint32_t value,
			 unsigned int len)
{
	struct slot *slot = find(rid);
	uint8_t config[CFG_SIZE];

	(void)machine;
	if (!slot)
		return;
	slot->func->ops->enter(slot->func);
	(void)slot->func->ops->config_write(slot->func, offset, &value, len);
	(void)slot->func->ops->config_read(slot->func, 0, config, sizeof(config));
	slot->func->ops->leave(slot->func);
	(void)pthread_mutex_lock(&lock);
	memcpy(slot->config, config, sizeof(config));
	send_pending(slot);
	(void)pthread_mutex_unlock(&lock);
}

static const struct ontb_machine_ops ops = {
	.mmio_read = mmio_read,
	.mmio_write = mmio_write,
	.mmio_copy_to = copy_to,
	.mmio_copy_from = copy_from,
	.config_read = config_read,
	.config_write = config_write,
	.apic_read = apic_read,
	.apic_write = apic_write,
	.set_entry = set_entry,
	.cpu_start = cpu_start,
	.cpu_stop = cpu_stop,
};

/* From here on: software. */
static sem_t linked, granted, arrived;

static int must(int ret, const char *what)
{
	if (ret < 0)
		errx(1, "%s: %s", what, ontb_strerror(ret));
	return ret;
}

static void wait_for(sem_t *sem, const char *what)
{
	struct timespec end;

	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += LIMIT_S;
	if (sem_timedwait(sem, &end))
		err(1, "%s", what);
}

static void on_link(void *client, struct ontb_ntb_irqs *irqs, unsigned int peer, bool is_up)
{
	(void)client, (void)irqs, (void)peer, (void)is_up;
	(void)sem_post(&linked);
}

static void on_grant(void *client, struct ontb_ntb_irqs *irqs, unsigned int peer, unsigned int index)
{
	(void)client, (void)irqs, (void)peer, (void)index;
	(void)sem_post(&granted);
}

static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	(void)virq;
	(void)sem_post(dev);
	return ONTB_IRQ_HANDLED;
}

static void print_interrupts(struct ontb_irq_system *irqs)
{
	struct ontb_irq_status s;

	for (unsigned int virq = 0; (virq = ontb_irq_next(irqs, virq + 1)) != 0;) {
		must(ontb_irq_status(irqs, virq, &s), "status");
		printf("%-25s %u %-20s %u\n", s.domains[0], (unsigned int)s.hwirqs[0], s.handlers,
		       (unsigned int)s.count);
	}
}

int main(void)
{
	static const struct ontb_ntb_irq_events events = { .link = on_link, .granted = on_grant };
	const struct ontb_irq_request request = { .handler = handle, .dev = &arrived, .name = "example" };
	struct ontb_machine machine = { .ops = &ops,
					.name = "own",
					.nr_cpus = 1,
					.ram_base = RAM_BASE,
					.ram_size = RAM_SIZE,
					.bar_base = 0xe0000000,
					.bar_size = 256 << 20 };
	const struct ontb_host_config boot = { .machine = &machine, .max_irqs = 64 };
	struct ontb_switchtec_config part;
	struct ontb_ntb_irqs_config config;
	struct ontb_ntb_irqs *irqs[2];
	struct ontb_bridge *bridge;
	struct ontb_host *host;
	struct ontb_msi_map map;

	(void)(sem_init(&wake, 0, 0) || sem_init(&linked, 0, 0) || sem_init(&granted, 0, 0) ||
	       sem_init(&arrived, 0, 0));
	ram = calloc(1, RAM_SIZE);
	machine.ram = ram;
	ontb_switchtec_config_init(&part);
	must(ontb_switchtec_new(&part, &bridge), "bridge");
	for (unsigned int i = 0; i < 2; i++) {
		slots[i].func = ontb_bridge_func(bridge, i);
		slots[i].func->ops->describe(slots[i].func, &slots[i].info);
		must(slots[i].func->ops->attach(slots[i].func, &host_ops, &slots[i]), "attach");
	}
	must(ontb_host_boot(&boot, &host), "host");
	ontb_ntb_irqs_config_init(&config);
	config.events = &events;
	config.trust_peers = true; /* there is no remapping that would check messages */
	for (unsigned int i = 0; i < 2; i++)
		must(ontb_ntb_irqs_new(ontb_host_ntb(host, i), &config, &irqs[i]), "interrupts of the bridge");
	wait_for(&linked, "link");
	wait_for(&linked, "link");
	must(ontb_ntb_irq_alloc(irqs[0], ONTB_MSI_ANY_INDEX, NULL, &map), "interrupt");
	must(ontb_irq_request(ontb_host_irqs(host), map.virq, &request), "handler");
	must(ontb_ntb_irq_grant(irqs[0], map.index, 0), "grant");
	wait_for(&granted, "grant");
	for (unsigned int i = 0; i < TIMES; i++) {
		must(ontb_ntb_irq_trigger(irqs[1], 0, map.index), "trigger");
		wait_for(&arrived, "interrupt");
	}
	print_interrupts(ontb_host_irqs(host));
	must(ontb_irq_free(ontb_host_irqs(host), map.virq, &arrived), "free");
	ontb_ntb_irqs_free(irqs[0]);
	ontb_ntb_irqs_free(irqs[1]);
	ontb_host_shutdown(host);
	for (unsigned int i = 0; i < 2; i++)
		slots[i].func->ops->detach(slots[i].func);
	ontb_bridge_free(bridge);
	free(ram);
	return 0;
}
