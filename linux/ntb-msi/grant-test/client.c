// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client of ntb_grant.h that accounts for every interrupt that one host sends to the other, as ntb_irq_test does for
 * the interface of <linux/ntb.h>. Hosts speak the grant protocol of docs/grant-protocol.md through scratchpads 0 to 11.
 *
 * A host confirms what it was told late_ms after it has heard it, and sends with the old message until then. So a
 * message that is used again before it was confirmed would be lost, or hit another handler.
 *
 * How often each handler has run is in further scratchpads. A sender waits after each message until the right counter
 * has gone up: messages of one interrupt never merge. In the end a message whose handler did not run is lost, and a run
 * without a message is misdirected.
 *
 * debugfs, DIR = /sys/kernel/debug/ntb_grant_test/DEVICE:
 *   DIR/control   run MS FIRST COUNT   send to these interrupts in turn for so long
 *                 reset                forget all counts
 *                 request INDEX        request an own interrupt, and grant it
 *                 revoke INDEX         take it back; its handler goes on
 *                 free INDEX           free it
 *                 beside INDEX         raise an interrupt of <linux/ntb.h> of the peer, once
 *                 look                 go on, because late_ms has changed
 *   DIR/result    sent, handled, lost, misdirected, as this host sees its messages to the peer
 *   DIR/irqs      own interrupts: index, number (0: none), how often the handler ran, state
 *   DIR/state     session
 *   DIR/beside    interrupts of <linux/ntb.h>: index, number, how often the handler ran
 *   DIR/changed   how many grants were sent
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "session.h"

/* Two counters in each; scratchpads between are of no use here. */
#define SPAD_COUNT 64
#define NR_SPADS   (SPAD_COUNT + MAX_IRQS / 2)

unsigned int nr_own = 8;
module_param_named(nr_irqs, nr_own, uint, 0444);
MODULE_PARM_DESC(nr_irqs, "interrupts of this host, at most 64");

unsigned int nr_beside;
module_param(nr_beside, uint, 0444);
MODULE_PARM_DESC(nr_beside, "interrupts of <linux/ntb.h> beside them, at most 4");

unsigned int late_ms;
module_param(late_ms, uint, 0644);
MODULE_PARM_DESC(late_ms, "how long to go on as before when the peer has said something");

bool await_handler;
module_param(await_handler, bool, 0644);
MODULE_PARM_DESC(await_handler, "confirm only when the last message has run its handler: for bridges that let it be "
				"overtaken by a confirmation");

static unsigned int timeout_ms = 300;
module_param(timeout_ms, uint, 0644);
MODULE_PARM_DESC(timeout_ms, "how long to wait for a handler");

static unsigned int leave_ms = 5000;
module_param(leave_ms, uint, 0644);
MODULE_PARM_DESC(leave_ms, "how long to wait for the peer's returns when the client goes, before closing its window");

static struct dentry *top;

/* ---- own interrupts ---- */

static irqreturn_t test_isr(int irq, void *arg)
{
	struct own *own = arg;
	struct test *test = own->test;
	struct own *pair = &test->own[own->index & ~1u];
	unsigned long flags;

	spin_lock_irqsave(&test->counts, flags);
	own->runs++;
	ntb_spad_write(test->ntb, SPAD_COUNT + own->index / 2, (pair[0].runs & 0xffff) | (u32)pair[1].runs << 16);
	spin_unlock_irqrestore(&test->counts, flags);
	return IRQ_HANDLED;
}

static void changed(void *ctx)
{
	struct own *own = ctx;

	session_kick(own->test);
}

static void freed(void *ctx)
{
	session_freed(ctx);
}

const struct ntb_grant_ops grant_ops = {
	.handler = test_isr,
	.changed = changed,
	.freed = freed,
};

/* ---- sending ---- */

/* Add what the peer has handled since the last look; true if anything. */
static bool look(struct test *test, unsigned int index)
{
	struct target *target = &test->targets[index];
	u32 word = ntb_peer_spad_read(test->ntb, PEER, SPAD_COUNT + index / 2);
	u16 count = word >> (index % 2 * 16);
	u16 more = count - target->last;

	target->handled += more;
	target->last = count;
	return more;
}

static void look_at_all(struct test *test)
{
	unsigned int i;

	for (i = 0; i < MAX_IRQS; i++)
		look(test, i);
}

static void wait_for_handler(struct test *test, unsigned int index)
{
	unsigned long end = jiffies + msecs_to_jiffies(timeout_ms) + 1;

	while (!look(test, index) && time_before(jiffies, end)) {
		if (signal_pending(current))
			return;
		usleep_range(20, 50);
	}
}

static int run(struct test *test, unsigned int ms, unsigned int first, unsigned int count)
{
	unsigned long end = jiffies + msecs_to_jiffies(ms);
	unsigned int i = 0;
	int ret;

	if (!count || count > MAX_IRQS || first > MAX_IRQS - count)
		return -ERANGE;
	while (time_before(jiffies, end)) {
		unsigned int index = first + i++ % count;
		struct target *target = &test->targets[index];

		if (signal_pending(current))
			return -EINTR;
		mutex_lock(&test->on_its_way);
		ret = ntb_held_trigger(&target->held);
		if (!ret) {
			target->sent++;
			wait_for_handler(test, index);
		}
		mutex_unlock(&test->on_its_way);
		if (ret)
			usleep_range(200, 400);
	}
	msleep(timeout_ms);
	look_at_all(test);
	return 0;
}

static void reset(struct test *test)
{
	unsigned int i;

	look_at_all(test);
	for (i = 0; i < MAX_IRQS; i++) {
		test->targets[i].sent = 0;
		test->targets[i].handled = 0;
	}
}

/* ---- debugfs ---- */

static int own_command(struct test *test, const char *what, unsigned int index)
{
	int ret;

	if (!strcmp(what, "beside"))
		return beside_trigger(test, index);
	if (index >= nr_own)
		return -ERANGE;
	mutex_lock(&test->lock);
	if (!strcmp(what, "request"))
		ret = session_request(&test->own[index]);
	else if (!strcmp(what, "revoke"))
		ret = session_revoke(&test->own[index]);
	else if (!strcmp(what, "free"))
		ret = session_free(&test->own[index]);
	else
		ret = -EINVAL;
	mutex_unlock(&test->lock);
	return ret;
}

static int send_command(struct test *test, const char *text)
{
	unsigned int ms, first, count;
	int ret;

	ret = mutex_lock_interruptible(&test->sending);
	if (ret)
		return ret;
	if (sscanf(text, "run %u %u %u", &ms, &first, &count) == 3)
		ret = run(test, ms, first, count);
	else if (sysfs_streq(text, "reset"))
		reset(test);
	else
		ret = -EINVAL;
	mutex_unlock(&test->sending);
	return ret;
}

static ssize_t control_write(struct file *file, const char __user *user, size_t size, loff_t *pos)
{
	struct test *test = file->private_data;
	unsigned int index;
	char text[64], what[8];
	int ret;

	if (size >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, user, size))
		return -EFAULT;
	text[size] = '\0';
	if (sysfs_streq(text, "look")) {
		session_kick(test);
		return size;
	}
	if (sscanf(text, "%7s %u", what, &index) == 2 && strcmp(what, "run"))
		ret = own_command(test, what, index);
	else
		ret = send_command(test, text);
	return ret ?: size;
}

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = control_write,
	.llseek = noop_llseek,
};

static int result_show(struct seq_file *m, void *unused)
{
	struct test *test = m->private;
	u64 sent = 0, handled = 0, lost = 0, misdirected = 0;
	unsigned int i;

	mutex_lock(&test->sending);
	for (i = 0; i < MAX_IRQS; i++) {
		struct target *target = &test->targets[i];

		sent += target->sent;
		handled += target->handled;
		lost += max(target->sent, target->handled) - target->handled;
		misdirected += max(target->sent, target->handled) - target->sent;
	}
	mutex_unlock(&test->sending);
	seq_printf(m, "sent %llu handled %llu lost %llu misdirected %llu\n", sent, handled, lost, misdirected);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(result);

static int irqs_show(struct seq_file *m, void *unused)
{
	struct test *test = m->private;
	unsigned int i;

	mutex_lock(&test->lock);
	for (i = 0; i < nr_own; i++) {
		struct own *own = &test->own[i];
		const char *state = "none";

		if (own->freed)
			state = "freeing";
		else if (own->grant)
			state = ntb_grant_is_returned(own->grant) ? "returned" : "granted";
		seq_printf(m, "%u %u %llu %s\n", i, own->grant ? ntb_grant_irq(own->grant) : 0, READ_ONCE(own->runs),
			   state);
	}
	mutex_unlock(&test->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(irqs);

static int beside_show(struct seq_file *m, void *unused)
{
	struct test *test = m->private;
	unsigned int i;

	for (i = 0; i < nr_beside; i++)
		seq_printf(m, "%u %d %d\n", i, READ_ONCE(test->beside[i].irq), atomic_read(&test->beside[i].runs));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(beside);

static int state_show(struct seq_file *m, void *unused)
{
	struct test *test = m->private;
	unsigned int i, nr_held = 0, nr_waiting = 0;

	mutex_lock(&test->lock);
	for (i = 0; i < MAX_IRQS; i++) {
		nr_held += atomic64_read(&test->targets[i].held.message) != 0;
		nr_waiting += test->targets[i].word.type != 0;
	}
	seq_printf(m, "up %d open %d epochs %u targets %u held %u waiting %u grants %u bad %u damaged %u\n", test->up,
		   test->open, test->nr_epochs, test->nr_targets, nr_held, nr_waiting, test->nr_grants, test->nr_bad,
		   test->channel.nr_damaged);
	mutex_unlock(&test->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(state);

/* ---- NTB client ---- */

static void link_event(void *ctx)
{
	session_kick(ctx);
}

/* Clear, then read: what was stored before a ring that is cleared with it is here then. */
static void db_event(void *ctx, int vector)
{
	struct test *test = ctx;

	ntb_db_clear(test->ntb, test->channel.doorbell);
	ntb_db_read(test->ntb);
	session_kick(test);
}

static const struct ntb_ctx_ops ctx_ops = {
	.link_event = link_event,
	.db_event = db_event,
};

static struct test *new_test(struct ntb_dev *ntb)
{
	struct test *test;
	unsigned int i;

	/*
	 * What is left of the interrupts ends after test_remove(), with ntb_msi.ko's part of the device. This was
	 * allocated before that, so it goes later.
	 */
	test = devm_kzalloc(&ntb->dev, sizeof(*test), GFP_KERNEL);
	if (!test)
		return NULL;
	test->wq = alloc_ordered_workqueue("ntb_grant_test", 0);
	if (!test->wq)
		return NULL;
	test->ntb = ntb;
	mutex_init(&test->lock);
	spin_lock_init(&test->counts);
	mutex_init(&test->sending);
	mutex_init(&test->on_its_way);
	init_waitqueue_head(&test->freed);
	INIT_DELAYED_WORK(&test->work, session_work);
	for (i = 0; i < MAX_IRQS; i++) {
		test->own[i].test = test;
		test->own[i].index = i;
		test->own[i].wanted = i < nr_own;
	}
	return test;
}

static void add_files(struct test *test)
{
	test->dir = debugfs_create_dir(pci_name(test->ntb->pdev), top);
	debugfs_create_file("control", 0200, test->dir, test, &control_fops);
	debugfs_create_file("result", 0400, test->dir, test, &result_fops);
	debugfs_create_file("irqs", 0400, test->dir, test, &irqs_fops);
	debugfs_create_file("beside", 0400, test->dir, test, &beside_fops);
	debugfs_create_file("state", 0400, test->dir, test, &state_fops);
	debugfs_create_u32("changed", 0400, test->dir, &test->nr_grants);
}

static int test_probe(struct ntb_client *client, struct ntb_dev *ntb)
{
	struct test *test;
	unsigned int i;
	int ret;

	if (!nr_own || nr_own > MAX_IRQS || nr_beside > MAX_BESIDE)
		return -EINVAL;
	if (ntb_spad_is_unsafe(ntb) || ntb_spad_count(ntb) < NR_SPADS || ntb_peer_port_count(ntb) != 1 ||
	    !ntb_db_valid_mask(ntb)) {
		dev_err(&ntb->dev, "needs one peer, %d scratchpads, and a doorbell\n", NR_SPADS);
		return -EOPNOTSUPP;
	}
	test = new_test(ntb);
	if (!test)
		return -ENOMEM;
	for (i = 0; i < NR_SPADS; i++)
		ntb_spad_write(ntb, i, 0);
	/* Granted ones need no callback here. */
	ret = ntb_msi_init(ntb, nr_beside ? beside_tell : NULL);
	if (ret) {
		dev_err(&ntb->dev, "no NTB interrupts: %d\n", ret);
		goto destroy;
	}
	ret = session_init(test);
	if (!ret)
		ret = ntb_set_ctx(ntb, test, &ctx_ops);
	if (ret)
		goto destroy;
	ntb_db_clear(ntb, test->channel.doorbell);
	ntb_db_clear_mask(ntb, test->channel.doorbell);
	add_files(test);
	ntb_link_enable(ntb, NTB_SPEED_AUTO, NTB_WIDTH_AUTO);
	session_kick(test);
	return 0;

destroy:
	destroy_workqueue(test->wq);
	return ret;
}

/* Ask for everything back; who does not answer is shut out. */
static void test_remove(struct ntb_client *client, struct ntb_dev *ntb)
{
	struct test *test = ntb->ctx;
	unsigned int i;

	debugfs_remove(test->dir);
	mutex_lock(&test->lock);
	for (i = 0; i < nr_own; i++)
		session_free(&test->own[i]);
	mutex_unlock(&test->lock);
	session_kick(test);
	if (!wait_event_timeout(test->freed, !atomic_read(&test->nr_own), msecs_to_jiffies(leave_ms) + 1))
		dev_info(&ntb->dev, "the peer has not returned all interrupts within %u ms\n", leave_ms);
	session_end(test);
	ntb_link_disable(ntb);
	ntb_db_set_mask(ntb, ntb_db_valid_mask(ntb));
	ntb_clear_ctx(ntb);
	cancel_delayed_work_sync(&test->work);
	/* The window is closed; what was left is freed now, unless it could not be closed. */
	if (!test->must_close)
		wait_event(test->freed, !atomic_read(&test->nr_own));
	destroy_workqueue(test->wq);
}

static struct ntb_client test_client = {
	.ops = {
		.probe = test_probe,
		.remove = test_remove,
	},
};

static int __init test_init(void)
{
	int ret;

	top = debugfs_create_dir("ntb_grant_test", NULL);
	ret = ntb_register_client(&test_client);
	if (ret)
		debugfs_remove(top);
	return ret;
}
module_init(test_init);

static void __exit test_exit(void)
{
	ntb_unregister_client(&test_client);
	debugfs_remove(top);
}
module_exit(test_exit);

MODULE_DESCRIPTION("NTB client that accounts for every interrupt that is granted");
MODULE_LICENSE("GPL");
