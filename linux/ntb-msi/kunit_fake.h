/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What kunit.c has around the files under test: a device with a bridge and a client, and lines, each a Linux interrupt of a
 * made-up chip, whose message names the CPU that it was put onto. For one file that includes handle.c before.
 */
#ifndef NTB_MSI_KUNIT_FAKE_H
#define NTB_MSI_KUNIT_FAKE_H

#define FIRST_ADDR 0xfee00000ULL
#define WORDS	   16

/* Longer than any test takes. */
unsigned int ntb_msi_quarantine_ms = 600000;
unsigned int ntb_msi_reserve = 8;
bool ntb_msi_refuse_moves;

/* A device, its bridge with limits for the last peer, and its client: what that was told, and how its handler ran. */
struct fake {
	struct ntb_dev ntb;
	struct ntb_msi *msi;
	int nr_peers;
	resource_size_t addr_align;
	resource_size_t size_align;
	resource_size_t size_max;
	struct {
		u64 base;
		resource_size_t size;
	} windows[2];
	u64 links;		    /* a bit for each peer: its link is up */
	int refuses;		    /* peer whose window is written, and then the driver fails; or -1 */
	bool stuck;		    /* no window can be closed */
	unsigned int nr_interrupts; /* calls that a signal ends */
	unsigned int nr_orders;
	unsigned int nr_outside;	 /* calls from a task that may have signals */
	unsigned int nr_gone[2];	 /* how often a peer has lost all grants */
	unsigned int nr_errors;		 /* that bridge.c has to say */
	bool told;			 /* some peer holds one */
	unsigned int nr_lines;		 /* that may still be made */
	const struct cpumask *meanwhile; /* somebody moves a line there while its message is looked at */
	unsigned int nr_changed;
	atomic_t runs;
	atomic_t inside;
	atomic_t overlaps;
	struct ntb_msi_line *again; /* occurs while the handler runs */
	struct ntb_msi_desc desc;
	u32 words[WORDS];
};

static u64 addr_of(unsigned int cpu)
{
	return FIRST_ADDR + cpu * SZ_4K;
}

/* What domain.c does for these files. */

static int chip_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	struct ntb_msi_line *line = irq_data_get_irq_chip_data(data);
	unsigned int cpu = cpumask_first_and(mask, cpu_online_mask);

	if (ntb_msi_wants_move(line, mask))
		return IRQ_SET_MASK_OK;
	irq_data_update_effective_affinity(data, cpumask_of(cpu));
	line->msg.data = line->hwirq;
	line->msg.address_lo = line->msi->fixed ? FIRST_ADDR + line->hwirq * 16 : addr_of(cpu);
	return IRQ_SET_MASK_OK;
}

static void chip_nothing(struct irq_data *data)
{
}

static struct irq_chip fake_chip = {
	.name = "fake",
	.irq_mask = chip_nothing,
	.irq_unmask = chip_nothing,
	.irq_set_affinity = chip_set_affinity,
	.flags = IRQCHIP_SKIP_SET_WAKE,
};

int ntb_msi_line_new(struct ntb_msi *msi, struct ntb_msi_line **out)
{
	struct fake *fake = container_of(msi->ntb, struct fake, ntb);
	struct ntb_msi_line *line;
	int virq;

	if (!fake->nr_lines)
		return -ENOSPC;
	line = kzalloc(sizeof(*line), GFP_KERNEL);
	if (!line || !zalloc_cpumask_var(&line->deflt, GFP_KERNEL)) {
		kfree(line);
		return -ENOMEM;
	}
	virq = irq_alloc_desc(NUMA_NO_NODE);
	if (virq < 0) {
		free_cpumask_var(line->deflt);
		kfree(line);
		return virq;
	}
	fake->nr_lines--;
	line->msi = msi;
	line->hwirq = msi->nr_lines;
	line->virq = virq;
	INIT_LIST_HEAD(&line->node);
	raw_spin_lock_init(&line->lock);
	cpumask_copy(line->deflt, cpu_possible_mask);
	irq_set_chip_and_handler(virq, &fake_chip, handle_simple_irq);
	irq_set_chip_data(virq, line);
	irq_modify_status(virq, IRQ_NOREQUEST, 0);
	msi->lines[msi->nr_lines++] = line;
	*out = line;
	return 0;
}

void ntb_msi_line_drop(struct ntb_msi_line *line)
{
	container_of(line->msi->ntb, struct fake, ntb)->nr_lines++;
	line->msi->nr_lines--;
	irq_free_desc(line->virq);
	free_cpumask_var(line->deflt);
	kfree(line);
}

int ntb_msi_line_compose(struct ntb_msi_line *line)
{
	struct fake *fake = container_of(line->msi->ntb, struct fake, ntb);
	struct msi_msg msg;

	if (line->msi->fixed)
		line->msg.address_lo = FIRST_ADDR + line->hwirq * 16;
	msg = line->msg;
	if (fake->meanwhile)
		irq_set_affinity(line->virq, fake->meanwhile);
	line->msg = msg;
	line->changed = false;
	return 0;
}

u64 ntb_msi_line_message(struct ntb_msi_line *line, u32 *data)
{
	if (data)
		*data = line->msg.data;
	return line->msg.address_lo;
}

int ntb_msi_line_cpu(struct ntb_msi_line *line)
{
	return cpumask_first(irq_data_get_effective_affinity_mask(irq_get_irq_data(line->virq)));
}

/* There are no grants here, grant_kunit.c has them. */
unsigned int ntb_msi_confirm_ms;

void ntb_msi_grants_step(struct ntb_msi *msi)
{
}

void ntb_msi_grant_message(struct ntb_msi_handle *handle, struct ntb_msi_line *line)
{
}

bool ntb_msi_grant_is_settled(const struct ntb_grant *grant)
{
	return true;
}

bool ntb_msi_grants_are_told(const struct ntb_msi *msi)
{
	return container_of(msi->ntb, struct fake, ntb)->told;
}

void ntb_msi_grants_gone(struct ntb_msi *msi, unsigned int peer)
{
	container_of(msi->ntb, struct fake, ntb)->nr_gone[peer]++;
}

static void fake_error(struct device *dev)
{
	container_of(dev, struct fake, ntb.dev)->nr_errors++;
}

/* The bridge. */

static int fake_peer_port_count(struct ntb_dev *ntb)
{
	return container_of(ntb, struct fake, ntb)->nr_peers;
}

static int fake_port_number(struct ntb_dev *ntb)
{
	return 0;
}

static int fake_peer_port_number(struct ntb_dev *ntb, int peer)
{
	return peer + 1;
}

static u64 fake_link_is_up(struct ntb_dev *ntb, enum ntb_speed *speed, enum ntb_width *width)
{
	return container_of(ntb, struct fake, ntb)->links;
}

static int fake_mw_count(struct ntb_dev *ntb, int peer)
{
	return 2;
}

/* The last peer's window is the one that can do least. */
static int fake_mw_get_align(struct ntb_dev *ntb, int peer, int idx, resource_size_t *addr_align,
			     resource_size_t *size_align, resource_size_t *size_max)
{
	struct fake *fake = container_of(ntb, struct fake, ntb);
	bool last = peer == fake->nr_peers - 1;

	*addr_align = last ? fake->addr_align : 1;
	*size_align = last ? fake->size_align : 1;
	*size_max = last ? fake->size_max : SZ_1G;
	return 0;
}

static int fake_mw_set_trans(struct ntb_dev *ntb, int peer, int idx, dma_addr_t addr, resource_size_t size)
{
	struct fake *fake = container_of(ntb, struct fake, ntb);

	fake->nr_orders++;
	fake->nr_outside += !(current->flags & PF_WQ_WORKER);
	if (fake->nr_interrupts) {
		fake->nr_interrupts--;
		return -EINTR;
	}
	if (!size && fake->stuck)
		return -EIO;
	fake->windows[peer].base = addr;
	fake->windows[peer].size = size;
	return size && peer == fake->refuses ? -EIO : 0;
}

static const struct ntb_dev_ops fake_ops = {
	.port_number = fake_port_number,
	.peer_port_count = fake_peer_port_count,
	.peer_port_number = fake_peer_port_number,
	.link_is_up = fake_link_is_up,
	.mw_count = fake_mw_count,
	.mw_get_align = fake_mw_get_align,
	.mw_set_trans = fake_mw_set_trans,
};

/* The client. */

static void fake_desc_changed(void *ctx)
{
	struct fake *fake = ctx;

	fake->nr_changed++;
}

static irqreturn_t fake_handler(int irq, void *arg)
{
	struct fake *fake = arg;
	struct ntb_msi_line *again = fake->again;

	if (atomic_inc_return(&fake->inside) > 1)
		atomic_inc(&fake->overlaps);
	atomic_inc(&fake->runs);
	fake->again = NULL;
	if (again)
		line_isr(again->virq, again);
	atomic_dec(&fake->inside);
	return IRQ_HANDLED;
}

static void no_work(struct work_struct *work)
{
}

static int fake_init(struct kunit *test)
{
	struct fake *fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);
	struct ntb_msi *msi = kunit_kzalloc(test, struct_size(msi, peer_mws, 2), GFP_KERNEL);
	unsigned int cpu;

	if (!fake || !msi)
		return -ENOMEM;
	fake->nr_peers = 2;
	fake->addr_align = SZ_4K;
	fake->size_align = SZ_4K;
	fake->size_max = SZ_1M;
	fake->nr_lines = 64;
	fake->refuses = -1;
	fake->links = BIT_ULL(0) | BIT_ULL(1);
	fake->ntb.ops = &fake_ops;
	fake->ntb.ctx = fake;
	spin_lock_init(&fake->ntb.ctx_lock);
	fake->msi = msi;
	msi->ntb = &fake->ntb;
	msi->desc_changed = fake_desc_changed;
	mutex_init(&msi->lock);
	INIT_LIST_HEAD(&msi->free);
	INIT_LIST_HEAD(&msi->quarantine);
	INIT_LIST_HEAD(&msi->handles);
	INIT_LIST_HEAD(&msi->grants);
	INIT_DELAYED_WORK(&msi->work, no_work);
	msi->publish_at = jiffies;
	msi->nr_peers = 1;
	msi->peer_mws[0].io = (u32 __iomem *)fake->words;
	msi->peer_mws[0].size = sizeof(fake->words);
	msi->cpu_addr = kunit_kcalloc(test, nr_cpu_ids, sizeof(*msi->cpu_addr), GFP_KERNEL);
	if (!msi->cpu_addr || !zalloc_cpumask_var(&msi->leaving, GFP_KERNEL))
		return -ENOMEM;
	for_each_online_cpu(cpu)
		msi->cpu_addr[cpu] = addr_of(cpu);
	msi->wq = alloc_workqueue("ntb_msi_kunit", WQ_UNBOUND, 0);
	if (!msi->wq) {
		free_cpumask_var(msi->leaving);
		return -ENOMEM;
	}
	fake->ntb.msi = msi;
	test->priv = fake;
	return 0;
}

static void fake_exit(struct kunit *test)
{
	struct ntb_msi_handle *handle, *next;
	struct fake *fake = test->priv;
	struct ntb_msi *msi;
	unsigned int i;

	if (!fake)
		return;
	msi = fake->msi;
	/* A test that was aborted has not given it back. */
	mutex_init(&msi->lock);
	mutex_lock(&msi->lock);
	list_for_each_entry_safe(handle, next, &msi->handles, node)
		ntb_msi_handle_free(handle);
	for (i = 0; i < msi->nr_lines; i++) {
		ntb_msi_line_release(msi->lines[i]);
		irq_free_desc(msi->lines[i]->virq);
		free_cpumask_var(msi->lines[i]->deflt);
		kfree(msi->lines[i]);
	}
	mutex_unlock(&msi->lock);
	cancel_delayed_work_sync(&msi->work);
	destroy_workqueue(msi->wq);
	free_cpumask_var(msi->leaving);
}

/* Everything that waits for its time has waited long enough. */
static void pass_time(struct ntb_msi *msi)
{
	struct ntb_msi_handle *handle;
	struct ntb_msi_line *line;

	msi->publish_at = jiffies - 1;
	list_for_each_entry(handle, &msi->handles, node)
		handle->until = jiffies - 1;
	list_for_each_entry(line, &msi->quarantine, node)
		line->until = jiffies - 1;
}

/* A handle of the client, in a window that shows every CPU. */
static struct ntb_msi_handle *new_handle(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct ntb_msi_client client = { .handler = fake_handler, .dev_id = fake, .desc = &fake->desc };
	struct ntb_msi_handle *handle = NULL;

	KUNIT_ASSERT_EQ(test, ntb_msi_window_choose(fake->msi), 0);
	KUNIT_ASSERT_EQ(test, ntb_msi_handle_new(fake->msi, &client, "fake", &handle), 0);
	return handle;
}

static unsigned int late(struct ntb_msi *msi)
{
	unsigned int i, sum = msi->nr_late;

	for (i = 0; i < msi->nr_lines; i++)
		sum += atomic_read(&msi->lines[i]->nr_late);
	return sum;
}

static void need_two_cpus(struct kunit *test)
{
	if (num_online_cpus() < 2)
		kunit_skip(test, "there is one CPU only");
}

/* The CPU that is not @cpu, among the first two. */
static unsigned int other_cpu(unsigned int cpu)
{
	return cpu == cpumask_first(cpu_online_mask) ? cpumask_next(cpu, cpu_online_mask)
						     : cpumask_first(cpu_online_mask);
}

static struct fake *two_peers(struct kunit *test)
{
	struct fake *fake = test->priv;

	fake->msi->nr_peers = 2;
	return fake;
}

static void expect_windows(struct kunit *test, u64 base, resource_size_t size)
{
	struct fake *fake = test->priv;
	unsigned int peer;

	for (peer = 0; peer < 2; peer++) {
		KUNIT_EXPECT_EQ_MSG(test, fake->windows[peer].base, base, "peer %u", peer);
		KUNIT_EXPECT_EQ_MSG(test, fake->windows[peer].size, size, "peer %u", peer);
		KUNIT_EXPECT_EQ_MSG(test, fake->msi->peer_mws[peer].may_be_open, size != 0, "peer %u", peer);
	}
}

#endif
