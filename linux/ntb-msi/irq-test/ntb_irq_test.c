// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client that accounts for every interrupt that one host sends to the other through a bridge. It uses the
 * interface of <linux/ntb.h> only, so it runs on the kernel's own drivers/ntb/msi.c and on ntb_msi.ko, and the two
 * can be compared.
 *
 * Each host publishes, in its scratchpads, what its interrupts' messages are and how often each handler has run.
 * Its peer sends a message, waits until the right counter has gone up, and sends the next: messages of one
 * interrupt never merge. In the end a message whose handler did not run is lost, and a run without a message is
 * misdirected.
 *
 * debugfs, DIR = /sys/kernel/debug/ntb_irq_test/DEVICE:
 *   DIR/control   run MS FIRST COUNT   send to these interrupts in turn for so long
 *                 reset                forget all counts
 *                 keep                 remember what the peer's messages are now
 *                 kept INDEX TIMES     send a remembered message; it is not among those that are "sent"
 *                 free INDEX           free an own interrupt
 *                 request INDEX        request it again
 *   DIR/result    sent, handled, lost, misdirected, as this host sees its messages to the peer
 *   DIR/irqs      own interrupts: index, number, how often its handler ran
 *   DIR/changed   how often the peer had to be told of other messages
 *
 * A descriptor is one word here, so a pair is never torn; what is compared is what happens to messages.
 *
 * Every other message is sent with what the peer published last, the others with what it had published learn_ms
 * before: as if two hosts sent, one of which hears late.
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/ntb.h>
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#define MAX_IRQS   64
#define PEER	   0
#define DOORBELL   BIT_ULL(0)
#define SPAD_MAGIC 0
#define SPAD_DESC  1
#define SPAD_COUNT (SPAD_DESC + MAX_IRQS)
#define NR_SPADS   (SPAD_COUNT + MAX_IRQS / 2)
#define MAGIC	   0x4e544900u

/* A descriptor in a word: valid, a quarter of the offset, data. */
#define WORD_VALID  BIT(31)
#define DATA_BITS   12
#define OFFSET_BITS 18

static unsigned int nr_own = 8;
module_param_named(nr_irqs, nr_own, uint, 0444);
MODULE_PARM_DESC(nr_irqs, "interrupts of this host, at most 64");

static unsigned int learn_ms;
module_param(learn_ms, uint, 0644);
MODULE_PARM_DESC(learn_ms, "how late every other message is to use what the peer has published");

static unsigned int timeout_ms = 300;
module_param(timeout_ms, uint, 0644);
MODULE_PARM_DESC(timeout_ms, "how long to wait for a handler");

struct test;

struct test_irq {
	struct test *test;
	unsigned int index;
	int irq;
	struct ntb_msi_desc desc;
	u64 runs;
};

struct target {
	u32 word; /* what the peer has told */
	u32 late; /* what it had told learn_ms before */
	u32 kept;
	u16 last; /* the peer's counter when it was read last */
	u64 sent;
	u64 handled;
};

struct test {
	struct ntb_dev *ntb;
	struct dentry *dir;
	struct work_struct setup;
	struct work_struct learn;
	struct delayed_work learn_late;
	spinlock_t lock;	/* counters of handlers, two of which share a scratchpad */
	raw_spinlock_t telling; /* scratchpads with messages */
	struct mutex mutex;	/* commands */
	struct mutex own;	/* own interrupts */
	unsigned int nr_targets;
	unsigned int nr_changed; /* times that the peer was told of other messages */
	struct test_irq irqs[MAX_IRQS];
	struct target targets[MAX_IRQS];
};

static struct dentry *top;

/* Linux 7.x has no way to free one interrupt but devm_free_irq(); the other library needs to be told. */
void __weak ntbm_msi_free_irq(struct ntb_dev *ntb, unsigned int irq, void *dev_id);

static u32 pack(const struct ntb_msi_desc *desc)
{
	if (desc->data >> DATA_BITS || desc->addr_offset % 4 || desc->addr_offset / 4 >> OFFSET_BITS)
		return 0;
	return WORD_VALID | desc->addr_offset / 4 << DATA_BITS | desc->data;
}

static void unpack(u32 word, struct ntb_msi_desc *out)
{
	out->data = word & (BIT(DATA_BITS) - 1);
	out->addr_offset = (word >> DATA_BITS & (BIT(OFFSET_BITS) - 1)) * 4;
}

/* ---- own interrupts ---- */

static irqreturn_t test_isr(int irq, void *arg)
{
	struct test_irq *own = arg;
	struct test *test = own->test;
	struct test_irq *pair = &test->irqs[own->index & ~1u];
	unsigned long flags;

	spin_lock_irqsave(&test->lock, flags);
	own->runs++;
	ntb_spad_write(test->ntb, SPAD_COUNT + own->index / 2, (pair[0].runs & 0xffff) | (u32)pair[1].runs << 16);
	spin_unlock_irqrestore(&test->lock, flags);
	return IRQ_HANDLED;
}

static void write_desc(struct test *test, unsigned int index)
{
	struct test_irq *own = &test->irqs[index];
	struct ntb_msi_desc desc = own->desc;

	ntb_spad_write(test->ntb, SPAD_DESC + index, own->irq > 0 ? pack(&desc) : 0);
}

/* What is written last is what was read last. The kernel's own library gets here with a raw lock, and in interrupts. */
static void tell_peer_locked(struct test *test)
{
	unsigned long flags;
	unsigned int i;

	raw_spin_lock_irqsave(&test->telling, flags);
	for (i = 0; i < nr_own; i++)
		write_desc(test, i);
	ntb_spad_write(test->ntb, SPAD_MAGIC, MAGIC | nr_own);
	ntb_peer_db_set(test->ntb, DOORBELL);
	raw_spin_unlock_irqrestore(&test->telling, flags);
}

/* With the lock under which ntb_msi.ko changes descriptors, so that none is read while it is written. */
static void tell_peer(struct test *test)
{
	unsigned long flags;

	spin_lock_irqsave(&test->ntb->ctx_lock, flags);
	tell_peer_locked(test);
	spin_unlock_irqrestore(&test->ntb->ctx_lock, flags);
}

static void desc_changed(void *ctx)
{
	struct test *test = ctx;

	test->nr_changed++;
	tell_peer_locked(test);
}

static int request_own(struct test *test, unsigned int index)
{
	struct test_irq *own = &test->irqs[index];
	int irq;

	if (own->irq > 0)
		return 0;
	irq = ntbm_msi_request_irq(test->ntb, test_isr, "ntb_irq_test", own, &own->desc);
	if (irq < 0)
		return irq;
	own->irq = irq;
	if (!pack(&own->desc))
		dev_warn(&test->ntb->dev, "descriptor %#x/%#x does not fit into a word\n", own->desc.addr_offset,
			 own->desc.data);
	return 0;
}

static void free_own(struct test *test, unsigned int index)
{
	struct test_irq *own = &test->irqs[index];

	if (own->irq <= 0)
		return;
	if (ntbm_msi_free_irq)
		ntbm_msi_free_irq(test->ntb, own->irq, own);
	else
		devm_free_irq(&test->ntb->dev, own->irq, own);
	own->irq = 0;
}

static void setup_work(struct work_struct *work)
{
	struct test *test = container_of(work, struct test, setup);
	unsigned int i;
	int ret;

	ret = ntb_msi_setup_mws(test->ntb);
	if (ret) {
		dev_err(&test->ntb->dev, "cannot set up windows: %d\n", ret);
		return;
	}
	mutex_lock(&test->own);
	for (i = 0; i < nr_own && !ret; i++)
		ret = request_own(test, i);
	if (ret)
		dev_err(&test->ntb->dev, "cannot request interrupt %u: %d\n", i - 1, ret);
	tell_peer(test);
	mutex_unlock(&test->own);
	schedule_work(&test->learn);
}

/* ---- the peer's interrupts ---- */

static void learn_work(struct work_struct *work)
{
	struct test *test = container_of(work, struct test, learn);
	u32 magic = ntb_peer_spad_read(test->ntb, PEER, SPAD_MAGIC);
	unsigned int i, nr;

	if ((magic & ~0xffu) != MAGIC)
		return;
	nr = min(magic & 0xff, MAX_IRQS + 0u);
	for (i = 0; i < nr; i++)
		WRITE_ONCE(test->targets[i].word, ntb_peer_spad_read(test->ntb, PEER, SPAD_DESC + i));
	WRITE_ONCE(test->nr_targets, nr);
	/* Not put off when there is more news: what was told first is known in time. */
	schedule_delayed_work(&test->learn_late, msecs_to_jiffies(learn_ms));
}

static void learn_late_work(struct work_struct *work)
{
	struct test *test = container_of(to_delayed_work(work), struct test, learn_late);
	unsigned int i;

	for (i = 0; i < MAX_IRQS; i++)
		WRITE_ONCE(test->targets[i].late, READ_ONCE(test->targets[i].word));
}

static u16 peer_count(struct test *test, unsigned int index)
{
	u32 word = ntb_peer_spad_read(test->ntb, PEER, SPAD_COUNT + index / 2);

	return word >> (index % 2 * 16);
}

/* Add what the peer has handled since the last look; true if anything. */
static bool look(struct test *test, unsigned int index)
{
	struct target *target = &test->targets[index];
	u16 count = peer_count(test, index);
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

/* Send one message, and wait for the handler of @index. */
static void send(struct test *test, unsigned int index, u32 word)
{
	unsigned long end = jiffies + msecs_to_jiffies(timeout_ms) + 1;
	struct ntb_msi_desc desc;

	unpack(word, &desc);
	if (ntb_msi_peer_trigger(test->ntb, PEER, &desc))
		return;
	while (!look(test, index) && time_before(jiffies, end)) {
		if (signal_pending(current))
			return;
		usleep_range(20, 50);
	}
}

static int run(struct test *test, unsigned int ms, unsigned int first, unsigned int count)
{
	unsigned int nr_targets = READ_ONCE(test->nr_targets);
	unsigned long end = jiffies + msecs_to_jiffies(ms);
	unsigned int i = 0;

	if (!count || count > nr_targets || first > nr_targets - count)
		return -ERANGE;
	while (time_before(jiffies, end)) {
		struct target *target = &test->targets[first + i % count];
		u32 word = i++ / count % 2 ? READ_ONCE(target->late) : READ_ONCE(target->word);

		if (signal_pending(current))
			return -EINTR;
		if (!(word & WORD_VALID)) {
			usleep_range(200, 400);
			continue;
		}
		target->sent++;
		send(test, target - test->targets, word);
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

static void keep(struct test *test)
{
	unsigned int i;

	for (i = 0; i < MAX_IRQS; i++)
		test->targets[i].kept = READ_ONCE(test->targets[i].word);
}

static int kept(struct test *test, unsigned int index, unsigned int times)
{
	u32 word = test->targets[index].kept;

	if (!(word & WORD_VALID))
		return -ENOENT;
	while (times--)
		send(test, index, word);
	look_at_all(test);
	return 0;
}

/* ---- debugfs ---- */

static int own_command(struct test *test, bool add, unsigned int index)
{
	int ret = 0;

	mutex_lock(&test->own);
	if (add)
		ret = request_own(test, index);
	else
		free_own(test, index);
	tell_peer(test);
	mutex_unlock(&test->own);
	return ret;
}

static int command(struct test *test, const char *text)
{
	unsigned int a, b, c;

	if (sscanf(text, "run %u %u %u", &a, &b, &c) == 3)
		return run(test, a, b, c);
	if (sscanf(text, "kept %u %u", &a, &b) == 2)
		return a < MAX_IRQS ? kept(test, a, b) : -ERANGE;
	if (sscanf(text, "free %u", &a) == 1)
		return a < nr_own ? own_command(test, false, a) : -ERANGE;
	if (sscanf(text, "request %u", &a) == 1)
		return a < nr_own ? own_command(test, true, a) : -ERANGE;
	if (sysfs_streq(text, "reset"))
		reset(test);
	else if (sysfs_streq(text, "keep"))
		keep(test);
	else
		return -EINVAL;
	return 0;
}

static ssize_t control_write(struct file *file, const char __user *user, size_t size, loff_t *pos)
{
	struct test *test = file->private_data;
	char text[64];
	int ret;

	if (size >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, user, size))
		return -EFAULT;
	text[size] = '\0';
	ret = mutex_lock_interruptible(&test->mutex);
	if (ret)
		return ret;
	ret = command(test, text);
	mutex_unlock(&test->mutex);
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

	mutex_lock(&test->mutex);
	for (i = 0; i < MAX_IRQS; i++) {
		struct target *target = &test->targets[i];

		sent += target->sent;
		handled += target->handled;
		lost += max(target->sent, target->handled) - target->handled;
		misdirected += max(target->sent, target->handled) - target->sent;
	}
	seq_printf(m, "targets %u sent %llu handled %llu lost %llu misdirected %llu\n", test->nr_targets, sent, handled,
		   lost, misdirected);
	mutex_unlock(&test->mutex);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(result);

static int irqs_show(struct seq_file *m, void *unused)
{
	struct test *test = m->private;
	unsigned int i;

	for (i = 0; i < nr_own; i++)
		seq_printf(m, "%u %d %llu\n", i, test->irqs[i].irq, READ_ONCE(test->irqs[i].runs));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(irqs);

/* ---- NTB client ---- */

static void link_event(void *ctx)
{
	struct test *test = ctx;

	if (ntb_link_is_up(test->ntb, NULL, NULL))
		schedule_work(&test->setup);
}

static void db_event(void *ctx, int vector)
{
	struct test *test = ctx;

	ntb_db_clear(test->ntb, DOORBELL);
	schedule_work(&test->learn);
}

static const struct ntb_ctx_ops ctx_ops = {
	.link_event = link_event,
	.db_event = db_event,
};

static int test_probe(struct ntb_client *client, struct ntb_dev *ntb)
{
	struct test *test;
	unsigned int i;
	int ret;

	if (nr_own > MAX_IRQS)
		return -EINVAL;
	if (ntb_spad_is_unsafe(ntb) || ntb_spad_count(ntb) < NR_SPADS) {
		dev_err(&ntb->dev, "needs %d scratchpads\n", NR_SPADS);
		return -EOPNOTSUPP;
	}
	/*
	 * Handlers may run until the device's interrupts are gone, after test_remove(): so the device frees this,
	 * later.
	 */
	test = devm_kzalloc(&ntb->dev, sizeof(*test), GFP_KERNEL);
	if (!test)
		return -ENOMEM;
	test->ntb = ntb;
	spin_lock_init(&test->lock);
	raw_spin_lock_init(&test->telling);
	mutex_init(&test->mutex);
	mutex_init(&test->own);
	INIT_WORK(&test->setup, setup_work);
	INIT_WORK(&test->learn, learn_work);
	INIT_DELAYED_WORK(&test->learn_late, learn_late_work);
	for (i = 0; i < MAX_IRQS; i++) {
		test->irqs[i].test = test;
		test->irqs[i].index = i;
	}
	for (i = 0; i < NR_SPADS; i++)
		ntb_spad_write(ntb, i, 0);
	ret = ntb_msi_init(ntb, desc_changed);
	if (ret) {
		dev_err(&ntb->dev, "no NTB interrupts: %d\n", ret);
		return ret;
	}
	ret = ntb_set_ctx(ntb, test, &ctx_ops);
	if (ret)
		return ret;
	ntb_db_clear_mask(ntb, DOORBELL);
	test->dir = debugfs_create_dir(pci_name(ntb->pdev), top);
	debugfs_create_file("control", 0200, test->dir, test, &control_fops);
	debugfs_create_file("result", 0400, test->dir, test, &result_fops);
	debugfs_create_file("irqs", 0400, test->dir, test, &irqs_fops);
	debugfs_create_u32("changed", 0400, test->dir, &test->nr_changed);
	ntb_link_enable(ntb, NTB_SPEED_AUTO, NTB_WIDTH_AUTO);
	ntb_link_event(ntb);
	return 0;
}

static void test_remove(struct ntb_client *client, struct ntb_dev *ntb)
{
	struct test *test = ntb->ctx;

	debugfs_remove(test->dir);
	ntb_link_disable(ntb);
	ntb_db_set_mask(ntb, ntb_db_valid_mask(ntb));
	ntb_clear_ctx(ntb);
	cancel_work_sync(&test->setup);
	cancel_work_sync(&test->learn);
	cancel_delayed_work_sync(&test->learn_late);
	ntb_msi_clear_mws(ntb);
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

	top = debugfs_create_dir("ntb_irq_test", NULL);
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

MODULE_DESCRIPTION("NTB client that accounts for every interrupt");
MODULE_LICENSE("GPL");
