// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Bridges made of memory, and a root without limits.
 */
#include "irq_loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openntb/worker.h>

#include "base/bytes.h"
#include "ntb/irq/irqs.h"

#define MSI_ADDR  0xfee00000ULL
#define MSI_SIZE  0x1000ULL
#define PAGE	  4096U
#define DB_VALID  0xffffULL
#define MAX_STEPS 1000000U

/**
 * struct side - a host's function of a bridge
 * @ntb:        Bridge.
 * @irqs:       Its interrupts.
 * @msi:        MSI device.
 * @host:       Host.
 * @other:      The other side.
 * @is_enabled: Link enabled.
 * @window_size: Of the inbound window, 0 if closed.
 * @db_pending: Doorbells.
 * @db_mask:    Those that do not interrupt.
 * @page:       Written by the other side.
 */
struct side {
	struct ontb_ntb *ntb;
	struct ontb_ntb_irqs *irqs;
	struct ontb_msi_dev *msi;
	struct host *host;
	struct side *other;
	bool is_enabled;
	uint64_t window_size;
	uint64_t db_pending;
	uint64_t db_mask;
	_Alignas(8) uint8_t page[PAGE];
};

/**
 * struct host - interrupts of a host, and a root that has as many numbers as wanted
 * @sys:     Interrupts.
 * @root:    Root.
 * @parent:  What the root says of itself.
 * @nr:      Numbers.
 * @nr_new:  Numbers never used so far.
 * @nr_free: Numbers given back.
 * @free:    Them.
 */
struct host {
	struct ontb_irq_system *sys;
	struct ontb_irq_domain *root;
	struct ontb_msi_parent parent;
	uint32_t nr;
	uint32_t nr_new;
	uint32_t nr_free;
	uint32_t *free;
};

/**
 * struct bridge - a bridge
 * @pool:  Workers of both sides.
 * @sides: The owner's and the holder's.
 */
struct bridge {
	struct ontb_worker_pool *pool;
	struct side sides[2];
};

/**
 * struct loop - all of it
 * @hosts:      Owner and holder.
 * @nr_bridges: Bridges.
 * @bridges:    Them.
 */
struct loop {
	struct host hosts[2];
	unsigned int nr_bridges;
	struct bridge bridges[];
};

/* The root */

static struct host *host_of(const struct ontb_irq_domain *domain)
{
	return ontb_irq_domain_data(domain);
}

static int compose(struct ontb_irq_data *data, struct ontb_msi_msg *msg)
{
	*msg = (struct ontb_msi_msg){ .addr = MSI_ADDR, .data = (uint32_t)data->hwirq };
	return 0;
}

static const struct ontb_irq_chip root_chip = { .name = "LOOP", .compose_msg = compose };

static void root_free(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	struct host *host = host_of(domain);

	for (unsigned int i = 0; i < nr; i++)
		host->free[host->nr_free++] = (uint32_t)ontb_irq_data_of(domain, virq + i)->hwirq;
}

static int root_alloc(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr, void *arg)
{
	struct host *host = host_of(domain);

	(void)arg;
	if (nr > host->nr - host->nr_new + host->nr_free)
		return -ENOSPC;
	for (unsigned int i = 0; i < nr; i++) {
		uint32_t hwirq = host->nr_free ? host->free[--host->nr_free] : host->nr_new++;
		int ret = ontb_irq_domain_set_info(domain, virq + i, hwirq, &root_chip, NULL);

		if (!ret)
			continue;
		host->free[host->nr_free++] = hwirq;
		root_free(domain, virq, i);
		return ret;
	}
	return 0;
}

static const struct ontb_irq_domain_ops root_ops = { .alloc = root_alloc, .free = root_free };

static void message_range(struct ontb_irq_domain *parent, struct ontb_msi_dev *dev, unsigned int slot, uint64_t *first,
			  uint64_t *size)
{
	(void)parent;
	(void)dev;
	(void)slot;
	*first = MSI_ADDR;
	*size = MSI_SIZE;
}

static int host_init(struct host *host, const char *name, unsigned int nr)
{
	const struct ontb_irq_system_config system = { .name = name, .nr_cpus = 1, .max_irqs = nr };
	const struct ontb_irq_domain_config root = {
		.name = name,
		.token = ONTB_BUS_VECTOR,
		.size = nr,
		.ops = &root_ops,
		.data = host,
		.msi_parent = &host->parent,
	};
	int ret;

	host->nr = nr;
	host->parent = (struct ontb_msi_parent){
		.message = ONTB_MSI_FIXED,
		.is_isolated = true,
		.tokens = 1U << ONTB_BUS_NTB,
		.prefix = "",
		.message_range = message_range,
	};
	host->free = calloc(nr, sizeof(*host->free));
	if (!host->free)
		return -ENOMEM;
	ret = ontb_irq_system_new(&system, &host->sys);
	return ret ? ret : ontb_irq_domain_new(host->sys, &root, &host->root);
}

static void host_fini(struct host *host)
{
	if (host->root)
		(void)ontb_irq_domain_free(host->root);
	ontb_irq_system_free(host->sys);
	free(host->free);
}

/* The bridge */

static struct side *side_of(const struct ontb_ntb *ntb)
{
	return ontb_ntb_driver(ntb);
}

static int link_enable(struct ontb_ntb *ntb)
{
	side_of(ntb)->is_enabled = true;
	ontb_ntb_link_event(ntb, 0);
	ontb_ntb_link_event(side_of(ntb)->other->ntb, 0);
	return 0;
}

static void link_disable(struct ontb_ntb *ntb)
{
	side_of(ntb)->is_enabled = false;
	ontb_ntb_link_event(side_of(ntb)->other->ntb, 0);
}

static bool link_is_up(struct ontb_ntb *ntb, unsigned int peer)
{
	(void)peer;
	return side_of(ntb)->is_enabled && side_of(ntb)->other->is_enabled;
}

static int window_limits(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, struct ontb_ntb_window *limits)
{
	(void)ntb;
	(void)peer;
	(void)window;
	*limits = (struct ontb_ntb_window){ .addr_align = MSI_SIZE, .size_align = MSI_SIZE, .size_max = MSI_SIZE };
	return 0;
}

static int window_open(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t addr, uint64_t size)
{
	(void)peer;
	(void)window;
	side_of(ntb)->window_size = addr == MSI_ADDR ? size : 0;
	return 0;
}

static int window_close(struct ontb_ntb *ntb, unsigned int peer, unsigned int window)
{
	(void)peer;
	(void)window;
	side_of(ntb)->window_size = 0;
	return 0;
}

static uint64_t peer_window_size(struct ontb_ntb *ntb, unsigned int peer, unsigned int window)
{
	(void)ntb;
	(void)peer;
	(void)window;
	return MSI_SIZE;
}

static void peer_write32(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, uint32_t value)
{
	const struct side *to = side_of(ntb)->other;

	(void)peer;
	(void)window;
	if (offset >= to->window_size)
		return;
	ontb_irq_cpu_enter(to->host->sys, 0);
	(void)ontb_irq_dispatch(to->host->root, value);
	ontb_irq_cpu_leave(to->host->sys);
}

/* Windows show interrupt addresses only. */
static void peer_write(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t offset, const void *buf,
		       size_t len)
{
	for (size_t i = 0; i + 4 <= len; i += 4)
		peer_write32(ntb, peer, window, offset + i, ontb_get_le32((const uint8_t *)buf + i));
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

static uint64_t db_valid(struct ontb_ntb *ntb)
{
	(void)ntb;
	return DB_VALID;
}

static uint64_t db_read(struct ontb_ntb *ntb)
{
	return side_of(ntb)->db_pending;
}

static void db_clear(struct ontb_ntb *ntb, uint64_t bits)
{
	side_of(ntb)->db_pending &= ~bits;
}

static void db_mask(struct ontb_ntb *ntb, uint64_t bits)
{
	side_of(ntb)->db_mask |= bits;
}

static void db_unmask(struct ontb_ntb *ntb, uint64_t bits)
{
	struct side *side = side_of(ntb);

	side->db_mask &= ~bits;
	if (side->db_pending & ~side->db_mask)
		ontb_ntb_doorbell_event(ntb);
}

static void peer_db_set(struct ontb_ntb *ntb, unsigned int peer, uint64_t bits)
{
	struct side *to = side_of(ntb)->other;
	uint64_t rising = bits & ~to->db_pending & ~to->db_mask;

	(void)peer;
	to->db_pending |= bits;
	if (rising)
		ontb_ntb_doorbell_event(to->ntb);
}

static void *page(struct ontb_ntb *ntb, unsigned int peer, size_t *size)
{
	(void)peer;
	*size = PAGE;
	return side_of(ntb)->page;
}

static void peer_page_write(struct ontb_ntb *ntb, unsigned int peer, size_t offset, const void *buf, size_t len)
{
	(void)peer;
	memcpy(side_of(ntb)->other->page + offset, buf, len);
}

static const struct ontb_ntb_ops loop_ops = {
	.name = "loop",
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
	.db_valid = db_valid,
	.db_read = db_read,
	.db_clear = db_clear,
	.db_mask = db_mask,
	.db_unmask = db_unmask,
	.peer_db_set = peer_db_set,
	.page = page,
	.peer_page_write = peer_page_write,
};

static int side_init(struct side *side, struct host *host, struct side *other, struct ontb_worker_pool *pool,
		     unsigned int number)
{
	static const uint16_t rid = 0x10;
	char name[16];
	const struct ontb_msi_dev_config msi = { .name = name, .rids = &rid, .nr_rids = 1, .parent = host->root };
	struct ontb_ntb_config config = {
		.ops = &loop_ops, .driver = side, .name = name, .nr_peers = 1, .nr_windows = 1, .workers = pool
	};
	int ret;

	(void)snprintf(name, sizeof(name), "%04x:00:02.0", number & 0xffff);
	side->host = host;
	side->other = other;
	side->db_mask = DB_VALID;
	ret = ontb_msi_dev_new(&msi, &side->msi);
	if (ret)
		return ret;
	config.msi = side->msi;
	return ontb_ntb_new(&config, &side->ntb);
}

static int make_irqs(struct side *side, unsigned int nr)
{
	struct ontb_ntb_irqs_config config;

	ontb_ntb_irqs_config_init(&config);
	config.nr_irqs = nr;
	config.ack_timeout_ns = 0;
	return ontb_ntb_irqs_new(side->ntb, &config, &side->irqs);
}

static unsigned int in_bridge(unsigned int nr, unsigned int bridge)
{
	unsigned int first = bridge * LOOP_PER_BRIDGE;

	if (nr <= first)
		return 0;
	return nr - first < LOOP_PER_BRIDGE ? nr - first : LOOP_PER_BRIDGE;
}

static void step_until_idle(struct bridge *bridge)
{
	for (unsigned int i = 0; i < MAX_STEPS && ontb_worker_pool_step(bridge->pool); i++)
		;
}

static int bridge_init(struct loop *loop, unsigned int number, unsigned int nr)
{
	struct bridge *bridge = &loop->bridges[number];
	int ret = ontb_worker_pool_new("loop", true, 1, &bridge->pool);

	for (unsigned int i = 0; i < 2 && !ret; i++)
		ret = side_init(&bridge->sides[i], &loop->hosts[i], &bridge->sides[!i], bridge->pool, number);
	if (!ret)
		ret = make_irqs(&bridge->sides[0], nr ? nr : 1);
	if (!ret)
		ret = make_irqs(&bridge->sides[1], 1);
	if (!ret)
		step_until_idle(bridge);
	return ret;
}

static void bridge_fini(struct bridge *bridge)
{
	for (unsigned int i = 0; i < 2; i++)
		ontb_ntb_irqs_free(bridge->sides[i].irqs);
	for (unsigned int i = 0; i < 2; i++) {
		ontb_ntb_free(bridge->sides[i].ntb);
		ontb_msi_dev_free(bridge->sides[i].msi);
	}
	ontb_worker_pool_free(bridge->pool);
}

int loop_open(unsigned int nr, unsigned int nr_bridges, struct loop **out)
{
	unsigned int needed = (nr + LOOP_PER_BRIDGE - 1) / LOOP_PER_BRIDGE;
	struct loop *loop;
	int ret;

	if (nr_bridges < needed)
		nr_bridges = needed;
	loop = calloc(1, sizeof(*loop) + nr_bridges * sizeof(loop->bridges[0]));
	if (!loop)
		return -ENOMEM;
	loop->nr_bridges = nr_bridges;
	ret = host_init(&loop->hosts[0], "owner", nr);
	if (!ret)
		ret = host_init(&loop->hosts[1], "holder", nr_bridges);
	for (unsigned int i = 0; i < nr_bridges && !ret; i++)
		ret = bridge_init(loop, i, in_bridge(nr, i));
	if (ret) {
		loop_close(loop);
		return ret;
	}
	*out = loop;
	return 0;
}

void loop_close(struct loop *loop)
{
	if (!loop)
		return;
	for (unsigned int i = 0; i < loop->nr_bridges; i++)
		bridge_fini(&loop->bridges[i]);
	for (unsigned int i = 0; i < 2; i++)
		host_fini(&loop->hosts[i]);
	ontb_rcu_barrier();
	free(loop);
}

static struct side *owner_of(struct loop *loop, unsigned int nth)
{
	return &loop->bridges[nth / LOOP_PER_BRIDGE].sides[0];
}

int loop_alloc(struct loop *loop, unsigned int first, unsigned int nr)
{
	struct ontb_msi_map map;
	int ret = 0;

	for (unsigned int i = first; i < first + nr && !ret; i++)
		ret = ontb_ntb_irq_alloc(owner_of(loop, i)->irqs, i % LOOP_PER_BRIDGE, NULL, &map);
	return ret;
}

/* Let everything end that is under way for some interrupts. */
static int settle(struct loop *loop, unsigned int first, unsigned int nr)
{
	unsigned int last = (first + nr - 1) / LOOP_PER_BRIDGE;
	int ret = 0;

	for (unsigned int i = first / LOOP_PER_BRIDGE; i <= last && !ret; i++) {
		step_until_idle(&loop->bridges[i]);
		ret = ontb_ntb_irq_settle(loop->bridges[i].sides[0].irqs, ONTB_MSI_ANY_INDEX, 0);
	}
	return ret;
}

int loop_grant(struct loop *loop, unsigned int first, unsigned int nr)
{
	int ret = 0;

	for (unsigned int i = first; i < first + nr && !ret; i++)
		ret = ontb_ntb_irq_grant(owner_of(loop, i)->irqs, i % LOOP_PER_BRIDGE, 0);
	return ret ? ret : settle(loop, first, nr);
}

int loop_free(struct loop *loop, unsigned int first, unsigned int nr)
{
	int ret = 0;

	for (unsigned int i = first; i < first + nr && !ret; i++)
		ret = ontb_ntb_irq_free(owner_of(loop, i)->irqs, i % LOOP_PER_BRIDGE);
	return ret ? ret : settle(loop, first, nr);
}

static unsigned int virq_of(struct loop *loop, unsigned int nth)
{
	return ontb_msi_virq(owner_of(loop, nth)->msi, 1, nth % LOOP_PER_BRIDGE);
}

int loop_request(struct loop *loop, unsigned int nth, ontb_irq_handler *handler, void *dev)
{
	const struct ontb_irq_request request = { .handler = handler, .dev = dev, .name = "bench" };

	return ontb_irq_request(loop->hosts[0].sys, virq_of(loop, nth), &request);
}

void loop_release(struct loop *loop, unsigned int nth, void *dev)
{
	(void)ontb_irq_free(loop->hosts[0].sys, virq_of(loop, nth), dev);
}

uint64_t loop_hwirq(struct loop *loop, unsigned int nth)
{
	return ontb_irq_data_of(loop->hosts[0].root, virq_of(loop, nth))->hwirq;
}

struct ontb_irq_domain *loop_root(struct loop *loop)
{
	return loop->hosts[0].root;
}

int loop_trigger(struct loop *loop, unsigned int nth)
{
	return ontb_ntb_irq_trigger(owner_of(loop, nth)->other->irqs, 0, nth % LOOP_PER_BRIDGE);
}

size_t loop_held_bytes(unsigned int nr)
{
	return nr * sizeof(struct ontb_held);
}
