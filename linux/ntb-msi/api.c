// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interface of <linux/ntb.h>, as Linux's drivers/ntb/msi.c has it, so that clients need not know which one is
 * there; and the life of a device's interrupts, which ends with its client's.
 */
#include <linux/cpu.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "ntb_msi.h"

unsigned int ntb_msi_quarantine_ms = 500;
module_param_named(quarantine_ms, ntb_msi_quarantine_ms, uint, 0644);
MODULE_PARM_DESC(quarantine_ms, "how long a message that peers may still have is kept alive (default 500)");

unsigned int ntb_msi_confirm_ms = 10000;
module_param_named(confirm_ms, ntb_msi_confirm_ms, uint, 0644);
MODULE_PARM_DESC(confirm_ms, "how long a CPU that goes off line waits for peers to confirm (default 10000)");

unsigned int ntb_msi_reserve = 64;
module_param_named(reserve, ntb_msi_reserve, uint, 0444);
MODULE_PARM_DESC(reserve,
		 "interrupts per device for which a window has room, where remapping fixes messages (default 64)");

bool ntb_msi_refuse_moves;
module_param_named(refuse_moves, ntb_msi_refuse_moves, bool, 0444);
MODULE_PARM_DESC(refuse_moves,
		 "where a move changes the message, let user space move no interrupt, instead of telling the peers");

static bool require_isolation;
module_param(require_isolation, bool, 0444);
MODULE_PARM_DESC(require_isolation, "no interrupts where a peer can raise those of others too");

/* All devices, for CPU hotplug. The mutex is taken before ntb_msi.lock, and after the CPU hotplug lock. */
static LIST_HEAD(devices);
static DEFINE_MUTEX(devices_lock);
static enum cpuhp_state hotplug_state;

static int cpu_goes_down(unsigned int cpu)
{
	struct ntb_msi *msi;
	int ret = 0;

	mutex_lock(&devices_lock);
	list_for_each_entry(msi, &devices, all) {
		mutex_lock(&msi->lock);
		cpumask_set_cpu(cpu, msi->leaving);
		mutex_unlock(&msi->lock);
	}
	list_for_each_entry(msi, &devices, all) {
		ret = ntb_msi_vacate(msi, cpu);
		if (!ret)
			continue;
		dev_err(&msi->ntb->dev,
			"CPU %u stays: its interrupts cannot go elsewhere, or peers have not confirmed it\n", cpu);
		break;
	}
	if (ret)
		list_for_each_entry(msi, &devices, all) {
			mutex_lock(&msi->lock);
			cpumask_clear_cpu(cpu, msi->leaving);
			mutex_unlock(&msi->lock);
		}
	mutex_unlock(&devices_lock);
	return ret;
}

static int cpu_is_up(unsigned int cpu)
{
	struct ntb_msi_line *line;
	struct ntb_msi *msi;

	mutex_lock(&devices_lock);
	list_for_each_entry(msi, &devices, all) {
		mutex_lock(&msi->lock);
		cpumask_clear_cpu(cpu, msi->leaving);
		if (!msi->fixed && !msi->cpu_addr[cpu] && !ntb_msi_line_get(msi, &line)) {
			ntb_msi_measure_cpu(msi, line, cpu);
			ntb_msi_line_put(line);
		}
		mutex_unlock(&msi->lock);
	}
	mutex_unlock(&devices_lock);
	return 0;
}

static void unmap_peers(struct ntb_msi *msi)
{
	unsigned int i;

	for (i = 0; i < msi->nr_peers; i++)
		if (msi->peer_mws[i].io)
			iounmap(msi->peer_mws[i].io);
}

static int map_peers(struct ntb_msi *msi)
{
	struct ntb_dev *ntb = msi->ntb;
	phys_addr_t addr;
	unsigned int i;
	int ret;

	for (i = 0; i < msi->nr_peers; i++) {
		ret = ntb_peer_mw_get_addr(ntb, ntb_peer_mw_count(ntb) - 1 - (int)i, &addr, &msi->peer_mws[i].size);
		if (ret)
			goto unmap;
		msi->peer_mws[i].io = ioremap(addr, msi->peer_mws[i].size);
		if (!msi->peer_mws[i].io) {
			ret = -EFAULT;
			goto unmap;
		}
	}
	return 0;

unmap:
	unmap_peers(msi);
	return ret;
}

/* For ever: what peers may send through a window that is open must not become somebody else's. */
static void keep_device(struct ntb_msi *msi)
{
	dev_err(&msi->ntb->dev, "a window is open: what peers may hold stays, and ntb_msi with it\n");
	disable_delayed_work_sync(&msi->work);
	debugfs_remove(msi->debugfs);
	/* Messages name it to the parent. */
	get_device(&msi->ntb->pdev->dev);
	__module_get(THIS_MODULE);
}

/* The client is gone. Its handles were devres that came later, so they went first; their lines are in quarantine. */
static void end_device(struct device *dev, void *res)
{
	struct ntb_msi *msi = *(struct ntb_msi **)res;
	int ret;

	mutex_lock(&devices_lock);
	list_del(&msi->all);
	mutex_unlock(&devices_lock);
	msi->ntb->msi = NULL;
	mutex_lock(&msi->lock);
	ret = ntb_msi_windows_close(msi);
	mutex_unlock(&msi->lock);
	ntb_msi_grants_end(msi);
	if (ret) {
		keep_device(msi);
		return;
	}
	mutex_lock(&msi->lock);
	while (!list_empty(&msi->quarantine)) {
		unsigned long delay = ntb_msi_step(msi);

		mutex_unlock(&msi->lock);
		msleep(jiffies_to_msecs(min_t(unsigned long, delay, HZ)));
		mutex_lock(&msi->lock);
	}
	mutex_unlock(&msi->lock);
	cancel_delayed_work_sync(&msi->work);
	debugfs_remove(msi->debugfs);
	ntb_msi_domain_remove(msi);
	unmap_peers(msi);
	destroy_workqueue(msi->wq);
	free_cpumask_var(msi->leaving);
	kfree(msi->cpu_addr);
	kfree(msi);
}

static int check_isolation(struct ntb_dev *ntb)
{
	if (msi_device_has_isolated_msi(&ntb->pdev->dev))
		return 0;
	if (require_isolation) {
		dev_err(&ntb->dev, "no interrupt remapping, and isolation is required: no NTB interrupts\n");
		return -EPERM;
	}
	dev_warn(&ntb->dev, "no interrupt remapping: peers can raise any interrupt of this host\n");
	return 0;
}

static struct ntb_msi *alloc_device(struct ntb_dev *ntb, unsigned int nr_peers)
{
	struct ntb_msi *msi;

	msi = kzalloc(struct_size(msi, peer_mws, nr_peers), GFP_KERNEL);
	if (!msi)
		return NULL;
	if (!zalloc_cpumask_var(&msi->leaving, GFP_KERNEL))
		goto free_msi;
	msi->wq = alloc_workqueue("ntb_msi", WQ_UNBOUND, 0);
	if (!msi->wq)
		goto free_leaving;
	msi->ntb = ntb;
	msi->nr_peers = nr_peers;
	msi->publish_at = jiffies;
	mutex_init(&msi->lock);
	INIT_LIST_HEAD(&msi->free);
	INIT_LIST_HEAD(&msi->quarantine);
	INIT_LIST_HEAD(&msi->handles);
	INIT_LIST_HEAD(&msi->returning);
	INIT_LIST_HEAD(&msi->grants);
	INIT_DELAYED_WORK(&msi->work, ntb_msi_work);
	return msi;

free_leaving:
	free_cpumask_var(msi->leaving);
free_msi:
	kfree(msi);
	return NULL;
}

/* No CPU comes or goes in between, so none is missed. */
static int measure_and_add(struct ntb_msi *msi)
{
	int ret;

	cpus_read_lock();
	ret = ntb_msi_measure(msi);
	if (!ret) {
		mutex_lock(&devices_lock);
		list_add_tail(&msi->all, &devices);
		mutex_unlock(&devices_lock);
	}
	cpus_read_unlock();
	return ret;
}

/**
 * ntb_msi_init() - make a device ready for interrupts from peers
 * @ntb:          NTB device; its last window towards each peer is used for the peers' interrupts from now on.
 * @desc_changed: Called with the client's context when descriptors have changed and peers have to be told, or
 *                NULL: then none of these interrupts moves whose message would change. In process context under
 *                ntb_dev.ctx_lock, so it must not sleep, like every other callback of a client; it cannot
 *                request interrupts.
 *
 * Everything ends with the client: nothing has to be called.
 *
 * Context: Process context, may sleep.
 * Return: 0, or
 *         -EINVAL      there is no peer, or the device is ready already
 *         -EPERM       no isolation, and a parameter requires it
 *         -ENODEV, -EOPNOTSUPP, -ENOMEM, -ENOSPC  no domain, or no interrupts
 */
int ntb_msi_init(struct ntb_dev *ntb, void (*desc_changed)(void *ctx))
{
	int nr_peers = ntb_peer_port_count(ntb);
	struct ntb_msi **res, *msi;
	int ret;

	if (nr_peers <= 0 || ntb->msi)
		return -EINVAL;
	ret = check_isolation(ntb);
	if (ret)
		return ret;
	res = devres_alloc(end_device, sizeof(*res), GFP_KERNEL);
	if (!res)
		return -ENOMEM;
	msi = alloc_device(ntb, nr_peers);
	if (!msi) {
		ret = -ENOMEM;
		goto free_res;
	}
	msi->desc_changed = desc_changed;
	ret = map_peers(msi);
	if (ret)
		goto free_msi;
	ret = ntb_msi_domain_create(msi);
	if (ret)
		goto unmap;
	ret = measure_and_add(msi);
	if (ret)
		goto remove_domain;
	ntb_msi_debugfs_add(msi);
	*res = msi;
	devres_add(&ntb->dev, res);
	ntb->msi = msi;
	return 0;

remove_domain:
	ntb_msi_domain_remove(msi);
	kfree(msi->cpu_addr);
unmap:
	unmap_peers(msi);
free_msi:
	destroy_workqueue(msi->wq);
	free_cpumask_var(msi->leaving);
	kfree(msi);
free_res:
	devres_free(res);
	return ret;
}
EXPORT_SYMBOL_GPL(ntb_msi_init);

/* What clients were told holds for another window now; they tell their peers after ntb_msi_setup_mws() anyway. */
static void refresh_descs(struct ntb_msi *msi)
{
	struct ntb_msi_handle *handle;
	struct ntb_msi_desc desc;
	unsigned long flags;

	list_for_each_entry(handle, &msi->handles, node) {
		if (handle->client.grant) {
			ntb_msi_grant_message(handle, ntb_msi_carrier(handle));
		} else if (!ntb_msi_window_offset(msi, ntb_msi_carrier(handle), &desc)) {
			spin_lock_irqsave(&msi->ntb->ctx_lock, flags);
			*handle->client.desc = desc;
			spin_unlock_irqrestore(&msi->ntb->ctx_lock, flags);
		}
	}
}

/**
 * ntb_msi_setup_mws() - open the windows through which peers reach this host's interrupts
 * @ntb: NTB device after ntb_msi_init(), with the link to some peer up.
 *
 * For peers whose links are up. One that comes later needs another call, which may choose another window for all.
 *
 * Context: Process context, may sleep; a work after a link event.
 * Return: 0, or
 *         -EINVAL    not after ntb_msi_init()
 *         -ENOTCONN  the links to all peers are down
 *         -ERANGE    the bridge's windows cannot show the interrupts
 *         other      what the bridge's driver says; then all windows are closed
 */
int ntb_msi_setup_mws(struct ntb_dev *ntb)
{
	struct ntb_msi *msi = ntb->msi;
	int ret;

	if (!msi)
		return -EINVAL;
	mutex_lock(&msi->lock);
	ret = ntb_msi_windows_open(msi);
	if (!ret) {
		refresh_descs(msi);
		msi->publish_at = jiffies + msecs_to_jiffies(ntb_msi_quarantine_ms);
	}
	mutex_unlock(&msi->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(ntb_msi_setup_mws);

/**
 * ntb_msi_clear_mws() - close the windows onto this host's interrupts
 * @ntb: NTB device.
 *
 * Peers have no grants afterwards, as with ntb_grant_close(). What cannot be closed is tried again when the client goes.
 *
 * Context: Process context, may sleep.
 */
void ntb_msi_clear_mws(struct ntb_dev *ntb)
{
	struct ntb_msi *msi = ntb->msi;

	if (!msi)
		return;
	mutex_lock(&msi->lock);
	ntb_msi_windows_close(msi);
	mutex_unlock(&msi->lock);
}
EXPORT_SYMBOL_GPL(ntb_msi_clear_mws);

static void end_handle(struct device *dev, void *res)
{
	struct ntb_msi_handle *handle = *(struct ntb_msi_handle **)res;
	struct ntb_msi *msi = handle->msi;

	mutex_lock(&msi->lock);
	ntb_msi_handle_free(handle);
	mutex_unlock(&msi->lock);
	ntb_msi_kick(msi);
}

/**
 * ntbm_msi_request_threaded_irq() - request an interrupt that peers can raise
 * @ntb:       NTB device after ntb_msi_setup_mws().
 * @handler:   Called when it occurs, in hard interrupt context; not NULL.
 * @thread_fn: Called in a thread of the interrupt when @handler asks for it, or NULL.
 * @name:      Name in /proc/interrupts, the device's if NULL.
 * @dev_id:    Handed to both.
 * @msi_desc:  OUT: what peers have to be told. Written again before desc_changed() is called, until the interrupt
 *             is freed.
 *
 * It is freed with the client, or by ntbm_msi_free_irq().
 *
 * All functions here that may sleep may wait for the end of @thread_fn, of this interrupt or another one: it must not call them, nor
 * wait for a lock under which somebody calls them.
 *
 * Context: Process context, may sleep; not in desc_changed().
 * Return: The interrupt's number, above 0; or
 *         -EINVAL  not after ntb_msi_init(), or no handler
 *         -ENODEV  not after ntb_msi_setup_mws()
 *         -EBUSY   in desc_changed()
 *         -ENOSPC  no interrupts left, or the window shows none of those
 *         -ENOMEM  no memory
 */
int ntbm_msi_request_threaded_irq(struct ntb_dev *ntb, irq_handler_t handler, irq_handler_t thread_fn, const char *name,
				  void *dev_id, struct ntb_msi_desc *msi_desc)
{
	struct ntb_msi_client client = { handler, thread_fn, dev_id, msi_desc };
	struct ntb_msi *msi = ntb->msi;
	struct ntb_msi_handle **res;
	int ret;

	if (!msi || !handler)
		return -EINVAL;
	if (READ_ONCE(msi->publisher) == current)
		return -EBUSY;
	res = devres_alloc(end_handle, sizeof(*res), GFP_KERNEL);
	if (!res)
		return -ENOMEM;
	mutex_lock(&msi->lock);
	ret = msi->size ? ntb_msi_handle_new(msi, &client, name ?: dev_name(&ntb->dev), res) : -ENODEV;
	if (!ret) {
		ret = (*res)->home->virq;
		/* The client tells this one now; others need not wait for that. */
		(*res)->until = jiffies + msecs_to_jiffies(ntb_msi_quarantine_ms);
		devres_add(&ntb->dev, res);
	}
	mutex_unlock(&msi->lock);
	if (ret < 0)
		devres_free(res);
	return ret;
}
EXPORT_SYMBOL_GPL(ntbm_msi_request_threaded_irq);

struct match {
	unsigned int irq;
	void *dev_id;
};

static int is_handle(struct device *dev, void *res, void *data)
{
	struct ntb_msi_handle *handle = *(struct ntb_msi_handle **)res;
	struct match *match = data;

	return handle->home->virq == match->irq && handle->client.dev_id == match->dev_id;
}

/**
 * ntbm_msi_free_irq() - free an interrupt before its client ends
 * @ntb:    NTB device.
 * @irq:    What ntbm_msi_request_threaded_irq() returned.
 * @dev_id: What it was given.
 *
 * The handler does not run afterwards. Its message is used for nothing else until the quarantine is over.
 *
 * Context: Process context, may sleep.
 */
void ntbm_msi_free_irq(struct ntb_dev *ntb, unsigned int irq, void *dev_id)
{
	struct match match = { irq, dev_id };

	WARN_ON(devres_release(&ntb->dev, end_handle, is_handle, &match));
}
EXPORT_SYMBOL_GPL(ntbm_msi_free_irq);

/**
 * ntb_msi_peer_trigger() - raise an interrupt of a peer
 * @ntb:  NTB device.
 * @peer: Index of the peer.
 * @desc: What the peer has told. It is not trusted.
 *
 * Context: Any.
 * Return: 0, or
 *         -EINVAL  not after ntb_msi_init(), or no such peer
 *         -ERANGE  @desc is outside of the window
 */
int ntb_msi_peer_trigger(struct ntb_dev *ntb, int peer, struct ntb_msi_desc *desc)
{
	u32 offset = READ_ONCE(desc->addr_offset);
	struct ntb_msi *msi = ntb->msi;

	if (!msi || peer < 0 || peer >= msi->nr_peers)
		return -EINVAL;
	if (offset % sizeof(u32) || msi->peer_mws[peer].size < sizeof(u32) ||
	    offset > msi->peer_mws[peer].size - sizeof(u32))
		return -ERANGE;
	iowrite32(READ_ONCE(desc->data), msi->peer_mws[peer].io + offset / sizeof(u32));
	return 0;
}
EXPORT_SYMBOL_GPL(ntb_msi_peer_trigger);

/**
 * ntb_msi_peer_addr() - where a DMA engine has to write to raise an interrupt of a peer
 * @ntb:      NTB device.
 * @peer:     Index of the peer.
 * @desc:     What the peer has told. It is not trusted.
 * @msi_addr: OUT: physical address for @desc's data, or NULL.
 *
 * Context: Any.
 * Return: 0, or
 *         -EINVAL  no such peer
 *         -ERANGE  @desc is outside of the window, or not aligned to a message
 *         other    what the bridge's driver says
 */
int ntb_msi_peer_addr(struct ntb_dev *ntb, int peer, struct ntb_msi_desc *desc, phys_addr_t *msi_addr)
{
	u32 offset = READ_ONCE(desc->addr_offset);
	resource_size_t size;
	phys_addr_t addr;
	int ret;

	if (peer < 0 || peer >= ntb_peer_port_count(ntb))
		return -EINVAL;
	ret = ntb_peer_mw_get_addr(ntb, ntb_peer_mw_count(ntb) - 1 - peer, &addr, &size);
	if (ret)
		return ret;
	if (offset % sizeof(u32) || size < sizeof(u32) || offset > size - sizeof(u32))
		return -ERANGE;
	if (msi_addr)
		*msi_addr = addr + offset;
	return 0;
}
EXPORT_SYMBOL_GPL(ntb_msi_peer_addr);

static int __init ntb_msi_module_init(void)
{
	int ret;

	ret = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "ntb/msi:online", cpu_is_up, cpu_goes_down);
	if (ret < 0)
		return ret;
	hotplug_state = ret;
	ntb_msi_debugfs_init();
	return 0;
}
module_init(ntb_msi_module_init);

static void __exit ntb_msi_module_exit(void)
{
	ntb_msi_debugfs_exit();
	cpuhp_remove_state_nocalls(hotplug_state);
}
module_exit(ntb_msi_module_exit);

MODULE_DESCRIPTION("NTB interrupts in an interrupt domain of their own");
MODULE_LICENSE("GPL");
