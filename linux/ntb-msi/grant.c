// SPDX-License-Identifier: GPL-2.0-only
/*
 * The owner's side of ntb_grant.h: what grant_state.c decides, done to the interrupts of handle.c and move.c.
 *
 * A grant has a handle, so it moves as every interrupt here does: to a stand-in, then back. Only the ends of the two
 * phases differ. They come with the last confirmation, or with the end of the peer's window, and not with time. When
 * a grant is freed, its lines stay as they are until the last return; then they are drained and free.
 */
#include <linux/export.h>
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "grant_state.h"
#include "ntb_grant.h"
#include "ntb_msi.h"

/**
 * struct ntb_grant - an interrupt that peers are granted
 * @msi:    Device, constant. Its lock protects what has no other remark.
 * @node:   In ntb_msi.grants, until @over.
 * @handle: Its interrupt, until @over.
 * @desc:   Message that the handle was born with.
 * @irq:    Number, constant.
 * @ops:    The client's, constant.
 * @ctx:    The client's, constant.
 * @work:   Calls the client.
 * @tell:   There is something to say.
 * @over:   Nobody holds it any more.
 * @orphan: The client is gone and must not be called.
 * @state:  What peers hold.
 * @peers:  The same.
 */
struct ntb_grant {
	struct ntb_msi *msi;
	struct list_head node;
	struct ntb_msi_handle *handle;
	struct ntb_msi_desc desc;
	unsigned int irq;
	const struct ntb_grant_ops *ops;
	void *ctx;
	struct work_struct work;
	bool tell;
	bool over;
	bool orphan;
	struct ntb_grant_state state;
	struct ntb_grant_peer peers[];
};

/*
 * Not under the lock, so that the client can call back. After @over nobody queues it again. It may have been queued
 * for that while it waited for the lock: then that run, and not this one, is the last.
 */
static void call_client(struct work_struct *work)
{
	struct ntb_grant *grant = container_of(work, struct ntb_grant, work);
	struct ntb_msi *msi = grant->msi;
	bool tell, over, orphan;

	mutex_lock(&msi->lock);
	tell = grant->tell;
	over = grant->over;
	orphan = grant->orphan;
	grant->tell = false;
	mutex_unlock(&msi->lock);

	if (tell && !over && !orphan)
		grant->ops->changed(grant->ctx);
	if (!over || work_pending(work))
		return;
	if (!orphan && grant->ops->freed)
		grant->ops->freed(grant->ctx);
	kfree(grant);
}

static void tell_client(struct ntb_grant *grant)
{
	if (!ntb_grant_state_has_word(&grant->state))
		return;
	grant->tell = true;
	queue_work(grant->msi->wq, &grant->work);
}

/**
 * ntb_msi_grant_message() - a handle has got another message: its peers have to be told
 * @handle: A handle with a grant.
 * @line:   The line that carries it from now on.
 *
 * Context: Process context, ->lock is held.
 */
void ntb_msi_grant_message(struct ntb_msi_handle *handle, struct ntb_msi_line *line)
{
	struct ntb_grant *grant = handle->client.grant;
	struct ntb_msi_desc desc;

	if (ntb_msi_window_offset(handle->msi, line, &desc)) {
		dev_warn_ratelimited(&handle->msi->ntb->dev, "IRQ %u: the window does not show its message\n",
				     handle->home->virq);
		return;
	}
	if (ntb_grant_state_message(&grant->state, desc.addr_offset, desc.data))
		tell_client(grant);
}

/**
 * ntb_msi_grant_is_settled() - whether peers can have no message of a grant but the present one
 * @grant: A grant.
 *
 * Context: Process context, the device's lock is held.
 * Return: True if so.
 */
bool ntb_msi_grant_is_settled(const struct ntb_grant *grant)
{
	return ntb_grant_state_is_settled(&grant->state);
}

/**
 * ntb_msi_grants_are_told() - whether some peer may hold a message of some grant
 * @msi: Device.
 *
 * Context: Process context, ->lock is held.
 * Return: True if so; then the window has to stay where it is.
 */
bool ntb_msi_grants_are_told(const struct ntb_msi *msi)
{
	struct ntb_grant *grant;

	list_for_each_entry(grant, &msi->grants, node)
		if (!ntb_grant_state_is_returned(&grant->state))
			return true;
	return false;
}

/**
 * ntb_msi_grants_step() - end the grants that are freed and that nobody holds
 * @msi: Device.
 *
 * Context: Process context, ->lock is held.
 */
void ntb_msi_grants_step(struct ntb_msi *msi)
{
	struct ntb_grant *grant, *next;

	lockdep_assert_held(&msi->lock);
	list_for_each_entry_safe(grant, next, &msi->grants, node) {
		if (!grant->state.freeing || !ntb_grant_state_is_returned(&grant->state))
			continue;
		ntb_msi_handle_returned(grant->handle);
		grant->handle = NULL;
		list_del(&grant->node);
		grant->over = true;
		queue_work(msi->wq, &grant->work);
	}
}

/**
 * ntb_msi_grants_end() - end all grants, whose client is gone
 * @msi: Device; the windows of all peers are closed. No work of a grant runs afterwards.
 *
 * Context: Process context, may sleep.
 */
void ntb_msi_grants_end(struct ntb_msi *msi)
{
	struct ntb_grant *grant;

	mutex_lock(&msi->lock);
	list_for_each_entry(grant, &msi->grants, node) {
		grant->orphan = true;
		if (!ntb_grant_state_free(&grant->state))
			ntb_msi_handle_stop(grant->handle);
	}
	ntb_msi_grants_step(msi);
	mutex_unlock(&msi->lock);
	flush_workqueue(msi->wq);
}

/**
 * ntb_msi_grants_gone() - nothing that a peer stores arrives any more, so all that it held is returned
 * @msi:  Device.
 * @peer: Index of the peer.
 *
 * Context: Process context, ->lock is held.
 */
void ntb_msi_grants_gone(struct ntb_msi *msi, unsigned int peer)
{
	struct ntb_grant *grant;

	lockdep_assert_held(&msi->lock);
	list_for_each_entry(grant, &msi->grants, node)
		ntb_grant_state_gone(&grant->state, peer);
	ntb_msi_kick(msi);
}

/**
 * ntb_msi_grants_show() - grants and their peers as text
 * @msi: Device.
 * @m:   Where to.
 *
 * Context: Process context, ->lock is held.
 */
void ntb_msi_grants_show(struct ntb_msi *msi, struct seq_file *m)
{
	static const char *const holdings[] = {
		[NTB_GRANT_NONE] = "none",     [NTB_GRANT_OFFERED] = "offered",	  [NTB_GRANT_HELD] = "held",
		[NTB_GRANT_MOVING] = "moving", [NTB_GRANT_REVOKING] = "revoking",
	};
	struct ntb_grant *grant;
	unsigned int i;

	list_for_each_entry(grant, &msi->grants, node) {
		seq_printf(m, "grant irq %u%s offset %#x data %#x", grant->irq, grant->state.freeing ? " freeing" : "",
			   grant->state.offset, grant->state.data);
		for (i = 0; i < grant->state.nr_peers; i++)
			seq_printf(m, " peer%u %s %u%s", i, holdings[grant->peers[i].holding],
				   grant->peers[i].generation, grant->peers[i].old ? " old" : "");
		seq_puts(m, "\n");
	}
}

/* ---- the interface ---- */

/**
 * ntb_grant_request() - request an interrupt that peers can be granted
 * @ntb:  NTB device after ntb_msi_init(), with the link to some peer up when it is the first interrupt.
 * @ops:  What the client is called for; stays where it is until the last call.
 * @ctx:  Context of these calls.
 * @name: Name in /proc/interrupts, the device's if NULL; copied.
 * @out:  OUT: the grant. No peer has it.
 *
 * It ends with ntb_grant_free(), or with its client: then without a call, after the windows of all peers were closed.
 * So @ctx has to be freed later than what devres of the device holds, or after freed().
 *
 * Context: Process context, may sleep.
 * Return: 0, or
 *         -EINVAL    not after ntb_msi_init(), or an operation is missing
 *         -ENOTCONN  there is no window yet, and the links to all peers are down, so that none can be chosen
 *         -ERANGE    the bridge's windows cannot show the interrupts
 *         -ENOSPC    no interrupts left, or the window shows none of those
 *         -ENOMEM    no memory
 */
int ntb_grant_request(struct ntb_dev *ntb, const struct ntb_grant_ops *ops, void *ctx, const char *name,
		      struct ntb_grant **out)
{
	struct ntb_msi *msi = ntb->msi;
	struct ntb_msi_client client;
	struct ntb_grant *grant;
	int ret;

	if (!msi || !ops->handler || !ops->changed)
		return -EINVAL;
	grant = kzalloc(struct_size(grant, peers, msi->nr_peers), GFP_KERNEL);
	if (!grant)
		return -ENOMEM;
	grant->msi = msi;
	grant->ops = ops;
	grant->ctx = ctx;
	INIT_WORK(&grant->work, call_client);
	client = (struct ntb_msi_client){ ops->handler, ops->thread_fn, ctx, &grant->desc, grant };

	mutex_lock(&msi->lock);
	ret = msi->size ? 0 : ntb_msi_window_choose(msi);
	if (!ret)
		ret = ntb_msi_handle_new(msi, &client, name ?: dev_name(&ntb->dev), &grant->handle);
	if (!ret) {
		grant->irq = grant->handle->home->virq;
		grant->state = (struct ntb_grant_state){
			.generations = &msi->generations,
			.offset = grant->desc.addr_offset,
			.data = grant->desc.data,
			.nr_peers = msi->nr_peers,
			.peers = grant->peers,
		};
		list_add_tail(&grant->node, &msi->grants);
	}
	mutex_unlock(&msi->lock);
	if (ret) {
		kfree(grant);
		return ret;
	}
	*out = grant;
	return 0;
}
EXPORT_SYMBOL_GPL(ntb_grant_request);

/**
 * ntb_grant_irq() - the interrupt's number
 * @grant: Grant.
 *
 * Context: Any.
 * Return: The number, above 0; it does not change.
 */
unsigned int ntb_grant_irq(const struct ntb_grant *grant)
{
	return grant->irq;
}
EXPORT_SYMBOL_GPL(ntb_grant_irq);

/**
 * ntb_grant_offer() - grant an interrupt to a peer
 * @grant: Grant.
 * @peer:  Index of the peer.
 *
 * changed() is called.
 *
 * Context: Process context, may sleep.
 * Return: 0, or
 *         -ERANGE     no such peer
 *         -ESHUTDOWN  after ntb_grant_free()
 *         -EBUSY      it was revoked, and the peer has not returned it
 *         -EALREADY   it is granted to this peer
 */
int ntb_grant_offer(struct ntb_grant *grant, unsigned int peer)
{
	int ret;

	mutex_lock(&grant->msi->lock);
	ret = ntb_grant_state_offer(&grant->state, peer);
	if (!ret)
		tell_client(grant);
	mutex_unlock(&grant->msi->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(ntb_grant_offer);

/**
 * ntb_grant_word() - what a peer has to be told now
 * @grant: Grant.
 * @peer:  Index of the peer.
 * @out:   OUT: the word. It is the same until it was confirmed, or is out of date: so it can be sent again.
 *
 * From now on the peer counts as one that has been told, whether the word reaches it or not.
 *
 * Context: Process context, may sleep.
 * Return: 0, or -ERANGE for no such peer.
 */
int ntb_grant_word(struct ntb_grant *grant, unsigned int peer, struct ntb_grant_word *out)
{
	int ret;

	mutex_lock(&grant->msi->lock);
	ret = ntb_grant_state_word(&grant->state, peer, out);
	mutex_unlock(&grant->msi->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(ntb_grant_word);

/**
 * ntb_grant_confirmed() - a peer has said that it acts on a grant, and that no store of an older message is to come
 * @grant:      Grant.
 * @peer:       Index of the peer that said so. A client has to know who it was.
 * @generation: Generation of the word that it confirms.
 *
 * What is refused changes nothing.
 *
 * Context: Process context, may sleep.
 * Return: 0, or
 *         -ERANGE    no such peer
 *         -ENOENT    it was told nothing
 *         -EALREADY  it has confirmed this word before
 *         -ESTALE    there is a newer word, which it has to confirm
 *         -EPROTO    it was told no such word, or this one was a revocation
 */
int ntb_grant_confirmed(struct ntb_grant *grant, unsigned int peer, u32 generation)
{
	int ret;

	mutex_lock(&grant->msi->lock);
	ret = ntb_grant_state_confirmed(&grant->state, peer, generation);
	mutex_unlock(&grant->msi->lock);
	if (!ret)
		ntb_msi_kick(grant->msi);
	return ret;
}
EXPORT_SYMBOL_GPL(ntb_grant_confirmed);

/**
 * ntb_grant_revoke() - take an interrupt back from a peer
 * @grant: Grant.
 * @peer:  Index of the peer.
 *
 * changed() is called, unless the peer was never told. The handler goes on running.
 *
 * Context: Process context, may sleep.
 * Return: 0, or
 *         -ERANGE    no such peer
 *         -ENOENT    it is not granted to this peer
 *         -EALREADY  that is under way, also because of ntb_grant_free()
 */
int ntb_grant_revoke(struct ntb_grant *grant, unsigned int peer)
{
	int ret;

	mutex_lock(&grant->msi->lock);
	ret = ntb_grant_state_revoke(&grant->state, peer);
	if (!ret)
		tell_client(grant);
	mutex_unlock(&grant->msi->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(ntb_grant_revoke);

/**
 * ntb_grant_returned() - a peer has said that it raises an interrupt no more, and that no store is to come
 * @grant:      Grant.
 * @peer:       Index of the peer that said so.
 * @generation: Generation of the revocation that it confirms.
 *
 * After ntb_grant_free(), the last return ends the grant: the caller must not use it afterwards.
 *
 * Context: Process context, may sleep.
 * Return: 0, or, with nothing changed,
 *         -ERANGE  no such peer
 *         -ENOENT  it holds nothing, perhaps because it has returned it before
 *         -ESTALE  there is a newer word
 *         -EPROTO  it was told no such word, or this one was a grant
 */
int ntb_grant_returned(struct ntb_grant *grant, unsigned int peer, u32 generation)
{
	struct ntb_msi *msi = grant->msi;
	int ret;

	mutex_lock(&msi->lock);
	ret = ntb_grant_state_returned(&grant->state, peer, generation);
	mutex_unlock(&msi->lock);
	if (!ret)
		ntb_msi_kick(msi);
	return ret;
}
EXPORT_SYMBOL_GPL(ntb_grant_returned);

/**
 * ntb_grant_is_returned() - whether no peer can raise an interrupt
 * @grant: Grant.
 *
 * Context: Process context, may sleep.
 * Return: True if so. What peers have sent before may wait for its CPU; ntb_grant_free() waits for that.
 */
bool ntb_grant_is_returned(struct ntb_grant *grant)
{
	bool ret;

	mutex_lock(&grant->msi->lock);
	ret = ntb_grant_state_is_returned(&grant->state);
	mutex_unlock(&grant->msi->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(ntb_grant_is_returned);

/**
 * ntb_grant_free() - end a grant
 * @grant: Grant.
 *
 * The handler runs for what has arrived, and not after this function. All peers that have the interrupt are revoked it,
 * changed() is called; what still comes is counted as late. When the last one has returned it, the message, the line and
 * the number are free, and freed() is called; before, nobody else gets them, however long that takes. To handle
 * everything that peers send until they return it, revoke first and free when it is returned.
 *
 * Context: Process context, may sleep; not in a handler of the grant.
 * Return: 0, or -EALREADY if it was called before and freed() has not been.
 */
int ntb_grant_free(struct ntb_grant *grant)
{
	struct ntb_msi *msi = grant->msi;
	int ret;

	mutex_lock(&msi->lock);
	ret = ntb_grant_state_free(&grant->state);
	if (!ret) {
		ntb_msi_handle_stop(grant->handle);
		tell_client(grant);
	}
	mutex_unlock(&msi->lock);
	if (!ret)
		ntb_msi_kick(msi);
	return ret;
}
EXPORT_SYMBOL_GPL(ntb_grant_free);

/**
 * ntb_grant_open() - let a peer reach this host's interrupts
 * @ntb:  NTB device after ntb_msi_init().
 * @peer: Index of the peer, whose link is up. It has said that it uses nothing that it was told before its window was closed.
 *
 * Context: Process context, may sleep.
 * Return: 0, or
 *         -EINVAL    not after ntb_msi_init()
 *         -ERANGE    no such peer, or the bridge's windows cannot show the interrupts
 *         -ENOTCONN  the link to the peer is down
 *         other      what the bridge's driver says; then the window is closed, and all grants of the peer are taken back
 */
int ntb_grant_open(struct ntb_dev *ntb, unsigned int peer)
{
	struct ntb_msi *msi = ntb->msi;
	int ret;

	if (!msi)
		return -EINVAL;
	if (peer >= msi->nr_peers)
		return -ERANGE;
	mutex_lock(&msi->lock);
	ret = msi->size ? 0 : ntb_msi_window_choose(msi);
	if (!ret)
		ret = ntb_msi_window_open(msi, peer);
	mutex_unlock(&msi->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(ntb_grant_open);

/**
 * ntb_grant_close() - keep a peer away from this host's interrupts, and take all grants back by that
 * @ntb:  NTB device.
 * @peer: Index of the peer: one that is gone, does not answer, or has begun anew.
 *
 * No word, so without changed(): moves and frees that waited for the peer go on. Interrupts of <linux/ntb.h> cannot be
 * reached by it either.
 *
 * Context: Process context, may sleep.
 * Return: 0, or
 *         -EINVAL  not after ntb_msi_init()
 *         -ERANGE  no such peer
 *         other    what the bridge's driver says: the window may be open, and nothing is taken back
 */
int ntb_grant_close(struct ntb_dev *ntb, unsigned int peer)
{
	struct ntb_msi *msi = ntb->msi;
	int ret;

	if (!msi)
		return -EINVAL;
	if (peer >= msi->nr_peers)
		return -ERANGE;
	mutex_lock(&msi->lock);
	ret = ntb_msi_window_close(msi, peer);
	mutex_unlock(&msi->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(ntb_grant_close);
