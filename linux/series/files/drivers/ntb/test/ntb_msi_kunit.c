// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the NTB MSI library
 *
 * The bridge and the MSI parent domain of its function are made up, everything
 * between them is real: the library's interrupts are allocated in a real device
 * MSI domain and a message is changed through its chip.
 */

#include <linux/bitmap.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/module.h>
#include <linux/msi.h>
#include <linux/ntb.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/workqueue.h>

#include <kunit/static_stub.h>
#include <kunit/test.h>

#include "../msi.h"

#define FAKE_PEERS	2
#define FAKE_WINDOWS	4
#define FAKE_WORDS	16
#define FAKE_BYTES	(FAKE_WORDS * sizeof(u32))
#define FAKE_HWIRQS	96
/* The last one that a mask has room for, which few machines have */
#define NO_CPU		(small_cpumask_bits - 1)
/* What the library has as its limit */
#define MAX_IRQS	64
#define TIMEOUT		(10 * HZ)

/**
 * struct fake_irq - What a client has of an interrupt
 * @virq:	Linux interrupt number
 * @runs:	How often the handler ran
 * @desc:	What the peer would be told
 */
struct fake_irq {
	int			virq;
	int			runs;
	struct ntb_msi_desc	desc;
};

/**
 * struct fake_window - An inbound memory window
 * @is_set:	A translation is set
 * @addr:	Its address
 * @size:	Its size
 */
struct fake_window {
	bool			is_set;
	dma_addr_t		addr;
	resource_size_t		size;
};

/**
 * struct fake - A bridge, its function, the parent domain and a client
 * @ntb:		The NTB device
 * @pdev:		Its PCI function
 * @parent:		MSI parent domain of @pdev
 * @fwnode:		Its name
 * @base:		Address of the message of the first interrupt
 * @stride:		How far the addresses of messages are apart
 * @nr_addrs:		After how many interrupts addresses begin again
 * @effective:		CPU that interrupts are directed at, none if empty
 * @used:		Allocated interrupts of the parent
 * @nr_allocs:		How many more allocations succeed
 * @nr_peers:		Number of peers
 * @addr_align:		Alignment of inbound windows
 * @size_align:		Alignment of their sizes
 * @size_max:		Their greatest size
 * @range:		Where messages are, for ntb_msi_window_size()
 * @set_fails_at:	The peer whose window cannot be set, -1 for none
 * @map_fails_at:	The outbound window that has no address, -1 for none
 * @windows:		Inbound windows per peer and index
 * @peer_mem:		What is behind the outbound windows
 * @peer_size:		Size of the outbound windows
 * @nr_mapped:		Outbound windows that are mapped
 * @bound:		A client driver is bound
 * @irqs:		The client's interrupts
 * @nr_changed:		Calls of desc_changed()
 * @changed_atomic:	One of them was not in process context
 * @changed:		Completed by each call
 * @hold:		desc_changed() waits for @go
 * @go:			See @hold
 * @clear:		Calls ntb_clear_ctx()
 * @cleared:		It has returned
 */
struct fake {
	struct ntb_dev		ntb;
	struct pci_dev		pdev;
	struct irq_domain	*parent;
	struct fwnode_handle	*fwnode;
	u64			base;
	u64			stride;
	unsigned int		nr_addrs;
	struct cpumask		effective;
	DECLARE_BITMAP(used, FAKE_HWIRQS);
	int			nr_allocs;
	int			nr_peers;
	resource_size_t		addr_align;
	resource_size_t		size_align;
	resource_size_t		size_max;
	resource_size_t		range;
	int			set_fails_at;
	int			map_fails_at;
	struct fake_window	windows[FAKE_PEERS][FAKE_WINDOWS];
	u32			peer_mem[FAKE_WINDOWS][FAKE_WORDS];
	resource_size_t		peer_size;
	int			nr_mapped;
	bool			bound;
	struct fake_irq		irqs[MAX_IRQS + 1];
	int			nr_changed;
	bool			changed_atomic;
	struct completion	changed;
	bool			hold;
	struct completion	go;
	struct work_struct	clear;
	struct completion	cleared;
};

/* The bridge */

static struct fake *ntb_to_fake(struct ntb_dev *ntb)
{
	return container_of(ntb, struct fake, ntb);
}

static int fake_port_number(struct ntb_dev *ntb)
{
	return 0;
}

static int fake_peer_port_count(struct ntb_dev *ntb)
{
	return ntb_to_fake(ntb)->nr_peers;
}

static int fake_peer_port_number(struct ntb_dev *ntb, int pidx)
{
	return pidx + 1;
}

static u64 fake_link_is_up(struct ntb_dev *ntb, enum ntb_speed *speed, enum ntb_width *width)
{
	return GENMASK_ULL(FAKE_PEERS - 1, 0);
}

static int fake_mw_count(struct ntb_dev *ntb, int pidx)
{
	return FAKE_WINDOWS;
}

static int fake_mw_get_align(struct ntb_dev *ntb, int pidx, int widx, resource_size_t *addr_align,
			     resource_size_t *size_align, resource_size_t *size_max)
{
	struct fake *fake = ntb_to_fake(ntb);

	if (addr_align)
		*addr_align = fake->addr_align;
	if (size_align)
		*size_align = fake->size_align;
	/* One window is good enough for all peers only if it is for the last one */
	if (size_max)
		*size_max = pidx == fake->nr_peers - 1 ? fake->size_max : SZ_1G;
	return 0;
}

static int fake_mw_set_trans(struct ntb_dev *ntb, int pidx, int widx, dma_addr_t addr,
			     resource_size_t size)
{
	struct fake *fake = ntb_to_fake(ntb);

	if (pidx == fake->set_fails_at)
		return -EIO;
	fake->windows[pidx][widx] = (struct fake_window){ true, addr, size };
	return 0;
}

static int fake_mw_clear_trans(struct ntb_dev *ntb, int pidx, int widx)
{
	ntb_to_fake(ntb)->windows[pidx][widx].is_set = false;
	return 0;
}

static int fake_peer_mw_count(struct ntb_dev *ntb)
{
	return FAKE_WINDOWS;
}

static int fake_peer_mw_get_addr(struct ntb_dev *ntb, int widx, phys_addr_t *base,
				 resource_size_t *size)
{
	struct fake *fake = ntb_to_fake(ntb);

	if (widx == fake->map_fails_at)
		return -EIO;
	*base = widx;
	*size = fake->peer_size;
	return 0;
}

static const struct ntb_dev_ops fake_ntb_ops = {
	.port_number		= fake_port_number,
	.peer_port_count	= fake_peer_port_count,
	.peer_port_number	= fake_peer_port_number,
	.link_is_up		= fake_link_is_up,
	.mw_count		= fake_mw_count,
	.mw_get_align		= fake_mw_get_align,
	.mw_set_trans		= fake_mw_set_trans,
	.mw_clear_trans		= fake_mw_clear_trans,
	.peer_mw_count		= fake_peer_mw_count,
	.peer_mw_get_addr	= fake_peer_mw_get_addr,
};

/* Takes the place of ioremap(): the physical address is the index of the window */
static void __iomem *fake_map(phys_addr_t addr, resource_size_t size)
{
	struct fake *fake = kunit_get_current_test()->priv;

	fake->nr_mapped++;
	return (void __iomem *)fake->peer_mem[addr];
}

static void fake_unmap(void __iomem *base)
{
	struct fake *fake = kunit_get_current_test()->priv;

	fake->nr_mapped--;
}

static resource_size_t fake_window_size(void)
{
	struct fake *fake = kunit_get_current_test()->priv;

	return fake->range;
}

/* The MSI parent domain */

static u64 fake_addr(struct fake *fake, unsigned long hwirq)
{
	return fake->base + hwirq % fake->nr_addrs * fake->stride;
}

static void fake_compose_msi_msg(struct irq_data *data, struct msi_msg *msg)
{
	u64 addr = fake_addr(irq_data_get_irq_chip_data(data), data->hwirq);

	*msg = (struct msi_msg){
		.address_lo	= lower_32_bits(addr),
		.address_hi	= upper_32_bits(addr),
		.data		= data->hwirq,
	};
}

static int fake_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	irq_data_update_effective_affinity(data, mask);
	return IRQ_SET_MASK_OK;
}

static void fake_noop(struct irq_data *data) { }

static struct irq_chip fake_chip = {
	.name			= "fake",
	.irq_mask		= fake_noop,
	.irq_unmask		= fake_noop,
	.irq_set_affinity	= fake_set_affinity,
	.irq_compose_msi_msg	= fake_compose_msi_msg,
	.flags			= IRQCHIP_SKIP_SET_WAKE,
};

static int fake_domain_alloc(struct irq_domain *domain, unsigned int virq, unsigned int nr,
			     void *arg)
{
	struct fake *fake = domain->host_data;
	unsigned long hwirq = find_first_zero_bit(fake->used, FAKE_HWIRQS);

	if (nr != 1 || hwirq == FAKE_HWIRQS || fake->nr_allocs == 0)
		return -ENOSPC;

	fake->nr_allocs--;
	__set_bit(hwirq, fake->used);
	irq_domain_set_info(domain, virq, hwirq, &fake_chip, fake, handle_simple_irq, NULL, NULL);
	irq_modify_status(virq, IRQ_NOREQUEST, 0);
	irq_data_update_effective_affinity(irq_get_irq_data(virq), &fake->effective);
	return 0;
}

static void fake_domain_free(struct irq_domain *domain, unsigned int virq, unsigned int nr)
{
	struct fake *fake = domain->host_data;
	struct irq_data *data = irq_domain_get_irq_data(domain, virq);

	__clear_bit(data->hwirq, fake->used);
	irq_domain_free_irqs_common(domain, virq, nr);
}

static const struct irq_domain_ops fake_domain_ops = {
	.alloc	= fake_domain_alloc,
	.free	= fake_domain_free,
};

static bool fake_init_dev_msi_info(struct device *dev, struct irq_domain *domain,
				   struct irq_domain *real_parent, struct msi_domain_info *info)
{
	info->flags |= MSI_FLAG_USE_DEF_DOM_OPS | MSI_FLAG_USE_DEF_CHIP_OPS;
	return true;
}

static const struct msi_parent_ops fake_parent_ops = {
	.supported_flags	= MSI_GENERIC_FLAGS_MASK | MSI_FLAG_PCI_NTB,
	.prefix			= "fake-",
	.init_dev_msi_info	= fake_init_dev_msi_info,
};

static const struct msi_parent_ops fake_other_parent_ops = {
	.supported_flags	= MSI_GENERIC_FLAGS_MASK | MSI_FLAG_PCI_MSIX,
	.prefix			= "fake-",
	.init_dev_msi_info	= fake_init_dev_msi_info,
};

/* The client */

static void fake_desc_changed(void *ctx)
{
	struct fake *fake = ctx;

	fake->nr_changed++;
	if (!in_task() || irqs_disabled())
		fake->changed_atomic = true;
	complete(&fake->changed);
	if (READ_ONCE(fake->hold))
		wait_for_completion_timeout(&fake->go, TIMEOUT);
}

static const struct ntb_ctx_ops fake_ctx_ops = { };

static irqreturn_t fake_handler(int virq, void *arg)
{
	struct fake_irq *irq = arg;

	irq->runs++;
	return IRQ_HANDLED;
}

/* What probe() and remove() of a client are to the driver core */
static void bind(struct kunit *test)
{
	struct fake *fake = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, devres_open_group(&fake->ntb.dev, fake, GFP_KERNEL));
	fake->bound = true;
	KUNIT_ASSERT_EQ(test, ntb_set_ctx(&fake->ntb, fake, &fake_ctx_ops), 0);
}

static void unbind(struct fake *fake)
{
	if (!fake->bound)
		return;
	ntb_clear_ctx(&fake->ntb);
	devres_release_group(&fake->ntb.dev, fake);
	fake->bound = false;
}

static void start(struct kunit *test)
{
	struct fake *fake = test->priv;

	bind(test);
	KUNIT_ASSERT_EQ(test, ntb_msi_init(&fake->ntb, fake_desc_changed), 0);
	KUNIT_ASSERT_EQ(test, ntb_msi_setup_mws(&fake->ntb), 0);
}

static int request(struct fake *fake, unsigned int i)
{
	struct fake_irq *irq = &fake->irqs[i];

	irq->virq = ntbm_msi_request_threaded_irq(&fake->ntb, fake_handler, NULL, "fake", irq,
						  &irq->desc);
	return irq->virq;
}

static void raise(struct fake_irq *irq)
{
	generic_handle_irq_safe(irq->virq);
}

/* As a change of affinity does it in hard interrupt context */
static void write_message(struct fake_irq *irq, u64 addr, u32 data)
{
	struct irq_data *irqd = irq_get_irq_data(irq->virq);
	struct msi_msg msg = {
		.address_lo	= lower_32_bits(addr),
		.address_hi	= upper_32_bits(addr),
		.data		= data,
	};
	unsigned long flags;

	local_irq_save(flags);
	irqd->chip->irq_write_msi_msg(irqd, &msg);
	local_irq_restore(flags);
}

static bool wait_changed(struct fake *fake)
{
	return wait_for_completion_timeout(&fake->changed, TIMEOUT);
}

/* The windows of all peers, or of none, are as given */
static void expect_windows(struct kunit *test, bool is_set, u64 addr, resource_size_t size)
{
	struct fake *fake = test->priv;
	int pidx, widx;

	for (pidx = 0; pidx < FAKE_PEERS; pidx++) {
		for (widx = 0; widx < FAKE_WINDOWS; widx++) {
			struct fake_window *window = &fake->windows[pidx][widx];
			bool used = is_set && widx == FAKE_WINDOWS - 1;

			KUNIT_EXPECT_EQ_MSG(test, window->is_set, used, "peer %d window %d",
					    pidx, widx);
			if (!window->is_set)
				continue;
			KUNIT_EXPECT_EQ(test, window->addr, addr);
			KUNIT_EXPECT_EQ(test, window->size, size);
		}
	}
}

/* Windows */

struct window_case {
	const char	*name;
	u64		addr;
	resource_size_t	addr_align;
	resource_size_t	size_align;
	resource_size_t	size_max;
	int		ret;
	u64		base;
	resource_size_t	size;
	u32		offset;
	resource_size_t	range;
};

static const struct window_case window_cases[] = {
	{ "first message at the start of the range",
	  0xfee00000, SZ_4K, 1, SZ_2M, 0, 0xfee00000, SZ_1M, 0 },
	{ "first message for another CPU",
	  0xfee03000, SZ_4K, 1, SZ_2M, 0, 0xfee00000, SZ_1M, 0x3000 },
	{ "first message for the last CPU",
	  0xfeeff000, SZ_4K, 1, SZ_2M, 0, 0xfee00000, SZ_1M, 0xff000 },
	{ "hardware with small windows",
	  0xfee2c010, SZ_4K, 1, SZ_64K, 0, 0xfee20000, SZ_64K, 0xc010 },
	{ "greatest size that is not a power of two",
	  0xfee2c010, SZ_4K, 1, 0x30000, 0, 0xfee20000, SZ_128K, 0xc010 },
	{ "greatest size below the alignment, message in reach",
	  0xfee00ffc, SZ_2M, 1, SZ_64K, 0, 0xfee00000, SZ_64K, 0xffc },
	{ "greatest size below the alignment, message out of reach",
	  0xfee10000, SZ_2M, 1, SZ_64K, -ENOSPC },
	{ "size rounded up for the hardware",
	  0xfee01000, SZ_4K, SZ_2M, SZ_2M, 0, 0xfee00000, SZ_2M, 0x1000 },
	{ "message above 4 GiB",
	  0x123fee05040ULL, SZ_4K, 1, SZ_2M, 0, 0x123fee00000ULL, SZ_1M, 0x5040 },
	{ "windows that are aligned to more than the range of messages",
	  0xfef2c010, SZ_2M, 1, SZ_2M, 0, 0xfee00000, SZ_2M, 0x12c010 },
	{ "one page for all messages",
	  0x08090040, SZ_4K, 1, SZ_2M, 0, 0x08090000, SZ_4K, 0x40, SZ_4K },
	{ "no window",
	  0xfee00000, SZ_4K, 1, 0, -ENOSPC },
};

KUNIT_ARRAY_PARAM_DESC(window, window_cases, name);

static void ntb_msi_window(struct kunit *test)
{
	const struct window_case *now = test->param_value;
	struct fake *fake = test->priv;

	fake->base = now->addr;
	fake->addr_align = now->addr_align;
	fake->size_align = now->size_align;
	fake->size_max = now->size_max;
	if (now->range)
		fake->range = now->range;
	bind(test);
	KUNIT_ASSERT_EQ(test, ntb_msi_init(&fake->ntb, fake_desc_changed), 0);
	KUNIT_EXPECT_EQ(test, ntb_msi_setup_mws(&fake->ntb), now->ret);
	expect_windows(test, !now->ret, now->base, now->size);
	if (now->ret) {
		KUNIT_EXPECT_LT(test, request(fake, 0), 0);
		return;
	}

	KUNIT_ASSERT_GT(test, request(fake, 0), 0);
	KUNIT_EXPECT_EQ(test, fake->irqs[0].desc.addr_offset, now->offset);
	KUNIT_EXPECT_EQ(test, fake->irqs[0].desc.data, 0);
	ntb_msi_clear_mws(&fake->ntb);
	expect_windows(test, false, 0, 0);
}

static void ntb_msi_window_fails_for_one_peer(struct kunit *test)
{
	struct fake *fake = test->priv;

	start(test);
	fake->set_fails_at = FAKE_PEERS - 1;
	KUNIT_EXPECT_EQ(test, ntb_msi_setup_mws(&fake->ntb), -EIO);
	expect_windows(test, false, 0, 0);
	KUNIT_EXPECT_EQ(test, request(fake, 0), -EFAULT);

	fake->set_fails_at = -1;
	KUNIT_EXPECT_EQ(test, ntb_msi_setup_mws(&fake->ntb), 0);
	KUNIT_EXPECT_GT(test, request(fake, 0), 0);
}

static void ntb_msi_window_moves(struct kunit *test)
{
	struct fake *fake = test->priv;

	fake->base = 0xfee03000;
	start(test);
	KUNIT_ASSERT_GT(test, request(fake, 0), 0);
	KUNIT_EXPECT_EQ(test, fake->irqs[0].desc.addr_offset, 0x3000);

	/* After another link up event the bridge may have other limits */
	fake->size_max = SZ_8K;
	KUNIT_ASSERT_EQ(test, ntb_msi_setup_mws(&fake->ntb), 0);
	expect_windows(test, true, 0xfee02000, SZ_8K);
	KUNIT_EXPECT_EQ(test, fake->irqs[0].desc.addr_offset, 0x1000);
}

static void ntb_msi_message_outside_of_window(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct fake_irq *irq = &fake->irqs[0];
	int virq;

	fake->stride = SZ_64K;
	fake->size_max = SZ_64K;
	start(test);
	KUNIT_EXPECT_GT(test, request(fake, 0), 0);
	KUNIT_EXPECT_EQ(test, request(fake, 1), -EFAULT);

	/* A message that goes out of reach leaves the client's descriptor alone */
	virq = irq->virq;
	write_message(irq, fake->base + SZ_64K, 1);
	write_message(irq, fake->base + SZ_64K - sizeof(u32), 2);
	KUNIT_ASSERT_TRUE(test, wait_changed(fake));
	KUNIT_EXPECT_EQ(test, irq->desc.addr_offset, SZ_64K - sizeof(u32));
	KUNIT_EXPECT_EQ(test, irq->virq, virq);

	/* What was refused is there for the next request */
	fake->size_max = SZ_1M;
	KUNIT_ASSERT_EQ(test, ntb_msi_setup_mws(&fake->ntb), 0);
	KUNIT_EXPECT_GT(test, request(fake, 1), 0);
	KUNIT_EXPECT_EQ(test, bitmap_weight(fake->used, FAKE_HWIRQS), 1 + num_online_cpus());
}

static void ntb_msi_next_message_in_window(struct kunit *test)
{
	struct fake *fake = test->priv;
	int ret;

	/* Two CPUs in turn, one of which the window reaches */
	fake->stride = SZ_64K;
	fake->nr_addrs = 2;
	fake->size_max = SZ_64K;
	start(test);
	KUNIT_ASSERT_GT(test, request(fake, 0), 0);
	ret = request(fake, 1);
	if (num_online_cpus() == 1) {
		/* One try each */
		KUNIT_EXPECT_EQ(test, ret, -EFAULT);
		ret = request(fake, 1);
	}
	KUNIT_ASSERT_GT(test, ret, 0);
	KUNIT_EXPECT_EQ(test, fake->irqs[1].desc.addr_offset, 0);
	KUNIT_EXPECT_EQ(test, fake->irqs[1].desc.data, 2);
}

static void ntb_msi_interrupt_of_offline_cpu(struct kunit *test)
{
	struct fake *fake = test->priv;

	if (!IS_ENABLED(CONFIG_GENERIC_IRQ_EFFECTIVE_AFF_MASK) || cpu_online(NO_CPU))
		kunit_skip(test, "no CPU that an interrupt could be left on");

	/* The window is set up with it, so it is not started */
	__set_bit(NO_CPU, cpumask_bits(&fake->effective));
	start(test);
	KUNIT_ASSERT_EQ(test, bitmap_weight(fake->used, FAKE_HWIRQS), 1);
	cpumask_copy(&fake->effective, cpumask_of(0));
	KUNIT_ASSERT_GT(test, request(fake, 0), 0);
	KUNIT_EXPECT_EQ(test, fake->irqs[0].desc.data, 1);

	/* The message says where it goes, unless it is the same for all CPUs */
	unbind(fake);
	fake->parent->flags |= IRQ_DOMAIN_FLAG_MSI_IMMUTABLE;
	__set_bit(NO_CPU, cpumask_bits(&fake->effective));
	start(test);
	KUNIT_ASSERT_GT(test, request(fake, 0), 0);
	KUNIT_EXPECT_EQ(test, fake->irqs[0].desc.data, 0);
}

static void ntb_msi_message_outside_of_next_window(struct kunit *test)
{
	struct fake *fake = test->priv;

	fake->size_max = SZ_64K;
	start(test);
	KUNIT_ASSERT_GT(test, request(fake, 0), 0);
	KUNIT_ASSERT_GT(test, request(fake, 1), 0);

	/* The peer would take the old offset for one into the new window */
	write_message(&fake->irqs[1], fake->base + SZ_64K, 1);
	KUNIT_EXPECT_EQ(test, ntb_msi_setup_mws(&fake->ntb), -EFAULT);
	expect_windows(test, false, 0, 0);

	fake->size_max = SZ_128K;
	KUNIT_EXPECT_EQ(test, ntb_msi_setup_mws(&fake->ntb), 0);
	KUNIT_EXPECT_EQ(test, fake->irqs[1].desc.addr_offset, SZ_64K);
}

/* Allocation */

static void ntb_msi_all_interrupts(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned int i, j;

	start(test);
	for (i = 0; i < MAX_IRQS; i++) {
		KUNIT_ASSERT_GT(test, request(fake, i), 0);
		KUNIT_EXPECT_EQ(test, fake->irqs[i].desc.addr_offset, i * fake->stride);
		KUNIT_EXPECT_EQ(test, fake->irqs[i].desc.data, i);
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_NE(test, fake->irqs[i].virq, fake->irqs[j].virq);
	}
	KUNIT_EXPECT_LT(test, request(fake, MAX_IRQS), 0);
	KUNIT_EXPECT_EQ(test, bitmap_weight(fake->used, FAKE_HWIRQS), MAX_IRQS);

	for (i = 0; i < MAX_IRQS; i++) {
		raise(&fake->irqs[i]);
		for (j = 0; j < MAX_IRQS; j++)
			KUNIT_ASSERT_EQ(test, fake->irqs[j].runs, j <= i);
	}

	unbind(fake);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(fake->used, FAKE_HWIRQS));
}

static void ntb_msi_freed_interrupt_is_not_reused(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct fake_irq old;

	start(test);
	KUNIT_ASSERT_GT(test, request(fake, 0), 0);
	old = fake->irqs[0];
	devm_free_irq(&fake->ntb.dev, old.virq, &fake->irqs[0]);

	KUNIT_ASSERT_GT(test, request(fake, 1), 0);
	KUNIT_EXPECT_NE(test, fake->irqs[1].virq, old.virq);
	KUNIT_EXPECT_NE(test, fake->irqs[1].desc.addr_offset, old.desc.addr_offset);
	/* The peer has not heard yet */
	raise(&old);
	KUNIT_EXPECT_EQ(test, fake->irqs[0].runs, 0);
	KUNIT_EXPECT_EQ(test, fake->irqs[1].runs, 0);

	/* A window can be set up with what the first one had */
	KUNIT_EXPECT_EQ(test, ntb_msi_setup_mws(&fake->ntb), 0);
	expect_windows(test, true, 0xfee00000, SZ_1M);

	/* The next client can have everything */
	unbind(fake);
	start(test);
	KUNIT_EXPECT_GT(test, request(fake, 2), 0);
	KUNIT_EXPECT_EQ(test, fake->irqs[2].desc.addr_offset, 0);
}

static void ntb_msi_allocation_fails(struct kunit *test)
{
	struct fake *fake = test->priv;

	fake->nr_allocs = 0;
	bind(test);
	KUNIT_ASSERT_EQ(test, ntb_msi_init(&fake->ntb, fake_desc_changed), 0);
	KUNIT_EXPECT_EQ(test, ntb_msi_setup_mws(&fake->ntb), -ENOSPC);
	expect_windows(test, false, 0, 0);

	fake->nr_allocs = 1;
	KUNIT_EXPECT_EQ(test, ntb_msi_setup_mws(&fake->ntb), 0);
	KUNIT_EXPECT_GT(test, request(fake, 0), 0);
	KUNIT_EXPECT_EQ(test, request(fake, 1), -ENOSPC);
	fake->nr_allocs = 1;
	KUNIT_EXPECT_GT(test, request(fake, 1), 0);
}

static void ntb_msi_affinity_is_fixed(struct kunit *test)
{
	struct fake *fake = test->priv;

	start(test);
	KUNIT_ASSERT_GT(test, request(fake, 0), 0);
	KUNIT_EXPECT_TRUE(test, irq_check_status_bit(fake->irqs[0].virq, IRQ_NO_BALANCING));

	/* Unless the message stays the same wherever the interrupt goes */
	unbind(fake);
	fake->parent->flags |= IRQ_DOMAIN_FLAG_MSI_IMMUTABLE;
	start(test);
	KUNIT_ASSERT_GT(test, request(fake, 0), 0);
	KUNIT_EXPECT_FALSE(test, irq_check_status_bit(fake->irqs[0].virq, IRQ_NO_BALANCING));
}

/* Changes */

static void ntb_msi_changed_message(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct fake_irq *irq = &fake->irqs[1];

	start(test);
	KUNIT_ASSERT_GT(test, request(fake, 0), 0);
	KUNIT_ASSERT_GT(test, request(fake, 1), 0);
	KUNIT_EXPECT_EQ(test, fake->nr_changed, 0);

	write_message(irq, fake->base + 0x4c, 0x77);
	KUNIT_ASSERT_TRUE(test, wait_changed(fake));
	KUNIT_EXPECT_EQ(test, irq->desc.addr_offset, 0x4c);
	KUNIT_EXPECT_EQ(test, irq->desc.data, 0x77);
	KUNIT_EXPECT_FALSE(test, fake->changed_atomic);
	KUNIT_EXPECT_EQ(test, fake->irqs[0].desc.addr_offset, 0);

	/* One of the two words is enough, down to a message of zeroes but for it */
	write_message(irq, fake->base + 0x4c, 0);
	KUNIT_ASSERT_TRUE(test, wait_changed(fake));
	KUNIT_EXPECT_EQ(test, irq->desc.data, 0);
	KUNIT_EXPECT_EQ(test, fake->nr_changed, 2);
}

static void ntb_msi_unchanged_message(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi_desc before;

	start(test);
	KUNIT_ASSERT_GT(test, request(fake, 0), 0);
	KUNIT_ASSERT_GT(test, request(fake, 1), 0);
	before = fake->irqs[0].desc;
	fake->hold = true;
	write_message(&fake->irqs[1], fake->base + 0x4c, 1);
	KUNIT_ASSERT_TRUE(test, wait_changed(fake));

	/* The work waits, so it looks at each of these when it runs again */
	write_message(&fake->irqs[0], fake_addr(fake, 0), 0);
	write_message(&fake->irqs[1], 0, 0);
	WRITE_ONCE(fake->hold, false);
	complete(&fake->go);
	KUNIT_EXPECT_FALSE(test, wait_for_completion_timeout(&fake->changed, HZ / 10));
	KUNIT_EXPECT_EQ(test, fake->nr_changed, 1);
	KUNIT_EXPECT_EQ(test, fake->irqs[0].desc.addr_offset, before.addr_offset);
	/* Deactivation writes an empty message, the peer keeps the last one */
	KUNIT_EXPECT_EQ(test, fake->irqs[1].desc.addr_offset, 0x4c);
	KUNIT_EXPECT_EQ(test, fake->irqs[1].desc.data, 1);
}

static void clear_ctx(struct work_struct *work)
{
	struct fake *fake = container_of(work, struct fake, clear);

	ntb_clear_ctx(&fake->ntb);
	complete(&fake->cleared);
}

static void ntb_msi_clear_ctx_waits(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct fake_irq *irq = &fake->irqs[0];

	start(test);
	KUNIT_ASSERT_GT(test, request(fake, 0), 0);
	raise(irq);
	KUNIT_ASSERT_EQ(test, irq->runs, 1);

	fake->hold = true;
	write_message(irq, fake->base + 0x40, 1);
	KUNIT_ASSERT_TRUE(test, wait_changed(fake));
	schedule_work(&fake->clear);
	KUNIT_EXPECT_FALSE(test, wait_for_completion_timeout(&fake->cleared, HZ / 5));
	WRITE_ONCE(fake->hold, false);
	complete(&fake->go);
	KUNIT_ASSERT_TRUE(test, wait_for_completion_timeout(&fake->cleared, TIMEOUT));

	/* The client's memory may be gone now */
	write_message(irq, fake->base + 0x44, 2);
	KUNIT_EXPECT_FALSE(test, wait_for_completion_timeout(&fake->changed, HZ / 10));
	KUNIT_EXPECT_EQ(test, irq->desc.addr_offset, 0x40);
	raise(irq);
	KUNIT_EXPECT_EQ(test, irq->runs, 1);
	expect_windows(test, false, 0, 0);
	KUNIT_EXPECT_EQ(test, request(fake, 1), -ESHUTDOWN);
	KUNIT_EXPECT_EQ(test, ntb_msi_setup_mws(&fake->ntb), -ESHUTDOWN);
}

/* Outbound */

static void ntb_msi_trigger(struct kunit *test)
{
	struct ntb_msi_desc desc = { .data = 0x11223344 };
	struct fake *fake = test->priv;
	int last = FAKE_WORDS - 1;

	if (IS_ENABLED(CONFIG_INDIRECT_IOMEM))
		kunit_skip(test, "memory is no I/O memory with CONFIG_INDIRECT_IOMEM");

	start(test);
	KUNIT_EXPECT_EQ(test, ntb_msi_peer_trigger(&fake->ntb, 0, &desc), 0);
	KUNIT_EXPECT_EQ(test, fake->peer_mem[FAKE_WINDOWS - 1][0], 0x11223344);
	desc.addr_offset = last * sizeof(u32);
	KUNIT_EXPECT_EQ(test, ntb_msi_peer_trigger(&fake->ntb, 1, &desc), 0);
	KUNIT_EXPECT_EQ(test, fake->peer_mem[FAKE_WINDOWS - 2][last], 0x11223344);
	KUNIT_EXPECT_EQ(test, fake->peer_mem[FAKE_WINDOWS - 1][last], 0);
}

static void ntb_msi_trigger_out_of_range(struct kunit *test)
{
	static const u32 offsets[] = {
		FAKE_BYTES, FAKE_BYTES - 1, 1, 2, 0x80000000, U32_MAX, U32_MAX - 3
	};
	struct ntb_msi_desc desc = { .data = 1 };
	struct fake *fake = test->priv;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, ntb_msi_peer_trigger(&fake->ntb, 0, &desc), -EINVAL);
	start(test);
	KUNIT_EXPECT_EQ(test, ntb_msi_peer_trigger(&fake->ntb, -1, &desc), -EINVAL);
	KUNIT_EXPECT_EQ(test, ntb_msi_peer_trigger(&fake->ntb, FAKE_PEERS, &desc), -EINVAL);
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		desc.addr_offset = offsets[i];
		KUNIT_EXPECT_EQ_MSG(test, ntb_msi_peer_trigger(&fake->ntb, 0, &desc), -EINVAL,
				    "offset %#x", offsets[i]);
	}

	/* A window which is too small for anything */
	unbind(fake);
	fake->peer_size = sizeof(u16);
	start(test);
	desc.addr_offset = 0;
	KUNIT_EXPECT_EQ(test, ntb_msi_peer_trigger(&fake->ntb, 0, &desc), -EINVAL);
	KUNIT_EXPECT_NULL(test, memchr_inv(fake->peer_mem, 0, sizeof(fake->peer_mem)));
}

/* Life */

static void ntb_msi_init_fails(struct kunit *test)
{
	struct fake *fake = test->priv;

	KUNIT_EXPECT_EQ(test, ntb_msi_setup_mws(&fake->ntb), -EINVAL);
	KUNIT_EXPECT_EQ(test, request(fake, 0), -EINVAL);

	bind(test);
	fake->nr_peers = 0;
	KUNIT_EXPECT_EQ(test, ntb_msi_init(&fake->ntb, fake_desc_changed), -EINVAL);
	fake->nr_peers = FAKE_PEERS;

	for (fake->map_fails_at = FAKE_WINDOWS - 1;
	     fake->map_fails_at >= FAKE_WINDOWS - FAKE_PEERS; fake->map_fails_at--) {
		KUNIT_EXPECT_EQ(test, ntb_msi_init(&fake->ntb, fake_desc_changed), -EIO);
		KUNIT_EXPECT_EQ(test, fake->nr_mapped, 0);
		KUNIT_EXPECT_NULL(test, fake->ntb.msi);
	}
	fake->map_fails_at = -1;

	/* None of these left anything behind which is in the way now */
	KUNIT_ASSERT_EQ(test, ntb_msi_init(&fake->ntb, fake_desc_changed), 0);
	KUNIT_EXPECT_EQ(test, fake->nr_mapped, FAKE_PEERS);
	KUNIT_EXPECT_EQ(test, ntb_msi_init(&fake->ntb, fake_desc_changed), -EBUSY);
	KUNIT_EXPECT_EQ(test, fake->nr_mapped, FAKE_PEERS);
	KUNIT_EXPECT_EQ(test, request(fake, 0), -EFAULT);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(fake->used, FAKE_HWIRQS));
	KUNIT_EXPECT_EQ(test, ntb_msi_setup_mws(&fake->ntb), 0);
	KUNIT_EXPECT_GT(test, request(fake, 0), 0);
}

static void ntb_msi_no_domain(struct kunit *test)
{
	struct ntb_msi_desc desc = { .data = 0x55 };
	struct fake *fake = test->priv;

	fake->parent->msi_parent_ops = &fake_other_parent_ops;
	bind(test);
	/* The peer may have one, and counts windows as we do */
	KUNIT_ASSERT_EQ(test, ntb_msi_init(&fake->ntb, fake_desc_changed), 0);
	KUNIT_EXPECT_EQ(test, fake->nr_mapped, FAKE_PEERS);
	KUNIT_EXPECT_EQ(test, ntb_msi_setup_mws(&fake->ntb), -EOPNOTSUPP);
	expect_windows(test, false, 0, 0);
	KUNIT_EXPECT_EQ(test, request(fake, 0), -EFAULT);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(fake->used, FAKE_HWIRQS));
	if (IS_ENABLED(CONFIG_INDIRECT_IOMEM))
		return;
	KUNIT_EXPECT_EQ(test, ntb_msi_peer_trigger(&fake->ntb, 0, &desc), 0);
	KUNIT_EXPECT_EQ(test, fake->peer_mem[FAKE_WINDOWS - 1][0], 0x55);
}

static void fake_release(struct device *dev) { }

static int ntb_msi_test_init(struct kunit *test)
{
	struct irq_domain_info info = {
		.ops	= &fake_domain_ops,
		.size	= FAKE_HWIRQS,
	};
	struct fake *fake;
	int ret;

	fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);
	if (!fake)
		return -ENOMEM;

	fake->fwnode = irq_domain_alloc_named_fwnode("ntb-msi-kunit");
	if (!fake->fwnode)
		return -ENOMEM;
	info.fwnode = fake->fwnode;
	info.host_data = fake;
	fake->parent = msi_create_parent_irq_domain(&info, &fake_parent_ops);
	if (!fake->parent) {
		irq_domain_free_fwnode(fake->fwnode);
		return -ENOMEM;
	}

	fake->base = 0xfee00000;
	fake->stride = 0x10;
	fake->nr_addrs = FAKE_HWIRQS;
	fake->nr_allocs = FAKE_HWIRQS;
	fake->nr_peers = FAKE_PEERS;
	fake->addr_align = SZ_4K;
	fake->size_align = 1;
	fake->size_max = SZ_2M;
	fake->range = SZ_1M;
	fake->set_fails_at = -1;
	fake->map_fails_at = -1;
	fake->peer_size = FAKE_BYTES;
	init_completion(&fake->changed);
	init_completion(&fake->go);
	init_completion(&fake->cleared);
	INIT_WORK(&fake->clear, clear_ctx);

	fake->pdev.dev.release = fake_release;
	fake->pdev.dev.init_name = "ntb_msi_kunit";
	ret = device_register(&fake->pdev.dev);
	if (ret) {
		put_device(&fake->pdev.dev);
		irq_domain_remove(fake->parent);
		irq_domain_free_fwnode(fake->fwnode);
		return ret;
	}
	dev_set_msi_domain(&fake->pdev.dev, fake->parent);

	device_initialize(&fake->ntb.dev);
	fake->ntb.dev.release = fake_release;
	dev_set_name(&fake->ntb.dev, "ntb_msi_kunit");
	fake->ntb.pdev = &fake->pdev;
	fake->ntb.ops = &fake_ntb_ops;
	spin_lock_init(&fake->ntb.ctx_lock);

	test->priv = fake;
	kunit_activate_static_stub(test, ntb_msi_map_peer, fake_map);
	kunit_activate_static_stub(test, ntb_msi_unmap_peer, fake_unmap);
	kunit_activate_static_stub(test, ntb_msi_window_size, fake_window_size);
	return 0;
}

/* Whatever a test did, nothing is left of it */
static void ntb_msi_test_exit(struct kunit *test)
{
	struct fake *fake = test->priv;

	if (!fake)
		return;

	unbind(fake);
	KUNIT_EXPECT_NULL(test, fake->ntb.msi);
	KUNIT_EXPECT_EQ(test, fake->nr_mapped, 0);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(fake->used, FAKE_HWIRQS));
	put_device(&fake->ntb.dev);
	device_unregister(&fake->pdev.dev);
	irq_domain_remove(fake->parent);
	irq_domain_free_fwnode(fake->fwnode);
}

static struct kunit_case ntb_msi_test_cases[] = {
	KUNIT_CASE_PARAM(ntb_msi_window, window_gen_params),
	KUNIT_CASE(ntb_msi_window_fails_for_one_peer),
	KUNIT_CASE(ntb_msi_window_moves),
	KUNIT_CASE(ntb_msi_message_outside_of_window),
	KUNIT_CASE(ntb_msi_next_message_in_window),
	KUNIT_CASE(ntb_msi_interrupt_of_offline_cpu),
	KUNIT_CASE(ntb_msi_message_outside_of_next_window),
	KUNIT_CASE_SLOW(ntb_msi_all_interrupts),
	KUNIT_CASE(ntb_msi_freed_interrupt_is_not_reused),
	KUNIT_CASE(ntb_msi_allocation_fails),
	KUNIT_CASE(ntb_msi_affinity_is_fixed),
	KUNIT_CASE(ntb_msi_changed_message),
	KUNIT_CASE(ntb_msi_unchanged_message),
	KUNIT_CASE_SLOW(ntb_msi_clear_ctx_waits),
	KUNIT_CASE(ntb_msi_trigger),
	KUNIT_CASE(ntb_msi_trigger_out_of_range),
	KUNIT_CASE(ntb_msi_init_fails),
	KUNIT_CASE(ntb_msi_no_domain),
	{}
};

static struct kunit_suite ntb_msi_test_suite = {
	.name		= "ntb_msi",
	.init		= ntb_msi_test_init,
	.exit		= ntb_msi_test_exit,
	.test_cases	= ntb_msi_test_cases,
};

kunit_test_suite(ntb_msi_test_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests for the NTB MSI library");
MODULE_LICENSE("GPL");
