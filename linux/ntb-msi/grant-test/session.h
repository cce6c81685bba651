/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of this client share: own interrupts and those of the peer, and what is said about them.
 *
 * All that speaks to the peer is one work, session_work(), of an ordered queue. test.lock protects what has no other
 * remark; it is taken before the locks of ntb_msi.ko, and not by handlers.
 */
#ifndef NTB_GRANT_SESSION_H
#define NTB_GRANT_SESSION_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "channel.h"
#include "ntb_grant.h"

#define MAX_IRQS   64
#define MAX_BESIDE 4
#define PEER	   0

struct dentry;
struct test;

/**
 * struct own - an interrupt of this host
 * @test:      Client, constant.
 * @index:     What both sides call it, constant.
 * @grant:     It, or NULL.
 * @wanted:    The peer shall have it.
 * @freed:     ntb_grant_free() was called.
 * @sent:      Generation of the last word that was sent; 0 for none.
 * @runs:      How often the handler has run; under test.counts.
 */
struct own {
	struct test *test;
	unsigned int index;
	struct ntb_grant *grant;
	bool wanted;
	bool freed;
	u32 sent;
	u64 runs;
};

/**
 * struct target - an interrupt of the peer
 * @held:    It.
 * @word:    What the peer has said and this host has not acted on; type 0 if nothing.
 * @heard:   When that was heard, in jiffies.
 * @confirm: GRANT_ACK or REVOKE_ACK once it may be sent, else 0.
 * @last:    The peer's counter at the last look; this and the following under test.sending.
 * @sent:    Messages sent.
 * @handled: Handlers run.
 */
struct target {
	struct ntb_held held;
	struct message word;
	unsigned long heard;
	enum message_type confirm;
	u16 last;
	u64 sent;
	u64 handled;
};

/**
 * struct beside - an interrupt of <linux/ntb.h>
 * @irq:  Its number, or 0.
 * @desc: Its message; changes under ntb_dev.ctx_lock.
 * @runs: How often the handler has run.
 */
struct beside {
	int irq;
	struct ntb_msi_desc desc;
	atomic_t runs;
};

/**
 * struct test - a device's client
 * @ntb:         Device, constant.
 * @dir:         In debugfs, constant.
 * @wq:          Where @work runs, constant.
 * @work:        The session.
 * @lock:        See above.
 * @counts:      Counters of handlers, two of which share a scratchpad.
 * @sending:     One command at a time.
 * @on_its_way:  Held from a message until its handler has run, or it is given up.
 * @freed:       Woken when @nr_own has become 0.
 * @nr_own:      Grants that exist; any context.
 * @channel:     To the peer.
 * @up:          The link is.
 * @open:        The window is, or may be.
 * @must_close:  It has to be closed before anything else.
 * @ending:      The client goes.
 * @said_hello:  In this epoch.
 * @heard_hello: In this epoch.
 * @retry:       When to write everything again, in jiffies.
 * @nr_retries:  How often that was, without an answer.
 * @nr_bad:      Messages that were ignored.
 * @nr_grants:   GRANTs sent, so messages that peers were told.
 * @nr_epochs:   Times that both sides had said hello.
 * @nr_targets:  Interrupts of the peer.
 * @own:         Own interrupts.
 * @targets:     The peer's.
 * @beside:      Own ones of the other interface.
 */
struct test {
	struct ntb_dev *ntb;
	struct dentry *dir;
	struct workqueue_struct *wq;
	struct delayed_work work;
	struct mutex lock;	 /* see above */
	spinlock_t counts;	 /* see above */
	struct mutex sending;	 /* see above */
	struct mutex on_its_way; /* see above */
	wait_queue_head_t freed;
	atomic_t nr_own;
	struct channel channel;
	bool up;
	bool open;
	bool must_close;
	bool ending;
	bool said_hello;
	bool heard_hello;
	unsigned long retry;
	unsigned int nr_retries;
	unsigned int nr_bad;
	unsigned int nr_grants;
	unsigned int nr_epochs;
	unsigned int nr_targets;
	struct own own[MAX_IRQS];
	struct target targets[MAX_IRQS];
	struct beside beside[MAX_BESIDE];
};

/* Parameters, see client.c. */
extern unsigned int nr_own;
extern unsigned int nr_beside;
extern unsigned int late_ms;
extern bool await_handler;

/* client.c */
extern const struct ntb_grant_ops grant_ops;

/* beside.c */
void beside_tell(void *ctx);
void beside_request(struct test *test);
int beside_trigger(struct test *test, unsigned int index);

/* session.c */
int session_init(struct test *test);
void session_work(struct work_struct *work);
void session_kick(struct test *test);
int session_request(struct own *own);
int session_revoke(struct own *own);
int session_free(struct own *own);
void session_freed(struct own *own);
void session_end(struct test *test);

#endif
