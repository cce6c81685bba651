// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Hosts joined by bridges made of memory. See mock_ntb.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mock_ntb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/rcu.h"

#define DB_VALID 0xffffULL

/* The root: vectors */

static struct mock_host *host_of(const struct ontb_irq_domain *domain)
{
	return ontb_irq_domain_data(domain);
}

static bool is_fixed(const struct mock_host *host)
{
	return host->net->flags & MOCK_FIXED;
}

static int take_vector(struct mock_host *host, unsigned int cpu, unsigned int virq, unsigned int *vector)
{
	int ret = -ENOSPC;

	ontb_lock(&host->net->lock);
	for (unsigned int v = host->lowest[cpu]; v < host->nr_vectors; v++) {
		if (host->vectors[cpu][v].virq)
			continue;
		host->vectors[cpu][v].virq = virq;
		host->lowest[cpu] = v + 1;
		*vector = v;
		ret = 0;
		break;
	}
	ontb_unlock(&host->net->lock);
	return ret;
}

static void give_vector(struct mock_host *host, unsigned int cpu, unsigned int vector)
{
	ontb_lock(&host->net->lock);
	host->vectors[cpu][vector].virq = 0;
	if (vector < host->lowest[cpu])
		host->lowest[cpu] = vector;
	ontb_unlock(&host->net->lock);
}

/* With fixed messages "CPU 0" is the remapping table, and the real target is nobody's business here. */
static unsigned int cpu_for(const struct mock_host *host, struct ontb_irq_data *data, const struct ontb_cpumask *mask)
{
	struct ontb_cpumask online = ontb_irq_cpu_online(host->sys), both = ontb_cpumask_and(mask, &online);
	unsigned int cpu = ontb_cpumask_next(&both, 0);

	(void)data;
	if (is_fixed(host))
		return 0;
	return cpu < MOCK_NR_CPUS ? cpu : 0;
}

static int root_activate(struct ontb_irq_domain *domain, struct ontb_irq_data *data)
{
	struct mock_host *host = host_of(domain);
	struct ontb_cpumask wish = ontb_irq_affinity(data);
	struct mock_irq *irq = data->chip_data;
	int ret;

	irq->cpu = cpu_for(host, data, &wish);
	ret = take_vector(host, irq->cpu, data->virq, &irq->vector);
	if (!ret)
		ontb_irq_set_effective(data, irq->cpu);
	return ret;
}

static void root_deactivate(struct ontb_irq_domain *domain, struct ontb_irq_data *data)
{
	struct mock_irq *irq = data->chip_data;

	give_vector(host_of(domain), irq->cpu, irq->vector);
	if (irq->old_cpu < MOCK_NR_CPUS)
		give_vector(host_of(domain), irq->old_cpu, irq->old_vector);
	irq->old_cpu = MOCK_NR_CPUS;
}

static int root_set_affinity(struct ontb_irq_data *data, const struct ontb_cpumask *mask)
{
	struct mock_host *host = host_of(data->domain);
	struct mock_irq *irq = data->chip_data;
	unsigned int cpu = ontb_cpumask_next(mask, 0), vector;
	int ret;

	if (is_fixed(host)) {
		ontb_irq_set_effective(data, cpu);
		return ONTB_IRQ_SET_OK;
	}
	cpu = cpu_for(host, data, mask);
	if (cpu == irq->cpu)
		return ONTB_IRQ_SET_UNCHANGED;
	if (irq->old_cpu < MOCK_NR_CPUS)
		return -EBUSY;
	ret = take_vector(host, cpu, data->virq, &vector);
	if (ret)
		return ret;
	irq->old_cpu = irq->cpu;
	irq->old_vector = irq->vector;
	irq->cpu = cpu;
	irq->vector = vector;
	ontb_irq_set_effective(data, cpu);
	return ONTB_IRQ_SET_MOVED;
}

static void root_move_done(struct ontb_irq_data *data)
{
	struct mock_irq *irq = data->chip_data;

	if (irq->old_cpu < MOCK_NR_CPUS)
		give_vector(host_of(data->domain), irq->old_cpu, irq->old_vector);
	irq->old_cpu = MOCK_NR_CPUS;
}

static int root_compose(struct ontb_irq_data *data, struct ontb_msi_msg *msg)
{
	const struct mock_irq *irq = data->chip_data;

	*msg = (struct ontb_msi_msg){ .addr = MOCK_MSI_FIRST + irq->cpu * 0x1000ULL, .data = irq->vector };
	return 0;
}

static const struct ontb_irq_chip root_chip = {
	.name = "MOCK",
	.set_affinity = root_set_affinity,
	.move_done = root_move_done,
	.compose_msg = root_compose,
};

static void busy_pending_cpus(struct ontb_irq_data *data, struct ontb_irq_drain *drain)
{
	const struct mock_irq *irq = data->chip_data;

	ontb_cpumask_set(&drain->cpus, irq->cpu);
}

static const struct ontb_irq_chip busy_chip = {
	.name = "MOCK",
	.set_affinity = root_set_affinity,
	.move_done = root_move_done,
	.compose_msg = root_compose,
	.pending_cpus = busy_pending_cpus,
};

static void busy_drain(struct ontb_irq_domain *domain, struct ontb_irq_drain *drain)
{
	struct mock_host *host = host_of(domain);

	ontb_lock(&host->net->lock);
	host->drain = drain;
	ontb_unlock(&host->net->lock);
	atomic_fetch_add(&host->nr_drains, 1);
}

/* At this moment the CPU leaves its handler, and who cancels waits until done() has returned. */
static void busy_drain_cancel(struct ontb_irq_domain *domain, struct ontb_irq_drain *drain)
{
	struct mock_host *host = host_of(domain);
	bool is_under_way;

	ontb_lock(&host->net->lock);
	is_under_way = host->drain == drain;
	host->drain = NULL;
	ontb_unlock(&host->net->lock);
	if (!is_under_way)
		return;
	atomic_fetch_add(&host->nr_ended, 1);
	drain->done(drain);
}

static void root_free(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct ontb_irq_data *data = ontb_irq_data_of(domain, virq + i);

		free(data->chip_data);
	}
}

static int root_alloc(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr, void *arg)
{
	bool is_busy = host_of(domain)->net->flags & MOCK_BUSY;

	(void)arg;
	for (unsigned int i = 0; i < nr; i++) {
		struct mock_irq *irq = calloc(1, sizeof(*irq));
		int ret = -ENOMEM;

		if (irq) {
			irq->old_cpu = MOCK_NR_CPUS;
			ret = ontb_irq_domain_set_info(domain, virq + i, virq + i, is_busy ? &busy_chip : &root_chip,
						       irq);
		}
		if (ret) {
			free(irq);
			root_free(domain, virq, i);
			return ret;
		}
	}
	return 0;
}

static const struct ontb_irq_domain_ops root_ops = {
	.alloc = root_alloc,
	.free = root_free,
	.activate = root_activate,
	.deactivate = root_deactivate,
};

static const struct ontb_irq_domain_ops busy_ops = {
	.alloc = root_alloc,
	.free = root_free,
	.activate = root_activate,
	.deactivate = root_deactivate,
	.drain = busy_drain,
	.drain_cancel = busy_drain_cancel,
};

static void message_range(struct ontb_irq_domain *parent, struct ontb_msi_dev *dev, unsigned int slot, uint64_t *first,
			  uint64_t *size)
{
	(void)parent;
	(void)dev;
	(void)slot;
	*first = MOCK_MSI_FIRST;
	*size = MOCK_MSI_SIZE;
}

/* A message arrives at a host. */
static void deliver(struct mock_host *host, uint64_t addr, uint32_t data)
{
	unsigned int cpu = (unsigned int)(addr - MOCK_MSI_FIRST) >> 12, virq = 0;

	ontb_lock(&host->net->lock);
	if (addr >= MOCK_MSI_FIRST && cpu < MOCK_NR_CPUS && data < MOCK_NR_VECTORS) {
		virq = host->vectors[cpu][data].virq;
		host->vectors[cpu][data].nr++;
	}
	ontb_unlock(&host->net->lock);
	if (!virq) {
		atomic_fetch_add(&host->nr_stale, 1);
		return;
	}
	atomic_fetch_add(&host->nr_arrived, 1);
	ontb_irq_cpu_enter(host->sys, cpu);
	(void)ontb_irq_dispatch(host->root, virq);
	ontb_irq_cpu_leave(host->sys);
}

unsigned int mock_vectors_used(struct mock_host *host)
{
	unsigned int nr = 0;

	ontb_lock(&host->net->lock);
	for (unsigned int cpu = 0; cpu < MOCK_NR_CPUS; cpu++) {
		for (unsigned int v = 0; v < host->nr_vectors; v++)
			nr += host->vectors[cpu][v].virq != 0;
	}
	ontb_unlock(&host->net->lock);
	return nr;
}

/* The bridge */

static struct mock_host *self(struct ontb_ntb *ntb)
{
	return ontb_ntb_driver(ntb);
}

static struct mock_host *peer_host(const struct mock_host *host, unsigned int peer)
{
	return &host->net->hosts[peer < host->idx ? peer : peer + 1];
}

static struct mock_side *far_side(const struct mock_host *host, unsigned int peer)
{
	struct mock_host *other = peer_host(host, peer);

	return &other->sides[mock_peer_of(other->idx, host->idx)];
}

/* Whether both sides have the link enabled and the cable is plugged. The net's lock is held. */
static bool is_up(const struct mock_host *host, unsigned int peer)
{
	return host->is_enabled && peer_host(host, peer)->is_enabled && host->sides[peer].is_up;
}

static void link_events(struct mock_net *net, unsigned int idx)
{
	for (unsigned int other = 0; other < net->nr_hosts; other++) {
		if (other == idx)
			continue;
		ontb_ntb_link_event(net->hosts[idx].ntb, mock_peer_of(idx, other));
		ontb_ntb_link_event(net->hosts[other].ntb, mock_peer_of(other, idx));
	}
}

static void set_enabled(struct mock_host *host, bool is_enabled)
{
	ontb_lock(&host->net->lock);
	host->is_enabled = is_enabled;
	ontb_unlock(&host->net->lock);
	link_events(host->net, host->idx);
}

static int link_enable(struct ontb_ntb *ntb)
{
	set_enabled(self(ntb), true);
	return 0;
}

static void link_disable(struct ontb_ntb *ntb)
{
	set_enabled(self(ntb), false);
}

static bool link_is_up(struct ontb_ntb *ntb, unsigned int peer)
{
	struct mock_host *host = self(ntb);
	bool up;

	ontb_lock(&host->net->lock);
	up = is_up(host, peer);
	ontb_unlock(&host->net->lock);
	return up;
}

static int window_limits(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, struct ontb_ntb_window *limits)
{
	(void)peer;
	(void)window;
	*limits = (struct ontb_ntb_window){
		.addr_align = self(ntb)->window_align,
		.size_align = 0x1000,
		.size_max = self(ntb)->window_max,
	};
	return 0;
}

static int window_open(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t addr, uint64_t size)
{
	struct mock_host *host = self(ntb);

	ontb_lock(&host->net->lock);
	host->sides[peer].windows[window].addr = addr;
	host->sides[peer].windows[window].size = size;
	host->sides[peer].nr_opens++;
	ontb_unlock(&host->net->lock);
	return 0;
}

static bool fails(atomic_uint *nr)
{
	unsigned int left = atomic_load(nr);

	if (!left)
		return false;
	atomic_store(nr, left - 1);
	return true;
}

/* What has passed a window or a guard has been delivered. */
static void wait_for_writes(void)
{
	ontb_rcu_synchronize();
}

static int window_close(struct ontb_ntb *ntb, unsigned int peer, unsigned int window)
{
	struct mock_host *host = self(ntb);

	if (fails(&host->fail_close))
		return -ETIMEDOUT;
	ontb_lock(&host->net->lock);
	host->sides[peer].windows[window].size = 0;
	ontb_unlock(&host->net->lock);
	wait_for_writes();
	return 0;
}

static uint64_t peer_window_size(struct ontb_ntb *ntb, unsigned int peer, unsigned int window)
{
	(void)ntb;
	(void)peer;
	(void)window;
	return MOCK_WINDOW_SIZE;
}

/* Whether the guard lets a message through. The net's lock is held. */
static bool passes(const struct mock_host *host, uint64_t addr, uint32_t data)
{
	if (!host->is_guarded)
		return true;
	for (unsigned int i = 0; i < MOCK_NR_GUARDS; i++) {
		if (host->guards[i].is_open && host->guards[i].msg.addr == addr && host->guards[i].msg.data == data)
			return true;
	}
	return false;
}

static void peer_write32(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, uint32_t value)
{
	struct mock_host *host = self(ntb), *other = peer_host(host, peer);
	const struct mock_side *side = far_side(host, peer);
	atomic_uint *refused = NULL;
	uint64_t addr = 0;

	ontb_rcu_read_lock();
	ontb_lock(&host->net->lock);
	if (!is_up(host, peer) || !ontb_range_fits(offset, 4, side->windows[window].size)) {
		refused = &other->nr_closed;
	} else {
		addr = side->windows[window].addr + offset;
		if (!passes(other, addr, value))
			refused = &other->nr_filtered;
	}
	ontb_unlock(&host->net->lock);
	if (refused)
		atomic_fetch_add(refused, 1);
	else
		deliver(other, addr, value);
	ontb_rcu_read_unlock();
}

void mock_store(struct mock_net *net, unsigned int from, unsigned int to, uint64_t offset, uint32_t data)
{
	peer_write32(net->hosts[from].ntb, mock_peer_of(from, to), MOCK_NR_WINDOWS - 1, offset, data);
}

/* Windows of these tests show interrupt addresses only. */
static void peer_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, const void *buf,
		       size_t len)
{
	for (size_t at = 0; at + 4 <= len; at += 4)
		peer_write32(ntb, peer, window, offset + at, ontb_get_le32((const uint8_t *)buf + at));
}

static void peer_read(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, void *buf,
		      size_t len)
{
	(void)ntb;
	(void)peer;
	(void)window;
	(void)offset;
	memset(buf, 0xff, len);
}

/* Doorbells */

static uint64_t db_valid(struct ontb_ntb *ntb)
{
	(void)ntb;
	return DB_VALID;
}

static uint64_t db_read(struct ontb_ntb *ntb)
{
	struct mock_host *host = self(ntb);
	uint64_t bits;

	ontb_lock(&host->net->lock);
	bits = host->db_pending;
	ontb_unlock(&host->net->lock);
	return bits;
}

static void db_clear(struct ontb_ntb *ntb, uint64_t bits)
{
	struct mock_host *host = self(ntb);

	ontb_lock(&host->net->lock);
	host->db_pending &= ~bits;
	ontb_unlock(&host->net->lock);
}

static void change_mask(struct mock_host *host, uint64_t set, uint64_t clear)
{
	bool has_event;

	ontb_lock(&host->net->lock);
	host->db_mask = (host->db_mask | set) & ~clear;
	has_event = host->db_pending & clear;
	ontb_unlock(&host->net->lock);
	if (has_event)
		ontb_ntb_doorbell_event(host->ntb);
}

static void db_mask(struct ontb_ntb *ntb, uint64_t bits)
{
	change_mask(self(ntb), bits, 0);
}

static void db_unmask(struct ontb_ntb *ntb, uint64_t bits)
{
	change_mask(self(ntb), 0, bits);
}

static void peer_db_set(struct ontb_ntb *ntb, unsigned int peer, uint64_t bits)
{
	struct mock_host *host = self(ntb), *other = peer_host(host, peer);
	bool has_event;

	if (fails(&host->drop_doorbells))
		return;
	ontb_lock(&host->net->lock);
	has_event = is_up(host, peer) && bits & ~other->db_pending & ~other->db_mask;
	if (is_up(host, peer))
		other->db_pending |= bits;
	ontb_unlock(&host->net->lock);
	if (has_event)
		ontb_ntb_doorbell_event(other->ntb);
}

/* Scratchpads, messages, pages */

static unsigned int spad_count(struct ontb_ntb *ntb)
{
	(void)ntb;
	return MOCK_NR_SPADS;
}

static uint32_t spad_read(struct ontb_ntb *ntb, unsigned int idx)
{
	return __atomic_load_n(&self(ntb)->spads[idx], __ATOMIC_ACQUIRE);
}

static void spad_write(struct ontb_ntb *ntb, unsigned int idx, uint32_t value)
{
	__atomic_store_n(&self(ntb)->spads[idx], value, __ATOMIC_RELEASE);
}

static uint32_t peer_spad_read(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx)
{
	return __atomic_load_n(&peer_host(self(ntb), peer)->spads[idx], __ATOMIC_ACQUIRE);
}

static void peer_spad_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx, uint32_t value)
{
	if (link_is_up(ntb, peer))
		__atomic_store_n(&peer_host(self(ntb), peer)->spads[idx], value, __ATOMIC_RELEASE);
}

static unsigned int msg_count(struct ontb_ntb *ntb)
{
	(void)ntb;
	return MOCK_NR_MSGS;
}

static int msg_read(struct ontb_ntb *ntb, unsigned int idx, unsigned int *peer, uint32_t *value)
{
	struct mock_host *host = self(ntb);
	int ret = -EAGAIN;

	ontb_lock(&host->net->lock);
	if (host->msgs[idx].is_full) {
		host->msgs[idx].is_full = false;
		*peer = host->msgs[idx].from;
		*value = host->msgs[idx].value;
		ret = 0;
	}
	ontb_unlock(&host->net->lock);
	return ret;
}

static int peer_msg_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int idx, uint32_t value)
{
	struct mock_host *host = self(ntb), *other = peer_host(host, peer);
	int ret = 0;

	ontb_lock(&host->net->lock);
	if (other->msgs[idx].is_full && !(host->net->flags & MOCK_OVERWRITE)) {
		ret = -EAGAIN;
	} else if (is_up(host, peer)) {
		other->msgs[idx].is_full = true;
		other->msgs[idx].value = value;
		other->msgs[idx].from = mock_peer_of(other->idx, host->idx);
	}
	ontb_unlock(&host->net->lock);
	/* The status bit of a register that is full stays set, so its interrupt comes sooner or later. */
	if (!fails(&host->drop_doorbells))
		ontb_ntb_message_event(other->ntb);
	return ret;
}

static void *page(struct ontb_ntb *ntb, unsigned int peer, size_t *size)
{
	*size = MOCK_PAGE;
	return self(ntb)->sides[peer].page;
}

static void peer_page_write(struct ontb_ntb *ntb, unsigned int peer, size_t offset, const void *buf, size_t len)
{
	struct mock_side *side = far_side(self(ntb), peer);

	if (!link_is_up(ntb, peer) || self(ntb)->is_deaf || peer_host(self(ntb), peer)->is_deaf)
		return;
	for (size_t at = 0; at < len; at += 4) {
		uint32_t word;

		memcpy(&word, (const uint8_t *)buf + at, 4);
		__atomic_store_n((uint32_t *)(void *)(side->page + offset + at), word, __ATOMIC_RELEASE);
	}
}

/* Guard */

static unsigned int guard_size(struct ontb_ntb *ntb)
{
	(void)ntb;
	return MOCK_NR_GUARDS;
}

static int guard_set(struct ontb_ntb *ntb, unsigned int slot, const struct ontb_msi_msg *msg)
{
	struct mock_host *host = self(ntb);

	if (fails(&host->fail_guard))
		return -EIO;
	ontb_lock(&host->net->lock);
	host->guards[slot].is_open = msg;
	if (msg)
		host->guards[slot].msg = *msg;
	ontb_unlock(&host->net->lock);
	if (!msg)
		wait_for_writes();
	if (!msg && host->on_shut_out)
		host->on_shut_out(host);
	return 0;
}

static int guard_enable(struct ontb_ntb *ntb, bool on)
{
	ontb_lock(&self(ntb)->net->lock);
	self(ntb)->is_guarded = on;
	ontb_unlock(&self(ntb)->net->lock);
	return 0;
}

static void fill_ops(struct mock_net *net)
{
	struct ontb_ntb_ops *ops = &net->ops;

	*ops = (struct ontb_ntb_ops){
		.name = "mock",
		.link_enable = link_enable,
		.link_disable = link_disable,
		.link_is_up = link_is_up,
		.window_limits = window_limits,
		.window_open = window_open,
		.window_close = window_close,
		.peer_window_size = peer_window_size,
		.peer_write32 = peer_write32,
		.peer_write = peer_write,
		.peer_read = peer_read,
	};
	if (net->flags & MOCK_DOORBELLS) {
		ops->db_valid = db_valid;
		ops->db_read = db_read;
		ops->db_clear = db_clear;
		ops->db_mask = db_mask;
		ops->db_unmask = db_unmask;
		ops->peer_db_set = peer_db_set;
	}
	if (net->flags & MOCK_SPADS) {
		ops->spad_count = spad_count;
		ops->spad_read = spad_read;
		ops->spad_write = spad_write;
		ops->peer_spad_read = peer_spad_read;
		ops->peer_spad_write = peer_spad_write;
	}
	if (net->flags & MOCK_MSGS) {
		ops->msg_count = msg_count;
		ops->msg_read = msg_read;
		ops->peer_msg_write = peer_msg_write;
	}
	if (net->flags & MOCK_PAGES) {
		ops->page = page;
		ops->peer_page_write = peer_page_write;
	}
	if (net->flags & MOCK_GUARD) {
		ops->guard_size = guard_size;
		ops->guard_set = guard_set;
		ops->guard_enable = guard_enable;
	}
}

/* Nets */

static void make_root(struct mock_host *host)
{
	const struct ontb_irq_system_config system = { .name = "mock", .nr_cpus = MOCK_NR_CPUS, .max_irqs = 1U << 20 };
	struct ontb_irq_domain_config domain = {
		.name = "MOCK",
		.token = ONTB_BUS_VECTOR,
		.ops = host->net->flags & MOCK_BUSY ? &busy_ops : &root_ops,
		.data = host,
		.msi_parent = &host->parent,
	};

	host->parent = (struct ontb_msi_parent){
		.message = is_fixed(host) ? ONTB_MSI_FIXED : ONTB_MSI_MOVES,
		.is_isolated = host->net->flags & MOCK_ISOLATED,
		.scope = is_fixed(host) ? ONTB_MSI_SCOPE_GLOBAL : ONTB_MSI_SCOPE_CPU,
		.tokens = 1U << ONTB_BUS_NTB | 1U << ONTB_BUS_PCI_MSIX,
		.prefix = "",
		.message_range = message_range,
	};
	assert_int_equal(ontb_irq_system_new(&system, &host->sys), 0);
	assert_int_equal(ontb_irq_domain_new(host->sys, &domain, &host->root), 0);
}

static void make_host(struct mock_net *net, unsigned int idx)
{
	static const uint16_t rid = 0x10;
	struct mock_host *host = &net->hosts[idx];
	const struct ontb_msi_dev_config msi = { .name = "0000:00:02.0", .rids = &rid, .nr_rids = 1 };
	struct ontb_msi_dev_config with_parent = msi;
	struct ontb_ntb_config bridge = { .ops = &net->ops,
					  .driver = host,
					  .name = "0000:00:02.0",
					  .nr_peers = net->nr_hosts - 1,
					  .nr_windows = MOCK_NR_WINDOWS };

	host->net = net;
	host->idx = idx;
	host->nr_vectors = MOCK_NR_VECTORS;
	host->window_max = MOCK_WINDOW_SIZE;
	host->db_mask = DB_VALID;
	for (unsigned int peer = 0; peer < net->nr_hosts; peer++)
		host->sides[peer].is_up = true;
	if (!(net->flags & MOCK_STEPPED))
		assert_int_equal(ontb_worker_pool_new("mock", false, 0, &host->pool), 0);
	else if (idx)
		host->pool = net->hosts[0].pool;
	else
		assert_int_equal(ontb_worker_pool_new("mock", true, 1, &host->pool), 0);
	make_root(host);
	with_parent.parent = host->root;
	assert_int_equal(ontb_msi_dev_new(&with_parent, &host->msi), 0);
	bridge.msi = host->msi;
	bridge.workers = host->pool;
	assert_int_equal(ontb_ntb_new(&bridge, &host->ntb), 0);
}

struct mock_net *mock_net_new(unsigned int nr_hosts, unsigned int flags)
{
	struct mock_net *net = calloc(1, sizeof(*net));

	assert_non_null(net);
	net->nr_hosts = nr_hosts;
	net->flags = flags;
	ontb_lock_init(&net->lock);
	fill_ops(net);
	for (unsigned int i = 0; i < nr_hosts; i++)
		make_host(net, i);
	return net;
}

void mock_net_free(struct mock_net *net)
{
	for (unsigned int i = 0; i < net->nr_hosts; i++)
		ontb_ntb_free(net->hosts[i].ntb);
	for (unsigned int i = 0; i < net->nr_hosts; i++) {
		struct mock_host *host = &net->hosts[i];

		ontb_msi_dev_free(host->msi);
		assert_int_equal(mock_vectors_used(host), 0);
		assert_int_equal(ontb_irq_domain_free(host->root), 0);
		ontb_irq_system_free(host->sys);
	}
	for (unsigned int i = 0; i < net->nr_hosts; i++) {
		if (i == 0 || !(net->flags & MOCK_STEPPED))
			ontb_worker_pool_free(net->hosts[i].pool);
	}
	ontb_lock_fini(&net->lock);
	free(net);
}

void mock_set_link(struct mock_net *net, unsigned int a, unsigned int b, bool is_plugged)
{
	ontb_lock(&net->lock);
	net->hosts[a].sides[mock_peer_of(a, b)].is_up = is_plugged;
	net->hosts[b].sides[mock_peer_of(b, a)].is_up = is_plugged;
	ontb_unlock(&net->lock);
	ontb_ntb_link_event(net->hosts[a].ntb, mock_peer_of(a, b));
	ontb_ntb_link_event(net->hosts[b].ntb, mock_peer_of(b, a));
}

unsigned int mock_run(struct mock_net *net)
{
	unsigned int nr = 0;

	while (ontb_worker_pool_step(net->hosts[0].pool))
		assert_true(++nr < 1000000);
	return nr;
}
