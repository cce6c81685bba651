// SPDX-License-Identifier: GPL-2.0-only
/*
 * See grant_state.h.
 */
#include <linux/errno.h>
#include <linux/string.h>

#include "grant_state.h"
#include "ntb_grant.h"

/* Nobody has a word with number 0. */
static void next_word(struct ntb_grant_state *state, struct ntb_grant_peer *peer)
{
	if (!++*state->generations)
		++*state->generations;
	peer->generation = *state->generations;
	peer->said = true;
}

static void take_back(struct ntb_grant_peer *peer)
{
	if (!peer->told) {
		peer->holding = NTB_GRANT_NONE;
		return;
	}
	peer->holding = NTB_GRANT_REVOKING;
	peer->said = false;
}

static void nothing(struct ntb_grant_peer *peer)
{
	peer->holding = NTB_GRANT_NONE;
	peer->said = false;
	peer->told = false;
	peer->old = false;
}

/* 0 if @generation is that of the last word, and the state still asks for that word. */
static int judge(const struct ntb_grant_peer *peer, u32 generation)
{
	if (peer->holding == NTB_GRANT_NONE || !peer->told)
		return -ENOENT;
	if (generation == peer->generation)
		return peer->said ? 0 : -ESTALE;
	return ntb_grant_is_newer(generation, peer->generation) ? -EPROTO : -ESTALE;
}

/**
 * ntb_grant_state_message() - the interrupt has got another message
 * @state:  Interrupt.
 * @offset: Its message.
 * @data:   Its message.
 *
 * Return: Whether there is a peer to be told.
 */
bool ntb_grant_state_message(struct ntb_grant_state *state, u32 offset, u32 data)
{
	unsigned int i;

	if (state->offset == offset && state->data == data)
		return false;
	state->offset = offset;
	state->data = data;
	for (i = 0; i < state->nr_peers; i++) {
		struct ntb_grant_peer *peer = &state->peers[i];

		if (!peer->told)
			continue;
		peer->old = true;
		if (peer->holding == NTB_GRANT_REVOKING)
			continue;
		if (peer->holding == NTB_GRANT_HELD)
			peer->holding = NTB_GRANT_MOVING;
		peer->said = false;
	}
	return ntb_grant_state_has_word(state);
}

/**
 * ntb_grant_state_offer() - let a peer have the interrupt
 * @state: Interrupt.
 * @peer:  Index of the peer.
 *
 * Return: 0, or
 *         -ERANGE     no such peer
 *         -ESHUTDOWN  the interrupt is being freed
 *         -EBUSY      the peer has not returned it
 *         -EALREADY   it has got it
 */
int ntb_grant_state_offer(struct ntb_grant_state *state, unsigned int peer)
{
	if (peer >= state->nr_peers)
		return -ERANGE;
	if (state->freeing)
		return -ESHUTDOWN;
	if (state->peers[peer].holding == NTB_GRANT_REVOKING)
		return -EBUSY;
	if (state->peers[peer].holding != NTB_GRANT_NONE)
		return -EALREADY;
	state->peers[peer].holding = NTB_GRANT_OFFERED;
	return 0;
}

/**
 * ntb_grant_state_word() - what a peer has to be told; from now on it counts as told
 * @state: Interrupt.
 * @peer:  Index of the peer.
 * @out:   OUT: the word; the same one until it is confirmed or there is another.
 *
 * Return: 0, or -ERANGE for no such peer.
 */
int ntb_grant_state_word(struct ntb_grant_state *state, unsigned int peer, struct ntb_grant_word *out)
{
	struct ntb_grant_peer *to;

	if (peer >= state->nr_peers)
		return -ERANGE;
	to = &state->peers[peer];
	memset(out, 0, sizeof(*out));
	if (to->holding == NTB_GRANT_NONE || to->holding == NTB_GRANT_HELD)
		return 0;
	if (!to->said)
		next_word(state, to);
	out->generation = to->generation;
	if (to->holding == NTB_GRANT_REVOKING) {
		out->say = NTB_GRANT_REVOKE;
		return 0;
	}
	to->told = true;
	out->say = NTB_GRANT_GRANT;
	out->offset = state->offset;
	out->data = state->data;
	return 0;
}

/**
 * ntb_grant_state_confirmed() - a peer has said that it uses the message of a word and no earlier one
 * @state:      Interrupt.
 * @peer:       Index of the peer.
 * @generation: Generation of the word.
 *
 * Only the latest word can be confirmed. What is refused changes nothing.
 *
 * Return: 0, or
 *         -ERANGE    no such peer
 *         -ENOENT    it was told nothing
 *         -EALREADY  it has confirmed this word before
 *         -ESTALE    there is a newer word, which it has to confirm
 *         -EPROTO    it was told no such word, or this one was a revocation
 */
int ntb_grant_state_confirmed(struct ntb_grant_state *state, unsigned int peer, u32 generation)
{
	struct ntb_grant_peer *from;
	int ret;

	if (peer >= state->nr_peers)
		return -ERANGE;
	from = &state->peers[peer];
	ret = judge(from, generation);
	if (ret)
		return ret;
	if (from->holding == NTB_GRANT_REVOKING)
		return -EPROTO;
	if (from->holding == NTB_GRANT_HELD)
		return -EALREADY;
	from->holding = NTB_GRANT_HELD;
	from->old = false;
	return 0;
}

/**
 * ntb_grant_state_revoke() - take the interrupt back from a peer
 * @state: Interrupt.
 * @peer:  Index of the peer.
 *
 * Return: 0, or
 *         -ERANGE    no such peer
 *         -ENOENT    it has not got it
 *         -EALREADY  that is under way
 */
int ntb_grant_state_revoke(struct ntb_grant_state *state, unsigned int peer)
{
	if (peer >= state->nr_peers)
		return -ERANGE;
	if (state->peers[peer].holding == NTB_GRANT_NONE)
		return -ENOENT;
	if (state->peers[peer].holding == NTB_GRANT_REVOKING)
		return -EALREADY;
	take_back(&state->peers[peer]);
	return 0;
}

/**
 * ntb_grant_state_returned() - a peer has said that it uses the interrupt no more
 * @state:      Interrupt.
 * @peer:       Index of the peer.
 * @generation: Generation of the revocation.
 *
 * Return: 0, or
 *         -ERANGE  no such peer
 *         -ENOENT  it holds nothing, perhaps because it has returned it before
 *         -ESTALE  there is a newer word
 *         -EPROTO  it was told no such word, or this one was a grant
 */
int ntb_grant_state_returned(struct ntb_grant_state *state, unsigned int peer, u32 generation)
{
	struct ntb_grant_peer *from;
	int ret;

	if (peer >= state->nr_peers)
		return -ERANGE;
	from = &state->peers[peer];
	ret = judge(from, generation);
	if (ret)
		return ret;
	if (from->holding != NTB_GRANT_REVOKING)
		return -EPROTO;
	nothing(from);
	return 0;
}

/**
 * ntb_grant_state_gone() - nothing that a peer stores arrives any more
 * @state: Interrupt.
 * @peer:  Index of the peer; nothing happens if there is no such peer.
 */
void ntb_grant_state_gone(struct ntb_grant_state *state, unsigned int peer)
{
	if (peer < state->nr_peers)
		nothing(&state->peers[peer]);
}

/**
 * ntb_grant_state_free() - take the interrupt back from all peers, for good
 * @state: Interrupt.
 *
 * Return: 0, or -EALREADY if that is under way.
 */
int ntb_grant_state_free(struct ntb_grant_state *state)
{
	unsigned int i;

	if (state->freeing)
		return -EALREADY;
	state->freeing = true;
	for (i = 0; i < state->nr_peers; i++)
		if (state->peers[i].holding != NTB_GRANT_REVOKING)
			take_back(&state->peers[i]);
	return 0;
}

/**
 * ntb_grant_state_has_word() - whether there is something new to say
 * @state: Interrupt.
 *
 * Return: True if some peer was not told what it has to be told.
 */
bool ntb_grant_state_has_word(const struct ntb_grant_state *state)
{
	unsigned int i;

	for (i = 0; i < state->nr_peers; i++) {
		const struct ntb_grant_peer *peer = &state->peers[i];

		if (!peer->said && peer->holding != NTB_GRANT_NONE && peer->holding != NTB_GRANT_HELD)
			return true;
	}
	return false;
}

/**
 * ntb_grant_state_is_settled() - whether earlier messages are of no use any more
 * @state: Interrupt.
 *
 * Return: True if no peer can hold another message than the present one.
 */
bool ntb_grant_state_is_settled(const struct ntb_grant_state *state)
{
	unsigned int i;

	for (i = 0; i < state->nr_peers; i++)
		if (state->peers[i].old)
			return false;
	return true;
}

/**
 * ntb_grant_state_is_returned() - whether nobody can raise the interrupt
 * @state: Interrupt.
 *
 * Return: True if no peer can hold any message.
 */
bool ntb_grant_state_is_returned(const struct ntb_grant_state *state)
{
	unsigned int i;

	for (i = 0; i < state->nr_peers; i++)
		if (state->peers[i].holding != NTB_GRANT_NONE)
			return false;
	return true;
}
