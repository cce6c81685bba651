// SPDX-License-Identifier: GPL-2.0-only
/*
 * The peers' windows as the bridge has them: they are opened and closed here, and here it is known which may be open.
 *
 * A bridge's driver may sleep interruptibly and give up when its task has a signal, as Switchtec's does. A window that is to be
 * closed because its client goes must not stay open because of a Ctrl-C. So the driver is called from a work: workers have
 * no signals.
 */
#include <linux/workqueue.h>

#include "ntb_msi.h"

/* How often the driver may say that it was interrupted. */
#define MAX_TRIES 8

/* One call of the driver; a size of 0 closes. */
struct order {
	struct work_struct work;
	struct ntb_dev *ntb;
	unsigned int peer;
	u64 base;
	resource_size_t size;
	int ret;
};

static int carry_out(const struct order *order)
{
	int idx = ntb_peer_highest_mw_idx(order->ntb, order->peer);

	if (idx < 0)
		return idx;
	if (!order->size)
		return ntb_mw_clear_trans(order->ntb, order->peer, idx);
	return ntb_mw_set_trans(order->ntb, order->peer, idx, order->base, order->size);
}

static void order_work(struct work_struct *work)
{
	struct order *order = container_of(work, struct order, work);
	unsigned int tries = 0;

	do
		order->ret = carry_out(order);
	while (order->ret == -EINTR && ++tries < MAX_TRIES);
}

/* Not in ->wq, all of whose workers may wait for the lock that the caller has. */
static int tell_bridge(struct ntb_msi *msi, unsigned int peer, u64 base, resource_size_t size)
{
	struct order order = { .ntb = msi->ntb, .peer = peer, .base = base, .size = size };

	INIT_WORK_ONSTACK(&order.work, order_work);
	schedule_work(&order.work);
	flush_work(&order.work);
	destroy_work_on_stack(&order.work);
	return order.ret;
}

static int open_at(struct ntb_msi *msi, unsigned int peer, u64 base, resource_size_t size)
{
	/* A driver that fails may have written some of the registers before. */
	msi->peer_mws[peer].may_be_open = true;
	return tell_bridge(msi, peer, base, size);
}

/**
 * ntb_msi_window_open() - open a peer's window
 * @msi:  Device with a window.
 * @peer: Index of the peer.
 *
 * Context: Process context, may sleep, ->lock is held.
 * Return: 0, -ENOTCONN if its link is down, or what the bridge's driver says: then it is closed, unless that fails too, which is
 *         said in the log.
 */
int ntb_msi_window_open(struct ntb_msi *msi, unsigned int peer)
{
	int ret;

	lockdep_assert_held(&msi->lock);
	if (!(ntb_link_is_up(msi->ntb, NULL, NULL) & BIT_ULL(peer)))
		return -ENOTCONN;
	ret = open_at(msi, peer, msi->base, msi->size);
	if (ret)
		ntb_msi_window_close(msi, peer);
	return ret;
}

/**
 * ntb_msi_window_close() - close a peer's window; what the peer held is returned by that
 * @msi:  Device.
 * @peer: Index of the peer.
 *
 * Context: Process context, may sleep, ->lock is held.
 * Return: 0, or what the bridge's driver says, as the log does: then it may be open, and nothing is returned.
 */
int ntb_msi_window_close(struct ntb_msi *msi, unsigned int peer)
{
	int ret;

	lockdep_assert_held(&msi->lock);
	ret = tell_bridge(msi, peer, 0, 0);
	if (ret) {
		dev_err_ratelimited(&msi->ntb->dev, "peer %u: its window cannot be closed: %d\n", peer, ret);
		return ret;
	}
	msi->peer_mws[peer].may_be_open = false;
	ntb_msi_grants_gone(msi, peer);
	return 0;
}

/**
 * ntb_msi_windows_close() - close all windows
 * @msi: Device.
 *
 * Windows that were never opened are left alone; nobody reaches anything through them, so their peers have returned all.
 *
 * Context: Process context, may sleep, ->lock is held.
 * Return: 0, or the first error of ntb_msi_window_close(): then that window may be open, and the others are closed.
 */
int ntb_msi_windows_close(struct ntb_msi *msi)
{
	unsigned int peer;
	int ret, first = 0;

	lockdep_assert_held(&msi->lock);
	for (peer = 0; peer < msi->nr_peers; peer++) {
		if (msi->peer_mws[peer].may_be_open) {
			ret = ntb_msi_window_close(msi, peer);
			first = first ?: ret;
		} else {
			ntb_msi_grants_gone(msi, peer);
		}
	}
	return first;
}

/**
 * ntb_msi_windows_open() - choose a window and open it to all peers whose links are up
 * @msi: Device; ->base and ->size are set on success.
 *
 * Who holds a grant goes on with its offset: then the window stays where it is. A window that was opened before its link went down
 * goes with the others.
 *
 * Context: Process context, may sleep, ->lock is held.
 * Return: 0, or what ntb_msi_window_find() says, or -ENOTCONN: then nothing has changed; or what the bridge's driver says: then all
 *         windows are closed.
 */
int ntb_msi_windows_open(struct ntb_msi *msi)
{
	resource_size_t size = msi->size;
	u64 base = msi->base;
	unsigned int peer;
	u64 up;
	int ret;

	lockdep_assert_held(&msi->lock);
	up = ntb_link_is_up(msi->ntb, NULL, NULL);
	if (!up)
		return -ENOTCONN;
	ret = ntb_msi_grants_are_told(msi) ? 0 : ntb_msi_window_find(msi, &base, &size);
	if (ret)
		return ret;
	for (peer = 0; peer < msi->nr_peers && !ret; peer++)
		if (up & BIT_ULL(peer) || msi->peer_mws[peer].may_be_open)
			ret = open_at(msi, peer, base, size);
	if (ret) {
		/* Some may be where the new window is, and others where the old one was. */
		ntb_msi_windows_close(msi);
		return ret;
	}
	msi->base = base;
	msi->size = size;
	return 0;
}
