// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moves between CPUs where a move changes the message.
 *
 * One idea: make before break. The client's interrupt, its home, stays where it is. A stand-in is requested on the
 * new CPU and peers are told its message. When even late ones have heard, the home is requested anew on the new
 * CPU, which nobody notices, and peers are told again; when they have heard that too, the stand-in goes. So the
 * interrupt keeps its number, and at any time every message that some peer may still have reaches the handler.
 *
 * A handle's message changes at most once per quarantine, counted from its request too, and moves have peers told at most once per
 * quarantine. The interface hands them (offset, data) as two words, and who reads them while they are written sees half of each;
 * with nothing else written for so long, only a peer that is too late anyway can. What the parent has changed by itself is told
 * at once: the old message is of no use.
 *
 * Interrupts of ntb_grant.h move in the same steps, but what ends a phase is not time: the last peer that was told has
 * confirmed.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>

#include "ntb_msi.h"

static unsigned long quarantine(void)
{
	return msecs_to_jiffies(ntb_msi_quarantine_ms);
}

/**
 * ntb_msi_wants_move() - note where an interrupt shall go, unless its parent may move it in place
 * @line: A line.
 * @mask: CPUs, at least one of them online.
 *
 * Context: Any, under desc->lock; the handle's want_lock nests inside.
 * Return: true if the move is made by ntb_msi_step(), or not at all; false if the parent has to make it now.
 */
bool ntb_msi_wants_move(struct ntb_msi_line *line, const struct cpumask *mask)
{
	struct ntb_msi_handle *handle;
	unsigned long flags;

	if (line->msi->fixed || !READ_ONCE(line->exposed))
		return false;
	/* Its CPU is gone: what peers still send there is lost, whatever is done. */
	if (!cpu_online(ntb_msi_line_cpu(line)))
		return false;
	handle = READ_ONCE(line->handle);
	if (!handle)
		return true;
	raw_spin_lock_irqsave(&handle->want_lock, flags);
	cpumask_copy(handle->want, mask);
	handle->wanted = true;
	raw_spin_unlock_irqrestore(&handle->want_lock, flags);
	ntb_msi_kick(line->msi);
	return true;
}

/*
 * The kernel's mask of the home is what was asked for last, or what it was born with. It is changed after the chip has noted it in
 * ->want, if it does: not while the home is not exposed.
 */
static void want_as_home(struct ntb_msi_handle *handle)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&handle->want_lock, flags);
	if (!handle->wanted || !handle->home->exposed)
		cpumask_copy(handle->want, irq_data_get_affinity_mask(irq_get_irq_data(handle->home->virq)));
	raw_spin_unlock_irqrestore(&handle->want_lock, flags);
}

/* What is asked for, less what cannot be; @fallback: anything is better than nothing. */
static bool choose_cpus(struct ntb_msi_handle *handle, bool fallback, struct cpumask *ask, struct cpumask *out)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&handle->want_lock, flags);
	cpumask_copy(ask, handle->want);
	handle->wanted = false;
	raw_spin_unlock_irqrestore(&handle->want_lock, flags);
	ntb_msi_allowed_cpus(handle->msi, out);
	if (cpumask_intersects(ask, out)) {
		cpumask_and(out, ask, out);
		return true;
	}
	return fallback && !cpumask_empty(out);
}

/* Peers have to be told of a line's message: those of a grant one by one, others by the client when it may. */
static void announce(struct ntb_msi_handle *handle, struct ntb_msi_line *line)
{
	if (handle->client.grant)
		ntb_msi_grant_message(handle, line);
	else
		handle->publish = true;
}

/* Request a line of a handle and see whether peers can reach it. */
static int place(struct ntb_msi_handle *handle, struct ntb_msi_line *line, const struct cpumask *mask, const char *name)
{
	struct ntb_msi_desc desc;
	int ret;

	ret = ntb_msi_line_request(line, handle, mask, name);
	if (ret)
		return ret;
	ret = ntb_msi_window_offset(handle->msi, line, &desc);
	if (!ret && cpumask_test_cpu(ntb_msi_line_cpu(line), handle->msi->leaving))
		ret = -ENOSPC;
	if (ret) {
		ntb_msi_line_release(line);
		return ret;
	}
	announce(handle, line);
	return 0;
}

/* Let a stand-in on another CPU carry the handle. */
static void go_away(struct ntb_msi_handle *handle, bool must, struct cpumask *ask, struct cpumask *mask)
{
	struct ntb_msi *msi = handle->msi;
	int cpu = ntb_msi_line_cpu(handle->home);
	struct ntb_msi_line *line;
	char name[sizeof(line->name)];

	if (must)
		want_as_home(handle);
	if (!choose_cpus(handle, must, ask, mask) || (!msi->desc_changed && !handle->client.grant))
		goto refused;
	if (cpumask_test_cpu(cpu, mask))
		return;
	if (ntb_msi_line_get(msi, &line))
		goto refused;
	snprintf(name, sizeof(name), "%.*s:moving", (int)sizeof(name) - 8, handle->home->name);
	if (place(handle, line, mask, name)) {
		ntb_msi_line_put(line);
		goto refused;
	}
	handle->standin = line;
	handle->until = jiffies;
	handle->phase = NTB_MSI_AWAY;
	return;

refused:
	msi->nr_refused++;
}

/* Nobody sends to the home any more: request it where it shall be. Whatever fails, the stand-in goes on. */
static void come_back(struct ntb_msi_handle *handle, struct cpumask *ask, struct cpumask *mask)
{
	if (handle->client.grant)
		ntb_msi_line_drain(handle->home);
	ntb_msi_line_release(handle->home);
	want_as_home(handle);
	if (choose_cpus(handle, true, ask, mask) && !place(handle, handle->home, mask, handle->home->name)) {
		handle->phase = NTB_MSI_BACK;
		/* CPUs that cannot be used now were asked for as well: only noted, as it is where it may be. */
		if (cpumask_intersects(ask, mask) && !cpumask_equal(ask, mask) && !READ_ONCE(handle->wanted))
			irq_set_affinity(handle->home->virq, ask);
		return;
	}
	irq_set_affinity(handle->home->virq, ask);
	handle->msi->nr_refused++;
	handle->until = jiffies + quarantine();
}

static bool is_due(unsigned long when)
{
	return time_after_eq(jiffies, when);
}

/* Peers use no message of the handle but the present one: by time, or because they have said so. */
static bool is_over(struct ntb_msi_handle *handle)
{
	struct ntb_grant *grant = handle->client.grant;

	return is_due(handle->until) && (!grant || ntb_msi_grant_is_settled(grant));
}

static bool wants_away(struct ntb_msi_handle *handle, bool *must)
{
	/* A fixed message is good whatever CPU it goes to. */
	*must = !handle->msi->fixed && cpumask_test_cpu(ntb_msi_line_cpu(handle->home), handle->msi->leaving);
	return *must || READ_ONCE(handle->wanted);
}

static void step_handle(struct ntb_msi_handle *handle, bool may_publish, struct cpumask *ask, struct cpumask *mask)
{
	struct ntb_msi_line *carrier = ntb_msi_carrier(handle);
	struct ntb_grant *grant = handle->client.grant;
	bool may_move = grant || may_publish;
	bool must;

	if (READ_ONCE(carrier->changed)) {
		WRITE_ONCE(carrier->changed, false);
		handle->sweep = true;
		announce(handle, carrier);
	}
	/* For others publish() does this. */
	if (grant && handle->sweep && is_over(handle)) {
		handle->sweep = false;
		ntb_msi_handle_sweep(handle);
	}
	if (handle->phase == NTB_MSI_AWAY && is_over(handle) && may_move) {
		come_back(handle, ask, mask);
	} else if (handle->phase == NTB_MSI_BACK && is_over(handle)) {
		if (grant)
			ntb_msi_line_drain(handle->standin);
		ntb_msi_line_put(handle->standin);
		handle->standin = NULL;
		handle->phase = NTB_MSI_STEADY;
		handle->nr_moves++;
	}
	if (handle->phase == NTB_MSI_STEADY && may_move && is_due(handle->until) && wants_away(handle, &must))
		go_away(handle, must, ask, mask);
}

/*
 * Tell the client, and so the peers. As for all of NTB's callbacks, the lock keeps the client from going away
 * meanwhile; what it gave us as its descriptor goes with it.
 */
static void publish(struct ntb_msi *msi)
{
	struct ntb_dev *ntb = msi->ntb;
	struct ntb_msi_handle *handle;
	struct ntb_msi_desc desc;
	unsigned long flags;
	bool any = false;

	list_for_each_entry(handle, &msi->handles, node)
		any |= handle->publish;
	if (!any)
		return;

	spin_lock_irqsave(&ntb->ctx_lock, flags);
	if (ntb->ctx) {
		list_for_each_entry(handle, &msi->handles, node) {
			if (!handle->publish)
				continue;
			if (ntb_msi_window_offset(msi, ntb_msi_carrier(handle), &desc))
				dev_warn_ratelimited(&ntb->dev, "IRQ %u: the window does not show its message\n",
						     handle->home->virq);
			else
				*handle->client.desc = desc;
		}
		WRITE_ONCE(msi->publisher, current);
		if (msi->desc_changed)
			msi->desc_changed(ntb->ctx);
		WRITE_ONCE(msi->publisher, NULL);
	}
	spin_unlock_irqrestore(&ntb->ctx_lock, flags);

	msi->nr_published++;
	msi->publish_at = jiffies + quarantine();
	list_for_each_entry(handle, &msi->handles, node) {
		if (!handle->publish)
			continue;
		handle->publish = false;
		handle->until = msi->publish_at;
		if (handle->sweep)
			ntb_msi_handle_sweep(handle);
		handle->sweep = false;
	}
}

static void end_quarantines(struct ntb_msi *msi)
{
	struct ntb_msi_line *line, *next;

	list_for_each_entry_safe(line, next, &msi->quarantine, node) {
		if (!is_due(line->until))
			continue;
		list_del_init(&line->node);
		ntb_msi_line_put(line);
	}
}

static void sooner(unsigned long when, unsigned long *delay)
{
	unsigned long left = is_due(when) ? 1 : when - jiffies;

	*delay = min(*delay, left);
}

/* Until both are due; not at all if they are, as then it is something else that is waited for. */
static void later(unsigned long one, unsigned long other, unsigned long *delay)
{
	unsigned long when = time_after(one, other) ? one : other;

	if (!is_due(when))
		sooner(when, delay);
}

static unsigned long next_delay(struct ntb_msi *msi)
{
	unsigned long delay = MAX_SCHEDULE_TIMEOUT;
	struct ntb_msi_handle *handle;
	struct ntb_msi_line *line;
	bool must;

	list_for_each_entry(line, &msi->quarantine, node)
		sooner(line->until, &delay);
	list_for_each_entry(handle, &msi->handles, node) {
		struct ntb_grant *grant = handle->client.grant;

		if (grant) {
			/* Else a confirmation goes on with it; only one that could not come back is tried again. */
			if (handle->phase != NTB_MSI_STEADY && ntb_msi_grant_is_settled(grant))
				sooner(handle->until, &delay);
			continue;
		}
		if (handle->phase == NTB_MSI_BACK)
			sooner(handle->until, &delay);
		else if (handle->phase == NTB_MSI_AWAY)
			sooner(is_due(handle->until) ? msi->publish_at : handle->until, &delay);
		else if (wants_away(handle, &must))
			later(handle->until, msi->publish_at, &delay);
	}
	return delay;
}

/**
 * ntb_msi_step() - do all that is due: end quarantines and grants, go on with moves, begin new ones, tell peers
 * @msi: Device.
 *
 * Context: Process context, ->lock is held.
 * Return: Jiffies until there is more to do; MAX_SCHEDULE_TIMEOUT for nothing.
 */
unsigned long ntb_msi_step(struct ntb_msi *msi)
{
	struct ntb_msi_handle *handle;
	cpumask_var_t ask, mask;
	bool may_publish;

	lockdep_assert_held(&msi->lock);
	end_quarantines(msi);
	ntb_msi_grants_step(msi);
	if (!alloc_cpumask_var(&ask, GFP_KERNEL))
		return HZ;
	if (!alloc_cpumask_var(&mask, GFP_KERNEL)) {
		free_cpumask_var(ask);
		return HZ;
	}
	may_publish = is_due(msi->publish_at) && READ_ONCE(msi->ntb->ctx);
	list_for_each_entry(handle, &msi->handles, node)
		step_handle(handle, may_publish, ask, mask);
	free_cpumask_var(mask);
	free_cpumask_var(ask);
	publish(msi);
	return next_delay(msi);
}

/**
 * ntb_msi_kick() - let ntb_msi_step() run soon
 * @msi: Device.
 *
 * Context: Any.
 */
void ntb_msi_kick(struct ntb_msi *msi)
{
	mod_delayed_work(msi->wq, &msi->work, 0);
}

/**
 * ntb_msi_work() - what the device's work does
 * @work: The member of struct ntb_msi.
 *
 * Context: Process context.
 */
void ntb_msi_work(struct work_struct *work)
{
	struct ntb_msi *msi = container_of(to_delayed_work(work), struct ntb_msi, work);
	unsigned long delay;

	mutex_lock(&msi->lock);
	delay = ntb_msi_step(msi);
	mutex_unlock(&msi->lock);
	/* A kick meanwhile is kept. */
	if (delay != MAX_SCHEDULE_TIMEOUT)
		queue_delayed_work(msi->wq, &msi->work, delay);
}

static bool is_used_on(struct ntb_msi *msi, unsigned int cpu)
{
	unsigned int i;

	for (i = 0; i < msi->nr_lines; i++)
		if (msi->lines[i]->exposed && ntb_msi_line_cpu(msi->lines[i]) == cpu)
			return true;
	return false;
}

/**
 * ntb_msi_vacate() - take all messages away from a CPU that goes off line, and wait until no peer sends them
 * @msi: Device.
 * @cpu: The CPU, still on line and taking interrupts; in ->leaving.
 *
 * Context: Process context, may sleep for a few quarantines, and where there are grants for confirm_ms.
 * Return: 0, or -EBUSY if interrupts cannot go elsewhere, for want of vectors or because the window shows no other CPU,
 *         or if peers have not confirmed that they did.
 */
int ntb_msi_vacate(struct ntb_msi *msi, unsigned int cpu)
{
	unsigned long wait = 6 * quarantine() + 2 * HZ;
	unsigned long deadline, delay;
	int ret = 0;

	mutex_lock(&msi->lock);
	if (!list_empty(&msi->grants))
		wait = max(wait, msecs_to_jiffies(ntb_msi_confirm_ms));
	deadline = jiffies + wait;
	while (!msi->fixed && is_used_on(msi, cpu)) {
		if (is_due(deadline)) {
			ret = -EBUSY;
			break;
		}
		delay = min3(ntb_msi_step(msi), quarantine() / 4 + 1, HZ / 10UL);
		mutex_unlock(&msi->lock);
		msleep(jiffies_to_msecs(delay));
		mutex_lock(&msi->lock);
	}
	mutex_unlock(&msi->lock);
	ntb_msi_kick(msi);
	return ret;
}
