// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts of a peer, as their holder has them: see ntb_grant.h.
 *
 * A trigger reads the message and stores it inside one RCU read-side section. So after a message has been replaced and
 * a grace period has passed, every store of the old one has been made, and a confirmation that is stored after that
 * comes after it: posted writes through one bridge keep their order.
 */
#include <linux/export.h>
#include <linux/io.h>
#include <linux/rcupdate.h>

#include "ntb_grant.h"
#include "ntb_msi.h"

#define IS_HELD BIT_ULL(32)

/**
 * ntb_held_init() - prepare for an interrupt of a peer
 * @held: OUT: nothing is held.
 * @ntb:  NTB device after ntb_msi_init(); nothing of @held is used when its client is gone.
 * @peer: Index of the peer.
 *
 * Context: Any.
 * Return: 0, or
 *         -EINVAL  not after ntb_msi_init()
 *         -ERANGE  no such peer
 */
int ntb_held_init(struct ntb_held *held, struct ntb_dev *ntb, unsigned int peer)
{
	struct ntb_msi *msi = ntb->msi;

	if (!msi)
		return -EINVAL;
	if (peer >= msi->nr_peers)
		return -ERANGE;
	atomic64_set(&held->message, 0);
	held->window = msi->peer_mws[peer].io;
	held->size = msi->peer_mws[peer].size;
	held->generation = 0;
	held->has_word = false;
	return 0;
}
EXPORT_SYMBOL_GPL(ntb_held_init);

static int take_word(struct ntb_held *held, u32 generation, u64 message)
{
	if (held->has_word && !ntb_grant_is_newer(generation, held->generation))
		return -ESTALE;
	held->has_word = true;
	held->generation = generation;
	atomic64_set(&held->message, message);
	return 0;
}

/**
 * ntb_held_grant() - act on a grant of the peer
 * @held:       Interrupt.
 * @generation: Generation of the word.
 * @offset:     What the peer says. It is not trusted.
 * @data:       What the peer says.
 *
 * Triggers store this message from now on; those that run may store the old one until ntb_held_sync().
 *
 * Context: Any; one thread at a time for an interrupt.
 * Return: 0, or, with nothing changed,
 *         -ERANGE  the message is outside of the window
 *         -ESTALE  there was a word that is as new or newer
 */
int ntb_held_grant(struct ntb_held *held, u32 generation, u32 offset, u32 data)
{
	if (offset % sizeof(u32) || held->size < sizeof(u32) || offset > held->size - sizeof(u32))
		return -ERANGE;
	return take_word(held, generation, (u64)(offset / sizeof(u32)) << 33 | IS_HELD | data);
}
EXPORT_SYMBOL_GPL(ntb_held_grant);

/**
 * ntb_held_revoke() - act on a revocation of the peer
 * @held:       Interrupt.
 * @generation: Generation of the word.
 *
 * Context: Any; one thread at a time for an interrupt.
 * Return: 0, or -ESTALE if there was a word that is as new or newer.
 */
int ntb_held_revoke(struct ntb_held *held, u32 generation)
{
	return take_word(held, generation, 0);
}
EXPORT_SYMBOL_GPL(ntb_held_revoke);

/**
 * ntb_held_drop() - forget all words of the peer, because it is gone or does not know them any more
 * @held: Interrupt; nothing is held afterwards, and every word is newer.
 *
 * Context: Any; one thread at a time for an interrupt.
 */
void ntb_held_drop(struct ntb_held *held)
{
	atomic64_set(&held->message, 0);
	held->has_word = false;
}
EXPORT_SYMBOL_GPL(ntb_held_drop);

/**
 * ntb_held_sync() - wait until no store of an earlier message is still to come
 *
 * For all interrupts whose words were acted on before; only after that may they be confirmed, and by a store through
 * the same bridge. What travels another way can overtake messages.
 *
 * Context: Process context, sleeps for an RCU grace period.
 */
void ntb_held_sync(void)
{
	synchronize_rcu();
}
EXPORT_SYMBOL_GPL(ntb_held_sync);

/**
 * ntb_held_trigger() - raise an interrupt of a peer
 * @held: Interrupt.
 *
 * Context: Any; takes no lock.
 * Return: 0, or -ENOENT if it is not held.
 */
int ntb_held_trigger(struct ntb_held *held)
{
	int ret = -ENOENT;
	u64 message;

	rcu_read_lock();
	message = atomic64_read(&held->message);
	if (message & IS_HELD) {
		iowrite32(lower_32_bits(message), held->window + (message >> 33));
		ret = 0;
	}
	rcu_read_unlock();
	return ret;
}
EXPORT_SYMBOL_GPL(ntb_held_trigger);
