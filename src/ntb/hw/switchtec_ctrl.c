// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Control blocks: requester ids in the own one, inbound windows in the peer's.
 *
 * Both hosts change the same blocks, so the part has a lock per block: ask for it, wait, change, commit, wait. A mutex keeps
 * the threads of this host apart, because to the part they are one and the same. The part may need 50 ms for a step, an
 * emulated one needs none: so look first, sleep later. A peer that dies with the lock, or keeps it, costs a time-out.
 */
#include <errno.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "ntb/hw/switchtec.h"
#include "pci/pci.h"

/* How long a peer may keep a lock: Linux, in a slow guest, sleeps twice 50 ms while it has it. */
#define TIMEOUT_NS (10 * ONTB_NS_PER_S)
/* How long the part may go on showing the state before a request. */
#define GRACE_NS     (200 * ONTB_NS_PER_MS)
#define MAX_PAUSE_NS (20 * ONTB_NS_PER_MS)
#define MIN_PAUSE_NS 50000ULL
#define NR_EAGER     64
/* Polls instead of time, for hosts that are stepped and must not sleep. */
#define NR_STEPPED 1000

/**
 * struct step - a request to a control block
 * @name:   For the log.
 * @op:     What to write.
 * @wanted: Status that says it is done.
 * @busy:   Status while it is not.
 * @before: Status before the part has seen the request.
 */
struct step {
	const char *name;
	uint32_t op;
	uint32_t wanted;
	uint32_t busy;
	uint32_t before;
};

static const struct step lock_step = { "lock", ONTB_SWTEC_OP_LOCK, ONTB_SWTEC_STATUS_LOCKED, ONTB_SWTEC_STATUS_LOCKING,
				       ONTB_SWTEC_STATUS_NORMAL };
static const struct step commit_step = { "commit", ONTB_SWTEC_OP_CONFIGURE, ONTB_SWTEC_STATUS_NORMAL,
					 ONTB_SWTEC_STATUS_CONFIGURING, ONTB_SWTEC_STATUS_LOCKED };

static void sleep_ns(uint64_t ns)
{
	const struct timespec ts = { .tv_nsec = (long)ns };

	(void)nanosleep(&ts, NULL);
}

/**
 * struct patience - how long to go on polling
 * @nr_polls: Polls so far.
 * @start_ns: When it began.
 * @pause_ns: Next pause.
 */
struct patience {
	unsigned int nr_polls;
	uint64_t start_ns;
	uint64_t pause_ns;
};

/* Wait a little; false if it has been long enough. */
static bool wait_more(const struct ontb_swtec *sw, struct patience *patience, uint64_t limit_ns)
{
	if (sw->never_sleep)
		return patience->nr_polls++ < NR_STEPPED;
	if (patience->nr_polls++ < NR_EAGER)
		return true;
	if (ontb_clock_ns() - patience->start_ns >= limit_ns)
		return false;
	sleep_ns(patience->pause_ns);
	if (patience->pause_ns < MAX_PAUSE_NS)
		patience->pause_ns *= 2;
	return true;
}

static int fail(const struct ontb_swtec *sw, unsigned int part, const struct step *step, uint32_t status, int err)
{
	ontb_log(ONTB_LOG_ERROR, "%s: switchtec: %s of control block %u: %s, status 0x%x", ontb_pci_name(sw->dev),
		 step->name, part, err == -ETIMEDOUT ? "no answer in time" : "refused", status);
	return err;
}

static int do_step(struct ontb_swtec *sw, unsigned int part, const struct step *step)
{
	struct patience patience = { .start_ns = ontb_clock_ns(), .pause_ns = MIN_PAUSE_NS };
	uint32_t ctrl = ONTB_SWTEC_CTRL(part), status;

	ontb_swtec_write32(sw, ctrl + ONTB_SWTEC_CTRL_OP, step->op);
	for (;;) {
		status = ontb_swtec_read32(sw, ctrl + ONTB_SWTEC_CTRL_STATUS) & 0xffff;
		if (status == step->wanted)
			return 0;
		if (status != step->busy && status != step->before)
			return fail(sw, part, step, status, -EIO);
		if (!wait_more(sw, &patience, status == step->busy ? TIMEOUT_NS : GRACE_NS))
			return fail(sw, part, step, status, -ETIMEDOUT);
	}
}

static int lock_block(struct ontb_swtec *sw, unsigned int part) ONTB_MUST_HOLD(&sw->ctrl_lock)
{
	uint32_t ctrl = ONTB_SWTEC_CTRL(part), status;
	int ret = do_step(sw, part, &lock_step);

	if (ret != -ETIMEDOUT)
		return ret;
	/* Leave the queue, or a lock that comes later has an owner who knows nothing of it. One that has come now is welcome. */
	status = ontb_swtec_read32(sw, ctrl + ONTB_SWTEC_CTRL_STATUS) & 0xffff;
	if (status == ONTB_SWTEC_STATUS_LOCKED)
		return 0;
	if (status == ONTB_SWTEC_STATUS_LOCKING)
		ontb_swtec_write32(sw, ctrl + ONTB_SWTEC_CTRL_OP, ONTB_SWTEC_OP_RESET);
	return ret;
}

static int commit_block(struct ontb_swtec *sw, unsigned int part) ONTB_MUST_HOLD(&sw->ctrl_lock)
{
	uint32_t ctrl = ONTB_SWTEC_CTRL(part);
	int ret = do_step(sw, part, &commit_step);

	if (ret)
		ontb_log(ONTB_LOG_ERROR, "%s: switchtec: bar_error 0x%x, lut_error 0x%x, req_id_error 0x%x",
			 ontb_pci_name(sw->dev), ontb_swtec_read32(sw, ctrl + ONTB_SWTEC_CTRL_BAR_ERROR),
			 ontb_swtec_read32(sw, ctrl + ONTB_SWTEC_CTRL_LUT_ERROR),
			 ontb_swtec_read32(sw, ctrl + ONTB_SWTEC_CTRL_REQ_ID_ERROR));
	return ret;
}

/* The root complex itself, then what the part sees of it. */
int ontb_swtec_init_req_ids(struct ontb_swtec *sw)
{
	uint32_t ctrl = ONTB_SWTEC_CTRL(sw->self);
	uint32_t ids[] = { 0, ontb_pci_bar_read16(sw->dev, 0, ONTB_SWTEC_NTBINFO + ONTB_SWTEC_NTBINFO_RID) };
	int ret;

	ontb_lock(&sw->ctrl_lock);
	ret = lock_block(sw, sw->self);
	if (ret)
		goto unlock;
	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(ids); i++)
		ontb_swtec_write32(sw, ctrl + ONTB_SWTEC_CTRL_REQ_ID(i), ids[i] << 16 | ONTB_SWTEC_REQ_ID_ENABLED);
	ret = commit_block(sw, sw->self);
unlock:
	ontb_unlock(&sw->ctrl_lock);
	return ret;
}

static unsigned int lut_of(const struct ontb_swtec *sw, unsigned int window)
{
	return window - sw->theirs.nr_direct + 1;
}

static void write_lut(struct ontb_swtec *sw, unsigned int lut, uint64_t entry)
{
	ontb_swtec_write64(sw, ONTB_SWTEC_CTRL(sw->peer) + ONTB_SWTEC_CTRL_LUT(lut), entry);
}

static void open_lut(struct ontb_swtec *sw, unsigned int lut, uint64_t addr)
{
	write_lut(sw, lut, addr | (uint64_t)sw->self << 1 | ONTB_SWTEC_LUT_ENABLED);
}

static void open_direct(struct ontb_swtec *sw, unsigned int window, uint64_t addr, uint64_t size)
{
	uint32_t ctrl = ONTB_SWTEC_CTRL(sw->peer), ctl;
	unsigned int b = sw->theirs.direct_bar[window];

	ctl = ontb_swtec_read32(sw, ctrl + ONTB_SWTEC_CTRL_BAR_CTL(b));
	ontb_swtec_write32(sw, ctrl + ONTB_SWTEC_CTRL_BAR_CTL(b), ctl | ONTB_SWTEC_CTL_DIRECT);
	ontb_swtec_write32(sw, ctrl + ONTB_SWTEC_CTRL_BAR_SIZE(b),
			   ((uint32_t)size & ONTB_SWTEC_SIZE_MASK) | ontb_log2(size));
	ontb_swtec_write32(sw, ctrl + ONTB_SWTEC_CTRL_BAR_EXT(b), (uint32_t)(size >> 32));
	ontb_swtec_write64(sw, ctrl + ONTB_SWTEC_CTRL_BAR_XLATE(b), addr | sw->self);
}

static void close_direct(struct ontb_swtec *sw, unsigned int window)
{
	uint32_t ctrl = ONTB_SWTEC_CTRL(sw->peer), ctl;
	unsigned int b = sw->theirs.direct_bar[window];

	ctl = ontb_swtec_read32(sw, ctrl + ONTB_SWTEC_CTRL_BAR_CTL(b));
	ontb_swtec_write32(sw, ctrl + ONTB_SWTEC_CTRL_BAR_CTL(b), ctl & ~ONTB_SWTEC_CTL_DIRECT);
	ontb_swtec_write32(sw, ctrl + ONTB_SWTEC_CTRL_BAR_SIZE(b), 0);
	ontb_swtec_write32(sw, ctrl + ONTB_SWTEC_CTRL_BAR_EXT(b), 0);
	ontb_swtec_write64(sw, ctrl + ONTB_SWTEC_CTRL_BAR_XLATE(b), sw->self);
}

/* Size 0 closes. */
static int change_window(struct ontb_swtec *sw, unsigned int window, uint64_t addr, uint64_t size)
	ONTB_MUST_HOLD(&sw->ctrl_lock)
{
	int ret = lock_block(sw, sw->peer);

	if (ret)
		return ret;
	if (window >= sw->theirs.nr_direct && size)
		open_lut(sw, lut_of(sw, window), addr);
	else if (window >= sw->theirs.nr_direct)
		write_lut(sw, lut_of(sw, window), 0);
	else if (size)
		open_direct(sw, window, addr, size);
	else
		close_direct(sw, window);
	return commit_block(sw, sw->peer);
}

/* A part may commit and yet leave a window closed; then its error registers say so. */
static bool is_in_error(const struct ontb_swtec *sw, unsigned int window)
{
	uint32_t ctrl = ONTB_SWTEC_CTRL(sw->peer), error;

	if (window < sw->theirs.nr_direct)
		return ontb_swtec_read32(sw, ctrl + ONTB_SWTEC_CTRL_BAR_ERROR) >> sw->theirs.direct_bar[window] & 1;
	error = ontb_swtec_read32(sw, ctrl + ONTB_SWTEC_CTRL_LUT_ERROR);
	return error == (ONTB_SWTEC_LUT_ERROR | lut_of(sw, window));
}

int ontb_swtec_show_page(struct ontb_swtec *sw)
{
	uint32_t ctrl = ONTB_SWTEC_CTRL(sw->peer), ctl;
	unsigned int b = sw->theirs.direct_bar[0];
	int ret;

	ontb_lock(&sw->ctrl_lock);
	ret = lock_block(sw, sw->peer);
	if (ret)
		goto unlock;
	ctl = ontb_swtec_read32(sw, ctrl + ONTB_SWTEC_CTRL_BAR_CTL(b)) & 0xff;
	ctl |= ONTB_SWTEC_CTL_LUT | ONTB_SWTEC_LUT_SHIFT << ONTB_SWTEC_CTL_LUT_SHIFT |
	       (sw->theirs.nr_luts - 1) << ONTB_SWTEC_CTL_COUNT_SHIFT;
	ontb_swtec_write32(sw, ctrl + ONTB_SWTEC_CTRL_BAR_CTL(b), ctl);
	open_lut(sw, 0, sw->page.addr);
	ret = commit_block(sw, sw->peer);
unlock:
	ontb_unlock(&sw->ctrl_lock);
	return ret;
}

void ontb_swtec_hide_all(struct ontb_swtec *sw)
{
	ontb_lock(&sw->ctrl_lock);
	if (lock_block(sw, sw->peer))
		goto unlock;
	write_lut(sw, 0, 0);
	for (unsigned int w = 0; w < sw->nr_windows; w++) {
		if (!sw->open[w])
			continue;
		if (w < sw->theirs.nr_direct)
			close_direct(sw, w);
		else
			write_lut(sw, lut_of(sw, w), 0);
		sw->open[w] = false;
	}
	(void)commit_block(sw, sw->peer);
unlock:
	ontb_unlock(&sw->ctrl_lock);
}

/*
 * A window of the table is as large as this driver has set up the table. How large the BAR of a direct one is only the peer
 * knows: it says so in its page, and that is checked like anything from there.
 */
static int direct_size(struct ontb_swtec *sw, unsigned int window, uint64_t *out)
{
	uint64_t size;

	if ((uint32_t)ontb_swtec_peer_state(sw) != ONTB_SWTEC_MAGIC)
		return -ENOLINK;
	size = ontb_swtec_peer_page_read64(sw, ONTB_SWTEC_PAGE_SIZES(window));
	if (size == UINT64_MAX)
		return -ENOLINK;
	if (size < ONTB_SWTEC_MIN_WINDOW || size > ONTB_SWTEC_MAX_WINDOW || !ontb_is_power_of_two(size)) {
		ontb_log_limited(&sw->link_limit, ONTB_LOG_WARNING,
				 "%s: switchtec: the peer says that its window %u has %llu bytes: that cannot be",
				 ontb_pci_name(sw->dev), window, (unsigned long long)size);
		return -EPROTO;
	}
	*out = size;
	return 0;
}

int ontb_swtec_window_limits(struct ontb_ntb *ntb, unsigned int peer, unsigned int window,
			     struct ontb_ntb_window *limits)
{
	struct ontb_swtec *sw = ontb_swtec_of(ntb);
	uint64_t size;
	int ret;

	(void)peer;
	if (window >= sw->theirs.nr_direct) {
		*limits = (struct ontb_ntb_window){
			.addr_align = ONTB_SWTEC_LUT_SIZE,
			.size_align = ONTB_SWTEC_LUT_SIZE,
			.size_max = ONTB_SWTEC_LUT_SIZE,
		};
		return 0;
	}
	ret = direct_size(sw, window, &size);
	if (!ret)
		*limits = (struct ontb_ntb_window){ .size_align = ONTB_SWTEC_MIN_WINDOW, .size_max = size };
	return ret;
}

int ontb_swtec_window_open(struct ontb_ntb *ntb, unsigned int peer, unsigned int window, uint64_t addr, uint64_t size)
{
	struct ontb_swtec *sw = ontb_swtec_of(ntb);
	int ret;

	(void)peer;
	ontb_lock(&sw->ctrl_lock);
	/* Whatever happens from here on, it may be open. */
	sw->open[window] = true;
	ret = change_window(sw, window, addr, size);
	if (!ret && is_in_error(sw, window)) {
		ontb_log(ONTB_LOG_ERROR, "%s: switchtec: the part did not open window %u to 0x%llx, size 0x%llx",
			 ontb_pci_name(sw->dev), window, (unsigned long long)addr, (unsigned long long)size);
		ret = -EIO;
	}
	if (ret == -EIO && !change_window(sw, window, 0, 0))
		sw->open[window] = false;
	ontb_unlock(&sw->ctrl_lock);
	return ret;
}

int ontb_swtec_window_close(struct ontb_ntb *ntb, unsigned int peer, unsigned int window)
{
	struct ontb_swtec *sw = ontb_swtec_of(ntb);
	int ret = 0;

	(void)peer;
	ontb_lock(&sw->ctrl_lock);
	if (sw->open[window])
		ret = change_window(sw, window, 0, 0);
	if (!ret)
		sw->open[window] = false;
	else if (ontb_pci_is_gone(sw->dev))
		ret = -EFAULT;
	ontb_unlock(&sw->ctrl_lock);
	return ret;
}
