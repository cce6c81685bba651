// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts which a peer triggers by a write through a memory window
 *
 * The write of the peer is an ordinary MSI message of the bridge's PCI
 * function as far as the interrupt hierarchy is concerned, but the function
 * has no place to store that message: the peer stores it. So these interrupts
 * live in a domain of their own, a sibling of the function's PCI/MSI[-X]
 * domain, and "writing the message" means telling the peer about it.
 *
 * A message may change in hard interrupt context with the interrupt's lock
 * held. It is only noted there. A work item hands it over to the client,
 * which passes it on to the peer.
 */

#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/export.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/log2.h>
#include <linux/msi.h>
#include <linux/mutex.h>
#include <linux/ntb.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "msi.h"

/* No client has more interrupts than a device can have doorbell bits */
#define NTB_MSI_MAX_IRQS	64

/**
 * struct ntb_msi_irq - One interrupt and what the peer has to know about it
 * @node:	Entry in the list of the device, protected by ntb_msi::mutex
 * @msi:	The device's MSI context
 * @map:	Index in the domain and Linux interrupt number
 * @desc:	What the client passes on to the peer, NULL until requested.
 *		Protected by ntb_msi::mutex
 * @lock:	Protects @msg and @valid
 * @msg:	The message as the interrupt hierarchy composed it last
 * @valid:	@msg triggers the interrupt
 */
struct ntb_msi_irq {
	struct list_head	node;
	struct ntb_msi		*msi;
	struct msi_map		map;
	struct ntb_msi_desc	*desc;
	raw_spinlock_t		lock;
	struct msi_msg		msg;
	bool			valid;
};

/**
 * struct ntb_msi_mw - An outbound memory window, which triggers interrupts of a peer
 * @base:	The mapped window
 * @size:	Its size in bytes
 */
struct ntb_msi_mw {
	void __iomem		*base;
	resource_size_t		size;
};

/**
 * struct ntb_msi - MSI context of an NTB device while a client uses it
 * @ntb:		The NTB device
 * @desc_changed:	Callback of the client, may be NULL
 * @work:		Hands changed messages over to the client
 * @mutex:		Protects the list, the inbound window and the client's descriptors
 * @irqs:		All allocated interrupts
 * @base_addr:		First address which the inbound windows reach
 * @end_addr:		First address behind that, 0 without windows
 * @has_domain:		The interrupt domain of the device exists
 * @immutable:		The messages stay as they are over a change of affinity
 * @quiesced:		The client is about to go, it must not be called anymore
 * @nr_peer_mws:	Number of entries in @peer_mws
 * @peer_mws:		One outbound window per peer
 */
struct ntb_msi {
	struct ntb_dev		*ntb;
	void			(*desc_changed)(void *ctx);
	struct work_struct	work;
	/* Protects @irqs, @base_addr, @end_addr, @quiesced and ntb_msi_irq::desc */
	struct mutex		mutex;
	struct list_head	irqs;
	u64			base_addr;
	u64			end_addr;
	bool			has_domain;
	bool			immutable;
	bool			quiesced;
	unsigned int		nr_peer_mws;
	struct ntb_msi_mw	peer_mws[] __counted_by(nr_peer_mws);
};

/*
 * What a window covers if the hardware allows that. On x86 the address of a
 * message has the CPU or an index into the remapping table in it, on RISC-V
 * each CPU has a page. A GIC has one register for all messages, and what is
 * beside it is not for peers.
 */
static resource_size_t ntb_msi_window_size(void)
{
	return IS_ENABLED(CONFIG_ARM) || IS_ENABLED(CONFIG_ARM64) ? SZ_4K : SZ_1M;
}

static u64 ntb_msi_msg_addr(const struct msi_msg *msg)
{
	return (u64)msg->address_hi << 32 | msg->address_lo;
}

/* Interrupt chip and domain */

static void ntb_msi_write_msg(struct irq_data *data, struct msi_msg *msg)
{
	struct msi_desc *entry = irq_data_get_msi_desc(data);
	struct ntb_msi_irq *irq = entry->data.icookie.ptr;

	/* For debugfs and get_cached_msi_msg() */
	entry->msg = *msg;

	/*
	 * Deactivation writes an empty message. The peer keeps the last one,
	 * as nothing it could be given would be better.
	 */
	scoped_guard(raw_spinlock_irqsave, &irq->lock) {
		irq->valid = ntb_msi_msg_addr(msg) || msg->data;
		if (!irq->valid)
			return;
		irq->msg = *msg;
	}

	/* Not on this CPU, which may be the one that goes offline */
	queue_work(system_dfl_wq, &irq->msi->work);
}

/*
 * The peer sends whenever it wants to. What arrives while the interrupt is
 * disabled is marked pending by the flow handler and replayed.
 */
static void ntb_msi_mask(struct irq_data *data) { }
static void ntb_msi_unmask(struct irq_data *data) { }

static void ntb_msi_set_desc(msi_alloc_info_t *arg, struct msi_desc *entry)
{
	arg->desc = entry;
	arg->hwirq = entry->msi_index;
}

static const struct msi_domain_template ntb_msi_template = {
	.chip = {
		.name			= "NTB-MSI",
		.irq_mask		= ntb_msi_mask,
		.irq_unmask		= ntb_msi_unmask,
		.irq_write_msi_msg	= ntb_msi_write_msg,
		.flags			= IRQCHIP_ONESHOT_SAFE,
	},

	.ops = {
		.set_desc		= ntb_msi_set_desc,
	},

	.info = {
		/* The window is set up from a message before any request */
		.flags			= MSI_FLAG_FREE_MSI_DESCS |
					  MSI_FLAG_ACTIVATE_EARLY,
		.bus_token		= DOMAIN_BUS_PCI_DEVICE_NTB,
	},
};

static bool ntb_msi_get_msg(struct ntb_msi_irq *irq, struct msi_msg *msg)
{
	guard(raw_spinlock_irqsave)(&irq->lock);
	*msg = irq->msg;
	return irq->valid;
}

/* Whether a peer reaches the interrupt, and finds a CPU there that handles it */
static bool ntb_msi_is_usable(struct ntb_msi *msi, struct ntb_msi_irq *irq)
{
	const struct cpumask *cpus;
	struct msi_msg msg;
	u64 addr;

	lockdep_assert_held(&msi->mutex);
	lockdep_assert_cpus_held();

	if (!ntb_msi_get_msg(irq, &msg))
		return false;

	/*
	 * What nobody has requested does not move when its CPU goes offline,
	 * and after the request the affinity is fixed.
	 */
	cpus = irq_get_effective_affinity_mask(irq->map.virq);
	if (!msi->immutable && !cpumask_empty(cpus) && !cpumask_intersects(cpus, cpu_online_mask))
		return false;

	addr = ntb_msi_msg_addr(&msg);
	return addr >= msi->base_addr && addr < msi->end_addr;
}

/*
 * Bring the client's descriptor of an interrupt up to date. Returns 1 if it
 * changed, 0 if not, or -EFAULT if the peer cannot reach the interrupt.
 */
static int ntb_msi_update_desc(struct ntb_msi *msi, struct ntb_msi_irq *irq)
{
	struct ntb_msi_desc new;
	struct msi_msg msg;
	u64 addr;

	lockdep_assert_held(&msi->mutex);

	if (!irq->desc || !ntb_msi_get_msg(irq, &msg))
		return 0;

	addr = ntb_msi_msg_addr(&msg);
	if (addr < msi->base_addr || addr >= msi->end_addr) {
		dev_warn_ratelimited(&msi->ntb->dev, "IRQ %d: message address %#llx is outside of the window [%#llx, %#llx)\n",
				     irq->map.virq, addr, msi->base_addr, msi->end_addr);
		return -EFAULT;
	}

	new.addr_offset = addr - msi->base_addr;
	new.data = msg.data;
	if (new.addr_offset == irq->desc->addr_offset && new.data == irq->desc->data)
		return 0;

	*irq->desc = new;
	return 1;
}

static void ntb_msi_work(struct work_struct *work)
{
	struct ntb_msi *msi = container_of(work, struct ntb_msi, work);
	struct ntb_msi_irq *irq;
	bool changed = false;
	void *ctx;

	scoped_guard(mutex, &msi->mutex) {
		if (msi->quiesced || !msi->end_addr)
			return;

		list_for_each_entry(irq, &msi->irqs, node)
			changed |= ntb_msi_update_desc(msi, irq) > 0;
	}

	/* ntb_clear_ctx() waits until this is done */
	ctx = READ_ONCE(msi->ntb->ctx);
	if (changed && ctx && msi->desc_changed)
		msi->desc_changed(ctx);
}

static void ntb_msi_clear_trans(struct ntb_dev *ntb, int nr_peers)
{
	int peer, widx, ret;

	for (peer = 0; peer < nr_peers; peer++) {
		widx = ntb_peer_highest_mw_idx(ntb, peer);
		if (widx < 0)
			continue;
		ret = ntb_mw_clear_trans(ntb, peer, widx);
		if (ret)
			dev_err(&ntb->dev, "MSI window of peer %d may be open: %d\n", peer, ret);
	}
}

static void ntb_msi_close_windows(struct ntb_msi *msi, int nr_peers)
{
	lockdep_assert_held(&msi->mutex);

	ntb_msi_clear_trans(msi->ntb, nr_peers);
	msi->base_addr = 0;
	msi->end_addr = 0;
}

/**
 * ntb_msi_quiesce() - Keep interrupts and changes of messages away from a client
 * @ntb:	NTB device context
 *
 * Called by ntb_clear_ctx(). The client frees its data next, but its interrupts
 * are freed by devres only after that. They are anybody's then, so peers must
 * not reach them anymore.
 */
void ntb_msi_quiesce(struct ntb_dev *ntb)
{
	struct ntb_msi *msi = ntb->msi;
	struct ntb_msi_irq *irq;

	if (!msi)
		return;

	scoped_guard(mutex, &msi->mutex) {
		msi->quiesced = true;
		if (msi->end_addr)
			ntb_msi_close_windows(msi, ntb_peer_port_count(ntb));
	}

	/* Neither work nor requests do anything from here on, so the list stays as it is */
	cancel_work_sync(&msi->work);

	list_for_each_entry(irq, &msi->irqs, node) {
		if (irq->desc)
			disable_irq(irq->map.virq);
	}
}

static void ntb_msi_release(void *data)
{
	struct ntb_msi *msi = data;
	unsigned int i;

	cancel_work_sync(&msi->work);
	if (msi->has_domain)
		pci_ntb_remove_domain(msi->ntb->pdev);

	for (i = 0; i < msi->nr_peer_mws; i++)
		iounmap(msi->peer_mws[i].base);

	msi->ntb->msi = NULL;
	mutex_destroy(&msi->mutex);
	kfree(msi);
}

/**
 * ntb_msi_init() - Initialize the MSI context
 * @ntb:		NTB device context
 * @desc_changed:	Called in process context when a descriptor that was
 *			filled in by ntbm_msi_request_threaded_irq() changed
 *			and has to be sent to the peers again. May be NULL.
 *			Its argument is the context given to ntb_set_ctx().
 *
 * This function must be called before any other ntb_msi function. It creates
 * the interrupt domain and maps the peer memory windows. Everything is undone
 * when the client driver is unbound.
 *
 * This function reserves the last N outbound memory windows (where N
 * is the number of peers).
 *
 * It succeeds where the interrupt controller cannot deliver such interrupts,
 * and ntb_msi_setup_mws() fails then. So both hosts use the same windows, and
 * this one can trigger interrupts of a peer which has them.
 *
 * Return: Zero on success, otherwise a negative error number.
 */
int ntb_msi_init(struct ntb_dev *ntb, void (*desc_changed)(void *ctx))
{
	struct device *dev = &ntb->pdev->dev;
	struct irq_domain *parent = dev_get_msi_domain(dev);
	struct ntb_msi *msi;
	int i, peers, ret;

	if (ntb->msi)
		return -EBUSY;

	peers = ntb_peer_port_count(ntb);
	if (peers <= 0)
		return -EINVAL;

	msi = kzalloc_flex(*msi, peer_mws, peers);
	if (!msi)
		return -ENOMEM;

	msi->nr_peer_mws = peers;
	msi->ntb = ntb;
	msi->desc_changed = desc_changed;
	INIT_WORK(&msi->work, ntb_msi_work);
	INIT_LIST_HEAD(&msi->irqs);
	mutex_init(&msi->mutex);

	msi->has_domain = pci_ntb_create_domain(ntb->pdev, &ntb_msi_template, NTB_MSI_MAX_IRQS);
	if (!msi->has_domain) {
		dev_info(&ntb->dev, "no interrupts from peers: the interrupt controller does not have them\n");
	} else {
		msi->immutable = irq_domain_is_msi_immutable(parent);
		if (!msi_device_has_isolated_msi(dev))
			dev_info(&ntb->dev, "peers can raise any interrupt of this host through the MSI window\n");
	}

	for (i = 0; i < peers; i++) {
		struct ntb_msi_mw *mw = &msi->peer_mws[i];
		phys_addr_t addr;

		ret = ntb_peer_mw_get_addr(ntb, ntb_peer_mw_count(ntb) - 1 - i, &addr, &mw->size);
		if (ret)
			goto unmap;

		mw->base = ioremap(addr, mw->size);
		if (!mw->base) {
			ret = -ENOMEM;
			goto unmap;
		}
	}

	ntb->msi = msi;
	return devm_add_action_or_reset(&ntb->dev, ntb_msi_release, msi);

unmap:
	while (i--)
		iounmap(msi->peer_mws[i].base);
	if (msi->has_domain)
		pci_ntb_remove_domain(ntb->pdev);
	mutex_destroy(&msi->mutex);
	kfree(msi);
	return ret;
}
EXPORT_SYMBOL(ntb_msi_init);

/* Allocation */

static void ntb_msi_free_irq(void *data)
{
	struct ntb_msi_irq *irq = data;

	scoped_guard(mutex, &irq->msi->mutex)
		list_del(&irq->node);

	pci_ntb_free_irq(irq->msi->ntb->pdev, irq->map);
	kfree(irq);
}

static struct ntb_msi_irq *ntb_msi_alloc_irq(struct ntb_msi *msi)
{
	union msi_instance_cookie cookie;
	struct ntb_msi_irq *irq;
	int ret;

	lockdep_assert_held(&msi->mutex);

	irq = kzalloc_obj(*irq);
	if (!irq)
		return ERR_PTR(-ENOMEM);

	irq->msi = msi;
	raw_spin_lock_init(&irq->lock);

	cookie.ptr = irq;
	irq->map = pci_ntb_alloc_irq(msi->ntb->pdev, &cookie);
	if (irq->map.index < 0) {
		ret = irq->map.index;
		goto free_irq;
	}

	/* Only the release takes the mutex, which is not held then */
	ret = devm_add_action(&msi->ntb->dev, ntb_msi_free_irq, irq);
	if (ret)
		goto free_virq;

	list_add_tail(&irq->node, &msi->irqs);
	return irq;

free_virq:
	pci_ntb_free_irq(msi->ntb->pdev, irq->map);
free_irq:
	kfree(irq);
	return ERR_PTR(ret);
}

/*
 * An interrupt that nobody has requested: what the window was set up with, or a
 * new one. A window may be too small for all CPUs; what is out of its reach is
 * kept for the next window, and as each new one is for another CPU where there
 * is a choice, some more are tried.
 */
static struct ntb_msi_irq *ntb_msi_get_unused_irq(struct ntb_msi *msi)
{
	unsigned int tries = num_online_cpus();
	struct ntb_msi_irq *irq;

	lockdep_assert_held(&msi->mutex);

	if (!msi->end_addr)
		return ERR_PTR(-EFAULT);

	list_for_each_entry(irq, &msi->irqs, node) {
		if (!irq->desc && ntb_msi_is_usable(msi, irq))
			return irq;
	}

	while (tries--) {
		irq = ntb_msi_alloc_irq(msi);
		if (IS_ERR(irq) || ntb_msi_is_usable(msi, irq))
			return irq;
	}

	dev_warn_ratelimited(&msi->ntb->dev, "no interrupt with a message in the window [%#llx, %#llx)\n",
			     msi->base_addr, msi->end_addr);
	return ERR_PTR(-EFAULT);
}

/* Inbound windows */

static int ntb_msi_find_window(struct ntb_msi *msi, u64 *base, resource_size_t *size)
{
	resource_size_t addr_align, size_max, align = 1, limit = RESOURCE_SIZE_MAX;
	struct ntb_dev *ntb = msi->ntb;
	struct ntb_msi_irq *irq;
	struct msi_msg msg;
	int peer, widx, ret;

	for (peer = 0; peer < ntb_peer_port_count(ntb); peer++) {
		widx = ntb_peer_highest_mw_idx(ntb, peer);
		if (widx < 0)
			return widx;

		ret = ntb_mw_get_align(ntb, peer, widx, &addr_align, NULL, &size_max);
		if (ret)
			return ret;
		if (!size_max)
			return -ENOSPC;

		align = max(align, addr_align);
		limit = min(limit, size_max);
	}

	/* A window that has to be aligned to more reaches more, or not even the message */
	*size = min(limit, max(align, ntb_msi_window_size()));

	irq = list_first_entry_or_null(&msi->irqs, struct ntb_msi_irq, node);
	if (!irq)
		irq = ntb_msi_alloc_irq(msi);
	if (IS_ERR(irq))
		return PTR_ERR(irq);

	/* The message of an interrupt which was freed is the last one it had */
	ntb_msi_get_msg(irq, &msg);
	if (!ntb_msi_msg_addr(&msg))
		return -ENODEV;

	/*
	 * Aligned to its size, the window reaches other messages as well as
	 * the first one, wherever in the range of messages that happens to be.
	 */
	*size = rounddown_pow_of_two(*size);
	*base = ntb_msi_msg_addr(&msg) & ~((u64)max(align, *size) - 1);
	if (ntb_msi_msg_addr(&msg) - *base >= *size)
		return -ENOSPC;

	return 0;
}

/**
 * ntb_msi_setup_mws() - Initialize the MSI inbound memory windows
 * @ntb:	NTB device context
 *
 * This function sets up the required inbound memory windows. It should be
 * called from a work function after a link up event.
 *
 * Over the entire network, this function will reserve the last N
 * inbound memory windows for each peer (where N is the number of peers).
 *
 * The descriptors of interrupts that were requested before are updated for
 * the new window without calling the desc_changed() callback.
 *
 * ntb_msi_init() must be called before this function.
 *
 * Return: Zero on success, otherwise a negative error number and no window.
 *	   -EOPNOTSUPP means that the interrupt controller cannot deliver such
 *	   interrupts, -EFAULT that the window does not reach one which was
 *	   requested before.
 */
int ntb_msi_setup_mws(struct ntb_dev *ntb)
{
	resource_size_t size, size_align;
	struct ntb_msi *msi = ntb->msi;
	struct ntb_msi_irq *irq;
	int peer, widx, ret;
	u64 base;

	if (!msi)
		return -EINVAL;

	guard(mutex)(&msi->mutex);
	if (msi->quiesced)
		return -ESHUTDOWN;
	if (!msi->has_domain)
		return -EOPNOTSUPP;

	ret = ntb_msi_find_window(msi, &base, &size);
	if (ret)
		return ret;

	for (peer = 0; peer < ntb_peer_port_count(ntb); peer++) {
		widx = ntb_peer_highest_mw_idx(ntb, peer);
		ret = ntb_mw_get_align(ntb, peer, widx, NULL, &size_align, NULL);
		if (!ret)
			ret = ntb_mw_set_trans(ntb, peer, widx, base, round_up(size, size_align));
		if (ret) {
			/* Including what this one had before */
			ntb_msi_close_windows(msi, peer + 1);
			return ret;
		}
	}

	msi->base_addr = base;
	msi->end_addr = base + size;

	list_for_each_entry(irq, &msi->irqs, node) {
		ret = ntb_msi_update_desc(msi, irq);
		if (ret < 0) {
			/* The peer would take what it has for an offset into this window */
			ntb_msi_close_windows(msi, peer);
			return ret;
		}
	}

	return 0;
}
EXPORT_SYMBOL(ntb_msi_setup_mws);

/**
 * ntb_msi_clear_mws() - Clear all inbound memory windows
 * @ntb:	NTB device context
 *
 * This function tears down the resources used by ntb_msi_setup_mws().
 */
void ntb_msi_clear_mws(struct ntb_dev *ntb)
{
	struct ntb_msi *msi = ntb->msi;

	if (!msi)
		return;

	guard(mutex)(&msi->mutex);
	ntb_msi_close_windows(msi, ntb_peer_port_count(ntb));
}
EXPORT_SYMBOL(ntb_msi_clear_mws);

/**
 * ntbm_msi_request_threaded_irq() - allocate an MSI interrupt
 * @ntb:	NTB device context
 * @handler:	Function to be called when the IRQ occurs
 * @thread_fn:	Function to be called in a threaded interrupt context. NULL
 *		for clients which handle everything in @handler
 * @name:	An ascii name for the claiming device, dev_name(dev) if NULL
 * @dev_id:	A cookie passed back to the handler function
 * @msi_desc:	MSI descriptor data which triggers the interrupt. It is kept
 *		up to date until ntb_clear_ctx() and must stay valid until then
 *
 * This function allocates an interrupt and returns the descriptor used to
 * trigger it. The descriptor can then be sent to a peer to trigger the
 * interrupt. ntb_msi_setup_mws() must be called before this function.
 *
 * If the message of the interrupt changes with its affinity, a peer may use
 * the old one for a while, and what it sends is lost. So user space cannot
 * change the affinity then, and a change happens only when a CPU goes offline.
 *
 * The interrupt resource is managed with devres so it will
 * be automatically freed when the client driver is unbound. It may be freed
 * earlier with devm_free_irq() on the NTB device; what a peer sends with the
 * descriptor is lost then, but never reaches another interrupt of the client.
 *
 * Return: IRQ number assigned on success, otherwise a negative error number.
 *	   -EFAULT means that there is no window, or that it does not reach any
 *	   interrupt that can be had.
 */
int ntbm_msi_request_threaded_irq(struct ntb_dev *ntb, irq_handler_t handler,
				  irq_handler_t thread_fn,
				  const char *name, void *dev_id,
				  struct ntb_msi_desc *msi_desc)
{
	struct ntb_msi *msi = ntb->msi;
	struct ntb_msi_irq *irq;
	int ret;

	if (!msi)
		return -EINVAL;

	guard(mutex)(&msi->mutex);
	if (msi->quiesced)
		return -ESHUTDOWN;

	/* From the choice to the request no CPU goes */
	guard(cpus_read_lock)();

	irq = ntb_msi_get_unused_irq(msi);
	if (IS_ERR(irq))
		return PTR_ERR(irq);

	ret = devm_request_threaded_irq(&ntb->dev, irq->map.virq, handler, thread_fn,
					msi->immutable ? 0 : IRQF_NOBALANCING, name, dev_id);
	if (ret)
		return ret;

	irq->desc = msi_desc;
	ret = ntb_msi_update_desc(msi, irq);
	if (ret < 0) {
		irq->desc = NULL;
		devm_free_irq(&ntb->dev, irq->map.virq, dev_id);
		return ret;
	}

	return irq->map.virq;
}
EXPORT_SYMBOL(ntbm_msi_request_threaded_irq);

/**
 * ntb_msi_peer_trigger() - Trigger an interrupt handler on a peer
 * @ntb:	NTB device context
 * @peer:	Peer index
 * @desc:	MSI descriptor data which triggers the interrupt
 *
 * This function triggers an interrupt on a peer. It requires
 * the descriptor structure to have been passed from that peer
 * by some other means.
 *
 * Return: Zero on success, otherwise a negative error number. -EINVAL if
 *	   the descriptor does not fit into the window.
 */
int ntb_msi_peer_trigger(struct ntb_dev *ntb, int peer,
			 struct ntb_msi_desc *desc)
{
	u32 offset = READ_ONCE(desc->addr_offset);
	struct ntb_msi *msi = ntb->msi;
	struct ntb_msi_mw *mw;

	if (!msi || peer < 0 || peer >= msi->nr_peer_mws)
		return -EINVAL;

	/* The offset comes from another host, and may be another one in a moment */
	mw = &msi->peer_mws[peer];
	if (!IS_ALIGNED(offset, sizeof(u32)) || mw->size < sizeof(u32) ||
	    offset > mw->size - sizeof(u32))
		return -EINVAL;

	iowrite32(desc->data, mw->base + offset);

	return 0;
}
EXPORT_SYMBOL(ntb_msi_peer_trigger);
