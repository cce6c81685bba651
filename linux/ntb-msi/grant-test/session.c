// SPDX-License-Identifier: GPL-2.0-only
/*
 * The grant protocol of docs/grant-protocol.md, on top of ntb_grant.h: what is a state there is one here, so little is
 * left to do. Words of the owner come from ntb_grant_word(), what the peer says goes to ntb_grant_confirmed() and
 * ntb_grant_returned(), and its own words to ntb_held_grant() and ntb_held_revoke().
 *
 * Two rules. The window is open only while the peer has said, in this epoch, that it holds nothing of an earlier one.
 * And a word is confirmed after ntb_held_sync(), so no store of an older message is to come.
 *
 * This host is a peer that is late on purpose: it acts on a word late_ms after it was heard.
 */
#include <linux/jiffies.h>

#include "session.h"

#define FIRST_RETRY_MS 2
#define MAX_RETRIES    9

/**
 * session_init() - prepare
 * @test: Client after ntb_msi_init().
 *
 * Context: Process context, may sleep.
 * Return: 0, or what ntb_held_init() says.
 */
int session_init(struct test *test)
{
	unsigned int i;
	int ret;

	channel_init(&test->channel, test->ntb, PEER);
	for (i = 0; i < MAX_IRQS; i++) {
		ret = ntb_held_init(&test->targets[i].held, test->ntb, PEER);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * session_kick() - let the session go on soon
 * @test: Client.
 *
 * Context: Any.
 */
void session_kick(struct test *test)
{
	mod_delayed_work(test->wq, &test->work, 0);
}

/* ---- beginning and end of an epoch ---- */

static void drop_targets(struct test *test)
{
	unsigned int i;

	for (i = 0; i < MAX_IRQS; i++) {
		ntb_held_drop(&test->targets[i].held);
		test->targets[i].word.type = 0;
		test->targets[i].confirm = 0;
	}
	ntb_held_sync();
	WRITE_ONCE(test->nr_targets, 0);
}

/* Nothing that the peer stores arrives any more, and nothing is stored there. */
static void end_epoch(struct test *test)
{
	int ret = 0;

	if (test->open)
		ret = ntb_grant_close(test->ntb, PEER);
	if (ret && !test->must_close)
		dev_err(&test->ntb->dev, "cannot close the window (%d): what the peer holds stays\n", ret);
	test->open = test->open && ret;
	test->must_close = test->open;
	if (test->said_hello || test->heard_hello)
		drop_targets(test);
	test->said_hello = false;
	test->heard_hello = false;
}

static void look_at_link(struct test *test)
{
	bool up = !test->ending && (ntb_link_is_up(test->ntb, NULL, NULL) & BIT_ULL(PEER));

	if (test->must_close || (!up && test->up)) {
		channel_stop(&test->channel);
		test->up = false;
		end_epoch(test);
	}
	if (!up || test->up || test->must_close)
		return;
	test->up = true;
	test->nr_retries = 0;
	channel_start(&test->channel);
}

static int request(struct own *own)
{
	struct test *test = own->test;
	int ret;

	if (own->grant)
		return 0;
	ret = ntb_grant_request(test->ntb, &grant_ops, own, "ntb_grant_test", &own->grant);
	if (!ret)
		atomic_inc(&test->nr_own);
	return ret;
}

static void request_all(struct test *test)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr_own; i++)
		if (test->own[i].wanted && !ret)
			ret = request(&test->own[i]);
	if (ret)
		dev_err_ratelimited(&test->ntb->dev, "cannot request interrupts: %d\n", ret);
}

static void offer_all(struct test *test)
{
	unsigned int i;

	for (i = 0; i < nr_own; i++) {
		struct own *own = &test->own[i];

		if (own->grant && own->wanted && !own->freed)
			ntb_grant_offer(own->grant, PEER);
	}
}

/* Both have said hello: what the peer stores from now on is meant. */
static void establish(struct test *test)
{
	int ret;

	if (!test->said_hello || !test->heard_hello || test->open)
		return;
	test->open = true;
	ret = ntb_grant_open(test->ntb, PEER);
	if (ret) {
		dev_err_ratelimited(&test->ntb->dev, "cannot open the window: %d\n", ret);
		test->open = ntb_grant_close(test->ntb, PEER) != 0;
		test->must_close = test->open;
		return;
	}
	test->nr_epochs++;
	request_all(test);
	offer_all(test);
	beside_request(test);
}

/* ---- receiving ---- */

static int hear_hello(struct test *test, const struct message *msg)
{
	if (test->heard_hello || msg->generation > MAX_IRQS ||
	    msg->data != (u32)(ntb_peer_mw_count(test->ntb) - 1 - PEER))
		return -EPROTO;
	test->heard_hello = true;
	WRITE_ONCE(test->nr_targets, msg->generation);
	return 0;
}

static int hear_word(struct test *test, const struct message *msg)
{
	struct target *target;

	if (!test->heard_hello || msg->index >= test->nr_targets || upper_32_bits(msg->offset))
		return -EPROTO;
	target = &test->targets[msg->index];
	/* The first of several words sets the time, as the last one is all that is acted on. */
	if (!target->word.type)
		target->heard = jiffies;
	target->word = *msg;
	target->confirm = 0;
	return 0;
}

static int hear_answer(struct test *test, const struct message *msg)
{
	struct own *own;

	if (msg->index >= nr_own || !test->own[msg->index].grant)
		return -EPROTO;
	own = &test->own[msg->index];
	if (msg->type == GRANT_ACK)
		return ntb_grant_confirmed(own->grant, PEER, msg->generation);
	return ntb_grant_returned(own->grant, PEER, msg->generation);
}

static int hear(struct test *test, const struct message *msg)
{
	if (msg->from != test->channel.peer_nonce || msg->to != test->channel.nonce)
		return -EPROTO;
	switch (msg->type) {
	case HELLO:
		return hear_hello(test, msg);
	case GRANT:
	case REVOKE:
		return hear_word(test, msg);
	default:
		return hear_answer(test, msg);
	}
}

static bool receive(struct test *test)
{
	struct message msg;
	int ret;

	ret = channel_peek(&test->channel, &msg);
	if (ret == -EAGAIN)
		return false;
	if (!ret)
		ret = hear(test, &msg);
	channel_take(&test->channel);
	if (ret) {
		test->nr_bad++;
		dev_dbg(&test->ntb->dev, "message %u about %u, generation %u: ignored: %d\n", msg.type, msg.index,
			msg.generation, ret);
	}
	return true;
}

/* Jiffies until it is to be acted on. */
static unsigned long delay_of(const struct target *target)
{
	unsigned long due = target->heard + msecs_to_jiffies(READ_ONCE(late_ms));

	if (!target->word.type)
		return MAX_SCHEDULE_TIMEOUT;
	return time_after_eq(jiffies, due) ? 0 : due - jiffies;
}

/* Act on what was heard long enough ago; one grace period for all of it, then it can be confirmed. */
static void act(struct test *test)
{
	bool any = false;
	unsigned int i;
	int ret;

	for (i = 0; i < test->nr_targets; i++) {
		struct target *target = &test->targets[i];
		const struct message *word = &target->word;

		if (delay_of(target))
			continue;
		if (word->type == GRANT)
			ret = ntb_held_grant(&target->held, word->generation, lower_32_bits(word->offset), word->data);
		else
			ret = ntb_held_revoke(&target->held, word->generation);
		target->confirm = ret ? 0 : word->type == GRANT ? GRANT_ACK : REVOKE_ACK;
		test->nr_bad += !!ret;
		target->word.type = 0;
		any = true;
	}
	if (!any)
		return;
	ntb_held_sync();
	/* The last store of an older message has been made; see the parameter. */
	if (await_handler) {
		mutex_lock(&test->on_its_way);
		mutex_unlock(&test->on_its_way);
	}
}

/* ---- sending ---- */

static bool next_answer(struct test *test, struct message *out)
{
	unsigned int i;

	for (i = 0; i < test->nr_targets; i++) {
		struct target *target = &test->targets[i];

		if (!target->confirm)
			continue;
		*out = (struct message){ .type = target->confirm, .index = i, .generation = target->held.generation };
		target->confirm = 0;
		return true;
	}
	return false;
}

static bool next_word(struct test *test, struct message *out)
{
	struct ntb_grant_word word;
	unsigned int i;

	if (!test->open)
		return false;
	for (i = 0; i < nr_own; i++) {
		struct own *own = &test->own[i];

		if (!own->grant || ntb_grant_word(own->grant, PEER, &word) || word.say == NTB_GRANT_NOTHING ||
		    word.generation == own->sent)
			continue;
		own->sent = word.generation;
		*out = (struct message){ .type = word.say == NTB_GRANT_GRANT ? GRANT : REVOKE,
					 .index = i,
					 .generation = word.generation,
					 .offset = word.offset,
					 .data = word.data };
		test->nr_grants += word.say == NTB_GRANT_GRANT;
		return true;
	}
	return false;
}

static bool transmit(struct test *test)
{
	struct message msg = { .type = HELLO, .generation = nr_own, .data = ntb_peer_highest_mw_idx(test->ntb, PEER) };

	if (!channel_can_send(&test->channel))
		return false;
	if (test->said_hello && !next_answer(test, &msg) && !next_word(test, &msg))
		return false;
	channel_send(&test->channel, &msg);
	test->said_hello = true;
	return true;
}

/* ---- the session ---- */

static bool talk(struct test *test)
{
	bool progress;

	if (test->nr_retries && time_after_eq(jiffies, test->retry))
		channel_refresh(&test->channel);
	switch (channel_poll(&test->channel)) {
	case CHANNEL_RESET:
		end_epoch(test);
		return !test->must_close;
	case CHANNEL_NOTHING:
		progress = false;
		break;
	default:
		progress = true;
	}
	progress |= receive(test);
	act(test);
	progress |= transmit(test);
	establish(test);
	channel_flush(&test->channel);
	return progress;
}

static unsigned long next_delay(struct test *test, bool progress)
{
	unsigned long delay = MAX_SCHEDULE_TIMEOUT;
	unsigned int i;

	for (i = 0; i < test->nr_targets; i++)
		delay = min(delay, delay_of(&test->targets[i]));
	if (progress)
		test->nr_retries = 0;
	if (test->must_close || (test->up && (!channel_is_idle(&test->channel) || !test->open))) {
		if (!test->nr_retries || time_after_eq(jiffies, test->retry)) {
			test->retry = jiffies + msecs_to_jiffies(FIRST_RETRY_MS << test->nr_retries);
			test->nr_retries = min(test->nr_retries + 1, MAX_RETRIES + 0u);
		}
		delay = min(delay, time_after_eq(jiffies, test->retry) ? 0 : test->retry - jiffies);
	} else {
		test->nr_retries = 0;
	}
	return delay;
}

/**
 * session_work() - go on with the session
 * @work: The member of struct test.
 *
 * Context: Process context.
 */
void session_work(struct work_struct *work)
{
	struct test *test = container_of(to_delayed_work(work), struct test, work);
	unsigned long delay;
	bool progress = false;

	mutex_lock(&test->lock);
	look_at_link(test);
	if (test->up)
		progress = talk(test);
	delay = next_delay(test, progress);
	mutex_unlock(&test->lock);
	if (progress)
		queue_delayed_work(test->wq, &test->work, 0);
	else if (delay != MAX_SCHEDULE_TIMEOUT)
		queue_delayed_work(test->wq, &test->work, delay);
}

/**
 * session_request() - request an interrupt and grant it to the peer
 * @own: An interrupt; nothing happens if it exists.
 *
 * Context: Process context, the lock is held.
 * Return: 0, or
 *         -EBUSY  it is being freed, or the peer has not returned it
 *         other   what ntb_grant_request() says
 */
int session_request(struct own *own)
{
	int ret;

	if (own->freed)
		return -EBUSY;
	own->wanted = true;
	ret = request(own);
	if (!ret && own->test->open)
		ret = ntb_grant_offer(own->grant, PEER);
	return ret == -EALREADY ? 0 : ret;
}

/**
 * session_revoke() - take an interrupt back from the peer
 * @own: An interrupt.
 *
 * Context: Process context, the lock is held.
 * Return: 0, -ENOENT if there is none, or what ntb_grant_revoke() says.
 */
int session_revoke(struct own *own)
{
	own->wanted = false;
	return own->grant ? ntb_grant_revoke(own->grant, PEER) : -ENOENT;
}

/**
 * session_free() - free an interrupt
 * @own: An interrupt.
 *
 * Context: Process context, the lock is held.
 * Return: 0, -ENOENT if there is none, or what ntb_grant_free() says.
 */
int session_free(struct own *own)
{
	int ret;

	own->wanted = false;
	if (!own->grant)
		return -ENOENT;
	ret = ntb_grant_free(own->grant);
	if (!ret)
		own->freed = true;
	return ret;
}

/**
 * session_freed() - an interrupt has ended
 * @own: The interrupt.
 *
 * Context: Process context, may sleep.
 */
void session_freed(struct own *own)
{
	struct test *test = own->test;

	mutex_lock(&test->lock);
	own->grant = NULL;
	own->freed = false;
	mutex_unlock(&test->lock);
	if (atomic_dec_and_test(&test->nr_own))
		wake_up_all(&test->freed);
}

/**
 * session_end() - say no more, and close the window
 * @test: Client.
 *
 * Context: Process context, may sleep.
 */
void session_end(struct test *test)
{
	mutex_lock(&test->lock);
	test->ending = true;
	mutex_unlock(&test->lock);
	session_kick(test);
	flush_delayed_work(&test->work);
}
