/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NTB interrupts whose users say what they know: the interface beside that of <linux/ntb.h>.
 *
 * There, an owner is told that a message has changed and tells its peers, and nobody hears when the last of them has
 * stopped to use the old one. Here an interrupt is *granted* to peers, each word about it has a *generation*, and peers
 * confirm generations. An old message stays alive until, and only until, every peer that was told it has confirmed a
 * newer word, or cannot reach this host any more. No time is involved.
 *
 * How words travel is the client's affair: scratchpads, a window, messages. It must not lose the order of stores: a
 * confirmation comes after everything that its sender has stored before, so both go through the same bridge.
 *
 *      owner                                   holder
 *      ntb_grant_offer()
 *      changed(), ntb_grant_word()  --GRANT->  ntb_held_grant()
 *      ntb_grant_confirmed()        <-ACK----  ntb_held_sync()
 *      the interrupt moves                     ntb_held_trigger()
 *      changed(), ntb_grant_word()  --GRANT->  ntb_held_grant()
 *      ntb_grant_confirmed()        <-ACK----  ntb_held_sync()
 *      the old message is used again
 *      ntb_grant_free()
 *      changed(), ntb_grant_word()  -REVOKE->  ntb_held_revoke()
 *      ntb_grant_returned()         <-ACK----  ntb_held_sync()
 *      freed()
 *
 * A device can have interrupts of both interfaces. ntb_msi_init() comes first, and with its client all ends. The
 * window towards a peer is the same for both; ntb_msi_setup_mws() opens all of them, ntb_grant_open() one.
 */
#ifndef NTB_GRANT_H
#define NTB_GRANT_H

#include <linux/interrupt.h>
#include <linux/ntb.h>
#include <linux/types.h>

struct ntb_grant;

/**
 * enum ntb_grant_say - what a peer has to be told
 * @NTB_GRANT_NOTHING: Nothing that it has not confirmed.
 * @NTB_GRANT_GRANT:   Raise the interrupt like this, and from your confirmation on only like this.
 * @NTB_GRANT_REVOKE:  Do not raise it.
 */
enum ntb_grant_say {
	NTB_GRANT_NOTHING,
	NTB_GRANT_GRANT,
	NTB_GRANT_REVOKE
};

/**
 * struct ntb_grant_word - a word to a peer about one interrupt
 * @say:        What it says; the others are 0 if that is nothing.
 * @generation: Its generation, see ntb_grant_is_newer(). No two words of one device have the same.
 * @offset:     In a grant, bytes from the beginning of the peer's window, a multiple of 4.
 * @data:       In a grant, what is to be stored there, in one store of 32 bits.
 */
struct ntb_grant_word {
	enum ntb_grant_say say;
	u32 generation;
	u32 offset;
	u32 data;
};

/**
 * struct ntb_grant_ops - what a client is called for
 * @handler:   The interrupt, in hard interrupt context; required. Never runs twice at a time for one grant.
 * @thread_fn: Called in a thread of the interrupt when @handler asks for it, or NULL. Like @handler it must not
 *             call functions of this file that may sleep, nor wait for a lock under which somebody calls them, or those
 *             of <linux/ntb.h> about interrupts: they wait for it.
 * @changed:   There is something to say to a peer, see ntb_grant_word(); required. In process context with no lock
 *             held; may sleep and call every function of this file, but not wait for @freed. Not twice at a time
 *             for one grant; what happens meanwhile leads to one more call.
 * @freed:     The last call for a grant, after ntb_grant_free(): no peer holds it, its message and number may
 *             belong to another one already; or NULL. Context as for @changed.
 *
 * All get the context that ntb_grant_request() was given; the first two also the number of the interrupt.
 */
struct ntb_grant_ops {
	irq_handler_t handler;
	irq_handler_t thread_fn;
	void (*changed)(void *ctx);
	void (*freed)(void *ctx);
};

/**
 * ntb_grant_is_newer() - compare generations, which wrap
 * @generation: One.
 * @than:       The other, less than 2^31 words of the device apart.
 *
 * Context: Any.
 * Return: Whether @generation comes after @than.
 */
static inline bool ntb_grant_is_newer(u32 generation, u32 than)
{
	return (s32)(generation - than) > 0;
}

/* The owner's side: grant.c. */
int ntb_grant_request(struct ntb_dev *ntb, const struct ntb_grant_ops *ops, void *ctx, const char *name,
		      struct ntb_grant **out);
unsigned int ntb_grant_irq(const struct ntb_grant *grant);
int ntb_grant_offer(struct ntb_grant *grant, unsigned int peer);
int ntb_grant_word(struct ntb_grant *grant, unsigned int peer, struct ntb_grant_word *out);
int ntb_grant_confirmed(struct ntb_grant *grant, unsigned int peer, u32 generation);
int ntb_grant_revoke(struct ntb_grant *grant, unsigned int peer);
int ntb_grant_returned(struct ntb_grant *grant, unsigned int peer, u32 generation);
bool ntb_grant_is_returned(struct ntb_grant *grant);
int ntb_grant_free(struct ntb_grant *grant);
int ntb_grant_open(struct ntb_dev *ntb, unsigned int peer);
int ntb_grant_close(struct ntb_dev *ntb, unsigned int peer);

/**
 * struct ntb_held - an interrupt of a peer; the client has the memory
 * @message:    A quarter of the offset, whether there is one, and data in one word, so that a trigger never stores a
 *              mixture.
 * @window:     The peer's interrupts as this host sees them, constant.
 * @size:       Bytes of it, constant.
 * @generation: Of the last word that was taken.
 * @has_word:   There was one.
 *
 * ntb_held_grant() and ntb_held_revoke() are for one thread at a time, ntb_held_trigger() for all.
 */
struct ntb_held {
	atomic64_t message;
	u32 __iomem *window;
	resource_size_t size;
	u32 generation;
	bool has_word;
};

/* The holder's side: held.c. */
int ntb_held_init(struct ntb_held *held, struct ntb_dev *ntb, unsigned int peer);
int ntb_held_grant(struct ntb_held *held, u32 generation, u32 offset, u32 data);
int ntb_held_revoke(struct ntb_held *held, u32 generation);
void ntb_held_drop(struct ntb_held *held);
void ntb_held_sync(void);
int ntb_held_trigger(struct ntb_held *held);

#endif
