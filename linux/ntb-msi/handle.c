// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines in use, and handles: an interrupt's life between request and the end of its quarantine.
 *
 * Nobody can tell when the last peer has heard that an interrupt is gone. So a freed one keeps its message, an
 * action that only counts, and on bare vectors its vector, until the quarantine is over; then the line is free and
 * used again last.
 */
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "ntb_msi.h"

/*
 * While a handle moves, both its lines may fire on different CPUs, but a handler runs once at a time, as for any
 * interrupt. Who comes second leaves a note, and who runs the handler runs it again for each note: none waits,
 * none is lost.
 */
static irqreturn_t deliver(struct ntb_msi_handle *handle)
{
	irqreturn_t ret = IRQ_HANDLED;

	if (atomic_inc_return(&handle->running) > 1)
		return ret;
	do {
		if (READ_ONCE(handle->live) &&
		    handle->client.handler(handle->home->virq, handle->client.dev_id) == IRQ_WAKE_THREAD)
			ret = IRQ_WAKE_THREAD;
	} while (atomic_dec_return(&handle->running));
	return ret;
}

static irqreturn_t line_isr(int irq, void *arg)
{
	struct ntb_msi_line *line = arg;
	struct ntb_msi_handle *handle = READ_ONCE(line->handle);

	/* One that is being freed has a handle as long as a peer may hold it. */
	if (handle && READ_ONCE(handle->live))
		return deliver(handle);
	atomic_inc(&line->nr_late);
	return IRQ_HANDLED;
}

static irqreturn_t line_thread(int irq, void *arg)
{
	struct ntb_msi_line *line = arg;
	struct ntb_msi_handle *handle = READ_ONCE(line->handle);
	irqreturn_t ret = IRQ_HANDLED;

	if (!handle || !handle->client.thread_fn)
		return ret;
	mutex_lock(&handle->thread);
	if (READ_ONCE(handle->live))
		ret = handle->client.thread_fn(handle->home->virq, handle->client.dev_id);
	mutex_unlock(&handle->thread);
	return ret;
}

/* Where messages are fixed, it is known before the request whether peers can reach it. */
static int see_message(struct ntb_msi_line *line)
{
	struct ntb_msi_desc desc;

	return ntb_msi_line_compose(line) ?: ntb_msi_window_offset(line->msi, line, &desc);
}

/**
 * ntb_msi_line_get() - take a line that nobody has
 * @msi: Device.
 * @out: OUT: the line, not requested. The one that has been free for longest, so that a message comes back late.
 *
 * Context: Process context, ->lock is held.
 * Return: 0, or
 *         -ENOSPC  no more lines, or none whose message the window shows
 *         -ENOMEM  no memory
 */
int ntb_msi_line_get(struct ntb_msi *msi, struct ntb_msi_line **out)
{
	struct ntb_msi_line *line;
	struct ntb_msi_desc desc;
	int ret;

	lockdep_assert_held(&msi->lock);
	list_for_each_entry(line, &msi->free, node) {
		if (msi->fixed && ntb_msi_window_offset(msi, line, &desc))
			continue;
		list_del_init(&line->node);
		*out = line;
		return 0;
	}
	ret = ntb_msi_line_new(msi, &line);
	if (ret)
		return ret;
	/* The next window has to show all fixed messages: so what this one does not show is not kept. */
	ret = msi->fixed ? see_message(line) : 0;
	if (ret) {
		ntb_msi_line_drop(line);
		return ret;
	}
	*out = line;
	return 0;
}

/**
 * ntb_msi_line_request() - let a line's interrupts in
 * @line:   A line that is not requested.
 * @handle: Who gets the interrupts, or NULL to count them only.
 * @mask:   CPUs it may go to, or NULL for its default.
 * @name:   Name in /proc/interrupts; copied.
 *
 * Its message is known then, and stays what it is if there is a handle.
 *
 * Context: Process context, ->lock is held, or nobody else knows the device yet.
 * Return: 0, or what irq_set_affinity() or request_threaded_irq() say.
 */
int ntb_msi_line_request(struct ntb_msi_line *line, struct ntb_msi_handle *handle, const struct cpumask *mask,
			 const char *name)
{
	bool may_move = handle && (handle->client.grant || line->msi->desc_changed) && !ntb_msi_refuse_moves;
	unsigned long flags = 0;
	int ret;

	if (mask) {
		ret = irq_set_affinity(line->virq, mask);
		if (ret)
			return ret;
	}
	if (!line->msi->fixed && !may_move)
		flags |= IRQF_NOBALANCING;
	else /* what an earlier request has left */
		irq_clear_status_flags(line->virq, IRQ_NO_BALANCING);
	if (name != line->name)
		strscpy(line->name, name, sizeof(line->name));
	WRITE_ONCE(line->handle, handle);
	ret = request_threaded_irq(line->virq, line_isr, handle && handle->client.thread_fn ? line_thread : NULL, flags,
				   line->name, line);
	if (ret) {
		WRITE_ONCE(line->handle, NULL);
		return ret;
	}
	line->requested = true;
	/* From here on nobody moves it in place for a handle; what was begun before ends before this composes. */
	WRITE_ONCE(line->exposed, !!handle);
	ret = ntb_msi_line_compose(line);
	if (ret)
		ntb_msi_line_release(line);
	return ret;
}

/**
 * ntb_msi_line_release() - let no more interrupts in
 * @line: A line, requested or not; nobody sends its message any more.
 *
 * Context: Process context, ->lock is held, or nobody else knows the device.
 */
void ntb_msi_line_release(struct ntb_msi_line *line)
{
	WRITE_ONCE(line->exposed, false);
	if (line->requested)
		free_irq(line->virq, line);
	line->requested = false;
	line->changed = false;
	WRITE_ONCE(line->handle, NULL);
	line->msi->nr_late += atomic_xchg(&line->nr_late, 0);
}

/**
 * ntb_msi_line_put() - give a line back
 * @line: A line that is in no list; if it was requested, nobody sends its message any more.
 *
 * Context: Process context, ->lock is held, or nobody else knows the device.
 */
void ntb_msi_line_put(struct ntb_msi_line *line)
{
	ntb_msi_line_release(line);
	/* An interrupt that is not active only notes it. A failure leaves a narrower mask, no harm. */
	irq_set_affinity(line->virq, line->deflt);
	list_add_tail(&line->node, &line->msi->free);
}

/**
 * ntb_msi_line_retire() - end a line's use, and begin its quarantine
 * @line: A line that is requested; afterwards no handler of its handle runs because of it.
 *
 * Context: Process context, ->lock is held.
 */
void ntb_msi_line_retire(struct ntb_msi_line *line)
{
	lockdep_assert_held(&line->msi->lock);
	WRITE_ONCE(line->handle, NULL);
	/* Takes desc->lock too, so the chip, which looks at the handle under it, is done with it as well. */
	synchronize_irq(line->virq);
	line->until = jiffies + msecs_to_jiffies(ntb_msi_quarantine_ms);
	list_add_tail(&line->node, &line->msi->quarantine);
}

static long nothing(void *unused)
{
	return 0;
}

/**
 * ntb_msi_line_drain() - let handlers run for all that has arrived
 * @line: A line that is requested, or not.
 *
 * A message that has reached its CPU may wait there while interrupts are off. A thread of that CPU runs with interrupts on,
 * so when it has run, nothing waits. Where messages are fixed, the line may have been on another CPU just now.
 *
 * Context: Process context, may sleep.
 */
void ntb_msi_line_drain(struct ntb_msi_line *line)
{
	unsigned int cpu, only = ntb_msi_line_cpu(line);

	if (!line->requested)
		return;
	/* One that goes off line meanwhile hands on what waits. Its lock cannot be taken: who has it may want ->lock. */
	for_each_online_cpu(cpu)
		if (line->msi->fixed || cpu == only)
			work_on_cpu(cpu, nothing, NULL);
	synchronize_irq(line->virq);
}

/**
 * ntb_msi_carrier() - the line whose message peers are told
 * @handle: A handle.
 *
 * Context: Process context, ->lock is held.
 * Return: The line.
 */
struct ntb_msi_line *ntb_msi_carrier(struct ntb_msi_handle *handle)
{
	return handle->phase == NTB_MSI_AWAY ? handle->standin : handle->home;
}

/*
 * CPUs for a new handle; false if the line's default will do. A message at the very beginning of the window has
 * offset 0, which ntb_transport's peers take for "none": where there is a choice, another CPU gets it first.
 */
static bool first_cpus(struct ntb_msi *msi, struct ntb_msi_line *line, struct cpumask *out)
{
	unsigned int cpu;

	if (msi->fixed)
		return false;
	ntb_msi_allowed_cpus(msi, out);
	if (!cpumask_intersects(out, line->deflt))
		return false;
	cpumask_and(out, out, line->deflt);
	for_each_cpu(cpu, out)
		if (msi->cpu_addr[cpu] == msi->base && cpumask_weight(out) > 1)
			cpumask_clear_cpu(cpu, out);
	return !cpumask_equal(out, line->deflt);
}

static int request_home(struct ntb_msi_handle *handle, const char *name)
{
	struct ntb_msi *msi = handle->msi;
	struct ntb_msi_desc desc;
	cpumask_var_t mask;
	int ret;

	if (!alloc_cpumask_var(&mask, GFP_KERNEL))
		return -ENOMEM;
	ret = ntb_msi_line_request(handle->home, handle, first_cpus(msi, handle->home, mask) ? mask : NULL, name);
	free_cpumask_var(mask);
	if (ret)
		return ret;
	ret = ntb_msi_window_offset(msi, handle->home, &desc);
	if (ret) {
		dev_warn(&msi->ntb->dev, "IRQ %u: message to %#llx is outside of the window [%#llx, %#llx)\n",
			 handle->home->virq, ntb_msi_line_message(handle->home, NULL), msi->base,
			 msi->base + msi->size);
		return ret;
	}
	*handle->client.desc = desc;
	/* Only noted, as it is where it may be. */
	if (!msi->fixed)
		irq_set_affinity(handle->home->virq, handle->home->deflt);
	return 0;
}

/**
 * ntb_msi_handle_new() - request an interrupt for a client
 * @msi:    Device with a window.
 * @client: What it wants; copied. Its ->desc is written on success.
 * @name:   Name in /proc/interrupts; copied.
 * @out:    OUT: the handle.
 *
 * Context: Process context, ->lock is held.
 * Return: 0, or
 *         -ENOSPC  no interrupts left, or the window shows none of those
 *         -ENOMEM  no memory
 *         other    what request_threaded_irq() says
 */
int ntb_msi_handle_new(struct ntb_msi *msi, const struct ntb_msi_client *client, const char *name,
		       struct ntb_msi_handle **out)
{
	struct ntb_msi_handle *handle;
	int ret;

	lockdep_assert_held(&msi->lock);
	handle = kzalloc(sizeof(*handle), GFP_KERNEL);
	if (!handle)
		return -ENOMEM;
	if (!zalloc_cpumask_var(&handle->want, GFP_KERNEL)) {
		ret = -ENOMEM;
		goto free_handle;
	}
	handle->msi = msi;
	handle->client = *client;
	handle->live = true;
	handle->phase = NTB_MSI_STEADY;
	handle->until = jiffies;
	atomic_set(&handle->running, 0);
	mutex_init(&handle->thread);
	raw_spin_lock_init(&handle->want_lock);
	ret = ntb_msi_line_get(msi, &handle->home);
	if (ret)
		goto free_want;
	ret = request_home(handle, name);
	if (ret)
		goto put_line;
	list_add_tail(&handle->node, &msi->handles);
	*out = handle;
	return 0;

put_line:
	ntb_msi_line_put(handle->home);
free_want:
	free_cpumask_var(handle->want);
free_handle:
	kfree(handle);
	return ret;
}

static void let_go(struct ntb_msi_line *line)
{
	if (!line)
		return;
	if (line->requested)
		ntb_msi_line_retire(line);
	else
		ntb_msi_line_put(line);
}

/**
 * ntb_msi_handle_free() - end a handle; its lines go into quarantine
 * @handle: A handle. Its handlers do not run afterwards.
 *
 * Context: Process context, ->lock is held.
 */
void ntb_msi_handle_free(struct ntb_msi_handle *handle)
{
	lockdep_assert_held(&handle->msi->lock);
	WRITE_ONCE(handle->live, false);
	list_del(&handle->node);
	let_go(handle->home);
	let_go(handle->standin);
	free_cpumask_var(handle->want);
	kfree(handle);
}

/**
 * ntb_msi_handle_stop() - run the handlers of a grant no more; its lines stay, and count what arrives
 * @handle: A handle with a grant.
 *
 * What had arrived before is handled.
 *
 * Context: Process context, ->lock is held.
 */
void ntb_msi_handle_stop(struct ntb_msi_handle *handle)
{
	lockdep_assert_held(&handle->msi->lock);
	ntb_msi_line_drain(handle->home);
	if (handle->standin)
		ntb_msi_line_drain(handle->standin);
	WRITE_ONCE(handle->live, false);
	synchronize_irq(handle->home->virq);
	if (handle->standin)
		synchronize_irq(handle->standin->virq);
	list_move_tail(&handle->node, &handle->msi->returning);
}

/**
 * ntb_msi_handle_returned() - end a handle whose messages nobody has
 * @handle: A handle after ntb_msi_handle_stop(); its lines are free afterwards.
 *
 * Context: Process context, ->lock is held.
 */
void ntb_msi_handle_returned(struct ntb_msi_handle *handle)
{
	lockdep_assert_held(&handle->msi->lock);
	list_del(&handle->node);
	ntb_msi_line_drain(handle->home);
	ntb_msi_line_put(handle->home);
	if (handle->standin) {
		ntb_msi_line_drain(handle->standin);
		ntb_msi_line_put(handle->standin);
	}
	free_cpumask_var(handle->want);
	kfree(handle);
}

/* As the kernel would call it: with PREEMPT_RT that is in a thread, and locks that handlers take may sleep. */
static irqreturn_t deliver_here(struct ntb_msi_handle *handle)
{
	unsigned long flags;
	irqreturn_t ret;

	if (IS_ENABLED(CONFIG_PREEMPT_RT)) {
		local_bh_disable();
		ret = deliver(handle);
		local_bh_enable();
	} else {
		local_irq_save(flags);
		ret = deliver(handle);
		local_irq_restore(flags);
	}
	return ret;
}

/**
 * ntb_msi_handle_sweep() - run the handler for what may have been lost
 * @handle: A handle.
 *
 * Context: Process context, ->lock is held.
 */
void ntb_msi_handle_sweep(struct ntb_msi_handle *handle)
{
	irqreturn_t ret = deliver_here(handle);

	if (ret == IRQ_WAKE_THREAD && handle->client.thread_fn) {
		mutex_lock(&handle->thread);
		handle->client.thread_fn(handle->home->virq, handle->client.dev_id);
		mutex_unlock(&handle->thread);
	}
	handle->msi->nr_swept++;
}
